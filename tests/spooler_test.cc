// The spool's states, and what becomes of every batch in each of them, with the whole core around:
// the real agent and the real database on a simulated flash.
#include "spool/spooler.h"

#include <gtest/gtest.h>

#include <set>

#include "sim/spool_world.h"

namespace limpet::sim {
namespace {

/// Without the path of a part.
std::string BatchOf(const std::string& key) { return key.substr(0, key.find('.')); }

constexpr size_t kShutdown = static_cast<size_t>(DropReason::kShutdown);

// ---- The states ------------------------------------------------------------------------------------

TEST(Spooler, CalmSpillingDrainingCalm) {
  SpoolWorld world;
  world.Start();
  world.RunFor(Seconds(60));
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  world.up = false;
  world.RunFor(Seconds(120));
  EXPECT_EQ(world.phase(), SpoolPhase::kSpilling);
  EXPECT_EQ(world.Look().spool.state, "spilling");
  EXPECT_GT(world.agent->held(Signal::kLogs).spool, 0u);
  // All but what one interval brings is on flash.
  EXPECT_LT(world.held(Signal::kLogs) - world.agent->held(Signal::kLogs).spool, 20u * 7);
  EXPECT_TRUE(world.Look().health.ok);
  EXPECT_EQ(world.Look().health.delivery, "degraded");
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  EXPECT_EQ(world.agent->held(Signal::kLogs).spool, 0u);
  EXPECT_LE(world.flash->used_bytes(), kMiB);
  const uint64_t calm = world.written();
  world.RunFor(Seconds(600));
  EXPECT_EQ(world.written(), calm);
  world.StopAndEnd();
  ExpectNothingLost(world);
  EXPECT_EQ(world.checker.lines(), world.generator->next_number() - 1);
  EXPECT_EQ(world.log.Count("state=spilling before=calm"), 1u);
  EXPECT_EQ(world.log.Count("state=draining before=spilling"), 1u);
  EXPECT_EQ(world.log.Count("state=calm before=draining"), 1u);
}

TEST(Spooler, CalmWritesNothing) {
  SpoolWorld world;
  world.Start();
  world.RunFor(Seconds(10));  // The mark of a clean stop is taken away.
  const uint64_t before = world.written();
  world.RunFor(Seconds(3600));
  EXPECT_EQ(world.written(), before);
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  EXPECT_LE(world.worker.tasks, 1u);
}

TEST(Spooler, FourFifthsOfTheMemorySpill) {
  SpoolWorld world(1, 200);
  world.queue_blocks = 600;
  world.config.destinations[0].gzip = false;
  // It takes what it is sent, but so slowly that memory runs full.
  world.respond = [&](const SimRequest&) {
    return SimAnswer{.delay = world.up ? Milliseconds(5) : Seconds(60)};
  };
  world.up = false;
  world.Start();
  world.RunFor(Seconds(30));
  EXPECT_NE(world.phase(), SpoolPhase::kCalm);
  EXPECT_EQ(world.log.Count("state=spilling before=calm"), 1u);
  world.RunFor(Seconds(600));
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  ExpectNothingLost(world);
}

TEST(Spooler, AFlappingLinkDoesNotMakeItFlap) {
  SpoolWorld world;
  world.respond = [&](const SimRequest&) {
    return world.clock.mono.ns / Seconds(20).ns % 2 == 0
               ? SimAnswer{}
               : SimAnswer{.sent = Sent::kNotSent, .error = "no route"};
  };
  world.Start();
  world.RunFor(Seconds(7200));
  const size_t changes = world.log.Count("info spool state=");
  RecordProperty("changes", std::to_string(changes));
  EXPECT_LE(changes, 2u * 30);  // Thirty an hour, of 180 of the link's.
  // Each batch goes to flash once, in commits of an interval each.
  uint64_t stored = 0;
  for (const SimRequest& request : world.transport.requests) stored += request.body.size();
  EXPECT_LE(world.written(), stored * 3 + 7200 / 5 * 24 * kKiB);
  world.respond = [](const SimRequest&) { return SimAnswer{}; };
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  ExpectNothingLost(world);
}

TEST(Spooler, MemoryDoesNotRiseWhileItDrains) {
  SpoolWorld world(1, 100);
  world.queue_blocks = 800;
  world.Start();
  world.RunFor(Seconds(60));
  world.up = false;
  world.RunFor(Seconds(900));
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  // Copies take half of it at most, the rest is for what comes in: never more than calm may use.
  const PoolUse use = world.agent->queue().use();
  EXPECT_LE(use.peak, use.bytes / 100 * 80);
  ExpectNothingLost(world);
}

TEST(Spooler, ASmallQueueDrainsTooAndNothingSpins) {
  for (const size_t blocks : {320u, 400u}) {
    SCOPED_TRACE(blocks);
    SpoolWorld world(1, 200);
    world.queue_blocks = blocks;
    world.config.destinations[0].gzip = false;
    world.worker.latency = Milliseconds(30);
    world.Start();
    world.up = false;
    world.RunFor(Seconds(300));
    const size_t tasks = world.worker.tasks;
    EXPECT_LE(tasks, 300u * 2);
    world.respond = [&](const SimRequest&) { return SimAnswer{.delay = Milliseconds(200)}; };
    world.Drain();
    EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
    EXPECT_LE(world.worker.tasks - tasks, 4 * world.transport.requests.size() + 200);
    EXPECT_EQ(world.dropped(DropReason::kOverflow), 0u);
    ExpectNothingBroken(world);
  }
}

// ---- always ----------------------------------------------------------------------------------------

TEST(Spooler, AlwaysCommitsBeforeTheFirstSend) {
  // At its first request a batch lies on flash: cut the power right then, and look for it.
  for (int nth = 1; nth <= 12; ++nth) {
    SCOPED_TRACE(nth);
    SpoolWorld world(static_cast<uint64_t>(nth));
    world.config.spool.durability = Durability::kAlways;
    world.worker.latency = Milliseconds(nth % 3 * 40);
    world.worker.work_at_end = nth % 2 == 0;
    std::set<std::string> keys;
    std::optional<SimRequest> first;
    world.respond = [&](const SimRequest& request) {
      if (first || !keys.insert(request.key).second || static_cast<int>(keys.size()) < nth) {
        return SimAnswer{.status = keys.size() % 3 == 0 ? 503 : 200};
      }
      first = request;
      world.flash->CutPowerAfter(1);
      return SimAnswer{};
    };
    world.Start();
    while (!first) world.RunFor(Milliseconds(100));
    world.CutPower(static_cast<uint64_t>(nth));
    SpoolStore store({}, *world.storage, world.clock, world.store_buffer);
    SpoolOpened opened;
    ASSERT_TRUE(store.Open(opened).ok());
    SpoolJob job;
    store.Take(job);
    job.read = true;
    job.read_signal = first->signal;
    store.Run();
    ASSERT_TRUE(job.status.ok());
    bool found = false;
    for (size_t i = 0; i < job.read_count; ++i) {
      const std::span<const uint8_t> bytes = job.reads[i].bytes;
      found = found || std::vector<uint8_t>(bytes.begin(), bytes.end()) == first->body;
    }
    EXPECT_TRUE(found);
  }
}

TEST(Spooler, AlwaysDeletesAfterTheAcknowledgement) {
  SpoolWorld world;
  world.config.spool.durability = Durability::kAlways;
  world.Start();
  world.RunFor(Seconds(600));
  EXPECT_LT(world.held(Signal::kLogs), 20u * 3);
  EXPECT_LT(world.held(Signal::kMetrics), 40u);
  world.up = false;
  world.RunFor(Seconds(300));
  world.Drain();
  world.RunFor(Seconds(60));
  world.StopAndEnd();
  ExpectNothingLost(world);
  EXPECT_EQ(world.checker.repeats(), 0u);
}

// ---- Stalls and failures ---------------------------------------------------------------------------

TEST(Spooler, AStalledSyncStopsNeitherCollectionNorDelivery) {
  SpoolWorld world;
  world.Start();
  world.RunFor(Seconds(60));
  world.up = false;
  world.RunFor(Seconds(60));
  world.Drain();
  world.worker.latency = Seconds(30);
  world.worker.work_at_end = true;
  world.up = false;
  const uint64_t lines = world.generator->next_number();
  const uint64_t cycles = world.Look().sources[0].collected->cycles;
  world.RunFor(Seconds(300));
  EXPECT_GE(world.generator->next_number() - lines, 20u * 299);
  EXPECT_EQ(world.Look().sources[0].collected->cycles - cycles, 30u);
  world.worker.latency = Milliseconds(10);
  world.RunFor(Seconds(40));
  world.Drain();
  // In calm a stall is nobody's business: what is refused waits for the worker, the rest does not.
  world.worker.latency = Seconds(30);
  std::string refused;
  world.respond = [&](const SimRequest& request) {
    if (refused.empty()) refused = BatchOf(request.key);
    return SimAnswer{.status = BatchOf(request.key) == refused ? 400 : 200};
  };
  world.RunFor(Seconds(5));
  EXPECT_TRUE(world.worker.busy());
  const uint64_t before = world.checker.lines();
  world.RunFor(Seconds(20));
  EXPECT_GE(world.checker.lines() - before, 20u * 18);
  world.RunFor(Seconds(60));
  EXPECT_GT(world.account(Signal::kLogs).dead + world.account(Signal::kMetrics).dead, 0u);
  for (const Signal signal : kSignals) EXPECT_EQ(world.Total(signal).dropped_total(), 0u);
  ExpectNothingBroken(world);
}

TEST(Spooler, UnusableAtTheStartIsTriedAgainAndComesBack) {
  SpoolWorld world;
  world.Start();
  world.RunFor(Seconds(30));
  world.up = false;
  world.RunFor(Seconds(300));
  world.Kill();  // Leaves rows behind.
  const uint64_t lines_before = world.generator->next_number();
  world.flash->read_only = true;
  world.up = true;
  const size_t prepared = world.storage->prepared;
  world.Again();
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  EXPECT_EQ(world.storage->prepared - prepared, 1u);
  world.RunFor(Milliseconds(900));
  EXPECT_EQ(world.storage->prepared - prepared, 1u);
  world.RunFor(Milliseconds(200));
  EXPECT_EQ(world.storage->prepared - prepared, 2u);  // After a second,
  world.RunFor(Seconds(299));
  EXPECT_EQ(world.storage->prepared - prepared, 6u);  // then each minute.
  EXPECT_FALSE(world.Look().health.ok);
  EXPECT_NE(world.Look().health.reasons[0].find("the spool cannot be used"), std::string_view::npos);
  EXPECT_EQ(world.log.Count("the spool cannot be used"), 1u);
  // By the rules of calm: it goes out from memory.
  EXPECT_GT(world.checker.last_line(), lines_before + 20 * 290);
  world.checker.may_go_back = true;  // What lies on flash comes late.
  world.flash->read_only = false;
  world.RunFor(Seconds(61));
  EXPECT_EQ(world.log.Count("the spool works again"), 1u);
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  EXPECT_TRUE(world.Look().health.ok);
  for (const Signal signal : kSignals) {
    EXPECT_EQ(world.Look().destinations[0].delivered[Index(signal)], world.account(signal).delivered);
  }
  world.StopAndEnd();
  ExpectNothingBroken(world);
  for (const Signal signal : kSignals) {
    const AgentWorld::Sum sum = world.Total(signal);
    EXPECT_EQ(sum.dropped_total(), 0u);
    EXPECT_LE(sum.produced - world.checker.items(signal), sum.at_risk);
  }
  // The accounts of the process before came along, and it was told that it had crashed.
  EXPECT_GE(world.checker.Events("limpet.data_lost", "crash"), 1u);
}

TEST(Spooler, RowsOfAnEarlierProcessAreNotTakenForOnesOwn) {
  // The numbers of rows are not known while the database cannot be read: nothing may be written under
  // one that is taken.
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(300));
  world.Kill();
  const uint64_t rows = world.generator->next_number();
  world.flash->FailAfter(SimFlash::kOpen, 1, Fault::kFromThenOn);
  world.checker.may_go_back = true;  // What cannot be read comes late.
  world.Again();
  world.RunFor(Seconds(30));
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  world.flash->Heal();
  world.RunFor(Seconds(61));
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  ExpectNothingBroken(world);
  EXPECT_GE(world.checker.lines(), rows - 1 - 20 * 7 + 20 * 90);
  for (const Signal signal : kSignals) EXPECT_EQ(world.Total(signal).dropped_total(), 0u);
}

TEST(Spooler, MemoryThatGoesOutFirstTakesNothingAlong) {
  // Far more lies on flash than is copied; what was to follow has been given its numbers.
  for (const int delay_ms : {5, 900, 5000}) {
    SCOPED_TRACE(delay_ms);
    SpoolWorld world(1, 50);
    world.queue_blocks = 500;
    world.respond = [&](const SimRequest&) {
      return world.up ? SimAnswer{.delay = Milliseconds(delay_ms)}
                      : SimAnswer{.sent = Sent::kNotSent, .error = "no route"};
    };
    world.up = false;
    world.Start();
    world.RunFor(Seconds(600));
    world.flash->FailAfter(SimFlash::kSync, 1, Fault::kFromThenOn);
    world.RunFor(Seconds(10));
    EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
    const uint64_t on_flash = world.agent->held(Signal::kLogs).spool;
    world.checker.may_go_back = true;
    world.respond = [&](const SimRequest&) { return SimAnswer{.delay = Milliseconds(delay_ms)}; };
    world.RunFor(Seconds(130));
    EXPECT_GT(world.checker.last_line(), on_flash);
    world.flash->Heal();
    world.RunFor(Seconds(61));
    world.respond = [](const SimRequest&) { return SimAnswer{}; };
    world.Drain();
    EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
    world.StopAndEnd();
    ExpectNothingBroken(world);
    EXPECT_EQ(world.dropped(DropReason::kDamaged), 0u);
    for (const Signal signal : kSignals) {
      const AgentWorld::Sum sum = world.Total(signal);
      EXPECT_EQ(sum.produced, world.checker.items(signal) + sum.dropped_total());
    }
  }
}

TEST(Spooler, AFlashThatFailsForAMomentLosesNothing) {
  // The nth operation fails, once; in every state; then a while that it stays.
  for (const Fault fault : {Fault::kOnce, Fault::kFromThenOn}) {
    for (const unsigned kinds : {unsigned{SimFlash::kWrite}, unsigned{SimFlash::kSync},
                                 unsigned{SimFlash::kRead}, unsigned{SimFlash::kTruncate},
                                 unsigned{SimFlash::kOpen | SimFlash::kLock | SimFlash::kAccess}}) {
      for (int nth = 1, step = 1; nth < 400; nth += step, step += 3) {
        SCOPED_TRACE(testing::Message() << "kinds " << kinds << " nth " << nth << " fault "
                                        << static_cast<int>(fault));
        SpoolWorld world(static_cast<uint64_t>(nth), 10);
        world.worker.latency = Milliseconds(nth % 4 * 20);
        world.worker.work_at_end = nth % 2 == 0;
        world.Start();
        world.RunFor(Seconds(5));
        world.flash->FailAfter(kinds, nth, fault);
        world.up = false;
        world.RunFor(Seconds(60));
        world.up = true;
        world.RunFor(Seconds(40));
        const int hits = world.flash->Heal();
        world.RunFor(Seconds(100));
        world.Drain();
        ASSERT_EQ(world.phase(), SpoolPhase::kCalm);
        EXPECT_LE(world.worker.tasks, 2000u);
        world.StopAndEnd();
        // A fault that stays lets memory go out before what lies on flash.
        if (fault == Fault::kOnce) ExpectNothingBroken(world);
        for (const Signal signal : kSignals) {
          const AgentWorld::Sum sum = world.Total(signal);
          EXPECT_EQ(sum.dropped_total(), 0u);
          EXPECT_EQ(sum.produced, world.checker.items(signal));
        }
        EXPECT_EQ(world.checker.lines(), world.generator->next_number() - 1);
        if (testing::Test::HasFailure() || hits == 0) break;
      }
    }
  }
}

TEST(Spooler, AFullFlashIsLikeABrokenOne) {
  SpoolWorld world;
  world.queue_blocks = 1000;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(60));
  world.flash->capacity = world.flash->used_bytes();
  world.RunFor(Seconds(120));
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  EXPECT_FALSE(world.Look().health.ok);
  world.flash->capacity = UINT64_MAX;
  world.RunFor(Seconds(61));
  EXPECT_EQ(world.phase(), SpoolPhase::kSpilling);
  EXPECT_TRUE(world.Look().health.ok);
  world.Drain();
  world.StopAndEnd();
  ExpectNothingLost(world);
}

