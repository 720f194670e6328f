// The transaction of a job.
#include <algorithm>

#include "spool/store.h"
#include "spool/store_sql.h"

namespace limpet {
namespace {

constexpr uint64_t kBootsKept = 256;

}  // namespace

/// S2: all of it, or nothing.
Status SpoolStore::Transact(SpoolJob& job) {
  LIMPET_TRY(CheckSpace());
  LIMPET_TRY(Trim());
  LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
  Status status = Change(job);
  if (status.ok()) status = db_.Execute("COMMIT");
  if (status.ok()) {
    saved_ = state_;
    committed_ = true;
    ++generation_;
    job.room_bytes = RoomBytes(page_limit_);
    return {};
  }
  // Should even this fail, for want of memory, then closing the database does the same.
  if (db_.in_transaction()) (void)db_.Execute("ROLLBACK");
  state_ = saved_;
  job.added = job.refused = {};
  job.lost = {};
  job.refused_items = job.buried_items = job.buried_rows_items = job.dead_overflow_items = {};
  job.purged_items = job.retried_items = {};
  job.dead_changed = 0;
  return status;
}

Status SpoolStore::Change(SpoolJob& job) {
  state_.next_row = std::max(state_.next_row, job.next_row);
  std::array<bool, kSpoolAddsMax> taken{};  // By another batch: only a mistake of the loop's.
  LIMPET_TRY(FindAdded(job, taken));
  NoteAttempts(job);
  LIMPET_TRY(RemoveDoneRows(job));
  LIMPET_TRY(Bury(job));
  for (const Signal signal : kSignals) {
    LIMPET_TRY(AdvanceDone(job, signal, job.done_through[Index(signal)]));
  }
  LIMPET_TRY(ActOnDead(job));
  LIMPET_TRY(DropOld(job));
  LIMPET_TRY(NoteTracks(job));
  LIMPET_TRY(Add(job, taken));
  LIMPET_TRY(NoteBoot(job));

  // S3: what the loop knows, and what came of this transaction.
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    const uint64_t dead = state_.account.accounts[i].dead;
    Account& account = state_.account.accounts[i];
    account = job.account.accounts[i];
    account.dead = dead;
    for (size_t r = 0; r < kDropReasonCount; ++r) account.dropped[r] += job.lost[i][r].items;
    account.dropped[At(DropReason::kOverflow)] += job.refused_items[i];
    account.dropped[At(DropReason::kDeadOverflow)] += job.dead_overflow_items[i];
    account.dropped[At(DropReason::kDeadPurged)] += job.purged_items[i];
  }
  state_.account.sections = job.account.sections;
  state_.account.section_count = job.account.section_count;
  state_.instance = job.instance;
  state_.last_commit = job.wall.ns;
  state_.clean = job.last ? 1 : 0;
  state_.written_bytes = written_before_ + storage_.written_bytes();
  return SaveState(db_, state_, saved_);
}

/// The first or last row of a signal behind `after`; 0: none.
Result<SpoolRow> SpoolStore::Edge(Signal signal, bool newest, SpoolRow after) {
  Sql sql;
  sql << "SELECT row FROM " << SpoolTable(signal) << " WHERE row>" << after << " ORDER BY row "
      << (newest ? "DESC" : "ASC") << " LIMIT 1" << '\0';
  const Result<int64_t> row = db_.Number(sql.text().data());
  if (!row.ok()) return row.status();
  return static_cast<SpoolRow>(row.value());
}

