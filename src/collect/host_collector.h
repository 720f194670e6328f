// One cycle of host metrics: reads the kernel's files of each enabled group and emits points under
// the names of the semantic conventions 1.44 (semconv.md sections 1 and 10).
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "collect/disk_group.h"
#include "collect/meminfo.h"
#include "collect/net_dev.h"
#include "collect/paging_group.h"
#include "collect/points.h"
#include "collect/pressure_group.h"
#include "collect/proc_stat.h"
#include "collect/root_files.h"
#include "config/config.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "otlp/metric_sink.h"

namespace limpet {

/// "cpu", "load", …: what `[host] metrics` calls the group.
std::string_view HostGroupName(HostGroup group);

struct HostCollectorOptions {
  uint32_t groups = 0;                       ///< Bit(HostGroup) or'ed.
  std::string_view root = "/";               ///< `[host] root`.
  std::string_view exclude_devices = {};     ///< Comma separated patterns of block devices.
  std::string_view exclude_interfaces = {};  ///< The same of network interfaces.
  uint32_t user_hz = 100;                    ///< sysconf(_SC_CLK_TCK), > 0.
};

struct CollectResult {
  uint32_t points = 0;
  uint32_t failed = 0;  ///< Bit(HostGroup) of those that could not be read in this cycle.
};

/// Files are kept open and read again from their beginning. About 40 KiB large, most of it the
/// tables of interfaces and disks, whose untouched parts cost no resident memory.
class HostCollector {
 public:
  /// Frequency files that are kept open, one for each CPU; CPUs beyond are left out.
  static constexpr size_t kFrequencyCpus = 256;

  /// The texts of the options must outlive this. buffer: one file at a time, kProcFileBytes.
  HostCollector(const HostCollectorOptions& options, Files& files, Clock& clock, Log& log,
                std::span<char> buffer);
  ~HostCollector();
  HostCollector(const HostCollector&) = delete;
  HostCollector& operator=(const HostCollector&) = delete;

  /// Emits the points of one cycle. A group that cannot be read emits nothing, never stops the
  /// others, and is logged once on entering and once on leaving that state. One that this kernel
  /// does not have (kUnsupported) is logged once and has not failed.
  CollectResult Collect(MetricSink& sink);

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

  static constexpr size_t kModes = 7;
  static constexpr int kNotOpen = -1;
  static constexpr int kAbsent = -2;

  Status CollectGroup(HostGroup group, Points& out);
  Status CollectCpu(Points& out);
  Status CollectLoad(Points& out);
  Status CollectMemory(Points& out);
  Status CollectNetwork(Points& out);
  Status CollectSystem(Points& out);
  Status CollectClock(Points& out);
  void Report(HostGroup group, const Status& status);

  void EmitCpuTime(const CpuTicks& ticks, Points& out);
  void EmitFrequencies(Points& out);
  static void EmitHugePages(const MemInfo& info, Points& out);
  void NoteOnlineCpus(const ProcStat& stat);
  uint32_t CountCores();
  bool ReadFrequency(size_t cpu, uint64_t& hz);

  const HostCollectorOptions options_;
  RootFiles root_;
  Clock& clock_;
  Log& log_;
  const std::span<char> buffer_;

  KeptFile stat_, loadavg_, meminfo_, net_dev_;
  std::array<Health, kHostGroupCount> health_{};

  std::array<uint64_t, kModes> mode_ticks_{};  // As last emitted.
  std::bitset<kCpusMax> online_;
  uint32_t cores_ = 0;  // Of online_; 0 = unknown.
  std::array<int, kFrequencyCpus> frequency_file_;
  size_t frequency_retry_ = 0;

  std::array<Interface, kInterfacesMax> interfaces_{};
  PagingGroup paging_;
  DiskGroup disk_;
  PressureGroup pressure_;
  bool said_cpus_ = false, said_interfaces_ = false;
};

}  // namespace limpet
