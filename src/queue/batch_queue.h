// The ordered queue of closed batches in memory: lines for each signal, all in one arena of equal
// blocks chained together. Batches differ in size and leave from the middle of the arena's history
// (signals overtake each other, the oldest may be dropped while another is in flight), and with
// equal blocks neither can fragment it: what is free can be used, always.
//
// Invariants:
//  Q1  Along a line the order is that of Push.
//  Q2  Every block is free or belongs to exactly one batch.
//  Q3  A batch in flight is removed only after it is no longer in flight.
//  Q4  items(signal, part) is the sum over the line of what is left of each batch.
//  Q5  The bytes of a pinned batch stay where they are: removed, it leaves its line at once and the
//      arena with the last pin.
//  Q6  What the spool has a copy of may be forgotten, but neither in flight, nor pinned, nor once some
//      of its items are gone: only here it is known which.
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

/// Each signal has a line for each part.
enum class Part : uint8_t {
  kNew,      ///< Nowhere but here.
  kSpooled,  ///< A copy of what the spool has: its oldest ones, without a gap but for those in kLive.
  kLive,     ///< A copy of what the spool has, to go out ahead of its oldest.
  kDying,    ///< Refused, nowhere but here, on its way to the dead letters.
  kCut,      ///< Cut out of a batch that is held elsewhere, while it is in flight.
};
inline constexpr size_t kPartCount = 5;

/// Hears of batches with marks that are no longer only in memory: they have left, or flash has them.
class LeaveWatcher {
 public:
  /// record: marks and bytes, valid during the call. in_order: none that was collected before it stays.
  virtual void OnLeave(const BatchHeader& header, const Body& record, bool in_order) = 0;

 protected:
  ~LeaveWatcher() = default;
};

class BatchQueue {
 public:
  /// The arena is cut into blocks; it must outlive the queue and be aligned to 8 bytes.
  explicit BatchQueue(std::span<std::byte> arena);
  BatchQueue(const BatchQueue&) = delete;
  BatchQueue& operator=(const BatchQueue&) = delete;

  void Watch(LeaveWatcher& watcher) { watcher_ = &watcher; }

  /// Copies the batch to the end of a line. header.stored_bytes and checkpoint_bytes must be the
  /// spans' sizes. row: of the copy in the spool, 0 for none. kFull: too few free blocks; nothing
  /// changed.
  Result<BatchId> Push(const BatchHeader& header, std::span<const uint8_t> checkpoints,
                       std::span<const uint8_t> payload, Part part = Part::kNew, uint64_t row = 0);

  /// Would a batch of that many bytes (payload and checkpoints) fit now? Or ever?
  bool HasRoom(size_t bytes) const { return BlocksFor(bytes) <= free_blocks_; }
  /// What a batch of that many bytes takes of the arena.
  static size_t BytesFor(size_t bytes) { return BlocksFor(bytes) * sizeof(Block); }
  bool CanEverHold(size_t bytes) const { return BlocksFor(bytes) <= block_count_; }

  BatchId Head(Signal signal, Part part = Part::kNew) const { return LineOf(signal, part).head; }
  BatchId Last(Signal signal, Part part) const { return LineOf(signal, part).tail; }
  BatchId Next(BatchId id) const { return EntryOf(id).next; }
  const BatchHeader& header(BatchId id) const { return EntryOf(id).header; }
  uint64_t row(BatchId id) const { return EntryOf(id).row; }
  Part part(BatchId id) const { return EntryOf(id).part; }
  bool pinned(BatchId id) const { return EntryOf(id).pinned; }

  /// Marks the batch in flight and counts the attempt; Land ends that.
  void Launch(BatchId id, UnixTime now);
  void Land(BatchId id) { EntryOf(id).in_flight = false; }
  bool in_flight(BatchId id) const { return EntryOf(id).in_flight; }

  /// So many items have left the batch, of which parts go different ways.
  void Shed(BatchId id, uint32_t items);
  uint32_t left(BatchId id) const { return EntryOf(id).header.items - EntryOf(id).gone; }
  bool whole(BatchId id) const { return EntryOf(id).gone == 0; }

  /// Takes the batch out and frees its blocks, the latter not before it is unpinned.
  void Remove(BatchId id);

  /// The row that the batch has, or will have, in the spool.
  void SetRow(BatchId id, uint64_t row) { EntryOf(id).row = row; }

  /// Puts the batch at the end of another line of its signal.
  void Move(BatchId id, Part part);

  /// Keeps the bytes of a batch for a reader in another thread (Q5). False from Unpin: it had been
  /// removed meanwhile, and the id names nothing any more.
  void Pin(BatchId id);
  bool Unpin(BatchId id);

