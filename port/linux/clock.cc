#include "port/linux/clock.h"

#include <cerrno>
#include <ctime>

#include <sys/timex.h>

namespace limpet {
namespace {

int64_t Read(clockid_t id) {
  timespec now{};
  LIMPET_CHECK(clock_gettime(id, &now) == 0);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

}  // namespace

MonoTime LinuxClock::Monotonic() { return {Read(CLOCK_BOOTTIME)}; }
UnixTime LinuxClock::Wall() { return {Read(CLOCK_REALTIME)}; }

Result<ClockDiscipline> LinuxClock::Discipline() {
  timex state{};
  state.modes = 0;  // Only read.
  if (adjtimex(&state) < 0) return {Code::kUnsupported, errno, "adjtimex"};
  ClockDiscipline discipline;
  discipline.synchronized = (state.status & STA_UNSYNC) == 0;
  const int64_t unit = (state.status & STA_NANO) != 0 ? 1 : 1000;
  discipline.offset = Nanoseconds(static_cast<int64_t>(state.offset) * unit);
  discipline.max_error = Nanoseconds(static_cast<int64_t>(state.maxerror) * 1000);
  return discipline;
}

}  // namespace limpet
