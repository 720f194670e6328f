// The store on simulated flash, as the loop uses it: job by job. Beside it the loop's own account, so
// that every job's outcome is held against it, and a view of the file that does not trust the store.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "batch/gzip.h"
#include "ledger/ledger.h"
#include "sim/flash.h"
#include "sim/sim_storage.h"
#include "sim/slow.h"
#include "sim/sqlite_heap.h"
#include "sim/world.h"
#include "spool/job.h"
#include "spool/spool_memory.h"
#include "spool/store.h"

namespace limpet::sim {

/// A record in pieces, as the queue has it.
class PieceBody final : public Body {
 public:
  explicit PieceBody(std::vector<uint8_t> bytes) : bytes_(std::move(bytes)) {}
  size_t size() const override { return bytes_.size(); }
  std::span<const uint8_t> At(size_t offset) const override {
    constexpr size_t kPiece = 512;
    const size_t end = std::min(bytes_.size(), (offset / kPiece + 1) * kPiece);
    return std::span(bytes_).subspan(offset, end - offset);
  }
  const std::vector<uint8_t>& bytes() const { return bytes_; }

 private:
  std::vector<uint8_t> bytes_;
};

struct TestBatch {
  SpoolRow row;
  BatchHeader header;
  PieceBody record;
};

/// What the marks of a batch move on: the track of number 1, to its number.
inline constexpr TrackId kMarkedTrack = 1;

/// The batch of that number and size (marks and bytes together): always the same one.
inline TestBatch MakeBatch(Signal signal, SpoolRow row, size_t bytes) {
  std::vector<uint8_t> record(bytes);
  uint64_t random = row * 0x9e3779b97f4a7c15u + Index(signal);
  for (uint8_t& byte : record) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<uint8_t>(random >> 56);
  }
  const auto n = static_cast<int64_t>(row);
  BatchHeader header{.signal = signal,
                     .start = 0xfedcba9876543210u,
                     .sequence = row,
                     .path = {.bits = 2, .length = 2},
                     .encoding = Encoding::kGzip,
                     .trust = ClockTrust::kUnsynchronized,
                     .items = static_cast<uint32_t>(1 + row % 7),
                     .raw_bytes = static_cast<uint32_t>(bytes * 5),
                     .checkpoint_bytes = static_cast<uint32_t>(row % 3 == 0 ? bytes / 8 : 0),
                     .first_mono = {n * 1000},
                     .last_mono = {n * 1000 + 500},
                     .first_wall = {SimClock::kStart.ns + n * 1000},
                     .last_wall = {SimClock::kStart.ns + n * 1000 + 500}};
  header.boot.bytes = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
  header.stored_bytes = static_cast<uint32_t>(bytes) - header.checkpoint_bytes;
  if (header.checkpoint_bytes >= kTrackMarkBytes) {
    const TrackMarkBytes mark = EncodeMark({kMarkedTrack, row});
    std::copy(mark.begin(), mark.end(), record.begin());
    header.checkpoint_bytes = kTrackMarkBytes;
    header.stored_bytes = static_cast<uint32_t>(bytes - kTrackMarkBytes);
  }
  return {row, header, PieceBody(std::move(record))};
}

/// What the loop knows: enough to say, after each job, what must lie in the spool.
struct LoopSide {
  std::array<Account, kSignalCount> accounts{};
  std::array<uint64_t, kSignalCount> held{};  ///< Items in the spool.
  std::array<SpoolRow, kSignalCount> done{};
  std::array<SpoolRow, kSignalCount> keep{};
  SpoolRow next_row = 1;
  MonoTime mono{Seconds(100).ns};
  std::map<SpoolRow, size_t> sizes;  ///< Of all batches that were ever added.
  /// A job that seemed to fail may have been committed: what it dropped is found missing later.
  bool doubtful = false;
};

class SpoolRig {
 public:
  explicit SpoolRig(SimFlash& flash, const SpoolOptions& wanted = {})
      : storage(flash), options(wanted), flash_(flash) {
    buffer_.resize(SpoolMemory::BufferBytes(wanted.batch_bytes));
    NewProcess();
  }

  SimClock clock;
  SimStorage storage;
  SpoolOptions options;
  LoopSide loop;
  SpoolJob job;
  std::optional<SpoolStore> store;

  /// As after a kill: nothing is remembered but what lies on the flash.
  void NewProcess(Storage* other = nullptr) {
    store.reset();
    store.emplace(options, other != nullptr ? *other : storage, clock, buffer_);
    store->Take(job);
  }

