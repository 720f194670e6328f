// Outages in virtual time, with the host metrics and log lines beside them: nothing is lost, all is in
// order, and the flash is spared.
#include <gtest/gtest.h>

#include <cinttypes>
#include <cstdio>

#include "sim/slow.h"
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

constexpr Duration kOutage = Seconds(kSlow ? 600 : 7200);

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
  world.RunFor(kOutage);
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
    world.RunFor(kOutage);
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

}  // namespace
}  // namespace limpet::sim
