// Lines of logs: a row for each rule of each format, good and bad, the whole record as text; then every
// size of the scratch memory, and damage.
#include "logs/line_parser.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar.h"
#include "base/text.h"
#include "base/time_format.h"
#include "base/utf8.h"
#include "logs/attribute_writer.h"
#include "logs/container_line.h"
#include "logs/syslog_parser.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

/// 2026-01-15T12:00:00Z
constexpr UnixTime kNow{1'768'478'400'000'000'000};

std::string Shown(UnixTime time) {
  TextBuffer<64> out;
  WriteRfc3339(out, time, 3);
  return std::string(out.text());
}

/// An AnyValue: "text" 1 1.5 true null [a,b] {k:v}.
std::string ShownValue(WireReader in) {
  std::string out = "null";
  while (in.Next()) {
    switch (in.field()) {
      case otlp_AnyValue_string_value_tag: {
        const std::string_view text = in.String();
        EXPECT_TRUE(IsUtf8(text));
        out = '"' + std::string(text) + '"';
        break;
      }
      case otlp_AnyValue_bool_value_tag: out = in.Varint() != 0 ? "true" : "false"; break;
      case otlp_AnyValue_int_value_tag: out = std::to_string(static_cast<int64_t>(in.Varint())); break;
      case otlp_AnyValue_double_value_tag: {
        TextBuffer<64> number;
        number.Double(in.Double());
        out = std::string(number.text()) + 'd';
        break;
      }
      case otlp_AnyValue_array_value_tag: {
        out = "[";
        for (WireReader array = in.Message(); array.Next();) {
          out += (out.size() > 1 ? "," : "") + ShownValue(array.Message());
        }
        out += ']';
        break;
      }
      case otlp_AnyValue_kvlist_value_tag: {
        out = "{";
        for (WireReader list = in.Message(); list.Next();) {
          WireReader pair = list.Message();
          EXPECT_TRUE(pair.Next());
          out += (out.size() > 1 ? "," : "") + std::string(pair.String());
          EXPECT_TRUE(pair.Next());
          out += ':' + ShownValue(pair.Message());
        }
        out += '}';
        break;
      }
      default: ADD_FAILURE() << in.field();
    }
  }
  EXPECT_TRUE(in.status().ok());
  return out;
}

std::string ShownAttributes(std::span<const uint8_t> attributes) {
  std::string out;
  WireReader in(attributes);
  while (in.Next()) {
    EXPECT_EQ(in.field(), static_cast<uint32_t>(otlp_LogRecord_attributes_tag));
    WireReader pair = in.Message();
    EXPECT_TRUE(pair.Next());
    const std::string_view key = pair.String();
    EXPECT_TRUE(IsUtf8(key));
    out += (out.empty() ? "" : " ") + std::string(key);
    EXPECT_TRUE(pair.Next());
    out += '=' + ShownValue(pair.Message());
    EXPECT_FALSE(pair.Next());
  }
  EXPECT_TRUE(in.status().ok());
  return out;
}

/// "time number text|body|attributes|utf8", what is not there left out. "- " in front: not of the format.
std::string Shown(Status status, const ReadRecord& record) {
  std::string out = status.ok() ? "" : status.code == Code::kFull ? "full " : "- ";
  if (record.time != UnixTime{}) out += Shown(record.time) + ' ';
  if (record.severity != Severity::kUnspecified) out += std::to_string(static_cast<int>(record.severity)) + ' ';
  if (!record.severity_text.empty()) out += std::string(record.severity_text) + ' ';
  out += '|' + std::string(record.body) + '|' + ShownAttributes(record.attributes);
  if (record.invalid_utf8) out += "|utf8";
  return out;
}

std::string Parse(const LineParserOptions& options, std::string_view line, size_t scratch_bytes = 8192) {
  const std::vector<char> exact(line.begin(), line.end());
  std::vector<uint8_t> scratch(scratch_bytes);
  LineParser parser(options, scratch);
  ReadRecord record;
  record.body = "left over";
  record.invalid_utf8 = true;
  const Status status = parser.Parse({exact.data(), exact.size()}, kNow, record);
  if (!status.ok()) {
    if (options.format == LineFormat::kSyslog) {
      while (line.ends_with('\n') || line.ends_with('\0')) line.remove_suffix(1);
    }
    EXPECT_EQ(record.body, line);
    EXPECT_TRUE(record.attributes.empty());
  }
  return Shown(status, record);
}

struct Case {
  std::string_view line;
  std::string_view expected;
};

void Check(const LineParserOptions& options, std::span<const Case> cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.line);
    EXPECT_EQ(Parse(options, c.line), c.expected);
  }
}

TEST(LineParser, Plain) {
  const Case cases[] = {{"", "||"}, {"a line", "|a line|"}, {"\xff\0x"sv, "|\xff\0x|"sv}, {R"({"a":1})",
      R"(|{"a":1}|)"}};
  for (const LineFormat format : {LineFormat::kPlain, LineFormat::kCri, LineFormat::kDocker}) {
    Check({.format = format}, cases);
  }
}

