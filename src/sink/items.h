// The items of a validated export request, one by one, as views into its bytes: what the printers
// print. Metrics, logs and traces have the same three levels: resource, scope, items.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "limpet/batch.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {

using MessageBytes = std::span<const uint8_t>;

/// A KeyValue; its value is an AnyValue.
struct KeyValueView {
  std::string_view key;
  MessageBytes value;
};
KeyValueView ReadKeyValue(MessageBytes message);

/// Attributes, which stand in a message among its other fields under the number `field`.
struct AttributesView {
  MessageBytes message;
  uint32_t field = 0;

  template <typename Use>
  void ForEach(Use use) const {
    for (WireReader in(message); in.Next();) {
      if (in.field() == field) use(ReadKeyValue(in.Bytes()));
    }
  }
};

struct AnyValueView {
  uint32_t kind = 0;   ///< Tag of the field that is set; 0: none.
  uint64_t bits = 0;   ///< Of a bool, int or double.
  MessageBytes bytes;  ///< Of a text, bytes, an array or a list.
};
AnyValueView ReadAnyValue(MessageBytes message);

/// Where an item belongs.
struct Origin {
  Signal signal = Signal::kMetrics;
  AttributesView resource;
  std::string_view scope_name, scope_version;
};

struct MetricView {
  std::string_view name, unit;
  uint32_t kind = 0;  ///< Tag of Metric's data: otlp_Metric_gauge_tag, …
  MessageBytes data;
  uint64_t temporality = 0;
  bool monotonic = false;
};

struct BucketsView {
  int64_t offset = 0;
  MessageBytes message;
  RepeatedReader counts() const {
    return {message, otlp_ExponentialHistogramDataPoint_Buckets_bucket_counts_tag,
            WireType::kVarint};
  }
};

/// A data point of any kind; what its kind does not have is empty.
struct PointView {
  uint64_t start_ns = 0, time_ns = 0;  ///< Since 1970; 0: not given.
  AttributesView attributes;
  std::optional<int64_t> as_int;
  std::optional<double> as_double;
  uint64_t count = 0;
  std::optional<double> sum, min, max;
  int64_t scale = 0;
  uint64_t zero_count = 0;
  BucketsView positive, negative;
  MessageBytes message;  ///< For the repeated fields of histograms and summaries.
};

struct LogView {
  uint64_t time_ns = 0, observed_ns = 0;
  uint64_t severity = 0;
  std::string_view severity_text, event_name;
  MessageBytes body;  ///< An AnyValue.
  MessageBytes trace_id, span_id;
  AttributesView attributes;
};

struct SpanView {
  std::string_view name;
  uint64_t kind = 0;
  uint64_t start_ns = 0, end_ns = 0;
  MessageBytes trace_id, span_id, parent_span_id;
  uint64_t status = 0;
  std::string_view status_message;
  AttributesView attributes;
  MessageBytes message;  ///< For its events and links.
};

/// Takes the items in order.
class ItemHandler {
 public:
  virtual void OnResource(const Origin& origin, size_t items) = 0;
  virtual void OnPoint(const Origin& origin, const MetricView& metric, const PointView& point) = 0;
  virtual void OnLog(const Origin& origin, const LogView& log) = 0;
  virtual void OnSpan(const Origin& origin, const SpanView& span) = 0;
  /// Asked before each item: true ends the walk.
  virtual bool Enough() const = 0;

 protected:
  ~ItemHandler() = default;
};

/// request: one that ValidateExportRequest has passed; of another, parts are left out.
void ForEachItem(Signal signal, MessageBytes request, ItemHandler& handler);

}  // namespace limpet
