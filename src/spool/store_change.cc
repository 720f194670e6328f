// The transaction of a job.
#include "spool/store.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr uint64_t kDoneBytesMax = 1 * kMiB;  // S4.
constexpr int kRemoveAtOnce = 32;             // Rows; each journals a page or two (S5).
constexpr int kLettersAtOnce = 64;            // Likewise, pushed out by newer ones.
constexpr uint64_t kBootsKept = 256;
constexpr int64_t kCheckedPages = 512 * 1024;  // 64 KiB of bits.
constexpr size_t kSqlBytes = 640;

using Sql = TextBuffer<kSqlBytes>;

size_t At(DropReason reason) { return static_cast<size_t>(reason); }

/// S6, at the end of a line.
bool IsKept(const SpoolJob& job, Signal signal, SpoolRow row) {
  const SpoolRow from = job.keep_from[Index(signal)];
  return from != 0 && row >= from;
}

/// A table's name with its NUL.
struct TableName {
  explicit TableName(std::string_view name) { text << name << '\0'; }
  const char* c_str() const { return text.text().data(); }
  TextBuffer<16> text;
};

/// Another row's blob, piece by piece.
class RowBody final : public Body {
 public:
  Status Open(Database& db, const char* table, SpoolRow row) {
    return stream_.Open(db, table, "bytes", static_cast<int64_t>(row), false);
  }
  size_t size() const override { return stream_.size(); }
  std::span<const uint8_t> At(size_t offset) const override {
    const size_t count = std::min(piece_.size(), stream_.size() - offset);
    const Status read = stream_.Read(offset, std::span(piece_).first(count));
    if (!read.ok() && failed_.ok()) failed_ = read;
    return std::span(piece_).first(count);
  }
  const Status& failed() const { return failed_; }

 private:
  mutable BlobStream stream_;
  mutable std::array<uint8_t, kSpoolPageBytes> piece_;
  mutable Status failed_;
};

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
  LIMPET_TRY(Add(job, taken));
  LIMPET_TRY(NoteCheckpoints(job));
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
  state_.account.destinations = job.account.destinations;
  state_.account.destination_count = job.account.destination_count;
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

Status SpoolStore::NoteCheckpoints(const SpoolJob& job) {
  Statement statement;
  for (const SpoolCheckpoint& checkpoint : job.checkpoints) {
    LIMPET_TRY(statement.Prepare(db_, "INSERT OR REPLACE INTO checkpoint(source,value) VALUES(?1,?2)"));
    statement.Bind(1, checkpoint.source);
    statement.Bind(2, checkpoint.value);
    LIMPET_TRY(statement.Run());
  }
  return {};
}

// Dead letters

Status SpoolStore::Bury(SpoolJob& job) {
  for (size_t n = 0; n < job.bury_count; ++n) {
    const SpoolBury& bury = job.buries[n];
    const size_t i = Index(bury.signal);
    Statement statement;
    LIMPET_TRY(statement.Prepare(db_, "SELECT items FROM dead WHERE row=?1"));
    statement.Bind(1, static_cast<int64_t>(bury.row));
    const Result<bool> there = statement.Step();
    if (!there.ok()) return there.status();
    if (there.value()) {
      // A job that was thought to have failed has done it.
      const auto items = static_cast<uint64_t>(statement.Number(0));
      job.buried_items[i] += items;
      if (!bury.in_memory) job.buried_rows_items[i] += items;
      continue;
    }
    statement.Finish();
    Record record;
    bool buried = true;
    if (bury.in_memory) {
      LIMPET_TRY(BuryFromMemory(job, bury, record));
    } else {
      LIMPET_TRY(BuryRow(job, bury, record, &buried));
    }
    if (!buried) continue;
    job.buried_items[i] += record.header.items;
    if (!bury.in_memory) job.buried_rows_items[i] += record.header.items;
  }
  return job.bury_count > 0 ? BoundDead(job) : Status{};
}

