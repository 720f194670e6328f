#include "logs/track_table.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace limpet {
namespace {

constexpr size_t kOwnerBytes = sizeof(TrackOwner);

}  // namespace

size_t TrackTable::BytesNeeded(size_t tracks, size_t batch_items) {
  const size_t open = std::min(tracks, batch_items);
  return tracks * sizeof(Track) + open * (sizeof(TrackMarkBytes) + sizeof(uint16_t)) + alignof(Track);
}

TrackTable::TrackTable(std::span<std::byte> memory, size_t tracks, size_t batch_items, Log& log) : log_(log) {
  LIMPET_CHECK(memory.size() >= BytesNeeded(tracks, batch_items) && tracks <= UINT16_MAX);
  const size_t open = std::min(tracks, batch_items);
  Track* const first = reinterpret_cast<Track*>(memory.data());
  for (size_t i = 0; i < tracks; ++i) new (first + i) Track;
  tracks_ = {first, tracks};
  std::byte* rest = memory.data() + tracks * sizeof(Track);
  marks_ = {new (rest) TrackMarkBytes[open], open};
  rest += open * sizeof(TrackMarkBytes);
  open_ = {new (rest) uint16_t[open], open};
}

Track* TrackTable::Find(TrackId id) {
  // Ids are given out in the order of places, as long as none comes free.
  const size_t guess = static_cast<size_t>(id % tracks_.size());
  for (size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[(guess + i) % tracks_.size()];
    if (track.id == id) return &track;
  }
  return nullptr;
}

Track* TrackTable::FreePlace() {
  const size_t guess = static_cast<size_t>(next_ % tracks_.size());
  for (size_t i = 0; i < tracks_.size(); ++i) {
    Track& track = tracks_[(guess + i) % tracks_.size()];
    if (track.id == 0) return &track;
  }
  return nullptr;
}

Track* TrackTable::Add(TrackOwner owner, std::span<const uint8_t> identity, uint64_t position) {
  LIMPET_CHECK(identity.size() >= kOwnerBytes && identity.size() <= kTrackIdentityMax);
  Track* const track = FreePlace();
  if (track == nullptr) {
    if (!told_full_) log_.Warn("more files are followed than there is room for", {{"room", tracks_.size()}});
    told_full_ = true;
    return nullptr;
  }
  *track = Track{};
  track->id = next_++;
  track->owner = owner;
  track->adopted = true;
  track->read = track->closed = track->settled = position;
  (void)Describe(*track, identity, true);
  return track;
}

bool TrackTable::Describe(Track& track, std::span<const uint8_t> identity, bool soon) {
  if (track.writing) return false;  // The worker reads it.
  std::copy(identity.begin(), identity.end(), track.identity.begin());
  track.identity_bytes = static_cast<uint8_t>(identity.size());
  track.identity_kept = false;
  urgent_ = urgent_ || soon;
  Touch();
  return true;
}

void TrackTable::Free(Track& track) {
  track = Track{};
  told_full_ = false;
}

void TrackTable::Release(Track& track, bool soon) {
  track.removed = true;
  urgent_ = urgent_ || soon;
  Forget(track);
}

/// What flash does not know of, and will not be told, goes at once.
void TrackTable::Forget(Track& track) {
  if (!IsOver(track)) return;
  Touch();
  if (!track.on_flash && !track.writing && !durable_) Free(track);
}

void TrackTable::NoteOpen(Track& track) {
  LIMPET_CHECK(open_count_ < open_.size());
  track.in_open = true;
  open_[open_count_++] = static_cast<uint16_t>(&track - tracks_.data());
}

void TrackTable::Skip(Track& track, uint64_t position) {
  track.read = position;
  if (track.in_open) return;
  track.closed = position;
  if (track.outstanding > 0) return;
  track.settled = position;
  Touch();
}

size_t TrackTable::ListMarks(std::span<TrackMarkBytes> into) {
  LIMPET_CHECK(open_count_ <= into.size());
  for (size_t i = 0; i < open_count_; ++i) {
    const Track& track = tracks_[open_[i]];
    into[i] = EncodeMark({track.id, track.read});
  }
  return open_count_;
}