  /// Opens it as the start does, and takes over what lies there.
  Status Open(SpoolOpened& opened) {
    const Status status = store->Open(opened);
    if (!status.ok()) return status;
    Resume(opened);
    return status;
  }
  void Resume(const SpoolOpened& opened) {
    for (const Signal signal : kSignals) {
      const size_t i = Index(signal);
      loop.accounts[i] = opened.account.accounts[i];
      Account& account = loop.accounts[i];
      loop.held[i] = opened.totals[i].items;
      loop.done[i] = opened.done_through[i];
      account.collected = account.delivered + account.rejected + account.dropped_total() +
                          account.dead + loop.held[i];
    }
    loop.next_row = std::max(loop.next_row, opened.next_row);
  }

  void Note(std::span<const TrackChange> tracks) {
    std::copy(tracks.begin(), tracks.end(), job.tracks.begin());
    job.track_count = tracks.size();
  }

  /// An empty job. write: with everything that each transaction has.
  SpoolJob& Begin(bool write = true) {
    batches_.clear();
    clock.mono = loop.mono;
    job.open = job.read = job.read_tracks = job.last = job.shrink = job.was_opened = job.full = false;
    job.write = write;
    job.add_count = job.bury_count = job.read_count = job.dead_row_count = 0;
    job.done_row_count = job.read_past_count = 0;
    job.keep_from = {};
    job.track_count = 0;
    job.tried = {};
    job.added = job.refused = {};
    job.lost = {};
    job.refused_items = job.buried_items = job.buried_rows_items = job.dead_overflow_items = {};
    job.purged_items = job.retried_items = {};
    job.dead_action = DeadAction::kNone;
    job.dead_changed = 0;
    job.file_into = {};
    job.done_through = loop.done;
    job.keep_through = loop.keep;
    job.account = {};
    job.account.accounts = loop.accounts;
    job.account.At("destination.primary")->counts = {0, 0, 0, 5, 0, 7};
    job.account.At("log.with.dots")->counts = {1, 2, 0, UINT64_MAX >> 1};
    job.next_row = loop.next_row;
    job.instance = "0123456789abcdef";
    job.boot.bytes = {9, 9, 9};
    job.mono = loop.mono;
    job.wall = clock.Wall();
    return job;
  }

  SpoolRow Add(Signal signal, size_t bytes) {
    const SpoolRow row = loop.next_row++;
    AddAs(signal, row, bytes);
    return row;
  }
  void AddAs(Signal signal, SpoolRow row, size_t bytes) {
    batches_.push_back(std::make_unique<TestBatch>(MakeBatch(signal, row, bytes)));
    const TestBatch& batch = *batches_.back();
    loop.sizes[row] = bytes;
    job.adds[job.add_count++] = {row, batch.header, &batch.record};
    job.next_row = loop.next_row;
  }

  /// Refused: a batch of the spool, which must be the oldest there.
  void Bury(Signal signal, SpoolRow row) {
    SpoolBury& bury = job.buries[job.bury_count++];
    bury = {};
    bury.signal = signal;
    bury.row = row;
    bury.destination = "primary";
    bury.answer = "400: no";
  }
  /// Refused: one that is only in memory.
  SpoolRow BuryNew(Signal signal, size_t bytes) {
    const SpoolRow row = loop.next_row++;
    batches_.push_back(std::make_unique<TestBatch>(MakeBatch(signal, row, bytes)));
    loop.sizes[row] = bytes;
    Bury(signal, row);
    SpoolBury& bury = job.buries[job.bury_count - 1];
    bury.in_memory = true;
    bury.header = batches_.back()->header;
    bury.record = &batches_.back()->record;
    job.next_row = loop.next_row;
    return row;
  }

  /// Runs the job and takes its outcome into the account, which must balance with what the store
  /// says.
  Status Run() {
    store->Run();
    if (!job.status.ok()) {
      EXPECT_TRUE(NothingReported());
      return job.status;
    }
    if (job.was_opened) loop.next_row = std::max(loop.next_row, job.opened.next_row);
    TakeOutcome();
    return {};
  }

