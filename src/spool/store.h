// The worker's side of the spool: runs jobs against the database, one transaction each.
//
// Invariants:
//  S1  What a job reports as added is there, byte for byte, whatever happens after: the transaction
//      was synced before the job ended.
//  S2  A job that fails has changed nothing, neither on flash nor in the totals kept here; but when
//      the failure came from the end of a commit, the commit may be found there afterwards, and the
//      same job again changes nothing more. What fails after the transaction fails the next job.
//  S3  `state` holds, per signal, the totals of the rows behind `done`; both change in the same
//      transaction as the rows, and with them the account: for what was committed
//      collected = delivered + rejected + dropped + dead + held.
//  S4  Rows up to `done` are finished and may still lie there: removing each at once would journal a
//      page for each. They go together: all of a signal with the last one, or when their room is
//      needed, or when they exceed kDoneBytesMax. Those behind `done` that are finished (live_first)
//      are few, and go at once.
//  S5  All files together stay within max_bytes, at every moment: the database has a bound of pages,
//      and a transaction changes at most as many as the journal's part of max_bytes has room for.
//      Batches leave a few pages to what else grows (kOwnPages), and to one letter.
//  S6  A row up to keep_through of its signal, or from keep_from on, is never dropped. What finds no
//      room because of that, or because min_free leaves none, stays in memory: only drop_newest refuses
//      what comes.
//  S7  Damage never ends the process and is never met twice: a row that does not match its checksum
//      is dropped, a file that is no sound database is set aside and what reads is copied. The same
//      befalls a file that was sound when it was opened, the next time it is.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "config/config.h"
#include "limpet/batch.h"
#include "limpet/storage.h"
#include "limpet/time.h"
#include "limpet/worker.h"
#include "spool/job.h"
#include "spool/record.h"
#include "spool/schema.h"
#include "spool/sqlite.h"
#include "spool/state.h"

namespace limpet {

struct SpoolOptions {
  uint64_t max_bytes = 64 * kMiB;   ///< Of all files.
  uint64_t min_free_bytes = 0;      ///< Of the filesystem; 0: none.
  Overflow overflow = Overflow::kDropOldest;
  std::array<uint32_t, kSignalCount> share_percent{25, 25, 25};
  SignalSet signals = kAllSignals;  ///< That may come: the others' shares are not kept free.
  Duration max_age;                 ///< 0: none.
  uint64_t dead_max_bytes = 4 * kMiB;
  Sync sync = Sync::kFull;
  size_t batch_bytes = 64 * kKiB;   ///< The largest batch there can be.
};

class SpoolStore final : public Task {
 public:
  /// Bytes of batches that one transaction may add, one batch always.
  static uint64_t AddBytesMax(uint64_t max_bytes) {
    return std::min<uint64_t>(max_bytes / 4, kMiB) / 4;
  }

  /// A batch's pages are made first and filled then: a cache that does not hold them all writes each
  /// twice (docs/spool.md).
  static size_t CachePages(size_t batch_bytes) { return batch_bytes / (kSpoolPageBytes - 4) + 24; }

  /// buffer: for what is read back, at least as large as the largest batch.
  SpoolStore(const SpoolOptions& options, Storage& storage, Clock& clock,
             std::span<uint8_t> buffer);
  ~SpoolStore() { Close(); }

  /// Whom Run serves.
  void Take(SpoolJob& job) { job_ = &job; }
  void Run() override;

  /// Opens, or makes, the database and reads what it says. Called by Run, and before there is a
  /// worker, by the start.
  Status Open(SpoolOpened& opened);
  void Close();

 private:
  static constexpr uint64_t kOwnPages = 64;  // State, boots, checkpoints, and the trees' own.

  /// What the journal may take of max_bytes: four times what a transaction adds; every page of the
  /// largest batch, when its room is made in the same transaction; and 1 page of 113 that are freed
  /// when a signal is emptied.
  uint64_t JournalBytes() const {
    const uint64_t max = options_.max_bytes;
    return std::min(max / 4, std::max<uint64_t>({kMiB, max / 64, 2 * options_.batch_bytes}));
  }
  /// Pages that the database may have by max_size.
  uint64_t MaxPages() const { return (options_.max_bytes - JournalBytes()) / kSpoolPageBytes; }
  /// Pages that batches leave free.
  uint64_t ReservedPages() const { return kOwnPages + PagesFor(options_.batch_bytes); }

  Status OpenFile();
  Status Configure(bool make);
  Status SetJournal();
  Status CheckFile();
  Status Migrate(int64_t from);
  Status CheckSpace();
  Status Trim();

