// What the spool takes of `[agent] memory`: the plan sets it aside, the program cuts it apart.
#pragma once

#include <cstddef>

#include "limpet/limits.h"
#include "spool/job.h"
#include "spool/store.h"

namespace limpet {

/// Each size is a multiple of 64, so that the pieces can lie behind each other, aligned.
struct SpoolMemory {
  /// SQLite: its page cache and statements, and a batch twice: bound to a statement, and as the
  /// row that becomes of it.
  static constexpr size_t HeapBytes(size_t batch_bytes) {
    return 160 * kKiB + 2 * RoundUp(batch_bytes);
  }

  /// The worker's stack: 8.4 KiB were used at most over outages, kills and damaged files, two pages are
  /// lost to the guard and to alignment.
  static constexpr size_t StackBytes() { return 48 * kKiB; }

  /// One record read back or written out: a batch and what it is kept with.
  static constexpr size_t BufferBytes(size_t batch_bytes) {
    return RoundUp(batch_bytes) + 8 * kKiB;
  }

  /// A piece of the file on its way to a command.
  static constexpr size_t FileBytes() { return 8 * kKiB; }

  /// The job between the loop and the worker, and the worker's side.
  static constexpr size_t JobBytes() { return RoundUp(sizeof(SpoolJob)); }
  static constexpr size_t StoreBytes() { return RoundUp(sizeof(SpoolStore)); }

  static constexpr size_t Bytes(size_t batch_bytes) {
    return HeapBytes(batch_bytes) + StackBytes() + BufferBytes(batch_bytes) + FileBytes() +
           JobBytes() + StoreBytes();
  }

  static constexpr size_t kBatches = 3;  ///< How often a batch is in Bytes().

 private:
  static constexpr size_t RoundUp(size_t bytes) { return (bytes + 63) & ~size_t{63}; }
};

}  // namespace limpet
