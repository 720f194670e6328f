// Tracks: how far sources that can be read again have been read. A track is one thing that grows at its
// end, such as a generation of a file or a journal; its position only grows. A batch says which tracks it
// has come along, and how far (its marks), so that a track is moved on in the spool only with what is
// acknowledged or committed.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/time.h"

namespace limpet {

/// From 1, never given twice. 0: none.
using TrackId = uint64_t;

inline constexpr size_t kTrackIdentityMax = 64;

struct TrackMark {
  TrackId id = 0;
  uint64_t position = 0;
};

/// As a batch carries it in front of its bytes: both numbers little-endian.
inline constexpr size_t kTrackMarkBytes = 16;
using TrackMarkBytes = std::array<uint8_t, kTrackMarkBytes>;
constexpr TrackMarkBytes EncodeMark(const TrackMark& mark) {
  TrackMarkBytes bytes{};
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<uint8_t>(mark.id >> 8 * i);
    bytes[8 + i] = static_cast<uint8_t>(mark.position >> 8 * i);
  }
  return bytes;
}
constexpr TrackMark DecodeMark(const TrackMarkBytes& bytes) {
  TrackMark mark;
  for (size_t i = 0; i < 8; ++i) {
    mark.id |= uint64_t{bytes[i]} << 8 * i;
    mark.position |= uint64_t{bytes[8 + i]} << 8 * i;
  }
  return mark;
}

/// The marks in front of a batch's bytes, one after the other.
class MarkReader {
 public:
  /// record: marks and bytes; the first `bytes` of it are marks.
  MarkReader(const Body& record, size_t bytes) : record_(record), end_(bytes - bytes % kTrackMarkBytes) {}
  bool Next(TrackMark& mark) {
    if (at_ == end_) return false;
    TrackMarkBytes bytes;
    for (size_t got = 0; got < bytes.size();) {
      const std::span<const uint8_t> piece = record_.At(at_ + got);
      const size_t count = std::min(piece.size(), bytes.size() - got);
      std::copy_n(piece.begin(), count, bytes.begin() + static_cast<std::ptrdiff_t>(got));
      got += count;
    }
    at_ += bytes.size();
    mark = DecodeMark(bytes);
    return true;
  }

 private:
  const Body& record_;
  size_t at_ = 0;
  const size_t end_;
};

/// Where marks come from and go back to.
class TrackMarks {
 public:
  /// The marks of the open batch of logs, each track once. Returns their count.
  virtual size_t ListMarks(std::span<TrackMarkBytes> into) = 0;
  /// It is closed: the next is empty.
  virtual void MarksClosed() = 0;

  /// What a mark stands for has an outcome, or is committed. in_order: nothing collected before it is
  /// without. on_flash: the spool has moved the track on already.
  virtual void Settle(const TrackMark& mark, bool in_order, bool on_flash) = 0;

 protected:
  ~TrackMarks() = default;
};

/// A track as it is written to the spool.
struct TrackChange {
  TrackId id = 0;
  uint64_t position = 0;
  std::span<const uint8_t> identity;  ///< Of a new one; empty: known. Stays until the change is written.
  bool removed = false;
};

/// And as it is read back.
struct KeptTrack {
  TrackId id = 0;
  uint64_t position = 0;
  std::array<uint8_t, kTrackIdentityMax> identity{};
  size_t identity_bytes = 0;
};

/// Who has tracks to be kept in the spool.
class TrackKeeper {
 public:
  /// Hands out what has changed since it was written last, as much as `into` takes. Returns the count.
  virtual size_t FillChanges(std::span<TrackChange> into) = 0;
  /// The transaction with what was handed out has ended.
  virtual void ChangesWritten(bool ok) = 0;
  /// When that has to happen at the latest; kNever: nothing has changed.
  virtual MonoTime ChangesDue() const = 0;

  /// What an earlier process left, in the order of ids, piece by piece.
  virtual void TakeKept(std::span<const KeptTrack> tracks) = 0;
  /// All of that is known now; or nothing can be known.
  virtual void KeptEnds() = 0;
  /// For now nothing can be written: the spool is off, or fails. Until the next ChangesWritten(true).
  virtual void FlashFails() = 0;

 protected:
  ~TrackKeeper() = default;
};

}  // namespace limpet
