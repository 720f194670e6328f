// What becomes of a record on its way from a source into a batch.
#include "logs/record_pipeline.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "log_bench.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct PipelineBench : LogBench {
  explicit PipelineBench(const LogConfig& config, bool record_uid = true, size_t body_bytes = 4096,
                         size_t redacted_bytes = 4096)
      : attributes(RecordPipeline::AttributeBytes(config)),
        body(body_bytes),
        redacted(redacted_bytes),
        memory(PatternPool::BytesNeeded(3) / sizeof(std::max_align_t) + 1),
        pipeline(config, record_uid, {attributes, body, redacted}) {
    if (RecordPipeline::PatternCount(config) == 0) return;
    pool.emplace(std::as_writable_bytes(std::span(memory)), &log);
    EXPECT_TRUE(pipeline.Compile(config, *pool).ok());
  }

  RecordPipeline::Outcome Write(const ReadRecord& record, Duration at = Seconds(5)) {
    const Stamp now{kWall, MonoTime{} + at};
    encoder.Begin(resource, {kWall, MonoTime{} + Seconds(5)});
    const RecordPipeline::Outcome outcome = pipeline.Write(record, now, encoder);
    encoder.Finish();
    return outcome;
  }
  /// The record as it arrives.
  SeenLog Through(const ReadRecord& record) {
    EXPECT_EQ(Write(record), RecordPipeline::Outcome::kWritten);
    const SeenRequest seen = CloseAndTake();
    EXPECT_EQ(seen.logs.size(), 1u);
    return seen.logs.at(0);
  }

  std::vector<uint8_t> attributes;
  std::vector<char> body;
  std::vector<uint8_t> redacted;
  std::vector<std::max_align_t> memory;
  std::optional<PatternPool> pool;
  RecordPipeline pipeline;
};

std::vector<uint8_t> Encoded(const Attribute& attribute) {
  std::vector<uint8_t> out(200);
  WireWriter writer(out);
  WriteAttributes(writer, otlp_LogRecord_attributes_tag, {&attribute, 1});
  out.resize(writer.size());
  return out;
}

LogConfig WithAttributes() {
  LogConfig config;
  config.attributes[0] = {"env", "test"};
  config.attributes[1] = {"empty", ""};
  config.attribute_count = 2;
  return config;
}

TEST(RecordPipeline, WritesAllThatItIsGiven) {
  PipelineBench bench(WithAttributes());
  const auto own = Encoded({"own", "x"}), origin = Encoded({"log.file.name", "a.log"});
  const SeenLog seen = bench.Through({.time = kWall - Seconds(1),
                                      .severity = Severity::kWarn,
                                      .severity_text = "WARN",
                                      .body = "it is hot",
                                      .attributes = own,
                                      .origin_attributes = origin});
  EXPECT_EQ(seen.body, "it is hot");
  EXPECT_EQ(seen.level, "WARN");
  EXPECT_EQ(seen.severity, 13u);
  EXPECT_EQ(seen.time, static_cast<uint64_t>((kWall - Seconds(1)).ns));
  const std::map<std::string, std::string> expected = {
      {"env", "test"}, {"empty", ""}, {"own", "x"}, {"log.file.name", "a.log"}};
  EXPECT_EQ(seen.attributes, expected);
}

TEST(RecordPipeline, MarksAreThereOnlyWhenTrueAndCounted) {
  for (int bits = 0; bits < 8; ++bits) {
    PipelineBench bench(WithAttributes());
    const SeenLog seen = bench.Through({.body = "x",
                                        .uid = {1, 2, 3},
                                        .truncated = (bits & 1) != 0,
                                        .invalid_utf8 = (bits & 2) != 0,
                                        .undecoded = (bits & 4) != 0});
    const auto is = [&](const char* key, bool expected) {
      const auto found = seen.attributes.find(key);
      EXPECT_EQ(found != seen.attributes.end(), expected) << key;
      if (expected && found != seen.attributes.end()) { EXPECT_EQ(found->second, "bool true"); }
    };
    is("limpet.truncated", (bits & 1) != 0);
    is("limpet.invalid_utf8", (bits & 2) != 0);
    is("limpet.undecoded", (bits & 4) != 0);
    EXPECT_EQ(bench.pipeline.use().truncated, bits & 1);
    EXPECT_EQ(bench.pipeline.use().invalid_utf8, bits >> 1 & 1);
    EXPECT_EQ(bench.pipeline.use().undecoded, bits >> 2 & 1);
    // What one record was marked with is not the next one's.
    const SeenLog next = bench.Through({.body = "y"});
    EXPECT_EQ(next.attributes.size(), 2u);
  }
}

