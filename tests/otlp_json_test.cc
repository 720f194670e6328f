// OTLP JSON to protobuf: a row for each rule, then every size of the buffer, then damage.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "otlp/json_parser.h"
#include "otlp/json_reader.h"
#include "otlp/validate.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

/// The result as text: its fields in hex, or the code and where of the mistake.
struct Converted {
  Status status;
  std::string bytes;
};

Converted Convert(Signal signal, std::string_view json) {
  // A copy of its exact size, so that a sanitizer sees a read past the end.
  const std::vector<uint8_t> exact(json.begin(), json.end());
  std::vector<uint8_t> out(json.size() * 5 + 16);
  const Result<size_t> got = ConvertOtlpJson(signal, exact, out);
  if (!got.ok()) return {got.status(), {}};
  return {{}, std::string(out.begin(), out.begin() + static_cast<ptrdiff_t>(got.value()))};
}

std::string Field(uint32_t field, std::string_view contents) {
  EXPECT_LT(contents.size(), 128u);
  return {static_cast<char>(field << 3 | 2), static_cast<char>(contents.size())};
}

std::string Message(uint32_t field, std::string_view contents) {
  return Field(field, contents) + std::string(contents);
}

/// What is around one log record, around the value of its body, around one number point.
std::string LogJson(std::string_view members) {
  return R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{)" + std::string(members) + "}]}]}]}";
}
std::string LogBytes(std::string_view fields) { return Message(1, Message(2, Message(2, fields))); }

std::string BodyJson(std::string_view members) {
  return LogJson(R"("body":{)" + std::string(members) + "}");
}
std::string BodyBytes(std::string_view fields) { return LogBytes(Message(5, fields)); }

std::string MetricJson(std::string_view members) {
  return R"({"resourceMetrics":[{"scopeMetrics":[{"metrics":[{)" + std::string(members) + "}]}]}]}";
}
std::string MetricBytes(std::string_view fields) { return LogBytes(fields); }

/// kind: gauge, histogram or exponentialHistogram, whose numbers are 5, 9 and 10.
std::string PointJson(const char* kind, std::string_view members) {
  return MetricJson('"' + std::string(kind) + R"(":{"dataPoints":[{)" + std::string(members) + "}]}");
}
std::string PointBytes(uint32_t kind, std::string_view fields) {
  return MetricBytes(Message(kind, Message(1, fields)));
}

struct Case {
  const char* name;
  std::string json;
  Code code = Code::kOk;
  std::string bytes = {};
};

void ExpectCases(Signal signal, std::span<const Case> cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.name << ": " << c.json);
    const Converted got = Convert(signal, c.json);
    EXPECT_EQ(got.status.code, c.code) << got.status.where << " at " << got.status.detail;
    EXPECT_EQ(testing::PrintToString(got.bytes), testing::PrintToString(c.bytes));
    if (got.status.ok()) { EXPECT_TRUE(ValidateExportRequest(signal, Bytes(got.bytes)).ok()); }
  }
}

constexpr Code kBad = Code::kInvalid;

// ---- JSON ----------------------------------------------------------------------------------------

TEST(ConvertOtlpJson, Grammar) {
  const std::string deep(JsonReader::kSkipDepthMax, '['), close(JsonReader::kSkipDepthMax, ']');
  const Case cases[] = {
      {"empty body", "", kBad},
      {"blanks", " \n", kBad},
      {"empty object", "{}"},
      {"blanks around it", " \t\r\n{ \n} \t\r\n"},
      {"other blanks", "\f{}", kBad},
      {"byte order mark", "\xef\xbb\xbf{}", kBad},
      {"NUL at the end", std::string("{}\0"sv), kBad},
      {"text at the end", "{} x", kBad},
      {"two objects", "{}{}", kBad},
      {"comma at the end", "{},", kBad},
      {"array", "[]", kBad},
      {"null", "null", kBad},
      {"text", "\"\"", kBad},
      {"number", "1", kBad},
      {"not closed", "{", kBad},
      {"closed wrongly", "{]", kBad},
      {"comma before the end", R"({"a":1,})", kBad},
      {"comma before the first", R"({,"a":1})", kBad},
      {"two commas", R"({"a":1,,"b":2})", kBad},
      {"no comma", R"({"a":1 "b":2})", kBad},
      {"no colon", R"({"a" 1})", kBad},
      {"no value", R"({"a":})", kBad},
      {"no name", R"({:1})", kBad},
      {"name without quotes", R"({a:1})", kBad},
      {"single quotes", R"({'a':1})", kBad},
      {"comment", R"({/* */"a":1})", kBad},
      {"empty name", R"({"":1})"},
      {"unknown: number", R"({"a":-12.5e+3})"},
      {"unknown: every value", R"({"a":[1,"x",true,false,null,{},[],{"b":[{"c":{}}]}]})"},
      {"unknown: blanks", "{ \"a\" : [ 1 , { \"b\" : [ ] } ] }"},
      {"unknown: name twice", R"({"a":1,"a":2})"},
      {"unknown: as deep as may be", R"({"a":)" + deep + close + "}"},
      {"unknown: too deep", R"({"a":[)" + deep + close + "]}", kBad},
      {"unknown: not closed", R"({"a":[1)", kBad},
      {"unknown: closed wrongly", R"({"a":[{]}})", kBad},
      {"unknown: closed wrongly at the end", R"({"a":{"b":1]})", kBad},
      {"unknown: word", R"({"a":nul})", kBad},
      {"unknown: word in capitals", R"({"a":True})", kBad},
      {"unknown: words without a comma", R"({"a":[truefalse]})", kBad},
      {"unknown: NaN", R"({"a":NaN})", kBad},
      {"unknown: member without a name", R"({"a":{1}})", kBad},
      {"unknown: comma before the end", R"({"a":[1,]})", kBad},
      {"unknown: bad string", R"({"a":"\x"})", kBad},
      {"unknown: bad UTF-8", "{\"a\":\"\xff\"}", kBad},
      {"unknown: bad UTF-8 in a name", "{\"\xff\":1}", kBad},
      {"names of the descriptors", R"({"resource_logs":[{"schema_url":"x"}]})"},
      {"names of other signals", R"({"resourceSpans":[{"schemaUrl":"x"}]})"},
      {"names in other case", R"({"ResourceLogs":[{}]})"},
      {"name with escapes", R"({"resource\u004cogs":[{}]})", Code::kOk, Message(1, "")},
      {"half a name", R"({"resourceLog":[{}]})"},
      {"long name with escapes", R"({"\u0041)" + std::string(100, 'a') + R"(":[{}]})"},
  };
  ExpectCases(Signal::kLogs, cases);
}

