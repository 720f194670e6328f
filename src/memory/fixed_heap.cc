#include "memory/fixed_heap.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "limpet/status.h"

namespace limpet {

// The header of a block stands in front of its payload; the two links use the payload of a free one.
struct FixedHeap::Block {
  size_t previous_size;   // Of the physical predecessor, header included; 0 for the first block.
  size_t size_and_free;   // Header included; bit 0 set while free.
  Block* next_free;
  Block* previous_free;

  size_t size() const { return size_and_free & ~size_t{1}; }
  bool free() const { return (size_and_free & 1) != 0; }
  Block* After() { return At(size()); }
  Block* Before() {
    return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) - previous_size);
  }
  Block* At(size_t offset) {
    return reinterpret_cast<Block*>(reinterpret_cast<std::byte*>(this) + offset);
  }
  void* Payload() { return reinterpret_cast<std::byte*>(this) + kHeader; }

  static constexpr size_t kHeader = kAlignment;
};

namespace {

constexpr size_t kHeader = FixedHeap::kAlignment;  // At least two words.
constexpr size_t kBlockMin = 2 * FixedHeap::kAlignment;  // Room for the links.

constexpr size_t RoundUp(size_t value, size_t to) { return (value + to - 1) & ~(to - 1); }

/// Size of a block for a payload; 0 when it cannot be.
constexpr size_t BlockSize(size_t bytes) {
  if (bytes > SIZE_MAX / 2) return 0;
  return std::max(RoundUp(bytes, FixedHeap::kAlignment) + kHeader, kBlockMin);
}

}  // namespace

void FixedHeap::Init(std::string_view name, std::span<std::byte> region) {
  static_assert(sizeof(Block) <= kBlockMin);
  LIMPET_CHECK(!ready());
  const auto address = reinterpret_cast<uintptr_t>(region.data());
  const size_t skip = RoundUp(address, kAlignment) - address;
  LIMPET_CHECK(region.size() >= skip + kBlockMin + kHeader);
  const size_t size = (region.size() - skip - kHeader) & ~(kAlignment - 1);
  name_ = name;
  region_bytes_ = region.size();
  begin_ = reinterpret_cast<Block*>(region.data() + skip);
  begin_->previous_size = 0;
  begin_->size_and_free = size;
  end_ = begin_->After();
  end_->previous_size = size;
  end_->size_and_free = kHeader;
  Insert(begin_);
}

/// Sizes below 16 units have a list each; above, each power of two is cut into 16 steps.
FixedHeap::Level FixedHeap::LevelOf(size_t size) {
  const size_t units = size / kAlignment;
  if (units < kSecondLevels) return {0, static_cast<unsigned>(units)};
  const auto top = static_cast<unsigned>(std::bit_width(units)) - 1;
  return {top - 3, static_cast<unsigned>((units >> (top - 4)) & (kSecondLevels - 1))};
}

FixedHeap::Block* FixedHeap::FindFree(size_t size) {
  // Rounded up to the next step, so that whichever block the list holds is large enough.
  const size_t units = size / kAlignment;
  if (units >= kSecondLevels) {
    size += ((size_t{1} << (std::bit_width(units) - 5)) - 1) * kAlignment;
  }
  auto [first, second] = LevelOf(size);
  if (first >= kFirstLevels) return nullptr;
  uint32_t seconds = second_map_[first] & (~uint32_t{0} << second);
  if (seconds == 0) {
    const uint32_t firsts = first + 1 < 32 ? first_map_ & (~uint32_t{0} << (first + 1)) : 0;
    if (firsts == 0) return nullptr;
    first = static_cast<unsigned>(std::countr_zero(firsts));
    seconds = second_map_[first];
  }
  return free_[first][static_cast<unsigned>(std::countr_zero(seconds))];
}

void FixedHeap::Insert(Block* block) {
  const auto [first, second] = LevelOf(block->size());
  LIMPET_CHECK(first < kFirstLevels);
  Block*& head = free_[first][second];
  block->size_and_free |= 1;
  block->next_free = head;
  block->previous_free = nullptr;
  if (head != nullptr) head->previous_free = block;
  head = block;
  first_map_ |= uint32_t{1} << first;
  second_map_[first] |= uint32_t{1} << second;
}

void FixedHeap::Remove(Block* block) {
  const auto [first, second] = LevelOf(block->size());
  if (block->next_free != nullptr) block->next_free->previous_free = block->previous_free;
  if (block->previous_free != nullptr) {
    block->previous_free->next_free = block->next_free;
  } else {
    free_[first][second] = block->next_free;
    if (block->next_free == nullptr) {
      second_map_[first] &= ~(uint32_t{1} << second);
      if (second_map_[first] == 0) first_map_ &= ~(uint32_t{1} << first);
    }
  }
  block->size_and_free &= ~size_t{1};
}

/// Takes a free block into use at `size`, the rest going back.
void* FixedHeap::Use(Block* block, size_t size) {
  Remove(block);
  used_ += block->size();
  GiveBackTail(block, size);
  peak_ = std::max(peak_, used_);
  return block->Payload();
}

