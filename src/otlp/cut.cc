#include "otlp/cut.h"

#include <algorithm>
#include <array>
#include <bit>

#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

/// A set of field numbers, all below 32.
template <typename... Tags>
constexpr uint32_t Fields(Tags... tags) {
  return ((uint32_t{1} << tags) | ...);
}

/// The way from a request to its items, and where those have their time.
struct Shape {
  std::array<uint32_t, 5> path;  // At each level the fields that lead on; the last are the items.
  size_t levels;
  uint32_t time, time_else;      // Fields of an item; the other one counts where the first is 0.
};

constexpr std::array<Shape, kSignalCount> kShapes = {{
    {{Fields(otlp_ExportMetricsServiceRequest_resource_metrics_tag),
      Fields(otlp_ResourceMetrics_scope_metrics_tag), Fields(otlp_ScopeMetrics_metrics_tag),
      Fields(otlp_Metric_gauge_tag, otlp_Metric_sum_tag, otlp_Metric_histogram_tag,
             otlp_Metric_exponential_histogram_tag, otlp_Metric_summary_tag),
      Fields(otlp_Gauge_data_points_tag)},
     5,
     otlp_NumberDataPoint_time_unix_nano_tag,
     otlp_NumberDataPoint_time_unix_nano_tag},
    {{Fields(otlp_ExportLogsServiceRequest_resource_logs_tag),
      Fields(otlp_ResourceLogs_scope_logs_tag), Fields(otlp_ScopeLogs_log_records_tag)},
     3,
     otlp_LogRecord_time_unix_nano_tag,
     otlp_LogRecord_observed_time_unix_nano_tag},
    {{Fields(otlp_ExportTraceServiceRequest_resource_spans_tag),
      Fields(otlp_ResourceSpans_scope_spans_tag), Fields(otlp_ScopeSpans_spans_tag)},
     3,
     otlp_Span_start_time_unix_nano_tag,
     otlp_Span_start_time_unix_nano_tag},
}};

// All kinds of data of a metric have the numbers of the first.
constexpr uint32_t kPoints = otlp_Gauge_data_points_tag;
static_assert(kPoints == otlp_Sum_data_points_tag);
static_assert(kPoints == otlp_Histogram_data_points_tag);
static_assert(kPoints == otlp_ExponentialHistogram_data_points_tag);
static_assert(kPoints == otlp_Summary_data_points_tag);
constexpr uint32_t kPointTime = otlp_NumberDataPoint_time_unix_nano_tag;
static_assert(kPointTime == otlp_HistogramDataPoint_time_unix_nano_tag);
static_assert(kPointTime == otlp_ExponentialHistogramDataPoint_time_unix_nano_tag);
static_assert(kPointTime == otlp_SummaryDataPoint_time_unix_nano_tag);

/// Is shown the items in the order of the request.
class ItemVisitor {
 public:
  /// time_ns: as in the message, 0 when it has none. False cuts the item out.
  virtual bool Keep(uint64_t time_ns) = 0;

 protected:
  ~ItemVisitor() = default;
};

/// One pass over a request.
class Walk {
 public:
  /// out: takes what is kept; nullptr when the pass only looks.
  Walk(const Shape& shape, ItemVisitor& visitor, WireWriter* out)
      : shape_(shape), visitor_(visitor), out_(out) {}

  /// Calls itself for what is nested, as deep as the shape.
  Status Level(size_t level, WireReader in);

 private:
  Result<uint64_t> TimeOf(WireReader item) const;
  Status Nested(size_t level, WireReader& in);

  const Shape& shape_;
  ItemVisitor& visitor_;
  WireWriter* const out_;
  uint32_t kept_ = 0;
};

Result<uint64_t> Walk::TimeOf(WireReader item) const {
  uint64_t time = 0, otherwise = 0;
  while (item.Next()) {
    if (item.field() == shape_.time) {
      time = item.Fixed64();
    } else if (item.field() == shape_.time_else) {
      otherwise = item.Fixed64();
    }
  }
  LIMPET_TRY(item.status());
  return time != 0 ? time : otherwise;
}

Status Walk::Nested(size_t level, WireReader& in) {
  const WireReader message = in.Message();
  LIMPET_TRY(in.status());
  if (level + 1 == shape_.levels) {
    const Result<uint64_t> time = TimeOf(message);
    LIMPET_TRY(time.status());
    if (!visitor_.Keep(time.value())) return {};
    ++kept_;
    if (out_ != nullptr) out_->Raw(in.raw());
    return {};
  }
  if (out_ == nullptr) return Level(level + 1, message);
  const uint32_t kept_before = kept_;
  const size_t begin = out_->size();
  const size_t mark = out_->Open(in.field());
  LIMPET_TRY(Level(level + 1, message));
  if (kept_ == kept_before) {
    out_->Rewind(begin);
  } else {
    out_->Close(mark);
  }
  return {};
}

