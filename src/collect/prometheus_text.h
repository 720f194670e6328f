// The text format of Prometheus, version 0.0.4, as programs write it to files: metrics with their
// type, and samples with labels.
// Source: prometheus.io/docs/instrumenting/exposition_formats
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "otlp/metric_sink.h"

namespace limpet {

inline constexpr size_t kPrometheusLabelsMax = 32;      // Of a sample.
inline constexpr size_t kPrometheusBoundsMax = 64;      // Of a histogram, +Inf left out; quantiles likewise.
inline constexpr size_t kPrometheusLineBytesMax = 2048; // Of a sample.

/// A sample, or the samples that are one histogram or summary together.
struct PrometheusPoint {
  std::span<const Attribute> attributes;  ///< Labels in their order, without `le` or `quantile`; none empty.
  uint64_t identity = 0;                  ///< Hash of the metric's name and the labels in any order.
  double value = 0;                       ///< Of a counter or gauge; may be NaN or infinite.
  std::span<const double> bounds = {};    ///< Of a histogram: finite, ascending.
  std::span<const uint64_t> buckets = {}; ///< Counts between the bounds, one more than bounds.
  std::span<const Quantile> quantiles = {};  ///< Of a summary, ascending.
  uint64_t count = 0;                     ///< Of a histogram or summary, as is `sum`.
  double sum = 0;
};

/// What it is handed lives until it returns, the names of metrics as long as the parsed text.
class PrometheusHandler {
 public:
  /// Once for each metric, before its points. instrument: an untyped one is a gauge.
  /// identity: hash of the name. A failure ends the parsing.
  virtual Status OnMetric(std::string_view name, Instrument instrument, uint64_t identity) = 0;
  virtual Status OnPoint(Instrument instrument, const PrometheusPoint& point) = 0;

 protected:
  ~PrometheusHandler() = default;
};

/// Hands over what stands in the text until its first mistake, which it returns: kInvalid, the line
/// in `detail`, what is wrong with it in `where`. A failure of the handler is given its line.
/// It is for the handler to refuse a metric or a point that comes twice.
/// text: a whole file. A sample with a timestamp is refused: what lies in a file is as old as that,
/// and a point with another time than its cycle would arrive out of order.
Status ParsePrometheusText(std::string_view text, PrometheusHandler& handler);

}  // namespace limpet
