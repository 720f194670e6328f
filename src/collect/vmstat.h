// /proc/vmstat: faults, and pages on their way between memory and disks.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Counted since boot; on 32-bit kernels the counters wrap at 2^32. Nothing where the kernel has no
/// such line: pswpin and pswpout need CONFIG_SWAP since Linux 5.9, all of them
/// CONFIG_VM_EVENT_COUNTERS.
struct VmStat {
  std::optional<uint64_t> pgfault;     ///< Page faults, major ones included.
  std::optional<uint64_t> pgmajfault;  ///< Those that had to read from a disk.
  std::optional<uint64_t> pswpin;      ///< Pages read from swap.
  std::optional<uint64_t> pswpout;     ///< Pages written to swap.
  std::optional<uint64_t> pgpgin;      ///< KiB read from block devices.
  std::optional<uint64_t> pgpgout;     ///< KiB written to block devices.
};

/// Parses the text of /proc/vmstat: lines of `key <n>`; other keys are skipped.
/// kInvalid: no line at all, a cut line, or a malformed number of a known key.
/// Source: proc_vmstat(5); mm/vmstat.c in the Linux tree.
Result<VmStat> ParseVmStat(std::string_view text);

}  // namespace limpet
