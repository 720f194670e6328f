// Textfiles: the parser of their format, and the group that merges a directory of them in.
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect/prometheus_text.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

std::string Number(double value) {
  TextBuffer<32> text;
  text.Double(value);
  return std::string(text.text());
}

/// "counter name", then "  {a=b} 1" for each of its points.
class Told final : public MetricSink {
 public:
  std::string text;
  UnixTime start;

  void Clear() { text.clear(); }
  void Begin(const Metric& metric) override {
    static constexpr const char* kNames[] = {"gauge ", "counter ", "updown ", "histogram ", "summary "};
    EXPECT_EQ(metric.unit, "");
    text += kNames[static_cast<size_t>(metric.instrument)] + std::string(metric.name) + "\n";
  }
  void CountSince(UnixTime since) override {
    if (since != UnixTime{}) start = since;
  }
  void Int(std::span<const Attribute>, int64_t) override { ADD_FAILURE() << "all are doubles"; }
  void Double(std::span<const Attribute> a, double value) override { text += Of(a) + Number(value) + "\n"; }
  void Histogram(std::span<const Attribute> a, std::span<const double> bounds,
                 std::span<const uint64_t> buckets, double sum) override {
    text += Of(a);
    for (size_t i = 0; i < buckets.size(); ++i) {
      text += std::to_string(buckets[i]) + (i < bounds.size() ? " <" + Number(bounds[i]) + "> " : "");
    }
    text += " sum " + Number(sum) + "\n";
  }
  void Summary(std::span<const Attribute> a, std::span<const Quantile> quantiles, uint64_t count,
               double sum) override {
    text += Of(a);
    for (const Quantile& q : quantiles) text += Number(q.quantile) + ":" + Number(q.value) + " ";
    text += "count " + std::to_string(count) + " sum " + Number(sum) + "\n";
  }

 private:
  static std::string Of(std::span<const Attribute> attributes) {
    std::string all = "  {";
    for (const Attribute& a : attributes) {
      all += (all.size() > 3 ? "," : "") + std::string(a.key) + "=" + std::string(a.text);
    }
    return all + "} ";
  }
};

constexpr const char* kDirectory = "/var/lib/textfiles/";

class TextfileTest : public testing::Test {
 protected:
  void Write(const std::string& name, const std::string& text) {
    files_.contents[kDirectory + name] = text;
    files_.modified[kDirectory + name] = clock_.Wall();
  }
  CollectResult Collect() {
    told_.Clear();
    const CollectResult result = host_.Collect(told_, {});
    EXPECT_EQ(files_.open_files(), 0u);
    return result;
  }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  Told told_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
  HostCollector host_{{.groups = Bit(HostGroup::kTextfile),
                       .root = "/host",
                       .textfile = "/var/lib/textfiles/*.prom",
                       .textfile_max_age = Seconds(300)},
                      files_, clock_, log_, buffer_};
};

std::string ManyLabels(int count) {
  std::string all = "m{";
  for (int i = 0; i < count; ++i) all += "l" + std::to_string(i) + "=\"v\",";
  return all + "} 1\n";
}

std::string ManyBounds(int count) {
  std::string all = "# TYPE h histogram\n";
  for (int i = 0; i < count; ++i) all += "h_bucket{le=\"" + std::to_string(i) + "\"} 1\n";
  return all + "h_sum 1\nh_count 1\n";
}

