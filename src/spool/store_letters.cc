// Dead letters: batches that were refused, and what commands do with them.
#include <algorithm>

#include "spool/store.h"
#include "spool/store_sql.h"

namespace limpet {
namespace {

constexpr int kLettersAtOnce = 64;  // Pushed out by newer ones; each journals a page or two (S5).

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
  LIMPET_TRY(ReadRecordRow(statement, signal, record));
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

}  // namespace limpet
