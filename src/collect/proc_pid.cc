#include "collect/proc_pid.h"

#include <limits>

#include "collect/scan.h"

namespace limpet {
namespace {

constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();

/// Takes the key and its colon off the front of the line, if it is this one.
bool TakeKey(std::string_view& line, std::string_view key) {
  if (!line.starts_with(key) || line.size() == key.size() || line[key.size()] != ':') return false;
  line.remove_prefix(key.size() + 1);
  return true;
}

}  // namespace

Result<PidStat> ParsePidStat(std::string_view text) {
  // The last parenthesis: a name may have some of its own.
  const size_t open = text.find('('), close = text.rfind(')');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return {Code::kInvalid, 0, "stat of a process: name"};
  }
  PidStat stat;
  stat.name = text.substr(open + 1, close - open - 1);
  text.remove_prefix(close + 1);
  const std::string_view state = TakeWord(text);
  if (state.size() != 1) return {Code::kInvalid, 0, "stat of a process: state"};
  stat.state = state.front();

  struct Field {
    int number;  // As in the manual.
    uint64_t PidStat::* value;
  };
  constexpr Field kFields[] = {
      {4, &PidStat::parent},       {10, &PidStat::minor_faults},  {12, &PidStat::major_faults},
      {14, &PidStat::user_ticks},  {15, &PidStat::system_ticks},  {20, &PidStat::threads},
      {22, &PidStat::start_ticks},
  };
  int number = 4;
  for (const Field& field : kFields) {
    for (; number < field.number; ++number) TakeWord(text);  // Some are negative.
    if (!TakeNumber(text, stat.*field.value) || text.empty()) {
      return {Code::kInvalid, 0, "stat of a process: numbers"};
    }
    ++number;
  }
  return stat;
}

Result<PidStatus> ParsePidStatus(std::string_view text) {
  struct Row {
    std::string_view key;
    std::optional<uint64_t> PidStatus::* value;
    bool kib;
    bool second;  // Of the numbers: the first is not asked for.
  };
  constexpr Row kRows[] = {
      {"Uid", &PidStatus::user, false, true},
      {"VmSize", &PidStatus::virtual_bytes, true, false},
      {"VmRSS", &PidStatus::resident_bytes, true, false},
      {"voluntary_ctxt_switches", &PidStatus::voluntary, false, false},
      {"nonvoluntary_ctxt_switches", &PidStatus::involuntary, false, false},
  };
  PidStatus status;
  std::string_view line;
  while (TakeLine(text, line)) {
    for (const Row& row : kRows) {
      if (!TakeKey(line, row.key)) continue;
      uint64_t value = 0;
      if (row.second) TakeWord(line);
      if (!TakeNumber(line, value) || (row.kib && value > kMax / 1024)) {
        return {Code::kInvalid, 0, "status of a process: numbers"};
      }
      status.*row.value = row.kib ? value * 1024 : value;
      break;
    }
  }
  if (!text.empty()) return {Code::kInvalid, 0, "status of a process: last line is cut"};
  return status;
}

Result<PidIo> ParsePidIo(std::string_view text) {
  struct Row {
    std::string_view key;
    uint64_t PidIo::* value;
  };
  constexpr Row kRows[] = {{"read_bytes", &PidIo::read_bytes},
                           {"write_bytes", &PidIo::written_bytes},
                           {"syscr", &PidIo::reads},
                           {"syscw", &PidIo::writes}};
  PidIo io;
  uint32_t found = 0;
  std::string_view line;
  while (TakeLine(text, line)) {
    for (size_t i = 0; i < std::size(kRows); ++i) {
      if (!TakeKey(line, kRows[i].key)) continue;
      if (!TakeNumber(line, io.*kRows[i].value)) return {Code::kInvalid, 0, "io of a process: numbers"};
      found |= 1u << i;
      break;
    }
  }
  if (found != (1u << std::size(kRows)) - 1 || !text.empty()) {
    return {Code::kInvalid, 0, "io of a process: lines are missing"};
  }
  return io;
}

std::string_view ParsePidCgroup(std::string_view text) {
  std::string_view first, systemd, line;
  while (TakeLine(text, line)) {
    if (line.starts_with("0::/") && line.size() > 4) return line;
    if (systemd.empty() && line.find(":name=systemd:") != std::string_view::npos) systemd = line;
    if (first.empty()) first = line;
  }
  return systemd.empty() ? first : systemd;
}

std::optional<std::string_view> ParseUser(std::string_view line, uint64_t user) {
  const std::string_view name = TakeUntil(line, ':');
  TakeUntil(line, ':');
  if (name.empty() || ParseNumber<uint64_t>(TakeUntil(line, ':')) != user) return std::nullopt;
  return name;
}

}  // namespace limpet
