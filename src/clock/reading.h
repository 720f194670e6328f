// Both clocks at one moment.
#pragma once

#include "limpet/time.h"

namespace limpet {

struct ClockReading {
  MonoTime mono;
  UnixTime wall;
};

/// Reads wall time between two readings of boot time. Being stopped in between would look like a
/// step of the wall clock, so a reading that took longer than `kReadingMax` is done again, a few
/// times at most; the quickest one counts.
inline constexpr Duration kReadingMax = Milliseconds(1);
ClockReading ReadClocks(Clock& clock);

}  // namespace limpet
