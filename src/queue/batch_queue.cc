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
                                 std::span<const uint8_t> payload) {
  LIMPET_CHECK(header.stored_bytes == payload.size());
  LIMPET_CHECK(header.checkpoint_bytes == checkpoints.size());
  if (!HasRoom(checkpoints.size() + payload.size())) {
    ++refused_;
    return {Code::kFull, 0, "queue"};
  }
  const BatchId id{TakeBlock()};
  Line& line = lines_[Index(header.signal)];
  const Entry entry{.header = header, .next = {}, .previous = line.tail, .in_flight = false};

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

  if (line.tail) {
    EntryOf(line.tail).next = id;
  } else {
    line.head = id;
  }
  line.tail = id;
  line.items += header.items;
  ++batches_;
  stored_bytes_ += payload.size();
  least_free_ = std::min(least_free_, free_blocks_);
  return id;
}

void BatchQueue::Launch(BatchId id, UnixTime now) {
  Entry& entry = EntryOf(id);
  LIMPET_CHECK(!entry.in_flight);
  entry.in_flight = true;
  if (entry.header.attempts++ == 0) entry.header.first_attempt = now;
  entry.header.may_be_sent = true;
}

void BatchQueue::Remove(BatchId id) {
  const Entry entry = EntryOf(id);
  LIMPET_CHECK(!entry.in_flight);  // Q3
  Line& line = lines_[Index(entry.header.signal)];
  (entry.previous ? EntryOf(entry.previous).next : line.head) = entry.next;
  (entry.next ? EntryOf(entry.next).previous : line.tail) = entry.previous;
  LIMPET_CHECK(line.items >= entry.header.items);  // Q4
  line.items -= entry.header.items;
  --batches_;
  stored_bytes_ -= entry.header.stored_bytes;
  for (uint32_t block = id.block; block != UINT32_MAX;) {
    const uint32_t next = blocks_[block].next;
    blocks_[block].next = free_head_;
    free_head_ = block;
    ++free_blocks_;
    block = next;
  }
  LIMPET_CHECK(free_blocks_ <= block_count_);  // Q2
}

BatchId BatchQueue::OldestAtRest() const {
  BatchId oldest;
  for (const Line& line : lines_) {
    BatchId id = line.head;
    while (id && EntryOf(id).in_flight) id = EntryOf(id).next;
    if (id && (!oldest || header(id).first_mono < header(oldest).first_mono)) oldest = id;
  }
  return oldest;
}

MonoTime BatchQueue::oldest() const {
  MonoTime oldest = kNever;
  for (const Line& line : lines_) {
    if (line.head) oldest = std::min(oldest, header(line.head).first_mono);
  }
  return oldest;
}

PoolUse BatchQueue::use() const {
  return {"queue", block_count_ * sizeof(Block), (block_count_ - free_blocks_) * sizeof(Block),
          (block_count_ - least_free_) * sizeof(Block), refused_};
}

size_t BatchQueue::Payload::size() const { return queue_->header(id_).stored_bytes; }

std::span<const uint8_t> BatchQueue::Payload::At(size_t offset) const {
  const BatchHeader& header = queue_->header(id_);
  if (offset >= header.stored_bytes) return {};
  // Position in the chain: the entry and the checkpoints come first.
  const size_t position = sizeof(Entry) + header.checkpoint_bytes + offset;
  uint32_t block = id_.block;
  for (size_t skip = position / sizeof(Block::bytes); skip > 0; --skip) {
    block = queue_->blocks_[block].next;
    LIMPET_CHECK(block < queue_->block_count_);
  }
  const size_t at = position % sizeof(Block::bytes);
  const size_t size = std::min(sizeof(Block::bytes) - at, header.stored_bytes - offset);
  return {queue_->blocks_[block].bytes.data() + at, size};
}

}  // namespace limpet