TEST_F(TextfileTest, WhatIsTaken) {
  struct Case {
    const char* name;
    std::string text, told;
  };
  const Case cases[] = {
      {"empty", "", ""},
      {"only comments", "# HELP a b\n\n#\n # TYPE\t a  gauge \n# EOF\n", "gauge a\n"},
      {"counter", "# HELP a_total Of a.\n# TYPE a_total counter\na_total 3\n", "counter a_total\n  {} 3\n"},
      {"untyped", "# TYPE a untyped\na 3\nb 1e3\n", "gauge a\n  {} 3\ngauge b\n  {} 1000\n"},
      {"a type of something else", "# TYPE a counter\na_x 3\n", "counter a\ngauge a_x\n  {} 3\n"},
      {"values", "a NaN\nb +Inf\nc -Inf\nd -1.5\n",
       "gauge a\n  {} NaN\ngauge b\n  {} +Inf\ngauge c\n  {} -Inf\ngauge d\n  {} -1.5\n"},
      {"labels", "a:b{ x = \"1\" , _y=\"\xc3\xa9\",} 1\na:b{x=\"2\"}2\na:b{} 3\n",
       "gauge a:b\n  {x=1,_y=\xc3\xa9} 1\n  {x=2} 2\n  {} 3\n"},
      {"escapes", "a{x=\"\\\\\\\"\\n}\",y=\"c:\\\\\"} 1\n", "gauge a\n  {x=\\\"\n},y=c:\\} 1\n"},
      {"an empty label is none", "a{x=\"\"} 1\n", "gauge a\n  {} 1\n"},
      {"histogram",
       "# TYPE h histogram\nh_bucket{a=\"1\",le=\"0.5\"} 1\nh_bucket{le=\"2\",a=\"1\"} 1\nh_bucket{a=\"1\",le=\"+Inf\"} 4\n"
       "h_sum{a=\"1\"} 9\nh_count{a=\"1\"} 4\nh_count 7\nh_sum 1\n",
       "histogram h\n  {a=1} 1 <0.5> 0 <2> 3 sum 9\n  {} 7 sum 1\n"},
      {"histogram without +Inf", "# TYPE h histogram\nh_bucket{le=\"1\"} 2\nh_sum 1\nh_count 5\n",
       "histogram h\n  {} 2 <1> 3 sum 1\n"},
      {"summary", "# TYPE s summary\ns{quantile=\"0.5\"} NaN\ns{quantile=\"0.9\"} 2\ns_sum 3\ns_count 4\n",
       "summary s\n  {} 0.5:NaN 0.9:2 count 4 sum 3\n"},
      {"another after a histogram", "# TYPE h histogram\nh_sum 1\nh_count 1\ng 2\n",
       "histogram h\n  {} 1 sum 1\ngauge g\n  {} 2\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Write("a.prom", c.text);
    EXPECT_EQ(Collect().failed, 0u);
    EXPECT_EQ(told_.text, c.told);
  }
  EXPECT_EQ(log_.lines, std::vector<std::string>());
  Write("a.prom", ManyLabels(32));
  EXPECT_EQ(Collect().points, 1u);
  Write("a.prom", ManyBounds(64));
  EXPECT_EQ(Collect().points, 1u);
}

TEST_F(TextfileTest, WhatIsRefused) {
  struct Case {
    std::string text;
    int line;
    const char* error;
  };
  const std::string histogram = "# TYPE h histogram\n";
  const std::string summary = "# TYPE s summary\n";
  const Case cases[] = {
      {"a 1", 1, "no newline"},
      {"a 1\nb", 2, "no newline"},
      {"a\n", 1, "number is expected"},
      {"\n\na x\n", 3, "number is expected"},
      {"a 1e999\n", 1, "number is expected"},
      {"a 0x10\n", 1, "number is expected"},
      {"a 1 1700000000000\n", 1, "timestamp"},
      {"a 1 # {}\n", 1, "end after the number"},
      {"a 1\r\n", 1, "number is expected"},
      {"1a 1\n", 1, "name of a metric"},
      {"{a=\"b\"} 1\n", 1, "name of a metric"},
      {"\xc3\xa9 1\n", 1, "name of a metric"},
      {"a-b 1\n", 1, "number is expected"},
      {std::string("\0 1\n", 4), 1, "name of a metric"},
      {"a{b=\"c\" d=\"e\"} 1\n", 1, "comma"},
      {"a{b=\"c\"\n", 1, "comma"},
      {"a{b} 1\n", 1, "= is expected"},
      {"a{b=c} 1\n", 1, "double quotes"},
      {"a{b=\"c} 1\n", 1, "closing quote"},
      {"a{b=\"\\\n", 1, "bad escape"},
      {"a{b=\"\\n\n", 1, "closing quote"},
      {"a{b=\"\\t\"} 1\n", 1, "bad escape"},
      {"a{b=\"\xff\"} 1\n", 1, "UTF-8"},
      {"a{1b=\"c\"} 1\n", 1, "name of a label"},
      {"a{b:c=\"c\"} 1\n", 1, "name of a label"},
      {"a{__name__=\"c\"} 1\n", 1, "__name__"},
      {"a{b=\"c\",b=\"d\"} 1\n", 1, "label is there twice"},
      {ManyLabels(33), 1, "32 labels"},
      {"a{b=\"" + std::string(2048, 'x') + "\"} 1\n", 1, "2048 bytes"},
      {"a 1\na 2\n", 2, "series is there twice"},
      {"a{x=\"1\",y=\"2\"} 1\na{y=\"2\",x=\"1\"} 2\n", 2, "series is there twice"},
      {"a 1\nb 1\na{x=\"1\"} 2\n", 3, "do not stand together"},
      {"a 1\n# TYPE a counter\n", 2, "do not stand together"},
      {"# TYPE a counter\n# TYPE a counter\n", 2, "do not stand together"},
      {"# TYPE a number\n", 1, "untyped is expected"},
      {"# TYPE a\n", 1, "untyped is expected"},
      {"# TYPE 1 gauge\n", 1, "name of a metric"},
      {"# TYPE a gauge b\n", 1, "end after the type"},
      {"# HELP\n", 1, "name of a metric"},
      {histogram + "h 1\n", 2, "do not stand together"},
      {histogram + "h_bucket 1\n", 2, "no label le"},
      {histogram + "h_bucket{le=\"x\"} 1\n", 2, "le is not a number"},
      {histogram + "h_bucket{le=\"-Inf\"} 1\n", 2, "le is not a number"},
      {histogram + "h_bucket{le=\"1\"} 1.5\n", 2, "whole number"},
      {histogram + "h_bucket{le=\"1\"} -1\n", 2, "whole number"},
      {histogram + "h_bucket{le=\"1\"} 1e300\n", 2, "whole number"},
      {histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"1\"} 1\n", 3, "ascend"},
      {histogram + "h_bucket{le=\"+Inf\"} 1\nh_bucket{le=\"1\"} 1\n", 3, "ascend"},
      {histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"2\"} 1\n", 3, "less than the one below"},
      {histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n", 2, "bucket +Inf"},
      {histogram + "h_bucket{le=\"1\"} 3\nh_sum 1\nh_count 2\n", 2, "less than its buckets"},
      {histogram + "h_sum 1\nh_sum 1\n", 3, "sum is there twice"},
      {histogram + "h_sum 1\nh_count NaN\n", 3, "whole number"},
      {histogram + "h_sum{a=\"1\"} 1\nh_sum{a=\"2\"} 1\n", 2, "do not stand together"},
      {histogram + "h_sum 1\nh_count 1\nh_sum{a=\"2\"} 1\nh_count{a=\"2\"} 1\nh_sum 1\nh_count 1\n", 6, "twice"},
      {histogram + "h_bucket{le=\"+Inf\"} 1\na 1\n", 2, "missing"},
      {ManyBounds(65), 66, "64 bounds"},
      {summary + "s 1\n", 2, "no label quantile"},
      {summary + "s{quantile=\"1.5\"} 1\n", 2, "from 0 to 1"},
      {summary + "s{quantile=\"NaN\"} 1\n", 2, "from 0 to 1"},
      {summary + "s{quantile=\"1\"} 1\ns{quantile=\"1\"} 1\n", 3, "ascend"},
      {summary + "s_sum 1\n", 2, "missing"},
  };
  Write("good.prom", "good 1\n");
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    Write("a.prom", c.text);
    log_.lines.clear();
    EXPECT_EQ(Collect().failed, 0u);
    EXPECT_EQ(told_.text, "gauge good\n  {} 1\n") << "as a whole, and no other";
    EXPECT_EQ(log_.lines.size(), 1u);
    EXPECT_EQ(log_.Count("warn a textfile is left out file=a.prom line=" + std::to_string(c.line) + " "), 1u);
    EXPECT_EQ(log_.Count(c.error), 1u);
    files_.contents.erase(std::string(kDirectory) + "a.prom");
    Collect();  // Forgets it.
  }
}

TEST_F(TextfileTest, EachChangeOfAFileIsSaidOnce) {
  const auto expect = [&](const char* what, const char* said, bool there) {
    SCOPED_TRACE(what);
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(Collect().failed, 0u);
      EXPECT_EQ(told_.text.empty(), !there);
    }
    EXPECT_EQ(log_.lines.size(), said[0] == '\0' ? 0u : 1u);
    EXPECT_EQ(log_.Count(said), log_.lines.size());
    log_.lines.clear();
  };
  const std::string path = std::string(kDirectory) + "a.prom";
  Write("a.prom", "a 1\n");
  expect("fine", "", true);
  clock_.mono = clock_.mono + Seconds(300);
  expect("as old as it may be", "", true);
  clock_.mono = clock_.mono + Nanoseconds(1);
  expect("stale", "older than [host] textfile_max_age", false);
  Write("a.prom", "a 1\n");
  expect("written again", "info a textfile can be read again file=a.prom", true);
  Write("a.prom", "a one\n");
  expect("malformed", "line=1 error=a number", false);
  Write("a.prom", "a 1\nb\n");
  expect("in another way", "", false);
  Write("a.prom", std::string(kProcFileBytes + 1, '\n'));
  expect("too large", "longer than its buffer", false);
  Write("a.prom", std::string(kProcFileBytes, '\n'));
  expect("as large as it may be", "again", false);
  files_.failing[path] = Code::kIo;
  expect("unreadable", "error=read", false);
  files_.failing.clear();
  Write("a.prom", "a 1\n");
  files_.modified[path] = clock_.Wall() + Seconds(86400);
  expect("from the future", "again", true);
  EXPECT_EQ(told_.start, clock_.Wall()) << "never later";
}

