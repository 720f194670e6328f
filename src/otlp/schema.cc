#include "otlp/schema.h"

#include <array>

#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

using enum FieldRule;

// Messages that contain each other, or themselves, are declared before their tables.
extern const MessageSchema kAnyValue;

constexpr FieldSchema kKeyValueFields[] = {
    {otlp_KeyValue_key_tag, "key", FieldKind::kText},
    {otlp_KeyValue_value_tag, "value", FieldKind::kMessage, kSingle, &kAnyValue},
};
constexpr MessageSchema kKeyValue{.fields = kKeyValueFields, .shape = MessageShape::kKeyValue};

constexpr FieldSchema kArrayFields[] = {
    {otlp_ArrayValue_values_tag, "values", FieldKind::kMessage, kMany, &kAnyValue},
};
constexpr MessageSchema kArray{kArrayFields};

constexpr FieldSchema kListFields[] = {
    {otlp_KeyValueList_values_tag, "values", FieldKind::kMessage, kMany, &kKeyValue},
};
constexpr MessageSchema kList{kListFields};

constexpr FieldSchema kAnyValueFields[] = {
    {otlp_AnyValue_string_value_tag, "stringValue", FieldKind::kText, kOneof},
    {otlp_AnyValue_bool_value_tag, "boolValue", FieldKind::kBool, kOneof},
    {otlp_AnyValue_int_value_tag, "intValue", FieldKind::kInt, kOneof},
    {otlp_AnyValue_double_value_tag, "doubleValue", FieldKind::kDouble, kOneof},
    {otlp_AnyValue_array_value_tag, "arrayValue", FieldKind::kMessage, kOneof, &kArray},
    {otlp_AnyValue_kvlist_value_tag, "kvlistValue", FieldKind::kMessage, kOneof, &kList},
    {otlp_AnyValue_bytes_value_tag, "bytesValue", FieldKind::kBytes, kOneof},
};
constexpr MessageSchema kAnyValue{.fields = kAnyValueFields, .shape = MessageShape::kAnyValue};

constexpr FieldSchema kScopeFields[] = {
    {otlp_InstrumentationScope_name_tag, "name", FieldKind::kText},
    {otlp_InstrumentationScope_version_tag, "version", FieldKind::kText},
    {otlp_InstrumentationScope_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_InstrumentationScope_dropped_attributes_count_tag, "droppedAttributesCount",
     FieldKind::kNumber},
};
constexpr MessageSchema kScope{kScopeFields};

constexpr FieldSchema kEntityFields[] = {
    {otlp_EntityRef_schema_url_tag, "schemaUrl", FieldKind::kText},
    {otlp_EntityRef_type_tag, "type", FieldKind::kText},
    {otlp_EntityRef_id_keys_tag, "idKeys", FieldKind::kText, kMany},
    {otlp_EntityRef_description_keys_tag, "descriptionKeys", FieldKind::kText, kMany},
};
constexpr MessageSchema kEntity{kEntityFields};

constexpr FieldSchema kResourceFields[] = {
    {otlp_Resource_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_Resource_dropped_attributes_count_tag, "droppedAttributesCount", FieldKind::kNumber},
    {otlp_Resource_entity_refs_tag, "entityRefs", FieldKind::kMessage, kMany, &kEntity},
};
constexpr MessageSchema kResource{kResourceFields};

// Metrics

