// Prints points as Prometheus text 0.0.4 or as OpenMetrics 1.0.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "otlp/metric_sink.h"

namespace limpet {

enum class PrometheusFormat : uint8_t { kText, kOpenMetrics };

/// The value of Content-Type.
std::string_view PrometheusContentType(PrometheusFormat format);

/// OpenMetrics when the Accept header names it, else text.
PrometheusFormat ChoosePrometheusFormat(std::string_view accept);

/// Names come out as spec.md section 7 has them: dots become underscores, "s" and "By" become the
/// suffixes _seconds and _bytes, counters end in _total.
/// Source: prometheus.io "Exposition formats"; OpenMetrics 1.0, sections 4 and 5.
class PrometheusSink final : public MetricSink {
 public:
  PrometheusSink(TextWriter& out, PrometheusFormat format) : out_(out), format_(format) {}

  using MetricSink::Double;
  using MetricSink::Int;
  void Begin(const Metric& metric) override;
  void Int(std::span<const Attribute> attributes, int64_t value) override;
  void Double(std::span<const Attribute> attributes, double value) override;
  void Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                 std::span<const uint64_t> buckets, double sum) override;

  /// Ends the page; nothing may follow.
  void Finish();

 private:
  void Announce();
  void Family();
  void Number(double value);
  void Sample(std::string_view suffix, std::span<const Attribute> attributes);
  void Bucket(std::span<const Attribute> attributes, double bound, uint64_t count);

  TextWriter& out_;
  PrometheusFormat format_;
  Metric metric_;
  bool announced_ = false;  // With its first point: a metric without points leaves no trace.
};

}  // namespace limpet
