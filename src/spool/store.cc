#include "spool/store.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

constexpr size_t kPathBytes = kPathMax;
constexpr int kNewerMax = 99;
constexpr int kTries = 3;           // Of a file that the device does not read: then it is damaged.

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
  for (Statement& insert : inserts_) insert.Finish();
  db_.Close();
  boot_ = 0;
}

// Opening

/// S7: whatever lies there, a sound database is open when it returns kOk.
Status SpoolStore::Open(SpoolOpened& opened) {
  opened = {};
  ++generation_;
  late_ = {};
  LIMPET_TRY(storage_.Prepare());
  newer_set_aside_ = false;
  Status status = suspect_ ? Status{Code::kInvalid, 0, "a damaged spool"} : OpenFile();
  const bool unreadable = status.code == Code::kDenied &&
                          storage_.SizeOf(kSpoolFile).status().code == Code::kDenied;
  if (status.code == Code::kInvalid || unreadable) {
    // Damaged, somebody else's, or a file that we may not even read in a directory that is ours.
    Close();
    LIMPET_TRY(FinishSalvage());  // One is left of an earlier time: nothing more is got out of it.
    LIMPET_TRY(MoveFile(kSpoolFile, kSpoolSalvage));
    ++damaged_;
    suspect_ = false;
    unreadable_ = salvage_tries_ = 0;
    status = OpenFile();
  }
  // It stays under this name until all that reads is copied, so that a power cut ends nothing.
  if (status.ok()) {
    const Result<bool> unfinished = Exists(kSpoolSalvage);
    status = unfinished.status();
    if (status.ok() && unfinished.value()) {
      status = Salvage(opened);
      if (status.ok()) status = FinishSalvage();
      opened.salvaged = true;
    }
  }
  if (!status.ok()) {
    Close();
    Suspect(status);
    return status;
  }
  written_known_ = true;
  opened.newer_set_aside = newer_set_aside_;
  opened.fresh = fresh_ || state_.last_commit == 0;
  opened.clean = state_.clean != 0;
  opened.instance = state_.instance;
  opened.account = state_.account;
  opened.done_through = state_.done;
  opened.totals = state_.totals;
  opened.tried = state_.tried;
  opened.next_row = state_.next_row;
  opened.room_bytes = RoomBytes(MaxPages());
  opened.last_commit = UnixTime{state_.last_commit};
  return {};
}

/// Remembers what a failure says of the file, for the next Open. A device may fail to read for a
/// while; a page that it never gives back is as good as damaged.
void SpoolStore::Suspect(const Status& status) {
  unreadable_ = IsUnreadable(status) ? unreadable_ + 1 : 0;
  if (status.code == Code::kInvalid || unreadable_ >= kTries) suspect_ = true;
}

Status SpoolStore::OpenFile() {
  const FilePath path(storage_, kSpoolFile);
  if (!path.ok()) return {Code::kUnsupported, 0, "state_dir is too long"};
  const Result<uint64_t> size = storage_.SizeOf(kSpoolFile);
  if (!size.ok() && size.status().code != Code::kNotFound) return size.status();
  fresh_ = !size.ok() || size.value() == 0;
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
  LIMPET_TRY(Configure(fresh_));

  // Before anything is changed: it may not be ours.
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
    LIMPET_TRY(SetNewerAside());
    newer_set_aside_ = true;
    return OpenFile();
  }
  fresh_ = fresh_ || empty;
  LIMPET_TRY(SetJournal());
  if (version.value() < kSpoolSchema) LIMPET_TRY(Migrate(version.value()));
  LIMPET_TRY(CheckSpace());
  LIMPET_TRY(LoadState(db_, saved_));
  for (const Signal signal : kSignals) {
    const Result<SpoolTotals> done = SumRows(signal, 0, saved_.done[Index(signal)]);
    if (!done.ok()) return done.status();
    saved_.done_bytes[Index(signal)] = done.value().bytes;
  }
  state_ = saved_;
  if (!written_known_) written_before_ = saved_.written_bytes;
  return {};
}

