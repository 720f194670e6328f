// One pass over mounts, in a worker: each is asked for its space.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "collect/mountinfo.h"
#include "limpet/filesystem_probe.h"
#include "limpet/worker.h"

namespace limpet {

/// Invariant: of the mounts before measured() the worker has written its last, so the loop may read them
/// while the pass still runs; all else is for who has the task (worker.h).
class MountPass final : public Task {
 public:
  static constexpr size_t kMountsMax = 64;
  static constexpr size_t kTextBytes = 6 * 1024;  // 96 bytes each.

  struct Entry {
    Mount mount;
    const char* path = nullptr;  ///< The mount point below the root.
    FilesystemSpace space;
    Status status;
  };

  void Clear();
  /// The same mounts once more.
  void Again() { measured_.store(0, std::memory_order_relaxed); }
  /// Copies the texts. False: there is no room.
  bool Add(std::string_view root, const Mount& mount);
  void Use(SpaceMeter& meter) { meter_ = &meter; }

  void Run() override;

  size_t size() const { return count_; }
  size_t measured() const { return measured_.load(std::memory_order_acquire); }
  const Entry& operator[](size_t i) const { return entries_[i]; }

 private:
  std::string_view Keep(std::string_view first, std::string_view second = {});

  SpaceMeter* meter_ = nullptr;
  std::array<Entry, kMountsMax> entries_{};
  std::array<char, kTextBytes> text_{};
  size_t count_ = 0, text_used_ = 0;
  std::atomic<uint32_t> measured_ = 0;
};

}  // namespace limpet