Status SpoolStore::BuryFromMemory(SpoolJob& job, const SpoolBury& bury, Record& record) {
  const size_t i = Index(bury.signal);
  record = {bury.row, bury.header, RecordChecksum(bury.header, *bury.record)};
  if (bury.header.path.length > 0) LIMPET_TRY(DropSameLetter(job, bury.header));
  bool made = false;
  LIMPET_TRY(MakeRoomForLetter(job, record.blob_bytes(), &made));
  if (!made) {
    job.dead_overflow_items[i] += record.header.items;
    return {};
  }
  Sql sql;
  sql << "INSERT INTO dead(row," << kRecordColumns << ",signal,died,destination,answer,bytes) VALUES(?";
  for (int c = 0; c < kRecordColumnCount + 5; ++c) sql << ",?";
  sql << ')';
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  const int next = BindRecord(statement, record);
  statement.Bind(next, static_cast<int64_t>(bury.signal));
  statement.Bind(next + 1, job.wall.ns);
  statement.Bind(next + 2, bury.destination.text());
  statement.Bind(next + 3, bury.answer.text());
  statement.BindZeros(next + 4, record.blob_bytes());
  LIMPET_TRY(statement.Run());
  LIMPET_TRY(WriteBlob(db_, "dead", record.row, *bury.record));
  state_.account.accounts[i].dead += record.header.items;
  state_.dead_bytes += record.blob_bytes();
  return {};
}

/// buried: false when there is nothing to bury, since the row is gone or damaged.
Status SpoolStore::BuryRow(SpoolJob& job, const SpoolBury& bury, Record& record, bool* buried) {
  const size_t i = Index(bury.signal);
  *buried = false;
  if (bury.row <= state_.done[i]) return {};
  Sql sql;
  sql << "SELECT items,stored_bytes+checkpoint_bytes FROM " << SpoolTable(bury.signal) << " WHERE row=?1";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(bury.row));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  if (!found.value()) return FinishBuried(job, bury);
  record.header.items = static_cast<uint32_t>(statement.Number(0));
  const auto bytes = static_cast<uint64_t>(statement.Number(1));
  statement.Finish();
  bool made = false;
  LIMPET_TRY(MakeRoomForLetter(job, std::min<uint64_t>(bytes, options_.batch_bytes), &made));
  if (made) {
    const Status copied = CopyRecord(db_, SpoolTable(bury.signal), bury.signal, bury.row, "dead",
                                     bury.row, &bury, job.wall, record);
    if (IsDamagedRow(copied)) {
      LIMPET_TRY(LoseDamaged(job, bury.signal, bury.row));
      return FinishBuried(job, bury);
    }
    LIMPET_TRY(copied);
    state_.account.accounts[i].dead += record.header.items;
    state_.dead_bytes += record.blob_bytes();
  } else {
    job.dead_overflow_items[i] += record.header.items;
  }
  *buried = true;
  return FinishBuried(job, bury);
}

/// The row leaves its line.
Status SpoolStore::FinishBuried(SpoolJob& job, const SpoolBury& bury) {
  if (!bury.alone) return AdvanceDone(job, bury.signal, bury.row);
  Removed removed;
  LIMPET_TRY(RemoveRow(bury.signal, bury.row, removed));
  LoseRest(job, bury.signal);
  return {};
}

/// Letters push out older ones, but no batch. made: false when there is no room at all.
Status SpoolStore::MakeRoomForLetter(SpoolJob& job, uint64_t bytes, bool* made) {
  *made = false;
  for (int n = 0; n < kLettersAtOnce; ++n) {
    const Result<uint64_t> free = FreePages(kOwnPages);
    if (!free.ok()) return free.status();
    if (free.value() >= PagesFor(bytes) && bytes <= options_.dead_max_bytes) {
      *made = true;
      return {};
    }
    if (bytes > options_.dead_max_bytes) return {};
    bool removed = false;
    LIMPET_TRY(RemoveDone(true, &removed));
    if (!removed) LIMPET_TRY(DropOldestLetter(job, &removed));
    if (!removed) return {};
  }
  return {};
}

Status SpoolStore::DropOldestLetter(SpoolJob& job, bool* dropped) {
  *dropped = false;
  Statement statement;
  LIMPET_TRY(statement.Prepare(
      db_, "SELECT row,signal,items,length(bytes) FROM dead ORDER BY row LIMIT 1"));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  if (!found.value()) {
    state_.dead_bytes = 0;
    return {};
  }
  *dropped = true;
  return DropLetter(statement, job.dead_overflow_items);
}

