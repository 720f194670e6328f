#include "collect/load_group.h"

#include "collect/loadavg.h"

namespace limpet {
namespace {

constexpr Metric kLoad1{"system.cpu.load_average.1m", "{thread}", Instrument::kGauge};
constexpr Metric kLoad5{"system.cpu.load_average.5m", "{thread}", Instrument::kGauge};
constexpr Metric kLoad15{"system.cpu.load_average.15m", "{thread}", Instrument::kGauge};

}  // namespace

Status LoadGroup::Collect(const GroupContext& context, Points& out) {
  const Result<std::string_view> text = loadavg_.ReadWhole(context.root, {"/proc/loadavg"}, context.buffer);
  if (!text.ok()) return text.status();
  const Result<LoadAverage> load = ParseLoadAverage(text.value());
  if (!load.ok()) return load.status();
  out.Single(kLoad1, load.value().one);
  out.Single(kLoad5, load.value().five);
  out.Single(kLoad15, load.value().fifteen);
  return {};
}

}  // namespace limpet
