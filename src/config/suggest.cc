#include "config/suggest.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace limpet {
namespace {

constexpr size_t kNameMax = 40;

}  // namespace

size_t EditDistance(std::string_view a, std::string_view b) {
  if (a.size() > kNameMax || b.size() > kNameMax) return SIZE_MAX;
  // Three rows of the usual matrix: this one, the one before, and the one before that for swaps.
  std::array<size_t, kNameMax + 1> older{}, old{}, row{};
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    older = old, old = row;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({old[j] + 1, row[j - 1] + 1, replaced});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], older[j - 2] + 1);
    }
  }
  return row[b.size()];
}

void Suggestion::Offer(std::string_view name) {
  std::string_view known = name, given = given_;
  if (known.ends_with(".*")) {
    known.remove_suffix(2);
    given = given.substr(0, given.find('.'));
  }
  const size_t distance = EditDistance(given, known);
  const size_t near = 1 + known.size() / 4;  // "url" forgives one edit, "interval" three.
  if (distance > near || (!best_.empty() && distance >= distance_)) return;
  best_ = name;
  distance_ = distance;
}

}  // namespace limpet
