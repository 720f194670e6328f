// A section of type journald: entries of the journal as log records. What cannot be written yet stays where
// it is: the journal is its own queue.
#pragma once

#include <array>
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

class JournalSource final : public Source, public ChangeHandler {
 public:
  static constexpr uint32_t kRecordsPerTurn = 128;

  static size_t BytesNeeded(const LogConfig& config);

  /// resource: an encoded Resource message. watch: nullptr: files are asked. memory: BytesNeeded() bytes.
  /// All outlive it.
  JournalSource(const LogConfig& config, std::span<const uint8_t> resource, Files& files, FileWatch* watch, Log& log,
                TrackTable& tracks, RecordPipeline& pipeline, std::span<std::byte> memory);

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;
  void OnChange(int watch) override;

  std::string_view problem() const { return reader_.problem(); }
  /// Numbers without an entry, and entries of which not one field could be read.
  uint64_t lost() const { return reader_.counts().missing + damaged_; }

 private:
  struct Place {  // The track of a seqnum_id.
    JournalId seqnum_id{};
    Track* track = nullptr;
  };

  void Start();
  bool TracksReady();
  Track* TrackOf(const JournalId& seqnum_id);
  uint32_t Read(const Stamp& now, LogEncoder& logs);

  const TrackOwner owner_;
  TrackTable& tracks_;
  RecordPipeline& pipeline_;
  const std::span<const uint8_t> resource_;
  JournalReader reader_;
  JournalRecord record_;

  bool started_ = false;
  const Duration discover_;
  bool unread_ = false;  // There may be something that was seen.
  std::array<Place, kJournalTracksMax> places_;
  uint64_t damaged_ = 0;
  Duration wait_;
  MonoTime next_;
};

}  // namespace limpet
