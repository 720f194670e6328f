#include "collect/memory_group.h"

#include <algorithm>
#include <string_view>

namespace limpet {
namespace {

constexpr Metric kMemoryUsage{"system.memory.usage", "By", Instrument::kUpDownCounter};
constexpr Metric kMemoryUtilization{"system.memory.utilization", "1", Instrument::kGauge};
constexpr Metric kMemoryAvailable{"system.memory.linux.available", "By",
                                  Instrument::kUpDownCounter};
constexpr Metric kMemoryShared{"system.memory.linux.shared", "By", Instrument::kUpDownCounter};
constexpr Metric kSlabUsage{"system.memory.linux.slab.usage", "By", Instrument::kUpDownCounter};
constexpr Metric kHugeLimit{"system.memory.linux.hugepages.limit", "{page}",
                            Instrument::kUpDownCounter};
constexpr Metric kHugeSize{"system.memory.linux.hugepages.page_size", "By",
                           Instrument::kUpDownCounter};
constexpr Metric kHugeReserved{"system.memory.linux.hugepages.reserved", "{page}",
                               Instrument::kUpDownCounter};
constexpr Metric kHugeSurplus{"system.memory.linux.hugepages.surplus", "{page}",
                              Instrument::kUpDownCounter};
constexpr Metric kHugeUsage{"system.memory.linux.hugepages.usage", "{page}",
                            Instrument::kUpDownCounter};
constexpr Metric kHugeUtilization{"system.memory.linux.hugepages.utilization", "1",
                                  Instrument::kGauge};

}  // namespace

Status MemoryGroup::Collect(const GroupContext& context, Points& out) {
  const Result<std::string_view> text = meminfo_.ReadWhole(context.root, {"/proc/meminfo"}, context.buffer);
  if (!text.ok()) return text.status();
  const Result<MemInfo> parsed = ParseMemInfo(text.value());
  if (!parsed.ok()) return parsed.status();
  const MemInfo& info = parsed.value();

  struct State {
    std::string_view name;
    uint64_t bytes;
  };
  const MemStates split = SplitMemory(info);
  const bool collector = context.options.names == HostNames::kCollector;
  const State all[] = {{"used", collector ? NotAvailable(info) : split.used},
                       {"free", split.free},
                       {"buffers", split.buffers},
                       {"cached", split.cached},
                       {"slab_reclaimable", info[MemField::kSReclaimable]},
                       {"slab_unreclaimable", info[MemField::kSUnreclaim]}};
  const auto states = std::span(all).first(collector ? 6 : 4);
  constexpr std::string_view kState = "system.memory.state";
  out.Begin(kMemoryUsage);
  for (const State& state : states) out.Int({kState, state.name}, state.bytes);
  const auto total = static_cast<double>(info[MemField::kTotal]);
  out.Begin(kMemoryUtilization);
  for (const State& state : states) {
    out.Double({kState, state.name}, static_cast<double>(state.bytes) / total);
  }

  using enum MemField;
  if (info.Has(kAvailable)) out.Single(kMemoryAvailable, info[kAvailable]);
  if (info.Has(kShmem)) out.Single(kMemoryShared, info[kShmem]);
  if (info.Has(kSReclaimable) && info.Has(kSUnreclaim)) {
    constexpr std::string_view kSlabState = "system.memory.linux.slab.state";
    out.Begin(kSlabUsage);
    out.Int({kSlabState, "reclaimable"}, info[kSReclaimable]);
    out.Int({kSlabState, "unreclaimable"}, info[kSUnreclaim]);
  }
  if (info[kHugePagesTotal] != 0) EmitHugePages(info, out);
  return {};
}

void MemoryGroup::EmitHugePages(const MemInfo& info, Points& out) {
  using enum MemField;
  const uint64_t total = info[kHugePagesTotal];
  const uint64_t free = std::min(info[kHugePagesFree], total);
  out.Single(kHugeLimit, total);
  out.Single(kHugeSize, info[kHugePageSize]);
  out.Single(kHugeReserved, info[kHugePagesReserved]);
  out.Single(kHugeSurplus, info[kHugePagesSurplus]);
  constexpr std::string_view kState = "system.memory.linux.hugepages.state";
  out.Begin(kHugeUsage);
  out.Int({kState, "free"}, free);
  out.Int({kState, "used"}, total - free);
  out.Begin(kHugeUtilization);
  out.Double({kState, "free"}, static_cast<double>(free) / static_cast<double>(total));
  out.Double({kState, "used"}, static_cast<double>(total - free) / static_cast<double>(total));
}

}  // namespace limpet
