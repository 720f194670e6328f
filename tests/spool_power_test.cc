// The power is cut at every operation that changes something, several times each, and what survives of
// what was not synced is a matter of luck. What the store said it had committed is there; what it had
// not said may be there as a whole, or not at all.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "spool_script.h"

namespace limpet::sim {
namespace {

/// LIMPET_TEST_SEED=n: the first of the seeds. LIMPET_TEST_SEEDS=n: so many for each cut.
uint64_t FirstSeed() {
  const char* const wish = std::getenv("LIMPET_TEST_SEED");
  return wish != nullptr ? std::strtoull(wish, nullptr, 10) : 1;
}
constexpr uint64_t kSeeds = kSlow ? 1 : 4, kStride = kSlow ? 5 : 1;
uint64_t Seeds() {
  const char* const wish = std::getenv("LIMPET_TEST_SEEDS");
  return wish != nullptr ? std::strtoull(wish, nullptr, 10) : kSeeds;
}

Status Reopen(SpoolRig& rig) {
  rig.NewProcess();
  rig.Begin(false).open = true;
  rig.store->Run();
  return rig.job.status;
}

/// What the files say from `first` to `last` of the script, or nothing of that.
bool IsOneOf(const Golden& golden, size_t first, size_t last, const std::string& dump) {
  for (size_t k = first; k <= last; ++k) {
    if (golden.steps[k].dump == dump) return true;
  }
  return false;
}

/// One step, cut at its nth operation. False: it has no such operation.
bool CutStep(const Golden& golden, size_t k, uint64_t nth, uint64_t seed) {
  const ScriptStep& step = Script()[k];
  const Golden::Before &before = golden.steps[k], &after = golden.steps[k + 1];
  SimFlash flash;
  flash.files = before.files;
  SpoolRig rig(flash, ScriptOptions());
  if (!step.closed) { EXPECT_TRUE(Reopen(rig).ok()); }
  rig.loop = before.loop;
  flash.CutPowerAfter(nth);
  const Status status = step.run(rig);
  if (!flash.dead()) {
    EXPECT_TRUE(status.ok());
    return false;
  }
  rig.store.reset();
  flash.Reboot(seed);
  std::string dump = Dump(flash.files);
  if (status.ok()) {
    EXPECT_EQ(dump, after.dump);  // S1
  } else {
    EXPECT_TRUE(dump == before.dump || dump == after.dump) << dump;  // S2
  }
  const bool done = dump == after.dump;

  // Power comes back for a moment only.
  flash.CutPowerAfter(1 + seed % 7);
  rig.NewProcess();
  rig.Begin(false).open = true;
  rig.store->Run();
  rig.store.reset();
  flash.Reboot(seed + 1);
  if (k > 0) { EXPECT_EQ(Dump(flash.files), dump); }

  // Then it stays.
  Status again = Reopen(rig);
  EXPECT_TRUE(again.ok()) << again.where << ' ' << again.detail;
  EXPECT_FALSE(flash.files.contains("spool.db.damaged-1"));
  rig.loop = done ? after.loop : before.loop;
  rig.Resume(rig.job.opened);
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    const Account& expected = (done ? after : before).loop.accounts[i];
    EXPECT_LE(rig.loop.accounts[i].collected, expected.collected);
    EXPECT_EQ(rig.loop.accounts[i].dropped, expected.dropped);
  }
  rig.Begin();
  rig.Add(Signal::kTraces, 100);
  again = rig.Run();
  EXPECT_TRUE(again.ok()) << again.where << ' ' << again.detail;
  EXPECT_GT(rig.Drain(), 0u);
  return true;
}

TEST(SpoolPower, FullSyncKeepsEveryCommit) {
  const uint64_t first = FirstSeed(), seeds = Seeds();
  const Golden golden = PlayScript(Sync::kFull);
  uint64_t cuts = 0;
  for (size_t k = 0; k < Script().size(); ++k) {
    bool there = true;
    for (uint64_t nth = 1 + k % kStride; there; nth += kStride) {
      for (uint64_t n = 0; n < seeds && there; ++n) {
        const uint64_t seed = (first + n) * 1'000'003 + k * 1009 + nth;
        there = CutStep(golden, k, nth, seed);
        cuts += there ? 1 : 0;
        if (::testing::Test::HasFailure()) {
          GTEST_FAIL() << "step " << k << ", " << Script()[k].name << ", operation " << nth
                       << ", seed " << seed;
        }
      }
    }
  }
  std::printf("full: %llu cuts, seeds %llu to %llu\n", static_cast<unsigned long long>(cuts),
              static_cast<unsigned long long>(first),
              static_cast<unsigned long long>(first + seeds - 1));
}

/// The whole script in one go, so that what was never synced adds up.
void CutScript(const Golden& golden, Sync sync, uint64_t nth, uint64_t seed, size_t* lost_most) {
  SimFlash flash;
  SpoolRig rig(flash, ScriptOptions(sync));
  flash.CutPowerAfter(nth);
  size_t k = 0, closed = 0;
  for (; k < Script().size() && !flash.dead(); ++k) {
    const ScriptStep& step = Script()[k];
    if (step.closed) {
      rig.NewProcess();
      if (flash.dead()) break;
      closed = k;  // Closing leaves nothing to chance.
    }
    if (!step.run(rig).ok()) break;
  }
  rig.store.reset();
  const bool dead = flash.dead();
  flash.Reboot(seed);
  const std::string dump = Dump(flash.files);
  const size_t last = std::min(k + (dead ? 1 : 0), Script().size());
  const size_t first = sync == Sync::kFull ? k - (k > 0 && dead ? 1 : 0) : closed;
  EXPECT_TRUE(IsOneOf(golden, first, last, dump)) << "steps " << first << " to " << last << dump;
  for (size_t back = 0; back <= last; ++back) {
    if (golden.steps[last - back].dump != dump) continue;
    *lost_most = std::max(*lost_most, back);
    break;
  }
  const Status again = Reopen(rig);
  EXPECT_TRUE(again.ok()) << again.where << ' ' << again.detail;
  EXPECT_FALSE(flash.files.contains("spool.db.damaged-1"));
}

TEST(SpoolPower, WhatIsNotSyncedAddsUp) {
  const uint64_t first = FirstSeed();
  for (const Sync sync : {Sync::kFull, Sync::kNormal}) {
    const Golden golden = PlayScript(sync);
    const char* const name = sync == Sync::kFull ? "full" : "normal";
    uint64_t cuts = 0;
    size_t lost_most = 0;
    const uint64_t stride = kStride * (sync == Sync::kFull ? 7 : 2);
    for (uint64_t nth = 1; nth <= golden.operations; nth += stride) {
      const uint64_t seed = first * 1'000'003 + nth;
      CutScript(golden, sync, nth, seed, &lost_most);
      ++cuts;
      if (::testing::Test::HasFailure()) {
        GTEST_FAIL() << name << ", operation " << nth << ", seed " << seed;
      }
    }
    std::printf("%s: %llu cuts of the whole script of %llu operations, seed %llu; lost at most %zu "
                "steps\n",
                name, static_cast<unsigned long long>(cuts),
                static_cast<unsigned long long>(golden.operations),
                static_cast<unsigned long long>(first), lost_most);
  }
}

}  // namespace
}  // namespace limpet::sim