/// A part of a batch that was bisected before a crash, and then again: its letter is replaced. Between
/// the two its items are held as well, so that the older one counts as purged.
Status SpoolStore::DropSameLetter(SpoolJob& job, const BatchHeader& header) {
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_,
                               "SELECT row,signal,items,length(bytes) FROM dead WHERE start=?1 AND "
                               "sequence=?2 AND path_bits=?3 AND path_length=?4 AND signal=?5"));
  statement.Bind(1, static_cast<int64_t>(header.start));
  statement.Bind(2, static_cast<int64_t>(header.sequence));
  statement.Bind(3, static_cast<int64_t>(header.path.bits));
  statement.Bind(4, static_cast<int64_t>(header.path.length));
  statement.Bind(5, static_cast<int64_t>(header.signal));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  return found.value() ? DropLetter(statement, job.purged_items) : Status{};
}

/// Removes the letter that the statement stands on: its row, signal, items and bytes.
Status SpoolStore::DropLetter(Statement& letter, std::array<uint64_t, kSignalCount>& counted) {
  const int64_t row = letter.Number(0);
  const auto i = static_cast<size_t>(letter.Number(1)) % kSignalCount;
  uint64_t& dead = state_.account.accounts[i].dead;
  const uint64_t items = std::min(static_cast<uint64_t>(letter.Number(2)), dead);
  const uint64_t bytes = std::min(static_cast<uint64_t>(letter.Number(3)), state_.dead_bytes);
  LIMPET_TRY(letter.Prepare(db_, "DELETE FROM dead WHERE row=?1"));
  letter.Bind(1, row);
  LIMPET_TRY(letter.Run());
  dead -= items;
  state_.dead_bytes -= bytes;
  counted[i] += items;
  return {};
}

/// dead_max_size: the oldest letters go, counted.
Status SpoolStore::BoundDead(SpoolJob& job) {
  for (int n = 0; n < kLettersAtOnce && state_.dead_bytes > options_.dead_max_bytes; ++n) {
    bool dropped = false;
    LIMPET_TRY(DropOldestLetter(job, &dropped));
    if (!dropped) return {};
  }
  return {};
}

/// `limpet dead retry` and `purge`: a letter goes to the end of its signal's line, or away.
Status SpoolStore::ActOnDead(SpoolJob& job) {
  if (job.dead_action == DeadAction::kNone) return {};
  SpoolRow after = 0;
  uint64_t moved = 0;
  // As many at once as a transaction may change (S5); the command asks again.
  for (size_t n = 0; n < kSpoolDeadRowsMax; ++n) {
    if (job.dead_row_count > 0 && n == job.dead_row_count) break;
    Statement statement;
    LIMPET_TRY(statement.Prepare(
        db_, job.dead_row_count > 0
                 ? "SELECT row,signal,items,length(bytes) FROM dead WHERE row=?1"
                 : "SELECT row,signal,items,length(bytes) FROM dead WHERE row>?1 ORDER BY row LIMIT 1"));
    statement.Bind(1, static_cast<int64_t>(job.dead_row_count > 0 ? job.dead_rows[n] : after));
    const Result<bool> found = statement.Step();
    if (!found.ok()) return found.status();
    if (!found.value()) {
      if (job.dead_row_count > 0) continue;
      break;
    }
    const auto row = static_cast<SpoolRow>(statement.Number(0));
    const auto i = static_cast<size_t>(statement.Number(1)) % kSignalCount;
    uint64_t& dead = state_.account.accounts[i].dead;
    const uint64_t items = std::min(static_cast<uint64_t>(statement.Number(2)), dead);
    const uint64_t bytes = std::min(static_cast<uint64_t>(statement.Number(3)), state_.dead_bytes);
    statement.Finish();
    after = row;
    bool retried = false;
    if (job.dead_action == DeadAction::kRetry) {
      moved += bytes;
      if (job.dead_changed > 0 && moved > AddBytesMax(options_.max_bytes)) break;
      bool made = false;
      LIMPET_TRY(MakeRoom(job, kSignals[i], PagesFor(bytes), &made));
      if (!made) break;
      Record record;
      const Status copied = CopyRecord(db_, "dead", kSignals[i], row, SpoolTable(kSignals[i]),
                                       state_.next_row, nullptr, {}, record);
      if (!IsDamagedRow(copied)) LIMPET_TRY(copied);
      retried = copied.ok();
      if (retried) {
        ++state_.next_row;
        ++state_.totals[i].batches;
        state_.totals[i].items += record.header.items;
        state_.totals[i].bytes += record.blob_bytes();
        job.retried_items[i] += items;
      } else {
        ++damaged_;
        LIMPET_TRY(CheckTable("dead"));
      }
    }
    if (!retried) job.purged_items[i] += items;
    LIMPET_TRY(statement.Prepare(db_, "DELETE FROM dead WHERE row=?1"));
    statement.Bind(1, static_cast<int64_t>(row));
    LIMPET_TRY(statement.Run());
    dead -= items;
    state_.dead_bytes -= bytes;
    ++job.dead_changed;
  }
  return {};
}

