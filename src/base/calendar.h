// Dates: between days since 1970 and the proleptic Gregorian calendar, and RFC 3339 text. UTC only.
#pragma once

#include <cstdint>

#include "base/text.h"
#include "limpet/time.h"

namespace limpet {

struct CivilTime {
  int64_t year = 1970;
  unsigned month = 1, day = 1;  ///< From 1.
  unsigned hour = 0, minute = 0, second = 0;
  uint32_t nanosecond = 0;
};

/// Days from 1970-01-01 to the date; month 1 to 12, day from 1.
int64_t DaysSinceEpoch(int64_t year, unsigned month, unsigned day);

CivilTime ToCivil(UnixTime time);

/// "2026-11-21T03:18:09.123Z", with 0 to 9 decimals.
void WriteRfc3339(TextWriter& out, UnixTime time, int decimals = 3);

}  // namespace limpet
