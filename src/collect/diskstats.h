// /proc/diskstats: what block devices have read and written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Counted since the device was made, as the kernel counts: times wrap at 2^32 ms, on 32-bit
/// kernels operations and sectors at 2^32.
struct DiskTraffic {
  uint64_t operations = 0;  ///< Completed.
  uint64_t merged = 0;      ///< Joined to one beside it, and so not counted in operations.
  uint64_t bytes = 0;
  uint64_t time_ms = 0;     ///< Parallel operations add up.
};

struct Disk {
  std::string_view name;  ///< Points into the text that was parsed.
  uint64_t number = 0;    ///< Major and minor device number in one.
  DiskTraffic read, write;
  uint64_t pending = 0;           ///< Operations under way.
  uint64_t busy_ms = 0;           ///< With one operation under way at least.
  uint64_t weighted_busy_ms = 0;  ///< Each ms times the operations under way.
};

struct DiskStats {
  size_t count = 0;     ///< Devices in the table.
  size_t left_out = 0;  ///< Not excluded, but the table is full, the name is not UTF-8, or a counter is none.
};

/// Parses the text of /proc/diskstats into the table: disks and partitions in the file's order.
/// Returns bytes (the file counts sectors of 512 bytes, whatever the device has).
/// exclude: comma separated patterns of names to pass over.
/// Partitions before Linux 2.6.25 have four columns of another meaning: these are passed over. So
/// are the columns for discards (4.18) and flushes (5.5).
/// kInvalid: a line is cut, has no device number or name, or of no device there are four or eleven columns of
/// numbers. Those of excluded devices are not looked at.
/// Source: Documentation/admin-guide/iostats.rst in the Linux tree.
Result<DiskStats> ParseDiskStats(std::string_view text, std::string_view exclude,
                                 std::span<Disk> table);

/// Parses /sys/class/block/NAME/size. Returns bytes (the file has sectors of 512).
/// kInvalid: not one number, or too large.
Result<uint64_t> ParseDiskSize(std::string_view text);

}  // namespace limpet
