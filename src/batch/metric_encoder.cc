#include "batch/metric_encoder.h"

#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

/// Number of the field of Metric that holds an instrument's data.
uint32_t DataField(Instrument instrument) {
  switch (instrument) {
    case Instrument::kGauge: return otlp_Metric_gauge_tag;
    case Instrument::kCounter:
    case Instrument::kUpDownCounter: return otlp_Metric_sum_tag;
    case Instrument::kHistogram: return otlp_Metric_histogram_tag;
    case Instrument::kSummary: return otlp_Metric_summary_tag;
  }
  return otlp_Metric_gauge_tag;
}

}  // namespace

void MetricEncoder::Start(const Stamp& stamp, UnixTime start) {
  stamp_ = stamp;
  start_ = start;
  points_ = 0;
}

void MetricEncoder::BeginEntity(std::span<const Attribute> attributes, UnixTime start) {
  CloseScope();
  entity_ = attributes;
  host_start_ = start_;
  start_ = start;
}

void MetricEncoder::EndEntity() {
  CloseScope();
  entity_ = {};
  start_ = host_start_;
}

void MetricEncoder::Begin(const limpet::Metric& metric) {
  CloseMetric();
  metric_ = metric;  // Opened with its first point: a metric without points leaves no trace.
}

void MetricEncoder::OpenScope() {
  resource_mark_ = out().Open(otlp_ExportMetricsServiceRequest_resource_metrics_tag);
  const size_t resource = out().Open(otlp_ResourceMetrics_resource_tag);
  out().Raw(resource_);
  WriteAttributes(out(), otlp_Resource_attributes_tag, entity_);
  out().Close(resource);
  out().String(otlp_ResourceMetrics_schema_url_tag, schema_url_);  // Here, not at the end: kCloseRoom.
  scope_mark_ = out().Open(otlp_ResourceMetrics_scope_metrics_tag);
  WriteScope(out(), otlp_ScopeMetrics_scope_tag, version_);
}

void MetricEncoder::OpenMetric() {
  if (scope_mark_ == 0) OpenScope();
  metric_mark_ = out().Open(otlp_ScopeMetrics_metrics_tag);
  out().String(otlp_Metric_name_tag, metric_.name);
  if (!metric_.unit.empty()) out().String(otlp_Metric_unit_tag, metric_.unit);
  data_mark_ = out().Open(DataField(metric_.instrument));
}

void MetricEncoder::CloseMetric() {
  if (metric_mark_ == 0) return;
  constexpr uint64_t kCumulative = 2;
  if (metric_.instrument == Instrument::kHistogram) {
    out().Varint(otlp_Histogram_aggregation_temporality_tag, kCumulative);
  } else if (metric_.instrument == Instrument::kCounter ||
             metric_.instrument == Instrument::kUpDownCounter) {
    out().Varint(otlp_Sum_aggregation_temporality_tag, kCumulative);
    if (metric_.instrument == Instrument::kCounter) out().Bool(otlp_Sum_is_monotonic_tag, true);
  }
  out().Close(data_mark_);
  out().Close(metric_mark_);
  metric_mark_ = data_mark_ = 0;
}

void MetricEncoder::CloseScope() {
  CloseMetric();
  if (scope_mark_ == 0) return;
  out().String(otlp_ScopeMetrics_schema_url_tag, schema_url_);
  out().Close(scope_mark_);
  out().Close(resource_mark_);
  scope_mark_ = resource_mark_ = 0;
}

/// Writes one point, moving to a fresh batch when this one has no room for it.
template <typename WritePoint>
void MetricEncoder::Point(uint32_t point_field, WritePoint write) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const size_t before = out().size();
    const bool scope_was_open = scope_mark_ != 0;
    const bool metric_was_open = metric_mark_ != 0;
    if (!metric_was_open) OpenMetric();
    const size_t point = out().Open(point_field);
    write();
    out().Close(point);
    if (batcher_.Fits(Signal::kMetrics, 1)) {
      batcher_.Added(Signal::kMetrics, 1, stamp_);
      ++points_;
      return;
    }
    // Back to the last whole point, then on into an empty batch.
    out().Rewind(before);
    if (!metric_was_open) metric_mark_ = data_mark_ = 0;
    if (!scope_was_open) scope_mark_ = resource_mark_ = 0;
    CloseScope();
    batcher_.Close(Signal::kMetrics);
  }
  batcher_.DropUnwritable(Signal::kMetrics, 1, stamp_);
}

