// The tracks of all log sources: how far each file, journal or kernel log has been read, has come out,
// and is known to have come out by flash.
//
// Invariants:
//  T1  kept <= settled <= closed <= read, but for `kept` where a commit ran ahead of an outcome.
//  T2  `settled` passes no record that is without an outcome and not committed.
//  T3  Nothing is read along a track before flash knows its identity, so that the same record has the
//      same uid when it is read again; where flash cannot be used it is not waited for.
#pragma once

#include <cstdint>
#include <span>
#include <utility>

#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/tracks.h"

namespace limpet {

/// Whose track it is: a hash of the section's name, or 0.
using TrackOwner = uint64_t;

struct Track {
  TrackId id = 0;  ///< 0: a free place.
  TrackOwner owner = 0;
  uint64_t read = 0;     ///< What stands before is in batches, or filtered out,
  uint64_t closed = 0;   ///< is in no open batch,
  uint64_t settled = 0;  ///< has an outcome or is committed,
  uint64_t kept = 0;     ///< and flash says so.
  uint32_t outstanding = 0;  ///< Closed batches with it that are neither.
  bool in_open = false;      ///< The open batch has some of it.
  bool adopted = false;      ///< Its source knows it.
  bool removed = false;      ///< To be forgotten, on flash too.
  // Its source's.
  bool named = false;        ///< Some name led to its file at the last look.
  uint8_t spent = 0;         ///< It is at its end, but a copy may have its name: 1, and 2 once a look has begun since.

  // What flash knows, or is being told.
  bool on_flash = false, identity_kept = false;
  bool writing = false, writing_identity = false, writing_removal = false;
  uint64_t writing_position = 0;

  std::array<uint8_t, kTrackIdentityMax> identity{};
  uint8_t identity_bytes = 0;
  std::span<const uint8_t> identity_view() const { return std::span(identity).first(identity_bytes); }
};

class TrackTable final : public TrackMarks, public TrackKeeper {
 public:
  /// A change of positions alone is written after so long, in calm (spec.md section 4).
  static constexpr Duration kPace = Seconds(30);

  static size_t BytesNeeded(size_t tracks, size_t batch_items);

  /// memory: BytesNeeded of the numbers, aligned to 8.
  TrackTable(std::span<std::byte> memory, size_t tracks, size_t batch_items, Log& log);
  TrackTable(const TrackTable&) = delete;
  TrackTable& operator=(const TrackTable&) = delete;

  /// Time for what follows.
  void SetNow(MonoTime now) { now_ = now; }

  /// What an earlier process left is known: sources can begin.
  bool known() const { return known_; }

  /// A new track. identity: kTrackIdentityMax bytes at most; its first eight are the owner (BeginIdentity).
  /// Null: no place.
  Track* Add(TrackOwner owner, std::span<const uint8_t> identity, uint64_t position);
  /// Its identity has become more exact; it is not waited for. soon: flash is told at once. False: not
  /// now, ask again.
  bool Describe(Track& track, std::span<const uint8_t> identity, bool soon);
  /// It is at its end, and nothing more of it will be read. Forgotten once all of it is settled; the
  /// pointer is not used again. soon: its place is wanted, flash is told at once.
  void Release(Track& track, bool soon = false);

  /// May it be read (T3)?
  bool Ready(const Track& track) const { return track.on_flash || !durable_; }

  /// A record up to that position was just written to the open batch.
  void Advance(Track& track, uint64_t position) {
    if (!track.in_open) NoteOpen(track);
    track.read = position;
  }
  /// What stands before the position has its outcome already, or never gets one.
  void Skip(Track& track, uint64_t position);

  /// Tracks in use, those to be forgotten left out.
  template <typename Visit>
  void ForEach(TrackOwner owner, Visit visit) {
    for (Track& track : tracks_) {
      if (track.id != 0 && !track.removed && track.owner == owner) visit(track);
    }
  }
  /// Forgets tracks that no source has adopted.
  void ReleaseUnknown();

  // TrackMarks
  size_t ListMarks(std::span<TrackMarkBytes> into) override;
  void MarksClosed() override;
  void Settle(const TrackMark& mark, bool in_order, bool on_flash) override;

  // TrackKeeper
  size_t FillChanges(std::span<TrackChange> into) override;
  void ChangesWritten(bool ok) override;
  MonoTime ChangesDue() const override;
  void TakeKept(std::span<const KeptTrack> tracks) override;
  void KeptEnds() override { known_ = news_ = true; }
  void FlashFails() override { durable_ = false, news_ = true; }

  /// Something that sources wait for has come, since this was asked last.
  bool TakeNews() { return std::exchange(news_, false); }

  std::span<TrackMarkBytes> marks_room() const { return marks_; }

 private:
  Track* Find(TrackId id);
  Track* FreePlace();
  void Free(Track& track);
  void Forget(Track& track);
  void NoteOpen(Track& track);
  void Touch() {
    if (dirty_since_ == kNever) dirty_since_ = now_;
  }
  static bool IsOver(const Track& track);
  static bool Changed(const Track& track);

  std::span<Track> tracks_;
  std::span<uint16_t> open_;         // Tracks that the open batch has some of.
  std::span<TrackMarkBytes> marks_;
  size_t open_count_ = 0;
  Log& log_;
  TrackId next_ = 1;
  MonoTime now_, dirty_since_ = kNever;
  bool urgent_ = false;   // A new one waits to be read.
  bool known_ = false, durable_ = true;
  bool news_ = false;
  bool told_full_ = false;
};

}  // namespace limpet