TEST(Spooler, WhatMemoryCannotHoldIsCountedAndTold) {
  SpoolWorld world(1, 100);
  world.queue_blocks = 400;
  world.Start();
  world.RunFor(Seconds(30));
  world.flash->read_only = true;
  world.up = false;
  world.RunFor(Seconds(1200));
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  EXPECT_GT(world.dropped(DropReason::kOverflow), 0u);
  EXPECT_FALSE(world.Look().health.ok);
  world.flash->read_only = false;
  world.checker.may_go_back = true;
  world.RunFor(Seconds(61));
  world.Drain();
  world.RunFor(Seconds(30));
  world.StopAndEnd();
  ExpectNothingBroken(world);
  int64_t told = 0;
  for (const SeenRecord& event : world.checker.events()) {
    if (event.event != "limpet.data_lost") continue;
    EXPECT_EQ(event.texts.at("limpet.reason"), "overflow");
    EXPECT_GT(event.numbers.at("limpet.first"), 0);
    EXPECT_GE(event.numbers.at("limpet.last"), event.numbers.at("limpet.first"));
    told += event.numbers.at("limpet.count");
  }
  // The announcements went the same way, and some of them were lost as well, counted by the next.
  EXPECT_GT(told, 0);
  EXPECT_LE(static_cast<uint64_t>(told), world.dropped(DropReason::kOverflow));
  for (const Signal signal : kSignals) {
    EXPECT_EQ(world.Total(signal).produced,
              world.checker.items(signal) + world.Total(signal).dropped_total());
  }
}

