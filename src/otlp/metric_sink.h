// Where measured points go: the one interface between those who measure (collect/, the own metrics)
// and those who write (the OTLP encoder, the Prometheus page, a test that remembers them).
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <type_traits>

#include "limpet/time.h"

namespace limpet {

enum class Instrument : uint8_t { kGauge, kCounter, kUpDownCounter, kHistogram, kSummary };

/// A metric's identity: name and unit of the semantic conventions; an empty unit is none.
struct Metric {
  std::string_view name;
  std::string_view unit;
  Instrument instrument = Instrument::kGauge;
};

/// One attribute: a text, a number, or a truth, whose `text` is "true" or "false" for people.
struct Attribute {
  constexpr Attribute() = default;  ///< For arrays that are filled later.
  constexpr Attribute(std::string_view k, std::string_view v) : key(k), text(v) {}
  constexpr Attribute(std::string_view k, const char* v) : key(k), text(v) {}
  template <typename Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, bool>)
  constexpr Attribute(std::string_view k, Integer v)
      : key(k), number(static_cast<int64_t>(v)), is_number(true) {}
  template <typename Bool>
    requires(std::is_same_v<Bool, bool>)
  constexpr Attribute(std::string_view k, Bool v)
      : key(k), text(v ? "true" : "false"), number(v ? 1 : 0), is_bool(true) {}

  std::string_view key;
  std::string_view text;
  int64_t number = 0;
  bool is_number = false;
  bool is_bool = false;
};

/// A value that a part of what was observed does not exceed; quantile: that part, 0 to 1.
struct Quantile {
  double quantile = 0;
  double value = 0;
};

class MetricSink {
 public:
  /// The metrics that follow, until EndEntity, are of a part of the host that is a resource of its
  /// own: these attributes are added to those of the host, and counters count since `start`. The
  /// attributes and their texts must stay as they are until then. Sinks without resources ignore it.
  virtual void BeginEntity(std::span<const Attribute> attributes, UnixTime start) {
    (void)attributes, (void)start;
  }
  virtual void EndEntity() {}

  /// For the metrics that follow, until the next of these: since when their counters count.
  virtual void CountSince(UnixTime start) { (void)start; }

  /// The points that follow, until the next Begin, belong to this metric.
  virtual void Begin(const Metric& metric) = 0;
  virtual void Int(std::span<const Attribute> attributes, int64_t value) = 0;
  virtual void Double(std::span<const Attribute> attributes, double value) = 0;
  /// buckets: counts between the bounds, one more than bounds.
  virtual void Histogram(std::span<const Attribute> attributes, std::span<const double> bounds,
                         std::span<const uint64_t> buckets, double sum) = 0;
  /// Others make them, limpet passes them on: a sink that never sees any may ignore it.
  virtual void Summary(std::span<const Attribute> attributes, std::span<const Quantile> quantiles,
                       uint64_t count, double sum) {
    (void)attributes, (void)quantiles, (void)count, (void)sum;
  }

  // Short forms for no attribute or a braced list of them.
  void Int(int64_t value) { Int(std::span<const Attribute>(), value); }
  void Double(double value) { Double(std::span<const Attribute>(), value); }
  void Int(std::initializer_list<Attribute> a, int64_t value) {
    Int(std::span<const Attribute>(a.begin(), a.size()), value);
  }
  void Double(std::initializer_list<Attribute> a, double value) {
    Double(std::span<const Attribute>(a.begin(), a.size()), value);
  }

 protected:
  ~MetricSink() = default;
};

}  // namespace limpet