TEST_F(TextfileTest, CountersStartWhereTheFileWasFirstFine) {
  Write("a.prom", "# TYPE a counter\na 1\n");
  const UnixTime first = clock_.Wall();
  clock_.mono = clock_.mono + Seconds(10);
  Collect();
  EXPECT_EQ(told_.start, first);
  Write("a.prom", "# TYPE a counter\na 2\n");
  Collect();
  EXPECT_EQ(told_.start, first) << "and stay";
  clock_.mono = clock_.mono + Seconds(301);
  Collect();
  Write("a.prom", "# TYPE a counter\na 3\n");
  Collect();
  EXPECT_EQ(told_.start, clock_.Wall()) << "but for a gap";
}

TEST_F(TextfileTest, TheDirectory) {
  EXPECT_EQ(Collect().failed, Bit(HostGroup::kTextfile)) << "asked for, and not there";
  Collect();
  EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read group=textfile where=directory of"), 1u);
  Write("c.prom", "c 1\n");
  Write("a.prom", "a 1\n");
  Write(".b.prom", "b 1\n");
  Write("b.prom.1234", "b 1\n");
  files_.contents[std::string("/host") + kDirectory + "d.prom"] = "d 1\n";
  EXPECT_EQ(Collect().failed, 0u);
  EXPECT_EQ(told_.text, "gauge a\n  {} 1\ngauge c\n  {} 1\n");
  files_.contents.erase(std::string(kDirectory) + "a.prom");
  Write("b.prom", "b 1\n");
  Collect();
  EXPECT_EQ(told_.text, "gauge b\n  {} 1\ngauge c\n  {} 1\n");
  EXPECT_EQ(log_.lines.size(), 2u);
}

