#include "spool/store.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

constexpr size_t kPathBytes = kPathMax;
constexpr int kNewerMax = 99;
// Steps over a damaged stretch while salvaging; each doubles the stretch that is left out.
constexpr int kSkipsMax = 64;

/// The path of a file of the storage.
struct FilePath {
  FilePath(const Storage& storage, std::string_view name) {
    length = storage.WritePath(name, text);
  }
  bool ok() const { return length > 0; }
  char text[kPathBytes];
  size_t length = 0;
};

}  // namespace

SpoolStore::SpoolStore(const SpoolOptions& options, Storage& storage, Clock& clock,
                       std::span<uint8_t> buffer)
    : options_(options),
      storage_(storage),
      clock_(clock),
      buffer_(buffer),
      generation_(static_cast<uint64_t>(clock.Monotonic().ns)) {}

void SpoolStore::Close() {
  db_.Close();
  boot_ = 0;
}

// Opening

/// S7: whatever lies there, a sound database is open when it returns kOk.
Status SpoolStore::Open(SpoolOpened& opened) {
  opened = {};
  ++generation_;
  LIMPET_TRY(storage_.Prepare());
  newer_set_aside_ = false;
  Status status = OpenFile();
  const bool unreadable = status.code == Code::kDenied &&
                          storage_.SizeOf(kSpoolFile).status().code == Code::kDenied;
  if (status.code == Code::kInvalid || unreadable) {
    // Damaged, somebody else's, or a file that we may not even read in a directory that is ours.
    Close();
    ++damaged_;
    LIMPET_TRY(FinishSalvage());  // One is left of an earlier time: nothing more is got out of it.
    LIMPET_TRY(MoveFile(kSpoolFile, kSpoolSalvage));
    status = OpenFile();
  }
  // It stays under this name until all that reads is copied, so that a power cut ends nothing.
  if (status.ok() && storage_.SizeOf(kSpoolSalvage).status().code != Code::kNotFound) {
    status = Salvage();
    if (status.ok()) status = FinishSalvage();
    opened.salvaged = true;
  }
  if (!status.ok()) {
    Close();
    return status;
  }
  opened.newer_set_aside = newer_set_aside_;
  opened.fresh = fresh_;
  opened.clean = state_.clean != 0;
  opened.instance = state_.instance;
  opened.account = state_.account;
  opened.done_through = state_.done;
  opened.totals = state_.totals;
  opened.next_row = state_.next_row;
  opened.last_commit = UnixTime{state_.last_commit};
  return {};
}

