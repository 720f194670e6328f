// Two lanes of a signal, and batches that leave in parts: where every item went, through outages, kills
// and power cuts at any moment.
#include <gtest/gtest.h>

#include "sim/lanes_world.h"
#include "sim/slow.h"

namespace limpet::sim {
namespace {

constexpr SignalSet kLogsOnly = 1 << Index(Signal::kLogs);

TEST(Lanes, StrictHasOne) {
  LanesWorld world(1);
  world.Start();
  world.RunFor(Seconds(10));
  world.up = 0;
  world.RunFor(Seconds(300));
  for (const Signal signal : kSignals) EXPECT_FALSE(world.spooler->Head(signal, Lane::kLive));
  world.up = kAllSignals;
  for (int second = 0; second < 60; ++second) {
    world.RunFor(Seconds(1));
    for (const Signal signal : kSignals) EXPECT_FALSE(world.spooler->Head(signal, Lane::kLive));
  }
  world.Drain();
  world.ExpectOrder();
  world.ExpectNothingLost();
  EXPECT_EQ(world.at_risk, 0u);
}

TEST(Lanes, NewDataOvertakesTheBacklog) {
  for (const Durability durability : {Durability::kOnDemand, Durability::kAlways}) {
    SCOPED_TRACE(static_cast<int>(durability));
    LanesWorld world(2);
    world.options.durability = durability;
    world.options.live_first = kLogsOnly;
    world.answer_time = Milliseconds(400);  // The backlog takes long.
    world.Start();
    world.RunFor(Seconds(10));
    EXPECT_FALSE(world.spooler->Head(Signal::kLogs, Lane::kLive));  // Without a backlog it is one.
    world.up = 0;
    world.RunFor(Seconds(300));
    world.up = kAllSignals;
    world.RunFor(Seconds(10));
    world.latency_ms = {};
    world.RunFor(Seconds(90));
    ASSERT_GT(world.spooler->held(Signal::kLogs).spool, 0u);
    const std::vector<uint64_t>& live = world.latency_ms[static_cast<size_t>(Lane::kLive)];
    EXPECT_GT(live.size(), 60u);
    EXPECT_LE(*std::max_element(live.begin(), live.end()), 3000u);
    world.Drain();
    world.ExpectOrder();
    world.ExpectNothingLost();
    EXPECT_EQ(world.dropped(DropReason::kDamaged), 0u);
    for (const auto& [key, batch] : world.batches) {
      for (const int times : batch.accepted) EXPECT_EQ(times, 1);
    }
    // Then it is one line again.
    world.RunFor(Seconds(40));
    EXPECT_FALSE(world.spooler->Head(Signal::kLogs, Lane::kLive));
  }
}

TEST(Lanes, ASignalThatNobodyTakesIsAnOutage) {
  LanesWorld world(3);
  world.Start();
  world.RunFor(Seconds(40));
  EXPECT_EQ(world.spooler->View().phase, SpoolPhase::kCalm);
  world.up = kAllSignals & ~kLogsOnly;
  world.RunFor(Seconds(60));
  // The logs go to flash, and all others too; these leave again.
  EXPECT_EQ(world.spooler->View().phase, SpoolPhase::kSpilling);
  EXPECT_GT(world.spooler->held(Signal::kLogs).spool, 0u);
  EXPECT_LT(world.spooler->held(Signal::kMetrics).total(), 100u);
  world.Drain();
  world.up = kAllSignals & ~(1 << Index(Signal::kTraces));  // Of which there are none.
  world.RunFor(Seconds(60));
  EXPECT_EQ(world.spooler->View().phase, SpoolPhase::kCalm);
  world.up = 0;
  world.RunFor(Milliseconds(700));
  EXPECT_EQ(world.spooler->View().phase, SpoolPhase::kSpilling);
  world.Drain();
  world.ExpectOrder();
  world.ExpectNothingLost();
}

TEST(Lanes, WhatIsLiveDoesNotWaitForACommit) {
  // Without the spool's help: batches close for their age while new data flows.
  LanesWorld world(4);
  world.options.live_first = kLogsOnly;
  world.Start();
  EXPECT_FALSE(world.spooler->ClosesOpenBatches());
  world.up = 0;
  world.RunFor(Seconds(200));
  EXPECT_TRUE(world.spooler->ClosesOpenBatches());
  world.up = kAllSignals;
  world.answer_time = Seconds(1);
  world.RunFor(Seconds(20));
  EXPECT_EQ(world.spooler->View().phase, SpoolPhase::kDraining);
  EXPECT_FALSE(world.spooler->ClosesOpenBatches());
  world.answer_time = Milliseconds(50);
  world.Drain();
  world.ExpectOrder();
}

/// One seed of everything at once.
void Weather(uint64_t seed, bool kills, bool announces) {
  LanesWorld world(seed);
  world.options.durability = seed % 3 == 0 ? Durability::kAlways : Durability::kOnDemand;
  constexpr std::array<SignalSet, 4> kLiveFirst = {kLogsOnly, kAllSignals, kAllSignals, 0};
  world.options.live_first = kLiveFirst[seed % 4];
  if (seed % 5 == 1) world.options.max_bytes = 512 * kKiB;
  world.queue_blocks = 150 + static_cast<size_t>(world.below(4)) * 150;
  world.percent_refused = announces ? 0 : 15;
  world.percent_failed = 10;
  world.announces = announces;
  world.batch_interval = Milliseconds(static_cast<int64_t>(100 + world.below(900)));
  world.answer_time = Milliseconds(static_cast<int64_t>(world.below(6) * 60));
  world.worker.work_at_end = world.below(2) == 0;
  world.worker.latency = Milliseconds(static_cast<int64_t>(world.below(3) * world.below(400)));
  world.Start();
  for (int spell = 0; spell < 12; ++spell) {
    world.up = static_cast<SignalSet>(world.below(2) == 0 ? kAllSignals : world.below(8));
    const uint64_t end = kills ? world.below(6) : 6;
    if (end == 0) world.flash.CutPowerAfter(1 + world.below(200));
    world.RunFor(Milliseconds(static_cast<int64_t>(world.below(60'000))));
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    if (world.flash.dead() || end == 1) {
      world.CutPower();
    } else if (end == 2) {
      world.Kill();
    } else if (end == 3) {
      world.flash.CutPowerAfter(1'000'000'000);
      world.StopAndStart();
    }
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
  if (world.flash.dead()) world.CutPower();  // It has met the last start.
  world.flash.CutPowerAfter(1'000'000'000);
  world.Drain();
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  if (!kills) world.ExpectOrder();
  EXPECT_EQ(world.dropped(DropReason::kDamaged), 0u);
  world.ExpectNothingLost();
  for (const auto& [key, batch] : world.batches) {
    for (size_t n = 0; n < batch.accepted.size(); ++n) {
      if (!kills) { EXPECT_LE(batch.accepted[n] + batch.buried[n], 1); }
    }
  }
}

TEST(Lanes, AnyWeatherWithinAProcess) {
  for (uint64_t seed = 1; seed <= (kSlow ? 4 : 30); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed, false, false);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Lanes, KillsAndPowerCutsAtAnyMoment) {
  for (uint64_t seed = 1; seed <= (kSlow ? 4 : 50); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed, true, false);
    if (testing::Test::HasFailure()) return;
  }
}

TEST(Lanes, NothingIsSentTwiceThatWasAnnounced) {
  for (uint64_t seed = 1; seed <= (kSlow ? 4 : 50); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed, true, true);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet::sim