TEST(Spooler, AFullSpoolDropsByPolicyAndNeverSpins) {
  for (const Overflow overflow :
       {Overflow::kDropOldest, Overflow::kDropNewest, Overflow::kPauseSources}) {
    SCOPED_TRACE(static_cast<int>(overflow));
    SpoolWorld world(1, 50);
    world.queue_blocks = 1200;
    world.config.spool.overflow = overflow;
    world.config.spool.max_bytes = 512 * kKiB;
    world.config.spool.dead_max_bytes = 64 * kKiB;
    world.worker.latency = Milliseconds(20);
    world.up = false;
    world.Start();
    world.RunFor(Seconds(2400));
    EXPECT_LE(world.flash->used_bytes(), world.config.spool.max_bytes);
    EXPECT_LE(world.worker.tasks, 2400u / 2);
    EXPECT_EQ(world.dropped(DropReason::kOverflow) > 0, overflow != Overflow::kPauseSources);
    EXPECT_EQ(world.log.Count("the spool is full"), 1u);
    world.Drain(Seconds(3600));
    EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
    EXPECT_EQ(world.log.Count("the spool has room again"), world.log.Count("the spool is full"));
    EXPECT_LE(world.log.Count("the spool is full"), 5u);
    world.RunFor(Seconds(30));
    world.StopAndEnd();
    ExpectNothingBroken(world);
    EXPECT_EQ(world.dropped(DropReason::kDamaged), 0u);
    for (const Signal signal : kSignals) {
      EXPECT_EQ(world.Total(signal).produced,
                world.checker.items(signal) + world.Total(signal).dropped_total());
    }
    EXPECT_EQ(world.checker.Events("limpet.data_lost", "overflow") > 0,
              overflow != Overflow::kPauseSources);
  }
}