void TrackTable::MarksClosed() {
  for (const uint16_t place : open_.first(open_count_)) {
    Track& track = tracks_[place];
    track.in_open = false;
    track.closed = track.read;
    ++track.outstanding;
  }
  open_count_ = 0;
}

/// T2: where what came before has no outcome yet, this waits until all of the track has.
void TrackTable::Settle(const TrackMark& mark, bool in_order, bool on_flash) {
  Track* const track = Find(mark.id);
  if (track == nullptr || track->outstanding == 0) return;
  --track->outstanding;
  if (in_order) track->settled = std::max(track->settled, mark.position);
  if (track->outstanding == 0) track->settled = std::max(track->settled, track->closed);
  if (on_flash) track->kept = std::max(track->kept, mark.position);
  if (Changed(*track)) Touch();
  Forget(*track);
}

/// Nobody needs to know of it any more.
bool TrackTable::IsOver(const Track& track) {
  return track.removed && track.outstanding == 0 && !track.in_open;
}

bool TrackTable::Changed(const Track& track) {
  return IsOver(track) || !track.on_flash || !track.identity_kept || track.settled > track.kept;
}

size_t TrackTable::FillChanges(std::span<TrackChange> into) {
  size_t count = 0;
  bool more = false;
  // What is new first: an older one may be given up for it.
  for (size_t i = 0; i < 2 * tracks_.size() && !more; ++i) {
    Track& track = tracks_[i % tracks_.size()];
    const bool is_new = i < tracks_.size();
    if (track.id == 0 || track.on_flash == is_new || !Changed(track)) continue;
    more = count == into.size();
    if (more) break;
    track.writing = true;
    track.writing_removal = IsOver(track);
    track.writing_identity = !track.writing_removal && (!track.on_flash || !track.identity_kept);
    track.writing_position = track.settled;
    TrackChange& change = into[count++];
    change = {.id = track.id, .position = track.settled, .removed = track.writing_removal};
    if (track.writing_identity) {
      change.identity = track.identity_view();
      track.identity_kept = true;  // Unless it is described anew meanwhile: then again.
    }
  }
  if (!more) dirty_since_ = kNever, urgent_ = false;
  return count;
}

void TrackTable::ChangesWritten(bool ok) {
  durable_ = ok;
  news_ = true;
  bool left = false;
  for (Track& track : tracks_) {
    if (!track.writing) {
      left = left || (track.id != 0 && Changed(track));
      continue;
    }
    track.writing = false;
    if (!ok) {
      if (track.writing_identity) track.identity_kept = false;
    } else if (track.writing_removal) {
      Free(track);
      continue;
    } else {
      track.on_flash = true;
      track.kept = std::max(track.kept, track.writing_position);
    }
    left = left || Changed(track);
  }
  if (left) Touch();
}

MonoTime TrackTable::ChangesDue() const {
  if (urgent_) return MonoTime{};
  return dirty_since_ == kNever ? kNever : dirty_since_ + kPace;
}

void TrackTable::TakeKept(std::span<const KeptTrack> tracks) {
  for (const KeptTrack& kept : tracks) {
    next_ = std::max(next_, kept.id + 1);
    if (kept.identity_bytes < kOwnerBytes || Find(kept.id) != nullptr) continue;
    Track* const track = FreePlace();
    if (track == nullptr) {
      if (!told_full_) log_.Warn("more files were followed than there is room for now", {{"room", tracks_.size()}});
      told_full_ = true;
      continue;
    }
    *track = Track{};
    track->id = kept.id;
    track->read = track->closed = track->settled = track->kept = kept.position;
    track->on_flash = track->identity_kept = true;
    std::copy_n(kept.identity.begin(), kept.identity_bytes, track->identity.begin());
    track->identity_bytes = static_cast<uint8_t>(kept.identity_bytes);
    std::memcpy(&track->owner, kept.identity.data(), kOwnerBytes);
  }
}

void TrackTable::ReleaseUnknown() {
  for (Track& track : tracks_) {
    if (track.id != 0 && !track.adopted) Release(track);
  }
}

}  // namespace limpet