Status SpoolStore::OpenFile() {
  const FilePath path(storage_, kSpoolFile);
  if (!path.ok()) return {Code::kInvalid, 0, "state_dir is too long"};
  const Result<uint64_t> size = storage_.SizeOf(kSpoolFile);
  if (!size.ok() && size.status().code != Code::kNotFound) return size.status();
  fresh_ = !size.ok();
  if (fresh_) {
    const Result<Space> space = storage_.Free();
    if (!space.ok()) return space.status();
    // One percent of the inodes are left to others.
    if (space.value().free_inodes < space.value().inodes / 100) {
      return {Code::kFull, 0, "no inodes"};
    }
    // A journal without its database would be played into the new one.
    LIMPET_TRY(storage_.Remove(kSpoolJournal));
    LIMPET_TRY(storage_.Remove(kSpoolWal));
  }
  LIMPET_TRY(db_.Open(path.text, storage_.vfs(), Database::Mode::kCreate));
  LIMPET_TRY(Configure());

  const Result<int64_t> application = db_.Number("PRAGMA application_id");
  if (!application.ok()) return application.status();
  const Result<int64_t> version = db_.Number("PRAGMA user_version");
  if (!version.ok()) return version.status();
  const Result<int64_t> tables = db_.Number("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return tables.status();
  const bool empty = application.value() == 0 && version.value() == 0 && tables.value() == 0;
  if (!empty && application.value() != kSpoolApplication) {
    return {Code::kInvalid, 0, "somebody else's database"};
  }
  if (version.value() > kSpoolSchema) {
    Close();
    newer_set_aside_ = true;
    LIMPET_TRY(SetNewerAside());
    return OpenFile();
  }
  fresh_ = fresh_ || empty;
  if (version.value() < kSpoolSchema) LIMPET_TRY(Migrate(version.value()));
  LIMPET_TRY(LoadState(db_, saved_));
  state_ = saved_;
  written_before_ = saved_.written_bytes - std::min(saved_.written_bytes, storage_.written_bytes());
  return {};
}

Status SpoolStore::Configure() {
  // Exclusive before the first access: nobody else reads it while we run, and WAL needs no shared
  // memory then. The page size and the vacuum mode count for a new file only.
  TextBuffer<256> sql;
  sql << "PRAGMA locking_mode=EXCLUSIVE;PRAGMA page_size=" << kSpoolPageBytes
      << ";PRAGMA auto_vacuum=INCREMENTAL;PRAGMA cache_size=" << CachePages(options_.batch_bytes)
      << ";PRAGMA journal_size_limit="
      << JournalBytes(options_.max_bytes) / 4 << ';' << '\0';
  LIMPET_TRY(db_.Execute(sql.text().data()));
  // A rollback journal writes fewest bytes. Without its syncs it could be torn at power loss, where a
  // WAL only loses its last commits: docs/spool.md has the measurements.
  if (options_.sync == Sync::kFull) {
    LIMPET_TRY(db_.Execute("PRAGMA synchronous=FULL;PRAGMA journal_mode=PERSIST"));
  } else {
    LIMPET_TRY(db_.Execute("PRAGMA synchronous=NORMAL;PRAGMA journal_mode=WAL"));
    sql.Clear();
    sql << "PRAGMA wal_autocheckpoint=" << JournalBytes(options_.max_bytes) / 4 / kSpoolPageBytes << '\0';
    LIMPET_TRY(db_.Execute(sql.text().data()));
  }
  return CheckSpace();
}

/// Sets how many pages the database may have now: max_size, and what min_free leaves.
Status SpoolStore::CheckSpace() {
  page_limit_ = (options_.max_bytes - JournalBytes(options_.max_bytes)) / kSpoolPageBytes;
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  if (options_.min_free_bytes > 0) {
    const Result<Space> space = storage_.Free();
    if (!space.ok()) return space.status();
    const uint64_t free = space.value().free_bytes;
    const uint64_t more = free > options_.min_free_bytes ? free - options_.min_free_bytes : 0;
    page_limit_ = std::min(page_limit_, static_cast<uint64_t>(pages.value()) + more / kSpoolPageBytes);
  }
  return {};
}

Status SpoolStore::Migrate(int64_t from) {
  LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
  Status status;
  TextBuffer<96> sql;
  for (int64_t i = std::max<int64_t>(from, 0); status.ok() && i < kSpoolSchema; ++i) {
    status = db_.Execute(SpoolMigrations()[static_cast<size_t>(i)]);
  }
  sql << "PRAGMA application_id=" << kSpoolApplication << ";PRAGMA user_version=" << kSpoolSchema
      << ";COMMIT" << '\0';
  if (status.ok() && fresh_) status = SaveState(db_, {}, {});
  if (status.ok()) status = db_.Execute(sql.text().data());
  if (!status.ok() && db_.in_transaction()) (void)db_.Execute("ROLLBACK");
  return status;
}

// Damage

/// Renames a database with its journal, which goes first: without it the database may be half a
/// transaction. What was there under the new name is gone.
Status SpoolStore::MoveFile(std::string_view from, std::string_view to) {
  for (const std::string_view suffix : {"-journal", "-wal", ""}) {
    TextBuffer<64> old_name, new_name;
    old_name << from << suffix;
    new_name << to << suffix;
    const Status there = storage_.SizeOf(old_name.text()).status();
    if (there.code == Code::kNotFound) {
      LIMPET_TRY(storage_.Remove(new_name.text()));
    } else {
      LIMPET_TRY(storage_.Rename(old_name.text(), new_name.text()));
    }
  }
  return {};
}

/// Keeps what was salvaged for people to look at, and the one before it.
Status SpoolStore::FinishSalvage() {
  if (storage_.SizeOf(kSpoolSalvage).status().code == Code::kNotFound) return {};
  constexpr std::string_view kNewest = "spool.db.damaged-1", kOlder = "spool.db.damaged-2";
  if (storage_.SizeOf(kNewest).status().code != Code::kNotFound) {
    LIMPET_TRY(MoveFile(kNewest, kOlder));
  }
  return MoveFile(kSpoolSalvage, kNewest);
}

/// Somebody's data that we do not understand: unread, and never replaced by another.
Status SpoolStore::SetNewerAside() {
  TextBuffer<64> name;
  for (int number = 1; number <= kNewerMax; ++number) {
    name.Clear();
    name << kSpoolFile << ".newer-" << number;
    if (storage_.SizeOf(name.text()).status().code == Code::kNotFound) {
      return MoveFile(kSpoolFile, name.text());
    }
  }
  return {Code::kExists, 0, "too many spools of newer versions"};
}

/// Copies what reads out of the file set aside into the open one, a transaction a batch: what was
/// copied stays, and a power cut in the middle only means that it goes on from there.
Status SpoolStore::Salvage() {
  const FilePath path(storage_, kSpoolSalvage);
  Database from;
  SpoolState found;
  // To write, so that a transaction cut in half is undone first.
  Status status = from.Open(path.text, storage_.vfs(), Database::Mode::kCreate);
  if (status.ok()) status = from.Execute("PRAGMA cache_size=-32;PRAGMA cell_size_check=ON");
  const bool open = status.ok();
  if (status.ok()) status = LoadState(from, found);
  const bool known = status.ok();
  if (known) {
    state_.account = found.account;
    for (Account& account : state_.account.accounts) account.dead = 0;  // Letters are not copied.
    state_.done = found.done;
    state_.instance = found.instance;
    state_.next_row = std::max(state_.next_row, found.next_row);
    state_.last_commit = found.last_commit;
    fresh_ = false;
  }
  for (const Signal signal : kSignals) {
    if (!open) break;
    const Status copied = SalvageSignal(from, signal);
    if (!copied.ok() && copied.code != Code::kFull) return copied;
  }
  // What was held and did not read is lost, counted. Without a state nobody knows how much it was.
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    const uint64_t held = known ? found.totals[i].items + found.account.accounts[i].dead : 0;
    const uint64_t kept = state_.totals[i].items;
    state_.account.accounts[i].dropped[static_cast<size_t>(DropReason::kDamaged)] +=
        held > kept ? held - kept : 0;
  }
  LIMPET_TRY(SaveState(db_, state_, saved_));
  saved_ = state_;
  return {};
}

