#include "queue/batch_queue.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace limpet {

BatchQueue::BatchQueue(std::span<std::byte> arena) {
  block_count_ = free_blocks_ = least_free_ = arena.size() / sizeof(Block);
  LIMPET_CHECK(block_count_ > 0 && block_count_ < UINT32_MAX);
  LIMPET_CHECK(reinterpret_cast<uintptr_t>(arena.data()) % alignof(Block) == 0);
  blocks_ = reinterpret_cast<Block*>(arena.data());
}

/// Takes a free block; the caller has made sure that there is one.
uint32_t BatchQueue::TakeBlock() {
  --free_blocks_;
  uint32_t taken = free_head_;
  if (taken == UINT32_MAX) {
    taken = never_used_++;
  } else {
    free_head_ = blocks_[taken].next;
  }
  blocks_[taken].next = UINT32_MAX;
  return taken;
}

BatchQueue::Entry& BatchQueue::EntryOf(BatchId id) const {
  LIMPET_CHECK(id.block < block_count_);
  return *std::launder(reinterpret_cast<Entry*>(blocks_[id.block].bytes.data()));
}

Result<BatchId> BatchQueue::Push(const BatchHeader& header, std::span<const uint8_t> checkpoints,
                                 std::span<const uint8_t> payload, Part part, uint64_t row) {
  LIMPET_CHECK(header.stored_bytes == payload.size());
  LIMPET_CHECK(header.checkpoint_bytes == checkpoints.size());
  if (!HasRoom(checkpoints.size() + payload.size())) {
    ++refused_;
    return {Code::kFull, 0, "queue"};
  }
  const BatchId id{TakeBlock()};
  const Entry entry{.header = header, .row = row, .part = part};

  // Entry, checkpoints and payload, one after the other through the chain.
  uint32_t block = id.block;
  size_t at = 0;
  const auto append = [&](const uint8_t* from, size_t size) {
    while (size > 0) {
      if (at == sizeof(Block::bytes)) {
        const uint32_t taken = TakeBlock();
        blocks_[block].next = taken;
        block = taken;
        at = 0;
      }
      const size_t piece = std::min(size, sizeof(Block::bytes) - at);
      std::memcpy(blocks_[block].bytes.data() + at, from, piece);
      at += piece, from += piece, size -= piece;
    }
  };
  append(reinterpret_cast<const uint8_t*>(&entry), sizeof entry);
  append(checkpoints.data(), checkpoints.size());
  append(payload.data(), payload.size());

  Append(id);
  ++batches_;
  stored_bytes_ += payload.size();
  least_free_ = std::min(least_free_, free_blocks_);
  return id;
}

/// To the end of the line that its entry names.
void BatchQueue::Append(BatchId id) {
  Entry& entry = EntryOf(id);
  Line& line = LineOf(entry.header.signal, entry.part);
  entry.next = {};
  entry.previous = line.tail;
  (line.tail ? EntryOf(line.tail).next : line.head) = id;
  line.tail = id;
  line.items += left(id);
  line.gone += entry.gone;
  ++line.batches;
  if (!IsCopy(entry.part)) own_blocks_ += BlocksOf(id);
}

void BatchQueue::Unlink(BatchId id) {
  Entry& entry = EntryOf(id);
  Line& line = LineOf(entry.header.signal, entry.part);
  (entry.previous ? EntryOf(entry.previous).next : line.head) = entry.next;
  (entry.next ? EntryOf(entry.next).previous : line.tail) = entry.previous;
  LIMPET_CHECK(line.items >= left(id) && line.batches > 0);  // Q4
  line.items -= left(id);
  line.gone -= entry.gone;
  --line.batches;
  if (!IsCopy(entry.part)) own_blocks_ -= BlocksOf(id);
}

void BatchQueue::Launch(BatchId id, UnixTime now) {
  Entry& entry = EntryOf(id);
  LIMPET_CHECK(!entry.in_flight);
  entry.in_flight = true;
  if (entry.header.attempts++ == 0) entry.header.first_attempt = now;
  entry.header.may_be_sent = true;
}

void BatchQueue::Shed(BatchId id, uint32_t items) {
  Entry& entry = EntryOf(id);
  Line& line = LineOf(entry.header.signal, entry.part);
  LIMPET_CHECK(items <= left(id) && !entry.removed);
  entry.gone += items;
  line.items -= items;  // Q4
  line.gone += items;
}

/// Out of kNew or kDying to anywhere but the other.
void BatchQueue::TellOfLeaving(BatchId id) {
  const Entry& entry = EntryOf(id);
  if (watcher_ == nullptr || entry.header.checkpoint_bytes == 0 || IsCopy(entry.part)) return;
  bool in_order = true;
  for (const Part part : {Part::kNew, Part::kDying}) {
    const BatchId head = Head(entry.header.signal, part);
    in_order = in_order && (!head || EntryOf(head).header.sequence >= entry.header.sequence);
  }
  watcher_->OnLeave(entry.header, Payload(*this, id, Payload::Scope::kRecord), in_order);
}

