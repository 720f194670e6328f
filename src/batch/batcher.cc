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

bool Batcher::Fits(Signal signal, uint32_t items) const {
  const Open& open = open_[Index(signal)];
  return open.writer.ok() && open.writer.size() <= open.bytes_max &&
         open.items + items <= options_.items_max;
}

void Batcher::Added(Signal signal, uint32_t items, const Stamp& stamp) {
  Open& open = open_[Index(signal)];
  if (open.items == 0) {
    open.first = stamp;
    open.trust = stamp.trust;
  }
  open.last = stamp;
  open.trust = std::max(open.trust, stamp.trust);
  open.items += items;
  ledger_.Collect(signal, items);
}

void Batcher::DropUnwritable(Signal signal, uint32_t items, const Stamp& stamp) {
  ledger_.Collect(signal, items);
  ledger_.Drop(signal, DropReason::kOverflow, items, stamp.wall, stamp.wall);
  log_.Error("an item is larger than queue.batch_bytes and was dropped",
             {{"signal", SignalName(signal)}, {"items", items}});
}

void Batcher::Close(Signal signal) {
  Open& open = open_[Index(signal)];
  LIMPET_CHECK(open.writer.ok());  // B1
  if (open.items == 0) {
    open.writer.Rewind(0);
    return;
  }
  BatchHeader header;
  header.signal = signal;
  header.start = options_.start;
  header.sequence = open.sequence + 1;
  header.trust = open.trust;
  header.items = open.items;
  header.raw_bytes = static_cast<uint32_t>(open.writer.size());
  header.boot = options_.boot;
  header.first_mono = open.first.mono;
  header.last_mono = open.last.mono;
  header.first_wall = open.first.wall;
  header.last_wall = open.last.wall;

  std::span<const uint8_t> payload = open.writer.bytes();
  if (gzip_ != nullptr) {
    // What deflate cannot make smaller stays as it is: the header says so.
    const Result<size_t> size = gzip_->Compress(payload, packed_);
    if (size.ok() && size.value() < payload.size()) {
      payload = packed_.first(size.value());
      header.encoding = Encoding::kGzip;
    }
  }
  header.stored_bytes = static_cast<uint32_t>(payload.size());

  const bool queued = MakeRoom(payload.size()) && queue_.Push(header, {}, payload).ok();
  if (queued) {
    open.sequence = header.sequence;  // B2
  } else {
    ledger_.Drop(signal, DropReason::kOverflow, open.items, open.first.wall, open.last.wall);  // B3
  }
  open.items = 0;
  open.writer.Rewind(0);
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
    const MonoTime due = open_[Index(signal)].first.mono + options_.delay;
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

MonoTime Batcher::oldest_open() const {
  MonoTime oldest = kNever;
  for (const Open& open : open_) {
    if (open.items != 0) oldest = std::min(oldest, open.first.mono);
  }
  return oldest;
}

}  // namespace limpet