Status SpoolStore::SalvageSignal(Database& from, Signal signal) {
  const size_t i = Index(signal);
  const Result<SpoolRow> newest = Edge(signal, true, 0);
  if (!newest.ok()) return newest.status();
  SpoolRow after = std::max(state_.done[i], newest.value());
  SpoolRow skip = 1;
  int skips = 0;
  while (skips < kSkipsMax) {
    TextBuffer<96> sql;
    sql << "SELECT row FROM " << SpoolTable(signal) << " WHERE row>" << after
        << " ORDER BY row LIMIT 1" << '\0';
    const Result<int64_t> next = from.Number(sql.text().data());
    if (next.ok() && next.value() == 0) return {};  // The end.
    if (!next.ok()) {
      // A stretch that does not read: further and further on.
      ++skips;
      after += skip;
      skip *= 2;
      continue;
    }
    const auto row = static_cast<SpoolRow>(next.value());
    Record record;
    LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
    Status copied = CopyRecord(from, SpoolTable(signal), signal, row, SpoolTable(signal), row,
                               nullptr, {}, record);
    if (copied.ok()) {
      ++state_.totals[i].batches;
      state_.totals[i].items += record.header.items;
      state_.totals[i].bytes += record.blob_bytes();
      state_.next_row = std::max(state_.next_row, row + 1);
      copied = SaveState(db_, state_, saved_);
      if (copied.ok()) copied = db_.Execute("COMMIT");
      if (copied.ok()) {
        saved_ = state_;
        skip = 1;
        skips = 0;
      } else {
        state_ = saved_;
      }
    }
    if (db_.in_transaction()) (void)db_.Execute("ROLLBACK");
    // A row that does not read is passed over; a new file that cannot be written is a failure.
    if (!copied.ok() && copied.code != Code::kInvalid) return copied;
    if (!copied.ok()) ++damaged_;
    after = row;
  }
  return {};
}

// Jobs

void SpoolStore::Run() {
  SpoolJob& job = *job_;
  job.status = {};
  if (job.open && !db_.is_open()) {
    job.status = Open(job.opened);
    job.was_opened = job.status.ok();
  }
  if (job.status.ok() && !db_.is_open()) job.status = {Code::kUnavailable, 0, "not open"};
  const MonoTime begin = clock_.Monotonic();
  if (job.status.ok() && job.write) job.status = Transact(job);
  job.took = clock_.Monotonic() - begin;
  if (job.status.ok() && job.shrink) job.status = Shrink();
  if (job.status.ok() && job.read) job.status = Read(job);
  if (job.status.ok() && !job.file_into.empty()) job.status = ReadFile(job);
  if (job.status.ok()) job.status = Report(job);
  job.damaged = damaged_;
  // Closed after a failure: the next job that opens looks at what is there with fresh eyes, and sets
  // it aside when it is damaged.
  if (!job.status.ok() && !IsOutOfMemory(job.status)) Close();
}

