#include "spool/reader.h"

#include <algorithm>

#include "spool/schema.h"

namespace limpet {
namespace {

using Sql = TextBuffer<512>;

constexpr const char* kOtherDatabase = "not a spool of limpet";

void Select(Sql& sql, Kept kept, Signal signal, std::string_view condition) {
  sql << "SELECT row," << kRecordColumns;
  if (kept == Kept::kDead) sql << ",signal,died,destination,answer";
  sql << " FROM " << (kept == Kept::kDead ? "dead" : SpoolTable(signal)) << " WHERE " << condition;
}

/// Of the row that the statement stands on. signal: of the table; a dead letter says its own.
void Take(const Statement& statement, const SpoolState& state, Kept kept, Signal signal,
          KeptRecord& record) {
  record = {};
  int64_t of = static_cast<int64_t>(signal);
  if (kept == Kept::kDead) {
    of = statement.Number(kRecordColumnCount + 1);
    record.died.ns = statement.Number(kRecordColumnCount + 2);
    record.destination = statement.Text(kRecordColumnCount + 3);
    record.answer = statement.Text(kRecordColumnCount + 4);
  }
  const bool known = of >= 0 && of < static_cast<int64_t>(kSignalCount);
  record.status = ReadRecordRow(statement, kSignals[known ? static_cast<size_t>(of) : 0], record.record);
  record.record.row = static_cast<SpoolRow>(statement.Number(0));
  if (!known) record.status = {Code::kInvalid, 0, "a damaged row"};
  if (kept == Kept::kBatches) ApplyAttempts(state, record.record.row, record.record.header);
}

}  // namespace

Status SpoolReader::Open(Database& db) {
  Close();
  const Result<int64_t> application = db.Number("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const Result<int64_t> version = db.Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  if (application.value() != kSpoolApplication || version.value() < 1) {
    return {Code::kInvalid, 0, kOtherDatabase};
  }
  if (version.value() > kSpoolSchema) return {Code::kUnsupported, 0, "made by a newer limpet"};
  // A cell that points outside its page is damage, not a crash.
  LIMPET_TRY(db.Execute("PRAGMA cell_size_check=ON;PRAGMA cache_size=-256"));
  bool sound = false;  // What is wrong with it, the rows say more exactly.
  LIMPET_TRY(LoadState(db, state_, &sound));
  db_ = &db;
  return {};
}

void SpoolReader::Close() {
  for (Statement& cursor : cursors_) cursor.Finish();
  waiting_ = {};
  db_ = nullptr;
}

Status SpoolReader::Walk(Kept kept, SpoolRow after) {
  kept_ = kept;
  waiting_ = {};
  failed_ = {};
  for (Statement& cursor : cursors_) cursor.Finish();
  const size_t count = kept == Kept::kDead ? 1 : kSignalCount;
  for (size_t i = 0; i < count; ++i) {
    Sql sql;
    Select(sql, kept, kSignals[i], "row>?1 ORDER BY row");
    LIMPET_TRY(cursors_[i].Prepare(*db_, sql.text()));
    const SpoolRow done = kept == Kept::kDead ? 0 : state_.done[i];
    cursors_[i].Bind(1, static_cast<int64_t>(std::max(after, done)));
    Advance(i);
  }
  return {};
}

void SpoolReader::Advance(size_t cursor) {
  const Result<bool> row = cursors_[cursor].Step();
  waiting_[cursor] = row.ok() && row.value();
  if (waiting_[cursor]) Take(cursors_[cursor], state_, kept_, kSignals[cursor], heads_[cursor]);
  if (failed_.ok()) failed_ = row.status();
}

Result<bool> SpoolReader::Next(KeptRecord& record) {
  size_t first = kSignalCount;
  for (size_t i = 0; i < kSignalCount; ++i) {
    if (!waiting_[i]) continue;
    if (first == kSignalCount || heads_[i].record.row < heads_[first].record.row) first = i;
  }
  // Another state of the file has other rows: only damage leaves the other tables as they were.
  if (!failed_.ok() && (first == kSignalCount || failed_.code != Code::kInvalid)) return failed_;
  if (first == kSignalCount) return false;
  record = heads_[first];
  Advance(first);
  return true;
}

Status SpoolReader::Find(Kept kept, SpoolRow row, KeptRecord& record) {
  for (const Signal signal : kSignals) {
    if (kept == Kept::kBatches && row <= state_.done[Index(signal)]) continue;
    Sql sql;
    Select(sql, kept, signal, "row=?1");
    Statement statement;
    LIMPET_TRY(statement.Prepare(*db_, sql.text()));
    statement.Bind(1, static_cast<int64_t>(row));
    const Result<bool> found = statement.Step();
    if (!found.ok()) return found.status();
    if (found.value()) {
      Take(statement, state_, kept, signal, record);
      return {};
    }
    if (kept == Kept::kDead) break;  // One table for all signals.
  }
  return {Code::kNotFound, 0, "no such row"};
}

Result<std::span<const uint8_t>> SpoolReader::ReadBytes(Kept kept, const Record& record,
                                                        std::span<uint8_t> into) {
  LIMPET_CHECK(into.size() == record.blob_bytes());
  TextBuffer<16> table;
  table << (kept == Kept::kDead ? "dead" : SpoolTable(record.header.signal)) << '\0';
  LIMPET_TRY(ReadBlob(*db_, table.text().data(), record, into));
  return std::span<const uint8_t>(into.subspan(record.header.checkpoint_bytes));
}

// Verifying

Status SpoolReader::CheckPages(FindingSink& findings) {
  Statement statement;
  LIMPET_TRY(statement.Prepare(*db_, "PRAGMA quick_check(20)"));
  for (;;) {
    const Result<bool> row = statement.Step();
    if (!row.ok() && row.status().code == Code::kInvalid) {
      findings.OnFinding("the file cannot be checked to its end");
      return {};
    }
    if (!row.ok()) return row.status();
    if (!row.value()) return {};
    if (const std::string_view text = statement.Text(0); text != "ok") findings.OnFinding(text);
  }
}

Status SpoolReader::CheckRecord(Kept kept, const KeptRecord& record, std::span<uint8_t> into,
                                Sums& sums, FindingSink& findings, uint64_t& sound) {
  const Record& r = record.record;
  Status status = record.status;
  if (status.ok() && into.size() < r.blob_bytes()) {
    status = {Code::kInvalid, 0, "larger than the memory there is"};
  }
  if (status.ok()) status = ReadBytes(kept, r, into.first(r.blob_bytes())).status();
  if (status.ok() && r.row >= state_.next_row) {
    status = {Code::kInvalid, 0, "a number that has not been given yet"};
  }
  if (!status.ok() && status.code != Code::kInvalid) return status;
  if (status.ok()) {
    ++sound;
  } else {
    TextBuffer<128> text;
    text << (kept == Kept::kDead ? "dead letter " : "batch ") << r.row << ": " << status.where;
    findings.OnFinding(text.text());
  }
  Sum& sum = sums[Index(r.header.signal)];
  ++sum.batches;
  sum.items += r.header.items;
  sum.bytes += r.blob_bytes();
  return {};
}

void SpoolReader::Compare(const Sums& batches, const Sums& dead, FindingSink& findings) {
  const auto compare = [&](auto what, std::string_view signal, uint64_t said, uint64_t found) {
    if (said == found) return;
    TextBuffer<160> text;
    text << what << (signal.empty() ? "" : " of ") << signal << ": the account says " << said
         << ", the rows come to " << found;
    findings.OnFinding(text.text());
  };
  uint64_t dead_bytes = 0;
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    const std::string_view name = SignalName(signal);
    compare("batches", name, state_.totals[i].batches, batches[i].batches);
    compare("items", name, state_.totals[i].items, batches[i].items);
    compare("bytes", name, state_.totals[i].bytes, batches[i].bytes);
    compare("dead items", name, state_.account.accounts[i].dead, dead[i].items);
    dead_bytes += dead[i].bytes;
  }
  compare("bytes of dead letters", "", state_.dead_bytes, dead_bytes);
}

}  // namespace limpet
