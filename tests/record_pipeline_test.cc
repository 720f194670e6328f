// What becomes of a record on its way from a source into a batch.
#include "logs/record_pipeline.h"

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/utf8.h"
#include "log_bench.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

struct PipelineBench : LogBench {
  explicit PipelineBench(const LogConfig& config, bool record_uid = true, size_t body_bytes = 4096)
      : attributes(RecordPipeline::AttributeBytes(config)),
        body(body_bytes),
        pipeline(config, record_uid, {attributes, body}) {}

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
    EXPECT_EQ(bench.pipeline.marks().truncated, bits & 1);
    EXPECT_EQ(bench.pipeline.marks().invalid_utf8, bits >> 1 & 1);
    EXPECT_EQ(bench.pipeline.marks().undecoded, bits >> 2 & 1);
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
    EXPECT_EQ(bench.pipeline.marks().invalid_utf8, 1u);
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
  EXPECT_EQ(bench.pipeline.marks().truncated, 0u);
  EXPECT_TRUE(bench.Balances());
}

}  // namespace
}  // namespace limpet