Status SpoolStore::NoteBoot(const SpoolJob& job) {
  Statement statement;
  if (boot_ == 0) {
    LIMPET_TRY(statement.Prepare(db_, "SELECT counter FROM boot WHERE id=?1"));
    statement.Bind(1, std::span<const uint8_t>(job.boot.bytes));
    const Result<bool> found = statement.Step();
    if (!found.ok()) return found.status();
    const auto known = found.value() ? static_cast<uint64_t>(statement.Number(0)) : 0;
    statement.Finish();
    if (known == 0) {
      LIMPET_TRY(statement.Prepare(
          db_,
          "INSERT INTO boot(counter,id,first_mono,last_mono,first_wall,wall_offset) "
          "SELECT 1+coalesce(max(counter),0),?1,?2,?2,?3,?4 FROM boot"));
      statement.Bind(1, std::span<const uint8_t>(job.boot.bytes));
      statement.Bind(2, job.mono.ns);
      statement.Bind(3, job.wall.ns);
      statement.Bind(4, job.wall.ns - job.mono.ns);
      LIMPET_TRY(statement.Run());
      statement.Finish();
      Sql old;
      old << "DELETE FROM boot WHERE counter<=(SELECT max(counter) FROM boot)-" << kBootsKept << '\0';
      return db_.Execute(old.text().data());
    }
    boot_ = known;
  }
  LIMPET_TRY(statement.Prepare(db_, "UPDATE boot SET last_mono=?2,wall_offset=?3 WHERE counter=?1"));
  statement.Bind(1, static_cast<int64_t>(boot_));
  statement.Bind(2, job.mono.ns);
  statement.Bind(3, job.wall.ns - job.mono.ns);
  return statement.Run();
}

/// What has been tried: a restart must know.
void SpoolStore::NoteAttempts(const SpoolJob& job) {
  for (size_t i = 0; i < kSignalCount; ++i) {
    for (size_t n = 0; n < kTriedMax; ++n) {
      if (job.tried[i][n].row != 0) state_.tried[i][n] = job.tried[i][n];
    }
  }
}

namespace {

constexpr std::string_view kMoveTrack = "UPDATE track SET position=max(position,?2) WHERE id=?1";

}  // namespace

Status SpoolStore::NoteTracks(const SpoolJob& job) {
  Statement statement;
  for (const TrackChange& track : std::span(job.tracks).first(job.track_count)) {
    LIMPET_TRY(statement.Prepare(
        db_, track.removed            ? "DELETE FROM track WHERE id=?1"
             : track.identity.empty() ? kMoveTrack
                                      : "INSERT OR REPLACE INTO track(id,position,identity) VALUES(?1,?2,?3)"));
    statement.Bind(1, static_cast<int64_t>(track.id));
    if (!track.removed) statement.Bind(2, static_cast<int64_t>(track.position));
    if (!track.removed && !track.identity.empty()) statement.Bind(3, track.identity);
    LIMPET_TRY(statement.Run());
  }
  return {};
}

/// A batch that is kept here need not be read again where it came from.
Status SpoolStore::MoveTracks(const SpoolAdd& add) {
  if (add.header.checkpoint_bytes < kTrackMarkBytes) return {};
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, kMoveTrack));
  MarkReader marks(*add.record, add.header.checkpoint_bytes);
  for (TrackMark mark; marks.Next(mark);) {
    statement.Bind(1, static_cast<int64_t>(mark.id));
    statement.Bind(2, static_cast<int64_t>(mark.position));
    LIMPET_TRY(statement.Run());
  }
  return {};
}

Status SpoolStore::ReadTracks(SpoolJob& job) {
  job.tracks_read_count = 0;
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, "SELECT id,position,identity FROM track WHERE id>?1 AND length(identity)<=64 ORDER BY id LIMIT ?2"));
  statement.Bind(1, static_cast<int64_t>(job.tracks_after));
  statement.Bind(2, static_cast<int64_t>(job.tracks_read.size()));
  while (job.tracks_read_count < job.tracks_read.size()) {
    const Result<bool> found = statement.Step();
    if (!found.ok()) return found.status();
    if (!found.value()) break;
    KeptTrack& track = job.tracks_read[job.tracks_read_count++];
    track.id = static_cast<TrackId>(statement.Number(0));
    track.position = static_cast<uint64_t>(statement.Number(1));
    const std::span<const uint8_t> identity = statement.Bytes(2);
    track.identity_bytes = std::min(identity.size(), track.identity.size());
    std::copy_n(identity.begin(), track.identity_bytes, track.identity.begin());
  }
  return {};
}