TEST_F(TextfileTest, MoreFilesThanAreTaken) {
  for (int i = 0; i < 70; ++i) {
    Write("f" + std::to_string(i) + ".prom", "m" + std::to_string(i) + " 1\n");
  }
  EXPECT_EQ(Collect().points, 64u);
  EXPECT_EQ(Collect().points, 64u);
  EXPECT_EQ(log_.Count("warn textfiles are left out"), 1u);
  EXPECT_EQ(log_.lines.size(), 1u);
}

TEST_F(TextfileTest, FilesThatDisagree) {
  Write("a.prom", "# TYPE m counter\nm{x=\"1\"} 1\n");
  Write("b.prom", "# TYPE m counter\nm{x=\"2\"} 2\n");
  Write("c.prom", "# TYPE m gauge\nm{x=\"3\"} 3\n");
  Write("d.prom", "n 1\n# TYPE m counter\nm{x=\"2\"} 4\n");
  Write("e.prom", "n 5\n");
  Collect();
  EXPECT_EQ(told_.text, "counter m\n  {x=1} 1\ncounter m\n  {x=2} 2\ngauge n\n  {} 5\n");
  EXPECT_EQ(log_.Count("file=c.prom line=1 error=a metric has another type in another file"), 1u);
  EXPECT_EQ(log_.Count("file=d.prom line=3 error=a series is in another file too"), 1u);
  EXPECT_EQ(log_.lines.size(), 2u);
}

TEST_F(TextfileTest, MoreSeriesThanAreTaken) {
  const auto series = [](const std::string& name, int count) {
    std::string all;
    for (int i = 0; i < count; ++i) all += name + "{i=\"" + std::to_string(i) + "\"} 1\n";
    return all;
  };
  Write("a.prom", series("a", 500));
  Write("b.prom", series("b", 500));
  Write("c.prom", series("c", 266));  // With the two metrics that makes 768.
  EXPECT_EQ(Collect().points, 766u);
  EXPECT_EQ(log_.Count("file=b.prom line=267 error=more series"), 1u);
  Write("c.prom", series("c", 267));
  EXPECT_EQ(Collect().points, 500u);
}

}  // namespace
}  // namespace limpet
