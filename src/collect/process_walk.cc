#include "collect/process_walk.h"

namespace limpet {

ProcessState StateOfLetter(char letter) {
  struct Row {
    char letter;
    ProcessState state;
  };
  static constexpr Row kRows[] = {
      {'R', ProcessState::kRunning}, {'T', ProcessState::kStopped}, {'t', ProcessState::kStopped},
      {'Z', ProcessState::kDefunct}, {'X', ProcessState::kDefunct}, {'x', ProcessState::kDefunct},
  };
  for (const Row& row : kRows) {
    if (row.letter == letter) return row.state;
  }
  return ProcessState::kSleeping;  // S, D, I; K, W and P of some kernels: each waits for something.
}

class ProcessWalk::Visitor final : public NameSink {
 public:
  Visitor(ProcessWalk& walk, const GroupContext& context) : walk_(walk), context_(context) {}

  void OnName(std::string_view name) override {
    const auto pid = ParseNumber<uint32_t>(name);
    if (!pid || !process_.Read(context_.root, *pid)) return;
    ++walk_.counts_[static_cast<size_t>(StateOfLetter(process_.stat().state))];
    if (context_.options.process.empty() ||
        !process_.Matches(context_.root, context_.options.process)) {
      return;
    }
    if (walk_.match_count_ == kMatchesMax) {
      ++walk_.left_out_;
    } else {
      walk_.matches_[walk_.match_count_++] = *pid;
    }
  }

 private:
  ProcessWalk& walk_;
  const GroupContext& context_;
  ProcessReader process_;
};

Status ProcessWalk::Run(const GroupContext& context) {
  counts_ = {};
  match_count_ = left_out_ = 0;
  Visitor visitor(*this, context);
  const Status listed = context.root.ListNames("/proc", visitor);
  status_ = {listed.code, listed.detail, "/proc"};
  uint64_t seen = 0;
  for (const uint64_t count : counts_) seen += count;
  if (listed.ok() && seen == 0) status_ = {Code::kNotFound, 0, "/proc/PID/stat"};
  return status_;
}

}  // namespace limpet
