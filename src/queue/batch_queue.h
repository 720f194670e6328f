// The ordered queue of closed batches in memory: one line per signal, all in one arena of equal
// blocks chained together. Batches differ in size and leave from the middle of the arena's history
// (signals overtake each other, the oldest may be dropped while another is in flight), and with
// equal blocks neither can fragment it: what is free can be used, always.
//
// Invariants:
//  Q1  Along the line of a signal the order is that of Push.
//  Q2  Every block is free or belongs to exactly one batch.
//  Q3  A batch in flight is removed only after it is no longer in flight.
//  Q4  items(signal) is the sum over the line.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/limits.h"
#include "limpet/pool.h"
#include "limpet/status.h"

namespace limpet {

/// Names a batch in the queue: the index of its first block. Valid until Remove.
struct BatchId {
  uint32_t block = UINT32_MAX;
  constexpr bool operator==(const BatchId&) const = default;
  constexpr explicit operator bool() const { return block != UINT32_MAX; }
};

class BatchQueue {
 public:
  /// The arena is cut into blocks; it must outlive the queue and be aligned to 8 bytes.
  explicit BatchQueue(std::span<std::byte> arena);
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  /// Copies the batch to the end of its signal's line. header.stored_bytes and checkpoint_bytes
  /// must be the spans' sizes. kFull: too few free blocks; nothing changed.
  Result<BatchId> Push(const BatchHeader& header, std::span<const uint8_t> checkpoints,
                       std::span<const uint8_t> payload);

  /// Would a batch of that many bytes (payload and checkpoints) fit now? Or ever?
  bool HasRoom(size_t bytes) const { return BlocksFor(bytes) <= free_blocks_; }
  /// What a batch of that many bytes takes of the arena.
  static size_t BytesFor(size_t bytes) { return BlocksFor(bytes) * sizeof(Block); }
  bool CanEverHold(size_t bytes) const { return BlocksFor(bytes) <= block_count_; }

  BatchId Head(Signal signal) const { return lines_[Index(signal)].head; }
  const BatchHeader& header(BatchId id) const { return EntryOf(id).header; }

  /// Marks the batch in flight and counts the attempt; Land ends that.
  void Launch(BatchId id, UnixTime now);
  void Land(BatchId id) { EntryOf(id).in_flight = false; }

  /// Takes the batch out and frees its blocks.
  void Remove(BatchId id);

  /// The batch collected first over all signals, leaving out what is in flight; none: !id.
  BatchId OldestAtRest() const;

  /// Collection time of the oldest item held (kNever when empty).
  MonoTime oldest() const;

  uint64_t items(Signal signal) const { return lines_[Index(signal)].items; }
  size_t batches() const { return batches_; }
  size_t stored_bytes() const { return stored_bytes_; }
  bool empty() const { return batches_ == 0; }
  PoolUse use() const;

  /// The stored bytes of a batch, piece by piece. Valid until Remove.
  class Payload final : public Body {
   public:
    Payload() = default;
    Payload(const BatchQueue& queue, BatchId id) : queue_(&queue), id_(id) {}
    size_t size() const override;
    std::span<const uint8_t> At(size_t offset) const override;

   private:
    const BatchQueue* queue_ = nullptr;
    BatchId id_;
  };

 private:
  /// Stands at the front of a batch's first block; checkpoints and payload follow, over as many
  /// blocks as they need.
  struct Entry {
    BatchHeader header;
    BatchId next, previous;
    bool in_flight = false;
  };
  struct alignas(8) Block {
    uint32_t next = UINT32_MAX;
    uint32_t unused = 0;
    std::array<uint8_t, kBlockBytes - 8> bytes;
  };
  struct Line {
    BatchId head, tail;
    uint64_t items = 0;
  };
  static_assert(sizeof(Block) == kBlockBytes);
  static_assert(sizeof(Entry) <= sizeof(Block::bytes));

  static size_t BlocksFor(size_t bytes) {
    return (sizeof(Entry) + bytes + sizeof(Block::bytes) - 1) / sizeof(Block::bytes);
  }
  Entry& EntryOf(BatchId id) const;
  uint32_t TakeBlock();

  Block* blocks_ = nullptr;
  size_t block_count_ = 0, free_blocks_ = 0, least_free_ = 0;
  size_t refused_ = 0;
  uint32_t free_head_ = UINT32_MAX;  // Blocks that were used before, chained.
  uint32_t never_used_ = 0;          // From here on: pages that have not been touched, and cost
                                     // no resident memory until a queue this long needs them.
  std::array<Line, kSignalCount> lines_{};
  size_t batches_ = 0;
  size_t stored_bytes_ = 0;
};

}  // namespace limpet