Status SpoolStore::Configure(bool make) {
  // Exclusive before the first access: nobody else reads it while we run, and WAL needs no shared
  // memory then.
  TextBuffer<256> sql;
  sql << "PRAGMA locking_mode=EXCLUSIVE;PRAGMA cache_size=" << CachePages(options_.batch_bytes)
      << ";PRAGMA journal_size_limit=" << JournalBytes() / 4 << ';';
  // An old file has them, and would be written to.
  if (make) sql << "PRAGMA page_size=" << kSpoolPageBytes << ";PRAGMA auto_vacuum=INCREMENTAL;";
  sql << '\0';
  return db_.Execute(sql.text().data());
}

/// A rollback journal writes fewest bytes. Without its syncs it could be torn at power loss, where a
/// WAL only loses its last commits: docs/spool.md has the measurements.
Status SpoolStore::SetJournal() {
  // A power cut may have left it as Shrink wants it for a moment.
  const Result<int64_t> vacuum = db_.Number("PRAGMA auto_vacuum");
  if (!vacuum.ok()) return vacuum.status();
  if (vacuum.value() == 1) LIMPET_TRY(db_.Execute("PRAGMA auto_vacuum=INCREMENTAL"));
  if (options_.sync == Sync::kFull) {
    return db_.Execute("PRAGMA synchronous=FULL;PRAGMA journal_mode=PERSIST");
  }
  TextBuffer<128> sql;
  sql << "PRAGMA synchronous=NORMAL;PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint="
      << JournalBytes() / 4 / kSpoolPageBytes << '\0';
  return db_.Execute(sql.text().data());
}

/// Sets how many pages the database may have now: max_size, and what min_free leaves.
Status SpoolStore::CheckSpace() {
  page_limit_ = MaxPages();
  if (options_.min_free_bytes == 0) return {};
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  const Result<Space> space = storage_.Free();
  if (!space.ok()) return space.status();
  // The journal may grow as well, to what it may have.
  uint64_t kept = options_.min_free_bytes + JournalBytes();
  for (const std::string_view name : {kSpoolJournal, kSpoolWal}) {
    const Result<uint64_t> size = storage_.SizeOf(name);
    if (size.ok()) kept -= std::min(size.value(), kept - options_.min_free_bytes);
  }
  const uint64_t free = space.value().free_bytes;
  const uint64_t more = free > kept ? free - kept : 0;
  page_limit_ = std::min(page_limit_, static_cast<uint64_t>(pages.value()) + more / kSpoolPageBytes);
  return {};
}

