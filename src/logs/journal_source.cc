#include "logs/journal_source.h"

#include <algorithm>
#include <cstring>

#include "base/hash.h"

namespace limpet {
namespace {

// Looking costs a read or two for each file that is written.
constexpr Duration kWaitMin = Milliseconds(250), kWaitMax = Seconds(1);

constexpr size_t kIdentityBytes = sizeof(TrackOwner) + sizeof(JournalId);

std::span<char> Pages(std::span<std::byte> memory) {
  return {reinterpret_cast<char*>(memory.data()), JournalPages::kBytes};
}

}  // namespace

RecordUid JournalUid(const JournalId& seqnum_id, uint64_t seqnum) {
  RecordUid uid;
  for (size_t i = 0; i < 6; ++i) uid.origin_ms = uid.origin_ms << 8 | seqnum_id[i];
  uint32_t hash = 0x811C9DC5;  // FNV-1a
  for (const uint8_t byte : seqnum_id) hash = (hash ^ byte) * 0x01000193;
  uid.stream = hash;
  uid.position = seqnum;
  return uid;
}

size_t JournalSource::BytesNeeded(const LogConfig& config) {
  return JournalPages::kBytes + JournalRecord::BytesNeeded(config.max_line_bytes);
}

JournalSource::JournalSource(const LogConfig& config, std::span<const uint8_t> resource, Files& files, Log& log,
                             TrackTable& tracks, RecordPipeline& pipeline, std::span<std::byte> memory)
    : owner_(Hash64(config.name)),
      tracks_(tracks),
      pipeline_(pipeline),
      resource_(resource),
      reader_(files, log, Pages(memory),
              {.directories = config.directory,
               .from_beginning = config.from_beginning,
               .discover = config.discover}),
      record_(memory.subspan(JournalPages::kBytes),
              {.units = config.units, .priority = config.priority, .field_bytes_max = config.max_line_bytes}),
      wait_(kWaitMin) {}

/// A track of a journal is known by its seqnum_id; its position is the number of the last entry.
void JournalSource::Start() {
  started_ = true;
  tracks_.ForEach(owner_, [this](Track& track) {
    track.adopted = true;
    if (track.identity_bytes != kIdentityBytes) return;
    JournalId id;
    std::copy_n(track.identity.begin() + sizeof(TrackOwner), id.size(), id.begin());
    reader_.Resume(id, track.read);
  });
}

Track* JournalSource::TrackOf(const JournalId& seqnum_id) {
  Track* found = nullptr;
  tracks_.ForEach(owner_, [&](Track& track) {
    const auto id = track.identity_view().subspan(sizeof(TrackOwner));
    if (std::equal(id.begin(), id.end(), seqnum_id.begin(), seqnum_id.end())) found = &track;
  });
  return found;
}

/// What begins at its end does so once, also should nothing be read before the next start.
void JournalSource::NoteNew() {
  for (size_t n = 0; n < reader_.tracks(); ++n) {
    const JournalReader::Position& position = reader_.track(n);
    if (TrackOf(position.seqnum_id) != nullptr) continue;
    std::array<uint8_t, kIdentityBytes> identity;
    std::memcpy(identity.data(), &owner_, sizeof owner_);
    std::copy(position.seqnum_id.begin(), position.seqnum_id.end(), identity.begin() + sizeof owner_);
    (void)tracks_.Add(owner_, identity, position.seqnum);
  }
}

MonoTime JournalSource::OnTime(const Stamp& now, LogEncoder& logs) {
  if (!tracks_.known()) return kNever;
  if (!started_) Start();
  if (now.mono < next_) return next_;
  // Also while paused: files are opened before journald removes them.
  const bool news = reader_.Poll(now.mono);
  NoteNew();
  uint32_t records = 0;
  bool more = false;
  if ((news || more_) && logs.room()) {
    logs.Begin(resource_, now);
    JournalFile* file = nullptr;
    JournalEntry entry;
    for (; records < kRecordsPerTurn && logs.room() && reader_.Next(file, entry); ++records) {
      ReadRecord record;
      const JournalRecord::Outcome read = record_.Read(*file, entry, record);
      damaged_ += read == JournalRecord::Outcome::kDamaged ? 1 : 0;
      record.uid = JournalUid(reader_.position().seqnum_id, entry.seqnum);
      const bool written = read == JournalRecord::Outcome::kRead &&
                           pipeline_.Write(record, now, logs) == RecordPipeline::Outcome::kWritten;
      Track* const track = TrackOf(reader_.position().seqnum_id);
      if (track != nullptr && written) tracks_.Advance(*track, entry.seqnum);
      if (track != nullptr && !written) tracks_.Skip(*track, entry.seqnum);
    }
    logs.Finish();
    more = records == kRecordsPerTurn || reader_.busy();
  }
  // What a pause has left unread is read after it.
  more_ = more || (!logs.room() && (news || more_ || records > 0));
  wait_ = records > 0 ? kWaitMin : std::min(wait_ * 2, kWaitMax);
  next_ = more && logs.room() ? now.mono : now.mono + wait_;
  return next_;
}

}  // namespace limpet
