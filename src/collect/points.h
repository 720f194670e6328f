// How a group of host metrics emits: the sink, with the points counted, and short forms.
#pragma once

#include <cstdint>
#include <span>

#include "otlp/metric_sink.h"

namespace limpet {

class Points {
 public:
  explicit Points(MetricSink& sink) : sink_(sink) {}
  uint32_t count() const { return count_; }

  void BeginEntity(std::span<const Attribute> attributes, UnixTime start) {
    sink_.BeginEntity(attributes, start);
  }
  void EndEntity() { sink_.EndEntity(); }
  void CountSince(UnixTime start) { sink_.CountSince(start); }
  void Begin(const Metric& metric) { sink_.Begin(metric); }
  void Int(std::span<const Attribute> attributes, uint64_t value) {
    sink_.Int(attributes, static_cast<int64_t>(value));
    ++count_;
  }
  void Double(std::span<const Attribute> attributes, double value) {
    sink_.Double(attributes, value);
    ++count_;
  }
  void Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                 std::span<const uint64_t> buckets, double sum) {
    sink_.Histogram(attributes, bounds, buckets, sum);
    ++count_;
  }
  void Summary(std::span<const Attribute> attributes, std::span<const Quantile> quantiles,
               uint64_t count, double sum) {
    sink_.Summary(attributes, quantiles, count, sum);
    ++count_;
  }
  void Int(const Attribute& attribute, uint64_t value) { Int(std::span(&attribute, 1), value); }
  void Double(const Attribute& attribute, double value) {
    Double(std::span(&attribute, 1), value);
  }
  void Int(const Attribute& first, const Attribute& second, uint64_t value) {
    const Attribute both[] = {first, second};
    Int(both, value);
  }
  void Double(const Attribute& first, const Attribute& second, double value) {
    const Attribute both[] = {first, second};
    Double(both, value);
  }
  /// A metric with one point and no attribute.
  void Single(const Metric& metric, uint64_t value) {
    Begin(metric);
    Int(std::span<const Attribute>(), value);
  }
  void Single(const Metric& metric, double value) {
    Begin(metric);
    Double(std::span<const Attribute>(), value);
  }

 private:
  MetricSink& sink_;
  uint32_t count_ = 0;
};

}  // namespace limpet
