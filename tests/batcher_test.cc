// The way of a point into a closed batch: encoder, open batch, compression, numbering, policies.
#include "batch/batcher.h"

#include <gtest/gtest.h>

#include <bit>
#include <memory>
#include <string>
#include <vector>

#include "batch/metric_encoder.h"
#include "otlp_points.h"
#include "sim/world.h"

namespace limpet {
namespace {

constexpr Metric kCounter{"test.counter", "By", Instrument::kCounter};
constexpr Metric kGauge{"test.gauge", "1", Instrument::kGauge};

struct Bench {
  explicit Bench(const BatcherOptions& given, size_t queue_blocks = 400, bool with_gzip = true)
      : options(given), slab(Batcher::SlabBytes(given.bytes_max)), packed(given.bytes_max),
        arena(queue_blocks * kBlockBytes), gzip_memory(GzipCompressor::BytesNeeded()),
        gzip(std::make_unique<GzipCompressor>(gzip_memory)), queue(arena),
        batcher(options, {std::span<uint8_t>(slab), {}, {}}, with_gzip ? gzip.get() : nullptr,
                packed, queue, ledger, log),
        encoder(batcher, resource, "1.2.3") {}

  uint32_t Cycle(int points, int64_t seconds, std::string_view text = "value") {
    const Stamp stamp{UnixTime{} + Seconds(1000 + seconds), MonoTime{} + Seconds(seconds)};
    encoder.Start(stamp, UnixTime{} + Seconds(10));
    encoder.Begin(kCounter);
    for (int i = 0; i < points; ++i) encoder.Int({{"n", i}, {"t", text}}, i);
    const uint32_t written = encoder.Finish();
    batcher.Close(Signal::kMetrics);
    return written;
  }
  std::vector<uint8_t> Raw(BatchId id) {
    const BatchQueue::Payload payload(queue, id);
    std::vector<uint8_t> stored;
    while (stored.size() < payload.size()) {
      const auto piece = payload.At(stored.size());
      stored.insert(stored.end(), piece.begin(), piece.end());
    }
    if (queue.header(id).encoding == Encoding::kIdentity) return stored;
    std::vector<uint8_t> raw = Inflate(stored);
    EXPECT_EQ(queue.header(id).raw_bytes, raw.size());
    return raw;
  }
  bool Balances() {
    return ledger.account(Signal::kMetrics).Balances(
        {.open = batcher.open_items(Signal::kMetrics), .memory = queue.items(Signal::kMetrics)});
  }

  BatcherOptions options;
  std::vector<uint8_t> slab, packed;
  alignas(8) std::vector<std::byte> arena;
  std::vector<std::byte> gzip_memory;
  std::unique_ptr<GzipCompressor> gzip;
  std::vector<uint8_t> resource;
  Ledger ledger;
  sim::SimLog log;
  BatchQueue queue;
  Batcher batcher;
  MetricEncoder encoder;
};

BatcherOptions Options(uint32_t items, uint32_t bytes, Overflow overflow = Overflow::kDropOldest) {
  return {.items_max = items, .bytes_max = bytes, .delay = Seconds(1), .overflow = overflow,
          .start = 0x77, .boot = {}};
}

TEST(Batcher, ClosesNumbersAndCompresses) {
  Bench bench(Options(512, 64 * 1024));
  EXPECT_EQ(bench.Cycle(30, 1), 30u);
  EXPECT_EQ(bench.Cycle(30, 2), 30u);
  const BatchId first = bench.queue.Head(Signal::kMetrics);
  const BatchHeader& header = bench.queue.header(first);
  EXPECT_EQ(header.sequence, 1u);
  EXPECT_EQ(header.start, 0x77u);
  EXPECT_EQ(header.items, 30u);
  EXPECT_EQ(header.encoding, Encoding::kGzip);
  EXPECT_LT(header.stored_bytes, header.raw_bytes / 2);
  EXPECT_EQ(header.first_wall, UnixTime{} + Seconds(1001));
  EXPECT_EQ(header.last_mono, MonoTime{} + Seconds(1));
  EXPECT_FALSE(header.may_be_sent);
  const std::vector<uint8_t> raw = bench.Raw(first);
  const std::vector<SeenPoint> points = ReadPoints(raw);
  ASSERT_EQ(points.size(), 30u);
  EXPECT_EQ(points[7].metric, "test.counter");
  EXPECT_EQ(points[7].value, 7);
  EXPECT_EQ(points[7].attributes.at("n"), "7");
  EXPECT_EQ(points[7].time, Seconds(1001).ns);
  EXPECT_EQ(points[7].start, Seconds(10).ns);
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).collected, 60u);
  EXPECT_TRUE(bench.Balances());
}

