// The way of a log record into a batch: what is written of it, and where a batch is cut.
#include "batch/log_encoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "log_bench.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

TEST(LogEncoder, WritesAllThatIsKnown) {
  LogBench bench;
  bench.Begin();
  const Attribute attributes[] = {
      {"text", "value"}, {"negative", -7}, {"yes", true}, {"no", false}};
  EXPECT_TRUE(bench.encoder.Record({.time = kWall - Seconds(3),
                                    .severity = Severity::kWarn,
                                    .severity_text = "warning",
                                    .body = "disk is hot",
                                    .attributes = attributes,
                                    .event_name = "disk.hot"}));
  EXPECT_EQ(bench.encoder.Finish(), 1u);
  EXPECT_EQ(bench.batcher.open_items(Signal::kLogs), 1u);
  EXPECT_EQ(bench.batcher.oldest_open(), MonoTime{} + Seconds(5));
  const SeenRequest seen = bench.CloseAndTake();
  ASSERT_EQ(seen.logs.size(), 1u);
  const SeenLog& log = seen.logs[0];
  EXPECT_EQ(log.resource, "service.name=app");
  EXPECT_EQ(log.scope, "limpet 1.2.3");
  EXPECT_EQ(log.time, static_cast<uint64_t>((kWall - Seconds(3)).ns));
  EXPECT_EQ(log.observed, static_cast<uint64_t>(kWall.ns));
  EXPECT_EQ(log.severity, 13u);
  EXPECT_EQ(log.level, "warning");
  EXPECT_EQ(log.body, "disk is hot");
  EXPECT_EQ(log.event, "disk.hot");
  const std::map<std::string, std::string> expected = {
      {"text", "value"}, {"negative", "int -7"}, {"yes", "bool true"}, {"no", "bool false"}};
  EXPECT_EQ(log.attributes, expected);
  EXPECT_TRUE(bench.Balances());
}

// The lengths are computed before: the bytes are those that a writer makes of nested messages.
TEST(LogEncoder, TheBytesAreThoseOfNestedMessages) {
  const Attribute some[] = {{"n", int64_t{-1}}, {"t", std::string_view()}, {"b", false}};
  for (const size_t size : {0, 1, 100, 119, 120, 121, 122, 126, 127, 128, 129, 130, 16'300, 16'383, 16'384, 20'000}) {
    SCOPED_TRACE(size);
    LogBench bench(512, 64 * 1024);
    const std::string body(size, 'b');
    std::array<uint8_t, 256> room;
    WireWriter encoded(room);
    WriteAttributes(encoded, otlp_LogRecord_attributes_tag, some);
    const std::span<const uint8_t> twice[] = {encoded.bytes(), {}, encoded.bytes()};
    bench.encoder.Begin({}, {});
    ASSERT_TRUE(bench.encoder.Record({.severity = Severity::kInfo,
                                      .severity_text = "x",
                                      .body = body,
                                      .attributes = some,
                                      .encoded_attributes = twice}));
    const std::span<const uint8_t> got = bench.batcher.writer(Signal::kLogs).bytes();

    std::vector<uint8_t> memory(size + 1000);
    WireWriter expected(memory);
    const size_t record = expected.Open(otlp_ScopeLogs_log_records_tag);
    expected.Varint(otlp_LogRecord_severity_number_tag, 9);
    expected.String(otlp_LogRecord_severity_text_tag, "x");
    const size_t value = expected.Open(otlp_LogRecord_body_tag);
    expected.String(otlp_AnyValue_string_value_tag, body);
    expected.Close(value);
    for (int i = 0; i < 3; ++i) WriteAttributes(expected, otlp_LogRecord_attributes_tag, some);
    expected.Fixed64(otlp_LogRecord_observed_time_unix_nano_tag, 0);
    expected.Close(record);
    ASSERT_GE(got.size(), expected.size());
    EXPECT_TRUE(std::ranges::equal(got.last(expected.size()), expected.bytes()));
    bench.encoder.Finish();
  }
}

TEST(LogEncoder, WhatIsNotKnownIsNotWritten) {
  LogBench bench;
  bench.Begin();
  bench.Line("");                               // An empty line is a record.
  bench.encoder.Record({.event_name = "only"});  // An event need not say more.
  EXPECT_EQ(bench.encoder.Finish(), 2u);
  const SeenRequest seen = bench.CloseAndTake();
  ASSERT_EQ(seen.logs.size(), 2u);
  EXPECT_TRUE(seen.logs[0].has_body);
  EXPECT_FALSE(seen.logs[1].has_body);
  for (const SeenLog& log : seen.logs) {
    EXPECT_EQ(log.time, 0u);
    EXPECT_EQ(log.observed, static_cast<uint64_t>(kWall.ns));
    EXPECT_EQ(log.severity, 0u);
    EXPECT_EQ(log.level, "");
    EXPECT_TRUE(log.attributes.empty());
  }
}

