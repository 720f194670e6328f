#include "sink/items.h"

namespace limpet {
namespace {

// The three signals share the numbers of their upper levels, and the kinds of data of a metric
// those of their points, so that one walk does for all.
constexpr uint32_t kResources = otlp_ExportMetricsServiceRequest_resource_metrics_tag;
static_assert(kResources == otlp_ExportLogsServiceRequest_resource_logs_tag);
static_assert(kResources == otlp_ExportTraceServiceRequest_resource_spans_tag);
constexpr uint32_t kResource = otlp_ResourceMetrics_resource_tag;
static_assert(kResource == otlp_ResourceLogs_resource_tag);
static_assert(kResource == otlp_ResourceSpans_resource_tag);
constexpr uint32_t kScopes = otlp_ResourceMetrics_scope_metrics_tag;
static_assert(kScopes == otlp_ResourceLogs_scope_logs_tag);
static_assert(kScopes == otlp_ResourceSpans_scope_spans_tag);
constexpr uint32_t kScope = otlp_ScopeMetrics_scope_tag;
static_assert(kScope == otlp_ScopeLogs_scope_tag);
static_assert(kScope == otlp_ScopeSpans_scope_tag);
constexpr uint32_t kItems = otlp_ScopeMetrics_metrics_tag;
static_assert(kItems == otlp_ScopeLogs_log_records_tag);
static_assert(kItems == otlp_ScopeSpans_spans_tag);
constexpr uint32_t kPoints = otlp_Gauge_data_points_tag;
static_assert(kPoints == otlp_Sum_data_points_tag);
static_assert(kPoints == otlp_Histogram_data_points_tag);
static_assert(kPoints == otlp_ExponentialHistogram_data_points_tag);
static_assert(kPoints == otlp_Summary_data_points_tag);

/// The last of the message's fields of this number: fields may come in any order.
MessageBytes Find(MessageBytes message, uint32_t field) {
  MessageBytes found;
  for (WireReader in(message); in.Next();) {
    if (in.field() == field) found = in.Bytes();
  }
  return found;
}

size_t Count(MessageBytes message, uint32_t field) {
  size_t count = 0;
  for (WireReader in(message); in.Next();) count += in.field() == field;
  return count;
}

MetricView ReadMetric(MessageBytes message) {
  MetricView metric;
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_Metric_name_tag: metric.name = in.String(); break;
      case otlp_Metric_unit_tag: metric.unit = in.String(); break;
      case otlp_Metric_gauge_tag:
      case otlp_Metric_sum_tag:
      case otlp_Metric_histogram_tag:
      case otlp_Metric_exponential_histogram_tag:
      case otlp_Metric_summary_tag:
        metric.kind = in.field();
        metric.data = in.Bytes();
        break;
      default: break;
    }
  }
  constexpr uint32_t kTemporality = otlp_Sum_aggregation_temporality_tag;
  static_assert(kTemporality == otlp_Histogram_aggregation_temporality_tag);
  static_assert(kTemporality == otlp_ExponentialHistogram_aggregation_temporality_tag);
  for (WireReader in(metric.data); in.Next();) {
    if (in.field() == kTemporality) metric.temporality = in.Varint();
    if (in.field() == otlp_Sum_is_monotonic_tag) metric.monotonic = in.Varint() != 0;
  }
  return metric;
}

PointView ReadNumberPoint(MessageBytes message) {
  PointView point;
  point.attributes = {message, otlp_NumberDataPoint_attributes_tag};
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_NumberDataPoint_start_time_unix_nano_tag: point.start_ns = in.Fixed64(); break;
      case otlp_NumberDataPoint_time_unix_nano_tag: point.time_ns = in.Fixed64(); break;
      case otlp_NumberDataPoint_as_double_tag:
        point.as_double = in.Double();
        point.as_int.reset();
        break;
      case otlp_NumberDataPoint_as_int_tag:
        point.as_int = static_cast<int64_t>(in.Fixed64());
        point.as_double.reset();
        break;
      default: break;
    }
  }
  return point;
}