constexpr FieldSchema kExemplarFields[] = {
    {otlp_Exemplar_filtered_attributes_tag, "filteredAttributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_Exemplar_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_Exemplar_as_double_tag, "asDouble", FieldKind::kDouble, kOneof},
    {otlp_Exemplar_as_int_tag, "asInt", FieldKind::kSfixed, kOneof},
    {otlp_Exemplar_span_id_tag, "spanId", FieldKind::kId},
    {otlp_Exemplar_trace_id_tag, "traceId", FieldKind::kId},
};
constexpr MessageSchema kExemplar{kExemplarFields};

constexpr FieldSchema kNumberPointFields[] = {
    {otlp_NumberDataPoint_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_NumberDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", FieldKind::kFixed},
    {otlp_NumberDataPoint_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_NumberDataPoint_as_double_tag, "asDouble", FieldKind::kDouble, kOneof},
    {otlp_NumberDataPoint_as_int_tag, "asInt", FieldKind::kSfixed, kOneof},
    {otlp_NumberDataPoint_exemplars_tag, "exemplars", FieldKind::kMessage, kMany, &kExemplar},
    {otlp_NumberDataPoint_flags_tag, "flags", FieldKind::kNumber},
};
constexpr MessageSchema kNumberPoint{.fields = kNumberPointFields, .role = ItemRole::kItem,
    .time = otlp_NumberDataPoint_time_unix_nano_tag};

constexpr FieldSchema kHistogramPointFields[] = {
    {otlp_HistogramDataPoint_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_HistogramDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", FieldKind::kFixed},
    {otlp_HistogramDataPoint_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_HistogramDataPoint_count_tag, "count", FieldKind::kFixed},
    {otlp_HistogramDataPoint_sum_tag, "sum", FieldKind::kDouble, kOptional},
    {otlp_HistogramDataPoint_bucket_counts_tag, "bucketCounts", FieldKind::kFixed, kMany},
    {otlp_HistogramDataPoint_explicit_bounds_tag, "explicitBounds", FieldKind::kDouble, kMany},
    {otlp_HistogramDataPoint_exemplars_tag, "exemplars", FieldKind::kMessage, kMany, &kExemplar},
    {otlp_HistogramDataPoint_flags_tag, "flags", FieldKind::kNumber},
    {otlp_HistogramDataPoint_min_tag, "min", FieldKind::kDouble, kOptional},
    {otlp_HistogramDataPoint_max_tag, "max", FieldKind::kDouble, kOptional},
};
constexpr MessageSchema kHistogramPoint{.fields = kHistogramPointFields, .role = ItemRole::kItem,
    .time = otlp_HistogramDataPoint_time_unix_nano_tag};

constexpr FieldSchema kBucketsFields[] = {
    {otlp_ExponentialHistogramDataPoint_Buckets_offset_tag, "offset", FieldKind::kSint},
    {otlp_ExponentialHistogramDataPoint_Buckets_bucket_counts_tag, "bucketCounts", FieldKind::kUint,
     kMany},
};
constexpr MessageSchema kBuckets{kBucketsFields};

constexpr FieldSchema kExponentialPointFields[] = {
    {otlp_ExponentialHistogramDataPoint_attributes_tag, "attributes", FieldKind::kMessage, kMany,
     &kKeyValue},
    {otlp_ExponentialHistogramDataPoint_start_time_unix_nano_tag, "startTimeUnixNano",
     FieldKind::kFixed},
    {otlp_ExponentialHistogramDataPoint_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_ExponentialHistogramDataPoint_count_tag, "count", FieldKind::kFixed},
    {otlp_ExponentialHistogramDataPoint_sum_tag, "sum", FieldKind::kDouble, kOptional},
    {otlp_ExponentialHistogramDataPoint_scale_tag, "scale", FieldKind::kSint},
    {otlp_ExponentialHistogramDataPoint_zero_count_tag, "zeroCount", FieldKind::kFixed},
    {otlp_ExponentialHistogramDataPoint_positive_tag, "positive", FieldKind::kMessage, kSingle, &kBuckets},
    {otlp_ExponentialHistogramDataPoint_negative_tag, "negative", FieldKind::kMessage, kSingle, &kBuckets},
    {otlp_ExponentialHistogramDataPoint_flags_tag, "flags", FieldKind::kNumber},
    {otlp_ExponentialHistogramDataPoint_exemplars_tag, "exemplars", FieldKind::kMessage, kMany,
     &kExemplar},
    {otlp_ExponentialHistogramDataPoint_min_tag, "min", FieldKind::kDouble, kOptional},
    {otlp_ExponentialHistogramDataPoint_max_tag, "max", FieldKind::kDouble, kOptional},
    {otlp_ExponentialHistogramDataPoint_zero_threshold_tag, "zeroThreshold", FieldKind::kDouble},
};
constexpr MessageSchema kExponentialPoint{.fields = kExponentialPointFields, .role = ItemRole::kItem,
    .time = otlp_ExponentialHistogramDataPoint_time_unix_nano_tag};

constexpr FieldSchema kQuantileFields[] = {
    {otlp_SummaryDataPoint_ValueAtQuantile_quantile_tag, "quantile", FieldKind::kDouble},
    {otlp_SummaryDataPoint_ValueAtQuantile_value_tag, "value", FieldKind::kDouble},
};
constexpr MessageSchema kQuantile{kQuantileFields};

constexpr FieldSchema kSummaryPointFields[] = {
    {otlp_SummaryDataPoint_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_SummaryDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", FieldKind::kFixed},
    {otlp_SummaryDataPoint_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_SummaryDataPoint_count_tag, "count", FieldKind::kFixed},
    {otlp_SummaryDataPoint_sum_tag, "sum", FieldKind::kDouble},
    {otlp_SummaryDataPoint_quantile_values_tag, "quantileValues", FieldKind::kMessage, kMany, &kQuantile},
    {otlp_SummaryDataPoint_flags_tag, "flags", FieldKind::kNumber},
};
constexpr MessageSchema kSummaryPoint{.fields = kSummaryPointFields, .role = ItemRole::kItem,
    .time = otlp_SummaryDataPoint_time_unix_nano_tag};

constexpr FieldSchema kGaugeFields[] = {
    {otlp_Gauge_data_points_tag, "dataPoints", FieldKind::kMessage, kMany, &kNumberPoint},
};
constexpr MessageSchema kGauge{.fields = kGaugeFields, .role = ItemRole::kAround};

constexpr FieldSchema kSumFields[] = {
    {otlp_Sum_data_points_tag, "dataPoints", FieldKind::kMessage, kMany, &kNumberPoint},
    {otlp_Sum_aggregation_temporality_tag, "aggregationTemporality", FieldKind::kEnum},
    {otlp_Sum_is_monotonic_tag, "isMonotonic", FieldKind::kBool},
};
constexpr MessageSchema kSum{.fields = kSumFields, .role = ItemRole::kAround};

constexpr FieldSchema kHistogramFields[] = {
    {otlp_Histogram_data_points_tag, "dataPoints", FieldKind::kMessage, kMany, &kHistogramPoint},
    {otlp_Histogram_aggregation_temporality_tag, "aggregationTemporality", FieldKind::kEnum},
};
constexpr MessageSchema kHistogram{.fields = kHistogramFields, .role = ItemRole::kAround};

constexpr FieldSchema kExponentialFields[] = {
    {otlp_ExponentialHistogram_data_points_tag, "dataPoints", FieldKind::kMessage, kMany,
     &kExponentialPoint},
    {otlp_ExponentialHistogram_aggregation_temporality_tag, "aggregationTemporality",
     FieldKind::kEnum},
};
constexpr MessageSchema kExponential{.fields = kExponentialFields, .role = ItemRole::kAround};

constexpr FieldSchema kSummaryFields[] = {
    {otlp_Summary_data_points_tag, "dataPoints", FieldKind::kMessage, kMany, &kSummaryPoint},
};
constexpr MessageSchema kSummary{.fields = kSummaryFields, .role = ItemRole::kAround};

constexpr FieldSchema kMetricFields[] = {
    {otlp_Metric_name_tag, "name", FieldKind::kText},
    {otlp_Metric_description_tag, "description", FieldKind::kText},
    {otlp_Metric_unit_tag, "unit", FieldKind::kText},
    {otlp_Metric_gauge_tag, "gauge", FieldKind::kMessage, kOneof, &kGauge},
    {otlp_Metric_sum_tag, "sum", FieldKind::kMessage, kOneof, &kSum},
    {otlp_Metric_histogram_tag, "histogram", FieldKind::kMessage, kOneof, &kHistogram},
    {otlp_Metric_exponential_histogram_tag, "exponentialHistogram", FieldKind::kMessage, kOneof,
     &kExponential},
    {otlp_Metric_summary_tag, "summary", FieldKind::kMessage, kOneof, &kSummary},
    {otlp_Metric_metadata_tag, "metadata", FieldKind::kMessage, kMany, &kKeyValue},
};
constexpr MessageSchema kMetric{.fields = kMetricFields, .role = ItemRole::kAround};

constexpr FieldSchema kScopeMetricsFields[] = {
    {otlp_ScopeMetrics_scope_tag, "scope", FieldKind::kMessage, kSingle, &kScope},
    {otlp_ScopeMetrics_metrics_tag, "metrics", FieldKind::kMessage, kMany, &kMetric},
    {otlp_ScopeMetrics_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kScopeMetrics{.fields = kScopeMetricsFields, .role = ItemRole::kAround};

constexpr FieldSchema kResourceMetricsFields[] = {
    {otlp_ResourceMetrics_resource_tag, "resource", FieldKind::kMessage, kSingle, &kResource},
    {otlp_ResourceMetrics_scope_metrics_tag, "scopeMetrics", FieldKind::kMessage, kMany, &kScopeMetrics},
    {otlp_ResourceMetrics_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kResourceMetrics{.fields = kResourceMetricsFields, .role = ItemRole::kAround};

constexpr FieldSchema kMetricsRequestFields[] = {
    {otlp_ExportMetricsServiceRequest_resource_metrics_tag, "resourceMetrics", FieldKind::kMessage, kMany,
     &kResourceMetrics},
};
constexpr MessageSchema kMetricsRequest{.fields = kMetricsRequestFields, .role = ItemRole::kAround};

// Logs

constexpr FieldSchema kLogFields[] = {
    {otlp_LogRecord_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_LogRecord_observed_time_unix_nano_tag, "observedTimeUnixNano", FieldKind::kFixed},
    {otlp_LogRecord_severity_number_tag, "severityNumber", FieldKind::kEnum},
    {otlp_LogRecord_severity_text_tag, "severityText", FieldKind::kText},
    {otlp_LogRecord_body_tag, "body", FieldKind::kMessage, kSingle, &kAnyValue},
    {otlp_LogRecord_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_LogRecord_dropped_attributes_count_tag, "droppedAttributesCount", FieldKind::kNumber},
    {otlp_LogRecord_flags_tag, "flags", FieldKind::kFlags},
    {otlp_LogRecord_trace_id_tag, "traceId", FieldKind::kId},
    {otlp_LogRecord_span_id_tag, "spanId", FieldKind::kId},
    {otlp_LogRecord_event_name_tag, "eventName", FieldKind::kText},
};
constexpr MessageSchema kLog{.fields = kLogFields, .role = ItemRole::kItem,
                             .time = otlp_LogRecord_time_unix_nano_tag,
                             .time_else = otlp_LogRecord_observed_time_unix_nano_tag};

constexpr FieldSchema kScopeLogsFields[] = {
    {otlp_ScopeLogs_scope_tag, "scope", FieldKind::kMessage, kSingle, &kScope},
    {otlp_ScopeLogs_log_records_tag, "logRecords", FieldKind::kMessage, kMany, &kLog},
    {otlp_ScopeLogs_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kScopeLogs{.fields = kScopeLogsFields, .role = ItemRole::kAround};

constexpr FieldSchema kResourceLogsFields[] = {
    {otlp_ResourceLogs_resource_tag, "resource", FieldKind::kMessage, kSingle, &kResource},
    {otlp_ResourceLogs_scope_logs_tag, "scopeLogs", FieldKind::kMessage, kMany, &kScopeLogs},
    {otlp_ResourceLogs_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kResourceLogs{.fields = kResourceLogsFields, .role = ItemRole::kAround};

constexpr FieldSchema kLogsRequestFields[] = {
    {otlp_ExportLogsServiceRequest_resource_logs_tag, "resourceLogs", FieldKind::kMessage, kMany,
     &kResourceLogs},
};
constexpr MessageSchema kLogsRequest{.fields = kLogsRequestFields, .role = ItemRole::kAround};

// Traces

constexpr FieldSchema kEventFields[] = {
    {otlp_Span_Event_time_unix_nano_tag, "timeUnixNano", FieldKind::kFixed},
    {otlp_Span_Event_name_tag, "name", FieldKind::kText},
    {otlp_Span_Event_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_Span_Event_dropped_attributes_count_tag, "droppedAttributesCount", FieldKind::kNumber},
};
constexpr MessageSchema kEvent{kEventFields};

constexpr FieldSchema kLinkFields[] = {
    {otlp_Span_Link_trace_id_tag, "traceId", FieldKind::kId},
    {otlp_Span_Link_span_id_tag, "spanId", FieldKind::kId},
    {otlp_Span_Link_trace_state_tag, "traceState", FieldKind::kText},
    {otlp_Span_Link_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_Span_Link_dropped_attributes_count_tag, "droppedAttributesCount", FieldKind::kNumber},
    {otlp_Span_Link_flags_tag, "flags", FieldKind::kFlags},
};
constexpr MessageSchema kLink{kLinkFields};

constexpr FieldSchema kStatusFields[] = {
    {otlp_Status_message_tag, "message", FieldKind::kText},
    {otlp_Status_code_tag, "code", FieldKind::kEnum},
};
constexpr MessageSchema kStatus{kStatusFields};

constexpr FieldSchema kSpanFields[] = {
    {otlp_Span_trace_id_tag, "traceId", FieldKind::kId},
    {otlp_Span_span_id_tag, "spanId", FieldKind::kId},
    {otlp_Span_trace_state_tag, "traceState", FieldKind::kText},
    {otlp_Span_parent_span_id_tag, "parentSpanId", FieldKind::kId},
    {otlp_Span_flags_tag, "flags", FieldKind::kFlags},
    {otlp_Span_name_tag, "name", FieldKind::kText},
    {otlp_Span_kind_tag, "kind", FieldKind::kEnum},
    {otlp_Span_start_time_unix_nano_tag, "startTimeUnixNano", FieldKind::kFixed},
    {otlp_Span_end_time_unix_nano_tag, "endTimeUnixNano", FieldKind::kFixed},
    {otlp_Span_attributes_tag, "attributes", FieldKind::kMessage, kMany, &kKeyValue},
    {otlp_Span_dropped_attributes_count_tag, "droppedAttributesCount", FieldKind::kNumber},
    {otlp_Span_events_tag, "events", FieldKind::kMessage, kMany, &kEvent},
    {otlp_Span_dropped_events_count_tag, "droppedEventsCount", FieldKind::kNumber},
    {otlp_Span_links_tag, "links", FieldKind::kMessage, kMany, &kLink},
    {otlp_Span_dropped_links_count_tag, "droppedLinksCount", FieldKind::kNumber},
    {otlp_Span_status_tag, "status", FieldKind::kMessage, kSingle, &kStatus},
};
constexpr MessageSchema kSpan{.fields = kSpanFields, .role = ItemRole::kItem,
                              .time = otlp_Span_start_time_unix_nano_tag};

constexpr FieldSchema kScopeSpansFields[] = {
    {otlp_ScopeSpans_scope_tag, "scope", FieldKind::kMessage, kSingle, &kScope},
    {otlp_ScopeSpans_spans_tag, "spans", FieldKind::kMessage, kMany, &kSpan},
    {otlp_ScopeSpans_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kScopeSpans{.fields = kScopeSpansFields, .role = ItemRole::kAround};

constexpr FieldSchema kResourceSpansFields[] = {
    {otlp_ResourceSpans_resource_tag, "resource", FieldKind::kMessage, kSingle, &kResource},
    {otlp_ResourceSpans_scope_spans_tag, "scopeSpans", FieldKind::kMessage, kMany, &kScopeSpans},
    {otlp_ResourceSpans_schema_url_tag, "schemaUrl", FieldKind::kText},
};
constexpr MessageSchema kResourceSpans{.fields = kResourceSpansFields, .role = ItemRole::kAround};

constexpr FieldSchema kTracesRequestFields[] = {
    {otlp_ExportTraceServiceRequest_resource_spans_tag, "resourceSpans", FieldKind::kMessage, kMany,
     &kResourceSpans},
};
constexpr MessageSchema kTracesRequest{.fields = kTracesRequestFields, .role = ItemRole::kAround};

}  // namespace

const MessageSchema& RequestSchema(Signal signal) {
  static constexpr std::array<const MessageSchema*, kSignalCount> kRequests = {
      &kMetricsRequest, &kLogsRequest, &kTracesRequest};
  return *kRequests[Index(signal)];
}

}  // namespace limpet