Status SpoolStore::InsertRecord(Signal signal, const Record& record, const Body& blob) {
  const TableName table(SpoolTable(signal));
  Statement& insert = inserts_[Index(signal)];
  if (!insert.is_prepared()) {
    Sql sql;
    sql << "INSERT INTO " << SpoolTable(signal) << "(row," << kRecordColumns << ",bytes) VALUES(?";
    for (int c = 0; c < kRecordColumnCount + 1; ++c) sql << ",?";
    sql << ')';
    LIMPET_TRY(insert.Prepare(db_, sql.text()));
  }
  insert.BindZeros(BindRecord(insert, record), record.blob_bytes());
  LIMPET_TRY(insert.Run());
  return WriteBlob(db_, table.c_str(), record.row, blob);
}

/// A job that was thought to have failed may have brought its batches here. Asked before anything is
/// dropped, so that one that goes then is counted as what it is: added, and lost.
Status SpoolStore::FindAdded(SpoolJob& job, std::array<bool, kSpoolAddsMax>& taken) {
  for (size_t n = 0; n < job.add_count; ++n) {
    const SpoolAdd& add = job.adds[n];
    job.added[n] = false;
    if (add.row >= saved_.next_row) continue;  // A number given after the last commit.
    Sql sql;
    sql << "SELECT start,sequence FROM " << SpoolTable(add.header.signal) << " WHERE row=?1";
    Statement statement;
    LIMPET_TRY(statement.Prepare(db_, sql.text()));
    statement.Bind(1, static_cast<int64_t>(add.row));
    const Result<bool> there = statement.Step();
    if (!there.ok()) return there.status();
    job.added[n] = there.value() &&
                   static_cast<uint64_t>(statement.Number(0)) == add.header.start &&
                   static_cast<uint64_t>(statement.Number(1)) == add.header.sequence;
    taken[n] = there.value() && !job.added[n];
  }
  return {};
}

Status SpoolStore::Add(SpoolJob& job, const std::array<bool, kSpoolAddsMax>& taken) {
  uint64_t pages = 0;
  SpoolRow first = UINT64_MAX;  // What a job brings it does not drop: in memory it was as safe.
  std::array<bool, kSignalCount> kept_out{};  // One that stays in memory is overtaken by none.
  job.refused = {};
  for (size_t n = 0; n < job.add_count; ++n) {
    const SpoolAdd& add = job.adds[n];
    const size_t i = Index(add.header.signal);
    if (job.added[n]) continue;
    const Record record{add.row, add.header, RecordChecksum(add.header, *add.record)};
    const uint64_t needed = PagesFor(record.blob_bytes());
    bool made = false;
    // A number behind which all is done would never be read.
    const bool lost = taken[n] || add.row <= state_.done[i];
    if (!kept_out[i] && !lost) LIMPET_TRY(MakeRoom(job, add.header.signal, needed, &made, first));
    if (!made) {
      if (lost) continue;
      // While the device is full nobody is better served by a batch dropped than by one in memory.
      if (NoRoomAtAll()) return {Code::kFull, 0, "min_free leaves no room for the spool"};
      kept_out[i] = true;
      job.refused[n] = options_.overflow == Overflow::kDropNewest;
      if (job.refused[n]) job.refused_items[i] += add.header.items;
      continue;
    }
    LIMPET_TRY(InsertRecord(add.header.signal, record, *add.record));
    LIMPET_TRY(MoveTracks(add));
    job.added[n] = true;
    first = std::min(first, add.row);
    pages += needed;
    ++state_.totals[i].batches;
    state_.totals[i].items += add.header.items;
    state_.totals[i].bytes += record.blob_bytes();
  }
  // After them: pages that are freed first would have to be journaled when they are filled.
  bool removed = false;
  LIMPET_TRY(RemoveDone(false, &removed));
  return KeepHeadroom(job, pages, first);
}

}  // namespace limpet
