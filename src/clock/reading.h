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

/// A clock of which the kernel is asked once for all who want its word on the discipline in a cycle.
class CycleClock final : public Clock {
 public:
  explicit CycleClock(Clock& clock) : clock_(clock) {}
  MonoTime Monotonic() override { return clock_.Monotonic(); }
  UnixTime Wall() override { return clock_.Wall(); }
  /// As it was when last asked.
  Result<ClockDiscipline> Discipline() override { return discipline_; }
  const Result<ClockDiscipline>& Ask() { return discipline_ = clock_.Discipline(); }

 private:
  Clock& clock_;
  Result<ClockDiscipline> discipline_ = Status{Code::kUnsupported, 0, "adjtimex"};
};

}  // namespace limpet
