#include "serve/prometheus.h"

#include <cmath>
#include <limits>

namespace limpet {
namespace {

void WriteName(TextWriter& out, std::string_view name) {
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    out << (plain ? c : '_');
  }
}

void WriteLabelValue(TextWriter& out, std::string_view value) {
  for (const char c : value) {
    if (c == '\n') {
      out << "\\n";
    } else if (c == '"' || c == '\\') {
      out << '\\' << c;
    } else {
      out << c;
    }
  }
}

std::string_view TypeName(Instrument instrument) {
  switch (instrument) {
    case Instrument::kCounter:
      return "counter";
    case Instrument::kHistogram:
      return "histogram";
    case Instrument::kSummary:
      return "summary";
    case Instrument::kGauge:
    case Instrument::kUpDownCounter:
      return "gauge";
  }
  return "unknown";
}

std::string_view UnitSuffix(std::string_view unit) {
  if (unit == "s") return "_seconds";
  if (unit == "By") return "_bytes";
  return "";
}

}  // namespace

std::string_view PrometheusContentType(PrometheusFormat format) {
  return format == PrometheusFormat::kOpenMetrics
             ? "application/openmetrics-text; version=1.0.0; charset=utf-8"
             : "text/plain; version=0.0.4; charset=utf-8";
}

PrometheusFormat ChoosePrometheusFormat(std::string_view accept) {
  return accept.find("application/openmetrics-text") != std::string_view::npos
             ? PrometheusFormat::kOpenMetrics
             : PrometheusFormat::kText;
}

void PrometheusSink::Family() {
  WriteName(out_, metric_.name);
  out_ << UnitSuffix(metric_.unit);
}

void PrometheusSink::Begin(const Metric& metric) {
  metric_ = metric;
  announced_ = false;
}

void PrometheusSink::Announce() {
  if (announced_) return;
  announced_ = true;
  out_ << "# TYPE ";
  Family();
  // OpenMetrics names the family, the older text the samples.
  if (metric_.instrument == Instrument::kCounter && format_ == PrometheusFormat::kText) {
    out_ << "_total";
  }
  out_ << ' ' << TypeName(metric_.instrument) << '\n';
}

void PrometheusSink::Number(double value) {
  out_.Double(value);
  // OpenMetrics wants the bounds of buckets to be written as floating-point numbers.
  const bool whole = value == std::floor(value) && std::abs(value) < 1e15;
  if (whole && format_ == PrometheusFormat::kOpenMetrics) out_ << ".0";
}

/// Name and labels, without the closing brace.
void PrometheusSink::Sample(std::string_view suffix, std::span<const Attribute> attributes) {
  Family();
  out_ << suffix;
  char separator = '{';
  for (const Attribute& attribute : attributes) {
    out_ << separator;
    separator = ',';
    WriteName(out_, attribute.key);
    out_ << "=\"";
    if (attribute.is_number) {
      out_ << attribute.number;
    } else {
      WriteLabelValue(out_, attribute.text);
    }
    out_ << '"';
  }
}

void PrometheusSink::Int(std::span<const Attribute> attributes, int64_t value) {
  Announce();
  Sample(metric_.instrument == Instrument::kCounter ? "_total" : "", attributes);
  out_ << (attributes.empty() ? " " : "} ") << value << '\n';
}

void PrometheusSink::Double(std::span<const Attribute> attributes, double value) {
  Announce();
  Sample(metric_.instrument == Instrument::kCounter ? "_total" : "", attributes);
  out_ << (attributes.empty() ? " " : "} ");
  out_.Double(value) << '\n';
}

void PrometheusSink::Bucket(std::span<const Attribute> attributes, double bound, uint64_t count) {
  Sample("_bucket", attributes);
  out_ << (attributes.empty() ? '{' : ',') << "le=\"";
  Number(bound);
  out_ << "\"} " << count << '\n';
}

void PrometheusSink::Histogram(std::span<const Attribute> attributes,
                               std::span<const double> bounds, std::span<const uint64_t> buckets,
                               double sum) {
  Announce();
  uint64_t count = 0;
  for (size_t i = 0; i < buckets.size(); ++i) {
    count += buckets[i];
    const bool last = i >= bounds.size();
    Bucket(attributes, last ? std::numeric_limits<double>::infinity() : bounds[i], count);
  }
  Sample("_sum", attributes);
  out_ << (attributes.empty() ? " " : "} ");
  out_.Double(sum) << '\n';
  Sample("_count", attributes);
  out_ << (attributes.empty() ? " " : "} ") << count << '\n';
}

void PrometheusSink::Finish() {
  if (format_ == PrometheusFormat::kOpenMetrics) out_ << "# EOF\n";
}

}  // namespace limpet
