// /proc/stat: CPU time by mode, which CPUs are online, boot time, processes created.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/limits.h"
#include "limpet/status.h"

namespace limpet {

/// The columns of a cpu line, in the order of the file. Linux before 2.6.33 has no guest_nice,
/// before 2.6.24 no guest, before 2.6.11 no steal, 2.4 only four: what is missing is 0.
/// Guest time is part of user, guest_nice of nice (the kernel adds it to both); whoever sums up all
/// columns counts it twice.
enum class CpuColumn : uint8_t {
  kUser,
  kNice,
  kSystem,
  kIdle,
  kIowait,
  kIrq,
  kSoftirq,
  kSteal,
  kGuest,
  kGuestNice,
};
inline constexpr size_t kCpuColumnCount = 10;

/// Time spent since boot, in ticks of 1/USER_HZ s (sysconf(_SC_CLK_TCK); 100 nearly everywhere).
struct CpuTicks {
  std::array<uint64_t, kCpuColumnCount> column{};
  uint64_t operator[](CpuColumn c) const { return column[static_cast<size_t>(c)]; }
};

struct CpuLine {
  bool all = false;     ///< The line "cpu", the sum over all CPUs.
  uint64_t number = 0;  ///< Of the logical CPU, when it is not.
  CpuTicks ticks;
};

/// Parses one line "cpu…" without its newline.
/// kInvalid: another line, fewer than four columns, or a malformed number.
Result<CpuLine> ParseCpuLine(std::string_view line);

struct ProcStat {
  CpuTicks all;
  std::bitset<kCpusMax> online;  ///< Logical CPUs with a line, by number; gaps are offline ones.
  uint32_t cpus = 0;             ///< How many lines there are, those beyond the table included.
  uint64_t boot_time_s = 0;      ///< Unix time; the kernel recomputes it when the clock is set.
  uint64_t processes = 0;        ///< Forks since boot.
};

/// Parses the text of /proc/stat up to the line `processes`.
/// kInvalid: no total, no CPU, no btime or processes (a cut file), or a malformed line among them.
/// Source: proc_stat(5); fs/proc/stat.c in the Linux tree.
Result<ProcStat> ParseProcStat(std::string_view text);

}  // namespace limpet
