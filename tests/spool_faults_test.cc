// Everything that can fail under the store fails once, at each position: operations on files, space,
// memory. A failed job has changed nothing, the account balances, and afterwards all goes on.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>

#include "spool_script.h"

namespace limpet::sim {
namespace {

/// Every nth position is tried: each one of the operations on files, and of the allocations, which are
/// ten times as many, some; LIMPET_TEST_STRIDE=1 tries them all (three minutes).
int Stride(bool allocations) {
  const char* const wish = std::getenv("LIMPET_TEST_STRIDE");
  if (wish != nullptr && std::atoi(wish) > 0) return std::atoi(wish);
  if (kSlow) return allocations ? 211 : 11;
  return allocations ? 29 : 1;
}

struct Failing {
  const char* name;
  unsigned kinds;  ///< 0: allocations.
  bool full = false;
};
constexpr Failing kFailing[] = {
    {"open", SimFlash::kOpen},         {"read", SimFlash::kRead},
    {"write", SimFlash::kWrite},       {"write, full", SimFlash::kWrite, true},
    {"truncate", SimFlash::kTruncate}, {"sync", SimFlash::kSync},
    {"lock", SimFlash::kLock},         {"delete", SimFlash::kDelete},
    {"access", SimFlash::kAccess},     {"rename", SimFlash::kRename},
    {"allocation", 0},
};

void Arm(SimFlash& flash, const Failing& failing, int nth, Fault fault) {
  if (failing.kinds == 0) {
    SqliteHeap::Get().FailAllocation(nth, fault == Fault::kFromThenOn);
  } else {
    flash.FailAfter(failing.kinds, nth, fault, failing.full);
  }
}

int Heal(SimFlash& flash, const Failing& failing) {
  return failing.kinds == 0 ? SqliteHeap::Get().FailAllocation(0) : flash.Heal();
}

bool SetAside(const SimFlash& flash) {
  for (const auto& [name, bytes] : flash.files) {
    if (name.find("damaged") != std::string::npos || name.find("salvage") != std::string::npos ||
        name.find("newer") != std::string::npos) {
      return true;
    }
  }
  return false;
}

/// Opens it if the failure closed it, as the loop does.
Status Reopen(SpoolRig& rig) {
  rig.Begin(false).open = true;
  rig.store->Run();
  return rig.job.status;
}

/// One step with one failure in it, and what comes after. Returns how often it failed.
int FailStep(const Golden& golden, size_t k, const Failing& failing, int nth, Fault fault) {
  const ScriptStep& step = Script()[k];
  const Golden::Before &before = golden.steps[k], &after = golden.steps[k + 1];
  SimFlash flash;
  flash.files = before.files;
  SpoolRig rig(flash, ScriptOptions());
  if (!step.closed) { EXPECT_TRUE(Reopen(rig).ok()); }
  rig.loop = before.loop;

  Arm(flash, failing, nth, fault);
  const Status status = step.run(rig);
  const int hits = Heal(flash, failing);
  const std::string dump = Dump(flash.files);
  if (status.ok()) {
    EXPECT_EQ(dump, after.dump);
  } else {
    EXPECT_GT(hits, 0);
    const bool unchanged = dump == before.dump;
    // A new file may be there by now, still empty.
    const bool begun = step.closed && k == 0;
    if (!begun && !unchanged) { EXPECT_EQ(dump, after.dump); }
    rig.loop = before.loop;
    rig.loop.doubtful = !unchanged;
    Status again = Reopen(rig);
    EXPECT_TRUE(again.ok()) << again.where << ' ' << again.detail;
    rig.loop.next_row = before.loop.next_row;
    again = step.run(rig);
    EXPECT_TRUE(again.ok()) << again.where << ' ' << again.detail;
    if (unchanged || begun) { EXPECT_EQ(Dump(flash.files), after.dump); }
  }
  EXPECT_FALSE(SetAside(flash));

  // Life goes on. A failure behind the commit is told by the next job.
  rig.Begin();
  rig.Add(Signal::kTraces, 100);
  Status next = rig.Run();
  if (!next.ok() && status.ok() && hits > 0) {
    EXPECT_TRUE(Reopen(rig).ok());
    rig.Begin();
    rig.Add(Signal::kTraces, 100);
    next = rig.Run();
  }
  EXPECT_TRUE(next.ok()) << next.where << ' ' << next.detail;
  EXPECT_GT(rig.Drain(), 0u);
  return hits;
}

TEST(SpoolFaults, AnythingFailsAnywhereInTheScript) {
  const Golden golden = PlayScript(Sync::kFull);
  for (const Failing& failing : kFailing) {
    const auto stride = static_cast<size_t>(Stride(failing.kinds == 0));
    int met = 0;
    for (const Fault fault : {Fault::kOnce, Fault::kFromThenOn}) {
      for (size_t k = 0; k < Script().size(); ++k) {
        int hits = 1;
        for (size_t nth = 1 + k % stride; hits > 0; nth += stride) {
          hits = FailStep(golden, k, failing, static_cast<int>(nth), fault);
          met += hits > 0;
          if (::testing::Test::HasFailure()) {
            GTEST_FAIL() << failing.name << " number " << nth << " of step " << k << ", "
                         << Script()[k].name
                         << (fault == Fault::kOnce ? ", once" : ", from then on");
          }
        }
      }
    }
    std::printf("%s: %d positions, half of them once, half from then on\n", failing.name, met);
  }
}

}  // namespace
}  // namespace limpet::sim