TEST(Spooler, ADamagedRowIsCountedAndPassedOver) {
  SpoolWorld world;
  world.queue_blocks = 700;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(900));
  // Bytes in the middle of the file, where a batch lies.
  std::string& file = world.flash->files["spool.db"];
  const size_t page = file.size() / 3 / kSpoolPageBytes * kSpoolPageBytes;
  for (size_t at = page + 500; at < page + 600; ++at) file[at] = static_cast<char>(file[at] ^ 0x55);
  world.Drain();
  world.StopAndEnd();
  const uint64_t damaged = world.dropped(DropReason::kDamaged);
  EXPECT_GT(damaged, 0u);
  uint64_t missing = 0;
  for (const Signal signal : kSignals) {
    missing += world.Total(signal).produced - world.checker.items(signal);
  }
  EXPECT_EQ(missing, damaged);
  EXPECT_GE(world.checker.Events("limpet.data_lost", "damaged"), 1u);
  ExpectNothingBroken(world);
}

TEST(Spooler, WithoutMemoryForSqliteItComesBack) {
  SpoolWorld world;
  world.Start();
  world.RunFor(Seconds(10));
  world.up = false;
  world.RunFor(Seconds(30));
  SqliteHeap::Get().refuse = [] { return true; };
  world.RunFor(Seconds(10));
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  SqliteHeap::Get().refuse = nullptr;
  world.RunFor(Seconds(61));
  EXPECT_EQ(world.phase(), SpoolPhase::kSpilling);
  const size_t tasks = world.worker.tasks;
  world.RunFor(Seconds(60));
  EXPECT_LE(world.worker.tasks - tasks, 20u);
  world.Drain();
  world.StopAndEnd();
  ExpectNothingLost(world);
}

