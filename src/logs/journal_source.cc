#include "logs/journal_source.h"

#include <algorithm>

namespace limpet {
namespace {

// Looking costs a read or two for each file that is written.
constexpr Duration kWaitMin = Milliseconds(250), kWaitMax = Seconds(1);

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
                             RecordPipeline& pipeline, std::span<std::byte> memory)
    : pipeline_(pipeline),
      resource_(resource),
      reader_(files, log, Pages(memory),
              {.directories = config.directory,
               .from_beginning = config.from_beginning,
               .discover = config.discover}),
      record_(memory.subspan(JournalPages::kBytes),
              {.units = config.units, .priority = config.priority, .field_bytes_max = config.max_line_bytes}),
      wait_(kWaitMin) {}

MonoTime JournalSource::OnTime(const Stamp& now, LogEncoder& logs) {
  if (now.mono < next_) return next_;
  // Also while paused: files are opened before journald removes them.
  const bool news = reader_.Poll(now.mono);
  uint32_t records = 0;
  bool more = false;
  if ((news || more_) && !logs.paused()) {
    logs.Begin(resource_, now);
    JournalFile* file = nullptr;
    JournalEntry entry;
    for (; records < kRecordsPerTurn && !logs.paused() && reader_.Next(file, entry); ++records) {
      ReadRecord record;
      switch (record_.Read(*file, entry, record)) {
        case JournalRecord::Outcome::kRead: break;
        case JournalRecord::Outcome::kFiltered: continue;
        case JournalRecord::Outcome::kDamaged: ++damaged_; continue;
      }
      record.uid = JournalUid(reader_.position().seqnum_id, entry.seqnum);
      (void)pipeline_.Write(record, now, logs);
    }
    logs.Finish();
    more = records == kRecordsPerTurn || reader_.busy();
  }
  // What a pause has left unread is read after it.
  more_ = more || (logs.paused() && (news || more_ || records > 0));
  wait_ = records > 0 ? kWaitMin : std::min(wait_ * 2, kWaitMax);
  next_ = more && !logs.paused() ? now.mono : now.mono + wait_;
  return next_;
}

}  // namespace limpet
