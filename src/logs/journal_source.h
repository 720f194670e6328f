// A section of type journald: entries of the journal as log records. What cannot be written yet stays where
// it is: the journal is its own queue.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "batch/source.h"
#include "config/config.h"
#include "logs/journal_reader.h"
#include "logs/journal_record.h"
#include "logs/record_pipeline.h"
#include "logs/track_table.h"

namespace limpet {

/// Of an entry: the beginning of the seqnum_id, a hash of all of it, and the sequence number.
RecordUid JournalUid(const JournalId& seqnum_id, uint64_t seqnum);

class JournalSource final : public Source {
 public:
  static constexpr uint32_t kRecordsPerTurn = 128;

  static size_t BytesNeeded(const LogConfig& config);

  /// resource: an encoded Resource message. memory: BytesNeeded() bytes. All outlive it.
  JournalSource(const LogConfig& config, std::span<const uint8_t> resource, Files& files, Log& log,
                TrackTable& tracks, RecordPipeline& pipeline, std::span<std::byte> memory);

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

 private:
  void Start();
  Track* TrackOf(const JournalId& seqnum_id);
  void NoteNew();

  const TrackOwner owner_;
  TrackTable& tracks_;
  RecordPipeline& pipeline_;
  const std::span<const uint8_t> resource_;
  JournalReader reader_;
  JournalRecord record_;
  uint64_t damaged_ = 0;
  Duration wait_;
  MonoTime next_;
  bool started_ = false;
  bool more_ = false;  // There was more than one turn's share.
};

}  // namespace limpet