TEST(Spooler, AFailedShrinkIsNotAskedForWithoutEnd) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(900));
  world.flash->FailAfter(SimFlash::kTruncate, 1, Fault::kOnce);
  world.Drain();
  EXPECT_GT(world.flash->Heal(), 0);
  const size_t tasks = world.worker.tasks;
  world.RunFor(Seconds(120));
  EXPECT_LE(world.worker.tasks - tasks, 60u);
  world.Drain();
  EXPECT_EQ(world.phase(), SpoolPhase::kCalm);
  ExpectNothingLost(world);
}

// ---- The end of a process --------------------------------------------------------------------------

TEST(Spooler, AGracefulStopKeepsAll) {
  // In every state, at all moments of a commit.
  for (int seconds = 0; seconds <= 240; seconds += 7) {
    SCOPED_TRACE(seconds);
    SpoolWorld world(static_cast<uint64_t>(seconds + 1));
    world.worker.latency = Milliseconds(seconds % 5 * 200);
    world.worker.work_at_end = seconds % 2 == 0;
    world.config.spool.durability = seconds % 3 == 0 ? Durability::kAlways : Durability::kOnDemand;
    world.Start();
    world.RunFor(Seconds(20));
    world.up = false;
    world.RunFor(Seconds(100));
    world.Kill();
    const auto lost = [&](Signal signal) { return world.Total(signal).at_risk; };
    world.Again();
    world.RunFor(Seconds(seconds / 3));
    world.up = seconds > 120;
    world.RunFor(Seconds(seconds / 3));
    const MonoTime asked = world.clock.mono;
    world.StopAndDrain();
    EXPECT_LE(world.clock.mono - asked, Seconds(25));
    for (const Signal signal : kSignals) {
      EXPECT_EQ(world.agent->held(signal).open + world.agent->held(signal).memory, 0u);
    }
    world.StopAndEnd();
    EXPECT_EQ(world.dropped(DropReason::kShutdown), 0u);
    const size_t crashes = world.checker.Events("limpet.data_lost", "crash");
    world.Again();
    world.Drain();
    world.RunFor(Seconds(10));
    world.StopAndEnd();
    for (const Signal signal : kSignals) {
      EXPECT_LE(world.Total(signal).produced - world.checker.items(signal), lost(signal));
      EXPECT_EQ(world.Total(signal).dropped_total(), 0u);
    }
    // The crash was told, once per signal; the stop was no crash.
    EXPECT_LE(crashes, world.checker.Events("limpet.data_lost", "crash"));
    EXPECT_EQ(world.checker.Events("limpet.data_lost", "crash"), 2u);
    ExpectNothingBroken(world);
    if (testing::Test::HasFailure()) break;
  }
}

