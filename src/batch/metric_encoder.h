// Writes measured points as OTLP into the open metrics batch. When a point does not fit any more
// (bytes or items), the messages are closed, the batch is handed on, and the point is written again
// into the next one under the same resource, scope and metric: a cycle is cut between points. Entities
// of the host follow as ResourceMetrics of their own.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "batch/batcher.h"
#include "batch/otlp_parts.h"
#include "otlp/metric_sink.h"

namespace limpet {

class MetricEncoder final : public MetricSink {
 public:
  /// resource: an encoded Resource message. version: of the scope "limpet". schema_url: of the names;
  /// empty: they are of none. All must outlive it.
  MetricEncoder(Batcher& batcher, std::span<const uint8_t> resource, std::string_view version,
                std::string_view schema_url = kSchemaUrl)
      : batcher_(batcher), resource_(resource), version_(version), schema_url_(schema_url) {}

  /// Begins a cycle: all its points carry this time. Counters and histograms carry `start`.
  void Start(const Stamp& stamp, UnixTime start);

  void BeginEntity(std::span<const Attribute> attributes, UnixTime start) override;
  void EndEntity() override;
  void CountSince(UnixTime start) override { start_ = start; }
  void Begin(const Metric& metric) override;
  void Int(std::span<const Attribute> attributes, int64_t value) override;
  void Double(std::span<const Attribute> attributes, double value) override;
  void Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                 std::span<const uint64_t> buckets, double sum) override;
  void Summary(std::span<const Attribute> attributes, std::span<const Quantile> quantiles,
               uint64_t count, double sum) override;
  using MetricSink::Double;
  using MetricSink::Int;

  /// Ends the cycle: what was written is whole messages in the open batch. Returns its points.
  uint32_t Finish();

 private:
  template <typename WritePoint>
  void Point(uint32_t point_field, WritePoint write);
  void OpenScope();
  void OpenMetric();
  void CloseMetric();
  void CloseScope();
  WireWriter& out() { return batcher_.writer(Signal::kMetrics); }

  Batcher& batcher_;
  const std::span<const uint8_t> resource_;
  const std::string_view version_, schema_url_;

  Stamp stamp_;
  UnixTime start_, host_start_;         // Of what follows; of the host, while an entity is written.
  std::span<const Attribute> entity_;   // Empty: the host itself.
  limpet::Metric metric_;
  // Marks of the open messages, 0 = not open.
  size_t resource_mark_ = 0, scope_mark_ = 0, metric_mark_ = 0, data_mark_ = 0;
  uint32_t points_ = 0;
};

}  // namespace limpet
