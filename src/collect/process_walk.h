// The one walk of a cycle over all processes: counts them by state, and finds those that are to be
// reported one by one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "collect/group.h"
#include "collect/process_reader.h"

namespace limpet {

enum class ProcessState : uint8_t { kRunning, kSleeping, kStopped, kDefunct };
inline constexpr size_t kProcessStates = 4;

/// For the kernel's letter.
ProcessState StateOfLetter(char letter);

class ProcessWalk {
 public:
  static constexpr size_t kMatchesMax = 64;  ///< Processes that are reported one by one.

  /// kNotFound, kDenied: nothing is to be seen in /proc.
  Status Run(const GroupContext& context);

  const Status& status() const { return status_; }  ///< Of the last run.
  uint64_t count(ProcessState state) const { return counts_[static_cast<size_t>(state)]; }
  /// Ids of those that match, the lowest first.
  std::span<const uint32_t> matches() const { return std::span(matches_).first(match_count_); }
  size_t left_out() const { return left_out_; }  ///< That match too.

 private:
  class Visitor;

  Status status_;
  std::array<uint64_t, kProcessStates> counts_{};
  std::array<uint32_t, kMatchesMax> matches_{};
  size_t match_count_ = 0;
  size_t left_out_ = 0;
};

}  // namespace limpet
