#include "batch/batcher.h"

#include <algorithm>

namespace limpet {
Batcher::Batcher(const BatcherOptions& options,
                 std::array<std::span<uint8_t>, kSignalCount> slabs, GzipCompressor* gzip,
                 std::span<uint8_t> packed, BatchQueue& queue, Ledger& ledger, Log& log)
    : options_(options), gzip_(gzip), packed_(packed), queue_(queue), ledger_(ledger), log_(log) {
  for (const Signal signal : kSignals) {
    const std::span<uint8_t> slab = slabs[Index(signal)];
    if (slab.empty()) continue;
    LIMPET_CHECK(slab.size() > kCloseRoom);
    open_[Index(signal)].writer = WireWriter(slab);
    open_[Index(signal)].bytes_max = std::min<size_t>(options.bytes_max, slab.size() - kCloseRoom);
  }
}

Batcher::Room Batcher::room(Signal signal) const {
  const Open& open = open_[Index(signal)];
  const Room all = capacity(signal);
  return {all.bytes - std::min(all.bytes, open.writer.size()), all.items - std::min(all.items, open.items)};
}

bool Batcher::Fits(Signal signal, uint32_t items) const {
  const Open& open = open_[Index(signal)];
  return open.writer.ok() && open.writer.size() <= open.bytes_max &&
         open.items + items <= options_.items_max;
}

void Batcher::Added(Signal signal, uint32_t items, const Stamp& stamp, UnixTime first) {
  Open& open = open_[Index(signal)];
  if (open.items == 0) {
    open.first_mono = stamp.mono;
    open.first_wall = first;
    open.last_wall = stamp.wall;
    open.trust = stamp.trust;
  }
  open.last_mono = stamp.mono;
  open.first_wall = std::min(open.first_wall, first);
  open.last_wall = std::max(open.last_wall, stamp.wall);
  open.trust = std::max(open.trust, stamp.trust);
  open.items += items;
  ledger_.Collect(signal, items);
}

void Batcher::DropUnwritten(Signal signal, DropReason reason, uint32_t items, const Stamp& stamp) {
  ledger_.Collect(signal, items);
  ledger_.Drop(signal, reason, items, stamp.wall, stamp.wall);
}

void Batcher::DropUnwritable(Signal signal, uint32_t items, const Stamp& stamp) {
  DropUnwritten(signal, DropReason::kOverflow, items, stamp);
  log_.Error("an item is larger than queue.batch_bytes and was dropped",
             {{"signal", SignalName(signal)}, {"items", items}});
}

/// What deflate cannot make smaller stays as it is: the header says so.
Batcher::Sealed Batcher::Seal(Signal signal) {
  const std::span<const uint8_t> raw = open_[Index(signal)].writer.bytes();
  if (gzip_ != nullptr) {
    const Result<size_t> size = gzip_->Compress(raw, packed_);
    if (size.ok() && size.value() < raw.size()) {
      return SealAs(signal, Encoding::kGzip, packed_.first(size.value()), raw.size());
    }
  }
  return SealAs(signal, Encoding::kIdentity, raw, raw.size());
}

Batcher::Sealed Batcher::SealAs(Signal signal, Encoding encoding, std::span<const uint8_t> payload,
                                size_t raw_bytes) {
  const Open& open = open_[Index(signal)];
  Sealed sealed{.header = {}, .marks = {}, .payload = payload};
  BatchHeader& header = sealed.header;
  header.signal = signal;
  header.start = options_.start;
  header.sequence = sequence(signal);
  header.trust = open.trust;
  header.items = open.items;
  header.encoding = encoding;
  header.raw_bytes = static_cast<uint32_t>(raw_bytes);
  header.stored_bytes = static_cast<uint32_t>(payload.size());
  header.boot = options_.boot;
  header.first_mono = open.first_mono;
  header.last_mono = open.last_mono;
  header.first_wall = open.first_wall;
  header.last_wall = open.last_wall;
  if (signal == Signal::kLogs && tracks_ != nullptr) {
    const size_t count = tracks_->ListMarks(marks_);
    sealed.marks = {reinterpret_cast<const uint8_t*>(marks_.data()), count * kTrackMarkBytes};
    header.checkpoint_bytes = static_cast<uint32_t>(sealed.marks.size());
  }
  return sealed;
}

void Batcher::Enqueue(const Sealed& sealed) {
  LIMPET_CHECK(queue_.Push(sealed.header, sealed.marks, sealed.payload).ok());
  Open& open = open_[Index(sealed.header.signal)];
  open.sequence = sealed.header.sequence;  // B2
  if (!sealed.marks.empty()) tracks_->MarksClosed();
  Empty(open);
}

void Batcher::Empty(Open& open) {
  open.items = 0;
  open.writer.Rewind(0);
}

void Batcher::Close(Signal signal) {
  Open& open = open_[Index(signal)];
  LIMPET_CHECK(open.writer.ok());  // B1
  if (open.items == 0) return Empty(open);
  const Sealed sealed = Seal(signal);
  if (MakeRoom(sealed.bytes())) return Enqueue(sealed);
  if (!sealed.marks.empty()) tracks_->MarksClosed();
  for (size_t i = 0; i < sealed.marks.size() / kTrackMarkBytes; ++i) {
    tracks_->Settle(DecodeMark(marks_[i]), false, false);
  }
  ledger_.Drop(signal, DropReason::kOverflow, open.items, open.first_wall, open.last_wall);  // B3
  Empty(open);
}

bool Batcher::TryClose(Signal signal) {
  Open& open = open_[Index(signal)];
  LIMPET_CHECK(open.writer.ok());  // B1
  if (open.items == 0) {
    Empty(open);
    return true;
  }
  const Sealed sealed = Seal(signal);
  if (!queue_.MakeRoom(sealed.bytes())) return false;
  Enqueue(sealed);
  return true;
}

bool Batcher::TryQueue(Signal signal, std::span<const uint8_t> packed, size_t raw_bytes, uint32_t items,
                       const Stamp& stamp, UnixTime first) {
  if (!TryClose(signal)) return false;
  Added(signal, items, stamp, first);
  const Sealed sealed = SealAs(signal, Encoding::kGzip, packed, raw_bytes);
  const bool room = queue_.MakeRoom(sealed.bytes());
  if (room) {
    Enqueue(sealed);
  } else {
    Withdraw(signal, sequence(signal));
  }
  return room;
}

size_t Batcher::Discard(Signal signal) {
  Open& open = open_[Index(signal)];
  LIMPET_CHECK(open.items == 0 && open.writer.ok());
  const size_t bytes = BatchQueue::BytesFor(Seal(signal).bytes());
  Empty(open);
  return bytes;
}

void Batcher::Withdraw(Signal signal, uint64_t sequence) {
  Open& open = open_[Index(signal)];
  uint64_t items = open.items;
  Empty(open);
  for (; open.sequence >= sequence; --open.sequence) {
    const BatchId last = queue_.Last(signal, Part::kNew);
    LIMPET_CHECK(last && queue_.header(last).sequence == open.sequence);
    items += queue_.header(last).items;
    queue_.Remove(last);
  }
  ledger_.Withdraw(signal, items);
}

/// Forgets copies of what the spool has, and drops the oldest batches at rest, if that is the policy,
/// until there is room.
bool Batcher::MakeRoom(size_t bytes) {
  if (queue_.MakeRoom(bytes)) return true;
  if (options_.overflow == Overflow::kDropOldest && queue_.CanEverHold(bytes)) {
    while (!queue_.HasRoom(bytes)) {
      const BatchId oldest = queue_.OldestAtRest();
      if (!oldest) break;
      const BatchHeader& header = queue_.header(oldest);
      ledger_.Drop(header.signal, DropReason::kOverflow, queue_.left(oldest), header.first_wall,
                   header.last_wall);
      queue_.Remove(oldest);
    }
  }
  return queue_.HasRoom(bytes);
}

MonoTime Batcher::OnTime(MonoTime now) {
  MonoTime next = kNever;
  for (const Signal signal : kSignals) {
    if (open_[Index(signal)].items == 0) continue;
    const MonoTime due = open_[Index(signal)].first_mono + options_.delay;
    if (due <= now) {
      Close(signal);
    } else {
      next = std::min(next, due);
    }
  }
  return next;
}

bool Batcher::Paused() const {
  return options_.overflow == Overflow::kPauseSources && !queue_.CouldHold(2 * options_.bytes_max);
}

size_t Batcher::open_bytes() const {
  size_t bytes = 0;
  for (const Open& open : open_) bytes += open.writer.size();
  return bytes;
}

MonoTime Batcher::oldest_open() const {
  MonoTime oldest = kNever;
  for (const Open& open : open_) {
    if (open.items != 0) oldest = std::min(oldest, open.first_mono);
  }
  return oldest;
}

}  // namespace limpet
