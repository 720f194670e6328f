// Outages in virtual time, with the host metrics and log lines beside them: nothing is lost, all is in
// order, and the flash is spared. Then the same with kills and power cuts at any moment.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>
#include <random>

#include "sim/spool_world.h"

namespace limpet::sim {
namespace {

uint64_t StoredBytes(const SpoolWorld& world) {
  uint64_t bytes = 0;
  for (const SpoolTotals& totals : world.agent->spooler().View().totals) bytes += totals.bytes;
  return bytes;
}

/// As a default configuration has it; interval: of the host metrics.
void UseDefaults(SpoolWorld& world) {
  world.config.host.interval = Seconds(1);
  world.config.self.interval = Seconds(60);
  world.config.spool.min_free_bytes = 16 * kMiB;
  world.queue_blocks = 3000;
  world.worker.latency = Milliseconds(20);
  world.transport.keep_bodies = false;
}

/// Host metrics each second, and 200 lines a second, through two hours without a destination.
TEST(Outage, TwoHoursOfMetricsAndLines) {
  SpoolWorld world(1, 200);
  UseDefaults(world);
  world.respond = [&](const SimRequest&) {
    return world.up ? SimAnswer{.delay = Milliseconds(50)}
                    : SimAnswer{.sent = Sent::kNotSent, .error = "no route"};
  };
  world.Start();
  world.RunFor(Seconds(60));
  const uint64_t written = world.written();
  const size_t commits = world.commits;
  world.up = false;
  world.RunFor(Seconds(7200));
  const auto per_stored = static_cast<double>(world.written() - written) /
                          static_cast<double>(StoredBytes(world));
  const double per_commit = static_cast<double>(world.written() - written) /
                            static_cast<double>(world.commits - commits);
  uint64_t backlog = 0;
  for (const Signal signal : kSignals) backlog += world.agent->held(signal).spool;
  const size_t peak = world.agent->queue().use().peak;

  // From the moment that it is noticed.
  world.up = true;
  const uint64_t delivered = world.checker.lines();
  while (world.checker.lines() == delivered) world.RunFor(Milliseconds(100));
  const MonoTime begin = world.clock.mono;
  while (!testing::Test::HasFatalFailure() && world.agent->held(Signal::kLogs).spool > 200 * 10) {
    world.RunFor(Seconds(1));
  }
  const double seconds = ToSeconds(world.clock.mono - begin);
  const double faster = static_cast<double>(world.checker.lines() - delivered) / seconds / 200;
  std::printf("bytes written: %.2f per stored byte, %.1f KiB per commit; %" PRIu64
              " items on flash, drained in %.0f s, %.1f times the rate of arrival\n",
              per_stored, per_commit / kKiB, backlog, seconds, faster);
  EXPECT_LE(per_stored, 3.0);
  EXPECT_GE(faster, 10.0);
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  EXPECT_LE(world.flash->used_bytes(), kMiB);
  EXPECT_LE(world.agent->queue().use().peak, std::max(peak, world.agent->queue().use().bytes * 6 / 10));
  world.StopAndEnd();
  ExpectNothingLost(world);
  EXPECT_EQ(world.checker.lines(), world.generator->next_number() - 1);
  EXPECT_EQ(world.checker.repeats(), 0u);
}

TEST(Outage, TwoHoursOfMetricsAlone) {
  for (const int interval : {1, 10}) {
    SCOPED_TRACE(interval);
    SpoolWorld world(1, 0);
    UseDefaults(world);
    world.config.host.interval = Seconds(interval);
    world.Start();
    world.RunFor(Seconds(60));
    const uint64_t written = world.written();
    const size_t commits = world.commits;
    world.up = false;
    world.RunFor(Seconds(7200));
    const double per_commit = static_cast<double>(world.written() - written) /
                              static_cast<double>(world.commits - commits);
    std::printf("metrics each %d s: %.1f KiB per commit, %zu commits\n", interval, per_commit / kKiB,
                world.commits - commits);
    EXPECT_LE(per_commit, 24.0 * kKiB);
    EXPECT_LE(world.commits - commits, 7200u / 5 + 2);
    world.Drain();
    world.StopAndEnd();
    ExpectNothingLost(world);
  }
}

/// One seed: short outages, and processes that end in every way.
void Weather(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  constexpr uint32_t kLines = 20;
  SpoolWorld world(seed, kLines);
  const bool always = seed % 2 == 0;
  world.config.spool.durability = always ? Durability::kAlways : Durability::kOnDemand;
  world.config.spool.sync = Sync::kFull;
  world.queue_blocks = 500 + below(3) * 1000;
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

TEST(Outage, KillsAndPowerCutsAtAnyMoment) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet::sim