void BatchQueue::Remove(BatchId id) {
  Entry& entry = EntryOf(id);
  LIMPET_CHECK(!entry.in_flight && !entry.removed);  // Q3
  TellOfLeaving(id);
  Unlink(id);
  --batches_;
  stored_bytes_ -= entry.header.stored_bytes;
  entry.removed = true;
  if (!entry.pinned) FreeBlocks(id);  // Q5
}

void BatchQueue::FreeBlocks(BatchId id) {
  for (uint32_t block = id.block; block != UINT32_MAX;) {
    const uint32_t next = blocks_[block].next;
    blocks_[block].next = free_head_;
    free_head_ = block;
    ++free_blocks_;
    block = next;
  }
  LIMPET_CHECK(free_blocks_ <= block_count_);  // Q2
}

void BatchQueue::Move(BatchId id, Part part) {
  if (IsCopy(part)) TellOfLeaving(id);
  Unlink(id);
  EntryOf(id).part = part;
  Append(id);
}

void BatchQueue::Pin(BatchId id) {
  Entry& entry = EntryOf(id);
  LIMPET_CHECK(!entry.pinned && !entry.removed);
  entry.pinned = true;
}

bool BatchQueue::Unpin(BatchId id) {
  Entry& entry = EntryOf(id);
  LIMPET_CHECK(entry.pinned);
  entry.pinned = false;
  if (!entry.removed) return true;
  FreeBlocks(id);
  return false;
}

/// Q6. What is live, only from behind all copies of the oldest: these stay without a gap.
BatchId BatchQueue::LastToForget(Signal signal, Part part) const {
  const BatchId last = Last(signal, part), copy = Last(signal, Part::kSpooled);
  if (!last || !AtRest(last)) return {};
  return part == Part::kSpooled || !copy || row(last) > row(copy) ? last : BatchId{};
}

bool BatchQueue::CouldHold(size_t bytes) const {
  const size_t wanted = BlocksFor(bytes);
  size_t blocks = free_blocks_;
  for (const Signal signal : kSignals) {
    BatchId copy = Last(signal, Part::kSpooled);
    for (; copy && AtRest(copy) && blocks < wanted; copy = EntryOf(copy).previous) blocks += BlocksOf(copy);
    BatchId live = Last(signal, Part::kLive);
    for (; live && AtRest(live) && blocks < wanted; live = EntryOf(live).previous) {
      if (copy && row(live) < row(copy)) break;
      blocks += BlocksOf(live);
    }
  }
  return blocks >= wanted;
}

bool BatchQueue::MakeRoom(size_t bytes) {
  for (const Part part : {Part::kSpooled, Part::kLive}) {
    while (!HasRoom(bytes)) {
      BatchId last;
      for (const Signal signal : kSignals) {
        const BatchId id = LastToForget(signal, part);
        if (id && (!last || row(id) > row(last))) last = id;
      }
      if (!last) break;
      Remove(last);
    }
  }
  return HasRoom(bytes);
}

void BatchQueue::ForgetCopies(Signal signal, Part part) {
  while (const BatchId last = LastToForget(signal, part)) Remove(last);
}

BatchId BatchQueue::OldestAtRest() const {
  BatchId oldest;
  for (const Signal signal : kSignals) {
    BatchId id = Head(signal);
    while (id && !AtRest(id)) id = EntryOf(id).next;
    if (id && (!oldest || header(id).first_mono < header(oldest).first_mono)) oldest = id;
  }
  return oldest;
}

MonoTime BatchQueue::oldest() const {
  MonoTime oldest = kNever;
  for (const auto& parts : lines_) {
    for (const Line& line : parts) {
      if (line.head) oldest = std::min(oldest, header(line.head).first_mono);
    }
  }
  return oldest;
}

PoolUse BatchQueue::use() const {
  return {"queue", block_count_ * sizeof(Block), (block_count_ - free_blocks_) * sizeof(Block),
          (block_count_ - least_free_) * sizeof(Block), refused_};
}

size_t BatchQueue::Payload::size() const {
  const BatchHeader& header = queue_->header(id_);
  return header.stored_bytes + (scope_ == Scope::kRecord ? header.checkpoint_bytes : 0);
}

std::span<const uint8_t> BatchQueue::Payload::At(size_t offset) const {
  if (offset >= size()) return {};
  // Position in the chain: the entry comes first, and the checkpoints before the bytes.
  const size_t skipped = scope_ == Scope::kRecord ? 0 : queue_->header(id_).checkpoint_bytes;
  const size_t position = sizeof(Entry) + skipped + offset;
  const size_t nth = position / sizeof(Block::bytes);
  if (block_ == UINT32_MAX || nth < nth_) block_ = id_.block, nth_ = 0;
  for (; nth_ < nth; ++nth_) {
    block_ = queue_->blocks_[block_].next;
    LIMPET_CHECK(block_ < queue_->block_count_);
  }
  const size_t at = position % sizeof(Block::bytes);
  const size_t count = std::min(sizeof(Block::bytes) - at, size() - offset);
  return {queue_->blocks_[block_].bytes.data() + at, count};
}

}  // namespace limpet