TEST(LineParser, Json) {
  const Case cases[] = {
      {R"({"message":"hi"})", "|hi|"},
      {R"( { "message" : "hi" } )", "|hi|"},
      {R"({"time":"2024-01-02T03:04:05.678Z","level":"info","message":"hi","a":1})",
       "2024-01-02T03:04:05.678Z 9 info |hi|a=1"},
      {R"({"time":1700000000123,"level":30,"message":"hi"})", "2023-11-14T22:13:20.123Z 9 30 |hi|"},
      {R"({"time":1700000000.5,"level":"WARNING","message":"hi"})",
       "2023-11-14T22:13:20.500Z 13 WARNING |hi|"},
      {R"({"level":"audit","message":"hi"})", "audit |hi|"},
      // Kinds of values.
      {R"({"message":"m","s":"","i":-1,"z":0,"d":1.5,"e":1e3,"o":1.0,"t":true,"f":false,"n":null})",
       R"(|m|s="" i=-1 z=0 d=1.5d e=1000d o=1d t=true f=false)"},
      {R"({"message":"m","a":9223372036854775807,"b":-9223372036854775808,"c":9223372036854775808,"d":-0})",
       "|m|a=9223372036854775807 b=-9223372036854775808 c=9.2233720368547758e+18d d=0"},
      {R"({"message":"m","a":1e400,"b":-1E-400})", R"(|m|a="1e400" b=-0d)"},
      {R"({"message":"m","a":[],"b":[1,"x",null,[true,1.5],{"k":"v","n":null}]})",
       R"(|m|a=[] b=[1,"x",null,[true,1.5d],{k:"v",n:null}])"},
      {R"({"message":"m","a":{"b":{"c":1,"d":[{}]},"e":2},"f":3})", "|m|a.b.c=1 a.b.d=[{}] a.e=2 f=3"},
      {R"({"message":"m","a":{},"b":{"c":{}}})", "|m|"},
      {R"({"message":"m","":{"":1}})", "|m|.=1"},
      // What is no string as a message, none, and several.
      {R"({"message":{"a":[1, 2]},"b":1})", R"(|{"a":[1, 2]}|b=1)"},
      {R"({"message":[1,"}"]})", R"(|[1,"}"]|)"},
      {R"({"message":12.50})", "|12.50|"},
      {R"({"message":true})", "|true|"},
      {R"({"message":null,"a":1})", R"(|{"message":null,"a":1}|a=1)"},
      {R"({"message":""})", "||"},
      {R"({"a":1})", R"(|{"a":1}|a=1)"},
      {"{}", "|{}|"},
      {R"({"message":"a","message":"b"})", "|b|"},
      {R"({"message":"a","level":"info","level":"error"})", "17 error |a|"},
      // What cannot be used stays.
      {R"({"message":"m","time":"yesterday","level":{"a":1}})", R"(|m|time="yesterday" level.a=1)"},
      {R"({"message":"m","time":-5,"level":[1]})", "|m|time=-5 level=[1]"},
      {R"({"message":"m","time":true,"level":false})", "|m|time=true level=false"},
      {R"({"message":"m","time":null,"level":null})", "|m|"},
      {R"({"message":"m","time":{"a":"2024-01-02T03:04:05Z"}})", R"(|m|time.a="2024-01-02T03:04:05Z")"},
      // A key twice.
      {R"({"message":"m","a":1,"b":2,"a":"x"})", R"(|m|b=2 a="x")"},
      {R"({"message":"m","a.b":1,"a":{"b":2}})", "|m|a.b=2"},
      {R"({"message":"m","a":{"b":1},"a":{"c":2},"a":{"b":3}})", "|m|a.c=2 a.b=3"},
      {R"({"message":"m","a":[1],"a":[2,3]})", "|m|a=[2,3]"},
      {R"({"message":"m","\u0061":1,"a":2})", "|m|a=2"},
      // Strings.
      {R"({"message":"a\"b\\c\/\n\t\r\b\f\u0041\u00e9\u20ac\ud83d\ude00"})",
       "|a\"b\\c/\n\t\r\b\f" "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80|"},
      {R"({"message":"\u0041"})", "|A|"},
      {R"({"message":"\u0000"})", "|\0|"sv},
      {R"({"message":"m","a":"x\ny","b":"\u0042"})", "|m|a=\"x\ny\" b=\"B\""},
      {R"({"message":"x\ny","level":"in\u0066o","a":"p\tq","time":"2024-01-02T03:04:05\u005a"})",
       "2024-01-02T03:04:05.000Z 9 info |x\ny|a=\"p\tq\""},
      {R"({"m\u0065ssage":"x","l\u0065vel":"info"})", "9 info |x|"},
      {R"({"a\nb":{"c\td":1},"message":"m"})", "|m|a\nb.c\td=1"},
      {R"({"message":"m","a":[{"k\n":"v\n"},"\n"]})", "|m|a=[{k\n:\"v\n\"},\"\n\"]"},
      {R"({"message":"\ud800","a":1})", "|\xef\xbf\xbd|a=1|utf8"},
      {R"({"message":"\udc00\ud800x\ud800\ud800\udc00"})",
       "|\xef\xbf\xbd\xef\xbf\xbdx\xef\xbf\xbd\xf0\x90\x80\x80||utf8"},
      {R"({"message":"\ud800\n"})", "|\xef\xbf\xbd\n||utf8"},
      {"{\"message\":\"m\",\"a\":\"x\xff\xc3y\"}", "|m|a=\"x\xef\xbf\xbd\xef\xbf\xbdy\"|utf8"},
      {"{\"message\":\"m\",\"a\xff\":1,\"b\":[\"\xfe\"]}", "|m|a\xef\xbf\xbd=1 b=[\"\xef\xbf\xbd\"]|utf8"},
      {"{\"message\":\"m\",\"a\":\"\xed\xa0\x80\"}", "|m|a=\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"|utf8"},
      {"{\"message\":\"m\",\"a\":\"\xf0\x9f\x98\x80\"}", "|m|a=\"\xf0\x9f\x98\x80\""},
      {"{\"message\":[\"\xff\"]}", "|[\"\xff\"]||utf8"},
      {"{\"message\":\"a\tb\x01\"}", "|a\tb\x01|"},
      {R"({"message":"C:\Users\x \u12 \q"})", R"(|C:\Users\x \u12 \q|)"},
      // Not JSON, or not one object.
      {"", "- ||"},
      {"text", "- |text|"},
      {"[1]", "- |[1]|"},
      {"\"a\"", "- |\"a\"|"},
      {"null", "- |null|"},
      {"{", "- |{|"},
      {"}", "- |}|"},
      {R"({"a")", R"(- |{"a"|)"},
      {R"({"a":)", R"(- |{"a":|)"},
      {R"({"a":1)", R"(- |{"a":1|)"},
      {R"({"a":1,})", R"(- |{"a":1,}|)"},
      {R"({,"a":1})", R"(- |{,"a":1}|)"},
      {R"({"a":1 "b":2})", R"(- |{"a":1 "b":2}|)"},
      {R"({"a" 1})", R"(- |{"a" 1}|)"},
      {R"({a:1})", "- |{a:1}|"},
      {R"({'a':1})", "- |{'a':1}|"},
      {R"({"a":01})", R"(- |{"a":01}|)"},
      {R"({"a":+1})", R"(- |{"a":+1}|)"},
      {R"({"a":.5})", R"(- |{"a":.5}|)"},
      {R"({"a":1.})", R"(- |{"a":1.}|)"},
      {R"({"a":NaN})", R"(- |{"a":NaN}|)"},
      {R"({"a":nul})", R"(- |{"a":nul}|)"},
      {R"({"a":tru})", R"(- |{"a":tru}|)"},
      {R"({"a":truex})", R"(- |{"a":truex}|)"},
      {R"({"a":"b)", R"(- |{"a":"b|)"},
      {R"({"a":"b\)", R"(- |{"a":"b\|)"},
      {R"({"a":"b\"})", R"(- |{"a":"b\"}|)"},
      {R"({"a":[1})", R"(- |{"a":[1}|)"},
      {R"({"a":[1,]})", R"(- |{"a":[1,]}|)"},
      {R"({"a":[1 2]})", R"(- |{"a":[1 2]}|)"},
      {R"({"a":{]})", R"(- |{"a":{]}|)"},
      {R"({"a":1}})", R"(- |{"a":1}}|)"},
      {R"({"a":1} x)", R"(- |{"a":1} x|)"},
      {R"({"a":1}{"b":2})", R"(- |{"a":1}{"b":2}|)"},
      {R"({"message":"m","time":"2024-01-02T03:04:05Z","level":"info",)",
       R"(- |{"message":"m","time":"2024-01-02T03:04:05Z","level":"info",|)"},
      {"\xef\xbb\xbf{}", "- |\xef\xbb\xbf{}|"},
      {"{\0}"sv, "- |{\0}|"sv},
      {"{}\0"sv, "- |{}\0|"sv},
  };
  Check({.format = LineFormat::kJson}, cases);
}

TEST(LineParser, Keys) {
  const LineParserOptions options{.format = LineFormat::kJson,
                                  .time_key = "meta.ts",
                                  .level_key = "log.level",
                                  .message_key = "event.original.text",
                                  .time_format = "%d/%m/%Y %H:%M"};
  const Case cases[] = {
      {R"({"meta":{"ts":"02/01/2024 03:04","x":1},"log":{"level":"E"},"event":{"original":{"text":"t"}}})",
       "2024-01-02T03:04:00.000Z 17 E |t|meta.x=1"},
      {R"({"meta.ts":"02/01/2024 03:04","log.level":"E","event.original.text":"t"})",
       "2024-01-02T03:04:00.000Z 17 E |t|"},
      {R"({"event":{"original":{"text":{"a":1}}},"time":1,"level":2,"message":"m"})",
       R"(|{"a":1}|time=1 level=2 message="m")"},
      {R"({"event":{"original":{"text":"t"}},"meta":{"ts":"2024-01-02T03:04:05Z"}})",
       R"(|t|meta.ts="2024-01-02T03:04:05Z")"},
  };
  Check(options, cases);
}

std::string Repeated(std::string_view text, size_t times) {
  std::string out;
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(LineParser, JsonLimits) {
  const LineParserOptions json{.format = LineFormat::kJson};
  const auto nested = [](size_t depth, std::string_view inner) {
    return Repeated(R"({"a":)", depth) + std::string(inner) + Repeated("}", depth);
  };
  const auto path = [](size_t depth) { return Repeated("a.", depth - 1) + 'a'; };
  const std::string deepest = nested(16, "1"), deeper = nested(18, "1");
  EXPECT_EQ(Parse(json, deepest), '|' + deepest + '|' + path(16) + "=1");
  EXPECT_EQ(Parse(json, deeper), '|' + deeper + '|' + path(16) + R"(="{"a":{"a":1}}")");
  const std::string lists = R"({"message":"m","a":)" + Repeated("[", 15) + "[1,[2]]" + Repeated("]",
      15) + '}';
  EXPECT_EQ(Parse(json, lists), "|m|a=" + Repeated("[", 15) + R"("[1,[2]]")" + Repeated("]", 15));
  const std::string objects = R"({"message":"m","a":[)" + nested(20, "1") + "]}";
  EXPECT_EQ(Parse(json, objects),
            "|m|a=[" + Repeated("{a:", 14) + '"' + nested(6, "1") + '"' + Repeated("}", 14) + ']');
  // More than the lexer passes over: as if it were no JSON.
  for (const std::string& bottomless : {nested(1000, "1"), R"({"a":)" + Repeated("[", 100000)}) {
    EXPECT_EQ(Parse(json, bottomless), "- |" + bottomless + '|');
  }

  for (const size_t size : {AttributeWriter::kKeyMax, AttributeWriter::kKeyMax + 1}) {
    const std::string key(size, 'k');
    const bool fits = size <= AttributeWriter::kKeyMax;
    std::string line = R"({"message":"m",")" + key + R"(":1})";
    EXPECT_EQ(Parse(json, line), fits ? "|m|" + key + "=1" : "full |" + line + '|');
    line = R"({"message":"m","o":{"\u006b)" + key.substr(3) + R"(":1}})";
    EXPECT_EQ(Parse(json, line), fits ? "|m|o.k" + key.substr(3) + "=1" : "full |" + line + '|');
    line = R"({"message":"m",")" + key + R"(":{"b":1}})";
    EXPECT_EQ(Parse(json, line), "full |" + line + '|');
    line = R"({"o":{")" + key + R"(":{"b":1}}})";
    EXPECT_EQ(Parse(json, line), "full |" + line + '|');
  }
  for (const size_t count : {AttributeWriter::kCountMax, AttributeWriter::kCountMax + 1}) {
    std::string line = R"({"message":"m")", shown = "|m|";
    for (size_t i = 0; i < count; ++i) {
      line += ",\"" + std::to_string(i) + "\":1";
      shown += (i > 0 ? " " : "") + std::to_string(i) + "=1";
    }
    line += '}';
    EXPECT_EQ(Parse(json, line, 32768), count <= AttributeWriter::kCountMax ? shown : "full |" + line + '|');
  }
}

TEST(LineParser, Logfmt) {
  const Case cases[] = {
      {"msg=hi a=1", "|msg=hi a=1|msg=\"hi\" a=\"1\""},
      {"time=2024-01-02T03:04:05Z level=info message=\"hi there\" user=x",
       "2024-01-02T03:04:05.000Z 9 info |hi there|user=\"x\""},
      {"  time=1700000000   level=E\tmessage=m  ", "2023-11-14T22:13:20.000Z 17 E |m|"},
      {R"(message="a \"b\" \\ \n \u00e9")", "|a \"b\" \\ \n \xc3\xa9|"},
      {R"(message=m a="x\"y" b="z")", "|m|a=\"x\"y\" b=\"z\""},
      {R"(message=m a="x\x1b")", R"(|m|a="x\x1b")"},
      {"message=m done a.b-c=1 last", R"(|m|done=true a.b-c="1" last=true)"},
      {"message= a= b", R"(||a="" b=true)"},
      {R"(message="")", "||"},
      {"message=m url=http://x/?a=b&c=d", R"(|m|url="http://x/?a=b&c=d")"},
      {R"(message=m a=x"y b=1)", R"(|m|a="x"y" b="1")"},
      {"message=m time=never level", R"(|m|time="never" level=true)"},
      {"message=m a=1 a=2", R"(|m|a="2")"},
      {"message=m \xc3\xa9=\xc3\xa9", "|m|\xc3\xa9=\"\xc3\xa9\""},
      {"message=m a=\xff", "|m|a=\"\xef\xbf\xbd\"|utf8"},
      {"message=m \xff=1 \xff\xfe", "|m|\xef\xbf\xbd=\"1\" \xef\xbf\xbd\xef\xbf\xbd=true|utf8"},
      {"message=m \xff=1 \xfe=2", "|m|\xef\xbf\xbd=\"2\"|utf8"},
      {"message=\xff", "|\xff|"},
      {"message=m a=\"\xff\"", "|m|a=\"\xef\xbf\xbd\"|utf8"},
      {R"(message="\ud800")", "|\xef\xbf\xbd||utf8"},
      {"message=m a=\0"sv, "|m|a=\"\0\""sv},
      {"", "- ||"},
      {"  ", "- |  |"},
      {"panic: at once", "- |panic: at once|"},
      {"=x", "- |=x|"},
      {"a=1 =x", "- |a=1 =x|"},
      {"= =", "- |= =|"},
      {"\"a\"=1", "- |\"a\"=1|"},
      {"a\"b=1", "- |a\"b=1|"},
      {R"(a="b)", R"(- |a="b|)"},
      {R"(a="b\")", R"(- |a="b\"|)"},
      {R"(a="b"c=1)", R"(- |a="b"c=1|)"},
      {R"(level=info message=m a=")", R"(- |level=info message=m a="|)"},
  };
  Check({.format = LineFormat::kLogfmt}, cases);
}

TEST(LineParser, Syslog) {
  const Case cases[] = {
      // RFC 3164 and what is met of it.
      {"<34>Oct 11 22:14:15 mymachine su[42]: 'su root' failed",
       "2025-10-11T22:14:15.000Z 18 crit |'su root' failed|syslog.facility=4 host.name=\"mymachine\" "
       "service.name=\"su\" syslog.procid=\"42\""},
      {"<13>Nov  2 03:04:05 host kernel: [ 12.3] up",
       "2025-11-02T03:04:05.000Z 10 notice |[ 12.3] up|syslog.facility=1 host.name=\"host\" "
           "service.name=\"kernel\""},
      {"<30>Nov  2 03:04:05 dnsmasq[7]: started",
       "2025-11-02T03:04:05.000Z 9 info |started|syslog.facility=3 service.name=\"dnsmasq\" "
           "syslog.procid=\"7\""},
      {"Nov  2 03:04:05 host app: text",
       "2025-11-02T03:04:05.000Z |text|host.name=\"host\" service.name=\"app\""},
      {"2024-01-02T03:04:05.678901+01:00 host app[1]: text",
       "2024-01-02T02:04:05.678Z |text|host.name=\"host\" service.name=\"app\" syslog.procid=\"1\""},
      {"<14>2024-01-02T03:04:05Z host app text",
       "2024-01-02T03:04:05.000Z 9 info |app text|syslog.facility=1 host.name=\"host\""},
      {"<189>Nov 02 2024 03:04:05.123: %SYS-5-CONFIG_I: Configured",
       "2024-11-02T03:04:05.123Z 10 notice |Configured|syslog.facility=23 service.name=\"%SYS-5-CONFIG_I\""},
      {"<0>text", "21 emerg |text|syslog.facility=0"},
      {"<191>app: text", "5 debug |text|syslog.facility=23 service.name=\"app\""},
      {"<30> app[1] text", "9 info | app[1] text|syslog.facility=3"},
      {"<30>app[1] text", "9 info |text|syslog.facility=3 service.name=\"app\" syslog.procid=\"1\""},
      {"<30>", "9 info ||syslog.facility=3"},
      {"<30>Nov  2 03:04:05", "2025-11-02T03:04:05.000Z 9 info ||syslog.facility=3"},
      {"<30>Nov  2 03:04:05 ", "2025-11-02T03:04:05.000Z 9 info ||syslog.facility=3"},
      {"<30>Nov  2 03:04:05 word", "2025-11-02T03:04:05.000Z 9 info |word|syslog.facility=3"},
      {"<30>Nov  2 03:04:05 host app:",
       "2025-11-02T03:04:05.000Z 9 info ||syslog.facility=3 host.name=\"host\" service.name=\"app\""},
      {"<30>Nov  2 03:04:05 fe80::1 app: text",
       "2025-11-02T03:04:05.000Z 9 info |text|syslog.facility=3 host.name=\"fe80::1\" service.name=\"app\""},
      {"<30>Nov  2 03:04:05 host app[a b]: text",
       "2025-11-02T03:04:05.000Z 9 info |app[a b]: text|syslog.facility=3 host.name=\"host\""},
      {"<30>Nov  2 03:04:05 host app[1: text",
       "2025-11-02T03:04:05.000Z 9 info |app[1: text|syslog.facility=3 host.name=\"host\""},
      {"<30>Nov  2 03:04:05 host app: \xff",
       "2025-11-02T03:04:05.000Z 9 info |\xff|syslog.facility=3 host.name=\"host\" service.name=\"app\""},
      {"<30>Nov  2 03:04:05 h\xff app: x",
       "2025-11-02T03:04:05.000Z 9 info |x|syslog.facility=3 host.name=\"h\xef\xbf\xbd\" "
       "service.name=\"app\"|utf8"},
      {"<30>app: text\n\0"sv, "9 info |text|syslog.facility=3 service.name=\"app\""},
      {"<30>Nov 31 03:04:05 host app: text", "9 info |Nov 31 03:04:05 host app: text|syslog.facility=3"},
      // RFC 5424, with its own examples.
      {"<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - \xef\xbb\xbf'su root' failed",
       "2003-10-11T22:14:15.003Z 18 crit |'su root' failed|syslog.facility=4 syslog.version=1 "
       "host.name=\"mymachine.example.com\" service.name=\"su\" syslog.msgid=\"ID47\""},
      {"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 myproc 8710 - - %% It's time",
       "2003-08-24T12:14:15.000Z 10 notice |%% It's time|syslog.facility=20 syslog.version=1 "
           "host.name=\"192.0.2.1\" "
       "service.name=\"myproc\" syslog.procid=\"8710\""},
      {"<165>1 2003-10-11T22:14:15.003Z h evntslog - ID47 [exampleSDID@32473 iut=\"3\" "
       "eventSource=\"Application\" "
       "eventID=\"1011\"][examplePriority@32473 class=\"high\"]",
       "2003-10-11T22:14:15.003Z 10 notice ||syslog.facility=20 syslog.version=1 host.name=\"h\" "
       "service.name=\"evntslog\" syslog.msgid=\"ID47\" syslog.exampleSDID@32473.iut=\"3\" "
       "syslog.exampleSDID@32473.eventSource=\"Application\" syslog.exampleSDID@32473.eventID=\"1011\" "
       "syslog.examplePriority@32473.class=\"high\""},
      {"<14>1 - - - - - - text", "9 info |text|syslog.facility=1 syslog.version=1"},
      {"<14>1 - - - - - -", "9 info ||syslog.facility=1 syslog.version=1"},
      {"<14>1 - - - - -", "9 info ||syslog.facility=1 syslog.version=1"},
      {"<14>1 - - - - - - ", "9 info ||syslog.facility=1 syslog.version=1"},
      {"<14>1 - - - - - -text", "9 info |-text|syslog.facility=1 syslog.version=1"},
      {"<14>1 -", "9 info ||syslog.facility=1 syslog.version=1"},
      {"1 2003-10-11T22:14:15Z h a 1 - - text",
       "2003-10-11T22:14:15.000Z |text|syslog.version=1 host.name=\"h\" service.name=\"a\" "
           "syslog.procid=\"1\""},
      {R"(<14>1 - - - - - [a b="c\"d\]e\\f\n"] text)",
       R"(9 info |text|syslog.facility=1 syslog.version=1 syslog.a.b="c"d]e\f\n")"},
      {"<14>1 - - - - - [a] [b] text", "9 info |[b] text|syslog.facility=1 syslog.version=1"},
      {R"(<14>1 - - - - - [origin ip="192.0.2.1" swVersion="2" software="s"] t)",
       R"(9 info |t|syslog.facility=1 syslog.version=1 client.address="192.0.2.1" service.version="2" )"
       R"(syslog.origin.software="s")"},
      {R"(<14>1 - - - - - [a b=""]x)", R"(9 info |x|syslog.facility=1 syslog.version=1 syslog.a.b="")"},
      {R"(<14>1 - - - - - [a b="c)", R"(9 info |[a b="c|syslog.facility=1 syslog.version=1)"},
      {R"(<14>1 - - - - - [a b="c\)", R"(9 info |[a b="c\|syslog.facility=1 syslog.version=1)"},
      {R"(<14>1 - - - - - [a b=c] x)", R"(9 info |[a b=c] x|syslog.facility=1 syslog.version=1)"},
      {R"(<14>1 - - - - - [] x)", R"(9 info |[] x|syslog.facility=1 syslog.version=1)"},
      {R"(<14>1 - - - - - [a b="c"][x)", R"(9 info |[x|syslog.facility=1 syslog.version=1 syslog.a.b="c")"},
      {"<14>1 - - - - - [a b=\"\xff\\\"\"] x",
       "9 info |x|syslog.facility=1 syslog.version=1 syslog.a.b=\"\xef\xbf\xbd\"\"|utf8"},
      {"<14>1 yesterday h a p m - x", "9 info |1 yesterday h a p m - x|syslog.facility=1"},
      {"<14>0 - - - - - - x", "9 info |0 - - - - - - x|syslog.facility=1"},
      {"<14>1000 - - - - - - x", "9 info |1000 - - - - - - x|syslog.facility=1"},
      // None.
      {"", "- ||"},
      {"text", "- |text|"},
      {"<", "- |<|"},
      {"<>x", "- |<>x|"},
      {"<192>x", "- |<192>x|"},
      {"<999>x", "- |<999>x|"},
      {"<-1>x", "- |<-1>x|"},
      {"<1a>x", "- |<1a>x|"},
      {"<0001>x", "- |<0001>x|"},
      {"<14", "- |<14|"},
      {"host app: text", "- |host app: text|"},
      {"2024-01-02 03:04:05 text", "- |2024-01-02 03:04:05 text|"},
  };
  Check({.format = LineFormat::kSyslog}, cases);
}

TEST(ParseSyslog, AppendsAndTakesBack) {
  std::array<uint8_t, 256> bytes;
  WireWriter out(bytes);
  AttributeWriter(out, true).Text("own", "x");
  const size_t before = out.size();
  ReadRecord record;
  ASSERT_TRUE(ParseSyslog("<30>app: text", kNow, out, record).ok());
  EXPECT_EQ(ShownAttributes(record.attributes), R"(own="x" syslog.facility=3 service.name="app")");
  out.Rewind(before);
  EXPECT_EQ(ParseSyslog("none", kNow, out, record).code, Code::kInvalid);
  EXPECT_EQ(out.size(), before);
  EXPECT_EQ(ShownAttributes(record.attributes), R"(own="x")");
  EXPECT_EQ(ParseSyslog("<30>" + std::string(300, 'a') + ": b", kNow, out, record).code, Code::kFull);
  EXPECT_TRUE(out.ok());
  EXPECT_EQ(out.size(), before);
  EXPECT_EQ(record.severity, Severity::kUnspecified);
  EXPECT_EQ(record.body.size(), 4u + 300 + 3);
}

TEST(AttributeWriter, OfAKeyTwiceTheLaterStays) {
  std::mt19937 random(3);
  for (int round = 0; round < 300; ++round) {
    std::array<uint8_t, 65536> bytes;
    WireWriter out(bytes);
    AttributeWriter writer(out, true);
    std::vector<std::pair<std::string, std::string>> model;
    for (int i = 0; i < 200; ++i) {
      const std::string key(random() % 3, static_cast<char>('a' + random() % 20));
      const std::string text(random() % 200, static_cast<char>('A' + random() % 26));
      std::erase_if(model, [&](const auto& pair) { return pair.first == key; });
      model.emplace_back(key, text);
      writer.Text(key, text);
    }
    std::string expected;
    for (const auto& [key,
        text] : model) expected += (expected.empty() ? "" : " ") + key + "=\"" + text + '"';
    ASSERT_TRUE(writer.ok());
    ASSERT_EQ(ShownAttributes(out.bytes()), expected);
  }
}

TEST(ContainerLine, Cri) {
  struct Row { std::string_view line; const char* stream; std::string_view text; bool partial; };
  const Row good[] = {
      {"2024-01-02T03:04:05.000000000Z stdout F text", "stdout", "text", false},
      {"2024-01-02T03:04:05.123456789+02:00 stderr P text", "stderr", "text", true},
      {"2024-01-02T03:04:05Z stdout F", "stdout", "", false},
      {"2024-01-02T03:04:05Z stdout F ", "stdout", "", false},
      {"2024-01-02T03:04:05Z stdout F  a  b ", "stdout", " a  b ", false},
      {"2024-01-02T03:04:05Z stdout P:more:tags text", "stdout", "text", true},
      {"2024-01-02T03:04:05Z stdout F \xff\0"sv, "stdout", "\xff\0"sv, false},
  };
  for (const Row& row : good) {
    SCOPED_TRACE(row.line);
    ContainerLine got;
    ASSERT_TRUE(ParseCri(row.line, got).ok());
    EXPECT_EQ(got.stream, row.stream);
    EXPECT_EQ(got.text, row.text);
    EXPECT_EQ(got.partial, row.partial);
    EXPECT_EQ(got.time, ParseTime("auto", row.line.substr(0, row.line.find(' ')), {}).value());
  }
  for (const std::string_view bad :
       {""sv, "text"sv, "2024-01-02T03:04:05Z"sv, "2024-01-02T03:04:05Z stdout"sv,
        "2024-01-02T03:04:05Z stdlog F x"sv, "2024-01-02T03:04:05Z stdout X x"sv,
            "2024-01-02T03:04:05Z stdout  x"sv,
        "2024-01-02T03:04:05Z stdout FP x"sv, "yesterday stdout F x"sv, " stdout F x"sv,
        "2024-01-02 03:04:05Z stdout F x"sv}) {
    SCOPED_TRACE(bad);
    ContainerLine got{.text = "as it was"};
    EXPECT_EQ(ParseCri(bad, got).code, Code::kInvalid);
    EXPECT_EQ(got.text, "as it was");
  }
}

TEST(ContainerLine, Docker) {
  struct Row { std::string_view line; const char* stream; std::string_view text; bool partial; bool time; };
  const Row good[] = {
      {R"({"log":"text\n","stream":"stdout","time":"2024-01-02T03:04:05.1Z"})", "stdout", "text", false,
       true},
      {R"({"log":"text","stream":"stderr","time":"2024-01-02T03:04:05.1Z"})", "stderr", "text", true, true},
      {R"({"log":"\n"})", "", "", false, false},
      {R"({"log":""})", "", "", true, false},
      {R"({"log":"a\r\n"})", "", "a", false, false},
      {R"({"log":"a\r"})", "", "a\r", true, false},
      {R"({"log":"a\nb\n\n"})", "", "a\nb\n", false, false},
      {R"({"log":"{\"a\":\"b\\n\"}\n","attrs":{"x":[1]}})", "", R"({"a":"b\n"})", false, false},
      {R"({"log":"\u001b[0m\u003ca\u003e\n"})", "", "\x1b[0m<a>", false, false},
      {R"({"time":"x","stream":"stdin","log":"a\n","log":"b"})", "", "b", true, false},
      {R"({"log":"\ud800\n"})", "", "\xef\xbf\xbd", false, false},
      {"{\"log\":\"\xff\\n\"}", "", "\xef\xbf\xbd", false, false},
      {R"({"log":"text\n","stream":1,"time":2})", "", "text", false, false},
  };
  for (const Row& row : good) {
    SCOPED_TRACE(row.line);
    for (size_t room = 0;; ++room) {
      std::vector<char> scratch(room);
      ContainerLine got{.text = "as it was"};
      const Status status = ParseDocker(row.line, scratch, got);
      if (status.code == Code::kFull) {
        EXPECT_EQ(got.text, "as it was");
        ASSERT_LT(room, row.line.size());
        continue;
      }
      ASSERT_TRUE(status.ok());
      EXPECT_EQ(got.stream, row.stream);
      EXPECT_EQ(got.text, row.text);
      EXPECT_EQ(got.partial, row.partial);
      EXPECT_EQ(got.time != UnixTime{}, row.time);
      break;
    }
  }
  for (const std::string_view bad : {""sv, "{}"sv, "text"sv, R"({"log":1})"sv, R"({"log":"a)"sv,
      R"({"log":"a"} x)"sv,
                                     R"({"stream":"stdout"})"sv, R"(["log"])"sv, R"({"log":{"a":1}})"sv}) {
    SCOPED_TRACE(bad);
    std::array<char, 64> scratch;
    ContainerLine got{.text = "as it was"};
    EXPECT_EQ(ParseDocker(bad, scratch, got).code, Code::kInvalid);
    EXPECT_EQ(got.text, "as it was");
  }
}

constexpr std::string_view kSamples[] = {
    R"({"time":"2024-01-02T03:04:05.678Z","level":"info","message":"a\tb",)"
    R"("n":{"k":[1,"x\n",{"y":null}],"s":"\u00e9"},"d":1.5})",
    "time=2024-01-02T03:04:05Z level=warn message=\"a \\\"b\\\"\" user=x flag",
    "<165>1 2003-10-11T22:14:15.003Z h a 1 m [id p=\"v\\\"\"] text",
    "<34>Oct 11 22:14:15 mymachine su[42]: text",
};
constexpr LineFormat kFormats[] = {LineFormat::kJson, LineFormat::kLogfmt, LineFormat::kSyslog};

// Too little memory is said, never written past.
TEST(LineParser, EverySizeOfTheScratchMemory) {
  for (const std::string_view line : kSamples) {
    for (const LineFormat format : kFormats) {
      const std::string whole = Parse({.format = format}, line);
      if (whole.starts_with("- ")) continue;
      bool fitted = false;
      for (size_t bytes = 0; bytes < 600; ++bytes) {
        const std::string got = Parse({.format = format}, line, bytes);
        if (got != whole) { ASSERT_TRUE(!fitted && got.starts_with("full |")) << bytes << got; }
        fitted = got == whole;
      }
      EXPECT_TRUE(fitted);
    }
  }
}

TEST(LineParser, Damage) {
  std::mt19937 random(5);
  constexpr std::string_view kBytes = "\"\\{}[]:,=<> \t\n.-+eE019ntf\0\x80\xff\xc3"sv;
  for (int i = 0; i < 40000; ++i) {
    std::string line(kSamples[random() % std::size(kSamples)]);
    for (size_t n = random() % 4 + 1; n > 0; --n) {
      const size_t at = random() % line.size();
      switch (random() % 3) {
        case 0: line[at] = kBytes[random() % kBytes.size()]; break;
        case 1: line.erase(at, random() % 5); break;
        default: line.insert(at, 1, kBytes[random() % kBytes.size()]);
      }
      if (line.empty()) line = " ";
    }
    for (const LineFormat format : kFormats) Parse({.format = format}, line,
        random() % 2 == 0 ? 1024 : random() % 300);
    ContainerLine got;
    std::vector<char> scratch(line.size());
    (void)ParseDocker(line, scratch, got).ok();
    (void)ParseCri(line, got).ok();
  }
}

}  // namespace
}  // namespace limpet
