#include "collect/disk_group.h"

#include "base/text.h"

namespace limpet {
namespace {

constexpr Metric kIo{"system.disk.io", "By", Instrument::kCounter};
constexpr Metric kOperations{"system.disk.operations", "{operation}", Instrument::kCounter};
constexpr Metric kMerged{"system.disk.merged", "{operation}", Instrument::kCounter};
constexpr Metric kOperationTime{"system.disk.operation_time", "s", Instrument::kCounter};
constexpr Metric kIoTime{"system.disk.io_time", "s", Instrument::kCounter};
constexpr Metric kWeightedIoTime{"system.disk.weighted_io_time", "s", Instrument::kCounter};
constexpr Metric kPending{"system.disk.pending_operations", "{operation}",
                          Instrument::kUpDownCounter};
constexpr Metric kLimit{"system.disk.limit", "By", Instrument::kUpDownCounter};

constexpr std::string_view kDevice = "system.device";
constexpr std::string_view kDirection = "disk.io.direction";

double Seconds(uint64_t milliseconds) { return static_cast<double>(milliseconds) / 1000; }

void EmitBothWays(const Metric& metric, std::span<const Disk> disks, uint64_t DiskTraffic::* value,
                  Points& out) {
  out.Begin(metric);
  for (const Disk& disk : disks) {
    out.Int({kDevice, disk.name}, {kDirection, "read"}, disk.read.*value);
    out.Int({kDevice, disk.name}, {kDirection, "write"}, disk.write.*value);
  }
}

void EmitTime(const Metric& metric, std::span<const Disk> disks, uint64_t Disk::* ms, Points& out) {
  out.Begin(metric);
  for (const Disk& disk : disks) out.Double({kDevice, disk.name}, Seconds(disk.*ms));
}

}  // namespace

Status DiskGroup::Collect(const GroupContext& context, Points& out) {
  bool cut = false;
  const Result<std::string_view> text =
      diskstats_.ReadWhole(context.root, {"/proc/diskstats"}, context.buffer, &cut);
  // A kernel without block devices, of a router whose flash is MTD.
  if (text.status().code == Code::kNotFound) return {Code::kUnsupported, text.status().detail, "/proc/diskstats"};
  if (!text.ok()) return text.status();
  const Result<DiskStats> parsed = ParseDiskStats(text.value(), context.options.exclude_devices, disks_);
  if (!parsed.ok()) return parsed.status();
  if ((cut || parsed.value().left_out != 0) && !said_disks_) {
    said_disks_ = true;
    context.log.Warn("block devices are left out: too many, or a name or counters that are none",
                     {{"left_out", parsed.value().left_out},
                      {"at_most", kDisksMax},
                      {"longer_than", cut ? context.buffer.size() : 0}});
  }
  const std::span<const Disk> disks = std::span(disks_).first(parsed.value().count);
  NoteSizes(context, disks);

  EmitBothWays(kIo, disks, &DiskTraffic::bytes, out);
  EmitBothWays(kOperations, disks, &DiskTraffic::operations, out);
  EmitBothWays(kMerged, disks, &DiskTraffic::merged, out);
  out.Begin(kOperationTime);
  for (const Disk& disk : disks) {
    out.Double({kDevice, disk.name}, {kDirection, "read"}, Seconds(disk.read.time_ms));
    out.Double({kDevice, disk.name}, {kDirection, "write"}, Seconds(disk.write.time_ms));
  }
  EmitTime(kIoTime, disks, &Disk::busy_ms, out);
  EmitTime(kWeightedIoTime, disks, &Disk::weighted_busy_ms, out);
  out.Begin(kPending);
  for (const Disk& disk : disks) out.Int({kDevice, disk.name}, disk.pending);
  out.Begin(kLimit);
  for (size_t i = 0; i < disks.size(); ++i) {
    if (sizes_[i].bytes != 0) out.Int({kDevice, disks[i].name}, sizes_[i].bytes);
  }
  return {};
}

/// Reads the sizes of devices that are new in their place of the table, and every kSizeTurn one other in
/// turn: a medium is changed, a volume grows.
void DiskGroup::NoteSizes(const GroupContext& context, std::span<const Disk> disks) {
  const MonoTime now = context.clock.Monotonic();
  const bool turn = now >= size_at_;
  if (turn) {
    size_at_ = now + kSizeTurn;
    size_turn_ = size_turn_ + 1 < disks.size() ? size_turn_ + 1 : 0;
  }
  // Nothing is left of those that have gone: another may come to their place under their number.
  for (size_t i = disks.size(); i < sizes_known_; ++i) sizes_[i] = {};
  sizes_known_ = disks.size();
  for (size_t i = 0; i < disks.size(); ++i) {
    if (sizes_[i].number == disks[i].number && !(turn && i == size_turn_)) continue;
    sizes_[i] = {disks[i].number, ReadSize(context.root, disks[i].name)};
  }
}

/// 0 when it is not known.
uint64_t DiskGroup::ReadSize(RootFiles& root, std::string_view name) {
  TextBuffer<96> path;
  path << "/sys/class/block/";  // Partitions too, unlike /sys/block.
  for (const char c : name) path << (c == '/' ? '!' : c);  // cciss/c0d0 is the folder cciss!c0d0.
  path << "/size";
  if (path.overflowed()) return 0;
  char text[32];
  const Result<std::string_view> read = root.ReadValue(path.text(), text);
  if (!read.ok()) return 0;
  const Result<uint64_t> bytes = ParseDiskSize(read.value());
  return bytes.ok() ? bytes.value() : 0;
}

}  // namespace limpet