/// Copies a row with its blob, in pieces, into another table or database. IsDamagedRow: it is not
/// what was stored; nothing is written then.
Status SpoolStore::CopyRecord(Database& from, std::string_view from_table, Signal signal,
                              SpoolRow from_row, std::string_view to_table, SpoolRow to_row,
                              const SpoolBury* letter, UnixTime died, Record& record) {
  const TableName source(from_table), target(to_table);
  Statement statement;
  Sql sql;
  sql << "SELECT row," << kRecordColumns << " FROM " << from_table << " WHERE row=?1";
  LIMPET_TRY(statement.Prepare(from, sql.text()));
  statement.Bind(1, static_cast<int64_t>(from_row));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  if (!found.value()) return {Code::kInvalid, 0, "no such row"};
  LIMPET_TRY(ReadRecord(statement, signal, record));
  statement.Finish();
  RowBody body;
  const Status opened = body.Open(from, source.c_str(), from_row);
  if (opened.code == Code::kNotFound) return {Code::kInvalid, 0, "no blob"};
  LIMPET_TRY(opened);
  if (body.size() != record.blob_bytes()) return {Code::kInvalid, 0, "a blob of another size"};
  const uint32_t checksum = RecordChecksum(record.header, body);
  LIMPET_TRY(body.failed());
  if (checksum != record.checksum) return {Code::kInvalid, 0, "a wrong checksum"};
  if (&from == &db_) ApplyAttempts(state_, from_row, record.header);
  record.row = to_row;
  sql.Clear();
  sql << "INSERT INTO " << to_table << "(row," << kRecordColumns
      << (letter != nullptr ? ",signal,died,destination,answer" : "") << ",bytes) VALUES(?";
  for (int c = 0; c < kRecordColumnCount + (letter != nullptr ? 5 : 1); ++c) sql << ",?";
  sql << ')';
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  int next = BindRecord(statement, record);
  if (letter != nullptr) {
    statement.Bind(next++, static_cast<int64_t>(signal));
    statement.Bind(next++, died.ns);
    statement.Bind(next++, letter->destination.text());
    statement.Bind(next++, letter->answer.text());
  }
  statement.BindZeros(next, record.blob_bytes());
  LIMPET_TRY(statement.Run());
  statement.Finish();
  LIMPET_TRY(WriteBlob(db_, target.c_str(), to_row, body));
  return body.failed();
}

// The line

/// S3, S4: everything up to `through` is finished.
Status SpoolStore::AdvanceDone(SpoolJob& job, Signal signal, SpoolRow through) {
  const size_t i = Index(signal);
  if (through <= state_.done[i]) return {};
  Sql sql;
  sql << "SELECT count(*),coalesce(sum(items),0),coalesce(sum(stored_bytes+checkpoint_bytes),0) FROM "
      << SpoolTable(signal) << " WHERE row>?1 AND row<=?2";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(state_.done[i]));
  statement.Bind(2, static_cast<int64_t>(through));
  const Result<bool> row = statement.Step();
  if (!row.ok()) return row.status();
  SpoolTotals& totals = state_.totals[i];
  const auto take = [](uint64_t& from, int64_t count) {
    from -= std::min(from, static_cast<uint64_t>(count));
  };
  take(totals.batches, statement.Number(0));
  take(totals.items, statement.Number(1));
  take(totals.bytes, statement.Number(2));
  state_.done[i] = through;
  LoseRest(job, signal);
  return {};
}