  /// What a read job brought, compared with what was once added.
  void CheckReads() const {
    SpoolRow before = std::max(job.read_after, loop.done[Index(job.read_signal)]);
    for (size_t n = 0; n < job.read_count; ++n) {
      const SpoolRead& read = job.reads[n];
      SCOPED_TRACE(read.row);
      EXPECT_GT(read.row, before);
      before = read.row;
      const auto size = loop.sizes.find(read.header.sequence);
      ASSERT_NE(size, loop.sizes.end());
      // A letter that was put back has a new number; its own is in the header.
      const TestBatch batch = MakeBatch(job.read_signal, read.header.sequence, size->second);
      EXPECT_EQ(read.header.items, batch.header.items);
      EXPECT_EQ(read.header.stored_bytes, batch.header.stored_bytes);
      EXPECT_EQ(read.header.first_wall, batch.header.first_wall);
      EXPECT_EQ(read.header.boot, batch.header.boot);
      ASSERT_EQ(read.marks.size() + read.bytes.size(), batch.record.size());
      EXPECT_TRUE(std::equal(read.marks.begin(), read.marks.end(),
                             batch.record.bytes().begin()));
      EXPECT_TRUE(std::equal(read.bytes.begin(), read.bytes.end(),
                             batch.record.bytes().begin() +
                                 static_cast<ptrdiff_t>(read.marks.size())));
    }
  }

  /// What was read is accepted: for the next transaction.
  void Settle(size_t count = SIZE_MAX) {
    const size_t i = Index(job.read_signal);
    for (size_t n = 0; n < std::min(count, job.read_count); ++n) {
      loop.done[i] = job.reads[n].row;
      loop.accounts[i].delivered += job.reads[n].header.items;
      ASSERT_GE(loop.held[i], job.reads[n].header.items);
      loop.held[i] -= job.reads[n].header.items;
    }
  }

  /// One job that reads behind the row.
  Status Read(Signal signal, SpoolRow after = 0) {
    Begin(false);
    job.read = true;
    job.read_signal = signal;
    job.read_after = after;
    const Status status = Run();
    if (status.ok()) CheckReads();
    return status;
  }

  /// Takes everything out, in order; returns how many batches it were.
  size_t Drain() {
    size_t count = 0;
    for (const Signal signal : kSignals) {
      for (;;) {
        EXPECT_TRUE(Read(signal).ok());
        if (!job.status.ok()) return count;
        if (job.read_count == 0) break;
        count += job.read_count;
        Settle();
        Begin();
        EXPECT_TRUE(Run().ok());
        if (!job.status.ok()) return count;
      }
      EXPECT_EQ(loop.held[Index(signal)], 0u);
    }
    return count;
  }

  uint64_t file_bytes() const {
    uint64_t sum = 0;
    for (const char* name : {"spool.db", "spool.db-journal", "spool.db-wal"}) {
      const auto file = flash_.files.find(name);
      if (file != flash_.files.end()) sum += file->second.size();
    }
    return sum;
  }

  bool NothingReported() const {
    for (const Signal signal : kSignals) {
      const size_t i = Index(signal);
      for (const SpoolJob::Lost& lost : job.lost[i]) {
        if (lost.items != 0 || lost.batches != 0) return false;
      }
      if (job.refused_items[i] + job.buried_items[i] + job.buried_rows_items[i] +
              job.dead_overflow_items[i] + job.purged_items[i] + job.retried_items[i] != 0) {
        return false;
      }
    }
    return job.dead_changed == 0 && std::count(job.added.begin(), job.added.end(), true) == 0 &&
           std::count(job.refused.begin(), job.refused.end(), true) == 0;
  }

 private:
  void TakeOutcome() {
    loop.next_row = std::max(loop.next_row, job.next_row);
    std::array<uint64_t, kSignalCount> expected = loop.held;
    for (size_t n = 0; n < job.add_count; ++n) {
      const SpoolAdd& add = job.adds[n];
      const size_t i = Index(add.header.signal);
      EXPECT_FALSE(job.refused[n] && (job.added[n] || options.overflow != Overflow::kDropNewest));
      if (!job.added[n] && !job.refused[n]) continue;
      loop.accounts[i].collected += add.header.items;
      if (job.added[n]) expected[i] += add.header.items;
    }
    for (size_t n = 0; n < job.bury_count; ++n) {
      if (!job.buries[n].in_memory) continue;
      loop.accounts[Index(job.buries[n].signal)].collected += job.buries[n].header.items;
    }
    for (const Signal signal : kSignals) {
      const size_t i = Index(signal);
      Account& account = loop.accounts[i];
      const auto drop = [&account](DropReason reason, uint64_t items) {
        account.dropped[static_cast<size_t>(reason)] += items;
      };
      for (size_t r = 0; r < kDropReasonCount; ++r) {
        account.dropped[r] += job.lost[i][r].items;
        EXPECT_GE(expected[i], job.lost[i][r].items);
        expected[i] -= job.lost[i][r].items;
      }
      drop(DropReason::kOverflow, job.refused_items[i]);
      drop(DropReason::kDeadOverflow, job.dead_overflow_items[i]);
      drop(DropReason::kDeadPurged, job.purged_items[i]);
      EXPECT_GE(expected[i], job.buried_rows_items[i]);
      expected[i] += job.retried_items[i];
      expected[i] -= job.buried_rows_items[i];
      account.dead += job.buried_items[i];
      account.dead -= job.dead_overflow_items[i] + job.purged_items[i] + job.retried_items[i];
      if (!job.write) {
        loop.held[i] = expected[i];
        continue;
      }
      const uint64_t there = job.totals[i].items + job.dead_items[i];
      const uint64_t thought = expected[i] + account.dead;
      if (loop.doubtful || (job.was_opened && job.opened.salvaged)) {
        EXPECT_LE(there, thought);
        drop(DropReason::kDamaged, thought - there);
        account.dead = job.dead_items[i];
      } else {
        EXPECT_EQ(job.totals[i].items, expected[i]);
        EXPECT_EQ(job.dead_items[i], account.dead);
      }
      loop.held[i] = job.totals[i].items;
      EXPECT_TRUE(account.Balances({.spool = loop.held[i]}));
    }
    if (job.write) loop.doubtful = false;
    loop.mono = loop.mono + Seconds(1);
  }

