// The open batches: one slab per signal in OTLP wire format, filled by the sources, closed by size,
// items or age, compressed once, numbered, and handed to the queue. From then on immutable.
//
// Invariants:
//  B1  What is open is a sequence of whole ResourceMetrics/-Logs/-Spans fields whenever control
//      leaves the source that writes, so that it can be closed at any event.
//  B2  Sequence numbers of a signal grow by one per queued batch.
//  B3  Every item that was Added is held, or dropped with a reason, after Close; or it was withdrawn.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "batch/gzip.h"
#include "config/config.h"
#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/tracks.h"
#include "otlp/wire_writer.h"
#include "queue/batch_queue.h"

namespace limpet {

/// When something was measured or logged, and how far that wall time can be trusted.
struct Stamp {
  UnixTime wall;
  MonoTime mono;
  ClockTrust trust = ClockTrust::kTrusted;
};

struct BatcherOptions {
  uint32_t items_max = 512;
  uint32_t bytes_max = 64 * 1024;  ///< Before compression.
  Duration delay;                  ///< An open batch is closed at this age.
  Overflow overflow = Overflow::kDropOldest;
  uint64_t start = 0;              ///< BatchHeader::start of all its batches.
  BootId boot;
};

class Batcher {
 public:
  /// Bytes of one slab: the batch and room to close the messages that are open in it.
  static constexpr size_t kCloseRoom = 64;
  static constexpr size_t SlabBytes(size_t bytes_max) { return bytes_max + kCloseRoom; }

  /// slabs: SlabBytes each; smaller for smaller batches, but more than kCloseRoom; or empty for a
  /// signal that nothing here produces. gzip: nullptr keeps batches as they are; else `packed` takes
  /// its output.
  Batcher(const BatcherOptions& options, std::array<std::span<uint8_t>, kSignalCount> slabs,
          GzipCompressor* gzip, std::span<uint8_t> packed, BatchQueue& queue, Ledger& ledger,
          Log& log);

  /// From now on each batch of logs carries the marks of the tracks in it. room: as many marks as a batch
  /// may have.
  void UseTracks(TrackMarks& tracks, std::span<TrackMarkBytes> room) { tracks_ = &tracks, marks_ = room; }

  /// Where a source writes whole messages of the signal (B1).
  WireWriter& writer(Signal signal) { return open_[Index(signal)].writer; }

  /// What the open batch still takes, and what one takes that is empty; nothing where there is no slab.
  struct Room {
    size_t bytes = 0;
    uint32_t items = 0;
  };
  Room room(Signal signal) const;
  Room capacity(Signal signal) const {
    const size_t bytes = open_[Index(signal)].bytes_max;
    return {bytes, bytes > 0 ? options_.items_max : 0};
  }

  /// May `items` more enter the open batch, whose writer has just taken their bytes?
  bool Fits(Signal signal, uint32_t items) const;

  /// Counts what was just written: from now on the items are collected and held.
  void Added(Signal signal, uint32_t items, const Stamp& stamp) {
    Added(signal, items, stamp, stamp.wall);
  }
  /// The same of items that have times of their own, of which `first` is the earliest.
  void Added(Signal signal, uint32_t items, const Stamp& stamp, UnixTime first);

  /// Closes the open batch and queues it. A full queue drops by policy, counted.
  void Close(Signal signal);

  /// Closes the open batch if the queue has room for it. False: nothing has changed.
  bool TryClose(Signal signal);

  /// Queues a batch of its own that is compressed already, after what is open: `packed`, one gzip member,
  /// which inflates to raw_bytes. Otherwise as Added. False: the queue has no room, and has it as before.
  bool TryQueue(Signal signal, std::span<const uint8_t> packed, size_t raw_bytes, uint32_t items,
                const Stamp& stamp, UnixTime first);

  /// Empties what was written, of which nothing was added. Returns the bytes that the queue would have needed.
  size_t Discard(Signal signal);

  /// Are batches compressed?
  bool packs() const { return gzip_ != nullptr; }

  /// Collection time of the oldest item of the signal that is queued in memory and nowhere else, what is on
  /// its way included; `none` when there is none.
  MonoTime oldest_queued(Signal signal, MonoTime none) const {
    const BatchId head = queue_.Head(signal);
    return head ? queue_.header(head).first_mono : none;
  }

  /// The number that the open batch has, or the next to be opened.
  uint64_t sequence(Signal signal) const { return open_[Index(signal)].sequence + 1; }

  /// Takes back what was added since an empty batch of that number was open, in the same turn: all
  /// batches from there on, as if they had never entered.
  void Withdraw(Signal signal, uint64_t sequence);

  /// Closes what is older than the delay. Returns when it wants to be called next.
  MonoTime OnTime(MonoTime now);

  /// True while `overflow = pause_sources` and the queue cannot take another full batch: sources
  /// that cannot be read again wait instead of collecting.
  bool Paused() const;

  /// Items that are not to be written: they count as collected and dropped.
  void DropUnwritten(Signal signal, DropReason reason, uint32_t items, const Stamp& stamp);

  /// Items that could not be written at all (one larger than a batch): likewise, and said.
  void DropUnwritable(Signal signal, uint32_t items, const Stamp& stamp);

  /// Of all open batches, before compression.
  size_t open_bytes() const;
  uint64_t open_items(Signal signal) const { return open_[Index(signal)].items; }
  /// Collection time of the oldest open item (kNever when there is none).
  MonoTime oldest_open() const;

 private:
  struct Open {
    WireWriter writer{std::span<uint8_t>()};
    size_t bytes_max = 0;
    uint32_t items = 0;
    uint64_t sequence = 0;  // Of the last queued batch.
    MonoTime first_mono, last_mono;
    UnixTime first_wall, last_wall;  // The earliest and the latest.
    ClockTrust trust = ClockTrust::kTrusted;  // The worst of its items.
  };
  struct Sealed {
    BatchHeader header;
    std::span<const uint8_t> marks, payload;
    size_t bytes() const { return marks.size() + payload.size(); }
  };

  Sealed Seal(Signal signal);
  /// The open batch, or what is to be one, with the bytes that it is kept as.
  Sealed SealAs(Signal signal, Encoding encoding, std::span<const uint8_t> payload, size_t raw_bytes);
  void Enqueue(const Sealed& sealed);
  void Empty(Open& open);
  bool MakeRoom(size_t bytes);

  const BatcherOptions options_;
  GzipCompressor* const gzip_;
  const std::span<uint8_t> packed_;
  BatchQueue& queue_;
  Ledger& ledger_;
  Log& log_;
  TrackMarks* tracks_ = nullptr;
  std::span<TrackMarkBytes> marks_;
  std::array<Open, kSignalCount> open_;
};

}  // namespace limpet
