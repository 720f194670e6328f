// The walk that validates requests: against tables, and against the descriptors that nanopb makes.
#include <gtest/gtest.h>
#include <pb_common.h>

#include <random>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "otlp/cut.h"
#include "otlp/otlp.pb.h"
#include "otlp/schema.h"
#include "otlp/validate.h"
#include "otlp/wire_reader.h"
#include "otlp/wire_writer.h"
#include "otlp_requests.h"

namespace limpet {
namespace {

using std::string_literals::operator""s;
using std::string_view_literals::operator""sv;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A request with one attribute value, `value` being the fields of the AnyValue.
std::string LogsWithBody(std::string_view value) {
  std::vector<uint8_t> buffer(value.size() + 64);
  WireWriter out(buffer);
  const size_t resource = out.Open(otlp_ExportLogsServiceRequest_resource_logs_tag);
  const size_t scope = out.Open(otlp_ResourceLogs_scope_logs_tag);
  const size_t record = out.Open(otlp_ScopeLogs_log_records_tag);
  out.Bytes(otlp_LogRecord_body_tag, Bytes(value));
  out.Close(record);
  out.Close(scope);
  out.Close(resource);
  EXPECT_TRUE(out.ok());
  return Text(out.bytes());
}

TEST(ValidateExportRequest, Values) {
  struct Case { const char* name; std::string_view value; Code code; };
  constexpr Case cases[] = {
      {"no value", ""sv, Code::kOk},
      {"string", "\x0a\x02""ok"sv, Code::kOk},
      {"unknown field", "\xa2\x06\x01\xff"sv, Code::kOk},
      {"array of an int and a bytes value", "\x2a\x07\x0a\x02\x18\x01\x0a\x01\x3a"sv, Code::kInvalid},
      {"array of an int and empty bytes", "\x2a\x08\x0a\x02\x18\x01\x0a\x02\x3a\x00"sv, Code::kOk},
      {"string that is a varint", "\x08\x01"sv, Code::kInvalid},
      {"int that is a string", "\x1a\x01""1"sv, Code::kInvalid},
      {"double of 32 bits", "\x25""1234"sv, Code::kInvalid},
      {"string that is not UTF-8", "\x0a\x01\xff"sv, Code::kInvalid},
      {"bytes may be anything", "\x3a\x01\xff"sv, Code::kOk},
      {"longest varint", "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, Code::kOk},
      {"varint of 65 bits", "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv, Code::kInvalid},
      {"varint of 11 bytes", "\x18\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"sv, Code::kInvalid},
      {"varint cut", "\x18\x80"sv, Code::kInvalid},
      {"varint missing", "\x18"sv, Code::kInvalid},
      {"double cut", "\x21""1234567"sv, Code::kInvalid},
      {"length missing", "\x0a"sv, Code::kInvalid},
      {"length cut", "\x0a\x80"sv, Code::kInvalid},
      {"length beyond the end", "\x0a\x03""ok"sv, Code::kInvalid},
      {"length of 64 bits", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01""ok"sv, Code::kInvalid},
      {"length of 32 bits", "\x0a\xff\xff\xff\xff\x0f""ok"sv, Code::kInvalid},
      {"length longer than it need be", "\x0a\x82\x00""ok"sv, Code::kOk},
      {"tag longer than it need be", "\x8a\x00\x02""ok"sv, Code::kOk},
      {"tag cut", "\x8a"sv, Code::kInvalid},
      {"field number 0", "\x02\x00"sv, Code::kInvalid},
      {"field number beyond 29 bits", "\xfa\xff\xff\xff\x1f\x00"sv, Code::kInvalid},
      {"largest field number", "\xfa\xff\xff\xff\x0f\x00"sv, Code::kOk},
      {"group", "\x0b\x0c"sv, Code::kInvalid},
      {"unknown group", "\xa3\x06\xa4\x06"sv, Code::kInvalid},
      {"wire type 6", "\x0e"sv, Code::kInvalid},
      {"wire type 7", "\x0f"sv, Code::kInvalid},
      {"unknown fields of each kind", "\xa0\x06\x01\xa1\x06""12345678\xa5\x06""1234"sv, Code::kOk},
      {"unknown fixed64 cut", "\xa1\x06""1234567"sv, Code::kInvalid},
      {"unknown fixed32 cut", "\xa5\x06""123"sv, Code::kInvalid},
      {"unknown bytes cut", "\xa2\x06\x01"sv, Code::kInvalid},
      {"good, then a byte", "\x0a\x02""ok\x01"sv, Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(ValidateExportRequest(Signal::kLogs, Bytes(LogsWithBody(c.value))).status().code, c.code);
  }
}

TEST(ValidateExportRequest, PackedFields) {
  struct Case { const char* name; std::string_view point; Code code; };
  constexpr Case cases[] = {
      {"packed", "\x32\x08""12345678"sv, Code::kOk},
      {"one by one", "\x31""12345678"sv, Code::kOk},
      {"packed, cut", "\x32\x07""1234567"sv, Code::kInvalid},
      {"varint", "\x30\x01"sv, Code::kInvalid},
      {"not repeated", "\x22\x08""12345678"sv, Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    uint8_t buffer[128];
    WireWriter out(buffer);
    const size_t resource = out.Open(otlp_ExportMetricsServiceRequest_resource_metrics_tag);
    const size_t scope = out.Open(otlp_ResourceMetrics_scope_metrics_tag);
    const size_t metric = out.Open(otlp_ScopeMetrics_metrics_tag);
    const size_t data = out.Open(otlp_Metric_histogram_tag);
    out.Bytes(otlp_Histogram_data_points_tag, Bytes(c.point));
    out.Close(data);
    out.Close(metric);
    out.Close(scope);
    out.Close(resource);
    EXPECT_EQ(ValidateExportRequest(Signal::kMetrics, out.bytes()).status().code, c.code);
  }
}

TEST(ValidateExportRequest, NestedValues) {
  std::string value;
  bool ok = true;
  int arrays = 0;
  for (; ok && arrays < 100; ++arrays) {
    ok = ValidateExportRequest(Signal::kLogs, Bytes(LogsWithBody(value))).ok();
    std::vector<uint8_t> outer(value.size() + 16);
    WireWriter out(outer);
    const size_t array = out.Open(otlp_AnyValue_array_value_tag);
    out.Bytes(otlp_ArrayValue_values_tag, Bytes(value));
    out.Close(array);
    value = Text(out.bytes());
  }
  // Request, resource, scope, record, body: what is left goes by twos.
  EXPECT_EQ(arrays, (kWireDepthMax - 5) / 2 + 2);
}

TEST(ValidateExportRequest, OutermostMistakes) {
  struct Case { const char* name; std::string_view request; Code code; };
  constexpr Case cases[] = {
      {"nothing", ""sv, Code::kOk},
      {"unknown field", "\x12\x01\xff"sv, Code::kOk},
      {"resource is a number", "\x08\x01"sv, Code::kInvalid},
      {"resource is fixed", "\x09""12345678"sv, Code::kInvalid},
      {"trailing zero", "\x0a\x00\x00"sv, Code::kInvalid},
      {"trailing tag", "\x0a\x00\x0a"sv, Code::kInvalid},
      {"schema URL is not UTF-8", "\x0a\x03\x1a\x01\xc0"sv, Code::kInvalid},
      {"a message longer than the one around it", "\x0a\x03\x12\x02\x00"sv, Code::kInvalid},
  };
  for (const Signal signal : kSignals) {
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      EXPECT_EQ(ValidateExportRequest(signal, Bytes(c.request)).status().code, c.code);
    }
  }
}

TEST(ValidateExportRequest, Times) {
  constexpr uint64_t kSome = 1'760'000'000'000'000'000;
  struct Case { const char* name; Signal signal; std::vector<std::string> items; int64_t first, last; };
  const auto time = [](uint32_t field, uint64_t ns) { return Fixed64(field, ns); };
  const Case cases[] = {
      {"no item", Signal::kLogs, {}, 0, 0},
      {"no time", Signal::kLogs, {"", time(1, 0)}, 0, 0},
      {"one", Signal::kLogs, {time(1, kSome)}, kSome, kSome},
      {"out of order", Signal::kLogs, {time(1, 5), "", time(1, 3), time(1, 7)}, 3, 7},
      {"observed", Signal::kLogs, {time(11, 5), time(11, 9) + time(1, 0)}, 5, 9},
      {"not observed", Signal::kLogs, {time(11, 5) + time(1, 6), time(1, 7) + time(11, 8)}, 6, 7},
      {"twice: the last counts", Signal::kLogs, {time(1, 5) + time(1, 6)}, 6, 6},
      {"too large", Signal::kLogs, {time(1, UINT64_MAX)}, INT64_MAX, INT64_MAX},
      {"start of a span", Signal::kTraces, {time(8, 9) + time(7, 5), time(8, 9)}, 5, 5},
      {"event of a span", Signal::kTraces, {time(7, 5) + Field(11, time(1, 9))}, 5, 5},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string scope;
    for (const std::string& item : c.items) scope += Field(2, item);
    const auto got = ValidateExportRequest(c.signal, Bytes(Field(1, Field(2, scope))));
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got.value().items, c.items.size());
    EXPECT_EQ(got.value().first.ns, c.first);
    EXPECT_EQ(got.value().last.ns, c.last);
  }
}

// ---- UTF-8 ---------------------------------------------------------------------------------------

/// Decodes the code point and looks whether it is one.
size_t ModelLength(const std::string& text) {
  const auto at = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const size_t length = at(0) < 0x80         ? 1
                        : at(0) >> 5 == 0x06 ? 2
                        : at(0) >> 4 == 0x0e ? 3
                        : at(0) >> 3 == 0x1e ? 4
                                             : 0;
  if (length < 2 || length > text.size()) return length == 1 ? 1 : 0;
  uint32_t point = at(0) & (0x7f >> length);
  for (size_t i = 1; i < length; ++i) {
    if (at(i) >> 6 != 2) return 0;
    point = point << 6 | (at(i) & 0x3f);
  }
  constexpr uint32_t kLeast[] = {0, 0, 0x80, 0x800, 0x10000};
  return point < kLeast[length] || point > 0x10ffff || point >> 11 == 0x1b ? 0 : length;
}

TEST(Utf8, LengthOfEverySequence) {
  const std::string bytes = "\x00\x41\x7f\x80\x8f\x90\x9f\xa0\xbf\xc0\xc2\xe0\xf0\xff"s;
  for (int first = 0; first < 256; ++first) {
    for (const char second : bytes) {
      for (const char third : bytes) {
        for (const char fourth : bytes) {
          const std::string text = {static_cast<char>(first), second, third, fourth};
          ASSERT_EQ(Utf8Length(text), ModelLength(text)) << testing::PrintToString(text);
        }
        const std::string text = {static_cast<char>(first), second, third};
        ASSERT_EQ(Utf8Length(text), ModelLength(text)) << testing::PrintToString(text);
      }
      const std::string text = {static_cast<char>(first), second};
      ASSERT_EQ(Utf8Length(text), ModelLength(text)) << testing::PrintToString(text);
    }
  }
  EXPECT_EQ(Utf8Length(""), 0u);
}

TEST(Utf8, ABadByteAnywhere) {
  for (size_t size = 0; size < 70; ++size) {
    std::vector<char> text(size, 'a');  // On the heap, of this size: for a sanitizer.
    EXPECT_TRUE(IsUtf8({text.data(), size}));
    for (size_t i = 0; i < size; ++i) {
      text[i] = '\x80';
      EXPECT_FALSE(IsUtf8({text.data(), size}));
      text[i] = '\xc3';
      EXPECT_FALSE(IsUtf8({text.data(), size}));
      if (i + 1 < size) {
        text[i + 1] = '\xa4';
        EXPECT_TRUE(IsUtf8({text.data(), size}));
        text[i + 1] = 'a';
      }
      text[i] = 'a';
    }
  }
}

// ---- Against nanopb's descriptors ----------------------------------------------------------------

WireType ModelType(pb_type_t type) {
  switch (PB_LTYPE(type)) {
    case PB_LTYPE_BOOL:
    case PB_LTYPE_VARINT:
    case PB_LTYPE_UVARINT:
    case PB_LTYPE_SVARINT: return WireType::kVarint;
    case PB_LTYPE_FIXED32: return WireType::kFixed32;
    case PB_LTYPE_FIXED64: return WireType::kFixed64;
    default: return WireType::kLength;
  }
}

bool ModelPacked(std::span<const uint8_t> bytes, WireType type) {
  PackedReader values(bytes, type);
  for (uint64_t value = 0; values.Next(value);) {
  }
  return values.done();
}

bool ModelText(std::string_view text) {
  while (!text.empty()) {
    const size_t length = ModelLength(std::string(text.substr(0, 4)));
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool ModelValid(const pb_msgdesc_t* message, WireReader in) {
  pb_field_iter_t field;
  pb_field_iter_begin(&field, message, nullptr);
  while (in.Next()) {
    if (!pb_field_iter_find(&field, in.field())) continue;
    const WireType type = ModelType(field.type);
    if (in.type() != type) {
      const bool packed = in.type() == WireType::kLength && PB_HTYPE(field.type) == PB_HTYPE_REPEATED;
      if (!packed || !ModelPacked(in.Bytes(), type)) return false;
    } else if (PB_LTYPE_IS_SUBMSG(field.type)) {
      const WireReader nested = in.Message();
      if (!in.status().ok() || !ModelValid(field.submsg_desc, nested)) return false;
    } else if (PB_LTYPE(field.type) == PB_LTYPE_STRING && !ModelText(in.String())) {
      return false;
    }
  }
  return in.status().ok();
}

void ExpectAsModel(Signal signal, const std::string& request) {
  constexpr const pb_msgdesc_t* kMessages[] = {&otlp_ExportMetricsServiceRequest_msg,
                                               &otlp_ExportLogsServiceRequest_msg,
                                               &otlp_ExportTraceServiceRequest_msg};
  std::vector<uint8_t> exact(request.begin(), request.end());
  const auto got = ValidateExportRequest(signal, exact);
  ASSERT_EQ(got.ok(), ModelValid(kMessages[Index(signal)], WireReader(exact)));
  if (!got.ok()) return;
  const auto all = CutItems(signal, exact, 0, UINT32_MAX);
  ASSERT_TRUE(all.ok());
  EXPECT_EQ(got.value().items, all.value().kept.items);
  EXPECT_EQ(got.value().first, all.value().kept.first);
  EXPECT_EQ(got.value().last, all.value().kept.last);
}

std::string RandomText(Dice& dice) {
  std::string text;
  for (uint32_t left = dice.Below(dice.OneIn(10) ? 200 : 20); left > 0; --left) {
    text += dice.OneIn(8) ? "\xe2\x82\xac" : dice.OneIn(8) ? "\xc3\xa4" : "t";
  }
  return text;
}

std::string RandomScalar(Dice& dice, WireType type) {
  const uint64_t bits = uint64_t{dice.Below(UINT32_MAX)} << dice.Below(33) >> dice.Below(33);
  if (type == WireType::kVarint) return Varint(bits, static_cast<int>(dice.OneIn(20)));
  std::string out;
  for (int i = 0; i < (type == WireType::kFixed64 ? 8 : 4); ++i) out += static_cast<char>(bits >> (8 * i));
  return out;
}

std::string RandomField(Dice& dice, uint32_t number, WireType type) {
  return Varint(number << 3 | static_cast<uint32_t>(type)) + RandomScalar(dice, type);
}

/// Of the schema: every field of every message has its turn.
std::string RandomMessage(Dice& dice, const MessageSchema& message, int depth) {
  std::string out;
  for (uint32_t left = dice.Below(7); left > 0; --left) {
    if (dice.OneIn(20)) {
      const uint32_t number = 900 + dice.Below(1000);
      constexpr WireType kTypes[] = {WireType::kVarint, WireType::kFixed64, WireType::kFixed32};
      out += dice.OneIn(2) ? Field(number, RandomText(dice))
                           : RandomField(dice, number, kTypes[dice.Below(3)]);
      continue;
    }
    const FieldSchema& field = message.fields[dice.Below(static_cast<uint32_t>(message.fields.size()))];
    const WireType type = WireTypeOf(field.kind);
    if (field.kind == FieldKind::kMessage) {
      out += Field(field.number, depth == 0 ? "" : RandomMessage(dice, *field.message, depth - 1),
                   static_cast<int>(dice.OneIn(20)));
    } else if (type == WireType::kLength) {
      out += Field(field.number, RandomText(dice));
    } else if (field.repeated() && dice.OneIn(2)) {
      std::string packed;
      for (uint32_t values = dice.Below(5); values > 0; --values) packed += RandomScalar(dice, type);
      out += Field(field.number, packed);
    } else {
      out += RandomField(dice, field.number, type);
    }
  }
  return out;
}

TEST(ValidateExportRequest, RandomMessagesAndMistakes) {
  for (const Signal signal : kSignals) {
    int valid = 0;
    for (uint32_t seed = 0; seed < 150; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      Dice dice{std::mt19937(seed)};
      const std::string request = RandomMessage(dice, RequestSchema(signal), 8);
      EXPECT_TRUE(ValidateExportRequest(signal, Bytes(request)).ok());
      ExpectAsModel(signal, request);
      for (int round = 0; round < 40 && !request.empty(); ++round) {
        std::string mutated = request;
        for (uint32_t mistakes = 1 + dice.Below(3); mistakes > 0 && !mutated.empty(); --mistakes) {
          const uint32_t at = dice.Below(static_cast<uint32_t>(mutated.size()));
          switch (dice.Below(5)) {
            case 0: mutated[at] = static_cast<char>(dice.Below(256)); break;
            case 1: mutated[at] = static_cast<char>(mutated[at] ^ 1 << dice.Below(8)); break;
            case 2: mutated.insert(at, 1, static_cast<char>(dice.Below(256))); break;
            case 3: mutated.erase(at, 1); break;
            default: mutated.resize(at);
          }
        }
        ExpectAsModel(signal, mutated);
        valid += ValidateExportRequest(signal, Bytes(mutated)).ok();
        if (HasFailure()) return;
      }
    }
    EXPECT_GT(valid, 100);  // Both answers were met often.
  }
}

// Attributes and values of the usual form are judged apart: each byte is changed to all others, each cut is made.
TEST(ValidateExportRequest, EveryMistakeInAnAttribute) {
  const std::string values[] = {
      "",
      Field(otlp_AnyValue_string_value_tag, "t\xc3\xa4xt"),
      Field(otlp_AnyValue_string_value_tag, std::string(130, 'x')),
      Field(otlp_AnyValue_bytes_value_tag, "\xff"),
      Field(otlp_AnyValue_array_value_tag, Field(1, Field(otlp_AnyValue_string_value_tag, "one"))),
      "\x10\x01"s,
      "\x18\x80\x7f"s,
      "\x21""12345678"s,
  };
  const auto request = [](std::string_view key_value, std::string_view body) {
    return Field(1, Field(2, Field(2, Field(otlp_LogRecord_body_tag, body) +
                                          Field(otlp_LogRecord_attributes_tag, key_value))));
  };
  for (const std::string& value : values) {
    const std::string key = Field(1, "key"), field = Field(2, value);
    for (const std::string& whole : {value, key + field, field + key}) {
      SCOPED_TRACE(testing::PrintToString(whole));
      for (size_t at = 0; at < whole.size(); ++at) {
        ExpectAsModel(Signal::kLogs, request(whole.substr(0, at), whole.substr(0, at)));
        std::string changed = whole;
        for (int byte = 0; byte < 256; ++byte) {
          changed[at] = static_cast<char>(byte);
          ExpectAsModel(Signal::kLogs, request(changed, ""));
          ExpectAsModel(Signal::kLogs, request("", changed));
        }
        if (HasFailure()) return;
        if (at == 12 && whole.size() > 100) at = whole.size() - 8;  // In a long text one byte is as another.
      }
    }
  }
}

// Attributes and values of the usual form, as deep as they may lie and deeper.
TEST(ValidateExportRequest, NestedPlainValues) {
  const std::string plain = Field(otlp_AnyValue_string_value_tag, "text");
  const std::string pair = Field(otlp_KeyValue_key_tag, "k") + Field(otlp_KeyValue_value_tag, plain);
  for (const std::string& innermost : {plain, Field(otlp_AnyValue_kvlist_value_tag, Field(1, pair))}) {
    std::string value = innermost;
    int valid = 0;
    for (int arrays = 0; arrays < 40; ++arrays) {
      SCOPED_TRACE(arrays);
      ExpectAsModel(Signal::kLogs, LogsWithBody(value));
      valid += ValidateExportRequest(Signal::kLogs, Bytes(LogsWithBody(value))).ok();
      value = Field(otlp_AnyValue_array_value_tag, Field(1, value));
    }
    EXPECT_GT(valid, 20);
    EXPECT_LT(valid, 40);
  }
}

TEST(ValidateExportRequest, Garbage) {
  Dice dice{std::mt19937(4)};
  for (int round = 0; round < 30'000; ++round) {
    std::string garbage(dice.Below(60), ' ');
    // Mostly small numbers, as tags and lengths are.
    for (char& c : garbage) c = static_cast<char>(dice.Below(dice.OneIn(3) ? 256 : 20));
    ExpectAsModel(kSignals[dice.Below(3)], garbage);
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet
