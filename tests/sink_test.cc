#include "sink/sink.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

// ---- Messages, put together by hand. -------------------------------------------------------------

std::string Varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>(value | 0x80);
  return bytes + static_cast<char>(value);
}
std::string Tag(uint32_t field, WireType type) {
  return Varint(field << 3 | static_cast<uint32_t>(type));
}
std::string Int(uint32_t field, uint64_t value) {
  return Tag(field, WireType::kVarint) + Varint(value);
}
std::string Fixed(uint32_t field, uint64_t value) {
  std::string bytes = Tag(field, WireType::kFixed64);
  for (int i = 0; i < 64; i += 8) bytes += static_cast<char>(value >> i);
  return bytes;
}
std::string Double(uint32_t field, double value) {
  return Fixed(field, std::bit_cast<uint64_t>(value));
}
std::string Message(uint32_t field, const std::string& fields) {
  return Tag(field, WireType::kLength) + Varint(fields.size()) + fields;
}
std::string Packed(uint32_t field, std::initializer_list<uint64_t> values) {
  std::string bytes;
  for (const uint64_t value : values) bytes += Fixed(0, value).substr(1);
  return Message(field, bytes);
}

std::string TextValue(const std::string& text) {
  return Message(otlp_AnyValue_string_value_tag, text);
}
std::string IntValue(int64_t value) {
  return Int(otlp_AnyValue_int_value_tag, static_cast<uint64_t>(value));
}
std::string Pair(uint32_t field, const std::string& key, const std::string& value) {
  return Message(field, Message(otlp_KeyValue_key_tag, key) + Message(otlp_KeyValue_value_tag, value));
}

/// One resource with one scope that holds the items; the numbers are those of all three signals.
std::string Request(const std::string& items) {
  const std::string resource =
      Pair(otlp_Resource_attributes_tag, "service.name", TextValue("app")) +
      Pair(otlp_Resource_attributes_tag, "host.name", TextValue("gw 7"));
  const std::string scope = Message(otlp_InstrumentationScope_name_tag, "lib") +
                            Message(otlp_InstrumentationScope_version_tag, "1.2");
  return Message(otlp_ExportMetricsServiceRequest_resource_metrics_tag,
                 Message(otlp_ResourceMetrics_resource_tag, resource) +
                     Message(otlp_ResourceMetrics_scope_metrics_tag,
                             Message(otlp_ScopeMetrics_scope_tag, scope) + items));
}

constexpr uint64_t kTime = 1'795'227'330'250'000'001;  // 2026-11-21T02:15:30.250000001Z

std::string Metric(const std::string& name, const std::string& unit, uint32_t kind,
                   const std::string& data) {
  return Message(otlp_ScopeMetrics_metrics_tag, Message(otlp_Metric_name_tag, name) +
                                                    Message(otlp_Metric_unit_tag, unit) +
                                                    Message(kind, data));
}

std::string GaugeMetric() {
  return Metric("system.memory.usage", "By", otlp_Metric_gauge_tag,
                Message(otlp_Gauge_data_points_tag,
                        Pair(otlp_NumberDataPoint_attributes_tag, "state", TextValue("used")) +
                            Fixed(otlp_NumberDataPoint_time_unix_nano_tag, kTime) +
                            Fixed(otlp_NumberDataPoint_as_int_tag, 1234)));
}

