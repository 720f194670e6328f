// Sorting of a few things, or of what is nearly in order. std::sort makes kilobytes of code of each call.
#pragma once

#include <cstddef>
#include <span>
#include <utility>

namespace limpet {

/// By insertion: what compares equal stays in order.
template <typename T, typename Less>
void InsertionSort(std::span<T> items, Less less) {
  for (size_t i = 1; i < items.size(); ++i) {
    for (size_t j = i; j > 0 && less(items[j], items[j - 1]); --j) std::swap(items[j], items[j - 1]);
  }
}

}  // namespace limpet