TEST(Spooler, ACrashIsToldWithItsTimes) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(100));
  const UnixTime killed = world.clock.Wall();
  world.CutPower(3);
  const UnixTime started = world.clock.Wall();
  world.Again();
  world.Drain();
  world.RunFor(Seconds(10));
  std::set<std::string> signals;
  for (const SeenRecord& event : world.checker.events()) {
    if (event.event != "limpet.data_lost") continue;
    EXPECT_EQ(event.texts.at("limpet.reason"), "crash");
    EXPECT_FALSE(event.numbers.contains("limpet.count"));  // Nobody knows.
    EXPECT_EQ(event.numbers.at("limpet.last"), started.ns);
    EXPECT_LE(event.numbers.at("limpet.first"), killed.ns);
    EXPECT_GE(event.numbers.at("limpet.first"), (killed - Seconds(6)).ns);
    signals.insert(event.texts.at("limpet.signal"));
  }
  EXPECT_EQ(signals, (std::set<std::string>{"logs", "metrics"}));
  ExpectNothingBroken(world);
}

TEST(Spooler, ASecondStopEndsAtOnceAndKeepsWhatIsCommitted) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(100));
  world.worker.latency = Seconds(20);
  world.agent->Stop(world.clock.mono);
  world.Turn();
  world.Turn();
  EXPECT_FALSE(world.agent->stopped());
  const uint64_t committed = world.agent->held(Signal::kLogs).spool;
  const MonoTime asked = world.clock.mono;
  world.agent->Stop(world.clock.mono);
  world.Turn();
  EXPECT_TRUE(world.agent->stopped());
  EXPECT_EQ(world.clock.mono, asked);
  world.Kill();
  world.worker.latency = {};
  world.Again();
  EXPECT_GE(world.agent->held(Signal::kLogs).spool, committed);
  world.Drain();
  ExpectNothingBroken(world);
}