std::string SumMetric() {
  return Metric("cpu", "s", otlp_Metric_sum_tag,
                Message(otlp_Sum_data_points_tag,
                        Fixed(otlp_NumberDataPoint_start_time_unix_nano_tag, 1'000'000'000) +
                            Fixed(otlp_NumberDataPoint_time_unix_nano_tag, kTime) +
                            Double(otlp_NumberDataPoint_as_double_tag, 17.25)) +
                    Int(otlp_Sum_aggregation_temporality_tag, 2) +
                    Int(otlp_Sum_is_monotonic_tag, 1));
}

std::string HistogramMetric() {
  return Metric("duration", "ms", otlp_Metric_histogram_tag,
                Message(otlp_Histogram_data_points_tag,
                        Fixed(otlp_HistogramDataPoint_time_unix_nano_tag, kTime) +
                            Fixed(otlp_HistogramDataPoint_count_tag, 7) +
                            Double(otlp_HistogramDataPoint_sum_tag, 30) +
                            Packed(otlp_HistogramDataPoint_bucket_counts_tag, {4, 0, 3}) +
                            Packed(otlp_HistogramDataPoint_explicit_bounds_tag,
                                   {std::bit_cast<uint64_t>(1.0), std::bit_cast<uint64_t>(2.5)})) +
                    Int(otlp_Histogram_aggregation_temporality_tag, 1));
}

std::string ExponentialMetric() {
  using namespace std::string_literals;
  const std::string buckets =
      Int(otlp_ExponentialHistogramDataPoint_Buckets_offset_tag, 3) +  // -2
      Message(otlp_ExponentialHistogramDataPoint_Buckets_bucket_counts_tag, "\x01\x00\x80\x01"s);
  return Metric("size", "", otlp_Metric_exponential_histogram_tag,
                Message(otlp_ExponentialHistogram_data_points_tag,
                        Fixed(otlp_ExponentialHistogramDataPoint_count_tag, 130) +
                            Int(otlp_ExponentialHistogramDataPoint_scale_tag, 6) +  // 3
                            Fixed(otlp_ExponentialHistogramDataPoint_zero_count_tag, 1) +
                            Message(otlp_ExponentialHistogramDataPoint_positive_tag, buckets) +
                            Double(otlp_ExponentialHistogramDataPoint_max_tag, 9)));
}

std::string SummaryMetric() {
  return Metric("rpc", "1", otlp_Metric_summary_tag,
                Message(otlp_Summary_data_points_tag,
                        Fixed(otlp_SummaryDataPoint_count_tag, 2) +
                            Double(otlp_SummaryDataPoint_sum_tag, 3) +
                            Message(otlp_SummaryDataPoint_quantile_values_tag,
                                    Double(otlp_SummaryDataPoint_ValueAtQuantile_quantile_tag, 0.5) +
                                        Double(otlp_SummaryDataPoint_ValueAtQuantile_value_tag, 1.5))));
}

std::string LogRecord(const std::string& body, const std::string& more = "") {
  return Message(otlp_ScopeLogs_log_records_tag,
                 Fixed(otlp_LogRecord_time_unix_nano_tag, kTime) +
                     Int(otlp_LogRecord_severity_number_tag, 13) +
                     Message(otlp_LogRecord_body_tag, body) + more);
}

std::string SpanItem() {
  const std::string event =
      Fixed(otlp_Span_Event_time_unix_nano_tag, kTime) + Message(otlp_Span_Event_name_tag, "retry");
  return Message(
      otlp_ScopeSpans_spans_tag,
      Message(otlp_Span_trace_id_tag, std::string(16, '\x1f')) +
          Message(otlp_Span_span_id_tag, std::string(8, '\x2e')) +
          Message(otlp_Span_name_tag, "GET /") + Int(otlp_Span_kind_tag, 2) +
          Fixed(otlp_Span_start_time_unix_nano_tag, kTime) +
          Fixed(otlp_Span_end_time_unix_nano_tag, kTime + 12'500'000) +
          Pair(otlp_Span_attributes_tag, "code", IntValue(500)) +
          Message(otlp_Span_events_tag, event) +
          Message(otlp_Span_links_tag, Message(otlp_Span_Link_span_id_tag, std::string(8, 'a'))) +
          Message(otlp_Span_status_tag, Int(otlp_Status_code_tag, 2) +
                                            Message(otlp_Status_message_tag, "late")));
}

// ---- The sink in a room of its own. --------------------------------------------------------------

class Lines final : public LineWriter {
 public:
  void Write(std::string_view piece) override {
    if (keep) text += piece;
    bytes += piece.size();
  }
  std::string text;
  uint64_t bytes = 0;
  bool keep = true;
};

class FixedRandom final : public Random {
 public:
  uint64_t Next() override { return value; }
  uint64_t value = 0;
};

class OneHourEast final : public TimeZone {
 public:
  Duration OffsetAt(UnixTime) override { return Seconds(3600); }
};

struct Room {
  explicit Room(const SinkOptions& options = {}) : sink(options, memory, random, zone, lines) {}

  int Post(std::string_view path, std::string_view body, std::string_view encoding = "",
           std::string_view type = "application/x-protobuf", std::string_view method = "POST") {
    // A copy of its exact size, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> exact(body.begin(), body.end());
    HttpRequest request;
    request.method = method;
    request.path = path;
    request.content_type = type;
    request.content_encoding = encoding;
    request.body = exact;
    HttpResponse response(page);
    sink.OnRequest(request, response);
    answer = response.body.text();
    answer_type = response.content_type;
    return response.status;
  }

  std::vector<std::byte> memory = std::vector<std::byte>(Sink::BytesNeeded());
  FixedRandom random;
  OneHourEast zone;
  Lines lines;
  char page[1024];
  Sink sink;
  std::string answer, answer_type;
};

std::string Gzip(std::string_view text) {
  std::vector<std::byte> memory(GzipCompressor::BytesNeeded());
  GzipCompressor gzip(memory);
  std::vector<uint8_t> out(text.size() + 100);
  const Result<size_t> size =
      gzip.Compress({reinterpret_cast<const uint8_t*>(text.data()), text.size()}, out);
  return {out.begin(), out.begin() + static_cast<std::ptrdiff_t>(size.value())};
}

// ---- Answers. ------------------------------------------------------------------------------------

TEST(Sink, Answers) {
  const std::string good = Request(GaugeMetric());
  const std::string packed = Gzip(good);
  struct Case {
    const char* name;
    const char* method;
    const char* path;
    const char* type;
    const char* encoding;
    std::string body;
    int status;
  };
  constexpr const char* kType = "application/x-protobuf";
  const Case cases[] = {
      {"plain", "POST", "/v1/metrics", kType, "", good, 200},
      {"identity", "POST", "/v1/metrics", kType, "identity", good, 200},
      {"gzip", "POST", "/v1/metrics", kType, "gzip", packed, 200},
      {"case and parameters", "POST", "/v1/metrics", "Application/X-Protobuf; v=1", "GZIP", packed, 200},
      {"nothing in it", "POST", "/v1/traces", kType, "", "", 200},
      {"another path", "POST", "/v1/profiles", kType, "", good, 404},
      {"root", "POST", "/", kType, "", good, 404},
      {"longer path", "POST", "/v1/metrics/", kType, "", good, 404},
      {"GET", "GET", "/v1/metrics", "", "", "", 405},
      {"JSON", "POST", "/v1/metrics", "application/json", "", "{}", 415},
      {"no type", "POST", "/v1/metrics", "", "", good, 415},
      {"zstd", "POST", "/v1/metrics", kType, "zstd", good, 415},
      {"not gzip", "POST", "/v1/metrics", kType, "gzip", good, 400},
      {"gzip, cut", "POST", "/v1/metrics", kType, "gzip", packed.substr(0, 20), 400},
      {"gzip, too large", "POST", "/v1/metrics", kType, "gzip",
       Gzip(std::string(kSinkBodyMax + 1, 'x')), 413},
      {"cut", "POST", "/v1/metrics", kType, "", good.substr(0, good.size() - 1), 400},
      {"no protobuf", "POST", "/v1/metrics", kType, "", "hello", 400},
      {"of another signal", "POST", "/v1/logs", kType, "", good, 400},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Room room;
    EXPECT_EQ(room.Post(c.path, c.body, c.encoding, c.type, c.method), c.status);
    if (c.status == 200) {
      EXPECT_EQ(room.answer, "");
      EXPECT_EQ(room.answer_type, kType);
    } else {
      EXPECT_NE(room.answer, "");
      EXPECT_EQ(room.answer_type == kType, c.status != 404 && c.status != 405);
      // Nothing of a refused request is shown, but that it was refused.
      EXPECT_EQ(room.lines.text.find("usage"), std::string::npos);
    }
  }
}

TEST(Sink, AnswersWithARpcStatus) {
  Room room({.json = false, .colour = false, .fail_per_million = 0});
  EXPECT_EQ(room.Post("/v1/logs", "\xff"), 400);
  EXPECT_EQ(room.answer, Int(otlp_RpcStatus_code_tag, 3) +
                             Message(otlp_RpcStatus_message_tag, "protobuf tag"));
  EXPECT_EQ(room.lines.text, "# logs  answered 400: protobuf tag\n");
}

TEST(Sink, FailsItsShare) {
  Room room({.json = false, .colour = false, .fail_per_million = 300'000});
  room.random.value = 299'999;
  EXPECT_EQ(room.Post("/v1/logs", ""), 503);
  EXPECT_EQ(room.lines.text, "# logs  answered 503: failing on purpose (--fail)\n");
  room.random.value = 300'000;
  EXPECT_EQ(room.Post("/v1/logs", ""), 200);
}

TEST(ParseFailRate, Cases) {
  struct Case { const char* text; Code code; uint32_t per_million; };
  constexpr Case cases[] = {
      {"0", Code::kOk, 0},          {"0.3", Code::kOk, 300'000},  {"1", Code::kOk, 1'000'000},
      {"30%", Code::kOk, 300'000},  {"100%", Code::kOk, 1'000'000}, {"0.5%", Code::kOk, 5'000},
      {"", Code::kInvalid, 0},      {"%", Code::kInvalid, 0},     {"1.1", Code::kInvalid, 0},
      {"101%", Code::kInvalid, 0},  {"-0.1", Code::kInvalid, 0},  {"nan", Code::kInvalid, 0},
      {"often", Code::kInvalid, 0}, {"0.3 ", Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<uint32_t> got = ParseFailRate(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value(), c.per_million); }
  }
}

// ---- What is printed. ----------------------------------------------------------------------------

TEST(Sink, PrintsForPeople) {
  struct Case { const char* name; const char* path; std::string items; std::string lines; };
  const std::string time = "2026-11-21 03:15:30.250  ";
  const std::string event = Message(otlp_LogRecord_event_name_tag, "boot");
  const Case cases[] = {
      {"gauge", "/v1/metrics", GaugeMetric(),
       time + "system.memory.usage             {state=used}                       1234 By\n"},
      {"sum", "/v1/metrics", SumMetric(),
       time + "cpu                             {}                                 17.25 s\n"},
      {"histogram", "/v1/metrics", HistogramMetric(),
       time + "duration                        {}                                 "
              "count=7 sum=30 ms <=1:4 >2.5:3 (delta)\n"},
      {"exponential histogram", "/v1/metrics", ExponentialMetric(),
       "-                        size                            {}                                 "
       "count=130 max=9 scale=3 zero=1 positive[-2]=1,0,128\n"},
      {"summary", "/v1/metrics", SummaryMetric(),
       "-                        rpc                             {}                                 "
       "count=2 sum=3 q0.5=1.5\n"},
      {"log", "/v1/logs", LogRecord(TextValue("disk full"), event),
       time + "WARN    boot disk full  {}\n"},
      {"span", "/v1/traces", SpanItem(),
       time + "12.500 ms    GET /                           {code=500}  server"
              "  trace=1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f span=2e2e2e2e2e2e2e2e  error: late\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Room room;
    EXPECT_EQ(room.Post(c.path, Request(c.items)), 200);
    const std::string heading = "# " + std::string(c.path + 4) +
                                "  service.name=app host.name=\"gw 7\"  1 item\n";
    EXPECT_EQ(room.lines.text, heading + c.lines);
  }
}

TEST(Sink, PrintsForPrograms) {
  struct Case { const char* name; const char* path; std::string items; std::string fields; };
  const std::string event = Message(otlp_LogRecord_event_name_tag, "boot");
  const Case cases[] = {
      {"gauge", "/v1/metrics", GaugeMetric(),
       R"("time":"2026-11-21T02:15:30.250000001Z","name":"system.memory.usage","unit":"By",)"
       R"("type":"gauge","attributes":{"state":"used"},"value":1234)"},
      {"sum", "/v1/metrics", SumMetric(),
       R"("time":"2026-11-21T02:15:30.250000001Z","start_time":"1970-01-01T00:00:01.000000000Z",)"
       R"("name":"cpu","unit":"s","type":"sum","temporality":"cumulative","monotonic":true,)"
       R"("attributes":{},"value":17.25)"},
      {"histogram", "/v1/metrics", HistogramMetric(),
       R"("time":"2026-11-21T02:15:30.250000001Z","name":"duration","unit":"ms",)"
       R"("type":"histogram","temporality":"delta","attributes":{},"count":7,"sum":30,)"
       R"("bounds":[1,2.5],"buckets":[4,0,3])"},
      {"exponential histogram", "/v1/metrics", ExponentialMetric(),
       R"("name":"size","type":"exponential_histogram","attributes":{},"count":130,"max":9,)"
       R"("scale":3,"zero_count":1,"positive":{"offset":-2,"buckets":[1,0,128]},)"
       R"("negative":{"offset":0,"buckets":[]})"},
      {"summary", "/v1/metrics", SummaryMetric(),
       R"("name":"rpc","unit":"1","type":"summary","attributes":{},"count":2,"sum":3,)"
       R"("quantiles":[{"quantile":0.5,"value":1.5}])"},
      {"log", "/v1/logs", LogRecord(TextValue("disk full"), event),
       R"("time":"2026-11-21T02:15:30.250000001Z","severity_number":13,"severity":"WARN",)"
       R"("event_name":"boot","body":"disk full","attributes":{})"},
      {"span", "/v1/traces", SpanItem(),
       R"("start_time":"2026-11-21T02:15:30.250000001Z","end_time":"2026-11-21T02:15:30.262500001Z",)"
       R"("name":"GET /","kind":"server","trace_id":"1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f1f",)"
       R"("span_id":"2e2e2e2e2e2e2e2e","status":"error","status_message":"late",)"
       R"("attributes":{"code":500},)"
       R"("events":[{"time":"2026-11-21T02:15:30.250000001Z","name":"retry","attributes":{}}],)"
       R"("links":[{"span_id":"6161616161616161","attributes":{}}])"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Room room({.json = true, .colour = true, .fail_per_million = 0});
    EXPECT_EQ(room.Post(c.path, Request(c.items)), 200);
    EXPECT_EQ(room.lines.text,
              R"({"signal":")" + std::string(c.path + 4) + R"(",)" + c.fields +
                  R"(,"scope":"lib","scope_version":"1.2",)"
                  R"("resource":{"service.name":"app","host.name":"gw 7"}})"
                  "\n");
  }
}

TEST(Sink, PrintsEveryKindOfValue) {
  struct Case { const char* name; std::string value; const char* text; const char* json; };
  const std::string list = Message(otlp_AnyValue_kvlist_value_tag,
                                   Pair(otlp_KeyValueList_values_tag, "k", IntValue(-3)) +
                                       Pair(otlp_KeyValueList_values_tag, "l", TextValue("")));
  const std::string array = Message(
      otlp_AnyValue_array_value_tag,
      Message(otlp_ArrayValue_values_tag, list) + Message(otlp_ArrayValue_values_tag, IntValue(1)) +
          Message(otlp_ArrayValue_values_tag, ""));
  const Case cases[] = {
      {"word", TextValue("word"), "word", R"("word")"},
      {"empty", TextValue(""), R"("")", R"("")"},
      {"blank", TextValue("two words"), R"("two words")", R"("two words")"},
      {"quotes", TextValue(R"(a"b\)"), R"("a\"b\\")", R"("a\"b\\")"},
      {"bool", Int(otlp_AnyValue_bool_value_tag, 1), "true", "true"},
      {"int", IntValue(INT64_MIN), "-9223372036854775808", "-9223372036854775808"},
      {"double", Double(otlp_AnyValue_double_value_tag, 0.1), "0.1", "0.1"},
      {"infinity", Double(otlp_AnyValue_double_value_tag, HUGE_VAL), "+Inf", R"("Infinity")"},
      {"not a number", Double(otlp_AnyValue_double_value_tag, NAN), "NaN", R"("NaN")"},
      {"bytes", Message(otlp_AnyValue_bytes_value_tag, "\xff\x01"), "0xff01", R"("ff01")"},
      {"none", "", "-", "null"},
      {"array", array, R"([{k=-3, l=""}, 1, -])", R"([{"k":-3,"l":""},1,null])"},
      {"empty array", Message(otlp_AnyValue_array_value_tag, ""), "[]", "[]"},
      {"the last of two", IntValue(1) + TextValue("x"), "x", R"("x")"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::string record =
        LogRecord("", Pair(otlp_LogRecord_attributes_tag, "a", c.value));
    Room people;
    EXPECT_EQ(people.Post("/v1/logs", Request(record)), 200);
    EXPECT_NE(people.lines.text.find(std::string("  {a=") + c.text + "}\n"), std::string::npos)
        << people.lines.text;
    Room programs({.json = true, .colour = false, .fail_per_million = 0});
    EXPECT_EQ(programs.Post("/v1/logs", Request(record)), 200);
    EXPECT_NE(programs.lines.text.find(std::string(R"("attributes":{"a":)") + c.json + "},"),
              std::string::npos)
        << programs.lines.text;
  }
}

TEST(Sink, EscapesWhatCouldSteerATerminal) {
  struct Case { const char* name; const char* body; const char* text; };
  const Case cases[] = {
      {"escape sequence", "\x1b[2Jgone", "\\u001b[2Jgone"},
      {"lines", "a\r\n\tb", "a\\r\\n\\tb"},
      {"delete", "a\x7f", "a\\u007f"},
      {"C1", "a\xc2\x9b" "31m", "a\\u009b31m"},
      {"right to left", "a\xe2\x80\xae" "b", "a\\u202eb"},
      {"letters of all kinds", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8c", "\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x8c"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    for (const bool json : {false, true}) {
      Room room({.json = json, .colour = false, .fail_per_million = 0});
      EXPECT_EQ(room.Post("/v1/logs", Request(LogRecord(TextValue(c.body)))), 200);
      EXPECT_NE(room.lines.text.find(c.text), std::string::npos) << room.lines.text;
    }
  }
}

TEST(Sink, ColoursWhenTold) {
  Room room({.json = false, .colour = true, .fail_per_million = 0});
  EXPECT_EQ(room.Post("/v1/logs", Request(LogRecord(TextValue("x")))), 200);
  EXPECT_NE(room.lines.text.find("\x1b[33mWARN\x1b[0m    x"), std::string::npos) << room.lines.text;
}

// 4 MiB of points under a long name would be terabytes of text.
TEST(Sink, OneRequestPrintsABoundedText) {
  std::string points;
  while (points.size() < kSinkBodyMax / 3) points += Message(otlp_Gauge_data_points_tag, "");
  const std::string request =
      Request(Metric(std::string(kSinkBodyMax / 3, 'n'), "", otlp_Metric_gauge_tag, points));
  for (const bool json : {false, true}) {
    Room room({.json = json, .colour = false, .fail_per_million = 0});
    room.lines.keep = false;
    EXPECT_EQ(room.Post("/v1/metrics", request), 200);
    EXPECT_GE(room.lines.bytes, kSinkOutputMax);
    EXPECT_LE(room.lines.bytes, kSinkOutputMax + kSinkBodyMax);
  }
}

// Whatever comes: an answer, whole lines, and no byte that could steer a terminal.
TEST(Sink, SurvivesMutations) {
  const std::string list = Message(otlp_AnyValue_kvlist_value_tag,
                                   Pair(otlp_KeyValueList_values_tag, "k", IntValue(-3)));
  const std::string seeds[] = {
      Request(GaugeMetric() + SumMetric()),   Request(HistogramMetric()),
      Request(ExponentialMetric()),           Request(SummaryMetric()),
      Request(LogRecord(TextValue("text")) + LogRecord(list)), Request(SpanItem() + SpanItem()),
  };
  const char* const paths[] = {"/v1/metrics", "/v1/metrics", "/v1/metrics",
                               "/v1/metrics", "/v1/logs",    "/v1/traces"};
  Room people;
  Room programs({.json = true, .colour = false, .fail_per_million = 0});
  std::mt19937 random(11);
  int taken = 0;
  for (int round = 0; round < 20000; ++round) {
    const size_t which = random() % std::size(seeds);
    std::string body = seeds[which];
    for (unsigned edits = random() % 4; edits > 0; --edits) {
      const size_t at = random() % body.size();
      switch (random() % 4) {
        case 0: body[at] = static_cast<char>(body[at] ^ (1 << random() % 8)); break;
        case 1: body[at] = static_cast<char>(random()); break;
        case 2: body.erase(at, 1 + random() % 3); break;
        default: body.insert(at, body.substr(random() % body.size(), random() % 20)); break;
      }
      if (body.empty()) body = "x";
    }
    Room& room = round % 2 == 0 ? people : programs;
    room.lines.text.clear();
    const int status = room.Post(paths[which], body);
    ASSERT_TRUE(status == 200 || status == 400) << status;
    taken += status == 200;
    for (const char c : room.lines.text) ASSERT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= ' ');
    if (!room.lines.text.empty()) { ASSERT_EQ(room.lines.text.back(), '\n'); }
  }
  EXPECT_GT(taken, 5000);  // Enough of them come as far as the printers.
}

}  // namespace
}  // namespace limpet
