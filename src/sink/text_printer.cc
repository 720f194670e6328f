// Prints items for people: one line an item, in columns.
#include <algorithm>
#include <array>
#include <bit>

#include "base/calendar.h"
#include "sink/printers.h"

namespace limpet {
namespace {

// Where the columns begin.
constexpr size_t kAfterTime = 25;
constexpr size_t kAfterName = 57;
constexpr size_t kAfterAttributes = 92;
constexpr size_t kAfterSeverity = 33;
constexpr size_t kAfterDuration = 38;
constexpr size_t kAfterSpan = 70;

Colour SeverityColour(uint64_t severity) {
  if (severity >= otlp_SeverityNumber_SEVERITY_NUMBER_ERROR) return Colour::kRed;
  if (severity >= otlp_SeverityNumber_SEVERITY_NUMBER_WARN) return Colour::kYellow;
  if (severity >= otlp_SeverityNumber_SEVERITY_NUMBER_INFO) return Colour::kGreen;
  return Colour::kDim;
}

/// "1.250 ms", in the unit that leaves one to three digits before the point.
void WriteDuration(LineOut& out, const SpanView& span) {
  if (span.start_ns == 0 || span.end_ns < span.start_ns) {
    out << '-';
    return;
  }
  struct Unit { double ns; const char* name; };
  constexpr Unit kUnits[] = {{1e9, " s"}, {1e6, " ms"}, {1e3, " us"}};
  const auto ns = static_cast<double>(span.end_ns - span.start_ns);
  for (const Unit& unit : kUnits) {
    if (ns < unit.ns) continue;
    TextBuffer<40> text;
    text.Fixed(ns / unit.ns, 3);
    out << text.text() << unit.name;
    return;
  }
  out << (span.end_ns - span.start_ns) << " ns";
}

/// The attribute as a text; empty when it is none.
std::string_view FindText(const AttributesView& attributes, std::string_view key) {
  std::string_view found;
  attributes.ForEach([&](const KeyValueView& pair) {
    if (pair.key != key) return;
    const AnyValueView value = ReadAnyValue(pair.value);
    if (value.kind != otlp_AnyValue_string_value_tag) return;
    found = {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
  });
  return found;
}

}  // namespace

std::string_view SeverityName(uint64_t number) {
  constexpr std::array<std::string_view, otlp_SeverityNumber_SEVERITY_NUMBER_FATAL4 + 1> kNames = {
      "",      "TRACE",  "TRACE2", "TRACE3", "TRACE4", "DEBUG", "DEBUG2", "DEBUG3", "DEBUG4",
      "INFO",  "INFO2",  "INFO3",  "INFO4",  "WARN",   "WARN2", "WARN3",  "WARN4",  "ERROR",
      "ERROR2", "ERROR3", "ERROR4", "FATAL", "FATAL2", "FATAL3", "FATAL4"};
  return number < kNames.size() ? kNames[static_cast<size_t>(number)] : std::string_view();
}

std::string_view SpanKindName(uint64_t kind) {
  switch (kind) {
    case otlp_Span_SpanKind_SPAN_KIND_INTERNAL: return "internal";
    case otlp_Span_SpanKind_SPAN_KIND_SERVER: return "server";
    case otlp_Span_SpanKind_SPAN_KIND_CLIENT: return "client";
    case otlp_Span_SpanKind_SPAN_KIND_PRODUCER: return "producer";
    case otlp_Span_SpanKind_SPAN_KIND_CONSUMER: return "consumer";
    default: return "";
  }
}

UnixTime FromOtlp(uint64_t unix_ns) {
  constexpr uint64_t kLatest = INT64_MAX - 86'400'000'000'000;  // A time zone must still fit.
  return UnixTime{static_cast<int64_t>(std::min(unix_ns, kLatest))};
}

void TextPrinter::OnResource(const Origin& origin, size_t items) {
  out_.Use(Colour::kBold) << "# " << SignalName(origin.signal) << ' ';
  for (const std::string_view key : {"service.name", "host.name"}) {
    const std::string_view value = FindText(origin.resource, key);
    if (value.empty()) continue;
    out_ << ' ' << key << '=';
    Word(value);
  }
  out_ << "  " << items << (items == 1 ? " item" : " items");
  out_.EndLine();
}

void TextPrinter::OnPoint(const Origin&, const MetricView& metric, const PointView& point) {
  Time(point.time_ns);
  out_.Use(Colour::kCyan).Foreign(metric.name).Use(Colour::kNone).Pad(kAfterName);
  Pairs(point.attributes);
  out_.Pad(kAfterAttributes);
  PointValue(metric, point);
  out_.EndLine();
}

void TextPrinter::OnLog(const Origin&, const LogView& log) {
  Time(log.time_ns != 0 ? log.time_ns : log.observed_ns);
  out_.Use(SeverityColour(log.severity));
  const std::string_view name = SeverityName(log.severity);
  if (!name.empty()) {
    out_ << name;
  } else {
    out_.Foreign(log.severity_text.empty() ? "-" : log.severity_text);
  }
  out_.Use(Colour::kNone).Pad(kAfterSeverity);
  if (!log.event_name.empty()) out_.Use(Colour::kCyan).Foreign(log.event_name).Use(Colour::kNone) << ' ';
  const AnyValueView body = ReadAnyValue(log.body);
  if (body.kind == otlp_AnyValue_string_value_tag) {
    out_.Foreign({reinterpret_cast<const char*>(body.bytes.data()), body.bytes.size()});
  } else if (body.kind != 0) {
    Value(log.body);
  }
  out_ << "  ";
  Pairs(log.attributes);
  if (!log.trace_id.empty()) (out_ << "  trace=").Hex(log.trace_id);
  if (!log.span_id.empty()) (out_ << " span=").Hex(log.span_id);
  out_.EndLine();
}

void TextPrinter::OnSpan(const Origin&, const SpanView& span) {
  Time(span.start_ns);
  WriteDuration(out_, span);
  out_.Pad(kAfterDuration).Use(Colour::kCyan).Foreign(span.name).Use(Colour::kNone).Pad(kAfterSpan);
  Pairs(span.attributes);
  const std::string_view kind = SpanKindName(span.kind);
  if (!kind.empty()) out_ << "  " << kind;
  (out_ << "  trace=").Hex(span.trace_id);
  (out_ << " span=").Hex(span.span_id);
  if (!span.parent_span_id.empty()) (out_ << " parent=").Hex(span.parent_span_id);
  if (span.status == otlp_Status_StatusCode_STATUS_CODE_ERROR) {
    out_.Use(Colour::kRed) << "  error";
    if (!span.status_message.empty()) (out_ << ": ").Foreign(span.status_message);
  }
  out_.EndLine();
}

void TextPrinter::Time(uint64_t unix_ns) {
  out_.Use(Colour::kDim);
  if (unix_ns == 0) {
    out_ << '-';
  } else {
    const UnixTime time = FromOtlp(unix_ns);
    TextBuffer<40> text;
    WriteRfc3339(text, time + zone_.OffsetAt(time));
    constexpr size_t kDateSize = sizeof "2026-11-21" - 1;
    out_ << text.text().substr(0, kDateSize) << ' '
         << text.text().substr(kDateSize + 1, sizeof "10:15:30.000" - 1);
  }
  out_.Use(Colour::kNone).Pad(kAfterTime);
}

/// A text among others: in quotes when it could be taken for something else.
void TextPrinter::Word(std::string_view text) {
  if (text.empty() || text.find_first_of(" ,={}[]\"\\") != std::string_view::npos) {
    out_.Quoted(text);
  } else {
    out_.Foreign(text);
  }
}

// As deep as the value, which the validation has bounded.
void TextPrinter::Value(MessageBytes any_value) {
  const AnyValueView value = ReadAnyValue(any_value);
  switch (value.kind) {
    case otlp_AnyValue_string_value_tag:
      Word({reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()});
      break;
    case otlp_AnyValue_bool_value_tag: out_ << (value.bits != 0 ? "true" : "false"); break;
    case otlp_AnyValue_int_value_tag: out_ << static_cast<int64_t>(value.bits); break;
    case otlp_AnyValue_double_value_tag: out_.Double(std::bit_cast<double>(value.bits)); break;
    case otlp_AnyValue_bytes_value_tag: (out_ << "0x").Hex(value.bytes); break;
    case otlp_AnyValue_array_value_tag: {
      const char* separator = "[";
      for (WireReader in(value.bytes); in.Next();) {
        if (in.field() != otlp_ArrayValue_values_tag) continue;
        out_ << separator;
        Value(in.Bytes());
        separator = ", ";
      }
      out_ << (*separator == '[' ? "[]" : "]");
      break;
    }
    case otlp_AnyValue_kvlist_value_tag:
      Pairs({value.bytes, otlp_KeyValueList_values_tag});
      break;
    default: out_ << '-';
  }
}

void TextPrinter::Pairs(const AttributesView& attributes) {
  const char* separator = "{";
  attributes.ForEach([&](const KeyValueView& pair) {
    out_ << separator;
    Word(pair.key);
    out_ << '=';
    Value(pair.value);
    separator = ", ";
  });
  out_ << (*separator == '{' ? "{}" : "}");
}

void TextPrinter::Number(const char* label, double value, std::string_view unit) {
  (out_ << label).Double(value);
  if (!unit.empty() && unit != "1") (out_ << ' ').Foreign(unit);
}

void TextPrinter::PointValue(const MetricView& metric, const PointView& point) {
  if (metric.kind == otlp_Metric_gauge_tag || metric.kind == otlp_Metric_sum_tag) {
    if (point.as_double) {
      Number("", *point.as_double, metric.unit);
    } else if (point.as_int) {
      out_ << *point.as_int;
      if (!metric.unit.empty() && metric.unit != "1") (out_ << ' ').Foreign(metric.unit);
    } else {
      out_ << '-';
    }
  } else {
    out_ << "count=" << point.count;
    if (point.sum) Number(" sum=", *point.sum, metric.unit);
    if (point.min) Number(" min=", *point.min, {});
    if (point.max) Number(" max=", *point.max, {});
    if (metric.kind == otlp_Metric_histogram_tag) HistogramBuckets(point);
    if (metric.kind == otlp_Metric_summary_tag) Quantiles(point);
    if (metric.kind == otlp_Metric_exponential_histogram_tag) {
      out_ << " scale=" << point.scale << " zero=" << point.zero_count;
      ExponentialBuckets(" positive", point.positive);
      ExponentialBuckets(" negative", point.negative);
    }
  }
  if (metric.temporality == otlp_AggregationTemporality_AGGREGATION_TEMPORALITY_DELTA) {
    out_ << " (delta)";
  }
}

/// " <=5:12 >5:1", without the empty ones.
void TextPrinter::HistogramBuckets(const PointView& point) {
  RepeatedReader counts(point.message, otlp_HistogramDataPoint_bucket_counts_tag,
                        WireType::kFixed64);
  RepeatedReader bounds(point.message, otlp_HistogramDataPoint_explicit_bounds_tag,
                        WireType::kFixed64);
  uint64_t count = 0, bound = 0, last_bound = 0;
  bool any_bound = false;
  while (counts.Next(count)) {
    const bool bounded = bounds.Next(bound);
    if (bounded) {
      last_bound = bound;
      any_bound = true;
    }
    if (count == 0) continue;
    if (any_bound) {
      (out_ << (bounded ? " <=" : " >")).Double(std::bit_cast<double>(last_bound)) << ':' << count;
    }
  }
}

/// " positive[-3]=4,0,1": the counts from the bucket of that index on.
void TextPrinter::ExponentialBuckets(const char* label, const BucketsView& buckets) {
  RepeatedReader counts = buckets.counts();
  bool first = true;
  for (uint64_t count = 0; counts.Next(count); first = false) {
    if (first) {
      out_ << label << '[' << buckets.offset << "]=";
    } else {
      out_ << ',';
    }
    out_ << count;
  }
}

/// " q0.99=12.5".
void TextPrinter::Quantiles(const PointView& point) {
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
    ((out_ << " q").Double(quantile) << '=').Double(value);
  }
}

}  // namespace limpet