/// Damaged rows may have said anything of themselves: where none is left, nothing is held.
void SpoolStore::LoseRest(SpoolJob& job, Signal signal) {
  SpoolTotals& totals = state_.totals[Index(signal)];
  if (totals.batches > 0) return;
  job.lost[Index(signal)][At(DropReason::kDamaged)].items += totals.items;
  totals = {};
}

/// queue.max_age, by wall time: the boots that rows come from have no other time in common.
Status SpoolStore::DropOld(SpoolJob& job) {
  if (options_.max_age.ns == 0) return {};
  for (const Signal signal : kSignals) {
    const SpoolRow after = std::max(state_.done[Index(signal)], job.keep_through[Index(signal)]);
    for (int n = 0; n < kRemoveAtOnce; ++n) {
      Sql sql;
      sql << "SELECT row,last_wall FROM " << SpoolTable(signal) << " WHERE row>?1 ORDER BY row LIMIT 1";
      Statement statement;
      LIMPET_TRY(statement.Prepare(db_, sql.text()));
      statement.Bind(1, static_cast<int64_t>(after));
      const Result<bool> found = statement.Step();
      if (!found.ok()) return found.status();
      if (!found.value()) break;
      const auto oldest = static_cast<SpoolRow>(statement.Number(0));
      // Only at the front: a clock that went back makes no gap in the line.
      const bool old = statement.Number(1) < (job.wall - options_.max_age).ns;
      if (!old || IsKept(job, signal, oldest)) break;
      statement.Finish();
      LIMPET_TRY(Lose(job, signal, oldest, DropReason::kMaxAge));
    }
  }
  return {};
}

/// Takes a row out of its line.
Status SpoolStore::RemoveRow(Signal signal, SpoolRow row, Removed& removed) {
  removed = {};
  Sql sql;
  sql << "SELECT items,stored_bytes+checkpoint_bytes,first_wall,last_wall FROM " << SpoolTable(signal)
      << " WHERE row=?1";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(row));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  if (!found.value()) return {};
  SpoolTotals& totals = state_.totals[Index(signal)];
  // A damaged row may say anything: it takes no more than there is.
  const uint64_t bytes = std::min(static_cast<uint64_t>(statement.Number(1)), totals.bytes);
  removed = {.found = true,
             .items = std::min(static_cast<uint64_t>(statement.Number(0)), totals.items),
             .first = {statement.Number(2)},
             .last = {statement.Number(3)}};
  sql.Clear();
  sql << "DELETE FROM " << SpoolTable(signal) << " WHERE row=?1";
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(row));
  LIMPET_TRY(statement.Run());
  totals.batches -= std::min<uint64_t>(totals.batches, 1);
  totals.items -= removed.items;
  totals.bytes -= bytes;
  return {};
}

/// S4: what went out ahead of its line.
Status SpoolStore::RemoveDoneRows(SpoolJob& job) {
  for (size_t n = 0; n < job.done_row_count; ++n) {
    const SpoolPlace& place = job.done_rows[n];
    if (place.row <= state_.done[Index(place.signal)]) continue;
    Removed removed;
    LIMPET_TRY(RemoveRow(place.signal, place.row, removed));
    LoseRest(job, place.signal);
  }
  return {};
}

Status SpoolStore::Lose(SpoolJob& job, Signal signal, SpoolRow row, DropReason reason) {
  Removed removed;
  LIMPET_TRY(RemoveRow(signal, row, removed));
  if (!removed.found) return {Code::kInvalid, 0, "a row that is not found again"};
  SpoolJob::Lost& lost = job.lost[Index(signal)][At(reason)];
  if (lost.batches++ == 0) lost.first = removed.first;
  lost.first = std::min(lost.first, removed.first);
  lost.last = std::max(lost.last, removed.last);
  lost.items += removed.items;
  LoseRest(job, signal);
  return {};
}