/// What the loop shows of the spool.
Status SpoolStore::Report(SpoolJob& job) {
  job.totals = state_.totals;
  for (const Signal signal : kSignals) {
    job.dead_items[Index(signal)] = state_.account.accounts[Index(signal)].dead;
  }
  job.next_row = state_.next_row;
  job.generation = generation_;
  job.heap = SqliteHeapUse();
  job.bytes = 0;
  for (const std::string_view name : {kSpoolFile, kSpoolJournal, kSpoolWal}) {
    job.bytes += storage_.SizeOf(name).ok() ? storage_.SizeOf(name).value() : 0;
  }
  return {};
}

/// Batches of one signal behind a row, as many as there is room for.
Status SpoolStore::Read(SpoolJob& job) {
  job.read_count = 0;
  const std::string_view table = SpoolTable(job.read_signal);
  SpoolRow after = std::max(job.read_after, state_.done[Index(job.read_signal)]);
  size_t used = 0;
  while (job.read_count < job.reads.size()) {
    Record record;
    Status status;
    {
      Statement statement;
      TextBuffer<512> sql;
      sql << "SELECT row," << kRecordColumns << " FROM " << table << " WHERE row>?1 ORDER BY row LIMIT 1";
      LIMPET_TRY(statement.Prepare(db_, sql.text()));
      statement.Bind(1, static_cast<int64_t>(after));
      const Result<bool> found = statement.Step();
      if (!found.ok()) return found.status();
      if (!found.value()) break;
      status = ReadRecord(statement, job.read_signal, record);
    }
    const size_t size = record.blob_bytes();
    if (status.ok() && size > buffer_.size()) status = {Code::kInvalid, 0, "larger than a batch"};
    if (status.ok()) {
      if (size > buffer_.size() - used) break;
      TextBuffer<16> name;
      name << table << '\0';
      status = ReadBlob(db_, name.text().data(), record, buffer_.subspan(used, size));
    }
    after = record.row;
    if (status.ok()) {
      const std::span<const uint8_t> blob = buffer_.subspan(used, size);
      job.reads[job.read_count++] = {.row = record.row,
                                     .header = record.header,
                                     .checkpoints = blob.first(record.header.checkpoint_bytes),
                                     .bytes = blob.subspan(record.header.checkpoint_bytes)};
      used += size;
      continue;
    }
    if (status.code != Code::kInvalid) return status;
    // S7. A row of its own: told when there is nothing better to tell.
    if (job.read_count > 0) break;
    ++damaged_;
    SpoolJob::Lost& lost =
        job.lost[Index(job.read_signal)][static_cast<size_t>(DropReason::kDamaged)];
    LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
    Status dropped = Lose(job, job.read_signal, record.row, DropReason::kDamaged);
    if (dropped.ok()) {
      for (const Signal signal : kSignals) {
        Account& account = state_.account.accounts[Index(signal)];
        if (signal == job.read_signal) account.dropped[static_cast<size_t>(DropReason::kDamaged)] += lost.items;
      }
      dropped = SaveState(db_, state_, saved_);
    }
    if (dropped.ok()) dropped = db_.Execute("COMMIT");
    if (!dropped.ok()) {
      if (db_.in_transaction()) (void)db_.Execute("ROLLBACK");
      state_ = saved_;
      lost = {};
      return dropped;
    }
    saved_ = state_;
    ++generation_;
  }
  return {};
}

/// Bytes of the file between two transactions, for the commands that look at a running spool.
Status SpoolStore::ReadFile(SpoolJob& job) {
  if (options_.sync != Sync::kFull) LIMPET_TRY(db_.Execute("PRAGMA wal_checkpoint(PASSIVE)"));
  const Result<uint64_t> size = db_.FileSize();
  if (!size.ok()) return size.status();
  job.file_size = size.value();
  job.file_got = 0;
  if (job.file_offset >= job.file_size) return {};
  const size_t count = static_cast<size_t>(
      std::min<uint64_t>(job.file_into.size(), job.file_size - job.file_offset));
  LIMPET_TRY(db_.ReadFile(job.file_offset, job.file_into.first(count)));
  job.file_got = count;
  return {};
}

/// After a drain: the file becomes as small as what is left in it.
Status SpoolStore::Shrink() {
  LIMPET_TRY(db_.Execute("PRAGMA incremental_vacuum"));
  if (options_.sync != Sync::kFull) LIMPET_TRY(db_.Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  ++generation_;
  return {};
}

}  // namespace limpet