void MetricEncoder::Int(std::span<const Attribute> attributes, int64_t value) {
  static_assert(otlp_Gauge_data_points_tag == otlp_Sum_data_points_tag);
  Point(otlp_Sum_data_points_tag, [&] {
    if (metric_.instrument != Instrument::kGauge) {
      out().SignedFixed64(otlp_NumberDataPoint_start_time_unix_nano_tag, start_.ns);
    }
    out().SignedFixed64(otlp_NumberDataPoint_time_unix_nano_tag, stamp_.wall.ns);
    out().SignedFixed64(otlp_NumberDataPoint_as_int_tag, value);
    WriteAttributes(out(), otlp_NumberDataPoint_attributes_tag, attributes);
  });
}

void MetricEncoder::Double(std::span<const Attribute> attributes, double value) {
  Point(otlp_Sum_data_points_tag, [&] {
    if (metric_.instrument != Instrument::kGauge) {
      out().SignedFixed64(otlp_NumberDataPoint_start_time_unix_nano_tag, start_.ns);
    }
    out().SignedFixed64(otlp_NumberDataPoint_time_unix_nano_tag, stamp_.wall.ns);
    out().Double(otlp_NumberDataPoint_as_double_tag, value);
    WriteAttributes(out(), otlp_NumberDataPoint_attributes_tag, attributes);
  });
}

void MetricEncoder::Histogram(std::span<const Attribute> attributes,
                              std::span<const double> bounds, std::span<const uint64_t> buckets,
                              double sum) {
  uint64_t count = 0;
  for (const uint64_t bucket : buckets) count += bucket;
  Point(otlp_Histogram_data_points_tag, [&] {
    out().SignedFixed64(otlp_HistogramDataPoint_start_time_unix_nano_tag, start_.ns);
    out().SignedFixed64(otlp_HistogramDataPoint_time_unix_nano_tag, stamp_.wall.ns);
    out().Fixed64(otlp_HistogramDataPoint_count_tag, count);
    out().Double(otlp_HistogramDataPoint_sum_tag, sum);
    out().PackedFixed64(otlp_HistogramDataPoint_bucket_counts_tag, buckets);
    out().PackedDouble(otlp_HistogramDataPoint_explicit_bounds_tag, bounds);
    WriteAttributes(out(), otlp_HistogramDataPoint_attributes_tag, attributes);
  });
}

void MetricEncoder::Summary(std::span<const Attribute> attributes, std::span<const Quantile> quantiles,
                            uint64_t count, double sum) {
  Point(otlp_Summary_data_points_tag, [&] {
    out().SignedFixed64(otlp_SummaryDataPoint_start_time_unix_nano_tag, start_.ns);
    out().SignedFixed64(otlp_SummaryDataPoint_time_unix_nano_tag, stamp_.wall.ns);
    out().Fixed64(otlp_SummaryDataPoint_count_tag, count);
    out().Double(otlp_SummaryDataPoint_sum_tag, sum);
    for (const Quantile& one : quantiles) {
      const size_t mark = out().Open(otlp_SummaryDataPoint_quantile_values_tag);
      out().Double(otlp_SummaryDataPoint_ValueAtQuantile_quantile_tag, one.quantile);
      out().Double(otlp_SummaryDataPoint_ValueAtQuantile_value_tag, one.value);
      out().Close(mark);
    }
    WriteAttributes(out(), otlp_SummaryDataPoint_attributes_tag, attributes);
  });
}

uint32_t MetricEncoder::Finish() {
  CloseScope();
  return points_;
}

}  // namespace limpet
