// Short outages, and processes that end in every way at any moment: no more is lost than was at risk,
// and what comes twice was not known to be delivered.
#include <gtest/gtest.h>

#include <random>

#include "sim/slow.h"
#include "sim/spool_world.h"

namespace limpet::sim {
namespace {

/// One seed: short outages, and processes that end in every way.
void Weather(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  constexpr uint32_t kLines = 20;
  SpoolWorld world(seed, kLines);
  const bool always = seed % 2 == 0;
  world.config.spool.durability = always ? Durability::kAlways : Durability::kOnDemand;
  world.config.spool.sync = Sync::kFull;
  world.queue_blocks = static_cast<size_t>(500 + below(3) * 1000);
  world.config.host.interval = Seconds(1 + static_cast<int64_t>(below(10)));
  world.worker.work_at_end = below(2) == 0;
  world.worker.latency = Milliseconds(static_cast<int64_t>(below(3) * below(400)));
  world.respond = [&](const SimRequest&) {
    if (!world.up) return SimAnswer{.sent = Sent::kUnknown, .delay = Milliseconds(300)};
    return SimAnswer{.status = below(20) == 0 ? 503 : 200,
                     .delay = Milliseconds(static_cast<int64_t>(below(150)))};
  };
  int crashes = 0;
  world.Start();
  for (int spell = 0; spell < 8; ++spell) {
    world.up = below(2) == 0;
    const Duration length = Milliseconds(static_cast<int64_t>(below(90'000)));
    const uint64_t end = below(6);
    if (end == 0) world.flash->CutPowerAfter(1 + below(150));
    world.RunFor(length);
    const bool spilled = always || world.agent->spooler().ClosesOpenBatches();
    world.RunFor(world.flash->dead() ? Duration{} : Seconds(8));
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    if (end > 2 && !world.flash->dead()) continue;
    // While it commits, no more is at risk than what one interval and the running commit bring.
    const Held held = world.agent->held(Signal::kLogs);
    const bool commits = spilled && (always || world.agent->spooler().ClosesOpenBatches());
    const Duration most = (always ? Seconds(1) : world.config.spool.commit_interval) +
                          world.worker.latency * 3 + Milliseconds(200);
    if (commits && !world.flash->dead()) {
      EXPECT_LE(held.open + held.memory, static_cast<uint64_t>(ToSeconds(most) * kLines) + 20);
    }
    if (world.flash->dead() || end <= 1) {
      ++crashes;
      world.CutPower(random());
    } else if (end == 2 && below(2) == 0) {
      world.StopAndEnd();
    } else {
      ++crashes;
      world.Kill();
    }
    world.Again();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    EXPECT_NE(world.phase(), SpoolPhase::kUnusable);
  }
  world.flash->CutPowerAfter(1'000'000'000);
  world.Drain();
  world.RunFor(Seconds(10));
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  if (!always) { EXPECT_EQ(world.phase(), SpoolPhase::kCalm); }
  EXPECT_EQ(world.checker.Events("limpet.data_lost", "crash") > 0, crashes > 0);
  world.StopAndEnd();
  ExpectNothingBroken(world);
  for (const Signal signal : kSignals) {
    SCOPED_TRACE(SignalName(signal));
    const AgentWorld::Sum sum = world.Total(signal);
    EXPECT_EQ(sum.dropped_total(), 0u);
    ASSERT_LE(world.checker.items(signal), sum.produced);
    EXPECT_LE(sum.produced - world.checker.items(signal), sum.at_risk);
  }
}

TEST(Crash, KillsAndPowerCutsAtAnyMoment) {
  for (uint64_t seed = 1; seed <= (kSlow ? 6 : 100); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet::sim
