// Counts how often a measured value fell between fixed bounds, for metrics of kind histogram.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace limpet {

/// Bucket i holds the values v with bounds[i-1] < v <= bounds[i] (OTLP and Prometheus agree); the
/// last one holds what is above all bounds. Counts grow from 0 and are not cumulative over buckets.
template <size_t N>
class Histogram {
 public:
  /// bounds: ascending, in the unit of the values.
  explicit constexpr Histogram(const std::array<double, N>& bounds) : bounds_(bounds) {}

  void Add(double value) {
    size_t i = 0;
    while (i < N && value > bounds_[i]) ++i;
    ++buckets_[i];
    sum_ += value;
  }

  std::span<const double> bounds() const { return bounds_; }
  /// One more than bounds.
  std::span<const uint64_t> buckets() const { return buckets_; }
  double sum() const { return sum_; }

 private:
  std::array<double, N> bounds_;
  std::array<uint64_t, N + 1> buckets_{};
  double sum_ = 0;
};

/// What a histogram has counted, for those who show it.
struct HistogramView {
  std::span<const double> bounds;     ///< Upper bounds, ascending.
  std::span<const uint64_t> buckets;  ///< bounds.size() + 1 counts, not cumulative.
  double sum = 0;
  uint64_t count() const {
    uint64_t n = 0;
    for (const uint64_t b : buckets) n += b;
    return n;
  }
};

template <size_t N>
HistogramView ViewOf(const Histogram<N>& histogram) {
  return {histogram.bounds(), histogram.buckets(), histogram.sum()};
}

}  // namespace limpet
