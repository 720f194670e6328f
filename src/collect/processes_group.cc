#include "collect/processes_group.h"

#include <algorithm>
#include <limits>

#include "collect/proc_stat.h"
#include "collect/scan.h"

namespace limpet {
namespace {

constexpr Metric kCount{"system.process.count", "{process}", Instrument::kUpDownCounter};
constexpr Metric kCreated{"system.process.created", "{process}", Instrument::kCounter};
constexpr Metric kLimit{"system.process.limit", "{thread}", Instrument::kUpDownCounter};

constexpr uint64_t kNoLimit = std::numeric_limits<uint64_t>::max();

/// kNoLimit when there is none to be read.
uint64_t ReadLimit(KeptFile& file, const char* path, const GroupContext& context) {
  const Result<std::string_view> text = file.ReadWhole(context.root, {path}, context.buffer);
  if (!text.ok()) return kNoLimit;
  return ParseNumber<uint64_t>(WithoutNewline(text.value())).value_or(kNoLimit);
}

}  // namespace

Status ProcessesGroup::Collect(const GroupContext& context, Points& out) {
  LIMPET_TRY(walk_.Run(context));
  const Result<std::string_view> text =
      stat_.ReadWhole(context.root, {"/proc/stat"}, context.buffer);
  if (!text.ok()) return text.status();
  const Result<ProcStat> stat = ParseProcStat(text.value());
  if (!stat.ok()) return stat.status();
  // Each thread needs an id too: whichever ends first is the limit.
  const uint64_t limit =
      std::min(ReadLimit(threads_max_, "/proc/sys/kernel/threads-max", context),
               ReadLimit(pid_max_, "/proc/sys/kernel/pid_max", context));

  struct Row {
    ProcessState state;
    std::string_view name;
  };
  constexpr Row kRows[] = {{ProcessState::kRunning, "running"},
                           {ProcessState::kSleeping, "sleeping"},
                           {ProcessState::kStopped, "stopped"},
                           {ProcessState::kDefunct, "defunct"}};
  out.Begin(kCount);
  for (const Row& row : kRows) out.Int({"process.state", row.name}, walk_.count(row.state));
  out.Single(kCreated, stat.value().processes);
  if (limit != kNoLimit) out.Single(kLimit, limit);
  return {};
}

void ProcessesGroup::Close(Files& files) {
  for (KeptFile* const file : {&stat_, &threads_max_, &pid_max_}) file->Close(files);
}

}  // namespace limpet