PointView ReadHistogramPoint(MessageBytes message) {
  PointView point;
  point.message = message;
  point.attributes = {message, otlp_HistogramDataPoint_attributes_tag};
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_HistogramDataPoint_start_time_unix_nano_tag: point.start_ns = in.Fixed64(); break;
      case otlp_HistogramDataPoint_time_unix_nano_tag: point.time_ns = in.Fixed64(); break;
      case otlp_HistogramDataPoint_count_tag: point.count = in.Fixed64(); break;
      case otlp_HistogramDataPoint_sum_tag: point.sum = in.Double(); break;
      case otlp_HistogramDataPoint_min_tag: point.min = in.Double(); break;
      case otlp_HistogramDataPoint_max_tag: point.max = in.Double(); break;
      default: break;
    }
  }
  return point;
}

BucketsView ReadBuckets(MessageBytes message) {
  BucketsView buckets;
  buckets.message = message;
  for (WireReader in(message); in.Next();) {
    if (in.field() == otlp_ExponentialHistogramDataPoint_Buckets_offset_tag) {
      buckets.offset = in.ZigZag();
    }
  }
  return buckets;
}

PointView ReadExponentialPoint(MessageBytes message) {
  PointView point;
  point.message = message;
  point.attributes = {message, otlp_ExponentialHistogramDataPoint_attributes_tag};
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_ExponentialHistogramDataPoint_start_time_unix_nano_tag:
        point.start_ns = in.Fixed64();
        break;
      case otlp_ExponentialHistogramDataPoint_time_unix_nano_tag:
        point.time_ns = in.Fixed64();
        break;
      case otlp_ExponentialHistogramDataPoint_count_tag: point.count = in.Fixed64(); break;
      case otlp_ExponentialHistogramDataPoint_sum_tag: point.sum = in.Double(); break;
      case otlp_ExponentialHistogramDataPoint_scale_tag: point.scale = in.ZigZag(); break;
      case otlp_ExponentialHistogramDataPoint_zero_count_tag:
        point.zero_count = in.Fixed64();
        break;
      case otlp_ExponentialHistogramDataPoint_positive_tag:
        point.positive = ReadBuckets(in.Bytes());
        break;
      case otlp_ExponentialHistogramDataPoint_negative_tag:
        point.negative = ReadBuckets(in.Bytes());
        break;
      case otlp_ExponentialHistogramDataPoint_min_tag: point.min = in.Double(); break;
      case otlp_ExponentialHistogramDataPoint_max_tag: point.max = in.Double(); break;
      default: break;
    }
  }
  return point;
}

PointView ReadSummaryPoint(MessageBytes message) {
  PointView point;
  point.message = message;
  point.attributes = {message, otlp_SummaryDataPoint_attributes_tag};
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_SummaryDataPoint_start_time_unix_nano_tag: point.start_ns = in.Fixed64(); break;
      case otlp_SummaryDataPoint_time_unix_nano_tag: point.time_ns = in.Fixed64(); break;
      case otlp_SummaryDataPoint_count_tag: point.count = in.Fixed64(); break;
      case otlp_SummaryDataPoint_sum_tag: point.sum = in.Double(); break;
      default: break;
    }
  }
  return point;
}

PointView ReadPoint(uint32_t kind, MessageBytes message) {
  switch (kind) {
    case otlp_Metric_histogram_tag: return ReadHistogramPoint(message);
    case otlp_Metric_exponential_histogram_tag: return ReadExponentialPoint(message);
    case otlp_Metric_summary_tag: return ReadSummaryPoint(message);
    default: return ReadNumberPoint(message);
  }
}

LogView ReadLog(MessageBytes message) {
  LogView log;
  log.attributes = {message, otlp_LogRecord_attributes_tag};
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_LogRecord_time_unix_nano_tag: log.time_ns = in.Fixed64(); break;
      case otlp_LogRecord_observed_time_unix_nano_tag: log.observed_ns = in.Fixed64(); break;
      case otlp_LogRecord_severity_number_tag: log.severity = in.Varint(); break;
      case otlp_LogRecord_severity_text_tag: log.severity_text = in.String(); break;
      case otlp_LogRecord_event_name_tag: log.event_name = in.String(); break;
      case otlp_LogRecord_body_tag: log.body = in.Bytes(); break;
      case otlp_LogRecord_trace_id_tag: log.trace_id = in.Bytes(); break;
      case otlp_LogRecord_span_id_tag: log.span_id = in.Bytes(); break;
      default: break;
    }
  }
  return log;
}

