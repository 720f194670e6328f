// A heap inside one fixed region: two-level segregated fit (TLSF; Masmano, Ripoll, Crespo, Real,
// 2004), constant time, coalescing at once. Every library that allocates gets one of its own, libc
// included, so that nothing in the process can grow. One mechanism for all: peaks compare.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/pool.h"

namespace limpet {

/// Not thread safe. Blocks are aligned as malloc's must be (16 bytes; 8 on ARM) and cost as much extra.
///
/// Invariants, checked at every Free and Resize for the block at hand:
///  F1  A block lies inside the region, is aligned, and is marked used.
///  F2  The block after it knows its size (boundary tag), so that a write past its end is noticed.
///  F3  Two free blocks are never neighbours.
class FixedHeap {
 public:
  static constexpr size_t kAlignment = std::max(2 * sizeof(size_t), alignof(std::max_align_t));

  constexpr FixedHeap() = default;
  FixedHeap(const FixedHeap&) = delete;
  FixedHeap& operator=(const FixedHeap&) = delete;

  /// Takes the region, which must outlive the heap. Called once, before the first Allocate.
  void Init(std::string_view name, std::span<std::byte> region);

  /// A block of at least `bytes`, or nullptr when no free block is large enough. 0 counts as 1.
  void* Allocate(size_t bytes);
  /// The same at an alignment that is a power of two.
  void* AllocateAligned(size_t alignment, size_t bytes);
  /// `count` objects of `size` zero bytes each; nullptr also when the product overflows.
  void* AllocateZeroed(size_t count, size_t size);
  /// As realloc(3): nullptr leaves the old block as it was. A lone block grows to whatever fits: it moves
  /// down where the room behind it is not enough.
  void* Resize(void* block, size_t bytes);
  /// nullptr is ignored. A foreign, freed or overrun block stops the process.
  void Free(void* block);
  /// Usable bytes of a block.
  size_t SizeOf(const void* block) const;

  bool ready() const { return begin_ != nullptr; }
  PoolUse use() const;

 private:
  struct Block;
  struct Level {
    unsigned first, second;
  };
  static constexpr size_t kFirstLevels = 24;  // Blocks up to 1 GiB on 32-bit.
  static constexpr size_t kSecondLevels = 16;

  static Level LevelOf(size_t size);
  Block* BlockOf(const void* payload) const;
  Block* FindFree(size_t size);
  void Insert(Block* block);
  void Remove(Block* block);
  void* Use(Block* block, size_t size);
  void Release(Block* block);
  void GiveBackTail(Block* block, size_t size);

  std::string_view name_;
  Block* begin_ = nullptr;
  Block* end_ = nullptr;  // A used block without payload: the last one's successor.
  size_t region_bytes_ = 0;
  size_t used_ = 0, peak_ = 0, refused_ = 0;
  uint32_t first_map_ = 0;  // Which first levels have a free block; second_map_ likewise below.
  std::array<uint32_t, kFirstLevels> second_map_{};
  std::array<std::array<Block*, kSecondLevels>, kFirstLevels> free_{};
};

}  // namespace limpet
