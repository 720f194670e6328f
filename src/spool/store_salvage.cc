// What is left of a damaged spool goes into a new one.
#include <algorithm>

#include "spool/store.h"

namespace limpet {
namespace {

constexpr int kTries = 3;           // While the device does not read: then it never will.
constexpr int kStretchesMax = 1000;  // Damaged ones of a table that are stepped over.

/// To write, so that a transaction cut in half is undone first. Exclusive: a WAL needs no shared
/// memory then.
Status OpenDamaged(Database& from, const char* path, const char* vfs) {
  constexpr const char* kPragmas =
      "PRAGMA locking_mode=EXCLUSIVE;PRAGMA cell_size_check=ON;PRAGMA cache_size=-32";
  LIMPET_TRY(from.Open(path, vfs, Database::Mode::kCreate));
  Status status = from.Execute(kPragmas);
  if (status.ok()) status = from.Number("SELECT count(*) FROM sqlite_schema").status();
  // A file that is shorter than it says is read only if the schema counts as writable. But then a
  // table that did not read for a moment counts as none: another look.
  for (int n = 0; status.code == Code::kInvalid && n < kTries; ++n) {
    from.Close();
    LIMPET_TRY(from.Open(path, vfs, Database::Mode::kCreate));
    status = from.Execute("PRAGMA writable_schema=ON");
    if (status.ok()) status = from.Execute(kPragmas);
    if (status.ok()) status = from.Number("SELECT count(*) FROM dead").status();
  }
  return status.code == Code::kInvalid ? Status{} : status;
}

/// The first row behind `after`; 0: there is none.
Result<SpoolRow> FirstRow(Database& from, std::string_view table, SpoolRow after) {
  TextBuffer<96> sql;
  sql << "SELECT row FROM " << table << " WHERE row>" << after << " ORDER BY row LIMIT 1" << '\0';
  const Result<int64_t> row = from.Number(sql.text().data());
  if (!row.ok()) return row.status();
  if (row.value() != 0 && row.value() <= static_cast<int64_t>(after)) {
    return {Code::kInvalid, 0, "rows out of order"};
  }
  return static_cast<SpoolRow>(row.value());
}

/// Where a table reads again: the least row behind `after` that something is found from, be it the
/// end. 0: nowhere.
SpoolRow EndOfStretch(Database& from, std::string_view table, SpoolRow after) {
  SpoolRow bad = after, good = 0;
  for (SpoolRow step = 1; good == 0; step *= 2) {
    if (step > static_cast<SpoolRow>(INT64_MAX) - after) return 0;
    if (FirstRow(from, table, after + step).ok()) {
      good = after + step;
    } else {
      bad = after + step;
    }
  }
  while (good - bad > 1) {
    const SpoolRow middle = bad + (good - bad) / 2;
    (FirstRow(from, table, middle).ok() ? good : bad) = middle;
  }
  return good;
}

}  // namespace

/// This part of the file set aside will never be read; otherwise another attempt may.
bool SpoolStore::IsLost(const Status& status) {
  if (status.code == Code::kInvalid) return true;
  if (status.code != Code::kDenied && !IsUnreadable(status)) return false;
  return salvage_tries_ >= kTries ||
         storage_.SizeOf(kSpoolSalvage).status().code == Code::kDenied;
}

/// Copies what reads out of the file set aside into the open one, a few batches a transaction: what
/// was copied stays, and a power cut in the middle only means that it goes on from there.
Status SpoolStore::Salvage(SpoolOpened& opened) {
  ++salvage_tries_;
  bool known = false;
  SpoolState found;
  {
    char text[kPathMax];
    if (storage_.WritePath(kSpoolSalvage, text) == 0) return {Code::kUnsupported, 0, "state_dir"};
    Database from;
    Status status = OpenDamaged(from, text, storage_.vfs());
    if (status.ok()) status = SalvageInto(from, &known, found);
    if (!status.ok() && db_.in_transaction()) {
      (void)db_.Execute("ROLLBACK");
      state_ = saved_;
    }
    // No room for all of it: the oldest have it. No memory: another time.
    const bool full = status.code == Code::kFull && !IsOutOfMemory(status);
    if (!status.ok() && !full && !IsLost(status)) return status;
  }
  // What was held and did not read is lost, counted. Without a state nobody knows how much it was.
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    Account& account = state_.account.accounts[i];
    const uint64_t held = known ? found.totals[i].items + found.account.accounts[i].dead : 0;
    const uint64_t kept = state_.totals[i].items + account.dead;
    opened.salvage_lost[i] = held > kept ? held - kept : 0;
    account.dropped[static_cast<size_t>(DropReason::kDamaged)] += opened.salvage_lost[i];
  }
  opened.loss_unknown = !known;
  LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
  return CommitSalvaged();
}