/// The check takes a bit of the heap for each page of the file: a larger one counts as damaged, and
/// is copied.
Status SpoolStore::CheckTable(std::string_view table) {
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  if (pages.value() > kCheckedPages) return {Code::kInvalid, 0, "too large to be checked"};
  return db_.CheckTable(table);
}

/// A row that does not match its checksum goes, once it is sure that it takes nobody else's pages with
/// it; what is held is counted anew.
Status SpoolStore::LoseDamaged(SpoolJob& job, Signal signal, SpoolRow row) {
  LIMPET_TRY(CheckTable(SpoolTable(signal)));
  const size_t i = Index(signal);
  const SpoolTotals before = state_.totals[i];
  SpoolJob::Lost& lost = job.lost[i][At(DropReason::kDamaged)];
  const uint64_t lost_before = lost.items;
  LIMPET_TRY(Lose(job, signal, row, DropReason::kDamaged));
  Sql sql;
  sql << "SELECT count(*),coalesce(sum(items),0),coalesce(sum(stored_bytes+checkpoint_bytes),0) FROM "
      << SpoolTable(signal) << " WHERE row>?1";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(state_.done[i]));
  const Result<bool> there = statement.Step();
  if (!there.ok()) return there.status();
  const auto least = [&](int column, uint64_t most) {
    return std::min(static_cast<uint64_t>(statement.Number(column)), most);
  };
  state_.totals[i] = {.batches = least(0, before.batches),
                      .items = least(1, before.items),
                      .bytes = least(2, before.bytes)};
  lost.items = lost_before + before.items - state_.totals[i].items;
  return {};
}

/// Pages that may be filled, when so many are to stay free.
Result<uint64_t> SpoolStore::FreePages(uint64_t reserved) {
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  const Result<int64_t> free = db_.Number("PRAGMA freelist_count");
  if (!free.ok()) return free.status();
  const auto used = static_cast<uint64_t>(pages.value() - free.value()) + reserved;
  return page_limit_ > used ? page_limit_ - used : uint64_t{0};
}

/// S4: a signal whose rows are all finished is emptied at a stroke; else a few of the finished rows
/// go when their room is needed, or when they have become many.
Status SpoolStore::RemoveDone(bool needed, bool* removed) {
  *removed = false;
  for (const Signal signal : kSignals) {
    const SpoolRow done = state_.done[Index(signal)];
    const Result<SpoolRow> oldest = Edge(signal, false, 0);
    if (!oldest.ok()) return oldest.status();
    if (oldest.value() == 0 || oldest.value() > done) continue;
    const Result<SpoolRow> newest = Edge(signal, true, 0);
    if (!newest.ok()) return newest.status();
    Sql sql;
    sql << "DELETE FROM " << SpoolTable(signal);
    if (newest.value() > done) {
      if (!needed) {
        Sql sum;
        sum << "SELECT coalesce(sum(stored_bytes+checkpoint_bytes),0) FROM " << SpoolTable(signal)
            << " WHERE row<=" << done << '\0';
        const Result<int64_t> bytes = db_.Number(sum.text().data());
        if (!bytes.ok()) return bytes.status();
        if (static_cast<uint64_t>(bytes.value()) <= kDoneBytesMax) continue;
      }
      sql << " WHERE row IN (SELECT row FROM " << SpoolTable(signal) << " WHERE row<=" << done
          << " ORDER BY row LIMIT " << kRemoveAtOnce << ')';
    }
    sql << '\0';
    LIMPET_TRY(db_.Execute(sql.text().data()));
    *removed = true;
    if (needed) return {};
  }
  return {};
}

/// min_free leaves no room for a batch, and nothing is held that could make way for it.
bool SpoolStore::NoRoomAtAll() const {
  return page_limit_ < MaxPages() &&
         std::all_of(state_.totals.begin(), state_.totals.end(),
                     [](const SpoolTotals& totals) { return totals.batches == 0; });
}

