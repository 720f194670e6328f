#include "collect/proc_stat.h"

#include "collect/scan.h"

namespace limpet {
namespace {

constexpr size_t kColumnsMin = 4;

/// Takes "cpu" or "cpu<n>" off the front of the line.
bool TakeCpuName(std::string_view& line, CpuLine& cpu) {
  if (!line.starts_with("cpu")) return false;
  line.remove_prefix(3);
  cpu.all = line.starts_with(' ');
  return cpu.all || (!line.empty() && line.front() != '\t' && TakeNumber(line, cpu.number));
}

bool TakeTicks(std::string_view rest, CpuTicks& ticks) {
  size_t columns = 0;
  while (columns < kCpuColumnCount && TakeNumber(rest, ticks.column[columns])) ++columns;
  if (columns == kCpuColumnCount) return true;  // A newer kernel may have more.
  return columns >= kColumnsMin && Trim(rest).empty();
}

}  // namespace

Result<CpuLine> ParseCpuLine(std::string_view line) {
  CpuLine cpu;
  if (!TakeCpuName(line, cpu)) return {Code::kInvalid, 0, "stat: name of a CPU"};
  if (!TakeTicks(line, cpu.ticks)) return {Code::kInvalid, 0, "stat: times of a CPU"};
  return cpu;
}

Result<ProcStat> ParseProcStat(std::string_view text) {
  ProcStat stat;
  bool has_total = false, has_boot_time = false;
  std::string_view line;
  while (TakeLine(text, line)) {
    if (line.starts_with("cpu ")) {
      const Result<CpuLine> total = ParseCpuLine(line);
      if (!total.ok()) return total.status();
      stat.all = total.value().ticks;
      has_total = true;
    } else if (line.starts_with("cpu")) {
      CpuLine cpu;  // Its times are not asked for: the name is enough.
      if (!TakeCpuName(line, cpu)) return {Code::kInvalid, 0, "stat: name of a CPU"};
      ++stat.cpus;
      if (cpu.number < stat.online.size()) stat.online.set(static_cast<size_t>(cpu.number));
    } else if (line.starts_with("btime ")) {
      line.remove_prefix(5);
      if (!TakeNumber(line, stat.boot_time_s)) return {Code::kInvalid, 0, "stat: btime"};
      has_boot_time = true;
    } else if (line.starts_with("processes ")) {
      line.remove_prefix(9);
      if (!TakeNumber(line, stat.processes)) return {Code::kInvalid, 0, "stat: processes"};
      if (!has_total || !has_boot_time || stat.cpus == 0) break;
      return stat;
    }
  }
  return {Code::kInvalid, 0, "stat: lines are missing"};
}

}  // namespace limpet
