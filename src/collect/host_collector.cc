#include "collect/host_collector.h"

#include <algorithm>

#include "collect/cpu_sysfs.h"
#include "collect/loadavg.h"

namespace limpet {
namespace {

/// What a kernel does not have is no problem that anybody could solve.
bool Fails(const Status& status) { return !status.ok() && status.code != Code::kUnsupported; }

constexpr Metric kCpuTime{"system.cpu.time", "s", Instrument::kCounter};
constexpr Metric kCpuLogical{"system.cpu.logical.count", "{cpu}", Instrument::kUpDownCounter};
constexpr Metric kCpuPhysical{"system.cpu.physical.count", "{cpu}", Instrument::kUpDownCounter};
constexpr Metric kCpuFrequency{"system.cpu.frequency", "Hz", Instrument::kGauge};

constexpr Metric kLoad1{"system.cpu.load_average.1m", "{thread}", Instrument::kGauge};
constexpr Metric kLoad5{"system.cpu.load_average.5m", "{thread}", Instrument::kGauge};
constexpr Metric kLoad15{"system.cpu.load_average.15m", "{thread}", Instrument::kGauge};

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

constexpr Metric kNetworkIo{"system.network.io", "By", Instrument::kCounter};
constexpr Metric kNetworkPackets{"system.network.packet.count", "{packet}", Instrument::kCounter};
constexpr Metric kNetworkDropped{"system.network.packet.dropped", "{packet}",
                                 Instrument::kCounter};
constexpr Metric kNetworkErrors{"system.network.errors", "{error}", Instrument::kCounter};

constexpr Metric kUptime{"system.uptime", "s", Instrument::kGauge};

constexpr Metric kClockSynchronized{"system.linux.clock.synchronized", "1", Instrument::kGauge};
constexpr Metric kClockOffset{"system.linux.clock.offset", "s", Instrument::kGauge};
constexpr Metric kClockMaxError{"system.linux.clock.max_error", "s", Instrument::kGauge};

}  // namespace

std::string_view HostGroupName(HostGroup group) {
  static constexpr std::array<std::string_view, kHostGroupCount> kNames = {
      "cpu", "load", "memory", "paging", "disk", "network", "system",
      "pressure", "clock"};
  return kNames[static_cast<size_t>(group)];
}

HostCollector::HostCollector(const HostCollectorOptions& options, Files& files, Clock& clock,
                             Log& log, std::span<char> buffer)
    : options_(options),
      root_(files, options.root),
      clock_(clock),
      log_(log),
      buffer_(buffer),
      disk_(options.exclude_devices) {
  LIMPET_CHECK(options.user_hz > 0);
  frequency_file_.fill(kNotOpen);
}

HostCollector::~HostCollector() {
  for (KeptFile* file : {&stat_, &loadavg_, &meminfo_, &net_dev_}) file->Close(root_.files());
  for (const int file : frequency_file_) {
    if (file >= 0) root_.files().Close(file);
  }
  paging_.Close(root_.files());
  disk_.Close(root_.files());
  pressure_.Close(root_.files());
}

CollectResult HostCollector::Collect(MetricSink& sink) {
  CollectResult result;
  Points out(sink);
  for (size_t i = 0; i < kHostGroupCount; ++i) {
    const auto group = static_cast<HostGroup>(i);
    if ((options_.groups & Bit(group)) == 0) continue;
    const Status status = CollectGroup(group, out);
    if (Fails(status)) result.failed |= Bit(group);
    Report(group, status);
  }
  result.points = out.count();
  return result;
}

Status HostCollector::CollectGroup(HostGroup group, Points& out) {
  const GroupContext context{root_, log_, buffer_};
  switch (group) {
    case HostGroup::kCpu: return CollectCpu(out);
    case HostGroup::kLoad: return CollectLoad(out);
    case HostGroup::kMemory: return CollectMemory(out);
    case HostGroup::kPaging: return paging_.Collect(context, out);
    case HostGroup::kDisk: return disk_.Collect(context, out);
    case HostGroup::kNetwork: return CollectNetwork(out);
    case HostGroup::kSystem: return CollectSystem(out);
    case HostGroup::kPressure: return pressure_.Collect(context, out);
    case HostGroup::kClock: return CollectClock(out);
  }
  return {};
}

void HostCollector::Report(HostGroup group, const Status& status) {
  Health& health = health_[static_cast<size_t>(group)];
  if (Fails(status) && !Fails(health.problem)) {
    log_.Warn("a group of host metrics cannot be read", {{"group", HostGroupName(group)},
                                                         {"where", status.where},
                                                         {"error", CodeName(status.code)},
                                                         {"number", status.detail}});
  }
  if (status.code == Code::kUnsupported && health.problem.code != Code::kUnsupported) {
    log_.Info("a group of host metrics is not available on this kernel",
              {{"group", HostGroupName(group)}, {"where", status.where}});
  }
  if (status.ok() && !health.problem.ok()) {
    log_.Info("a group of host metrics can be read again",
              {{"group", HostGroupName(group)}, {"cycles_missed", health.cycles}});
  }
  health.problem = status;
  health.cycles = status.ok() ? 0 : health.cycles + 1;
}

void HostCollector::DescribeProblems(TextWriter& out) const {
  for (size_t i = 0; i < kHostGroupCount; ++i) {
    const Status& problem = health_[i].problem;
    if (!Fails(problem)) continue;
    if (out.size() != 0) out << "; ";
    out << HostGroupName(static_cast<HostGroup>(i)) << ": " << problem.where << ": "
        << CodeName(problem.code);
  }
}

Status HostCollector::CollectCpu(Points& out) {
  const Result<std::string_view> text = stat_.ReadWhole(root_, {"/proc/stat"}, buffer_);
  if (!text.ok()) return text.status();
  const Result<ProcStat> parsed = ParseProcStat(text.value());
  if (!parsed.ok()) return parsed.status();
  const ProcStat& stat = parsed.value();
  if (stat.online != online_) NoteOnlineCpus(stat);

  EmitCpuTime(stat.all, out);
  out.Single(kCpuLogical, uint64_t{stat.cpus});
  if (cores_ != 0) out.Single(kCpuPhysical, uint64_t{cores_});
  EmitFrequencies(out);
  return {};
}

void HostCollector::EmitCpuTime(const CpuTicks& ticks, Points& out) {
  using enum CpuColumn;
  // Every tick is in exactly one mode, so that the modes add up to the time of all CPUs. Guest time
  // is not taken out of user and nice: the kernel counts it there, the conventions have no mode for
  // it, and the Collector does the same. They have one mode for both kinds of interrupts.
  struct Mode {
    std::string_view name;
    uint64_t ticks;
  };
  const Mode modes[kModes] = {
      {"user", ticks[kUser]},
      {"system", ticks[kSystem]},
      {"nice", ticks[kNice]},
      {"idle", ticks[kIdle]},
      {"iowait", ticks[kIowait]},
      {"interrupt", ticks[kIrq] + ticks[kSoftirq]},
      {"steal", ticks[kSteal]},
  };
  out.Begin(kCpuTime);
  for (size_t i = 0; i < kModes; ++i) {
    // iowait and idle may go back a little (proc_stat(5)); backends would take that for a restart
    // of the counter and count everything since boot once more.
    mode_ticks_[i] = std::max(mode_ticks_[i], modes[i].ticks);
    out.Double({"cpu.mode", modes[i].name}, static_cast<double>(mode_ticks_[i]) / options_.user_hz);
  }
}

/// At start and when CPUs come or go.
void HostCollector::NoteOnlineCpus(const ProcStat& stat) {
  online_ = stat.online;
  for (int& file : frequency_file_) {
    if (file == kAbsent) file = kNotOpen;
  }
  const bool all_known = stat.cpus == online_.count();
  cores_ = all_known ? CountCores() : 0;
  if ((!all_known || (online_ >> kFrequencyCpus).any()) && !said_cpus_) {
    said_cpus_ = true;
    log_.Warn("too many CPUs to report the frequency of each",
              {{"cpus", stat.cpus}, {"reported", kFrequencyCpus}});
  }
}

/// Cores with a CPU online; 0 when the kernel does not tell of one of them.
uint32_t HostCollector::CountCores() {
  uint32_t cores = 0;
  char siblings[64];  // Of a longer list the beginning is enough.
  for (size_t cpu = 0; cpu < online_.size(); ++cpu) {
    if (!online_[cpu]) continue;
    TextBuffer<96> path;
    path << "/sys/devices/system/cpu/cpu" << cpu << "/topology/thread_siblings_list";
    const Result<std::string_view> list = root_.ReadValue(path.text(), siblings);
    if (!list.ok()) return 0;
    const Result<uint32_t> first = ParseFirstCpu(list.value());
    if (!first.ok()) return 0;
    if (first.value() == cpu) ++cores;
  }
  return cores;
}

void HostCollector::EmitFrequencies(Points& out) {
  // Most virtual machines have none, and a driver may be loaded late: a CPU without the file is
  // asked again once in kFrequencyCpus cycles, so that absence costs one failed open at most.
  frequency_retry_ = (frequency_retry_ + 1) % kFrequencyCpus;
  if (frequency_file_[frequency_retry_] == kAbsent) frequency_file_[frequency_retry_] = kNotOpen;

  out.Begin(kCpuFrequency);
  for (size_t cpu = 0; cpu < kFrequencyCpus; ++cpu) {
    uint64_t hz = 0;
    if (online_[cpu] && ReadFrequency(cpu, hz)) out.Int({"cpu.logical_number", cpu}, hz);
  }
}

bool HostCollector::ReadFrequency(size_t cpu, uint64_t& hz) {
  int& file = frequency_file_[cpu];
  if (file == kAbsent) return false;
  if (file == kNotOpen) {
    TextBuffer<96> path;
    path << "/sys/devices/system/cpu/cpu" << cpu << "/cpufreq/scaling_cur_freq";
    const Result<int> opened = root_.Open(path.text());
    file = opened.ok() ? opened.value() : kAbsent;
    if (!opened.ok()) return false;
  }
  char text[32];
  const Result<size_t> size = root_.files().ReadAt(file, 0, text);
  if (!size.ok()) {
    root_.files().Close(file);
    file = kNotOpen;
    return false;
  }
  const Result<uint64_t> parsed = ParseFrequency({text, size.value()});
  if (parsed.ok()) hz = parsed.value();
  return parsed.ok();
}

Status HostCollector::CollectLoad(Points& out) {
  const Result<std::string_view> text = loadavg_.ReadWhole(root_, {"/proc/loadavg"}, buffer_);
  if (!text.ok()) return text.status();
  const Result<LoadAverage> load = ParseLoadAverage(text.value());
  if (!load.ok()) return load.status();
  out.Single(kLoad1, load.value().one);
  out.Single(kLoad5, load.value().five);
  out.Single(kLoad15, load.value().fifteen);
  return {};
}

Status HostCollector::CollectMemory(Points& out) {
  const Result<std::string_view> text = meminfo_.ReadWhole(root_, {"/proc/meminfo"}, buffer_);
  if (!text.ok()) return text.status();
  const Result<MemInfo> parsed = ParseMemInfo(text.value());
  if (!parsed.ok()) return parsed.status();
  const MemInfo& info = parsed.value();

  struct State {
    std::string_view name;
    uint64_t bytes;
  };
  const MemStates split = SplitMemory(info);
  const State states[] = {{"used", split.used},
                          {"free", split.free},
                          {"buffers", split.buffers},
                          {"cached", split.cached}};
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

void HostCollector::EmitHugePages(const MemInfo& info, Points& out) {
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

Status HostCollector::CollectNetwork(Points& out) {
  // /proc/net leads to the reader's own network namespace: below another root it is that of the
  // host's first process that is wanted.
  const Result<std::string_view> text =
      root_.is_own()
          ? net_dev_.ReadWhole(root_, {"/proc/net/dev"}, buffer_)
          : net_dev_.ReadWhole(root_, {"/proc/1/net/dev", "/proc/net/dev"}, buffer_);
  if (!text.ok()) return text.status();
  const Result<NetDev> parsed = ParseNetDev(text.value(), options_.exclude_interfaces, interfaces_);
  if (!parsed.ok()) return parsed.status();
  if (parsed.value().left_out != 0 && !said_interfaces_) {
    said_interfaces_ = true;
    log_.Warn("network interfaces are left out: too many, or a name that is not UTF-8",
              {{"left_out", parsed.value().left_out}, {"at_most", kInterfacesMax}});
  }

  struct Column {
    const Metric& metric;
    std::string_view name_key;  // packet.count alone still says system.device.
    uint64_t Traffic::* value;
  };
  constexpr Column kColumns[] = {
      {kNetworkIo, "network.interface.name", &Traffic::bytes},
      {kNetworkPackets, "system.device", &Traffic::packets},
      {kNetworkDropped, "network.interface.name", &Traffic::dropped},
      {kNetworkErrors, "network.interface.name", &Traffic::errors},
  };
  constexpr std::string_view kDirection = "network.io.direction";
  const std::span<const Interface> interfaces = std::span(interfaces_).first(parsed.value().count);
  for (const Column& column : kColumns) {
    out.Begin(column.metric);
    for (const Interface& interface : interfaces) {
      const Attribute receive[] = {{column.name_key, interface.name}, {kDirection, "receive"}};
      const Attribute transmit[] = {{column.name_key, interface.name}, {kDirection, "transmit"}};
      out.Int(receive, interface.receive.*column.value);
      out.Int(transmit, interface.transmit.*column.value);
    }
  }
  return {};
}

Status HostCollector::CollectSystem(Points& out) {
  out.Single(kUptime, ToSeconds({clock_.Monotonic().ns}));
  return {};
}

Status HostCollector::CollectClock(Points& out) {
  const Result<ClockDiscipline> read = clock_.Discipline();
  if (!read.ok()) return read.status();
  const ClockDiscipline& clock = read.value();
  out.Single(kClockSynchronized, uint64_t{clock.synchronized});
  out.Single(kClockOffset, ToSeconds(clock.offset));
  out.Single(kClockMaxError, ToSeconds(clock.max_error));
  return {};
}

}  // namespace limpet