TEST(RecordPipeline, TheUidIsAUlid) {
  struct Case {
    RecordUid uid;
    const char* text;
  };
  const Case cases[] = {
      {{1, 0, 0}, "00000000010000000000000000"},
      {{0, 0, 1}, "00000000000000000000000001"},
      {{0, 0, 31}, "0000000000000000000000000Z"},
      {{0, 0, 0xffff'ffff'ffff}, "00000000000000007ZZZZZZZZZ"},
      {{0, 0xffff'ffff, 0}, "0000000000ZZZZZZR000000000"},
      {{0xffff'ffff'ffff, 0xffff'ffff, 0xffff'ffff'ffff}, "7ZZZZZZZZZZZZZZZZZZZZZZZZZ"},
      // The example of the specification of ULIDs.
      {{1469922850259, 0x53d3d3d3, 0}, "01ARZ3NDEK"},
  };
  for (const Case& c : cases) {
    char text[kUlidBytes];
    WriteUlid(c.uid, text);
    EXPECT_EQ(std::string_view(text, kUlidBytes).substr(0, std::string_view(c.text).size()), c.text);
    PipelineBench bench({});
    EXPECT_EQ(bench.Through({.body = "x", .uid = c.uid}).attributes.at("log.record.uid"),
              std::string_view(text, kUlidBytes));
  }
  PipelineBench none({});
  EXPECT_TRUE(none.Through({.body = "x"}).attributes.empty());
  PipelineBench off({}, false);
  EXPECT_TRUE(off.Through({.body = "x", .uid = {1, 2, 3}}).attributes.empty());
}

TEST(RecordPipeline, SeverityMinLeavesOutWhatIsLess) {
  LogConfig config;
  config.severity_min = SeverityMin::kWarn;
  PipelineBench bench(config);
  using Outcome = RecordPipeline::Outcome;
  EXPECT_EQ(bench.Write({.severity = Severity::kInfo, .body = "x"}), Outcome::kFiltered);
  EXPECT_EQ(bench.Write({.severity = static_cast<Severity>(12), .body = "x"}), Outcome::kFiltered);
  EXPECT_EQ(bench.Write({.severity = Severity::kWarn, .body = "x"}), Outcome::kWritten);
  EXPECT_EQ(bench.Write({.severity = Severity::kFatal, .body = "x"}), Outcome::kWritten);
  EXPECT_EQ(bench.Write({.body = "severity unknown"}), Outcome::kWritten);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, 3u);
  EXPECT_TRUE(bench.Balances());
}

TEST(RecordPipeline, RateLimitIsATokenBucketOfOneSecond) {
  LogConfig config;
  config.rate_limit = 10;
  PipelineBench bench(config);
  const auto burst = [&](Duration at, int records) {
    int written = 0;
    for (int i = 0; i < records; ++i) {
      written += bench.Write({.body = "x"}, at) == RecordPipeline::Outcome::kWritten;
    }
    return written;
  };
  EXPECT_EQ(burst(Seconds(5), 25), 10);  // A full bucket at first.
  EXPECT_EQ(burst(Seconds(5) + Milliseconds(99), 5), 0);
  EXPECT_EQ(burst(Seconds(5) + Milliseconds(100), 5), 1);
  EXPECT_EQ(burst(Seconds(5) + Milliseconds(350), 5), 2);
  EXPECT_EQ(burst(Seconds(5) + Milliseconds(400), 5), 1);
  EXPECT_EQ(burst(Seconds(1'000'000'000), 25), 10);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, 70u);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).dropped[static_cast<size_t>(DropReason::kRateLimit)], 46u);
  EXPECT_TRUE(bench.Balances());
}

TEST(RecordPipeline, TheHighestRateLimitDoesNotOverflow) {
  LogConfig config;
  config.rate_limit = UINT32_MAX;
  PipelineBench bench(config);
  for (int64_t s = 5; s < 4'000'000'000; s = s * 3 + 1) {
    EXPECT_EQ(bench.Write({.body = "x"}, Seconds(s)), RecordPipeline::Outcome::kWritten);
  }
}

TEST(RecordPipeline, WhatIsNoUtf8IsReplacedAndMarked) {
  struct Case {
    const char* name;
    std::string in, out;
  };
  const std::string r(kReplacement);
  const Case cases[] = {
      {"latin 1", "gr\xfc\xdf gott, dear reader", "gr" + r + r + " gott, dear reader"},
      {"cut at the end", "Stra\xc3\x9f" "e \xe2\x82", "Stra\xc3\x9f" "e " + r},
      {"a surrogate", "\xed\xa0\x80", r + r + r},
      {"overlong", "\xc0\xaf", r + r},
      {"too large", "\xf4\x90\x80\x80", r + r + r + r},
      {"lone continuation", "a\x80z", "a" + r + "z"},
      {"broken off inside", "\xf0\x9f\x92z", r + "z"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    PipelineBench bench({});
    const SeenLog seen = bench.Through({.body = c.in});
    EXPECT_EQ(seen.body, c.out);
    EXPECT_EQ(seen.attributes.at("limpet.invalid_utf8"), "bool true");
    EXPECT_EQ(bench.pipeline.use().invalid_utf8, 1u);
  }
  PipelineBench bench({});
  const std::string zero("a\0b", 3);
  EXPECT_EQ(bench.Through({.body = zero}).body, zero);
  EXPECT_TRUE(bench.Through({.body = "gr\xc3\xbc\xc3\x9f"}).attributes.empty());
}

// Repair makes it longer: what does not fit is cut at a character, and marked.
TEST(RecordPipeline, ARepairedBodyKeepsWithinItsRoom) {
  const std::string in = "\xc3\xa4\xff\xc3\xa4\xff";
  const std::string out = "\xc3\xa4" + std::string(kReplacement) + "\xc3\xa4" + std::string(kReplacement);
  for (size_t room = 0; room <= 12; ++room) {
    PipelineBench bench({}, true, room);
    const SeenLog seen = bench.Through({.body = in});
    EXPECT_TRUE(out.starts_with(seen.body));
    EXPECT_TRUE(IsUtf8(seen.body));
    EXPECT_LE(seen.body.size(), room);
    EXPECT_GE(seen.body.size() + 2, std::min(room, out.size()));
    EXPECT_EQ(seen.attributes.contains("limpet.truncated"), room < out.size());
  }
}

TEST(RecordPipeline, ARecordLargerThanABatchIsDropped) {
  PipelineBench bench({});
  const std::string large(70'000, 'x');
  EXPECT_EQ(bench.Write({.body = large, .truncated = true}), RecordPipeline::Outcome::kDropped);
  EXPECT_EQ(bench.pipeline.use().truncated, 0u);
  EXPECT_TRUE(bench.Balances());
}


#if LIMPET_PATTERNS

TEST(RecordPipeline, PatternsSayWhichRecordsStay) {
  using Outcome = RecordPipeline::Outcome;
  struct Case {
    const char *include, *exclude, *body;
    Outcome outcome;
  };
  const Case cases[] = {
      {"error|warn", "", "an error", Outcome::kWritten},
      {"error|warn", "", "all is well", Outcome::kFiltered},
      {"", "^GET /health", "GET /health 200", Outcome::kFiltered},
      {"", "^GET /health", "POST GET /health", Outcome::kWritten},
      {"GET", "health", "GET /health", Outcome::kFiltered},
      {"GET", "health", "GET /", Outcome::kWritten},
      {"^$", "", "", Outcome::kWritten},
      {"stra\xc3\x9f" "e", "", "die stra\xc3\x9f" "e", Outcome::kWritten},
      {"b$", "", "a\nb", Outcome::kWritten},
      {"^b", "", "a\nb", Outcome::kFiltered},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.include << " / " << c.exclude << " / " << c.body);
    LogConfig config;
    config.include_records = c.include;
    config.exclude_records = c.exclude;
    PipelineBench bench(config);
    EXPECT_EQ(bench.Write({.body = c.body}), c.outcome);
    EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, c.outcome == Outcome::kWritten ? 1u : 0u);
  }
}

TEST(RecordPipeline, RedactReplacesEachMatch) {
  struct Case {
    const char *pattern, *in, *out;
  };
  const Case cases[] = {
      {"[0-9]{16}", "card 1234567890123456 and 6543210987654321.", "card *** and ***."},
      {"token=\\S+", "no such thing", "no such thing"},
      {"(?<=token=)\\S+", "token=abc", "token=***"},
      {".+", "all", "***"},
      {"x*", "axxb", "a***b"},  // An empty match is none.
      {"a", "aaa", "*********"},
      {"k.", "k\xc3\xa4" "b", "***b"},  // Not half a character.
      {"\\xa4", "k\xc3\xa4" "b", "k***b"},
      {"a", "a\xff", "***\xef\xbf\xbd"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.pattern << " / " << c.in);
    LogConfig config;
    config.redact = c.pattern;
    PipelineBench bench(config);
    EXPECT_EQ(bench.Through({.body = c.in}).body, c.out);
  }
}

TEST(RecordPipeline, RedactReachesTheTextsOfAttributes) {
  LogConfig config;
  config.redact = "secret";
  config.attributes[0] = {"own", "a secret of the section"};
  config.attribute_count = 1;
  PipelineBench bench(config);
  std::vector<uint8_t> encoded(1000);
  WireWriter out(encoded);
  const Attribute plain[] = {{"secret", "a secret"}, {"number", 7}, {"yes", true}, {"other", "x"}};
  WriteAttributes(out, otlp_LogRecord_attributes_tag, plain);
  // {"list": ["secret", {"in": "secret"}]}
  const size_t pair = out.Open(otlp_LogRecord_attributes_tag);
  out.String(otlp_KeyValue_key_tag, "list");
  const size_t value = out.Open(otlp_KeyValue_value_tag);
  const size_t array = out.Open(otlp_AnyValue_array_value_tag);
  const size_t first = out.Open(otlp_ArrayValue_values_tag);
  out.String(otlp_AnyValue_string_value_tag, "secret");
  out.Close(first);
  const size_t second = out.Open(otlp_ArrayValue_values_tag);
  const size_t list = out.Open(otlp_AnyValue_kvlist_value_tag);
  WriteAttributes(out, otlp_KeyValueList_values_tag, std::array{Attribute("in", "secret")});
  out.Close(list);
  out.Close(second);
  out.Close(array);
  out.Close(value);
  out.Close(pair);
  ASSERT_TRUE(out.ok());
  const auto origin = Encoded({"log.file.path", "/var/log/secret.log"});
  EXPECT_EQ(bench.Write({.body = "secret", .attributes = out.bytes(), .origin_attributes = origin}),
            RecordPipeline::Outcome::kWritten);
  const std::span<const uint8_t> raw = bench.batcher.writer(Signal::kLogs).bytes();
  const std::string text(raw.begin(), raw.end());
  size_t left = 0;
  for (size_t at = 0; (at = text.find("secret", at)) != std::string::npos; ++at) ++left;
  EXPECT_EQ(left, 3u);  // A name, what the section says itself, and the path.
  const SeenRequest request = bench.CloseAndTake();
  const SeenLog& seen = request.logs.at(0);
  EXPECT_EQ(seen.body, "***");
  EXPECT_EQ(seen.attributes.at("secret"), "a ***");
  EXPECT_EQ(seen.attributes.at("number"), "int 7");
  EXPECT_EQ(seen.attributes.at("yes"), "bool true");
  EXPECT_EQ(seen.attributes.at("other"), "x");
}

TEST(RecordPipeline, WhatDoesNotFitOnceRedactedIsCutAndMarked) {
  LogConfig config;
  config.redact = "a";
  for (size_t room = 0; room < 40; ++room) {
    PipelineBench bench(config, true, room, room);
    const auto own = Encoded({"key", "a"});
    const SeenLog seen = bench.Through({.body = "aXaX", .attributes = own});
    EXPECT_TRUE(std::string_view("***X***X").starts_with(seen.body)) << seen.body;
    const bool all = seen.body.size() == 8 && seen.attributes.contains("key");
    EXPECT_EQ(seen.attributes.contains("limpet.truncated"), !all);
    if (seen.attributes.contains("key")) { EXPECT_TRUE(std::string_view("***").starts_with(seen.attributes.at("key"))); }
  }
  // One that was cut before is redacted all the same.
  PipelineBench bench(config);
  EXPECT_EQ(bench.Through({.body = "aXaX", .truncated = true}).body, "***X***X");
}

TEST(RecordPipeline, AMatchThatIsGivenUpLosesNoRecordAndShowsNoSecret) {
  const std::string bad = "begin " + std::string(3000, 'a') + " end";
  LogConfig config;
  config.include_records = "(a+)+$";
  config.exclude_records = "(a+)+$";
  PipelineBench filters(config);
  EXPECT_EQ(filters.Write({.body = bad}), RecordPipeline::Outcome::kWritten);
  EXPECT_EQ(filters.Write({.body = bad}), RecordPipeline::Outcome::kWritten);
  EXPECT_EQ(filters.pool->given_up(), 4u);
  EXPECT_EQ(filters.log.Count("given up"), 2u);  // Once for each pattern.
  LogConfig redact;
  redact.redact = "be|(a+)+$";
  PipelineBench bench(redact);
  EXPECT_EQ(bench.Through({.body = bad}).body, "******");
}

#endif

}  // namespace
}  // namespace limpet
