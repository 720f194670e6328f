#include "collect/meminfo.h"

#include <algorithm>
#include <limits>

#include "collect/scan.h"

namespace limpet {
namespace {

// In the order of MemField, which is the order of the file.
constexpr std::array<std::string_view, kMemFieldCount> kKeys = {
    "MemTotal",        "MemFree",        "MemAvailable",   "Buffers",        "Cached",
    "Shmem",           "SReclaimable",   "SUnreclaim",     "HugePages_Total", "HugePages_Free",
    "HugePages_Rsvd",  "HugePages_Surp", "Hugepagesize",
};

/// "   24684084 kB" or "       0".
bool ParseAmount(std::string_view rest, uint64_t& value) {
  if (!TakeNumber(rest, value)) return false;
  const std::string_view unit = Trim(rest);
  if (unit.empty()) return true;
  if (unit != "kB" || value > std::numeric_limits<int64_t>::max() / 1024) return false;
  value *= 1024;
  return true;
}

}  // namespace

Result<MemInfo> ParseMemInfo(std::string_view text) {
  MemInfo info;
  std::string_view line;
  while (TakeLine(text, line)) {
    const std::string_view key = TakeUntil(line, ':');
    for (size_t i = 0; i < kKeys.size(); ++i) {
      if (key != kKeys[i]) continue;
      uint64_t value = 0;
      if (!ParseAmount(line, value)) return {Code::kInvalid, 0, "meminfo: a number"};
      info.Set(static_cast<MemField>(i), value);
      break;
    }
  }
  if (info[MemField::kTotal] == 0) return {Code::kInvalid, 0, "meminfo: MemTotal"};
  if (!info.Has(MemField::kFree)) return {Code::kInvalid, 0, "meminfo: MemFree"};
  return info;
}

MemStates SplitMemory(const MemInfo& info) {
  // The lines are not one snapshot, and virtual files of containers mix numbers of two levels: each
  // state is cut to what is left, so that the sum holds and nothing wraps below zero.
  MemStates states;
  uint64_t left = info[MemField::kTotal];
  states.free = std::min(info[MemField::kFree], left);
  left -= states.free;
  states.buffers = std::min(info[MemField::kBuffers], left);
  left -= states.buffers;
  states.cached = std::min(info[MemField::kCached] + info[MemField::kSReclaimable], left);
  states.used = left - states.cached;
  return states;
}

uint64_t NotAvailable(const MemInfo& info) {
  const MemStates split = SplitMemory(info);
  const uint64_t total = info[MemField::kTotal];
  const uint64_t available =
      info.Has(MemField::kAvailable) ? info[MemField::kAvailable] : split.free + split.cached;
  return total - std::min(available, total);
}

}  // namespace limpet
