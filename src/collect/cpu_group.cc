#include "collect/cpu_group.h"

#include <algorithm>

#include "base/text.h"
#include "collect/cpu_sysfs.h"
#include "collect/scan.h"

namespace limpet {
namespace {

constexpr Metric kCpuTime{"system.cpu.time", "s", Instrument::kCounter};
constexpr Metric kCpuLogical{"system.cpu.logical.count", "{cpu}", Instrument::kUpDownCounter};
constexpr Metric kCpuPhysical{"system.cpu.physical.count", "{cpu}", Instrument::kUpDownCounter};
constexpr Metric kCpuFrequency{"system.cpu.frequency", "Hz", Instrument::kGauge};

struct Mode {
  std::string_view name;
  uint64_t ticks;
};

uint64_t Busy(const CpuTicks& ticks) {
  using enum CpuColumn;
  return ticks[kUser] + ticks[kNice] + ticks[kSystem] + ticks[kIrq] + ticks[kSoftirq] + ticks[kSteal];
}

/// Have they begun anew, as in another container? Then they are what they are.
bool BeganAnew(uint64_t busy, uint64_t before) { return busy < before / 2; }

}  // namespace

Status CpuGroup::Collect(const GroupContext& context, Points& out) {
  const Result<std::string_view> text = stat_.ReadWhole(context.root, {"/proc/stat"}, context.buffer);
  if (!text.ok()) return text.status();
  const Result<ProcStat> parsed = ParseProcStat(text.value());
  if (!parsed.ok()) return parsed.status();
  const ProcStat& stat = parsed.value();
  if (stat.online != online_) NoteOnlineCpus(context, stat);

  if (context.options.names == HostNames::kCollector) {
    EmitTimeOfEach(text.value(), context.options.user_hz, out);
  } else {
    EmitTime(stat.all, context.options.user_hz, out);
  }
  out.Single(kCpuLogical, uint64_t{stat.cpus});
  if (cores_ != 0) out.Single(kCpuPhysical, uint64_t{cores_});
  EmitFrequencies(context.root, out);
  return {};
}

void CpuGroup::EmitTime(const CpuTicks& ticks, uint32_t user_hz, Points& out) {
  using enum CpuColumn;
  // Every tick is in exactly one mode, so that the modes add up to the time of all CPUs. Guest time
  // is not taken out of user and nice: the kernel counts it there, the conventions have no mode for
  // it, and the Collector does the same. They have one mode for both kinds of interrupts.
  const Mode modes[kModes] = {
      {"user", ticks[kUser]},
      {"system", ticks[kSystem]},
      {"nice", ticks[kNice]},
      {"idle", ticks[kIdle]},
      {"iowait", ticks[kIowait]},
      {"interrupt", ticks[kIrq] + ticks[kSoftirq]},
      {"steal", ticks[kSteal]},
  };
  const uint64_t busy = Busy(ticks);
  if (BeganAnew(busy, busy_)) mode_ticks_ = {};
  busy_ = busy;
  out.Begin(kCpuTime);
  for (size_t i = 0; i < kModes; ++i) {
    // iowait and idle may go back a little (proc_stat(5)); backends would take that for a restart
    // of the counter and count everything since boot once more.
    mode_ticks_[i] = std::max(mode_ticks_[i], modes[i].ticks);
    out.Double({"cpu.mode", modes[i].name}, static_cast<double>(mode_ticks_[i]) / user_hz);
  }
}

/// As the Collector has it: each CPU by itself, and the two kinds of interrupts apart. The text has been
/// parsed as a whole already.
void CpuGroup::EmitTimeOfEach(std::string_view stat, uint32_t user_hz, Points& out) {
  using enum CpuColumn;
  out.Begin(kCpuTime);
  std::string_view line;
  while (TakeLine(stat, line) && line.starts_with("cpu")) {
    const Result<CpuLine> parsed = ParseCpuLine(line);
    if (!parsed.ok()) return;
    const CpuLine& cpu = parsed.value();
    if (cpu.all || cpu.number >= kCpusMax) continue;
    GoesBack beyond;
    GoesBack& last = cpu.number < cpu_ticks_.size() ? cpu_ticks_[static_cast<size_t>(cpu.number)] : beyond;
    const uint64_t busy = Busy(cpu.ticks);
    if (BeganAnew(busy, last.busy)) last = {};
    last.busy = busy;
    last.idle = std::max(last.idle, cpu.ticks[kIdle]);
    last.iowait = std::max(last.iowait, cpu.ticks[kIowait]);
    const Mode modes[] = {
        {"user", cpu.ticks[kUser]},       {"system", cpu.ticks[kSystem]},
        {"nice", cpu.ticks[kNice]},       {"idle", last.idle},
        {"iowait", last.iowait},          {"interrupt", cpu.ticks[kIrq]},
        {"softirq", cpu.ticks[kSoftirq]}, {"steal", cpu.ticks[kSteal]},
    };
    for (const Mode& mode : modes) {
      out.Double({"cpu.logical_number", cpu.number}, {"cpu.mode", mode.name},
                 static_cast<double>(mode.ticks) / user_hz);
    }
  }
}

/// At start and when CPUs come or go.
void CpuGroup::NoteOnlineCpus(const GroupContext& context, const ProcStat& stat) {
  online_ = stat.online;
  for (int& file : frequency_file_) {
    if (file == kAbsent) file = kNotOpen;
  }
  const bool all_known = stat.cpus == online_.count();
  cores_ = all_known ? CountCores(context.root) : 0;
  if ((!all_known || (online_ >> kFrequencyCpus).any()) && !said_cpus_) {
    said_cpus_ = true;
    context.log.Warn("too many CPUs to report the frequency of each",
              {{"cpus", stat.cpus}, {"reported", kFrequencyCpus}});
  }
}

/// Cores with a CPU online; 0 when the kernel does not tell of one of them.
uint32_t CpuGroup::CountCores(RootFiles& root) {
  uint32_t cores = 0;
  char siblings[64];  // Of a longer list the beginning is enough.
  for (size_t cpu = 0; cpu < online_.size(); ++cpu) {
    if (!online_[cpu]) continue;
    TextBuffer<96> path;
    path << "/sys/devices/system/cpu/cpu" << cpu << "/topology/thread_siblings_list";
    const Result<std::string_view> list = root.ReadValue(path.text(), siblings);
    if (!list.ok()) return 0;
    const Result<uint32_t> first = ParseFirstCpu(list.value());
    if (!first.ok()) return 0;
    if (first.value() == cpu) ++cores;
  }
  return cores;
}

void CpuGroup::EmitFrequencies(RootFiles& root, Points& out) {
  // Most virtual machines have none, and a driver may be loaded late: a CPU without the file is
  // asked again once in kFrequencyCpus cycles, so that absence costs one failed open at most.
  frequency_retry_ = (frequency_retry_ + 1) % kFrequencyCpus;
  if (frequency_file_[frequency_retry_] == kAbsent) frequency_file_[frequency_retry_] = kNotOpen;

  out.Begin(kCpuFrequency);
  for (size_t cpu = 0; cpu < kFrequencyCpus; ++cpu) {
    uint64_t hz = 0;
    if (online_[cpu] && ReadFrequency(root, cpu, hz)) out.Int({"cpu.logical_number", cpu}, hz);
  }
}

bool CpuGroup::ReadFrequency(RootFiles& root, size_t cpu, uint64_t& hz) {
  int& file = frequency_file_[cpu];
  if (file == kAbsent) return false;
  if (file == kNotOpen) {
    TextBuffer<96> path;
    path << "/sys/devices/system/cpu/cpu" << cpu << "/cpufreq/scaling_cur_freq";
    const Result<int> opened = root.Open(path.text());
    file = opened.ok() ? opened.value() : kAbsent;
    if (!opened.ok()) return false;
  }
  char text[32];
  const Result<size_t> size = root.files().ReadAt(file, 0, text);
  if (!size.ok()) {
    root.files().Close(file);
    file = kNotOpen;
    return false;
  }
  const Result<uint64_t> parsed = ParseFrequency({text, size.value()});
  if (parsed.ok()) hz = parsed.value();
  return parsed.ok();
}

void CpuGroup::Close(Files& files) {
  stat_.Close(files);
  for (const int file : frequency_file_) {
    if (file >= 0) files.Close(file);
  }
}

}  // namespace limpet