TEST(Spooler, AStopWithoutAUsableSpoolWaitsAndCounts) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(60));
  world.flash->read_only = true;
  world.RunFor(Seconds(30));
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  const size_t tasks = world.worker.tasks;
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_LE(world.clock.mono - asked, Seconds(30));
  EXPECT_LE(world.worker.tasks - tasks, 40u);  // Tried again each second, not each turn.
  EXPECT_GT(world.dropped(DropReason::kShutdown), 0u);
  EXPECT_EQ(world.log.Count("what was held is dropped"), 2u);
  world.Kill();
  world.flash->read_only = false;
  world.Again();
  world.Drain();
  ExpectNothingBroken(world);
}

TEST(Spooler, AStopWithoutAUsableSpoolDeliversWhatItCan) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(60));  // Leaves a backlog on flash,
  world.flash->read_only = true;
  world.RunFor(Seconds(30));  // which nobody can remove any more.
  EXPECT_EQ(world.phase(), SpoolPhase::kUnusable);
  world.up = true;
  world.checker.may_go_back = true;
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_LT(world.clock.mono - asked, Seconds(30));
  EXPECT_EQ(world.dropped(DropReason::kShutdown), 0u);
  ExpectNothingBroken(world);
}

TEST(Spooler, WhatIsTooOldIsDroppedWhereverItIs) {
  for (const bool with_spool : {true, false}) {
    SCOPED_TRACE(with_spool);
    SpoolWorld world;
    if (!with_spool) world.config.spool.durability = Durability::kMemoryOnly;
    world.config.queue.max_age = Seconds(60);
    world.up = false;
    world.Start();
    world.RunFor(Seconds(300));
    EXPECT_LE(world.Look().queue.oldest, Seconds(75));  // A commit takes a few cycles together.
    EXPECT_GT(world.dropped(DropReason::kMaxAge), 0u);
    EXPECT_EQ(world.dropped(DropReason::kOverflow), 0u);
    world.up = true;
    world.RunFor(Seconds(60));
    for (const Signal signal : kSignals) {
      const Account& account = world.account(signal);
      EXPECT_EQ(account.collected, account.delivered + account.dropped_total() + world.held(signal));
    }
    world.StopAndEnd();
  }
}

TEST(Spooler, ASpoolThatOpensLateKeepsItsIdentity) {
  SpoolWorld world;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(100));
  world.Kill();
  world.flash->FailAfter(SimFlash::kOpen, 1, Fault::kFromThenOn);
  world.instance = "another";
  world.checker.may_go_back = true;
  world.Again();
  world.RunFor(Seconds(5));
  EXPECT_EQ(world.Look().instance, "another");
  world.flash->Heal();
  world.RunFor(Seconds(61));
  EXPECT_EQ(world.Look().instance, "inst");
  const MonoTime known = world.clock.mono;
  world.Drain();
  ExpectNothingBroken(world);
  for (const SimRequest& request : world.transport.requests) {
    EXPECT_TRUE(request.at < known || request.key.starts_with("inst-")) << request.key;
  }
}

