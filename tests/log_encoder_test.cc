// The way of a log record into a batch: what is written of it, and where a batch is cut.
#include "batch/log_encoder.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "batch/otlp_parts.h"
#include "otlp/validate.h"
#include "sim/world.h"
#include "sink/items.h"

namespace limpet {
namespace {

constexpr UnixTime kWall{1'750'000'000'000'000'000};

std::string Text(MessageBytes any_value) {
  const AnyValueView value = ReadAnyValue(any_value);
  switch (value.kind) {
    case otlp_AnyValue_string_value_tag:
      return {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
    case otlp_AnyValue_int_value_tag:
      return "int " + std::to_string(static_cast<int64_t>(value.bits));
    case otlp_AnyValue_bool_value_tag: return value.bits != 0 ? "bool true" : "bool false";
    default: return "?";
  }
}

struct SeenLog {
  std::string resource;  // "key=value" of each attribute.
  std::string scope, body, level, event;
  bool has_body = false;
  std::map<std::string, std::string> attributes;
  uint64_t time = 0, observed = 0, severity = 0;
};

/// The records of a request, and how many times a resource was written.
struct SeenRequest final : ItemHandler {
  explicit SeenRequest(std::span<const uint8_t> request) {
    EXPECT_TRUE(ValidateExportRequest(Signal::kLogs, request).ok());
    ForEachItem(Signal::kLogs, request, *this);
  }
  void OnResource(const Origin& origin, size_t items) override {
    ++resources;
    announced += items;
    resource.clear();
    origin.resource.ForEach([&](const KeyValueView& pair) {
      resource += std::string(pair.key) + "=" + Text(pair.value);
    });
  }
  void OnLog(const Origin& origin, const LogView& log) override {
    SeenLog seen{.resource = resource,
                 .scope = std::string(origin.scope_name) + " " + std::string(origin.scope_version),
                 .body = log.body.empty() ? "" : Text(log.body),
                 .level = std::string(log.severity_text),
                 .event = std::string(log.event_name),
                 .has_body = !log.body.empty(),
                 .attributes = {},
                 .time = log.time_ns,
                 .observed = log.observed_ns,
                 .severity = log.severity};
    log.attributes.ForEach([&](const KeyValueView& pair) {
      seen.attributes[std::string(pair.key)] = Text(pair.value);
    });
    logs.push_back(std::move(seen));
  }
  void OnPoint(const Origin&, const MetricView&, const PointView&) override {}
  void OnSpan(const Origin&, const SpanView&) override {}
  bool Enough() const override { return false; }

  std::vector<SeenLog> logs;
  size_t resources = 0, announced = 0;
  std::string resource;
};

struct Bench {
  explicit Bench(uint32_t items_max = 512, uint32_t bytes_max = 64 * 1024, size_t slab_bytes = 0)
      : slab(slab_bytes == 0 ? Batcher::SlabBytes(bytes_max) : slab_bytes),
        arena(4000 * kBlockBytes / sizeof(uint64_t)),
        queue(std::as_writable_bytes(std::span(arena))),
        batcher({.items_max = items_max, .bytes_max = bytes_max, .delay = Seconds(1), .boot = {}},
                {std::span<uint8_t>(), std::span<uint8_t>(slab), {}}, nullptr, {}, queue, ledger,
                log),
        encoder(batcher, "1.2.3") {
    const ResourceAttribute attribute{"service.name", "app"};
    resource = EncodeResource({&attribute, 1}, resource_bytes).value();
  }
  void Begin() { encoder.Begin(resource, {kWall, MonoTime{} + Seconds(5)}); }
  bool Line(std::string_view body) { return encoder.Record({.body = body}); }
  /// Takes the oldest closed batch, its bytes in at most `bytes_max`.
  SeenRequest Next(size_t bytes_max = SIZE_MAX) {
    const BatchId id = queue.Head(Signal::kLogs);
    const BatchQueue::Payload payload(queue, id);
    std::vector<uint8_t> raw;
    while (raw.size() < payload.size()) {
      const auto piece = payload.At(raw.size());
      raw.insert(raw.end(), piece.begin(), piece.end());
    }
    EXPECT_LE(raw.size(), bytes_max);
    SeenRequest seen(raw);
    EXPECT_EQ(seen.logs.size(), queue.header(id).items);
    EXPECT_EQ(seen.announced, seen.logs.size());
    EXPECT_EQ(queue.header(id).first_mono, MonoTime{} + Seconds(5));
    EXPECT_EQ(queue.header(id).first_wall, kWall);
    queue.Remove(id);
    ledger.Deliver(Signal::kLogs, seen.logs.size());
    return seen;
  }
  SeenRequest CloseAndTake() {
    batcher.Close(Signal::kLogs);
    return Next();
  }
  bool Balances() {
    return ledger.account(Signal::kLogs).Balances(
        {.open = batcher.open_items(Signal::kLogs), .memory = queue.items(Signal::kLogs)});
  }

  std::vector<uint8_t> slab;
  alignas(8) std::vector<uint64_t> arena;
  std::array<uint8_t, 64> resource_bytes{};
  std::span<const uint8_t> resource;
  Ledger ledger;
  sim::SimLog log;
  BatchQueue queue;
  Batcher batcher;
  LogEncoder encoder;
};

TEST(LogEncoder, WritesAllThatIsKnown) {
  Bench bench;
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

TEST(LogEncoder, WhatIsNotKnownIsNotWritten) {
  Bench bench;
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
  Bench bench;
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
      Bench bench(items_max, bytes_max);
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
  Bench bench(512, 4096);
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
  Bench bench(512, 64 * 1024, kSlab);
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
