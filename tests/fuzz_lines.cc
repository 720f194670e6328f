// Fuzzes the parsers of log lines and of times: whatever a line holds, attributes are well-formed and UTF-8,
// texts lie in the line or in the scratch memory, and nothing depends on what the memory held before. The
// first byte chooses the parser, the second the size of the memory. For libFuzzer, or any driver that
// calls its entry point.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/calendar.h"
#include "base/text.h"
#include "base/time_format.h"
#include "base/utf8.h"
#include "logs/attribute_writer.h"
#include "logs/container_line.h"
#include "logs/line_parser.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

constexpr UnixTime kNow{1'768'478'400'000'000'000};

template <typename Part, typename Whole>
bool Inside(const Part& part, const Whole& whole) {
  if (part.empty()) return true;
  const auto begin = reinterpret_cast<uintptr_t>(part.data()),
      outer = reinterpret_cast<uintptr_t>(whole.data());
  return begin >= outer && begin + part.size() <= outer + whole.size();
}

void CheckValue(WireReader value) {
  int fields = 0;
  for (; value.Next(); ++fields) {
    switch (value.field()) {
      case otlp_AnyValue_string_value_tag: LIMPET_CHECK(IsUtf8(value.String())); break;
      case otlp_AnyValue_bool_value_tag: LIMPET_CHECK(value.Varint() <= 1); break;
      case otlp_AnyValue_int_value_tag: (void)value.Varint(); break;
      case otlp_AnyValue_double_value_tag: LIMPET_CHECK(value.Double() - value.Double() == 0); break;
      case otlp_AnyValue_array_value_tag:
        for (WireReader array = value.Message(); array.Next();) CheckValue(array.Message());
        break;
      case otlp_AnyValue_kvlist_value_tag:
        for (WireReader list = value.Message(); list.Next();) {
          WireReader pair = list.Message();
          LIMPET_CHECK(pair.Next() && IsUtf8(pair.String()) && pair.Next());
          CheckValue(pair.Message());
        }
        break;
      default: LIMPET_CHECK(false);
    }
  }
  LIMPET_CHECK(value.status().ok() && fields <= 1);
}

void CheckAttributes(std::span<const uint8_t> attributes) {
  std::vector<std::string_view> keys;
  WireReader in(attributes);
  while (in.Next()) {
    LIMPET_CHECK(in.field() == otlp_LogRecord_attributes_tag);
    WireReader pair = in.Message();
    LIMPET_CHECK(pair.Next() && IsUtf8(pair.String()));
    keys.push_back(pair.String());
    LIMPET_CHECK(pair.Next());
    CheckValue(pair.Message());
    LIMPET_CHECK(!pair.Next() && pair.status().ok());
  }
  LIMPET_CHECK(in.status().ok() && keys.size() <= AttributeWriter::kCountMax);
  std::sort(keys.begin(), keys.end());
  LIMPET_CHECK(std::adjacent_find(keys.begin(), keys.end()) == keys.end());
}

struct Outcome {
  Code code;
  ReadRecord record;
};

Outcome ParseLine(const LineParserOptions& options, std::string_view line, std::span<uint8_t> scratch) {
  Outcome got{};
  got.record.invalid_utf8 = got.record.undecoded = true;
  got.code = LineParser(options, scratch).Parse(line, kNow, got.record).code;
  const ReadRecord& record = got.record;
  LIMPET_CHECK(Inside(record.body, line) || Inside(record.body, scratch));
  LIMPET_CHECK(Inside(record.attributes, scratch) && !record.undecoded && record.time.ns >= 0);
  LIMPET_CHECK(IsUtf8(record.severity_text));
  CheckAttributes(record.attributes);
  if (got.code != Code::kOk) {
    LIMPET_CHECK(got.code == Code::kInvalid || got.code == Code::kFull);
    LIMPET_CHECK(record.attributes.empty() && line.starts_with(record.body) && record.time == UnixTime{});
    LIMPET_CHECK(record.severity == Severity::kUnspecified && !record.invalid_utf8);
  }
  return got;
}

void Lines(const LineParserOptions& options, std::string_view line, uint8_t size) {
  std::vector<uint8_t> much(line.size() * 6 + 4096, 0xaa), again(much.size(), 0x55), little(size * size_t{4});
  const Outcome a = ParseLine(options, line, much), b = ParseLine(options, line, again);
  LIMPET_CHECK(a.code == b.code && a.record.body == b.record.body && a.record.time == b.record.time);
  LIMPET_CHECK(a.record.severity_text == b.record.severity_text && a.record.severity == b.record.severity);
  LIMPET_CHECK(std::ranges::equal(a.record.attributes, b.record.attributes));
  // With too little it says so, or comes to the same.
  const Outcome c = ParseLine(options, line, little);
  if (c.code == Code::kFull) return;
  LIMPET_CHECK(a.code == c.code || a.code == Code::kFull);
  if (a.code != c.code) return;
  LIMPET_CHECK(a.record.body == c.record.body && std::ranges::equal(a.record.attributes,
      c.record.attributes));
}

void Json(std::string_view line, uint8_t size) { Lines({.format = LineFormat::kJson}, line, size); }
void JsonPaths(std::string_view line, uint8_t size) {
  Lines({.format = LineFormat::kJson, .time_key = "t.s", .level_key = "l.v", .message_key = "m.m.m",
         .time_format = "%d/%b/%y %T"}, line, size);
}
void Logfmt(std::string_view line, uint8_t size) { Lines({.format = LineFormat::kLogfmt}, line, size); }
void Syslog(std::string_view line, uint8_t size) { Lines({.format = LineFormat::kSyslog}, line, size); }

void Containers(std::string_view line, uint8_t size) {
  ContainerLine got;
  if (ParseCri(line, got).ok()) {
    LIMPET_CHECK(Inside(got.text, line) && got.time.ns >= 0);
    LIMPET_CHECK(got.stream == "stdout" || got.stream == "stderr");
  }
  for (const size_t bytes : {line.size() * 3, size_t{size}}) {
    std::vector<char> scratch(bytes);
    const Status status = ParseDocker(line, scratch, got);
    if (status.ok()) LIMPET_CHECK((Inside(got.text, line) || Inside(got.text, scratch)) && IsUtf8(got.text));
    LIMPET_CHECK(status.code != Code::kFull || bytes < line.size() * 3);
  }
}

/// A format, a newline, and a text.
void Times(std::string_view text, uint8_t) {
  const std::string_view format = TakeUntil(text, '\n');
  const bool known = CheckTimeFormat(format).ok();
  for (const std::string_view by : {format, std::string_view("auto")}) {
    const Result<UnixTime> time = ParseTime(by, text, kNow);
    if (!time.ok()) continue;
    LIMPET_CHECK(time.value().ns >= 0);
    TextBuffer<64> shown;
    WriteRfc3339(shown, time.value(), 9);
    LIMPET_CHECK(ParseTime("auto", shown.text(), kNow).value() == time.value());
  }
  if (!known && format.find('%') != format.npos) (void)ParseTime(format, text, UnixTime{INT64_MIN}).ok();
}

constexpr void (*kParsers[])(std::string_view, uint8_t) = {Json, JsonPaths, Logfmt, Syslog, Containers,
    Times};

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  if (size < 2) return 0;
  // A copy of its own, so that a read behind the end is seen.
  const std::vector<char> text(data + 2, data + size);
  kParsers[data[0] % std::size(kParsers)]({text.data(), text.size()}, data[1]);
  return 0;
}