// Cut anywhere: by items and by bytes, at every size, no point lost, each part a valid request.
TEST(Batcher, ACycleThatOutgrowsABatchIsCutBetweenPoints) {
  for (uint32_t items_max : {1u, 7u, 512u}) {
    for (uint32_t bytes_max = 400; bytes_max < 1200; bytes_max += 13) {
      SCOPED_TRACE(testing::Message() << items_max << " items, " << bytes_max << " bytes");
      Bench bench(Options(items_max, bytes_max), 4000, bytes_max % 2 == 0);
      ASSERT_EQ(bench.Cycle(40, 5), 40u);
      uint64_t items = 0, sequence = 0;
      while (const BatchId id = bench.queue.Head(Signal::kMetrics)) {
        const std::vector<uint8_t> raw = bench.Raw(id);
        ASSERT_LE(raw.size(), Batcher::SlabBytes(bytes_max));
        const std::vector<SeenPoint> points = ReadPoints(raw);
        ASSERT_EQ(points.size(), bench.queue.header(id).items);
        ASSERT_LE(points.size(), items_max);
        for (size_t i = 0; i < points.size(); ++i) {
          ASSERT_EQ(points[i].value, static_cast<double>(items + i));
        }
        ASSERT_EQ(bench.queue.header(id).sequence, ++sequence);
        ASSERT_EQ(bench.queue.header(id).first_mono, MonoTime{} + Seconds(5));
        items += points.size();
        bench.queue.Remove(id);
        bench.ledger.Deliver(Signal::kMetrics, points.size());
      }
      ASSERT_EQ(items, 40u);
      ASSERT_TRUE(bench.Balances());
    }
  }
}

// What others measured: a summary, and no unit.
TEST(Batcher, SummariesAndMetricsWithoutUnit) {
  Bench bench(Options(512, 64 * 1024));
  bench.encoder.Start({UnixTime{} + Seconds(20), MonoTime{} + Seconds(20)}, UnixTime{} + Seconds(10));
  bench.encoder.CountSince(UnixTime{} + Seconds(15));
  bench.encoder.Begin({"rpc", "", Instrument::kSummary});
  const Attribute attribute("a", "b");
  const Quantile quantiles[] = {{0.5, 1.5}, {0.9, 2.5}};
  bench.encoder.Summary(std::span(&attribute, 1), quantiles, 7, 8.5);
  EXPECT_EQ(bench.encoder.Finish(), 1u);
  bench.batcher.Close(Signal::kMetrics);
  const std::vector<uint8_t> raw = bench.Raw(bench.queue.Head(Signal::kMetrics));
  EXPECT_TRUE(ValidateExportRequest(Signal::kMetrics, raw).ok());
  const auto message = [](auto text) { return std::string(1, static_cast<char>(text.size())) + text; };
  const auto number = [](auto value) {
    std::string bytes(8, '\0');
    for (size_t i = 0; i < 8; ++i) bytes[i] = static_cast<char>(std::bit_cast<uint64_t>(value) >> (8 * i));
    return bytes;
  };
  const std::string point =
      "\x11" + number(Seconds(15).ns) + "\x19" + number(Seconds(20).ns) + "\x21" + number(uint64_t{7}) + "\x29" +
      number(8.5) + "\x32" + message("\x09" + number(0.5) + "\x11" + number(1.5)) + "\x32" +
      message("\x09" + number(0.9) + "\x11" + number(2.5)) + "\x3a" +
      message("\x0a\x01" "a" + std::string("\x12\x03\x0a\x01") + "b");
  const std::string metric = "\x0a\x03rpc\x5a" + message("\x0a" + message(point));
  const std::string_view all(reinterpret_cast<const char*>(raw.data()), raw.size());
  EXPECT_NE(all.find("\x12" + message(metric)), std::string_view::npos);
}