Status SpoolStore::SalvageInto(Database& from, bool* known, SpoolState& found) {
  const Result<int64_t> application = from.Number("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const Result<int64_t> version = from.Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  // Somebody else's has nothing for us.
  if (application.value() != kSpoolApplication || version.value() > kSpoolSchema) return {};

  const Status loaded = LoadState(from, found);
  if (!loaded.ok() && !IsLost(loaded)) return loaded;
  *known = loaded.ok();
  if (*known) {
    for (size_t i = 0; i < kSignalCount; ++i) {
      Account& account = state_.account.accounts[i];
      const uint64_t dead = account.dead;  // As many as are copied.
      account = found.account.accounts[i];
      account.dead = dead;
    }
    state_.account.sections = found.account.sections;
    state_.account.section_count = found.account.section_count;
    state_.done = found.done;
    state_.tried = found.tried;
    state_.instance = found.instance;
    state_.next_row = std::max(state_.next_row, found.next_row);
    state_.last_commit = found.last_commit;
    state_.written_bytes = found.written_bytes;
    if (!written_known_) written_before_ = found.written_bytes;
    fresh_ = false;
  }
  LIMPET_TRY(SalvageSmall(from));
  for (const Signal signal : kSignals) {
    const Result<SpoolRow> newest = Edge(signal, true, 0);
    if (!newest.ok()) return newest.status();
    LIMPET_TRY(SalvageTable(from, SpoolTable(signal), signal,
                            std::max(state_.done[Index(signal)], newest.value())));
  }
  const Result<int64_t> letter = db_.Number("SELECT max(row) FROM dead");
  if (!letter.ok()) return letter.status();
  return SalvageTable(from, "dead", Signal::kMetrics, static_cast<SpoolRow>(letter.value()));
}

/// Tracks and boots, as far as they read.
Status SpoolStore::SalvageSmall(Database& from) {
  LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
  const auto copy = [&](std::string_view select, std::string_view insert, auto bind) -> Status {
    Statement source, target;
    LIMPET_TRY(target.Prepare(db_, insert));
    const Status prepared = source.Prepare(from, select);
    if (!prepared.ok()) return IsLost(prepared) ? Status{} : prepared;
    for (;;) {
      const Result<bool> row = source.Step();
      if (!row.ok()) return IsLost(row.status()) ? Status{} : row.status();
      if (!row.value()) return {};
      bind(source, target);
      LIMPET_TRY(target.Run());
    }
  };
  LIMPET_TRY(copy("SELECT id,position,identity FROM track WHERE length(identity)<=64",
                  "INSERT OR REPLACE INTO track(id,position,identity) VALUES(?1,?2,?3)",
                  [](const Statement& source, Statement& target) {
                    target.Bind(1, source.Number(0));
                    target.Bind(2, source.Number(1));
                    target.Bind(3, source.Bytes(2));
                  }));
  LIMPET_TRY(copy("SELECT counter,id,first_mono,last_mono,first_wall,wall_offset FROM boot",
                  "INSERT OR REPLACE INTO boot(counter,id,first_mono,last_mono,first_wall,"
                  "wall_offset) VALUES(?1,?2,?3,?4,?5,?6)",
                  [](const Statement& source, Statement& target) {
                    target.Bind(1, source.Number(0));
                    target.Bind(2, source.Bytes(1));
                    for (int c = 2; c < 6; ++c) target.Bind(c + 1, source.Number(c));
                  }));
  return CommitSalvaged();
}

Status SpoolStore::CommitSalvaged() {
  if (!db_.in_transaction()) return {};
  LIMPET_TRY(SaveState(db_, state_, saved_));
  LIMPET_TRY(db_.Execute("COMMIT"));
  saved_ = state_;
  return {};
}

/// The rows of a table behind `after`, each under its number.
Status SpoolStore::SalvageTable(Database& from, std::string_view table, Signal signal,
                                SpoolRow after) {
  int stretches = 0;
  uint64_t pages = 0;
  for (;;) {
    const Result<SpoolRow> next = FirstRow(from, table, after);
    if (!next.ok()) {
      if (!IsLost(next.status())) return next.status();
      ++damaged_;
      after = ++stretches < kStretchesMax ? EndOfStretch(from, table, after) : 0;
      if (after == 0) break;
      continue;
    }
    if (next.value() == 0) break;
    after = next.value();
    if (!db_.in_transaction()) {
      LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
      pages = 0;
    }
    const Result<uint64_t> free = FreePages(ReservedPages());
    if (!free.ok()) return free.status();
    if (free.value() < PagesFor(options_.batch_bytes)) {
      LIMPET_TRY(CommitSalvaged());
      return {Code::kFull, 0, "no room to salvage"};
    }
    const Status copied = SalvageRow(from, table, signal, after);
    if (!copied.ok() && !IsLost(copied)) return copied;
    if (!copied.ok()) ++damaged_;
    const Result<uint64_t> left = FreePages(ReservedPages());
    if (!left.ok()) return left.status();
    pages += free.value() - std::min(free.value(), left.value());
    if (pages * kSpoolPageBytes >= AddBytesMax(options_.max_bytes)) LIMPET_TRY(CommitSalvaged());
  }
  return CommitSalvaged();
}

Status SpoolStore::SalvageRow(Database& from, std::string_view table, Signal signal, SpoolRow row) {
  const bool dead = table == "dead";
  SpoolBury letter;
  UnixTime died;
  if (dead) {
    Statement statement;
    LIMPET_TRY(statement.Prepare(from, "SELECT signal,died,destination,answer FROM dead WHERE row=?1"));
    statement.Bind(1, static_cast<int64_t>(row));
    const Result<bool> found = statement.Step();
    if (!found.ok()) return found.status();
    const int64_t number = found.value() ? statement.Number(0) : -1;
    if (number < 0 || number >= static_cast<int64_t>(kSignalCount)) {
      return {Code::kInvalid, 0, "a damaged letter"};
    }
    signal = kSignals[static_cast<size_t>(number)];
    died.ns = statement.Number(1);
    letter.destination = statement.Text(2);
    letter.answer = statement.Text(3);
  }
  const size_t i = Index(signal);
  Record record;
  const Status copied = CopyRecord(from, table, signal, row, table, row, dead ? &letter : nullptr,
                                   died, record);
  if (!copied.ok()) {
    if (!db_.in_transaction()) return copied;
    TextBuffer<64> half;
    half << "DELETE FROM " << table << " WHERE row=" << row << '\0';
    LIMPET_TRY(db_.Execute(half.text().data()));
    return copied;
  }
  if (dead) {
    state_.account.accounts[i].dead += record.header.items;
    state_.dead_bytes += record.blob_bytes();
  } else {
    ++state_.totals[i].batches;
    state_.totals[i].items += record.header.items;
    state_.totals[i].bytes += record.blob_bytes();
  }
  state_.next_row = std::max(state_.next_row, row + 1);
  return {};
}

}  // namespace limpet