// ---- Values --------------------------------------------------------------------------------------

TEST(ConvertOtlpJson, Text) {
  const auto body = [](std::string_view text) { return BodyBytes(Message(1, text)); };
  const auto json = [](std::string_view text) {
    return BodyJson(R"("stringValue":")" + std::string(text) + '"');
  };
  const Case cases[] = {
      {"plain", json("abc"), Code::kOk, body("abc")},
      {"empty in a oneof", json(""), Code::kOk, body("")},
      {"empty elsewhere", LogJson(R"("severityText":"")"), Code::kOk, LogBytes("")},
      {"every escape", json(R"(\"\\\/\b\f\n\r\t)"), Code::kOk, body("\"\\/\b\f\n\r\t")},
      {"escape among letters", json(R"(a\nb)"), Code::kOk, body("a\nb")},
      {"unknown escape", json(R"(\a)"), kBad},
      {"NUL", json(R"(a\u0000b)"), Code::kOk, body("a\0b"sv)},
      {"hex in both cases", json(R"(\u00e9\u00E9)"), Code::kOk, body("\xc3\xa9\xc3\xa9")},
      {"one byte", json(R"(\u007f)"), Code::kOk, body("\x7f")},
      {"two bytes", json(R"(\u0080\u07ff)"), Code::kOk, body("\xc2\x80\xdf\xbf")},
      {"three bytes", json(R"(\u0800\uffff)"), Code::kOk, body("\xe0\xa0\x80\xef\xbf\xbf")},
      {"around the surrogates", json(R"(\ud7ff\ue000)"), Code::kOk, body("\xed\x9f\xbf\xee\x80\x80")},
      {"four bytes", json(R"(\ud800\udc00\udbff\udfff)"), Code::kOk,
       body("\xf0\x90\x80\x80\xf4\x8f\xbf\xbf")},
      {"high surrogate alone", json(R"(\ud800)"), kBad},
      {"high surrogate before a letter", json(R"(\ud800a)"), kBad},
      {"high surrogate before an escape", json(R"(\ud800\n)"), kBad},
      {"two high surrogates", json(R"(\ud800\ud800)"), kBad},
      {"low surrogate alone", json(R"(\udc00)"), kBad},
      {"surrogate as UTF-8", json("\xed\xa0\x80"), kBad},
      {"three digits", json(R"(\u00e)"), kBad},
      {"not hex", json(R"(\u00g0)"), kBad},
      {"sign in an escape", json(R"(\u+0e9)"), kBad},
      {"capital U", json(R"(\U00e9)"), kBad},
      {"UTF-8", json("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8c"), Code::kOk,
       body("h\xc3\xa9 \xe2\x82\xac \xf0\x9f\x90\x8c")},
      {"not UTF-8", json("a\xff"), kBad},
      {"UTF-8 cut", json("a\xe2\x82"), kBad},
      {"overlong UTF-8", json("\xc0\x80"), kBad},
      {"line break", json("a\nb"), kBad},
      {"control character", json("a\x1f"), kBad},
      {"raw NUL", json("a\0b"sv), kBad},
      {"DEL", json("a\x7f"), Code::kOk, body("a\x7f")},
      {"not closed", R"({"resourceLogs":[{"schemaUrl":"a)", kBad},
      {"ends in an escape", R"({"resourceLogs":[{"schemaUrl":"a\)", kBad},
      {"number", LogJson(R"("severityText":1)"), kBad},
      {"object", LogJson(R"("severityText":{})"), kBad},
      {"array", LogJson(R"("severityText":["a"])"), kBad},
  };
  ExpectCases(Signal::kLogs, cases);
}

