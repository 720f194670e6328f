// /proc/meminfo: how memory is used.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// The lines that are looked for. Shmem came with Linux 2.6.32, SReclaimable and SUnreclaim with
/// 2.6.19, MemAvailable with 3.14; HugePages_* need CONFIG_HUGETLBFS.
enum class MemField : uint8_t {
  kTotal,
  kFree,
  kAvailable,
  kBuffers,
  kCached,
  kShmem,
  kSReclaimable,
  kSUnreclaim,
  kHugePagesTotal,  // These four count pages, all else is bytes.
  kHugePagesFree,
  kHugePagesReserved,
  kHugePagesSurplus,
  kHugePageSize,
};
inline constexpr size_t kMemFieldCount = 13;

class MemInfo {
 public:
  bool Has(MemField field) const { return (present_ & Bit(field)) != 0; }
  /// 0 when the kernel does not have it.
  uint64_t operator[](MemField field) const { return values_[static_cast<size_t>(field)]; }
  void Set(MemField field, uint64_t value) {
    values_[static_cast<size_t>(field)] = value;
    present_ |= Bit(field);
  }

 private:
  static uint32_t Bit(MemField field) { return 1u << static_cast<uint32_t>(field); }
  std::array<uint64_t, kMemFieldCount> values_{};
  uint32_t present_ = 0;
};

/// Memory split into four states that sum to the total, as free(1) and the Collector do it:
/// reclaimable slab counts as cached, used is what remains.
struct MemStates {
  uint64_t used = 0, free = 0, buffers = 0, cached = 0;  ///< Bytes.
};
MemStates SplitMemory(const MemInfo& info);

/// What the Collector calls used: all but what is available, by the kernel's own estimate or, before it
/// made one, by what is free or cached. It overlaps with the other states.
uint64_t NotAvailable(const MemInfo& info);

/// Parses the text of /proc/meminfo: lines of `Key:  <n> kB` or `Key: <n>`; other keys are skipped.
/// Returns bytes (the file counts KiB) and numbers of pages.
/// kInvalid: MemTotal or MemFree is missing, MemTotal is 0, or a number of a known key is malformed
/// or does not fit.
/// Source: proc_meminfo(5); Documentation/filesystems/proc.rst in the Linux tree.
Result<MemInfo> ParseMemInfo(std::string_view text);

}  // namespace limpet
