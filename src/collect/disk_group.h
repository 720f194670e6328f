// The group `disk`: traffic of the block devices, and their sizes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "collect/diskstats.h"
#include "collect/group.h"

namespace limpet {

class DiskGroup final : public Group {
 public:
  static constexpr size_t kDisksMax = 128;  ///< Disks and partitions; more are left out.
  /// So often the size of one is read again: it takes an open, and hardly ever differs.
  static constexpr Duration kSizeTurn = Seconds(10);

  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override { diskstats_.Close(files); }

 private:
  // What is known of the device in the same place of the table.
  struct Size {
    uint64_t number = 0;  // Disk::number; 0 is no device.
    uint64_t bytes = 0;   // 0 = unknown, or there is no medium.
  };
  void NoteSizes(const GroupContext& context, std::span<const Disk> disks);
  static uint64_t ReadSize(RootFiles& root, std::string_view name);

  KeptFile diskstats_;
  std::array<Disk, kDisksMax> disks_{};
  std::array<Size, kDisksMax> sizes_{};
  size_t size_turn_ = 0, sizes_known_ = 0;
  MonoTime size_at_;  // When the next is read again.
  bool said_disks_ = false;
};

}  // namespace limpet
