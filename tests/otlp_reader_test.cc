// The readers of protobuf from outside: the fields of a message, answer bodies. And lengths as they are written.
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "otlp/answer_body.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// Whatever length was expected, what stands there is the same, and nothing is written where there is no room.
TEST(WireWriter, ExpectedLengths) {
  for (const size_t expected : {0, 1, 127, 128, 16'383, 16'384, 2'097'152}) {
    for (const size_t length : {0, 1, 126, 127, 128, 129, 16'383, 16'384, 20'000}) {
      const std::vector<uint8_t> contents(length, 'x');
      std::vector<uint8_t> plain(length + 8);
      WireWriter model(plain);
      model.Bytes(1, contents);
      for (size_t room = length; room < length + 8; ++room) {
        SCOPED_TRACE(testing::Message() << expected << " expected, " << length << " written, room for " << room);
        std::vector<uint8_t> buffer(room);
        WireWriter out(buffer);
        const size_t mark = out.Open(1, expected);
        out.Raw(contents);
        out.Close(mark, expected);
        const size_t needed = std::max(model.size(), 1 + VarintSize(expected) + length);
        ASSERT_EQ(out.ok(), room >= needed);
        if (!out.ok()) continue;
        ASSERT_TRUE(std::ranges::equal(out.bytes(), model.bytes()));
      }
    }
  }
}

TEST(WireReader, Fields) {
  struct Case { const char* name; std::string_view bytes; Code code; int fields; };
  constexpr Case cases[] = {
      {"nothing", ""sv, Code::kOk, 0},
      {"varint", "\x08\x01"sv, Code::kOk, 1},
      {"longest varint", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, Code::kOk, 1},
      {"fixed64", "\x09""12345678"sv, Code::kOk, 1},
      {"fixed32", "\x0d""1234"sv, Code::kOk, 1},
      {"bytes", "\x0a\x03""abc"sv, Code::kOk, 1},
      {"empty bytes", "\x0a\x00"sv, Code::kOk, 1},
      {"two fields", "\x08\x01\x10\x02"sv, Code::kOk, 2},
      {"largest field number", "\xf8\xff\xff\xff\x0f\x01"sv, Code::kOk, 1},
      {"field number 0", "\x00\x01"sv, Code::kInvalid, 0},
      {"field number beyond 29 bits", "\xf8\xff\xff\xff\x1f\x01"sv, Code::kInvalid, 0},
      {"tag cut", "\x88"sv, Code::kInvalid, 0},
      {"varint cut", "\x08\x80"sv, Code::kInvalid, 0},
      {"varint missing", "\x08"sv, Code::kInvalid, 0},
      {"varint of 65 bits", "\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"sv, Code::kInvalid, 0},
      {"varint of 11 bytes", "\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"sv, Code::kInvalid, 0},
      {"fixed64 cut", "\x09""1234567"sv, Code::kInvalid, 0},
      {"fixed32 cut", "\x0d""123"sv, Code::kInvalid, 0},
      {"bytes cut", "\x0a\x04""abc"sv, Code::kInvalid, 0},
      {"length of 64 bits", "\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01""abc"sv, Code::kInvalid, 0},
      {"group", "\x0b\x0c"sv, Code::kInvalid, 0},
      {"end of group", "\x0c"sv, Code::kInvalid, 0},
      {"wire type 6", "\x0e\x01"sv, Code::kInvalid, 0},
      {"wire type 7", "\x0f\x01"sv, Code::kInvalid, 0},
      {"good, then bad", "\x08\x01\x0c"sv, Code::kInvalid, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    WireReader in(Bytes(c.bytes));
    int fields = 0;
    while (in.Next()) ++fields;
    EXPECT_EQ(in.status().code, c.code);
    EXPECT_EQ(fields, c.fields);
    EXPECT_FALSE(in.Next());
  }
}

TEST(WireReader, Values) {
  uint8_t buffer[128];
  WireWriter out(buffer);
  out.Varint(1, UINT64_MAX);
  out.Fixed64(2, 0x1122334455667788);
  out.Double(3, -2.5);
  out.String(4, "text");
  const size_t nested = out.Open(5);
  out.Varint(1, 3);  // ZigZag of -2.
  out.Close(nested);
  ASSERT_TRUE(out.ok());

  WireReader in(out.bytes());
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.field(), 1u);
  EXPECT_EQ(in.Varint(), UINT64_MAX);
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.Fixed64(), 0x1122334455667788u);
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.Double(), -2.5);
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.String(), "text");
  ASSERT_TRUE(in.Next());
  WireReader inner = in.Message();
  ASSERT_TRUE(inner.Next());
  EXPECT_EQ(inner.ZigZag(), -2);
  EXPECT_FALSE(inner.Next());
  EXPECT_FALSE(in.Next());
  EXPECT_TRUE(in.status().ok());

  WireReader fixed32(Bytes("\x0d\x04\x03\x02\x01"sv));
  ASSERT_TRUE(fixed32.Next());
  EXPECT_EQ(fixed32.Fixed32(), 0x01020304u);
}