SpanView ReadSpan(MessageBytes message) {
  SpanView span;
  span.message = message;
  span.attributes = {message, otlp_Span_attributes_tag};
  MessageBytes status;
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_Span_name_tag: span.name = in.String(); break;
      case otlp_Span_kind_tag: span.kind = in.Varint(); break;
      case otlp_Span_start_time_unix_nano_tag: span.start_ns = in.Fixed64(); break;
      case otlp_Span_end_time_unix_nano_tag: span.end_ns = in.Fixed64(); break;
      case otlp_Span_trace_id_tag: span.trace_id = in.Bytes(); break;
      case otlp_Span_span_id_tag: span.span_id = in.Bytes(); break;
      case otlp_Span_parent_span_id_tag: span.parent_span_id = in.Bytes(); break;
      case otlp_Span_status_tag: status = in.Bytes(); break;
      default: break;
    }
  }
  for (WireReader in(status); in.Next();) {
    if (in.field() == otlp_Status_code_tag) span.status = in.Varint();
    if (in.field() == otlp_Status_message_tag) span.status_message = in.String();
  }
  return span;
}

void ForEachPoint(const Origin& origin, MessageBytes message, ItemHandler& handler) {
  const MetricView metric = ReadMetric(message);
  for (WireReader in(metric.data); in.Next() && !handler.Enough();) {
    if (in.field() == kPoints) handler.OnPoint(origin, metric, ReadPoint(metric.kind, in.Bytes()));
  }
}

void ForEachItemOfScope(Origin origin, MessageBytes scope_items, ItemHandler& handler) {
  for (WireReader in(Find(scope_items, kScope)); in.Next();) {
    if (in.field() == otlp_InstrumentationScope_name_tag) origin.scope_name = in.String();
    if (in.field() == otlp_InstrumentationScope_version_tag) origin.scope_version = in.String();
  }
  for (WireReader in(scope_items); in.Next() && !handler.Enough();) {
    if (in.field() != kItems) continue;
    switch (origin.signal) {
      case Signal::kMetrics: ForEachPoint(origin, in.Bytes(), handler); break;
      case Signal::kLogs: handler.OnLog(origin, ReadLog(in.Bytes())); break;
      case Signal::kTraces: handler.OnSpan(origin, ReadSpan(in.Bytes())); break;
    }
  }
}

size_t CountItemsOfScope(Signal signal, MessageBytes scope_items) {
  if (signal != Signal::kMetrics) return Count(scope_items, kItems);
  size_t points = 0;
  for (WireReader in(scope_items); in.Next();) {
    if (in.field() == kItems) points += Count(ReadMetric(in.Bytes()).data, kPoints);
  }
  return points;
}

}  // namespace

KeyValueView ReadKeyValue(MessageBytes message) {
  KeyValueView pair;
  for (WireReader in(message); in.Next();) {
    if (in.field() == otlp_KeyValue_key_tag) pair.key = in.String();
    if (in.field() == otlp_KeyValue_value_tag) pair.value = in.Bytes();
  }
  return pair;
}

AnyValueView ReadAnyValue(MessageBytes message) {
  AnyValueView value;
  for (WireReader in(message); in.Next();) {
    switch (in.field()) {
      case otlp_AnyValue_bool_value_tag:
      case otlp_AnyValue_int_value_tag:
        value = {in.field(), in.Varint(), {}};
        break;
      case otlp_AnyValue_double_value_tag: value = {in.field(), in.Fixed64(), {}}; break;
      case otlp_AnyValue_string_value_tag:
      case otlp_AnyValue_bytes_value_tag:
      case otlp_AnyValue_array_value_tag:
      case otlp_AnyValue_kvlist_value_tag:
        value = {in.field(), 0, in.Bytes()};
        break;
      default: break;
    }
  }
  return value;
}

void ForEachItem(Signal signal, MessageBytes request, ItemHandler& handler) {
  for (WireReader resources(request); resources.Next() && !handler.Enough();) {
    if (resources.field() != kResources) continue;
    const MessageBytes resource = resources.Bytes();
    Origin origin;
    origin.signal = signal;
    origin.resource = {Find(resource, kResource), otlp_Resource_attributes_tag};
    size_t items = 0;
    for (WireReader in(resource); in.Next();) {
      if (in.field() == kScopes) items += CountItemsOfScope(signal, in.Bytes());
    }
    handler.OnResource(origin, items);
    for (WireReader in(resource); in.Next() && !handler.Enough();) {
      if (in.field() == kScopes) ForEachItemOfScope(origin, in.Bytes(), handler);
    }
  }
}

}  // namespace limpet
