#include "collect/paging_group.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr Metric kUsage{"system.paging.usage", "By", Instrument::kUpDownCounter};
constexpr Metric kUtilization{"system.paging.utilization", "1", Instrument::kGauge};
constexpr Metric kFaults{"system.paging.faults", "{fault}", Instrument::kCounter};
constexpr Metric kOperations{"system.paging.operations", "{operation}", Instrument::kCounter};

constexpr std::string_view kState = "system.paging.state";
constexpr std::string_view kDevice = "system.device";
constexpr std::string_view kType = "system.paging.fault.type";
constexpr std::string_view kDirection = "system.paging.direction";

}  // namespace

Status PagingGroup::Collect(const GroupContext& context, Points& out) {
  // A kernel may be without event counters, or without swapping.
  const Result<std::string_view> events =
      vmstat_.ReadWhole(context.root, {"/proc/vmstat"}, context.buffer);
  if (!events.ok() && events.status().code != Code::kNotFound) return events.status();
  VmStat stat;
  if (events.ok()) {
    const Result<VmStat> parsed = ParseVmStat(events.value());
    if (!parsed.ok()) return parsed.status();
    stat = parsed.value();
  }

  Swaps found;
  const Result<std::string_view> text =
      swaps_.ReadWhole(context.root, {"/proc/swaps"}, context.buffer);
  if (!text.ok() && text.status().code != Code::kNotFound) return text.status();
  if (!text.ok() && !events.ok()) return {Code::kUnsupported, events.status().detail, "/proc/vmstat"};
  if (text.ok()) {
    const Result<Swaps> parsed = ParseSwaps(text.value(), table_);
    if (!parsed.ok()) return parsed.status();
    found = parsed.value();
  }
  if (found.left_out != 0 && !said_swaps_) {
    said_swaps_ = true;
    context.log.Warn("swap spaces are left out: too many, or a name that is not UTF-8",
                     {{"left_out", found.left_out}, {"at_most", kSwapsMax}});
  }
  EmitSwaps(std::span(table_).first(found.count), out);
  EmitEvents(stat, out);
  return {};
}

void PagingGroup::EmitSwaps(std::span<const Swap> swaps, Points& out) {
  out.Begin(kUsage);
  for (const Swap& swap : swaps) {
    out.Int({kState, "used"}, {kDevice, swap.name}, swap.used_bytes);
    out.Int({kState, "free"}, {kDevice, swap.name}, swap.size_bytes - swap.used_bytes);
  }
  out.Begin(kUtilization);
  for (const Swap& swap : swaps) {
    if (swap.size_bytes == 0) continue;
    const auto size = static_cast<double>(swap.size_bytes);
    const auto used = static_cast<double>(swap.used_bytes);
    out.Double({kState, "used"}, {kDevice, swap.name}, used / size);
    out.Double({kState, "free"}, {kDevice, swap.name}, (size - used) / size);
  }
}

void PagingGroup::EmitEvents(const VmStat& stat, Points& out) {
  out.Begin(kFaults);
  if (stat.pgfault && stat.pgmajfault) {
    out.Int({kType, "major"}, *stat.pgmajfault);
    // 32-bit kernels wrap pgfault long before pgmajfault.
    out.Int({kType, "minor"}, *stat.pgfault - std::min(*stat.pgfault, *stat.pgmajfault));
  }
  out.Begin(kOperations);
  if (stat.pswpin && stat.pswpout) {
    out.Int({kType, "major"}, {kDirection, "in"}, *stat.pswpin);
    out.Int({kType, "major"}, {kDirection, "out"}, *stat.pswpout);
  }
  if (stat.pgpgin && stat.pgpgout) {
    out.Int({kType, "minor"}, {kDirection, "in"}, *stat.pgpgin);
    out.Int({kType, "minor"}, {kDirection, "out"}, *stat.pgpgout);
  }
}

void PagingGroup::Close(Files& files) {
  vmstat_.Close(files);
  swaps_.Close(files);
}

}  // namespace limpet
