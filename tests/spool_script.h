// A life of the store in small jobs that meets everything a transaction can do, for tests that let it
// fail or cut its power anywhere. Each step is one job, and the same job when it is run again.
#pragma once

#include <string>
#include <vector>

#include "spool_fixture.h"

namespace limpet::sim {

/// Small enough that a few batches fill it.
inline SpoolOptions ScriptOptions(Sync sync = Sync::kFull) {
  return {.max_bytes = 160 * kKiB,
          .max_age = Seconds(500),
          .dead_max_bytes = 5000,
          .sync = sync,
          .batch_bytes = 2 * kKiB};
}

struct ScriptStep {
  const char* name;
  Status (*run)(SpoolRig& rig);
  bool closed = false;  ///< It finds the store closed.
};

inline Status OpenStep(SpoolRig& rig) {
  rig.Begin(false).open = true;
  const Status status = rig.Run();
  if (status.ok()) rig.Resume(rig.job.opened);
  return status;
}

inline Status AddStep(SpoolRig& rig) {
  rig.Begin();
  rig.Add(Signal::kLogs, 1331);
  rig.Add(Signal::kMetrics, 2048);
  rig.Add(Signal::kLogs, 300);
  return rig.Run();
}

template <Signal signal>
Status ReadStep(SpoolRig& rig) {
  const Status status = rig.Read(signal);
  if (status.ok()) rig.Settle();
  return status;
}

inline Status WriteStep(SpoolRig& rig) {
  rig.Begin();
  return rig.Run();
}

inline Status BuryTwo(SpoolRig& rig) {
  rig.Begin();
  rig.BuryNew(Signal::kTraces, 1000);
  rig.BuryNew(Signal::kLogs, 1500);
  return rig.Run();
}

inline Status Act(SpoolRig& rig, DeadAction action) {
  rig.Begin();
  rig.job.dead_action = action;
  return rig.Run();
}

inline const std::vector<ScriptStep>& Script() {
  static constexpr uint8_t kOffset[] = {1, 2, 3};
  static constexpr uint8_t kFurther[] = {4, 5, 6, 7};
  static constexpr TrackChange kFirst[] = {{.id = kMarkedTrack, .identity = kOffset}};
  static constexpr TrackChange kSecond[] = {{.id = kMarkedTrack, .position = 1},
                                            {.id = 2, .position = 9, .identity = kFurther}};
  static const std::vector<ScriptStep> steps = {
      {"open a new one", OpenStep, true},
      {"spill",
       [](SpoolRig& rig) {
         rig.Begin();
         rig.Note(kFirst);
         for (const Signal signal : kSignals) rig.Add(signal, 1331);
         rig.Add(Signal::kMetrics, 10);
         rig.Add(Signal::kMetrics, 900);
         return rig.Run();
       }},
      {"spill with tracks",
       [](SpoolRig& rig) {
         rig.Begin();
         rig.Note(kSecond);
         rig.Add(Signal::kMetrics, 2000);
         rig.Add(Signal::kMetrics, 2000);
         return rig.Run();
       }},
      {"note attempts",
       [](SpoolRig& rig) {
         SpoolJob& job = rig.Begin();
         job.tried[0][0] = {.row = 1, .attempts = 2, .open = 1, .destination = ShortText<32>("primary")};
         return rig.Run();
       }},
      {"read",
       [](SpoolRig& rig) {
         const Status status = rig.Read(Signal::kMetrics);
         if (status.ok()) rig.Settle(1);
         return status;
       }},
      {"done", WriteStep},
      {"bury",
       [](SpoolRig& rig) {
         rig.Begin();
         rig.Bury(Signal::kMetrics, 4);
         rig.BuryNew(Signal::kLogs, 700);
         const Status status = rig.Run();
         if (status.ok()) rig.loop.done[0] = 4;
         return status;
       }},
      {"fill", AddStep},
      {"fill", AddStep},
      {"fill", AddStep},
      {"write and read",
       [](SpoolRig& rig) {
         rig.Begin();
         rig.Add(Signal::kTraces, 500);
         rig.job.read = true;
         rig.job.read_signal = Signal::kTraces;
         return rig.Run();
       }},
      {"fill", AddStep},
      {"fill", AddStep},
      {"fill", AddStep},
      {"overflow", AddStep},
      {"overflow", AddStep},
      {"retry letters", [](SpoolRig& rig) { return Act(rig, DeadAction::kRetry); }},
      {"bury", BuryTwo},
      {"bury", BuryTwo},
      {"letters overflow", BuryTwo},
      {"purge letters", [](SpoolRig& rig) { return Act(rig, DeadAction::kPurge); }},
      {"read the file",
       [](SpoolRig& rig) {
         static std::array<uint8_t, 3000> into;
         rig.Begin(false).file_into = into;
         rig.job.file_offset = 500;
         return rig.Run();
       }},
      {"read", ReadStep<Signal::kMetrics>},
      {"done", WriteStep},
      {"the end of a process",
       [](SpoolRig& rig) {
         rig.Begin();
         rig.Add(Signal::kLogs, 1200);
         rig.job.last = true;
         return rig.Run();
       }},
      {"open", OpenStep, true},
      {"too old",
       [](SpoolRig& rig) {
         rig.loop.mono.ns = Seconds(10'000).ns;
         return AddStep(rig);
       }},
      {"read", ReadStep<Signal::kLogs>},
      {"done", WriteStep},
      {"read", ReadStep<Signal::kMetrics>},
      {"shrink",
       [](SpoolRig& rig) {
         rig.Begin().shrink = true;
         return rig.Run();
       }},
      {"spill", AddStep},
  };
  return steps;
}

/// What the script comes to when nothing fails.
struct Golden {
  struct Before {
    std::map<std::string, std::string> files;
    LoopSide loop;
    std::string dump;
  };
  std::vector<Before> steps;  ///< Before each, and one after the last.
  uint64_t operations = 0;
};

inline Golden PlayScript(Sync sync) {
  Golden golden;
  SimFlash flash;
  SpoolRig rig(flash, ScriptOptions(sync));
  for (const ScriptStep& step : Script()) {
    SCOPED_TRACE(step.name);
    if (step.closed) rig.NewProcess();
    golden.steps.push_back({flash.files, rig.loop, Dump(flash.files)});
    const Status status = step.run(rig);
    EXPECT_TRUE(status.ok()) << status.where << ' ' << status.detail;
  }
  golden.steps.push_back({flash.files, rig.loop, Dump(flash.files)});
  golden.operations = flash.operations();
  // That it met what it is there for.
  const Account &metrics = rig.loop.accounts[0], &logs = rig.loop.accounts[1];
  const auto dropped = [](const Account& account, DropReason reason) {
    return account.dropped[static_cast<size_t>(reason)];
  };
  EXPECT_GT(dropped(metrics, DropReason::kOverflow) + dropped(logs, DropReason::kOverflow), 0u);
  EXPECT_GT(dropped(logs, DropReason::kMaxAge), 0u);
  EXPECT_GT(dropped(logs, DropReason::kDeadOverflow), 0u);
  EXPECT_GT(dropped(logs, DropReason::kDeadPurged), 0u);
  return golden;
}

}  // namespace limpet::sim
