// Prints items as JSON lines, one an item.
#include <bit>
#include <cmath>

#include "base/calendar.h"
#include "sink/printers.h"

namespace limpet {
namespace {

std::string_view MetricKindName(uint32_t kind) {
  switch (kind) {
    case otlp_Metric_gauge_tag: return "gauge";
    case otlp_Metric_sum_tag: return "sum";
    case otlp_Metric_histogram_tag: return "histogram";
    case otlp_Metric_exponential_histogram_tag: return "exponential_histogram";
    case otlp_Metric_summary_tag: return "summary";
    default: return "";
  }
}

std::string_view TemporalityName(uint64_t temporality) {
  switch (temporality) {
    case otlp_AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA: return "delta";
    case otlp_AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE: return "cumulative";
    default: return "";
  }
}

std::string_view StatusName(uint64_t code) {
  switch (code) {
    case otlp_Status_StatusCode_STATUS_CODE_OK: return "ok";
    case otlp_Status_StatusCode_STATUS_CODE_ERROR: return "error";
    default: return "";
  }
}

}  // namespace

void JsonPrinter::OnPoint(const Origin& origin, const MetricView& metric, const PointView& point) {
  Begin(origin.signal);
  Time("time", point.time_ns);
  Time("start_time", point.start_ns);
  Text("name", metric.name);
  Text("unit", metric.unit);
  Text("type", MetricKindName(metric.kind));
  Text("temporality", TemporalityName(metric.temporality));
  if (metric.kind == otlp_Metric_sum_tag) {
    Key("monotonic") << (metric.monotonic ? "true" : "false");
  }
  Attributes(point.attributes);
  if (point.as_int) Key("value") << *point.as_int;
  Double("value", point.as_double);
  if (metric.kind != otlp_Metric_gauge_tag && metric.kind != otlp_Metric_sum_tag) {
    Key("count") << point.count;
    Double("sum", point.sum);
    Double("min", point.min);
    Double("max", point.max);
  }
  if (metric.kind == otlp_Metric_histogram_tag) HistogramFields(point);
  if (metric.kind == otlp_Metric_exponential_histogram_tag) ExponentialFields(point);
  if (metric.kind == otlp_Metric_summary_tag) Quantiles(point);
  End(origin);
}

void JsonPrinter::OnLog(const Origin& origin, const LogView& log) {
  Begin(origin.signal);
  Time("time", log.time_ns);
  Time("observed_time", log.observed_ns);
  if (log.severity != 0) Key("severity_number") << log.severity;
  Text("severity", log.severity_text.empty() ? SeverityName(log.severity) : log.severity_text);
  Text("event_name", log.event_name);
  if (ReadAnyValue(log.body).kind != 0) {
    Key("body");
    Value(log.body);
  }
  Attributes(log.attributes);
  Id("trace_id", log.trace_id);
  Id("span_id", log.span_id);
  End(origin);
}

void JsonPrinter::OnSpan(const Origin& origin, const SpanView& span) {
  Begin(origin.signal);
  Time("start_time", span.start_ns);
  Time("end_time", span.end_ns);
  Text("name", span.name);
  Text("kind", SpanKindName(span.kind));
  Id("trace_id", span.trace_id);
  Id("span_id", span.span_id);
  Id("parent_span_id", span.parent_span_id);
  Text("status", StatusName(span.status));
  Text("status_message", span.status_message);
  Attributes(span.attributes);
  Events(span.message);
  Links(span.message);
  End(origin);
}

void JsonPrinter::Begin(Signal signal) {
  out_ << '{';
  first_ = true;
  Key("signal") << '"' << SignalName(signal) << '"';
}

void JsonPrinter::End(const Origin& origin) {
  Text("scope", origin.scope_name);
  Text("scope_version", origin.scope_version);
  Key("resource");
  Pairs(origin.resource);
  out_ << '}';
  out_.EndLine();
}

LineOut& JsonPrinter::Key(std::string_view key) {
  if (!first_) out_ << ',';
  first_ = false;
  return out_ << '"' << key << "\":";
}

void JsonPrinter::Text(std::string_view key, std::string_view text) {
  if (!text.empty()) Key(key).Quoted(text);
}

void JsonPrinter::Id(std::string_view key, MessageBytes bytes) {
  if (!bytes.empty()) (Key(key) << '"').Hex(bytes) << '"';
}

void JsonPrinter::Time(std::string_view key, uint64_t unix_ns) {
  if (unix_ns == 0) return;
  TextBuffer<40> text;
  WriteRfc3339(text, FromOtlp(unix_ns), 9);
  Key(key) << '"' << text.text() << '"';
}

void JsonPrinter::Double(double value) {
  if (std::isnan(value)) {
    out_ << "\"NaN\"";
  } else if (std::isinf(value)) {
    out_ << (value > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    out_.Double(value);
  }
}

void JsonPrinter::Double(std::string_view key, const std::optional<double>& value) {
  if (!value) return;
  Key(key);
  Double(*value);
}

// As deep as the value, which the validation has bounded.
void JsonPrinter::Value(MessageBytes any_value) {
  const AnyValueView value = ReadAnyValue(any_value);
  switch (value.kind) {
    case otlp_AnyValue_string_value_tag:
      out_.Quoted({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
      break;
    case otlp_AnyValue_bool_value_tag: out_ << (value.bits != 0 ? "true" : "false"); break;
    case otlp_AnyValue_int_value_tag: out_ << static_cast<int64_t>(value.bits); break;
    case otlp_AnyValue_double_value_tag: Double(std::bit_cast<double>(value.bits)); break;
    case otlp_AnyValue_bytes_value_tag: (out_ << '"').Hex(value.bytes) << '"'; break;
    case otlp_AnyValue_array_value_tag: {
      out_ << '[';
      bool first = true;
      for (WireReader in(value.bytes); in.Next();) {
        if (in.field() != otlp_ArrayValue_values_tag) continue;
        if (!first) out_ << ',';
        first = false;
        Value(in.Bytes());
      }
      out_ << ']';
      break;
    }
    case otlp_AnyValue_kvlist_value_tag:
      Pairs({value.bytes, otlp_KeyValueList_values_tag});
      break;
    default: out_ << "null";
  }
}

void JsonPrinter::Pairs(const AttributesView& attributes) {
  out_ << '{';
  bool first = true;
  attributes.ForEach([&](const KeyValueView& pair) {
    if (!first) out_ << ',';
    first = false;
    out_.Quoted(pair.key) << ':';
    Value(pair.value);
  });
  out_ << '}';
}

void JsonPrinter::Attributes(const AttributesView& attributes) {
  Key("attributes");
  Pairs(attributes);
}

void JsonPrinter::HistogramFields(const PointView& point) {
  RepeatedReader bounds(point.message, otlp_HistogramDataPoint_explicit_bounds_tag,
                        WireType::kFixed64);
  Key("bounds") << '[';
  bool first = true;
  for (uint64_t bits = 0; bounds.Next(bits); first = false) {
    if (!first) out_ << ',';
    Double(std::bit_cast<double>(bits));
  }
  out_ << ']';
  RepeatedReader counts(point.message, otlp_HistogramDataPoint_bucket_counts_tag,
                        WireType::kFixed64);
  Key("buckets") << '[';
  first = true;
  for (uint64_t count = 0; counts.Next(count); first = false) {
    if (!first) out_ << ',';
    out_ << count;
  }
  out_ << ']';
}

void JsonPrinter::ExponentialFields(const PointView& point) {
  Key("scale") << point.scale;
  Key("zero_count") << point.zero_count;
  Buckets("positive", point.positive);
  Buckets("negative", point.negative);
}

void JsonPrinter::Buckets(std::string_view key, const BucketsView& buckets) {
  Key(key) << "{\"offset\":" << buckets.offset << ",\"buckets\":[";
  RepeatedReader counts = buckets.counts();
  bool first = true;
  for (uint64_t count = 0; counts.Next(count); first = false) {
    if (!first) out_ << ',';
    out_ << count;
  }
  out_ << "]}";
}

void JsonPrinter::Quantiles(const PointView& point) {
  Key("quantiles") << '[';
  bool first = true;
  for (WireReader in(point.message); in.Next();) {
    if (in.field() != otlp_SummaryDataPoint_quantile_values_tag) continue;
    double quantile = 0, value = 0;
    for (WireReader pair(in.Bytes()); pair.Next();) {
      if (pair.field() == otlp_SummaryDataPoint_ValueAtQuantile_quantile_tag) {
        quantile = pair.Double();
      } else if (pair.field() == otlp_SummaryDataPoint_ValueAtQuantile_value_tag) {
        value = pair.Double();
      }
    }
    out_ << (first ? "{\"quantile\":" : ",{\"quantile\":");
    first = false;
    Double(quantile);
    out_ << ",\"value\":";
    Double(value);
    out_ << '}';
  }
  out_ << ']';
}

void JsonPrinter::Events(MessageBytes span) {
  bool first = true;
  for (WireReader in(span); in.Next();) {
    if (in.field() != otlp_Span_events_tag) continue;
    if (first) {
      Key("events") << '[';
    } else {
      out_ << ',';
    }
    first = false;
    const MessageBytes event = in.Bytes();
    out_ << '{';
    first_ = true;
    uint64_t time_ns = 0;
    std::string_view name;
    for (WireReader fields(event); fields.Next();) {
      if (fields.field() == otlp_Span_Event_time_unix_nano_tag) time_ns = fields.Fixed64();
      if (fields.field() == otlp_Span_Event_name_tag) name = fields.String();
    }
    Time("time", time_ns);
    Text("name", name);
    Attributes({event, otlp_Span_Event_attributes_tag});
    out_ << '}';
  }
  if (!first) out_ << ']';
}

void JsonPrinter::Links(MessageBytes span) {
  bool first = true;
  for (WireReader in(span); in.Next();) {
    if (in.field() != otlp_Span_links_tag) continue;
    if (first) {
      Key("links") << '[';
    } else {
      out_ << ',';
    }
    first = false;
    const MessageBytes link = in.Bytes();
    out_ << '{';
    first_ = true;
    for (WireReader fields(link); fields.Next();) {
      if (fields.field() == otlp_Span_Link_trace_id_tag) Id("trace_id", fields.Bytes());
      if (fields.field() == otlp_Span_Link_span_id_tag) Id("span_id", fields.Bytes());
    }
    Attributes({link, otlp_Span_Link_attributes_tag});
    out_ << '}';
  }
  if (!first) out_ << ']';
}

}  // namespace limpet
