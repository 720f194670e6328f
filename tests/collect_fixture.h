// What the tests of collect/ share: the files of several real hosts, and a sink that remembers.
#pragma once

#include <algorithm>
#include <cmath>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "host_files.h"
#include "otlp/metric_sink.h"

namespace limpet {

/// Folders of tests/data/proc: each is the root of a host.
inline constexpr const char* kHosts[] = {"x86_64-vm-6.18",  "rpi4-6.6",      "openwrt-mips-4.14",
                                         "container-lxcfs", "server-2.6.32", "server-128cpu-6.1"};

/// A point as it was emitted.
struct SeenPoint {
  std::string name, unit;
  Instrument instrument;
  bool is_int;
  std::vector<std::string> keys;
  std::string attributes;  ///< "cpu.mode=user" or "a=1,b=x".
  double value;
};

class SeenPoints final : public MetricSink {
 public:
  std::vector<SeenPoint> points;
  size_t begun = 0;

  void Begin(const Metric& metric) override { metric_ = metric, ++begun; }
  void Int(std::span<const Attribute> attributes, int64_t value) override {
    Add(attributes, true, static_cast<double>(value));
  }
  void Double(std::span<const Attribute> attributes, double value) override {
    Add(attributes, false, value);
  }
  void Histogram(std::span<const Attribute>, std::span<const double>, std::span<const uint64_t>,
                 double) override {}
  using MetricSink::Double;
  using MetricSink::Int;

  /// NaN when there is no such point.
  double Value(std::string_view name, std::string_view attributes = "") const {
    for (const SeenPoint& point : points) {
      if (point.name == name && point.attributes == attributes) return point.value;
    }
    return std::nan("");
  }
  size_t Count(std::string_view name) const {
    size_t n = 0;
    for (const SeenPoint& point : points) n += point.name == name ? 1 : 0;
    return n;
  }

 private:
  void Add(std::span<const Attribute> attributes, bool is_int, double value) {
    SeenPoint point{std::string(metric_.name), std::string(metric_.unit), metric_.instrument,
                    is_int, {}, {}, value};
    for (const Attribute& attribute : attributes) {
      point.keys.emplace_back(attribute.key);
      point.attributes += (point.attributes.empty() ? "" : ",") + std::string(attribute.key) + "=" +
                          (attribute.is_number ? std::to_string(attribute.number)
                                               : std::string(attribute.text));
    }
    points.push_back(std::move(point));
  }

  Metric metric_;
};

/// What semconv.md says of a metric.
struct Convention {
  const char* name;
  Instrument instrument;
  bool is_int;
  const char* unit;
  std::vector<std::string> keys;
};

/// Each point keeps to its row, none is there twice, and the points of a metric stand together.
inline void ExpectConventions(const std::vector<SeenPoint>& points,
                              const std::vector<Convention>& rows) {
  std::set<std::string> identities, done;
  for (size_t i = 0; i < points.size(); ++i) {
    const SeenPoint& point = points[i];
    SCOPED_TRACE(point.name);
    const auto row = std::find_if(rows.begin(), rows.end(),
                                  [&](const Convention& c) { return c.name == point.name; });
    ASSERT_NE(row, rows.end());
    EXPECT_EQ(point.instrument, row->instrument);
    EXPECT_EQ(point.is_int, row->is_int);
    EXPECT_EQ(point.unit, row->unit);
    EXPECT_EQ(point.keys, row->keys);
    EXPECT_TRUE(identities.insert(point.name + "|" + point.attributes).second);
    if (i == 0 || point.name != points[i - 1].name) {
      EXPECT_TRUE(done.insert(point.name).second);
    }
  }
}

}  // namespace limpet
