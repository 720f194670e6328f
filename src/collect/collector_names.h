// Host metrics as the Collector's hostmetrics receiver 0.149 names them (`[host] semconv = collector`).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/text.h"
#include "otlp/metric_sink.h"

namespace limpet {

/// Hands points of the semantic conventions 1.44 on under the receiver's names, units, attributes and
/// values of attributes. What the receiver would say twice is left out; a metric that it does not have
/// goes on unchanged. Where the receiver splits a value in another way, no name can mend it: those
/// groups ask HostOptions::names.
class CollectorNames final : public MetricSink {
 public:
  explicit CollectorNames(MetricSink& sink) : sink_(sink) {}

  void BeginEntity(std::span<const Attribute> attributes, UnixTime start) override;
  void EndEntity() override { sink_.EndEntity(); }
  void Begin(const Metric& metric) override;
  void Int(std::span<const Attribute> attributes, int64_t value) override;
  void Double(std::span<const Attribute> attributes, double value) override;
  void Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                 std::span<const uint64_t> buckets, double sum) override;
  using MetricSink::Double;
  using MetricSink::Int;

  struct Row;

 private:
  /// No metric of the receiver has more, and no entity.
  static constexpr size_t kAttributesMax = 8;
  using List = std::array<Attribute, kAttributesMax>;

  bool Rename(std::span<const Attribute>& attributes);

  MetricSink& sink_;
  const Row* row_ = nullptr;  // Of the metric; nullptr: the receiver does not have it.
  List point_, entity_;       // Renamed.
  TextBuffer<16> cpu_;        // "cpu12".
};

}  // namespace limpet
