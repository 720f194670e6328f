// The two ways in which `limpet sink` shows what it receives.
#pragma once

#include <cstddef>
#include <cstdint>

#include "limpet/time.h"
#include "sink/items.h"
#include "sink/line_out.h"

namespace limpet {

/// One request prints at most this and the line that crosses it: 4 MiB can be made to say so little
/// so often (a long name with many points) that it would never end.
inline constexpr uint64_t kSinkOutputMax = 64u << 20;

/// The local time of whoever is looking.
class TimeZone {
 public:
  /// What local time was ahead of UTC at that moment.
  virtual Duration OffsetAt(UnixTime time) = 0;

 protected:
  ~TimeZone() = default;
};

/// For people: a heading for each resource, then a line for each item, in columns.
///
///   # metrics  service.name=limpet host.name=gw-7  2 items
///   2026-11-21 10:15:30.000  system.cpu.time   {cpu.mode=user}    17.25 s
///   # logs  service.name=app host.name=gw-7  1 item
///   2026-11-21 10:15:31.250  WARN   disk is nearly full  {disk=sda1}
///   # traces  service.name=app host.name=gw-7  1 item
///   2026-11-21 10:15:31.250  12.500 ms  GET /  {}  trace=4bf9… span=00f0…
class TextPrinter final : public ItemHandler {
 public:
  TextPrinter(LineOut& out, TimeZone& zone) : out_(out), zone_(zone) {}

  void OnResource(const Origin& origin, size_t items) override;
  void OnPoint(const Origin& origin, const MetricView& metric, const PointView& point) override;
  void OnLog(const Origin& origin, const LogView& log) override;
  void OnSpan(const Origin& origin, const SpanView& span) override;
  bool Enough() const override { return out_.bytes() >= kSinkOutputMax; }

 private:
  void Time(uint64_t unix_ns);
  void Word(std::string_view text);
  void Value(MessageBytes any_value);
  void Pairs(const AttributesView& attributes);
  void PointValue(const MetricView& metric, const PointView& point);
  void Number(const char* label, double value, std::string_view unit);
  void HistogramBuckets(const PointView& point);
  void ExponentialBuckets(const char* label, const BucketsView& buckets);
  void Quantiles(const PointView& point);

  LineOut& out_;
  TimeZone& zone_;
};

/// For programs: an object for each item, complete with its resource and scope. Times are RFC 3339
/// in UTC with nanoseconds, ids and bytes are hex, NaN and infinities strings; what an item does not
/// have is left out.
class JsonPrinter final : public ItemHandler {
 public:
  explicit JsonPrinter(LineOut& out) : out_(out) {}

  void OnResource(const Origin&, size_t) override {}
  void OnPoint(const Origin& origin, const MetricView& metric, const PointView& point) override;
  void OnLog(const Origin& origin, const LogView& log) override;
  void OnSpan(const Origin& origin, const SpanView& span) override;
  bool Enough() const override { return out_.bytes() >= kSinkOutputMax; }

 private:
  void Begin(Signal signal);
  void End(const Origin& origin);
  LineOut& Key(std::string_view key);
  void Text(std::string_view key, std::string_view text);
  void Id(std::string_view key, MessageBytes bytes);
  void Time(std::string_view key, uint64_t unix_ns);
  void Double(double value);
  void Double(std::string_view key, const std::optional<double>& value);
  void Value(MessageBytes any_value);
  void Pairs(const AttributesView& attributes);
  void Attributes(const AttributesView& attributes);
  void HistogramFields(const PointView& point);
  void ExponentialFields(const PointView& point);
  void Buckets(std::string_view key, const BucketsView& buckets);
  void Quantiles(const PointView& point);
  void Events(MessageBytes span);
  void Links(MessageBytes span);

  LineOut& out_;
  bool first_ = true;  // No key has been written in the object that is open.
};

/// "TRACE" to "FATAL4"; empty for other numbers.
std::string_view SeverityName(uint64_t number);
/// "internal", "server", …; empty for other numbers.
std::string_view SpanKindName(uint64_t kind);

/// OTLP's unsigned nanoseconds since 1970, what is beyond our range (April 2262) cut to it.
UnixTime FromOtlp(uint64_t unix_ns);

}  // namespace limpet
