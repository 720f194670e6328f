#include "collect/diskstats.h"

#include <array>
#include <limits>

#include "collect/scan.h"

namespace limpet {
namespace {

constexpr uint64_t kSectorBytes = 512;
constexpr uint64_t kSectorsMax = std::numeric_limits<int64_t>::max() / kSectorBytes;
constexpr size_t kColumns = 11;
constexpr size_t kOldPartitionColumns = 4;

/// Takes the numbers behind the name. Returns how many there are, kColumns at most; what follows
/// them is not looked at. 0: a malformed one.
size_t TakeColumns(std::string_view rest, std::array<uint64_t, kColumns>& n) {
  size_t count = 0;
  while (count < kColumns && !Trim(rest).empty()) {
    if (!TakeNumber(rest, n[count])) return 0;
    ++count;
  }
  return count;
}

bool SetTraffic(std::span<const uint64_t, 4> n, DiskTraffic& traffic) {
  if (n[2] > kSectorsMax) return false;
  traffic = {.operations = n[0], .merged = n[1], .bytes = n[2] * kSectorBytes, .time_ms = n[3]};
  return true;
}

}  // namespace

Result<DiskStats> ParseDiskStats(std::string_view text, std::string_view exclude,
                                 std::span<Disk> table) {
  DiskStats found;
  bool any_bad = false;
  std::string_view line;
  while (TakeLine(text, line)) {
    uint64_t major = 0, minor = 0;
    if (!TakeNumber(line, major) || !TakeNumber(line, minor)) {
      return {Code::kInvalid, 0, "diskstats: device number"};
    }
    const std::string_view name = TakeWord(line);
    if (name.empty()) return {Code::kInvalid, 0, "diskstats: no name"};
    if (AnyGlobMatches(exclude, name)) continue;

    std::array<uint64_t, kColumns> n{};
    const size_t columns = TakeColumns(line, n);
    if (columns == kOldPartitionColumns) continue;
    if (columns != kColumns) {
      any_bad = true;
      ++found.left_out;
      continue;
    }
    if (found.count == table.size() || !IsPlainText(name)) {
      ++found.left_out;
      continue;
    }
    const std::span numbers(n);
    Disk& disk = table[found.count];
    if (!SetTraffic(numbers.first<4>(), disk.read) ||
        !SetTraffic(numbers.subspan<4, 4>(), disk.write)) {
      any_bad = true;
      ++found.left_out;
      continue;
    }
    disk.name = name;
    disk.number = major << 32 | (minor & 0xffffffff);
    disk.pending = n[8];
    disk.busy_ms = n[9];
    disk.weighted_busy_ms = n[10];
    ++found.count;
  }
  if (any_bad && found.count == 0) return {Code::kInvalid, 0, "diskstats: counters"};
  if (!text.empty()) return {Code::kInvalid, 0, "diskstats: last line is cut"};
  return found;
}

Result<uint64_t> ParseDiskSize(std::string_view text) {
  const auto sectors = ParseNumber<uint64_t>(WithoutNewline(text));
  if (!sectors || *sectors > kSectorsMax) return {Code::kInvalid, 0, "size of a disk"};
  return *sectors * kSectorBytes;
}

}  // namespace limpet
