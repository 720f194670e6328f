// Time: two clocks that are never mixed up, and the interface they are read through.
#pragma once

#include <compare>
#include <cstdint>

#include "limpet/status.h"

namespace limpet {

/// A stretch of time, in nanoseconds.
struct Duration {
  int64_t ns = 0;
  constexpr auto operator<=>(const Duration&) const = default;
};
constexpr Duration Nanoseconds(int64_t n) { return {n}; }
constexpr Duration Milliseconds(int64_t n) { return {n * 1'000'000}; }
constexpr Duration Seconds(int64_t n) { return {n * 1'000'000'000}; }
constexpr Duration operator+(Duration a, Duration b) { return {a.ns + b.ns}; }
constexpr Duration operator-(Duration a, Duration b) { return {a.ns - b.ns}; }
constexpr Duration operator*(Duration a, int64_t n) { return {a.ns * n}; }
constexpr Duration operator/(Duration a, int64_t n) { return {a.ns / n}; }
constexpr double ToSeconds(Duration d) { return static_cast<double>(d.ns) / 1e9; }

/// CLOCK_BOOTTIME: since boot, counts suspend, never goes back. Order and schedules stand on it.
struct MonoTime {
  int64_t ns = 0;
  constexpr auto operator<=>(const MonoTime&) const = default;
};
constexpr MonoTime operator+(MonoTime t, Duration d) { return {t.ns + d.ns}; }
constexpr MonoTime operator-(MonoTime t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(MonoTime a, MonoTime b) { return {a.ns - b.ns}; }
inline constexpr MonoTime kNever{INT64_MAX};

/// CLOCK_REALTIME: since 1970-01-01 UTC, may jump either way. Only stamps items.
struct UnixTime {
  int64_t ns = 0;
  constexpr auto operator<=>(const UnixTime&) const = default;
};
constexpr UnixTime operator+(UnixTime t, Duration d) { return {t.ns + d.ns}; }
constexpr UnixTime operator-(UnixTime t, Duration d) { return {t.ns - d.ns}; }
constexpr Duration operator-(UnixTime a, UnixTime b) { return {a.ns - b.ns}; }

/// What the kernel's clock discipline says (adjtimex).
struct ClockDiscipline {
  bool synchronized = false;
  Duration offset;     ///< What is still to be corrected.
  Duration max_error;  ///< The kernel's bound on the error.
};

/// The only source of time: port/ reads the OS, tests/sim turns the hands itself.
class Clock {
 public:
  virtual MonoTime Monotonic() = 0;
  virtual UnixTime Wall() = 0;
  /// kUnsupported: the kernel (or a sandbox) does not tell.
  virtual Result<ClockDiscipline> Discipline() = 0;

 protected:
  ~Clock() = default;
};

}  // namespace limpet
