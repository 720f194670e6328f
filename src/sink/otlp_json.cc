#include "sink/otlp_json.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

namespace limpet {
namespace {

enum class Kind : uint8_t {
  kText,
  kId,        // Bytes in hex.
  kBytes,     // Bytes in base64.
  kBool,
  kNumber,    // A varint: uint32 or an enum.
  kFlags,     // fixed32.
  kSint,      // sint32.
  kInt,       // int64, in quotes; the next three likewise.
  kUint,
  kFixed,
  kSfixed,
  kDouble,
  kMessage,
};

struct Message;

struct Field {
  uint32_t number;
  const char* name;
  Kind kind;
  bool repeated = false;
  const Message* message = nullptr;
};

struct Message {
  std::span<const Field> fields;
  bool alternatives = false;  // All its fields are of one oneof: the last one counts.
};

constexpr bool kMany = true;

// Messages that contain each other, or themselves, are declared before their tables.
extern const Message kAnyValue;

constexpr Field kKeyValueFields[] = {
    {otlp_KeyValue_key_tag, "key", Kind::kText},
    {otlp_KeyValue_value_tag, "value", Kind::kMessage, false, &kAnyValue},
};
constexpr Message kKeyValue{kKeyValueFields};

constexpr Field kArrayFields[] = {
    {otlp_ArrayValue_values_tag, "values", Kind::kMessage, kMany, &kAnyValue},
};
constexpr Message kArray{kArrayFields};

constexpr Field kListFields[] = {
    {otlp_KeyValueList_values_tag, "values", Kind::kMessage, kMany, &kKeyValue},
};
constexpr Message kList{kListFields};

constexpr Field kAnyValueFields[] = {
    {otlp_AnyValue_string_value_tag, "stringValue", Kind::kText},
    {otlp_AnyValue_bool_value_tag, "boolValue", Kind::kBool},
    {otlp_AnyValue_int_value_tag, "intValue", Kind::kInt},
    {otlp_AnyValue_double_value_tag, "doubleValue", Kind::kDouble},
    {otlp_AnyValue_array_value_tag, "arrayValue", Kind::kMessage, false, &kArray},
    {otlp_AnyValue_kvlist_value_tag, "kvlistValue", Kind::kMessage, false, &kList},
    {otlp_AnyValue_bytes_value_tag, "bytesValue", Kind::kBytes},
};
constexpr Message kAnyValue{kAnyValueFields, true};

constexpr Field kScopeFields[] = {
    {otlp_InstrumentationScope_name_tag, "name", Kind::kText},
    {otlp_InstrumentationScope_version_tag, "version", Kind::kText},
    {otlp_InstrumentationScope_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_InstrumentationScope_dropped_attributes_count_tag, "droppedAttributesCount",
     Kind::kNumber},
};
constexpr Message kScope{kScopeFields};

constexpr Field kEntityFields[] = {
    {otlp_EntityRef_schema_url_tag, "schemaUrl", Kind::kText},
    {otlp_EntityRef_type_tag, "type", Kind::kText},
    {otlp_EntityRef_id_keys_tag, "idKeys", Kind::kText, kMany},
    {otlp_EntityRef_description_keys_tag, "descriptionKeys", Kind::kText, kMany},
};
constexpr Message kEntity{kEntityFields};

constexpr Field kResourceFields[] = {
    {otlp_Resource_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_Resource_dropped_attributes_count_tag, "droppedAttributesCount", Kind::kNumber},
    {otlp_Resource_entity_refs_tag, "entityRefs", Kind::kMessage, kMany, &kEntity},
};
constexpr Message kResource{kResourceFields};

// Metrics

constexpr Field kExemplarFields[] = {
    {otlp_Exemplar_filtered_attributes_tag, "filteredAttributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_Exemplar_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_Exemplar_as_double_tag, "asDouble", Kind::kDouble},
    {otlp_Exemplar_as_int_tag, "asInt", Kind::kSfixed},
    {otlp_Exemplar_span_id_tag, "spanId", Kind::kId},
    {otlp_Exemplar_trace_id_tag, "traceId", Kind::kId},
};
constexpr Message kExemplar{kExemplarFields};

constexpr Field kNumberPointFields[] = {
    {otlp_NumberDataPoint_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_NumberDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", Kind::kFixed},
    {otlp_NumberDataPoint_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_NumberDataPoint_as_double_tag, "asDouble", Kind::kDouble},
    {otlp_NumberDataPoint_as_int_tag, "asInt", Kind::kSfixed},
    {otlp_NumberDataPoint_exemplars_tag, "exemplars", Kind::kMessage, kMany, &kExemplar},
    {otlp_NumberDataPoint_flags_tag, "flags", Kind::kNumber},
};
constexpr Message kNumberPoint{kNumberPointFields};

constexpr Field kHistogramPointFields[] = {
    {otlp_HistogramDataPoint_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_HistogramDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", Kind::kFixed},
    {otlp_HistogramDataPoint_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_HistogramDataPoint_count_tag, "count", Kind::kFixed},
    {otlp_HistogramDataPoint_sum_tag, "sum", Kind::kDouble},
    {otlp_HistogramDataPoint_bucket_counts_tag, "bucketCounts", Kind::kFixed, kMany},
    {otlp_HistogramDataPoint_explicit_bounds_tag, "explicitBounds", Kind::kDouble, kMany},
    {otlp_HistogramDataPoint_exemplars_tag, "exemplars", Kind::kMessage, kMany, &kExemplar},
    {otlp_HistogramDataPoint_flags_tag, "flags", Kind::kNumber},
    {otlp_HistogramDataPoint_min_tag, "min", Kind::kDouble},
    {otlp_HistogramDataPoint_max_tag, "max", Kind::kDouble},
};
constexpr Message kHistogramPoint{kHistogramPointFields};

constexpr Field kBucketsFields[] = {
    {otlp_ExponentialHistogramDataPoint_Buckets_offset_tag, "offset", Kind::kSint},
    {otlp_ExponentialHistogramDataPoint_Buckets_bucket_counts_tag, "bucketCounts", Kind::kUint,
     kMany},
};
constexpr Message kBuckets{kBucketsFields};

constexpr Field kExponentialPointFields[] = {
    {otlp_ExponentialHistogramDataPoint_attributes_tag, "attributes", Kind::kMessage, kMany,
     &kKeyValue},
    {otlp_ExponentialHistogramDataPoint_start_time_unix_nano_tag, "startTimeUnixNano",
     Kind::kFixed},
    {otlp_ExponentialHistogramDataPoint_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_ExponentialHistogramDataPoint_count_tag, "count", Kind::kFixed},
    {otlp_ExponentialHistogramDataPoint_sum_tag, "sum", Kind::kDouble},
    {otlp_ExponentialHistogramDataPoint_scale_tag, "scale", Kind::kSint},
    {otlp_ExponentialHistogramDataPoint_zero_count_tag, "zeroCount", Kind::kFixed},
    {otlp_ExponentialHistogramDataPoint_positive_tag, "positive", Kind::kMessage, false, &kBuckets},
    {otlp_ExponentialHistogramDataPoint_negative_tag, "negative", Kind::kMessage, false, &kBuckets},
    {otlp_ExponentialHistogramDataPoint_flags_tag, "flags", Kind::kNumber},
    {otlp_ExponentialHistogramDataPoint_exemplars_tag, "exemplars", Kind::kMessage, kMany,
     &kExemplar},
    {otlp_ExponentialHistogramDataPoint_min_tag, "min", Kind::kDouble},
    {otlp_ExponentialHistogramDataPoint_max_tag, "max", Kind::kDouble},
    {otlp_ExponentialHistogramDataPoint_zero_threshold_tag, "zeroThreshold", Kind::kDouble},
};
constexpr Message kExponentialPoint{kExponentialPointFields};

constexpr Field kQuantileFields[] = {
    {otlp_SummaryDataPoint_ValueAtQuantile_quantile_tag, "quantile", Kind::kDouble},
    {otlp_SummaryDataPoint_ValueAtQuantile_value_tag, "value", Kind::kDouble},
};
constexpr Message kQuantile{kQuantileFields};

constexpr Field kSummaryPointFields[] = {
    {otlp_SummaryDataPoint_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_SummaryDataPoint_start_time_unix_nano_tag, "startTimeUnixNano", Kind::kFixed},
    {otlp_SummaryDataPoint_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_SummaryDataPoint_count_tag, "count", Kind::kFixed},
    {otlp_SummaryDataPoint_sum_tag, "sum", Kind::kDouble},
    {otlp_SummaryDataPoint_quantile_values_tag, "quantileValues", Kind::kMessage, kMany, &kQuantile},
    {otlp_SummaryDataPoint_flags_tag, "flags", Kind::kNumber},
};
constexpr Message kSummaryPoint{kSummaryPointFields};

constexpr Field kGaugeFields[] = {
    {otlp_Gauge_data_points_tag, "dataPoints", Kind::kMessage, kMany, &kNumberPoint},
};
constexpr Message kGauge{kGaugeFields};

constexpr Field kSumFields[] = {
    {otlp_Sum_data_points_tag, "dataPoints", Kind::kMessage, kMany, &kNumberPoint},
    {otlp_Sum_aggregation_temporality_tag, "aggregationTemporality", Kind::kNumber},
    {otlp_Sum_is_monotonic_tag, "isMonotonic", Kind::kBool},
};
constexpr Message kSum{kSumFields};

constexpr Field kHistogramFields[] = {
    {otlp_Histogram_data_points_tag, "dataPoints", Kind::kMessage, kMany, &kHistogramPoint},
    {otlp_Histogram_aggregation_temporality_tag, "aggregationTemporality", Kind::kNumber},
};
constexpr Message kHistogram{kHistogramFields};

constexpr Field kExponentialFields[] = {
    {otlp_ExponentialHistogram_data_points_tag, "dataPoints", Kind::kMessage, kMany,
     &kExponentialPoint},
    {otlp_ExponentialHistogram_aggregation_temporality_tag, "aggregationTemporality",
     Kind::kNumber},
};
constexpr Message kExponential{kExponentialFields};

constexpr Field kSummaryFields[] = {
    {otlp_Summary_data_points_tag, "dataPoints", Kind::kMessage, kMany, &kSummaryPoint},
};
constexpr Message kSummary{kSummaryFields};

constexpr Field kMetricFields[] = {
    {otlp_Metric_name_tag, "name", Kind::kText},
    {otlp_Metric_description_tag, "description", Kind::kText},
    {otlp_Metric_unit_tag, "unit", Kind::kText},
    {otlp_Metric_gauge_tag, "gauge", Kind::kMessage, false, &kGauge},
    {otlp_Metric_sum_tag, "sum", Kind::kMessage, false, &kSum},
    {otlp_Metric_histogram_tag, "histogram", Kind::kMessage, false, &kHistogram},
    {otlp_Metric_exponential_histogram_tag, "exponentialHistogram", Kind::kMessage, false,
     &kExponential},
    {otlp_Metric_summary_tag, "summary", Kind::kMessage, false, &kSummary},
    {otlp_Metric_metadata_tag, "metadata", Kind::kMessage, kMany, &kKeyValue},
};
constexpr Message kMetric{kMetricFields};

constexpr Field kScopeMetricsFields[] = {
    {otlp_ScopeMetrics_scope_tag, "scope", Kind::kMessage, false, &kScope},
    {otlp_ScopeMetrics_metrics_tag, "metrics", Kind::kMessage, kMany, &kMetric},
    {otlp_ScopeMetrics_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kScopeMetrics{kScopeMetricsFields};

constexpr Field kResourceMetricsFields[] = {
    {otlp_ResourceMetrics_resource_tag, "resource", Kind::kMessage, false, &kResource},
    {otlp_ResourceMetrics_scope_metrics_tag, "scopeMetrics", Kind::kMessage, kMany, &kScopeMetrics},
    {otlp_ResourceMetrics_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kResourceMetrics{kResourceMetricsFields};

constexpr Field kMetricsRequestFields[] = {
    {otlp_ExportMetricsServiceRequest_resource_metrics_tag, "resourceMetrics", Kind::kMessage, kMany,
     &kResourceMetrics},
};
constexpr Message kMetricsRequest{kMetricsRequestFields};

// Logs

constexpr Field kLogFields[] = {
    {otlp_LogRecord_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_LogRecord_observed_time_unix_nano_tag, "observedTimeUnixNano", Kind::kFixed},
    {otlp_LogRecord_severity_number_tag, "severityNumber", Kind::kNumber},
    {otlp_LogRecord_severity_text_tag, "severityText", Kind::kText},
    {otlp_LogRecord_body_tag, "body", Kind::kMessage, false, &kAnyValue},
    {otlp_LogRecord_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_LogRecord_dropped_attributes_count_tag, "droppedAttributesCount", Kind::kNumber},
    {otlp_LogRecord_flags_tag, "flags", Kind::kFlags},
    {otlp_LogRecord_trace_id_tag, "traceId", Kind::kId},
    {otlp_LogRecord_span_id_tag, "spanId", Kind::kId},
    {otlp_LogRecord_event_name_tag, "eventName", Kind::kText},
};
constexpr Message kLog{kLogFields};

constexpr Field kScopeLogsFields[] = {
    {otlp_ScopeLogs_scope_tag, "scope", Kind::kMessage, false, &kScope},
    {otlp_ScopeLogs_log_records_tag, "logRecords", Kind::kMessage, kMany, &kLog},
    {otlp_ScopeLogs_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kScopeLogs{kScopeLogsFields};

constexpr Field kResourceLogsFields[] = {
    {otlp_ResourceLogs_resource_tag, "resource", Kind::kMessage, false, &kResource},
    {otlp_ResourceLogs_scope_logs_tag, "scopeLogs", Kind::kMessage, kMany, &kScopeLogs},
    {otlp_ResourceLogs_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kResourceLogs{kResourceLogsFields};

constexpr Field kLogsRequestFields[] = {
    {otlp_ExportLogsServiceRequest_resource_logs_tag, "resourceLogs", Kind::kMessage, kMany,
     &kResourceLogs},
};
constexpr Message kLogsRequest{kLogsRequestFields};

// Traces

constexpr Field kEventFields[] = {
    {otlp_Span_Event_time_unix_nano_tag, "timeUnixNano", Kind::kFixed},
    {otlp_Span_Event_name_tag, "name", Kind::kText},
    {otlp_Span_Event_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_Span_Event_dropped_attributes_count_tag, "droppedAttributesCount", Kind::kNumber},
};
constexpr Message kEvent{kEventFields};

constexpr Field kLinkFields[] = {
    {otlp_Span_Link_trace_id_tag, "traceId", Kind::kId},
    {otlp_Span_Link_span_id_tag, "spanId", Kind::kId},
    {otlp_Span_Link_trace_state_tag, "traceState", Kind::kText},
    {otlp_Span_Link_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_Span_Link_dropped_attributes_count_tag, "droppedAttributesCount", Kind::kNumber},
    {otlp_Span_Link_flags_tag, "flags", Kind::kFlags},
};
constexpr Message kLink{kLinkFields};

constexpr Field kStatusFields[] = {
    {otlp_Status_message_tag, "message", Kind::kText},
    {otlp_Status_code_tag, "code", Kind::kNumber},
};
constexpr Message kStatus{kStatusFields};

constexpr Field kSpanFields[] = {
    {otlp_Span_trace_id_tag, "traceId", Kind::kId},
    {otlp_Span_span_id_tag, "spanId", Kind::kId},
    {otlp_Span_trace_state_tag, "traceState", Kind::kText},
    {otlp_Span_parent_span_id_tag, "parentSpanId", Kind::kId},
    {otlp_Span_flags_tag, "flags", Kind::kFlags},
    {otlp_Span_name_tag, "name", Kind::kText},
    {otlp_Span_kind_tag, "kind", Kind::kNumber},
    {otlp_Span_start_time_unix_nano_tag, "startTimeUnixNano", Kind::kFixed},
    {otlp_Span_end_time_unix_nano_tag, "endTimeUnixNano", Kind::kFixed},
    {otlp_Span_attributes_tag, "attributes", Kind::kMessage, kMany, &kKeyValue},
    {otlp_Span_dropped_attributes_count_tag, "droppedAttributesCount", Kind::kNumber},
    {otlp_Span_events_tag, "events", Kind::kMessage, kMany, &kEvent},
    {otlp_Span_dropped_events_count_tag, "droppedEventsCount", Kind::kNumber},
    {otlp_Span_links_tag, "links", Kind::kMessage, kMany, &kLink},
    {otlp_Span_dropped_links_count_tag, "droppedLinksCount", Kind::kNumber},
    {otlp_Span_status_tag, "status", Kind::kMessage, false, &kStatus},
};
constexpr Message kSpan{kSpanFields};

constexpr Field kScopeSpansFields[] = {
    {otlp_ScopeSpans_scope_tag, "scope", Kind::kMessage, false, &kScope},
    {otlp_ScopeSpans_spans_tag, "spans", Kind::kMessage, kMany, &kSpan},
    {otlp_ScopeSpans_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kScopeSpans{kScopeSpansFields};

constexpr Field kResourceSpansFields[] = {
    {otlp_ResourceSpans_resource_tag, "resource", Kind::kMessage, false, &kResource},
    {otlp_ResourceSpans_scope_spans_tag, "scopeSpans", Kind::kMessage, kMany, &kScopeSpans},
    {otlp_ResourceSpans_schema_url_tag, "schemaUrl", Kind::kText},
};
constexpr Message kResourceSpans{kResourceSpansFields};

constexpr Field kTracesRequestFields[] = {
    {otlp_ExportTraceServiceRequest_resource_spans_tag, "resourceSpans", Kind::kMessage, kMany,
     &kResourceSpans},
};
constexpr Message kTracesRequest{kTracesRequestFields};

// Writing

WireType WireTypeOf(Kind kind) {
  switch (kind) {
    case Kind::kFlags: return WireType::kFixed32;
    case Kind::kFixed:
    case Kind::kSfixed:
    case Kind::kDouble: return WireType::kFixed64;
    case Kind::kText:
    case Kind::kId:
    case Kind::kBytes:
    case Kind::kMessage: return WireType::kLength;
    default: return WireType::kVarint;
  }
}

void WriteBase64(MessageBytes bytes, LineOut& out) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  out << '"';
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(bytes.size() - i, 3);
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) group = group << 8 | (j < count ? bytes[i + j] : 0u);
    for (size_t j = 0; j < 4; ++j) {
      out << (j <= count ? kDigits[group >> (18 - 6 * j) & 63] : '=');
    }
  }
  out << '"';
}

void WriteDouble(double value, LineOut& out) {
  if (std::isnan(value)) {
    out << "\"NaN\"";
  } else if (std::isinf(value)) {
    out << (value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    out.Double(value);
  }
}

void WriteScalar(Kind kind, uint64_t bits, LineOut& out) {
  const auto number = static_cast<int64_t>(bits);
  switch (kind) {
    case Kind::kBool: out << (bits != 0 ? "true" : "false"); break;
    // An enum may be negative, which is written in 64 bits.
    case Kind::kNumber: out << static_cast<int64_t>(static_cast<uint32_t>(bits)); break;
    case Kind::kFlags: out << static_cast<uint32_t>(bits); break;
    case Kind::kSint: out << static_cast<int64_t>(bits >> 1 ^ (~(bits & 1) + 1)); break;
    case Kind::kInt:
    case Kind::kSfixed: out << '"' << number << '"'; break;
    case Kind::kDouble: WriteDouble(std::bit_cast<double>(bits), out); break;
    default: out << '"' << bits << '"'; break;
  }
}

void WriteMembers(const Message& message, MessageBytes bytes, int depth, LineOut& out);

/// Of a value that is written with its length.
void WriteLong(const Field& field, MessageBytes bytes, int depth, LineOut& out) {
  switch (field.kind) {
    case Kind::kText:
      out.Quoted({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
      break;
    case Kind::kId: (out << '"').Hex(bytes) << '"'; break;
    case Kind::kBytes: WriteBase64(bytes, out); break;
    default:
      out << '{';
      if (depth > 0) WriteMembers(*field.message, bytes, depth - 1, out);
      out << '}';
      break;
  }
}

uint64_t ReadScalar(WireReader& in) {
  switch (in.type()) {
    case WireType::kVarint: return in.Varint();
    case WireType::kFixed64: return in.Fixed64();
    default: return in.Fixed32();
  }
}

/// Fields may come in any order, several times and mixed: each is looked for in its turn. Of one that
/// is not repeated the last counts.
void WriteMembers(const Message& message, MessageBytes bytes, int depth, LineOut& out) {
  uint32_t only = 0;
  if (message.alternatives) {
    for (WireReader in(bytes); in.Next();) {
      const bool known = std::any_of(message.fields.begin(), message.fields.end(),
                                     [&](const Field& field) { return field.number == in.field(); });
      if (known) only = in.field();
    }
  }
  bool first = true;
  for (const Field& field : message.fields) {
    if (message.alternatives && field.number != only) continue;
    const WireType type = WireTypeOf(field.kind);
    size_t count = 0;
    const auto begin = [&] {
      if (count++ > 0) {
        out << ',';
        return;
      }
      if (!first) out << ',';
      first = false;
      out << '"' << field.name << "\":" << (field.repeated ? "[" : "");
    };
    if (field.repeated && type != WireType::kLength) {
      RepeatedReader values(bytes, field.number, type);
      for (uint64_t bits = 0; values.Next(bits);) {
        begin();
        WriteScalar(field.kind, bits, out);
      }
    } else if (field.repeated) {
      for (WireReader in(bytes); in.Next();) {
        if (in.field() != field.number || in.type() != type) continue;
        begin();
        WriteLong(field, in.Bytes(), depth, out);
      }
    } else {
      MessageBytes last;
      uint64_t bits = 0;
      bool found = false;
      for (WireReader in(bytes); in.Next();) {
        if (in.field() != field.number || in.type() != type) continue;
        found = true;
        if (type == WireType::kLength) {
          last = in.Bytes();
        } else {
          bits = ReadScalar(in);
        }
      }
      if (found) {
        begin();
        if (type == WireType::kLength) {
          WriteLong(field, last, depth, out);
        } else {
          WriteScalar(field.kind, bits, out);
        }
      }
    }
    if (field.repeated && count > 0) out << ']';
  }
}

}  // namespace

void WriteOtlpJson(Signal signal, MessageBytes request, LineOut& out) {
  constexpr std::array<const Message*, kSignalCount> kRequests = {&kMetricsRequest, &kLogsRequest,
                                                                  &kTracesRequest};
  WriteMembers(*kRequests[Index(signal)], request, kWireDepthMax, out);
}

}  // namespace limpet