  /// Would it fit if all copies were forgotten that are at rest?
  bool CouldHold(size_t bytes) const;
  /// Forgets copies of what the spool has, the last ones of a line first, until a batch of that many
  /// bytes has room. False: there are no more to forget.
  bool MakeRoom(size_t bytes);
  /// Forgets those of a line that are at rest, from its end.
  void ForgetCopies(Signal signal, Part part = Part::kSpooled);

  /// The batch collected first over all signals that is nowhere but here, leaving out what is in
  /// flight, pinned, or not whole; none: !id.
  BatchId OldestAtRest() const;

  /// Collection time of the oldest item held (kNever when empty).
  MonoTime oldest() const;

  uint64_t items(Signal signal, Part part = Part::kNew) const { return LineOf(signal, part).items; }
  /// Of the batches in a line, the items that have left them.
  uint64_t gone(Signal signal, Part part) const { return LineOf(signal, part).gone; }
  size_t batches(Signal signal, Part part) const { return LineOf(signal, part).batches; }
  size_t batches() const { return batches_; }
  size_t stored_bytes() const { return stored_bytes_; }
  bool empty() const { return batches_ == 0; }
  PoolUse use() const;
  /// Bytes of the arena that batches take which are nowhere but here.
  size_t own_bytes() const { return own_blocks_ * sizeof(Block); }

  /// The stored bytes of a batch, piece by piece; of a record also its checkpoints in front. Valid
  /// until Remove, for a pinned batch until Unpin, and then in another thread too. One reader each.
  class Payload final : public Body {
   public:
    enum class Scope : uint8_t { kBytes, kRecord };
    Payload() = default;
    Payload(const BatchQueue& queue, BatchId id, Scope scope = Scope::kBytes)
        : queue_(&queue), id_(id), scope_(scope) {}
    size_t size() const override;
    std::span<const uint8_t> At(size_t offset) const override;

   private:
    const BatchQueue* queue_ = nullptr;
    BatchId id_;
    Scope scope_ = Scope::kBytes;
    // Where the last piece was: who reads on need not follow the chain from its head.
    mutable uint32_t block_ = UINT32_MAX;
    mutable size_t nth_ = 0;  // Block of the chain.
  };

 private:
  /// Stands at the front of a batch's first block; checkpoints and payload follow, over as many
  /// blocks as they need.
  struct Entry {
    BatchHeader header;
    BatchId next, previous;
    uint64_t row = 0;
    uint32_t gone = 0;  // Items.
    Part part = Part::kNew;
    bool in_flight = false;
    bool pinned = false;
    bool removed = false;  // From its line, and from here with the pin.
  };
  struct alignas(8) Block {
    uint32_t next = UINT32_MAX;
    uint32_t unused = 0;
    std::array<uint8_t, kBlockBytes - 8> bytes;
  };
  struct Line {
    BatchId head, tail;
    uint64_t items = 0, gone = 0;
    size_t batches = 0;
  };
  static_assert(sizeof(Block) == kBlockBytes);
  static_assert(sizeof(Entry) <= sizeof(Block::bytes));

  static size_t BlocksFor(size_t bytes) {
    return (sizeof(Entry) + bytes + sizeof(Block::bytes) - 1) / sizeof(Block::bytes);
  }
  Entry& EntryOf(BatchId id) const;
  Line& LineOf(Signal signal, Part part) {
    return lines_[Index(signal)][static_cast<size_t>(part)];
  }
  const Line& LineOf(Signal signal, Part part) const {
    return lines_[Index(signal)][static_cast<size_t>(part)];
  }
  void Append(BatchId id);
  void TellOfLeaving(BatchId id);
  void Unlink(BatchId id);
  void FreeBlocks(BatchId id);
  bool AtRest(BatchId id) const {
    return !EntryOf(id).in_flight && !EntryOf(id).pinned && whole(id);
  }
  static bool IsCopy(Part part) { return part == Part::kSpooled || part == Part::kLive || part == Part::kCut; }
  size_t BlocksOf(BatchId id) const {
    return BlocksFor(header(id).checkpoint_bytes + header(id).stored_bytes);
  }
  BatchId LastToForget(Signal signal, Part part) const;
  uint32_t TakeBlock();

  LeaveWatcher* watcher_ = nullptr;
  Block* blocks_ = nullptr;
  size_t block_count_ = 0, free_blocks_ = 0, least_free_ = 0;
  size_t refused_ = 0;
  uint32_t free_head_ = UINT32_MAX;  // Blocks that were used before, chained.
  uint32_t never_used_ = 0;          // From here on: pages that have not been touched, and cost
                                     // no resident memory until a queue this long needs them.
  size_t own_blocks_ = 0;            // Of batches that are not copies.
  std::array<std::array<Line, kPartCount>, kSignalCount> lines_{};
  size_t batches_ = 0;
  size_t stored_bytes_ = 0;
};

}  // namespace limpet
