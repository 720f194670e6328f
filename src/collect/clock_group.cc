#include "collect/clock_group.h"

namespace limpet {
namespace {

constexpr Metric kUptime{"system.uptime", "s", Instrument::kGauge};
constexpr Metric kClockSynchronized{"system.linux.clock.synchronized", "1", Instrument::kGauge};
constexpr Metric kClockOffset{"system.linux.clock.offset", "s", Instrument::kGauge};
constexpr Metric kClockMaxError{"system.linux.clock.max_error", "s", Instrument::kGauge};

}  // namespace

Status SystemGroup::Collect(const GroupContext& context, Points& out) {
  out.Single(kUptime, ToSeconds({context.clock.Monotonic().ns}));
  return {};
}

Status ClockGroup::Collect(const GroupContext& context, Points& out) {
  const Result<ClockDiscipline> read = context.clock.Discipline();
  if (!read.ok()) return read.status();
  const ClockDiscipline& clock = read.value();
  out.Single(kClockSynchronized, uint64_t{clock.synchronized});
  out.Single(kClockOffset, ToSeconds(clock.offset));
  out.Single(kClockMaxError, ToSeconds(clock.max_error));
  return {};
}

}  // namespace limpet