/// Somebody may have removed or replaced the file under us: what would be committed then is nowhere.
Status SpoolStore::CheckFile() {
  const Result<uint64_t> named = storage_.SizeOf(kSpoolFile);
  if (named.status().code == Code::kNotFound) return {Code::kUnavailable, 0, "the file is gone"};
  if (!named.ok()) return named.status();
  const Result<uint64_t> opened = db_.FileSize();
  if (!opened.ok()) return opened.status();
  if (named.value() != opened.value()) return {Code::kUnavailable, 0, "the file was replaced"};
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

Result<bool> SpoolStore::Exists(std::string_view name) {
  const Status status = storage_.SizeOf(name).status();
  if (status.ok() || status.code == Code::kDenied) return true;
  if (status.code == Code::kNotFound) return false;
  return status;
}

/// Renames a database with its journal, which goes first: without it the database may be half a
/// transaction. What was there under the new name is gone before, so that after a power cut in the
/// middle a journal found there is the one that was moved.
Status SpoolStore::MoveFile(std::string_view from, std::string_view to) {
  constexpr std::string_view kSuffixes[] = {"-journal", "-wal", ""};
  const Result<bool> replaced = Exists(to);
  if (!replaced.ok()) return replaced.status();
  TextBuffer<64> old_name, new_name;
  for (const std::string_view suffix : kSuffixes) {
    new_name.Clear();
    new_name << to << suffix;
    if (replaced.value()) LIMPET_TRY(storage_.Remove(new_name.text()));
  }
  for (const std::string_view suffix : kSuffixes) {
    old_name.Clear(), new_name.Clear();
    old_name << from << suffix;
    new_name << to << suffix;
    const Result<bool> there = Exists(old_name.text());
    if (!there.ok()) return there.status();
    if (there.value()) LIMPET_TRY(storage_.Rename(old_name.text(), new_name.text()));
  }
  return {};
}

/// Keeps what was salvaged for people to look at, in the place of the one before it.
Status SpoolStore::FinishSalvage() {
  const Result<bool> there = Exists(kSpoolSalvage);
  if (!there.ok()) return there.status();
  if (!there.value()) return {};
  return MoveFile(kSpoolSalvage, "spool.db.damaged-1");
}

/// Somebody's data that we do not understand: unread, and never replaced by another.
Status SpoolStore::SetNewerAside() {
  TextBuffer<64> name;
  for (int number = 1; number <= kNewerMax; ++number) {
    name.Clear();
    name << kSpoolFile << ".newer-" << number;
    const Result<bool> taken = Exists(name.text());
    if (!taken.ok()) return taken.status();
    if (!taken.value()) return MoveFile(kSpoolFile, name.text());
  }
  return {Code::kExists, 0, "too many spools of newer versions"};
}

void SpoolStore::Run() {
  SpoolJob& job = *job_;
  committed_ = false;
  job.status = late_;
  late_ = {};
  if (job.status.ok() && job.open && !db_.is_open()) {
    job.status = Open(job.opened);
    job.was_opened = job.status.ok();
  }
  if (job.status.ok() && !db_.is_open()) job.status = {Code::kUnavailable, 0, "not open"};
  if (job.status.ok()) job.status = CheckFile();
  const MonoTime begin = clock_.Monotonic();
  if (job.status.ok() && job.write) job.status = Transact(job);
  job.took = clock_.Monotonic() - begin;
  if (job.status.ok() && job.measure && !job.write) {
    job.status = CheckSpace();
    job.room_bytes = RoomBytes(page_limit_);
  }
  if (job.status.ok() && job.shrink) job.status = Shrink();
  if (job.status.ok() && job.read) job.status = Read(job);
  if (job.status.ok() && job.read_tracks) job.status = ReadTracks(job);
  if (job.status.ok() && !job.file_into.empty()) job.status = ReadFile(job);
  if (!job.status.ok()) {
    // The next job that opens looks at what is there with fresh eyes.
    Close();
    Suspect(job.status);
    job.read_count = job.tracks_read_count = 0;
    job.file_got = 0;
    if (committed_) {
      late_ = job.status;
      job.status = {};
    }
  } else {
    unreadable_ = 0;
  }
  Report(job);
}

/// What the loop shows of the spool.
void SpoolStore::Report(SpoolJob& job) {
  job.totals = state_.totals;
  for (const Signal signal : kSignals) {
    job.dead_items[Index(signal)] = state_.account.accounts[Index(signal)].dead;
  }
  job.next_row = state_.next_row;
  job.generation = generation_;
  job.heap = SqliteHeapUse();
  job.bytes = 0;
  for (const std::string_view name : {kSpoolFile, kSpoolJournal, kSpoolWal}) {
    const Result<uint64_t> size = storage_.SizeOf(name);
    if (size.ok()) job.bytes += size.value();
  }
  job.written_bytes = written_before_ + storage_.written_bytes();
  job.damaged = damaged_;
}

/// Batches of one signal behind a row, as many as there is room for.
Status SpoolStore::Read(SpoolJob& job) {
  job.read_count = 0;
  const std::string_view table = SpoolTable(job.read_signal);
  TextBuffer<512> sql;
  sql << "SELECT row," << kRecordColumns << " FROM " << table << " WHERE row>?1 ORDER BY row LIMIT 1";
  TextBuffer<16> name;
  name << table << '\0';
  SpoolRow after = std::max(job.read_after, state_.done[Index(job.read_signal)]);
  size_t used = 0;
  while (job.read_count < job.reads.size()) {
    Record record;
    Status status;
    {
      Statement statement;
      LIMPET_TRY(statement.Prepare(db_, sql.text()));
      statement.Bind(1, static_cast<int64_t>(after));
      const Result<bool> found = statement.Step();
      if (!found.ok()) return found.status();
      if (!found.value()) break;
      status = ReadRecordRow(statement, job.read_signal, record);
      ApplyAttempts(state_, record.row, record.header);
    }
    if (record.row <= after) return {Code::kInvalid, 0, "rows out of order"};
    const auto past = std::span(job.read_past).first(job.read_past_count);
    if (std::find(past.begin(), past.end(), record.row) != past.end()) {
      after = record.row;
      continue;
    }
    const size_t size = record.blob_bytes();
    if (status.ok() && size > buffer_.size()) {
      TextBuffer<96> length;
      length << "SELECT length(bytes) FROM " << table << " WHERE row=" << record.row << '\0';
      const Result<int64_t> bytes = db_.Number(length.text().data());
      if (!bytes.ok()) return bytes.status();
      // Made under another configuration, it is not given up: the key has to go back.
      if (static_cast<uint64_t>(bytes.value()) == size) {
        return {Code::kUnsupported, static_cast<int32_t>(size),
                "queue.batch_bytes is smaller than a batch in the spool"};
      }
      status = {Code::kInvalid, 0, "a blob of another size"};
    }
    if (status.ok()) {
      if (size > buffer_.size() - used) break;
      status = ReadBlob(db_, name.text().data(), record, buffer_.subspan(used, size));
    }
    if (IsDamagedRow(status)) {
      // S7. A job of its own: the rows before it are told first.
      if (job.read_count > 0) break;
      LIMPET_TRY(DropUnread(job, record.row));
      continue;
    }
    LIMPET_TRY(status);
    const std::span<const uint8_t> blob = buffer_.subspan(used, size);
    job.reads[job.read_count++] = {.row = record.row,
                                   .header = record.header,
                                   .marks = blob.first(record.header.checkpoint_bytes),
                                   .bytes = blob.subspan(record.header.checkpoint_bytes)};
    used += size;
    after = record.row;
  }
  return {};
}

/// A damaged row goes in a transaction of its own.
Status SpoolStore::DropUnread(SpoolJob& job, SpoolRow row) {
  const size_t i = Index(job.read_signal);
  SpoolJob::Lost& lost = job.lost[i][static_cast<size_t>(DropReason::kDamaged)];
  const SpoolJob::Lost before = lost;
  LIMPET_TRY(db_.Execute("BEGIN IMMEDIATE"));
  Status dropped = LoseDamaged(job, job.read_signal, row);
  if (dropped.ok()) {
    state_.account.accounts[i].dropped[static_cast<size_t>(DropReason::kDamaged)] +=
        lost.items - before.items;
    dropped = SaveState(db_, state_, saved_);
  }
  if (dropped.ok()) dropped = db_.Execute("COMMIT");
  if (!dropped.ok()) {
    if (db_.in_transaction()) (void)db_.Execute("ROLLBACK");
    state_ = saved_;
    lost = before;
    return dropped;
  }
  saved_ = state_;
  committed_ = true;
  ++damaged_;
  ++generation_;
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

/// A file that may have been larger once, and has free pages: gives some of them back. Each page that
/// is moved for it is journaled (S5).
Status SpoolStore::Trim() {
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  if (static_cast<uint64_t>(pages.value()) <= MaxPages()) return {};
  TextBuffer<64> sql;
  sql << "PRAGMA incremental_vacuum(" << JournalBytes() / kSpoolPageBytes / 4 << ')' << '\0';
  return db_.Execute(sql.text().data());
}

/// After a drain: the file becomes as small as what is left in it.
Status SpoolStore::Shrink() {
  // What commits do with auto_vacuum=FULL takes the free pages at a stroke, where incremental_vacuum
  // looks each one up: a second for 60 MiB. But the pages that it moves it journals all at once.
  for (uint64_t before = 0;;) {
    const Result<int64_t> pages = db_.Number("PRAGMA page_count");
    if (!pages.ok()) return pages.status();
    const Result<int64_t> free = db_.Number("PRAGMA freelist_count");
    if (!free.ok()) return free.status();
    if (free.value() == 0 || free.value() == static_cast<int64_t>(before)) break;
    before = static_cast<uint64_t>(free.value());
    const uint64_t at_once = JournalBytes() / kSpoolPageBytes / 4;
    TextBuffer<96> sql;
    if (static_cast<uint64_t>(pages.value() - free.value()) <= at_once) {
      sql << "PRAGMA auto_vacuum=FULL;PRAGMA auto_vacuum=INCREMENTAL";
    } else {
      sql << "PRAGMA incremental_vacuum(" << at_once << ')';
    }
    sql << '\0';
    LIMPET_TRY(db_.Execute(sql.text().data()));
  }
  if (options_.sync != Sync::kFull) LIMPET_TRY(db_.Execute("PRAGMA wal_checkpoint(TRUNCATE)"));
  ++generation_;
  return {};
}

}  // namespace limpet
