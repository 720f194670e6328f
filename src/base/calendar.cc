#include "base/calendar.h"

namespace limpet {
namespace {

// Both directions count in cycles of 400 years (146,097 days) of years that begin in March, so that
// the leap day is the last of its year and months follow one formula.
constexpr int64_t kDaysPerCycle = 146097;
constexpr int64_t kEpochInCycles = 719468;  // Days from 0000-03-01 to 1970-01-01.

int64_t FloorDivide(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

void WritePadded(TextWriter& out, uint64_t value, int width) {
  uint64_t limit = 1;
  for (int i = 1; i < width; ++i) limit *= 10;
  for (; limit > 1 && value < limit; limit /= 10) out << '0';
  out << value;
}

}  // namespace

int64_t DaysSinceEpoch(int64_t year, unsigned month, unsigned day) {
  if (month <= 2) --year, month += 12;
  const int64_t cycle = FloorDivide(year, 400);
  const int64_t year_of_cycle = year - cycle * 400;
  const int64_t day_of_year = (153 * (static_cast<int64_t>(month) - 3) + 2) / 5 + day - 1;
  const int64_t day_of_cycle =
      year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
  return cycle * kDaysPerCycle + day_of_cycle - kEpochInCycles;
}

CivilTime ToCivil(UnixTime time) {
  constexpr int64_t kSecond = 1'000'000'000;
  const int64_t seconds = FloorDivide(time.ns, kSecond);
  const int64_t days = FloorDivide(seconds, 86400);
  const int64_t of_day = seconds - days * 86400;

  const int64_t shifted = days + kEpochInCycles;
  const int64_t cycle = FloorDivide(shifted, kDaysPerCycle);
  const int64_t day_of_cycle = shifted - cycle * kDaysPerCycle;
  const int64_t year_of_cycle =
      (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
  const int64_t day_of_year =
      day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
  const int64_t month = (5 * day_of_year + 2) / 153;  // From March.

  CivilTime civil;
  civil.day = static_cast<unsigned>(day_of_year - (153 * month + 2) / 5 + 1);
  civil.month = static_cast<unsigned>(month < 10 ? month + 3 : month - 9);
  civil.year = cycle * 400 + year_of_cycle + (civil.month <= 2 ? 1 : 0);
  civil.hour = static_cast<unsigned>(of_day / 3600);
  civil.minute = static_cast<unsigned>(of_day / 60 % 60);
  civil.second = static_cast<unsigned>(of_day % 60);
  civil.nanosecond = static_cast<uint32_t>(time.ns - seconds * kSecond);
  return civil;
}

void WriteRfc3339(TextWriter& out, UnixTime time, int decimals) {
  const CivilTime civil = ToCivil(time);
  WritePadded(out, static_cast<uint64_t>(civil.year), 4);
  out << '-';
  WritePadded(out, civil.month, 2);
  out << '-';
  WritePadded(out, civil.day, 2);
  out << 'T';
  WritePadded(out, civil.hour, 2);
  out << ':';
  WritePadded(out, civil.minute, 2);
  out << ':';
  WritePadded(out, civil.second, 2);
  if (decimals > 0) {
    uint64_t fraction = civil.nanosecond;
    for (int i = decimals; i < 9; ++i) fraction /= 10;
    out << '.';
    WritePadded(out, fraction, decimals);
  }
  out << 'Z';
}

}  // namespace limpet