// The same of entities between the host's own points: each part has the resource and the start of its
// points.
TEST(Batcher, ACycleWithEntitiesIsCutBetweenPoints) {
  for (uint32_t items_max : {1u, 3u, 7u, 512u}) {
    for (uint32_t bytes_max = 500; bytes_max < 1700; bytes_max += 7) {
      SCOPED_TRACE(testing::Message() << items_max << " items, " << bytes_max << " bytes");
      Bench bench(Options(items_max, bytes_max), 4000);
      bench.resource.resize(200);
      const ResourceAttribute host[] = {{"host.name", "a"}};
      const size_t size = EncodeResource(host, bench.resource).value().size();
      MetricEncoder encoder(bench.batcher, std::span(bench.resource).first(size), "1.2.3");
      encoder.Start({UnixTime{9000}, MonoTime{} + Seconds(5)}, UnixTime{100});
      int value = 0;
      const auto write = [&](const Metric& metric, int points) {
        encoder.Begin(metric);
        for (int i = 0; i < points; ++i) encoder.Int({{"i", i}}, value++);
      };
      write(kCounter, 4);
      for (int pid = 1; pid <= 5; ++pid) {
        const std::string name(static_cast<size_t>(30 * pid), 'x');
        const Attribute entity[] = {{"pid", pid}, {"name", std::string_view(name)}};
        encoder.BeginEntity(entity, UnixTime{1000 + pid});
        if (pid != 3) write(kCounter, 3);  // One says nothing at all.
        if (pid != 3) write(kGauge, 1);
        encoder.EndEntity();
      }
      write(kCounter, 2);
      ASSERT_EQ(encoder.Finish(), 22u);
      bench.batcher.Close(Signal::kMetrics);
      int next = 0;
      while (const BatchId id = bench.queue.Head(Signal::kMetrics)) {
        const std::vector<uint8_t> raw = bench.Raw(id);
        ASSERT_LE(raw.size(), Batcher::SlabBytes(bytes_max));
        for (const SeenPoint& point : ReadPoints(raw)) {
          ASSERT_EQ(point.value, next);
          const int at = next - 4;
          const int pid = at < 0 || at >= 16 ? 0 : at < 8 ? 1 + at / 4 : 2 + at / 4;
          ASSERT_EQ(point.resource.at("host.name"), "a");
          ASSERT_EQ(point.resource.size(), pid == 0 ? 1u : 3u);
          if (pid != 0) { ASSERT_EQ(point.resource.at("pid"), std::to_string(pid)); }
          ASSERT_EQ(point.time, 9000);
          if (point.metric == "test.counter") { ASSERT_EQ(point.start, pid == 0 ? 100 : 1000 + pid); }
          ++next;
        }
        bench.queue.Remove(id);
      }
      ASSERT_EQ(next, 22);
    }
  }
}

TEST(Batcher, APointLargerThanABatchIsCountedAndSaid) {
  Bench bench(Options(512, 4096));
  const std::string large(5000, 'x');
  bench.encoder.Start({}, {});
  bench.encoder.Begin(kGauge);
  bench.encoder.Double(1.0);
  bench.encoder.Double({{"large", std::string_view(large)}}, 2.0);
  bench.encoder.Double(3.0);
  EXPECT_EQ(bench.encoder.Finish(), 2u);
  bench.batcher.Close(Signal::kMetrics);
  const Account& account = bench.ledger.account(Signal::kMetrics);
  EXPECT_EQ(account.collected, 3u);
  EXPECT_EQ(account.dropped_total(), 1u);
  EXPECT_TRUE(bench.Balances());
  EXPECT_EQ(bench.log.Count("larger than queue.batch_bytes"), 1u);
}

TEST(Batcher, WhatDeflateCannotShrinkStaysAsItIs) {
  Bench bench(Options(512, 64 * 1024));
  EXPECT_EQ(bench.Cycle(1, 1, "q"), 1u);
  // One tiny point: gzip's own 18 bytes and a stored block may still win or not; both are valid.
  const BatchId id = bench.queue.Head(Signal::kMetrics);
  EXPECT_LE(bench.queue.header(id).stored_bytes, bench.queue.header(id).raw_bytes);
  EXPECT_EQ(ReadPoints(bench.Raw(id)).size(), 1u);
}

