// Losses are told: in the own log when they begin and end, downstream at the end of an episode and
// each minute while it lasts.
#include "agent/loss_watch.h"

#include <gtest/gtest.h>

#include "sim/delivery_checker.h"

namespace limpet::sim {
namespace {

struct LossWatchTest : testing::Test {
  explicit LossWatchTest(bool taken = true)
      : watch(ledger, taken ? &encoder : nullptr, {}, log) {}

  /// A turn at that second; returns when the watch wants the next.
  MonoTime At(int64_t seconds) {
    now = {UnixTime{} + Seconds(1'000'000 + seconds), MonoTime{} + Seconds(seconds)};
    return watch.OnTime(now);
  }
  void Drop(uint64_t items, int64_t first, int64_t last) {
    ledger.Drop(Signal::kMetrics, DropReason::kOverflow, items, UnixTime{first}, UnixTime{last});
  }
  /// What was told since the last call.
  std::vector<SeenRecord> Told() {
    std::vector<SeenRecord> records;
    if (batcher.open_items(Signal::kLogs) > 0) {
      records = ReadRecords(batcher.writer(Signal::kLogs).bytes());
      batcher.Close(Signal::kLogs);
    }
    return records;
  }

  std::array<uint8_t, 8192> slab;
  std::vector<uint64_t> arena = std::vector<uint64_t>(64 * 64);
  BatchQueue queue{std::as_writable_bytes(std::span(arena))};
  Ledger ledger;
  SimLog log;
  Batcher batcher{{.items_max = 64, .bytes_max = 8000, .delay = {}, .boot = {}},
                  {std::span<uint8_t>(), slab, {}}, nullptr, {}, queue, ledger, log};
  LogEncoder encoder{batcher, "1"};
  LossWatch watch;
  Stamp now;
};

TEST_F(LossWatchTest, NothingIsSaidOfNothing) {
  EXPECT_EQ(At(0), kNever);
  EXPECT_EQ(At(100), kNever);
  EXPECT_TRUE(Told().empty());
  EXPECT_TRUE(log.lines.empty());
  EXPECT_FALSE(watch.dropping());
}

TEST_F(LossWatchTest, OnceForAnEpisodeThatEndsAfterTenSeconds) {
  Drop(3, 50, 60);
  EXPECT_EQ(At(1), MonoTime{} + Seconds(11));
  EXPECT_EQ(log.Count("error items are being dropped signal=metrics reason=overflow"), 1u);
  EXPECT_TRUE(watch.dropping());
  Drop(4, 40, 45);
  EXPECT_EQ(At(9), MonoTime{} + Seconds(19));
  At(18);
  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(At(19), kNever);
  const std::vector<SeenRecord> told = Told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].event, "limpet.data_lost");
  EXPECT_EQ(told[0].texts.at("limpet.signal"), "metrics");
  EXPECT_EQ(told[0].texts.at("limpet.reason"), "overflow");
  EXPECT_EQ(told[0].numbers.at("limpet.count"), 7);
  EXPECT_EQ(told[0].numbers.at("limpet.first"), 40);
  EXPECT_EQ(told[0].numbers.at("limpet.last"), 60);
  EXPECT_EQ(told[0].time, now.wall.ns);
  EXPECT_EQ(log.Count("warn no more items are dropped signal=metrics reason=overflow dropped=7"), 1u);
  EXPECT_EQ(log.lines.size(), 2u);
  EXPECT_FALSE(watch.dropping());
}

TEST_F(LossWatchTest, EachMinuteWhileItLasts) {
  int64_t count = 0;
  size_t records = 0;
  for (int64_t second = 1; second <= 301; ++second) {
    Drop(1, second, second);
    EXPECT_LE(At(second), MonoTime{} + Seconds(second + 10));
    for (const SeenRecord& record : Told()) {
      ++records;
      EXPECT_EQ(second % 60, 1);
      EXPECT_EQ(record.numbers.at("limpet.last"), second);
      EXPECT_EQ(record.numbers.at("limpet.first"), count + 1);
      count += record.numbers.at("limpet.count");
    }
  }
  EXPECT_EQ(records, 5u);
  EXPECT_EQ(count, 301);
  // Nothing was left to tell: the end is said in the own log alone.
  EXPECT_EQ(At(311), kNever);
  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(log.Count("dropped=301"), 1u);
  EXPECT_EQ(log.lines.size(), 2u);
}

TEST_F(LossWatchTest, EachSignalAndReasonHasItsOwn) {
  ledger.Drop(Signal::kLogs, DropReason::kOverflow, 1);
  ledger.Drop(Signal::kMetrics, DropReason::kRefused, 2, UnixTime{5}, UnixTime{6});
  At(1);
  At(11);
  const std::vector<SeenRecord> told = Told();
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[0].texts.at("limpet.reason"), "refused");
  EXPECT_EQ(told[1].texts.at("limpet.signal"), "logs");
}

TEST_F(LossWatchTest, OnlyWantOfRoomAndDamageWorry) {
  struct Case { DropReason reason; bool worries; };
  constexpr Case cases[] = {{DropReason::kOverflow, true},   {DropReason::kDamaged, true},
                            {DropReason::kSourceFull, true}, {DropReason::kRefused, false},
                            {DropReason::kMaxAge, false},    {DropReason::kDeadPurged, false}};
  int64_t second = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(DropReasonName(c.reason));
    ledger.Drop(Signal::kTraces, c.reason, 1);
    At(second += 100);
    EXPECT_EQ(watch.dropping(), c.worries);
    At(second += 100);
    EXPECT_FALSE(watch.dropping());
  }
}

TEST_F(LossWatchTest, ACrashIsToldAtOnceWithoutACount) {
  At(1);
  watch.TellOfCrash(Signal::kLogs, UnixTime{70}, now.wall, now);
  const std::vector<SeenRecord> told = Told();
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].texts.at("limpet.reason"), "crash");
  EXPECT_EQ(told[0].texts.at("limpet.signal"), "logs");
  EXPECT_EQ(told[0].numbers.at("limpet.first"), 70);
  EXPECT_EQ(told[0].numbers.at("limpet.last"), now.wall.ns);
  EXPECT_FALSE(told[0].numbers.contains("limpet.count"));
}

struct UntakenLossTest : LossWatchTest {
  UntakenLossTest() : LossWatchTest(false) {}
};

TEST_F(UntakenLossTest, WhereNobodyTakesLogsTheOwnLogHasIt) {
  Drop(3, 50, 60);
  At(1);
  At(11);
  watch.TellOfCrash(Signal::kLogs, UnixTime{70}, now.wall, now);
  EXPECT_TRUE(Told().empty());
  EXPECT_EQ(log.lines.size(), 2u);
}

}  // namespace
}  // namespace limpet::sim