TEST(LogEncoder, ARowOfRecordsHasOneResource) {
  LogBench bench;
  bench.Begin();
  EXPECT_EQ(bench.encoder.Finish(), 0u);  // A row without records leaves no trace.
  EXPECT_EQ(bench.batcher.writer(Signal::kLogs).size(), 0u);
  for (int row = 0; row < 2; ++row) {
    bench.Begin();
    for (int i = 0; i < 100; ++i) bench.Line("row " + std::to_string(row));
    EXPECT_EQ(bench.encoder.Finish(), 100u);
  }
  const SeenRequest seen = bench.CloseAndTake();
  EXPECT_EQ(seen.resources, 2u);
  ASSERT_EQ(seen.logs.size(), 200u);
  EXPECT_EQ(seen.logs[99].body, "row 0");
  EXPECT_EQ(seen.logs[100].body, "row 1");
}

// Cut anywhere: by items and by bytes, at every size, no record lost, each part a valid request.
TEST(LogEncoder, ARowThatOutgrowsABatchIsCutBetweenRecords) {
  for (const uint32_t items_max : {1u, 7u, 512u}) {
    for (uint32_t bytes_max = 300; bytes_max < 1400; bytes_max += 13) {
      SCOPED_TRACE(testing::Message() << items_max << " items, " << bytes_max << " bytes");
      LogBench bench(items_max, bytes_max);
      for (int row = 0; row < 4; ++row) {
        bench.Begin();
        for (int i = row * 10; i < row * 10 + 10; ++i) {
          ASSERT_TRUE(bench.Line("line " + std::to_string(i)));
        }
        ASSERT_EQ(bench.encoder.Finish(), 10u);
        ASSERT_TRUE(bench.Balances());
      }
      bench.batcher.Close(Signal::kLogs);
      int lines = 0;
      while (bench.queue.Head(Signal::kLogs)) {
        const SeenRequest seen = bench.Next(Batcher::SlabBytes(bytes_max));
        ASSERT_LE(seen.logs.size(), items_max);
        for (const SeenLog& log : seen.logs) {
          ASSERT_EQ(log.body, "line " + std::to_string(lines++));
          ASSERT_EQ(log.resource, "service.name=app");
        }
      }
      ASSERT_EQ(lines, 40);
      ASSERT_TRUE(bench.Balances());
    }
  }
}

TEST(LogEncoder, ARecordLargerThanABatchIsCountedAndSaid) {
  LogBench bench(512, 4096);
  const std::string large(5000, 'x');
  bench.Begin();
  EXPECT_TRUE(bench.Line("before"));
  EXPECT_FALSE(bench.Line(large));
  EXPECT_TRUE(bench.Line("after"));
  EXPECT_EQ(bench.encoder.Finish(), 2u);
  EXPECT_TRUE(bench.Balances());
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, 3u);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).dropped_total(), 1u);
  EXPECT_EQ(bench.log.Count("larger than queue.batch_bytes"), 1u);
  EXPECT_EQ(bench.Next().logs.at(0).body, "before");
  EXPECT_EQ(bench.CloseAndTake().logs.at(0).body, "after");
}

TEST(LogEncoder, ASmallSlabMakesSmallBatches) {
  constexpr size_t kSlab = 4096;
  LogBench bench(512, 64 * 1024, kSlab);
  const std::string body(200, 'y');
  bench.Begin();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(bench.Line(body));
  EXPECT_FALSE(bench.Line(std::string(kSlab, 'z')));
  EXPECT_EQ(bench.encoder.Finish(), 100u);
  bench.batcher.Close(Signal::kLogs);
  size_t batches = 0, records = 0;
  for (; bench.queue.Head(Signal::kLogs); ++batches) records += bench.Next(kSlab).logs.size();
  EXPECT_EQ(records, 100u);
  EXPECT_GE(batches, 6u);
  EXPECT_LE(batches, 8u);  // Each is as full as its slab lets it.
  EXPECT_TRUE(bench.Balances());
}

TEST(LogEncoder, WithoutASlabEverythingIsDroppedAndCounted) {
  Ledger ledger;
  sim::SimLog log;
  std::vector<uint64_t> arena(16 * kBlockBytes / sizeof(uint64_t));
  BatchQueue queue(std::as_writable_bytes(std::span(arena)));
  Batcher batcher({.boot = {}}, {}, nullptr, {}, queue, ledger, log);
  LogEncoder encoder(batcher, "1");
  encoder.Begin({}, {});
  EXPECT_FALSE(encoder.Record({.body = "x"}));
  EXPECT_EQ(encoder.Finish(), 0u);
  EXPECT_EQ(ledger.account(Signal::kLogs).dropped_total(), 1u);
  EXPECT_TRUE(ledger.account(Signal::kLogs).Balances({}));
}

}  // namespace
}  // namespace limpet
