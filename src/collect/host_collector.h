// One cycle of host metrics: reads the kernel's files of each enabled group and emits points under
// the names of the semantic conventions 1.44 (semconv.md sections 1 and 10), or the Collector's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "collect/clock_group.h"
#include "collect/connections_group.h"
#include "collect/cpu_group.h"
#include "collect/disk_group.h"
#include "collect/filesystem_group.h"
#include "collect/flash_group.h"
#include "collect/group.h"
#include "collect/hwmon_group.h"
#include "collect/load_group.h"
#include "collect/memory_group.h"
#include "collect/network_group.h"
#include "collect/paging_group.h"
#include "collect/power_group.h"
#include "collect/pressure_group.h"
#include "collect/process_group.h"
#include "collect/process_walk.h"
#include "collect/processes_group.h"
#include "collect/root_files.h"
#include "collect/textfile_group.h"
#include "collect/thermal_group.h"
#include "otlp/metric_sink.h"

namespace limpet {

/// "cpu", "load", …: what `[host] metrics` calls the group.
std::string_view HostGroupName(HostGroup group);

struct CollectResult {
  uint32_t points = 0;  ///< That the groups emitted.
  uint32_t failed = 0;  ///< Bit(HostGroup) of those that could not be read in this cycle.
};

/// Files are kept open and read again from their beginning. Most of its size is the tables of
/// interfaces, disks, mounts, sensors and textfiles, whose untouched parts cost no resident memory.
class HostCollector {
 public:
  /// The texts of the options must outlive this. buffer: one file at a time, kProcFileBytes.
  HostCollector(const HostOptions& options, Files& files, Clock& clock, Log& log,
                std::span<char> buffer, const FilesystemProbe& filesystems = {});
  ~HostCollector();
  HostCollector(const HostCollector&) = delete;
  HostCollector& operator=(const HostCollector&) = delete;

  /// Begins what is measured in other threads for the next cycle. The loop then goes on until Ready, and
  /// a moment at most.
  void Begin();
  bool Ready() { return filesystem_.Ready(); }

  /// Emits the points of one cycle. A group that cannot be read emits nothing, never stops the
  /// others, and is logged once on entering and once on leaving that state. One that this kernel
  /// does not have (kUnsupported) is logged once and has not failed.
  /// boot: when this boot began; the same in every cycle. mono, wall: of the cycle, of now without them.
  CollectResult Collect(MetricSink& sink, UnixTime boot, MonoTime mono, UnixTime wall);
  CollectResult Collect(MetricSink& sink, UnixTime boot = {}) {
    return Collect(sink, boot, clock_.Monotonic(), clock_.Wall());
  }

  /// What keeps the group from being read; ok when nothing does.
  const Status& problem(HostGroup group) const {
    return health_[static_cast<size_t>(group)].problem;
  }
  /// The same of all groups that fail, for people: "memory: /proc/meminfo: not found; …".
  /// Empty: none.
  void DescribeProblems(TextWriter& out) const;

 private:
  struct Health {
    Status problem;
    uint64_t cycles = 0;  // How long it lasts.
  };

  void Report(HostGroup group, const Status& status);
  GroupContext Context(UnixTime boot, MonoTime mono, UnixTime wall) {
    return {options_, root_, clock_, log_, boot, mono, wall, buffer_};
  }

  const HostOptions options_;
  RootFiles root_;
  Clock& clock_;
  Log& log_;
  const std::span<char> buffer_;

  CpuGroup cpu_;
  LoadGroup load_;
  MemoryGroup memory_;
  PagingGroup paging_;
  DiskGroup disk_;
  FilesystemGroup filesystem_;
  NetworkGroup network_;
  ConnectionsGroup connections_;
  ProcessWalk walk_;
  ProcessesGroup processes_{walk_};
  SystemGroup system_;
  PressureGroup pressure_;
  ThermalGroup thermal_;
  HwmonGroup hwmon_;
  PowerGroup power_;
  FlashGroup flash_;
  ClockGroup discipline_;
  ProcessGroup process_{walk_};
  TextfileGroup textfile_;
  /// By HostGroup.
  const std::array<Group*, kHostGroupCount> groups_ = {
      &cpu_,     &load_,        &memory_,    &paging_, &disk_,     &filesystem_,
      &network_, &connections_, &processes_, &system_, &pressure_, &thermal_,
      &hwmon_,   &power_,       &flash_,     &discipline_, &process_, &textfile_};
  std::array<Health, kHostGroupCount> health_{};
};

}  // namespace limpet
