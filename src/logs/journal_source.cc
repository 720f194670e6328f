#include "logs/journal_source.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace limpet {
namespace {

// Looking costs a read or two for each file that is written.
constexpr Duration kWaitMin = Milliseconds(250), kWaitMax = Seconds(1);

std::span<char> Pages(std::span<std::byte> memory) {
  return {reinterpret_cast<char*>(memory.data()), JournalPages::kBytes};
}

// A track says behind its owner which seqnum_id it is of; of none: its source has been there. Its position is
// the number of the last entry.
constexpr size_t kOwnerBytes = sizeof(TrackOwner);
using IdentityBytes = std::array<uint8_t, kOwnerBytes + sizeof(JournalId)>;
IdentityBytes Encode(TrackOwner owner, const JournalId& seqnum_id) {
  IdentityBytes bytes;
  std::memcpy(bytes.data(), &owner, kOwnerBytes);
  std::memcpy(bytes.data() + kOwnerBytes, seqnum_id.data(), seqnum_id.size());
  return bytes;
}

}  // namespace

RecordUid JournalUid(const JournalId& seqnum_id, uint64_t seqnum) {
  RecordUid uid;
  for (size_t i = 0; i < 6; ++i) uid.origin_ms = uid.origin_ms << 8 | seqnum_id[i];
  const uint64_t hash = Hash64({reinterpret_cast<const char*>(seqnum_id.data()), seqnum_id.size()});
  uid.stream = static_cast<uint32_t>(hash ^ hash >> 32);
  uid.position = seqnum;
  return uid;
}

size_t JournalSource::BytesNeeded(const LogConfig& config) {
  return JournalPages::kBytes + JournalRecord::BytesNeeded(config.max_line_bytes);
}

JournalSource::JournalSource(const LogConfig& config, std::span<const uint8_t> resource, Files& files, FileWatch* watch,
                             Log& log,
                             TrackTable& tracks, RecordPipeline& pipeline, std::span<std::byte> memory)
    : owner_(Hash64(config.name)),
      tracks_(tracks),
      pipeline_(pipeline),
      resource_(resource),
      reader_(files, log, Pages(memory),
              {.directories = config.directory,
               .from_beginning = config.from_beginning,
               .discover = config.discover,
               .watch = watch}),
      record_(memory.subspan(JournalPages::kBytes),
              {.units = config.units, .priority = config.priority, .field_bytes_max = config.max_line_bytes}),
      discover_(config.discover),
      wait_(kWaitMin) {}

void JournalSource::Start() {
  started_ = true;
  bool first_time = true;
  tracks_.ForEach(owner_, [&](Track& track) {
    track.adopted = true;
    first_time = false;
    JournalId seqnum_id{};
    const std::span<const uint8_t> identity = track.identity_view();
    if (identity.size() == sizeof(IdentityBytes)) {
      std::memcpy(seqnum_id.data(), identity.data() + kOwnerBytes, seqnum_id.size());
    }
    reader_.Resume(seqnum_id, track.read);
    for (Place& place : places_) {
      if (place.track != nullptr) continue;
      place = {seqnum_id, &track};
      break;
    }
  });
  if (first_time) (void)tracks_.Add(owner_, Encode(owner_, {}), 0);
}

Track* JournalSource::TrackOf(const JournalId& seqnum_id) {
  for (const Place& place : places_) {
    if (place.track != nullptr && place.seqnum_id == seqnum_id) return place.track;
  }
  return nullptr;
}

/// May all that the reader knows be read (T3)? Tracks that are new get their place.
bool JournalSource::TracksReady() {
  const auto followed = [this](const JournalId& seqnum_id) {
    for (size_t i = 0; i < reader_.tracks(); ++i) {
      if (reader_.track(i).seqnum_id == seqnum_id) return true;
    }
    return false;
  };
  bool ready = true;
  for (size_t i = 0; i < reader_.tracks(); ++i) {
    const JournalReader::Position& position = reader_.track(i);
    const Track* known = TrackOf(position.seqnum_id);
    for (size_t n = 0; known == nullptr && n < places_.size(); ++n) {
      Place& place = places_[n];
      if (place.track != nullptr && !followed(place.seqnum_id)) {  // Its files are gone.
        tracks_.Release(*place.track);
        place.track = nullptr;
      }
      if (place.track != nullptr) continue;
      place = {position.seqnum_id, tracks_.Add(owner_, Encode(owner_, position.seqnum_id), position.seqnum)};
      known = place.track;
      break;
    }
    if (known != nullptr && !tracks_.Ready(*known)) ready = false;
  }
  return ready;
}

MonoTime JournalSource::OnTime(const Stamp& now, LogEncoder& logs) {
  if (!tracks_.known()) return kNever;
  if (now.mono < next_) return next_;
  if (!started_) Start();
  // Also while there is no room: files are opened before journald removes them.
  if (reader_.Poll(now.mono)) unread_ = true;
  uint32_t read = 0;
  bool more = false;
  if (unread_ && logs.room() && TracksReady()) {
    read = Read(now, logs);
    more = read == kRecordsPerTurn || reader_.busy();
    unread_ = more || !logs.room();
  }
  wait_ = read > 0 || unread_ ? kWaitMin : std::min(wait_ * 2, kWaitMax);
  // A while is asked all the same: at a rotation journald marks the old file late, and no watch sees that.
  const bool rests = !unread_ && wait_ == kWaitMax && reader_.watched();
  next_ = more ? now.mono : std::min(now.mono + (rests ? discover_ : wait_), std::max(reader_.next_scan(), now.mono));
  return next_;
}

void JournalSource::OnChange(int watch) {
  if (watch != FileWatch::kLost && !reader_.watches(watch)) return;
  next_ = {};
  wait_ = kWaitMin;
}

/// Returns how many entries were read, those that are filtered out included.
uint32_t JournalSource::Read(const Stamp& now, LogEncoder& logs) {
  logs.Begin(resource_, now);
  JournalFile* file = nullptr;
  JournalEntry entry;
  uint32_t count = 0;
  for (; count < kRecordsPerTurn && logs.room() && reader_.Next(file, entry); ++count) {
    const JournalReader::Position& position = reader_.position();
    Track* const track = TrackOf(position.seqnum_id);
    ReadRecord record;
    const JournalRecord::Outcome outcome = record_.Read(*file, entry, record);
    if (outcome == JournalRecord::Outcome::kDamaged) ++damaged_;
    bool written = false;
    if (outcome == JournalRecord::Outcome::kRead) {
      record.uid = JournalUid(position.seqnum_id, entry.seqnum);
      written = pipeline_.Write(record, now, logs) == RecordPipeline::Outcome::kWritten;
    }
    if (track == nullptr) continue;  // There is no place for it: where it is is not kept.
    if (written) {
      tracks_.Advance(*track, position.seqnum);
    } else {
      tracks_.Skip(*track, position.seqnum);
    }
  }
  logs.Finish();
  return count;
}

}  // namespace limpet
