// The group `paging`: swap space, page faults, paging operations.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "collect/group.h"
#include "collect/swaps.h"
#include "collect/vmstat.h"

namespace limpet {

class PagingGroup final : public Group {
 public:
  /// The kernel has room for fewer (MAX_SWAPFILES).
  static constexpr size_t kSwapsMax = 32;

  /// A kernel without swap has no /proc/swaps: that is no failure.
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override;

 private:
  static void EmitSwaps(std::span<const Swap> swaps, Points& out);
  static void EmitEvents(const VmStat& stat, Points& out);

  KeptFile vmstat_, swaps_;
  std::array<Swap, kSwapsMax> table_{};
  bool said_swaps_ = false;
};

}  // namespace limpet