  SimFlash& flash_;
  std::vector<uint8_t> buffer_;
  std::vector<std::unique_ptr<TestBatch>> batches_;
};

/// All that a database says, whoever wrote it, as text that can be compared: without the bytes
/// written, which a failure changes, and with each row's checksum held against its bytes.
/// Works on a copy, so that a transaction cut in half is undone there only.
inline std::string Dump(const std::map<std::string, std::string>& files,
                        const std::string& name = "spool.db") {
  SimFlash flash;
  for (const char* suffix : {"", "-journal", "-wal"}) {
    const auto file = files.find(name + suffix);
    if (file != files.end()) flash.files[name + suffix] = file->second;
  }
  if (!flash.files.contains(name) || flash.files[name].empty()) return "";
  Database db;
  if (!db.Open(name.c_str(), flash.vfs(), Database::Mode::kCreate).ok()) return "cannot be opened";
  if (!db.Execute("PRAGMA locking_mode=EXCLUSIVE;PRAGMA cache_size=-32").ok()) return "cannot";
  std::string text;
  const Result<int64_t> tables = db.Number("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return "cannot be read";
  if (tables.value() == 0) return "";
  Statement statement;
  const auto rows = [&](const char* sql) {
    text += '\n';
    if (!statement.Prepare(db, sql).ok()) {
      text += "cannot be asked";
      return;
    }
    for (;;) {
      const Result<bool> row = statement.Step();
      if (!row.ok()) text += "cannot be read";
      if (!row.ok() || !row.value()) break;
      text += statement.Text(0);
      text += '|';
    }
  };
  rows("PRAGMA integrity_check");
  rows("SELECT name||'='||value FROM state WHERE name NOT IN ('written_bytes','checksum') ORDER BY name");
  rows("SELECT id||'='||position||' '||hex(identity) FROM track ORDER BY id");
  rows("SELECT counter||','||hex(id)||','||first_mono||','||last_mono||','||wall_offset FROM boot");
  for (const char* table : {"metrics", "logs", "traces", "dead"}) {
    text += "\n";
    text += table;
    const std::string sql = std::string("SELECT row,") + std::string(kRecordColumns) + "," +
                            (std::string(table) == "dead" ? "signal" : "-1") + ",bytes FROM " +
                            table + " ORDER BY row";
    if (!statement.Prepare(db, sql).ok()) return text + " cannot be asked";
    for (;;) {
      const Result<bool> row = statement.Step();
      if (!row.ok()) text += " cannot be read";
      if (!row.ok() || !row.value()) break;
      const int64_t in_dead = statement.Number(kRecordColumnCount + 1);
      Signal signal = in_dead >= 0 ? static_cast<Signal>(in_dead) : Signal::kMetrics;
      for (const Signal s : kSignals) {
        if (SignalName(s) == table) signal = s;
      }
      Record record;
      const Status read = ReadRecordRow(statement, signal, record);
      const std::span<const uint8_t> bytes = statement.Bytes(kRecordColumnCount + 2);
      const PieceBody body(std::vector<uint8_t>(bytes.begin(), bytes.end()));
      text += " " + std::to_string(record.row) + "/" + std::to_string(record.header.sequence);
      if (record.header.attempts > 0) text += "(" + std::to_string(record.header.attempts) + ")";
      if (!read.ok() || RecordChecksum(record.header, body) != record.checksum) text += " DAMAGED";
    }
  }
  return text;
}

}  // namespace limpet::sim