TEST(Batcher, APackedBatchEntersWholeOrNotAtAll) {
  Bench bench(Options(512, 64 * 1024), /*queue_blocks=*/4);
  const Stamp stamp{UnixTime{} + Seconds(1000), MonoTime{} + Seconds(5)};
  const std::vector<uint8_t> packed(4 * kBlockBytes, 1);
  EXPECT_FALSE(bench.batcher.TryQueue(Signal::kMetrics, packed, 60'000, 7, stamp, stamp.wall));
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).collected, 0u);
  EXPECT_EQ(bench.batcher.open_items(Signal::kMetrics), 0u);
  EXPECT_EQ(bench.batcher.sequence(Signal::kMetrics), 1u);
  EXPECT_TRUE(bench.queue.empty());
  const std::span<const uint8_t> small = std::span(packed).first(100);
  ASSERT_TRUE(bench.batcher.TryQueue(Signal::kMetrics, small, 60'000, 7, stamp, stamp.wall));
  const BatchHeader& header = bench.queue.header(bench.queue.Head(Signal::kMetrics));
  EXPECT_EQ(header.encoding, Encoding::kGzip);
  EXPECT_EQ(header.items, 7u);
  EXPECT_EQ(header.raw_bytes, 60'000u);
  EXPECT_EQ(header.stored_bytes, 100u);
  EXPECT_EQ(header.first_mono, stamp.mono);
  EXPECT_TRUE(bench.Balances());
}

TEST(Batcher, FullQueueDropsTheOldestAtRest) {
  Bench bench(Options(512, 4096), 8, false);
  for (int i = 1; i <= 3; ++i) bench.Cycle(20, i);  // More than 8 blocks.
  EXPECT_GT(bench.ledger.account(Signal::kMetrics).dropped_total(), 0u);
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).dropped[0], 20u * (3 - bench.queue.batches()));
  EXPECT_GT(bench.queue.header(bench.queue.Head(Signal::kMetrics)).sequence, 1u);
  EXPECT_TRUE(bench.Balances());
  const Loss loss = bench.ledger.TakeLoss(Signal::kMetrics, DropReason::kOverflow);
  EXPECT_EQ(loss.first, UnixTime{} + Seconds(1001)) << "of the batch that went";
  EXPECT_EQ(bench.ledger.TakeLoss(Signal::kMetrics, DropReason::kOverflow).items, 0u);

  // What is in flight is not dropped; then the new one has to go.
  Bench one(Options(512, 4096), 4, false);
  one.Cycle(20, 1);
  one.queue.Launch(one.queue.Head(Signal::kMetrics), {});
  one.Cycle(20, 2);
  EXPECT_EQ(one.queue.header(one.queue.Head(Signal::kMetrics)).sequence, 1u);
  EXPECT_EQ(one.ledger.account(Signal::kMetrics).dropped_total(), 20u);
  EXPECT_TRUE(one.Balances());
}

TEST(Batcher, FullQueueDropsTheNewestOrPausesSources) {
  Bench newest(Options(512, 4096, Overflow::kDropNewest), 8, false);
  for (int i = 1; i <= 3; ++i) newest.Cycle(20, i);
  EXPECT_EQ(newest.queue.header(newest.queue.Head(Signal::kMetrics)).sequence, 1u);
  EXPECT_GT(newest.ledger.account(Signal::kMetrics).dropped_total(), 0u);
  EXPECT_FALSE(newest.batcher.Paused());
  EXPECT_TRUE(newest.Balances());

  Bench pause(Options(512, 1024, Overflow::kPauseSources), 10, false);
  int cycles = 0;
  for (; !pause.batcher.Paused() && cycles < 100; ++cycles) pause.Cycle(5, cycles);
  EXPECT_LT(cycles, 100);
  EXPECT_EQ(pause.ledger.account(Signal::kMetrics).dropped_total(), 0u);
}

TEST(Batcher, AnOpenBatchIsClosedAtItsAge) {
  Bench bench(Options(512, 4096));
  bench.encoder.Start({UnixTime{1}, MonoTime{} + Seconds(5)}, {});
  bench.encoder.Begin(kGauge);
  bench.encoder.Double(1.0);
  bench.encoder.Finish();
  EXPECT_EQ(bench.batcher.oldest_open(), MonoTime{} + Seconds(5));
  EXPECT_EQ(bench.batcher.OnTime(MonoTime{} + Seconds(5)), MonoTime{} + Seconds(6));
  EXPECT_TRUE(bench.queue.empty());
  EXPECT_EQ(bench.batcher.OnTime(MonoTime{} + Seconds(6)), kNever);
  EXPECT_EQ(bench.queue.batches(), 1u);
  EXPECT_EQ(bench.batcher.oldest_open(), kNever);
}

}  // namespace
}  // namespace limpet
