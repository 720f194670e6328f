// SQLite takes its memory once in the life of a process; tests share that heap.
#pragma once

#include <array>
#include <cstddef>

#include "memory/fixed_heap.h"
#include "spool/sqlite.h"

namespace limpet::sim {

class SqliteHeap {
 public:
  static constexpr size_t kBytes = 8 * 1024 * 1024;

  /// Starts SQLite at the first call.
  static SqliteHeap& Get() {
    static SqliteHeap heap;
    return heap;
  }

  const FixedHeap& heap() const { return heap_; }

  /// What the heap of a program has; 0: as much as there is here.
  size_t limit = 0;

  /// Asked before each allocation while it is set; true makes it fail.
  bool (*refuse)() = nullptr;

  /// From now, the nth allocation fails, with all that follow if `lasting`; 0: none does any more.
  /// Returns how many failed since the last call.
  int FailAllocation(int nth, bool lasting = false) {
    const int failed = failed_;
    countdown_ = nth;
    lasting_ = lasting;
    failed_ = 0;
    return failed;
  }

 private:
  SqliteHeap() {
    heap_.Init("sqlite", region_);
    const Status status =
        StartSqlite(heap_, [](size_t bytes) { return started_ != nullptr && started_->Refuses(bytes); });
    LIMPET_CHECK(status.ok());
    started_ = this;
  }

  bool Refuses(size_t bytes) {
    if (limit != 0 && heap_.use().used + bytes > limit) return true;
    if (refuse != nullptr && refuse()) return true;
    if (countdown_ == 0) return false;
    if (countdown_ > 1) {
      --countdown_;
      return false;
    }
    if (!lasting_) countdown_ = 0;
    ++failed_;
    return true;
  }

  static inline SqliteHeap* started_ = nullptr;  // Get() itself allocates while it starts.
  FixedHeap heap_;
  int countdown_ = 0, failed_ = 0;
  bool lasting_ = false;
  alignas(64) std::array<std::byte, kBytes> region_;
};

}  // namespace limpet::sim