/// Frees what a used block has beyond `size`, when that is enough for a block of its own.
void FixedHeap::GiveBackTail(Block* block, size_t size) {
  const size_t extra = block->size() - size;
  if (extra < kBlockMin) return;
  block->size_and_free = size;
  Block* const tail = block->After();
  tail->previous_size = size;
  tail->size_and_free = extra;
  tail->After()->previous_size = extra;
  Release(tail);
}

/// Makes a used block free, joined with its free neighbours (F3).
void FixedHeap::Release(Block* block) {
  used_ -= block->size();
  if (Block* const after = block->After(); after != end_ && after->free()) {
    Remove(after);
    block->size_and_free += after->size();
  }
  if (block != begin_ && block->Before()->free()) {
    Block* const before = block->Before();
    Remove(before);
    before->size_and_free += block->size();
    block = before;
  }
  block->After()->previous_size = block->size();
  Insert(block);
}

FixedHeap::Block* FixedHeap::BlockOf(const void* payload) const {
  auto* const block = reinterpret_cast<Block*>(
      const_cast<std::byte*>(static_cast<const std::byte*>(payload)) - kHeader);
  LIMPET_CHECK(block >= begin_ && block < end_);                              // F1
  LIMPET_CHECK(reinterpret_cast<uintptr_t>(payload) % kAlignment == 0);       // F1
  LIMPET_CHECK(!block->free());                                               // F1
  LIMPET_CHECK(block->size() >= kBlockMin && block->After() <= end_);         // F2
  LIMPET_CHECK(block->After()->previous_size == block->size());               // F2
  return block;
}

void* FixedHeap::Allocate(size_t bytes) {
  const size_t size = BlockSize(bytes);
  Block* const block = size == 0 ? nullptr : FindFree(size);
  if (block == nullptr) {
    ++refused_;
    return nullptr;
  }
  return Use(block, size);
}

void* FixedHeap::AllocateAligned(size_t alignment, size_t bytes) {
  if (alignment <= kAlignment) return Allocate(bytes);
  const size_t size = BlockSize(bytes);
  // Room to move the payload up to the alignment and leave a whole block before it.
  const size_t worst = size + alignment + kBlockMin;
  Block* block = size == 0 || worst < size ? nullptr : FindFree(worst);
  if (block == nullptr) {
    ++refused_;
    return nullptr;
  }
  const auto payload = reinterpret_cast<uintptr_t>(block->Payload());
  size_t lead = RoundUp(payload, alignment) - payload;
  if (lead != 0 && lead < kBlockMin) lead += alignment;
  if (lead != 0) {
    Remove(block);
    const size_t rest = block->size() - lead;
    block->size_and_free = lead;
    Block* const aligned = block->After();
    aligned->previous_size = lead;
    aligned->size_and_free = rest;
    aligned->After()->previous_size = rest;
    Insert(block);
    Insert(aligned);
    block = aligned;
  }
  return Use(block, size);
}

void* FixedHeap::AllocateZeroed(size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) {
    ++refused_;
    return nullptr;
  }
  void* const block = Allocate(count * size);
  if (block != nullptr) std::memset(block, 0, count * size);
  return block;
}

void* FixedHeap::Resize(void* payload, size_t bytes) {
  if (payload == nullptr) return Allocate(bytes);
  Block* block = BlockOf(payload);
  const size_t size = BlockSize(bytes);
  const size_t held = block->size() - kHeader;
  Block* const after = block->After();
  const size_t behind = after != end_ && after->free() ? after->size() : 0;
  const size_t before = block != begin_ && block->Before()->free() ? block->previous_size : 0;
  if (size > block->size() && before + block->size() + behind >= size) {
    const bool in_place = block->size() + behind >= size;
    if (behind != 0) Remove(after);
    block->size_and_free += behind;
    used_ += behind;
    if (!in_place) {
      Block* const lower = block->Before();
      Remove(lower);
      lower->size_and_free += block->size();
      used_ += before;
      std::memmove(lower->Payload(), payload, held);  // Over its own header, which has had its time.
      block = lower;
    }
    block->After()->previous_size = block->size();
  }
  if (size != 0 && size <= block->size()) {
    GiveBackTail(block, size);
    peak_ = std::max(peak_, used_);
    return block->Payload();
  }
  void* const moved = Allocate(bytes);
  if (moved == nullptr) return nullptr;
  std::memcpy(moved, payload, std::min(bytes, block->size() - kHeader));
  Free(payload);
  return moved;
}

void FixedHeap::Free(void* payload) {
  if (payload != nullptr) Release(BlockOf(payload));
}

size_t FixedHeap::SizeOf(const void* payload) const {
  return payload == nullptr ? 0 : BlockOf(payload)->size() - kHeader;
}

PoolUse FixedHeap::use() const { return {name_, region_bytes_, used_, peak_, refused_}; }

}  // namespace limpet