/// Frees that many pages for a batch of the signal, but none of a row from `end` on where the oldest
/// go. made: false when nothing more may go.
Status SpoolStore::MakeRoom(SpoolJob& job, Signal signal, uint64_t pages, bool* made, SpoolRow end) {
  // Of the room that there is for batches: less than max_size, and in a full filesystem much less.
  const uint64_t room = page_limit_ - std::min(page_limit_, ReservedPages());
  const auto share = [&](size_t i) { return room * options_.share_percent[i] / 100; };
  const auto taken = [this](size_t i) { return PagesOf(state_.totals[i]); };
  // What others have a right to and have not used yet is kept free where nothing is ever pushed out.
  uint64_t reserved = 0;
  if (options_.overflow == Overflow::kPauseSources) {
    for (const Signal other : kSignals) {
      const size_t i = Index(other);
      if (other == signal || (options_.signals >> i & 1) == 0) continue;
      reserved += share(i) - std::min(share(i), taken(i));
    }
  }
  *made = false;
  for (;;) {
    const Result<uint64_t> free = FreePages(ReservedPages());
    if (!free.ok()) return free.status();
    if (free.value() >= pages + reserved) {
      *made = true;
      return {};
    }
    bool removed = false;
    LIMPET_TRY(RemoveDone(true, &removed));
    if (removed) continue;
    job.full = true;
    if (options_.overflow == Overflow::kPauseSources) return {};

    // Whoever has more than its share makes room; who has not, keeps what it has. The one that comes
    // makes room for itself.
    const bool newest = options_.overflow == Overflow::kDropNewest;
    const bool own_is_over = taken(Index(signal)) > share(Index(signal));
    if (newest && own_is_over) return {};  // It is the newest itself.
    Signal victim = signal;
    SpoolRow row = 0;
    for (const Signal candidate : kSignals) {
      const size_t i = Index(candidate);
      if (candidate != signal && taken(i) <= share(i)) continue;
      if (candidate == signal && newest) continue;
      if (candidate == signal && !own_is_over && row != 0) continue;
      const SpoolRow after = std::max(state_.done[i], job.keep_through[i]);  // S6
      const Result<SpoolRow> edge = Edge(candidate, newest, after);
      if (!edge.ok()) return edge.status();
      if (edge.value() == 0 || (!newest && edge.value() >= end)) continue;
      if (IsKept(job, candidate, edge.value())) continue;  // S6
      const bool better = row == 0 || (victim == signal && !own_is_over) ||
                          (newest ? edge.value() > row : edge.value() < row);
      if (!better) continue;
      victim = candidate;
      row = edge.value();
    }
    if (row == 0) return {};  // Everything that may go is gone.
    LIMPET_TRY(Lose(job, victim, row, DropReason::kOverflow));
  }
}

Status SpoolStore::InsertRecord(std::string_view table, const Record& record, const Body& blob) {
  Sql sql;
  sql << "INSERT INTO " << table << "(row," << kRecordColumns << ",bytes) VALUES(?";
  for (int c = 0; c < kRecordColumnCount + 1; ++c) sql << ",?";
  sql << ')';
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.BindZeros(BindRecord(statement, record), record.blob_bytes());
  LIMPET_TRY(statement.Run());
  statement.Finish();
  return WriteBlob(db_, TableName(table).c_str(), record.row, blob);
}

/// A job that was thought to have failed may have brought its batches here. Asked before anything is
/// dropped, so that one that goes then is counted as what it is: added, and lost.
Status SpoolStore::FindAdded(SpoolJob& job, std::array<bool, kSpoolAddsMax>& taken) {
  for (size_t n = 0; n < job.add_count; ++n) {
    const SpoolAdd& add = job.adds[n];
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
    LIMPET_TRY(InsertRecord(SpoolTable(add.header.signal), record, *add.record));
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

/// Pages freed by this transaction would have to be journaled by it when they are used again: what
/// the next one will need is freed now, where the oldest goes anyway. `first`: of those just added.
Status SpoolStore::KeepHeadroom(SpoolJob& job, uint64_t pages, SpoolRow first) {
  if (pages == 0) return {};
  const Result<uint64_t> free = FreePages(ReservedPages());
  if (!free.ok()) return free.status();
  if (free.value() >= pages) return {};
  job.full = true;
  if (options_.overflow != Overflow::kDropOldest) {
    bool removed = false;
    return RemoveDone(true, &removed);
  }
  bool made = false;
  return MakeRoom(job, job.adds[job.add_count - 1].header.signal, pages, &made, first);
}

}  // namespace limpet