Status Walk::Level(size_t level, WireReader in) {
  while (in.Next()) {
    if (in.field() < 32 && (shape_.path[level] >> in.field() & 1) != 0) {
      LIMPET_TRY(Nested(level, in));
    } else if (out_ != nullptr) {
      out_->Raw(in.raw());
    }
  }
  return in.status();
}

void Add(ItemSummary& summary, uint64_t time_ns) {
  ++summary.items;
  if (time_ns == 0) return;
  const UnixTime time{static_cast<int64_t>(std::min<uint64_t>(time_ns, INT64_MAX))};
  if (summary.first.ns == 0 || time < summary.first) summary.first = time;
  if (time > summary.last) summary.last = time;
}

class Survey final : public ItemVisitor {
 public:
  bool Keep(uint64_t time_ns) override {
    Add(summary, time_ns);
    in_order = in_order && time_ns >= before_;
    before_ = time_ns;
    least = std::min(least, time_ns);
    most = std::max(most, time_ns);
    return true;
  }

  ItemSummary summary;
  bool in_order = true;
  uint64_t least = UINT64_MAX, most = 0;

 private:
  uint64_t before_ = 0;
};

/// Counts the items by eight bits of their time, those that agree with `prefix` in the bits above.
class DigitCounter final : public ItemVisitor {
 public:
  DigitCounter(uint64_t prefix, int shift) : prefix_(prefix), shift_(shift) {}

  bool Keep(uint64_t time_ns) override {
    // Twice, since all 64 bits may be too many for one shift.
    if ((time_ns ^ prefix_) >> shift_ >> 8 == 0) ++counts[time_ns >> shift_ & 0xff];
    return true;
  }

  std::array<uint32_t, 256> counts{};

 private:
  const uint64_t prefix_;
  const int shift_;
};

/// A rank, as what can be seen on the way: the time of the item that has it, and how many of the
/// same time stand before that one.
struct Bound {
  uint64_t time_ns = 0;
  uint32_t skip = 0;

  /// Asked of each item in turn: is its rank this one or a higher one?
  bool Reached(uint64_t time) {
    if (time != time_ns) return time > time_ns;
    if (skip == 0) return true;
    --skip;
    return false;
  }
};

/// Selects by counting, eight bits of the time in each pass, from where the times begin to differ.
Result<Bound> Find(const Shape& shape, WireReader request, const Survey& survey, uint32_t rank) {
  if (rank >= survey.summary.items) return Bound{UINT64_MAX, UINT32_MAX};
  Bound bound{survey.least, rank};
  const auto differing = static_cast<int>(std::bit_width(survey.least ^ survey.most));
  for (int shift = (differing - 1) / 8 * 8; shift >= 0; shift -= 8) {
    DigitCounter digits(bound.time_ns, shift);
    LIMPET_TRY(Walk(shape, digits, nullptr).Level(0, request));
    size_t digit = 0;
    for (; bound.skip >= digits.counts[digit]; ++digit) bound.skip -= digits.counts[digit];
    bound.time_ns = (bound.time_ns & ~(uint64_t{0xff} << shift)) | uint64_t{digit} << shift;
  }
  return bound;
}

class RangeKeeper final : public ItemVisitor {
 public:
  /// by_place: in a request in order of time, rank is place, as if all times were 0.
  RangeKeeper(Bound first, Bound last, bool by_place)
      : first_(first), last_(last), by_place_(by_place) {}

  bool Keep(uint64_t time_ns) override {
    const uint64_t key = by_place_ ? 0 : time_ns;
    const bool begun = first_.Reached(key);
    const bool over = last_.Reached(key);
    if (!begun || over) return false;
    Add(kept, time_ns);
    return true;
  }

  ItemSummary kept;

 private:
  Bound first_, last_;
  const bool by_place_;
};

}  // namespace

Result<ItemSummary> SummarizeItems(Signal signal, std::span<const uint8_t> request) {
  Survey survey;
  LIMPET_TRY(Walk(kShapes[Index(signal)], survey, nullptr).Level(0, WireReader(request)));
  return survey.summary;
}

Result<RequestPart> CutItems(Signal signal, std::span<uint8_t> request, uint32_t first,
                             uint32_t last) {
  const Shape& shape = kShapes[Index(signal)];
  const WireReader in(request);
  Survey survey;  // Once it is through, no later pass can find a mistake.
  LIMPET_TRY(Walk(shape, survey, nullptr).Level(0, in));
  Result<Bound> begin = Bound{0, first}, end = Bound{0, last};
  if (!survey.in_order) {
    begin = Find(shape, in, survey, first);
    end = Find(shape, in, survey, last);
    LIMPET_TRY(begin.status());
    LIMPET_TRY(end.status());
  }
  RangeKeeper keeper(begin.value(), end.value(), survey.in_order);
  WireWriter out(request);  // C3: a tag or length may get shorter, never longer.
  LIMPET_TRY(Walk(shape, keeper, &out).Level(0, in));
  LIMPET_CHECK(out.ok());
  return RequestPart{out.size(), keeper.kept};
}

}  // namespace limpet