TEST(ConvertOtlpJson, TextOfEveryLength) {
  for (const size_t size : {126u, 127u, 128u, 129u, 16383u, 16384u, 16385u, 100000u}) {
    const std::string text(size, 'x');
    const Converted got = Convert(Signal::kLogs, BodyJson(R"("stringValue":")" + text + '"'));
    ASSERT_TRUE(got.status.ok());
    std::span<const uint8_t> bytes = Bytes(got.bytes);
    for (int level = 0; level < 5; ++level) {
      WireReader in(bytes);
      ASSERT_TRUE(in.Next());
      bytes = in.Bytes();
      EXPECT_FALSE(in.Next());
    }
    EXPECT_EQ(std::string(bytes.begin(), bytes.end()), text);
  }
}

TEST(ConvertOtlpJson, Ids) {
  const Case cases[] = {
      {"hex", LogJson(R"("traceId":"0123456789abcdef0123456789ABCDEF","spanId":"00ff")"), Code::kOk,
       LogBytes(Message(9, "\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef") +
                Message(10, "\x00\xff"sv))},
      {"empty", LogJson(R"("traceId":"")"), Code::kOk, LogBytes("")},
      {"zero", LogJson(R"("traceId":"00")"), Code::kOk, LogBytes(Message(9, "\0"sv))},
      {"with an escape", LogJson(R"("traceId":"\u0061b")"), Code::kOk, LogBytes(Message(9, "\xab"))},
      {"odd", LogJson(R"("traceId":"abc")"), kBad},
      {"one digit", LogJson(R"("traceId":"0")"), kBad},
      {"not hex", LogJson(R"("traceId":"0g")"), kBad},
      {"blank", LogJson(R"("traceId":" 00")"), kBad},
      {"padding", LogJson(R"("traceId":"00==")"), kBad},
      {"base64", LogJson(R"("spanId":"EjRWeJCrze8=")"), kBad},
      {"0x", LogJson(R"("spanId":"0x01")"), kBad},
      {"number", LogJson(R"("spanId":12)"), kBad},
      {"null", LogJson(R"("spanId":null)"), Code::kOk, LogBytes("")},
  };
  ExpectCases(Signal::kLogs, cases);
}

TEST(ConvertOtlpJson, Base64) {
  const auto json = [](std::string_view text) {
    return BodyJson(R"("bytesValue":")" + std::string(text) + '"');
  };
  const auto body = [](std::string_view bytes) { return BodyBytes(Message(7, bytes)); };
  const Case cases[] = {
      {"empty", json(""), Code::kOk, body("")},
      {"one byte", json("AQ=="), Code::kOk, body("\x01")},
      {"two bytes", json("AQI="), Code::kOk, body("\x01\x02")},
      {"three bytes", json("AQID"), Code::kOk, body("\x01\x02\x03")},
      {"four bytes", json("AQIDBA=="), Code::kOk, body("\x01\x02\x03\x04")},
      {"not padded", json("AQ"), Code::kOk, body("\x01")},
      {"two bytes, not padded", json("AQI"), Code::kOk, body("\x01\x02")},
      {"standard alphabet", json("+/+/"), Code::kOk, body("\xfb\xff\xbf")},
      {"URL alphabet", json("-_-_"), Code::kOk, body("\xfb\xff\xbf")},
      {"ends of the ranges", json("AZaz09AA"), Code::kOk, body("\x01\x96\xb3\xd3\xd0\x00"sv)},
      {"with an escape", json(R"(+\/+\/)"), Code::kOk, body("\xfb\xff\xbf")},
      {"one digit", json("A"), kBad},
      {"five digits", json("AQIDB"), kBad},
      {"too little padding", json("AQ="), kBad},
      {"too much padding", json("AQI=="), kBad},
      {"padding without need", json("AQID===="), kBad},
      {"padding alone", json("===="), kBad},
      {"padding in the middle", json("AQ==AQ=="), kBad},
      {"bits that no byte has", json("AR=="), kBad},
      {"blank", json("AQ ID"), kBad},
      {"line break", json(R"(AQID\n)"), kBad},
      {"other character", json("AQI*"), kBad},
      {"numbers", BodyJson(R"("bytesValue":[1,2])"), kBad},
  };
  ExpectCases(Signal::kLogs, cases);
}

/// As protobuf writes them.
std::string Varint(uint64_t value) {
  std::string out;
  for (; value > 0x7f; value >>= 7) out += static_cast<char>(value | 0x80);
  return out + static_cast<char>(value);
}
std::string Little(uint64_t value, int bytes) {
  std::string out;
  for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}
std::string Double(double value) { return Little(std::bit_cast<uint64_t>(value), 8); }

TEST(ConvertOtlpJson, Integers) {
  const auto json = [](std::string_view number) { return BodyJson(R"("intValue":)" + std::string(number)); };
  const auto body = [](int64_t value) { return BodyBytes("\x18" + Varint(static_cast<uint64_t>(value))); };
  const auto time = [](std::string_view number) {
    return LogJson(R"("timeUnixNano":)" + std::string(number));
  };
  const auto time_bytes = [](uint64_t value) { return LogBytes("\x09" + Little(value, 8)); };
  const Case cases[] = {
      {"in quotes", json(R"("12")"), Code::kOk, body(12)},
      {"bare", json("12"), Code::kOk, body(12)},
      {"zero in a oneof", json(R"("0")"), Code::kOk, body(0)},
      {"negative zero", json("-0"), Code::kOk, body(0)},
      {"negative", json("-1"), Code::kOk, body(-1)},
      {"largest", json(R"("9223372036854775807")"), Code::kOk, body(INT64_MAX)},
      {"largest, bare", json("9223372036854775807"), Code::kOk, body(INT64_MAX)},
      {"smallest", json(R"("-9223372036854775808")"), Code::kOk, body(INT64_MIN)},
      {"too large", json(R"("9223372036854775808")"), kBad},
      {"too small", json(R"("-9223372036854775809")"), kBad},
      {"far too large", json("99999999999999999999999"), kBad},
      {"1.0", json("1.0"), Code::kOk, body(1)},
      {"1.50e1", json("1.50e1"), Code::kOk, body(15)},
      {"1e3", json("1e3"), Code::kOk, body(1000)},
      {"1E+3", json(R"("1E+3")"), Code::kOk, body(1000)},
      {"100e-2", json("100e-2"), Code::kOk, body(1)},
      {"10e-2", json("10e-2"), kBad},
      {"9.223372036854775807e18", json("9.223372036854775807e18"), Code::kOk, body(INT64_MAX)},
      {"9.2233720368547758071e18", json("9.2233720368547758071e18"), kBad},
      {"0e999999999999999999999", json("0e999999999999999999999"), Code::kOk, body(0)},
      {"0e-999999999999999999999", json("0.00e-999999999999999999999"), Code::kOk, body(0)},
      {"1e999999999999999999999", json("1e999999999999999999999"), kBad},
      {"1e-999999999999999999999", json("1e-999999999999999999999"), kBad},
      {"1e18", json("1e18"), Code::kOk, body(1000000000000000000)},
      {"1e19", json("1e19"), kBad},
      {"0.5", json("0.5"), kBad},
      {"1.5", json(R"("1.5")"), kBad},
      {"many zeros", json("1." + std::string(1000, '0')), Code::kOk, body(1)},
      {"many digits and back", json("1" + std::string(1000, '0') + "e-1000"), Code::kOk, body(1)},
      {"with an escape", json(R"("1\u0032")"), Code::kOk, body(12)},
      {"empty", json(R"("")"), kBad},
      {"leading zero", json(R"("01")"), kBad},
      {"leading zero, bare", json("01"), kBad},
      {"plus", json(R"("+1")"), kBad},
      {"plus, bare", json("+1"), kBad},
      {"blank in front", json(R"(" 1")"), kBad},
      {"blank behind", json(R"("1 ")"), kBad},
      {"hex", json(R"("0x10")"), kBad},
      {"hex, bare", json("0x10"), kBad},
      {"no digits after the point", json("1."), kBad},
      {"no digits before the point", json(".5"), kBad},
      {"no digits in the exponent", json("1e"), kBad},
      {"minus alone", json("-"), kBad},
      {"two signs", json("--1"), kBad},
      {"NaN", json(R"("NaN")"), kBad},
      {"true", json("true"), kBad},
      {"null in a oneof", json("null"), Code::kOk, BodyBytes("")},
      {"array", json("[1]"), kBad},
      {"unsigned", time(R"("1795227330250000001")"), Code::kOk, time_bytes(1795227330250000001)},
      {"unsigned, bare", time("1795227330250000001"), Code::kOk, time_bytes(1795227330250000001)},
      {"unsigned, largest", time(R"("18446744073709551615")"), Code::kOk, time_bytes(UINT64_MAX)},
      {"unsigned, too large", time(R"("18446744073709551616")"), kBad},
      {"unsigned, ten times too large", time(R"("184467440737095516150")"), kBad},
      {"unsigned, negative", time("-1"), kBad},
      {"unsigned, zero", time("0"), Code::kOk, LogBytes("")},
      {"unsigned, negative zero", time(R"("-0")"), Code::kOk, LogBytes("")},
      {"uint32", LogJson(R"("droppedAttributesCount":4294967295)"), Code::kOk,
       LogBytes("\x38" + Varint(UINT32_MAX))},
      {"uint32 in quotes", LogJson(R"("droppedAttributesCount":"7")"), Code::kOk, LogBytes("\x38\x07")},
      {"uint32, too large", LogJson(R"("droppedAttributesCount":4294967296)"), kBad},
      {"uint32, negative", LogJson(R"("droppedAttributesCount":-1)"), kBad},
      {"fixed32", LogJson(R"("flags":4294967295)"), Code::kOk, LogBytes("\x45" + Little(UINT32_MAX, 4))},
      {"fixed32 in quotes", LogJson(R"("flags":"1")"), Code::kOk, LogBytes("\x45" + Little(1, 4))},
      {"fixed32, too large", LogJson(R"("flags":4294967296)"), kBad},
      {"enum", LogJson(R"("severityNumber":9)"), Code::kOk, LogBytes("\x10\x09")},
      {"enum, zero", LogJson(R"("severityNumber":0)"), Code::kOk, LogBytes("")},
      {"enum, unknown", LogJson(R"("severityNumber":2147483647)"), Code::kOk,
       LogBytes("\x10" + Varint(INT32_MAX))},
      {"enum, negative", LogJson(R"("severityNumber":-2147483648)"), Code::kOk,
       LogBytes("\x10" + Varint(static_cast<uint64_t>(int64_t{INT32_MIN})))},
      {"enum, too large", LogJson(R"("severityNumber":2147483648)"), kBad},
      {"enum by its name", LogJson(R"("severityNumber":"SEVERITY_NUMBER_INFO")"), kBad},
      {"enum in quotes", LogJson(R"("severityNumber":"9")"), kBad},
      {"bool", BodyJson(R"("boolValue":true)"), Code::kOk, BodyBytes("\x10\x01")},
      {"bool, false in a oneof", BodyJson(R"("boolValue":false)"), Code::kOk, BodyBytes("\x10\0"sv)},
      {"bool in quotes", BodyJson(R"("boolValue":"true")"), kBad},
      {"bool as a number", BodyJson(R"("boolValue":1)"), kBad},
  };
  ExpectCases(Signal::kLogs, cases);
}

TEST(ConvertOtlpJson, SignedWithZigZag) {
  const auto json = [](std::string_view n) {
    return PointJson("exponentialHistogram", R"("scale":)" + std::string(n));
  };
  const auto bytes = [](uint64_t value) { return PointBytes(10, "\x30" + Varint(value)); };
  const Case cases[] = {
      {"zero", json("0"), Code::kOk, PointBytes(10, "")},
      {"one", json("1"), Code::kOk, bytes(2)},
      {"minus one", json("-1"), Code::kOk, bytes(1)},
      {"in quotes", json(R"("-2")"), Code::kOk, bytes(3)},
      {"largest", json("2147483647"), Code::kOk, bytes(0xfffffffe)},
      {"smallest", json("-2147483648"), Code::kOk, bytes(0xffffffff)},
      {"too large", json("2147483648"), kBad},
      {"too small", json("-2147483649"), kBad},
  };
  ExpectCases(Signal::kMetrics, cases);
}

TEST(ConvertOtlpJson, Doubles) {
  const auto json = [](std::string_view number) {
    return BodyJson(R"("doubleValue":)" + std::string(number));
  };
  const auto body = [](double value) { return BodyBytes("\x21" + Double(value)); };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  const Case cases[] = {
      {"zero in a oneof", json("0"), Code::kOk, body(0)},
      {"negative zero", json("-0.0"), Code::kOk, body(-0.0)},
      {"fraction", json("0.1"), Code::kOk, body(0.1)},
      {"integer", json("-12"), Code::kOk, body(-12)},
      {"exponent", json("1.5e-7"), Code::kOk, body(1.5e-7)},
      {"largest", json("1.7976931348623157e308"), Code::kOk, body(1.7976931348623157e308)},
      {"smallest", json("5e-324"), Code::kOk, body(5e-324)},
      {"rounds to zero", json("1e-400"), Code::kOk, body(0)},
      {"17 digits", json("0.30000000000000004"), Code::kOk, body(0.30000000000000004)},
      {"in quotes", json(R"("2.5")"), Code::kOk, body(2.5)},
      {"NaN", json(R"("NaN")"), Code::kOk, body(std::numeric_limits<double>::quiet_NaN())},
      {"infinity", json(R"("Infinity")"), Code::kOk, body(kInfinity)},
      {"negative infinity", json(R"("-Infinity")"), Code::kOk, body(-kInfinity)},
      {"too large", json("1e309"), kBad},
      {"too small", json("-1e309"), kBad},
      {"too large, in quotes", json(R"("1e309")"), kBad},
      {"NaN, bare", json("NaN"), kBad},
      {"infinity, bare", json("Infinity"), kBad},
      {"nan", json(R"("nan")"), kBad},
      {"inf", json(R"("inf")"), kBad},
      {"+Infinity", json(R"("+Infinity")"), kBad},
      {"-NaN", json(R"("-NaN")"), kBad},
      {"empty", json(R"("")"), kBad},
      {"comma", json(R"("1,5")"), kBad},
      {"hex", json(R"("0x1p3")"), kBad},
      {"blank", json(R"(" 1")"), kBad},
      {"plus", json(R"("+1")"), kBad},
      {"leading zero", json(R"("00.5")"), kBad},
      {"as long as may be", json("0." + std::string(60, '3') + "4"), Code::kOk, body(1.0 / 3)},
      {"true", json("true"), kBad},
  };
  ExpectCases(Signal::kLogs, cases);
}

// ---- Fields --------------------------------------------------------------------------------------

TEST(ConvertOtlpJson, Presence) {
  const Case cases[] = {
      {"nothing", PointJson("gauge", ""), Code::kOk, PointBytes(5, "")},
      {"zero of a oneof", PointJson("gauge", R"("asInt":"0")"), Code::kOk,
       PointBytes(5, "\x31" + Little(0, 8))},
      {"zero of the other", PointJson("gauge", R"("asDouble":0)"), Code::kOk,
       PointBytes(5, "\x21" + Little(0, 8))},
      {"negative", PointJson("gauge", R"("asInt":"-2")"), Code::kOk,
       PointBytes(5, "\x31" + Little(~uint64_t{1}, 8))},
      {"zeros of optional fields", PointJson("histogram", R"("sum":0,"min":0.0,"max":"0")"), Code::kOk,
       PointBytes(9, "\x29" + Little(0, 8) + "\x59" + Little(0, 8) + "\x61" + Little(0, 8))},
      {"null of optional fields", PointJson("histogram", R"("sum":null,"min":null)"), Code::kOk,
       PointBytes(9, "")},
      {"zeros of others", PointJson("histogram", R"("count":"0","timeUnixNano":0,"flags":0)"), Code::kOk,
       PointBytes(9, "")},
      {"both of a oneof", PointJson("gauge", R"("asInt":"0","asDouble":0)"), kBad},
      {"null, then the other", PointJson("gauge", R"("asInt":null,"asDouble":0)"), Code::kOk,
       PointBytes(5, "\x21" + Little(0, 8))},
      {"one, then null", PointJson("gauge", R"("asDouble":0,"asInt":null)"), Code::kOk,
       PointBytes(5, "\x21" + Little(0, 8))},
      {"empty message of a oneof", MetricJson(R"("gauge":{})"), Code::kOk, MetricBytes(Message(5, ""))},
      {"two messages of a oneof", MetricJson(R"("gauge":{},"sum":{})"), kBad},
      {"null, then another message", MetricJson(R"("gauge":null,"sum":{})"), Code::kOk,
       MetricBytes(Message(7, ""))},
      {"a name twice", MetricJson(R"("name":"a","name":"a")"), kBad},
      {"a name twice, one null", MetricJson(R"("name":null,"name":"a")"), kBad},
      {"a message twice", MetricJson(R"("gauge":{},"gauge":{})"), kBad},
      {"an array twice", R"({"resourceMetrics":[],"resourceMetrics":[]})", kBad},
      {"a name twice, one with an escape", MetricJson(R"("name":"a","n\u0061me":"a")"), kBad},
      {"a name in two messages", R"({"resourceMetrics":[{"schemaUrl":"a"},{"schemaUrl":"b"}]})", Code::kOk,
       Message(1, Message(3, "a")) + Message(1, Message(3, "b"))},
  };
  ExpectCases(Signal::kMetrics, cases);
}

TEST(ConvertOtlpJson, Repeated) {
  const auto counts = [](std::string_view values) {
    return PointJson("histogram", R"("bucketCounts":)" + std::string(values));
  };
  const Case cases[] = {
      {"messages", R"({"resourceMetrics":[{},{"schemaUrl":"x"},{}]})", Code::kOk,
       Message(1, "") + Message(1, Message(3, "x")) + Message(1, "")},
      {"no messages", R"({"resourceMetrics":[]})"},
      {"null for messages", R"({"resourceMetrics":null})"},
      {"null among messages", R"({"resourceMetrics":[null]})", kBad},
      {"number among messages", R"({"resourceMetrics":[1]})", kBad},
      {"a message without its array", R"({"resourceMetrics":{}})", kBad},
      {"array of arrays", R"({"resourceMetrics":[[]]})", kBad},
      {"array not closed", R"({"resourceMetrics":[{})", kBad},
      {"array closed wrongly", R"({"resourceMetrics":[{}}})", kBad},
      {"comma before the end", R"({"resourceMetrics":[{},]})", kBad},
      {"no comma", R"({"resourceMetrics":[{}{}]})", kBad},
      {"packed", counts(R"([1,"2",0])"), Code::kOk,
       PointBytes(9, Message(6, Little(1, 8) + Little(2, 8) + Little(0, 8)))},
      {"packed zero", counts("[0]"), Code::kOk, PointBytes(9, Message(6, Little(0, 8)))},
      {"packed, none", counts("[]"), Code::kOk, PointBytes(9, "")},
      {"packed, null", counts("null"), Code::kOk, PointBytes(9, "")},
      {"packed, null among them", counts("[null]"), kBad},
      {"packed, comma before the end", counts("[1,]"), kBad},
      {"packed, one without its array", counts("1"), kBad},
      {"packed, not a number", counts("[{}]"), kBad},
      {"packed doubles", PointJson("histogram", R"("explicitBounds":[-0.0,"Infinity"])"), Code::kOk,
       PointBytes(9, Message(7, Double(-0.0) + Double(std::numeric_limits<double>::infinity())))},
      {"packed varints",
       PointJson("exponentialHistogram", R"("positive":{"offset":-1,"bucketCounts":["300",0]})"), Code::kOk,
       PointBytes(10, Message(8, "\x08\x01" + Message(2, Varint(300) + Varint(0))))},
      {"texts", R"({"resourceMetrics":[{"resource":{"entityRefs":[{"idKeys":["a","","b"]}]}}]})", Code::kOk,
       Message(1, Message(1, Message(3, Message(3, "a") + Message(3, "") + Message(3, "b"))))},
      {"texts, none", R"({"resourceMetrics":[{"resource":{"entityRefs":[{"idKeys":[]}]}}]})", Code::kOk,
       Message(1, Message(1, Message(3, "")))},
      {"texts, null among them", R"({"resourceMetrics":[{"resource":{"entityRefs":[{"idKeys":[null]}]}}]})",
       kBad},
      {"many", counts("[1" + std::string(2000, ' ') + "]"), Code::kOk,
       PointBytes(9, Message(6, Little(1, 8)))},
  };
  ExpectCases(Signal::kMetrics, cases);
}

TEST(ConvertOtlpJson, Messages) {
  const Case cases[] = {
      {"empty", LogJson(R"("body":{})"), Code::kOk, BodyBytes("")},
      {"null", LogJson(R"("body":null)"), Code::kOk, LogBytes("")},
      {"array", LogJson(R"("body":[])"), kBad},
      {"text", LogJson(R"("body":"x")"), kBad},
      {"empty array", BodyJson(R"("arrayValue":{})"), Code::kOk, BodyBytes(Message(5, ""))},
      {"array of nothing", BodyJson(R"("arrayValue":{"values":[]})"), Code::kOk, BodyBytes(Message(5, ""))},
      {"values without a value", BodyJson(R"("arrayValue":{"values":[{},{"intValue":null},{}]})"), Code::kOk,
       BodyBytes(Message(5, Message(1, "") + Message(1, "") + Message(1, "")))},
      {"list", BodyJson(R"("kvlistValue":{"values":[{"key":"k","value":{"boolValue":false}},{}]})"),
       Code::kOk,
       BodyBytes(Message(6, Message(1, Message(1, "k") + Message(2, "\x10\0"sv)) + Message(1, "")))},
      {"two values", BodyJson(R"("stringValue":"","intValue":1)"), kBad},
      {"value among unknown members", BodyJson(R"("x":{"intValue":1},"stringValue":"a","y":[])"), Code::kOk,
       BodyBytes(Message(1, "a"))},
      {"fields in another order", R"({"resourceLogs":[{"schemaUrl":"u","resource":{}}]})", Code::kOk,
       Message(1, Message(3, "u") + Message(1, ""))},
      {"blanks everywhere", "\n{ \"resourceLogs\" :\t[ { \"resource\" : { } , \"x\" : null } ] }\r\n",
       Code::kOk, Message(1, Message(1, ""))},
  };
  ExpectCases(Signal::kLogs, cases);
}

TEST(ConvertOtlpJson, DepthIsBounded) {
  std::string value = "{}";
  int arrays = 0;
  while (Convert(Signal::kLogs, LogJson(R"("body":)" + value)).status.ok()) {
    value = R"({"arrayValue":{"values":[)" + value + "]}}";
    ASSERT_LT(++arrays, 100);
  }
  // Request, resource, scope, record, body: what is left goes by twos.
  EXPECT_EQ(arrays, (kWireDepthMax - 5) / 2 + 1);
}

TEST(ConvertOtlpJson, SaysWhere) {
  const Converted name = Convert(Signal::kLogs, R"({"resourceLogs":[],"resourceLogs":[]})");
  EXPECT_EQ(std::string_view(name.status.where), "JSON name twice");
  const Converted comma = Convert(Signal::kLogs, R"({"a":1 "b":2})");
  EXPECT_EQ(std::string_view(comma.status.where), "JSON comma");
  EXPECT_EQ(comma.status.detail, 7);
}

// ---- The buffer ----------------------------------------------------------------------------------

/// Good and bad, short and not: what shrinks, what grows, what has no slack in front.
std::vector<std::pair<Signal, std::string>> Samples() {
  std::vector<std::pair<Signal, std::string>> samples = {
      {Signal::kLogs, "{}"},
      {Signal::kLogs, R"({"resourceLogs":[{},{},{},{},{},{}]})"},
      {Signal::kLogs, BodyJson(R"("arrayValue":{"values":[{},{},{},{},{},{},{},{}]})")},
      {Signal::kLogs, BodyJson(R"("doubleValue":1)")},
      {Signal::kLogs, BodyJson(R"("stringValue":")" + std::string(300, 'x') + '"')},
      {Signal::kLogs, BodyJson(R"("stringValue":"\ud83d\ude00a\n\u00e9\u0000\\\/")")},
      {Signal::kLogs, BodyJson(R"("bytesValue":"AQIDBAUGBwgJCgsMDQ4PEA==")")},
      {Signal::kLogs, LogJson(R"("timeUnixNano":1,"traceId":"0123456789abcdef0123456789ABCDEF","flags":1)")},
      {Signal::kLogs, BodyJson(R"("stringValue":"\ud83d")")},
      {Signal::kLogs, BodyJson(R"("stringValue":"a","intValue":1)")},
      {Signal::kLogs, LogJson(R"("timeUnixNano":-1)")},
      {Signal::kLogs, R"({"resourceLogs":[{},{}}})"},
      {Signal::kMetrics, PointJson("gauge", R"("timeUnixNano":1,"asInt":0)")},
      {Signal::kMetrics, PointJson("histogram", R"("min":0,"max":0,"sum":0)")},
      {Signal::kMetrics, PointJson("histogram", R"("explicitBounds":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0])")},
      {Signal::kMetrics,
       R"({"resourceMetrics":[{"resource":{"entityRefs":[{"idKeys":["","","","","","","a"]}]}}]})"},
      {Signal::kTraces, R"({"resourceSpans":[{"scopeSpans":[{"spans":[{"kind":1,"status":{"code":2},)"
                        R"("events":[{},{"name":"e"}],"links":[{"traceId":"00","flags":3}]}]}],"x":[{}]}]})"},
  };
  std::string counts = "1";
  for (int i = 2; i < 60; ++i) counts += "," + std::to_string(i);
  samples.emplace_back(Signal::kMetrics, PointJson("histogram", R"("bucketCounts":[)" + counts + "]"));
  samples.emplace_back(Signal::kMetrics,
                       PointJson("exponentialHistogram", R"("positive":{"bucketCounts":[)" + counts + "]}"));
  return samples;
}

TEST(ConvertOtlpJson, EverySizeOfTheOutput) {
  for (const auto& [signal, json] : Samples()) {
    SCOPED_TRACE(json);
    const Converted whole = Convert(signal, json);
    for (size_t size = 0; size <= whole.bytes.size() + 2; ++size) {
      std::vector<uint8_t> out(size + 1, 0xa5);  // The last one is not given away.
      const Result<size_t> got = ConvertOtlpJson(signal, Bytes(json), std::span(out).first(size));
      EXPECT_EQ(out[size], 0xa5);
      if (!whole.status.ok()) {
        EXPECT_TRUE(got.status().code == Code::kFull || got.status().code == kBad);
      } else if (size < whole.bytes.size()) {
        EXPECT_EQ(got.status().code, Code::kFull);
      } else {
        ASSERT_TRUE(got.ok()) << size;
        EXPECT_EQ(std::string(out.begin(), out.begin() + static_cast<ptrdiff_t>(got.value())), whole.bytes);
      }
    }
  }
}

TEST(ConvertOtlpJson, InPlaceWithEveryGap) {
  for (const auto& [signal, json] : Samples()) {
    SCOPED_TRACE(json);
    const Converted whole = Convert(signal, json);
    bool fitted = false;
    for (size_t gap = 0; gap <= whole.bytes.size() + 2; ++gap) {
      std::vector<uint8_t> buffer(gap, 0xa5);
      buffer.insert(buffer.end(), json.begin(), json.end());
      const Result<size_t> got = ConvertOtlpJson(signal, std::span(buffer).subspan(gap), buffer);
      if (got.status().code == Code::kFull) {
        EXPECT_FALSE(fitted) << gap;  // Once it fits, it fits with more.
        EXPECT_LT(gap, whole.bytes.size());
        continue;
      }
      fitted = true;
      EXPECT_EQ(got.status().code, whole.status.code) << gap;
      EXPECT_EQ(got.status().detail, whole.status.detail) << gap;
      EXPECT_STREQ(got.status().where, whole.status.where) << gap;
      if (!got.ok()) continue;
      ASSERT_EQ(got.value(), whole.bytes.size());
      EXPECT_TRUE(std::equal(whole.bytes.begin(), whole.bytes.end(), reinterpret_cast<char*>(buffer.data())));
    }
    EXPECT_TRUE(fitted);
  }
}

// What people send fits without a gap: JSON is longer than protobuf from the first word on.
TEST(ConvertOtlpJson, InPlaceWithoutAGap) {
  std::string record =
      R"({"timeUnixNano":"1795227330250000001","severityNumber":9,"body":{"stringValue":"x"},)"
      R"("attributes":[{"key":"a","value":{"doubleValue":1}}]})";
  std::string json = LogJson(record.substr(1, record.size() - 2));
  std::vector<uint8_t> buffer(json.begin(), json.end());
  EXPECT_TRUE(ConvertOtlpJson(Signal::kLogs, buffer, buffer).ok());
}

TEST(ConvertOtlpJson, SurvivesMutations) {
  const std::vector<std::pair<Signal, std::string>> samples = Samples();
  constexpr std::string_view kMarks = "{}[]\",:\\u0e-.tn \xff";
  std::mt19937 random(5);
  int good = 0;
  for (int round = 0; round < 60000; ++round) {
    auto [signal, json] = samples[random() % samples.size()];
    for (uint64_t edits = 1 + random() % 3; edits > 0 && !json.empty(); --edits) {
      const size_t at = random() % json.size();
      switch (random() % 4) {
        case 0: json[at] = kMarks[random() % kMarks.size()]; break;
        case 1: json.insert(at, 1, kMarks[random() % kMarks.size()]); break;
        case 2: json.erase(at, 1 + random() % 5); break;
        default: json.insert(at, json.substr(random() % json.size(), random() % 40)); break;
      }
    }
    const Converted got = Convert(signal, json);
    if (got.status.ok()) {
      ++good;
      EXPECT_TRUE(ValidateExportRequest(signal, Bytes(got.bytes)).ok()) << json;
    }
    const size_t gap = random() % 40;
    std::vector<uint8_t> buffer(gap);
    buffer.insert(buffer.end(), json.begin(), json.end());
    const Result<size_t> in_place = ConvertOtlpJson(signal, std::span(buffer).subspan(gap), buffer);
    if (in_place.status().code == Code::kFull) continue;
    EXPECT_EQ(in_place.status().code, got.status.code) << json;
    if (!in_place.ok()) continue;
    ASSERT_EQ(in_place.value(), got.bytes.size());
    EXPECT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(), reinterpret_cast<char*>(buffer.data())));
  }
  EXPECT_GT(good, 1000);
}

}  // namespace
}  // namespace limpet