TEST(WireReader, AWrongTypeEndsTheWalk) {
  WireReader in(Bytes("\x08\x01\x10\x02"sv));
  ASSERT_TRUE(in.Next());
  EXPECT_EQ(in.String(), "");
  EXPECT_EQ(in.status().code, Code::kInvalid);
  EXPECT_EQ(in.Varint(), 0u);
  EXPECT_FALSE(in.Next());
}

TEST(WireReader, DepthIsBounded) {
  std::string message;
  for (int depth = 1; depth < 2 * kWireDepthMax; ++depth) {
    WireReader in(Bytes(message));
    int deep = 1;
    while (in.Next()) {
      WireReader nested = in.Message();
      if (!in.status().ok()) break;
      in = nested;
      ++deep;
    }
    EXPECT_EQ(in.status().ok(), depth <= kWireDepthMax) << depth;
    EXPECT_EQ(deep, std::min(depth, kWireDepthMax));
    std::vector<uint8_t> outer(message.size() + 8);
    WireWriter out(outer);
    out.Bytes(1, Bytes(message));
    message = Text(out.bytes());
  }
}

TEST(RepeatedReader, TakesEveryWayOfWriting) {
  struct Case { const char* name; std::string_view bytes; std::vector<uint64_t> values; };
  const Case cases[] = {
      {"none", ""sv, {}},
      {"packed", "\x0a\x03\x01\x80\x01"sv, {1, 128}},
      {"packed in two pieces", "\x0a\x01\x01\x12\x00\x0a\x01\x02"sv, {1, 2}},
      {"one by one", "\x08\x01\x10\x07\x08\x02"sv, {1, 2}},
      {"both", "\x08\x01\x0a\x02\x02\x03\x08\x04"sv, {1, 2, 3, 4}},
      {"cut", "\x0a\x02\x01\x80"sv, {1}},
      {"wrong type", "\x08\x01\x0d""1234"sv, {1}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<uint64_t> values;
    RepeatedReader in(Bytes(c.bytes), 1, WireType::kVarint);
    for (uint64_t value = 0; in.Next(value);) values.push_back(value);
    EXPECT_EQ(values, c.values);
  }
}

TEST(ParseAnswerBody, Errors) {
  struct Case { const char* name; std::string_view body; std::string_view message; };
  constexpr Case cases[] = {
      {"empty", ""sv, ""},
      {"status", "\x08\x03\x12\x05wrong"sv, "wrong"},
      {"status with details", "\x08\x03\x12\x05wrong\x1a\x02\x0a\x00"sv, "wrong"},
      {"status without a message", "\x08\x03"sv, ""},
      {"status, cut", "\x08\x03\x12\x09wrong"sv, ""},
      {"control characters", "\x12\x07" "a\x1b[0m\nb"sv, "a [0m b"},
      {"C1 control character", "\x12\x04" "a\xc2\x9b" "b"sv, "a b"},
      {"not UTF-8", "\x12\x03" "a\xff" "b"sv, "a?b"},
      {"JSON", R"({"code": 3, "message": "wrong"})", "wrong"},
      {"JSON, message first", R"( {"message":"a \"b\" \u0041\u00e9\n\\","code":3})", R"(a "b" A? \)"},
      {"JSON, the word as a value", R"({"reason":"message","message":"yes"})", "yes"},
      {"JSON, cut", R"({"message":"wro)", "wro"},
      {"JSON, cut in an escape", R"({"message":"wro\u00)", "wro"},
      {"JSON, no text", R"({"message": 7, "more": {}})", ""},
      {"JSON, other form", R"({"status":"error","error":"too old"})", "too old"},
      {"text", "out of order sample\nmore", "out of order sample"},
      {"page", "<html><body>502</body></html>", ""},
      {"garbage", "\xff\xfe\x00\x01"sv, ""},
      {"text with garbage", "abc\x01"sv, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const AnswerBody got = ParseAnswerBody(Bytes(c.body), Signal::kLogs, false);
    EXPECT_EQ(std::string_view(got.message), c.message);
    EXPECT_EQ(got.rejected, 0u);
  }
}

TEST(ParseAnswerBody, PartialSuccess) {
  struct Case {
    const char* name;
    Signal signal;
    std::string_view body;
    uint64_t rejected;
    std::string_view message;
  };
  constexpr Case cases[] = {
      {"empty", Signal::kMetrics, ""sv, 0, ""},
      {"whole", Signal::kMetrics, "\x0a\x00"sv, 0, ""},
      {"some", Signal::kMetrics, "\x0a\x07\x08\x03\x12\x03old"sv, 3, "old"},
      {"logs", Signal::kLogs, "\x0a\x02\x08\x04"sv, 4, ""},
      {"spans", Signal::kTraces, "\x0a\x02\x08\x05"sv, 5, ""},
      {"a warning", Signal::kTraces, "\x0a\x05\x12\x03old"sv, 0, "old"},
      {"negative", Signal::kLogs, "\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"sv, 0, ""},
      {"cut", Signal::kMetrics, "\x0a\x07\x08\x03\x12\x04old"sv, 0, ""},
      {"garbage", Signal::kMetrics, "ok\n"sv, 0, ""},
      {"JSON, empty", Signal::kMetrics, "{}"sv, 0, ""},
      {"JSON", Signal::kMetrics,
       R"({"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"old"}})", 3, "old"},
      {"JSON, a number", Signal::kLogs, R"({"partialSuccess": {"rejectedLogRecords" : 12 }})", 12, ""},
      {"JSON, garbage", Signal::kTraces, R"({"partialSuccess": {"rejectedSpans":"x"}})", 0, ""},
      {"JSON, negative", Signal::kTraces, R"({"partialSuccess": {"rejectedSpans":-1}})", 0, ""},
      {"JSON, too large", Signal::kTraces, R"({"rejectedSpans":"99999999999999999999"})", 0, ""},
      {"JSON, broken", Signal::kTraces, R"({"""":::""\)", 0, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const AnswerBody got = ParseAnswerBody(Bytes(c.body), c.signal, true);
    EXPECT_EQ(got.rejected, c.rejected);
    EXPECT_EQ(std::string_view(got.message), c.message);
  }
}

TEST(ParseAnswerBody, LongMessagesAreCutBetweenCharacters) {
  std::string text;
  while (text.size() < 1000) text += "a\xe2\x82\xac";  // 4 bytes each: the cut at 256 fits.
  for (const std::string& message : {text, "x" + text}) {
    std::vector<uint8_t> buffer(2000);
    WireWriter out(buffer);
    out.String(otlp_RpcStatus_message_tag, message);
    const AnswerBody from_protobuf = ParseAnswerBody(out.bytes(), Signal::kLogs, false);
    const AnswerBody from_json =
        ParseAnswerBody(Bytes("{\"message\":\"" + message + "\"}"), Signal::kLogs, false);
    const AnswerBody from_text = ParseAnswerBody(Bytes(message), Signal::kLogs, false);
    const std::string expected = message.substr(0, message[0] == 'x' ? 254 : 256);
    EXPECT_EQ(std::string_view(from_protobuf.message), expected);
    EXPECT_EQ(std::string_view(from_json.message), expected);
    EXPECT_EQ(std::string_view(from_text.message), expected);
  }
}

TEST(ParseAnswerBody, SurvivesMutations) {
  const std::string_view seeds[] = {
      "\x0a\x07\x08\x03\x12\x03old"sv, "\x08\x03\x12\x05wrong\x1a\x02\x0a\x00"sv,
      R"({"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"o\u00e9\"ld"}})",
      R"({"code":3,"message":"wrong\n","details":[{"@type":"x","message":"y"}]})"};
  std::mt19937 random(3);
  for (int round = 0; round < 20000; ++round) {
    std::string body(seeds[random() % std::size(seeds)]);
    for (unsigned edits = 1 + random() % 4; edits > 0; --edits) {
      if (random() % 4 == 0) body.resize(random() % (body.size() + 1));
      if (!body.empty()) body[random() % body.size()] = static_cast<char>(random());
    }
    // A copy of its exact size, so that a sanitizer sees a read past the end.
    const std::vector<uint8_t> exact(body.begin(), body.end());
    const AnswerBody got = ParseAnswerBody(exact, kSignals[random() % 3], random() % 2 == 0);
    EXPECT_LE(std::string_view(got.message).size(), AnswerText::kMax);
  }
}

}  // namespace
}  // namespace limpet