TEST(Spooler, AStopWithAFullSpoolDoesNotSpin) {
  SpoolWorld world(1, 50);
  world.config.spool.overflow = Overflow::kPauseSources;
  world.config.spool.max_bytes = 512 * kKiB;
  world.config.spool.dead_max_bytes = 64 * kKiB;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(2400));
  const size_t tasks = world.worker.tasks;
  world.StopAndEnd();
  EXPECT_LE(world.worker.tasks - tasks, 40u);
  EXPECT_GT(world.dropped(DropReason::kShutdown), 0u);
  world.Again();
  // The account was committed with it: what was dropped stays counted.
  EXPECT_EQ(world.account(Signal::kLogs).dropped[kShutdown],
            world.Total(Signal::kLogs).dropped[kShutdown]);
  world.Drain(Seconds(3600));
  ExpectNothingBroken(world);
}

// ---- Dead letters ----------------------------------------------------------------------------------

TEST(Spooler, RefusedBatchesBecomeDeadLettersInEveryState) {
  enum class When { kCalm, kCommitting, kDraining, kUnusable };
  for (const Durability durability : {Durability::kOnDemand, Durability::kAlways}) {
    for (const When when :
         {When::kCalm, When::kCommitting, When::kDraining, When::kUnusable}) {
      SCOPED_TRACE(testing::Message() << "when " << static_cast<int>(when) << " durability "
                                      << static_cast<int>(durability));
      SpoolWorld world;
      world.config.spool.durability = durability;
      bool refusing = false;
      std::set<std::string> refused;
      world.respond = [&](const SimRequest& request) {
        if (!world.up) return SimAnswer{.sent = Sent::kNotSent};
        if (refusing && refused.size() < 2) refused.insert(BatchOf(request.key));
        const bool refuses = refusing && refused.contains(BatchOf(request.key));
        return SimAnswer{.status = refuses ? 400 : 200, .delay = Milliseconds(20)};
      };
      world.Start();
      world.RunFor(Seconds(30));
      world.worker.latency = Milliseconds(700);
      world.worker.work_at_end = when == When::kCommitting;
      if (when == When::kUnusable) {
        world.flash->read_only = true;
        if (durability == Durability::kOnDemand) world.up = false;
        world.RunFor(Seconds(40));
      } else if (when != When::kCalm) {
        world.up = false;
        world.RunFor(Seconds(when == When::kDraining ? 300 : 25));
      }
      refusing = world.up = true;
      while (refused.size() < 2) world.RunFor(Milliseconds(100));
      world.RunFor(Seconds(5));
      world.flash->read_only = false;
      world.RunFor(Seconds(70));
      world.Drain();
      uint64_t dead = 0;
      for (const Signal signal : kSignals) {
        dead += world.account(signal).dead;
        EXPECT_EQ(world.Total(signal).dropped_total(), 0u);
        EXPECT_EQ(world.Total(signal).lost, 0u);
      }
      EXPECT_GT(dead, 0u);
      refusing = false;
      // A restart finds them, and tried again they go out.
      world.StopAndEnd();
      world.Again();
      uint64_t found = 0;
      for (const Signal signal : kSignals) found += world.account(signal).dead;
      EXPECT_EQ(found, dead);
      world.checker.may_go_back = true;
      ASSERT_TRUE(world.agent->spooler().AskDead(DeadAction::kRetry, {}));
      world.RunFor(Seconds(60));
      Spooler::DeadAnswer answer;
      ASSERT_TRUE(world.agent->spooler().TakeDeadAnswer(answer));
      EXPECT_TRUE(answer.status.ok());
      EXPECT_EQ(answer.changed, 2u);
      world.Drain();
      world.StopAndEnd();
      for (const Signal signal : kSignals) {
        EXPECT_EQ(world.Total(signal).produced, world.checker.items(signal));
      }
      ExpectNothingBroken(world);
    }
  }
}

TEST(Spooler, PurgedLettersAreDropped) {
  SpoolWorld world;
  std::string refused;
  world.respond = [&](const SimRequest& request) {
    if (refused.empty()) refused = BatchOf(request.key);
    return SimAnswer{.status = BatchOf(request.key) == refused ? 400 : 200};
  };
  world.Start();
  world.RunFor(Seconds(30));
  ASSERT_TRUE(world.agent->spooler().AskDead(DeadAction::kPurge, {}));
  world.RunFor(Seconds(1));
  EXPECT_GT(world.dropped(DropReason::kDeadPurged), 0u);
  world.StopAndEnd();
  ExpectNothingBroken(world);
}

}  // namespace
}  // namespace limpet::sim
