#include "collect/swaps.h"

#include <algorithm>
#include <limits>

#include "collect/scan.h"

namespace limpet {
namespace {

bool TakeKiB(std::string_view& rest, uint64_t& bytes) {
  if (!TakeNumber(rest, bytes) || bytes > std::numeric_limits<int64_t>::max() / 1024) return false;
  bytes *= 1024;
  return true;
}

}  // namespace

Result<Swaps> ParseSwaps(std::string_view text, std::span<Swap> table) {
  std::string_view line;
  if (!TakeLine(text, line) || !line.starts_with("Filename")) {
    return {Code::kInvalid, 0, "swaps: heading"};
  }
  Swaps found;
  while (TakeLine(text, line)) {
    // Filename Type Size Used Priority; only the filename can hold odd characters, and the kernel
    // writes its blanks as \040.
    Swap swap;
    swap.name = TakeWord(line);
    const std::string_view type = TakeWord(line);
    if (type.empty() || !TakeKiB(line, swap.size_bytes) || !TakeKiB(line, swap.used_bytes)) {
      return {Code::kInvalid, 0, "swaps: columns"};
    }
    swap.used_bytes = std::min(swap.used_bytes, swap.size_bytes);
    if (found.count == table.size() || !IsPlainText(swap.name)) {
      ++found.left_out;
      continue;
    }
    table[found.count++] = swap;
  }
  if (!text.empty()) return {Code::kInvalid, 0, "swaps: last line is cut"};
  return found;
}

}  // namespace limpet