  Status Transact(SpoolJob& job);
  Status Change(SpoolJob& job);
  Status NoteBoot(const SpoolJob& job);
  void NoteAttempts(const SpoolJob& job);
  Status NoteTracks(const SpoolJob& job);
  Status MoveTracks(const SpoolAdd& add);
  Status ReadTracks(SpoolJob& job);
  Status Bury(SpoolJob& job);
  Status BuryFromMemory(SpoolJob& job, const SpoolBury& bury, Record& record);
  Status BuryRow(SpoolJob& job, const SpoolBury& bury, Record& record, bool* buried);
  Status MakeRoomForLetter(SpoolJob& job, uint64_t bytes, bool* made);
  Status DropOldestLetter(SpoolJob& job, bool* dropped);
  Status DropSameLetter(SpoolJob& job, const BatchHeader& header);
  Status DropLetter(Statement& letter, std::array<uint64_t, kSignalCount>& counted);
  Status BoundDead(SpoolJob& job);
  Status ActOnDead(SpoolJob& job);
  Result<SpoolTotals> SumRows(Signal signal, SpoolRow after, SpoolRow through);
  Status AdvanceDone(SpoolJob& job, Signal signal, SpoolRow through);
  Status FinishBuried(SpoolJob& job, const SpoolBury& bury);
  Status RemoveDoneRows(SpoolJob& job);
  Status FindAdded(SpoolJob& job, std::array<bool, kSpoolAddsMax>& taken);
  Status DropOld(SpoolJob& job);
  Status Add(SpoolJob& job, const std::array<bool, kSpoolAddsMax>& taken);
  Status MakeRoom(SpoolJob& job, Signal signal, uint64_t pages, bool* made,
                  SpoolRow end = UINT64_MAX);
  bool NoRoomAtAll() const;
  uint64_t UnusedShares(Signal signal, uint64_t room) const;
  std::array<uint64_t, kSignalCount> RoomBytes(uint64_t page_limit) const;
  Status RemoveDone(bool needed, bool* removed);
  struct Removed {
    bool found = false;
    uint64_t items = 0;
    UnixTime first, last;
  };
  Status RemoveRow(Signal signal, SpoolRow row, Removed& removed);
  Status Lose(SpoolJob& job, Signal signal, SpoolRow row, DropReason reason);
  Status CheckTable(std::string_view table);
  Status LoseDamaged(SpoolJob& job, Signal signal, SpoolRow row);
  void LoseRest(SpoolJob& job, Signal signal);
  Status KeepHeadroom(SpoolJob& job, uint64_t pages, SpoolRow first);
  Status InsertRecord(Signal signal, const Record& record, const Body& blob);
  Status CopyRecord(Database& from, std::string_view from_table, Signal signal, SpoolRow from_row,
                    std::string_view to_table, SpoolRow to_row, const SpoolBury* letter,
                    UnixTime died, Record& record);
  Result<SpoolRow> Edge(Signal signal, bool newest, SpoolRow after);
  Result<uint64_t> FreePages(uint64_t reserved);
  /// At most, for one batch: its first page, its others, and its part of the tables' own.
  static uint64_t PagesFor(uint64_t bytes) { return bytes / (kSpoolPageBytes - 4) + 3; }
  /// At most, for all: a header of 170 bytes each, and a page that it shares with nobody.
  static uint64_t PagesOf(const SpoolTotals& totals) {
    return (totals.bytes + 1200 * totals.batches) / (kSpoolPageBytes - 4);
  }

  Status Read(SpoolJob& job);
  Status DropUnread(SpoolJob& job, SpoolRow row);
  Status ReadFile(SpoolJob& job);
  Status Shrink();
  void Report(SpoolJob& job);

  Result<bool> Exists(std::string_view name);
  Status MoveFile(std::string_view from, std::string_view to);
  Status SetNewerAside();
  Status Salvage(SpoolOpened& opened);
  Status FinishSalvage();
  Status SalvageInto(Database& from, bool* known, SpoolState& found);
  Status SalvageSmall(Database& from);
  Status SalvageTable(Database& from, std::string_view table, Signal signal, SpoolRow after);
  Status SalvageRow(Database& from, std::string_view table, Signal signal, SpoolRow row);
  Status CommitSalvaged();
  bool IsLost(const Status& status);
  void Suspect(const Status& status);

  const SpoolOptions options_;
  Storage& storage_;
  Clock& clock_;
  const std::span<uint8_t> buffer_;
  SpoolJob* job_ = nullptr;

  Database db_;
  std::array<Statement, kSignalCount> inserts_;  // Kept: to compile one takes longer than to run it.
  SpoolState state_, saved_;  // As it is to be, and as it was committed.
  uint64_t page_limit_ = 0;   // Pages that the database may fill now.
  bool fresh_ = false;
  uint64_t boot_ = 0;         // This boot's row; 0: not looked up yet.
  UnixTime boot_first_wall_;
  uint64_t written_before_ = 0;  // By earlier processes; known once a file was opened.
  bool written_known_ = false;
  uint64_t generation_;       // Begins with the time: no other process counts the same numbers.
  uint64_t damaged_ = 0;
  bool newer_set_aside_ = false;
  bool suspect_ = false;      // The file is to be set aside when it is opened next (S7).
  int unreadable_ = 0;        // Failures to read it, one after the other,
  int salvage_tries_ = 0;     // and attempts to copy what reads out of the one set aside.
  bool committed_ = false;    // By the job that runs.
  Status late_;               // A failure after that, for the next job to tell (S2).
};

}  // namespace limpet
