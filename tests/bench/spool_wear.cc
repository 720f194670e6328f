// What a commit of the spool costs the flash, byte by byte: the store itself on a simulated flash, and
// its load over the choices that SQLite leaves us. Prints tables in Markdown; `spool_wear limpet`: that
// of the store alone.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "sim/flash.h"
#include "sim/spool_load.h"
#include "sim/sqlite_heap.h"

namespace limpet::sim {
namespace {

struct Journal {
  const char* name;
  const char* pragmas;
};
constexpr Journal kPersist = {"PERSIST", "PRAGMA journal_mode=PERSIST"};
constexpr Journal kTruncate = {"TRUNCATE", "PRAGMA journal_mode=TRUNCATE"};
constexpr Journal kWal1000 = {"WAL 1000",
                              "PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint=1000"};
constexpr Journal kWal64 = {"WAL 64", "PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint=64"};

struct Choice {
  std::vector<size_t> commit;  ///< Sizes of the batches of one commit.
  int page;
  Journal journal;
  bool incremental_vacuum;
  int cache_pages = 0;  ///< 0: as many as the largest batch has, and 24.
  bool delete_first = false;
  const char* more = "";  ///< Further pragmas.
};

struct Phase {
  FlashCounters flash;
  uint64_t payload = 0, commits = 0;
};

struct Outcome {
  Phase append, steady;
  uint64_t heap_peak = 0, file = 0, journal = 0;
};

void Must(const Status& status) {
  if (status.ok()) return;
  std::fprintf(stderr, "%s: %s %d\n", status.where, CodeName(status.code), status.detail);
  std::abort();
}

/// The spool as far as its bytes matter.
class Load {
 public:
  explicit Load(const Choice& choice) : choice_(choice) {
    size_t largest = 0;
    for (const size_t bytes : choice.commit) largest = std::max(largest, bytes);
    payload_.resize(largest);
    for (uint8_t& byte : payload_) byte = static_cast<uint8_t>(random_());
    const size_t pages = choice.cache_pages != 0 ? static_cast<size_t>(choice.cache_pages)
                                                 : largest / static_cast<size_t>(choice.page) + 24;
    Must(db_.Open("spool.db", flash_.vfs(), Database::Mode::kCreate));
    const std::string setup =
        "PRAGMA page_size=" + std::to_string(choice.page) +
        ";PRAGMA auto_vacuum=" + (choice.incremental_vacuum ? "INCREMENTAL" : "NONE") +
        ";PRAGMA locking_mode=EXCLUSIVE;" + choice.journal.pragmas +
        ";PRAGMA synchronous=FULL;PRAGMA cache_size=" + std::to_string(pages) + ";" + choice.more +
        ";CREATE TABLE state(name TEXT PRIMARY KEY, value) WITHOUT ROWID;"
        "CREATE TABLE boot(row INTEGER PRIMARY KEY, id BLOB, first_mono INT, last_mono INT,"
        " wall INT);"
        "CREATE TABLE metrics(row INTEGER PRIMARY KEY, start INT, sequence INT, path INT,"
        " encoding INT, trust INT, items INT, raw_bytes INT, boot BLOB, first_mono INT,"
        " last_mono INT, first_wall INT, last_wall INT, attempts INT, first_attempt INT,"
        " may_be_sent INT, checksum INT, checkpoints BLOB, bytes BLOB);"
        "INSERT INTO boot VALUES(1, randomblob(16), 1, 1, 1);"
        "WITH RECURSIVE n(i) AS (VALUES(0) UNION ALL SELECT i+1 FROM n WHERE i<23)"
        " INSERT INTO state SELECT printf('metrics_account_%02d', i), 1<<40 FROM n;";
    Must(db_.Execute(setup.c_str()));
    Must(insert_.Prepare(
        db_, "INSERT INTO metrics VALUES(?,?,?,0,1,1,?,?,?,?,?,?,?,0,0,0,?,NULL,?)"));
    Must(delete_.Prepare(db_, "DELETE FROM metrics WHERE row=?"));
    Must(state_.Prepare(db_, "UPDATE state SET value=? WHERE name=?"));
    Must(boot_.Prepare(db_, "UPDATE boot SET last_mono=?, wall=? WHERE row=1"));
  }

  Outcome Run() {
    Outcome out;
    constexpr int64_t kStored = 200;
    constexpr uint64_t kCommits = 400;
    flash_.counters = {};
    while (last_ - first_ < kStored) Commit(false, out.append);
    out.append.flash = flash_.counters;
    flash_.counters = {};
    while (out.steady.commits < kCommits) Commit(true, out.steady);
    out.steady.flash = flash_.counters;
    out.heap_peak = SqliteHeap::Get().heap().use().peak;
    for (const auto& [name, bytes] : flash_.files) {
      (name == "spool.db" ? out.file : out.journal) = bytes.size();
    }
    return out;
  }

 private:
  void Commit(bool steady, Phase& phase) {
    Must(db_.Execute("BEGIN IMMEDIATE"));
    if (steady && choice_.delete_first) Delete();
    for (const size_t bytes : choice_.commit) {
      Insert(bytes);
      phase.payload += bytes;
    }
    if (steady && !choice_.delete_first) Delete();
    for (int i = 0; i < 12; ++i) {
      char name[32];
      std::snprintf(name, sizeof name, "metrics_account_%02d", 2 * i);
      state_.Bind(1, static_cast<int64_t>(random_() >> 24));
      state_.Bind(2, std::string_view(name));
      Must(state_.Run());
    }
    boot_.Bind(1, Nanoseconds());
    boot_.Bind(2, Nanoseconds());
    Must(boot_.Run());
    Must(db_.Execute("COMMIT"));
    ++phase.commits;
  }

  void Insert(size_t bytes) {
    int p = 0;
    ++last_;
    insert_.Bind(++p, last_);
    insert_.Bind(++p, Nanoseconds());
    insert_.Bind(++p, last_);
    insert_.Bind(++p, int64_t{300});
    insert_.Bind(++p, static_cast<int64_t>(bytes) * 5);
    insert_.Bind(++p, std::span<const uint8_t>(payload_).first(16));
    for (int i = 0; i < 4; ++i) insert_.Bind(++p, Nanoseconds());
    insert_.Bind(++p, static_cast<int64_t>(random_() >> 32));
    insert_.BindZeros(++p, bytes);
    Must(insert_.Run());
    BlobStream blob;
    Must(blob.Open(db_, "metrics", "bytes", last_, true));
    constexpr size_t kPiece = 512;  // A block of the queue.
    for (size_t at = 0; at < bytes; at += kPiece) {
      const size_t count = std::min(kPiece, bytes - at);
      Must(blob.Write(at, std::span<const uint8_t>(payload_).subspan(at, count)));
    }
    Must(blob.Close());
  }

  void Delete() {
    for (size_t i = 0; i < choice_.commit.size(); ++i) {
      delete_.Bind(1, ++first_);
      Must(delete_.Run());
    }
  }

  int64_t Nanoseconds() {
    return int64_t{1'750'000'000'000'000'000} + static_cast<int64_t>(random_() >> 20);
  }

  const Choice& choice_;
  SimFlash flash_;
  Database db_;  // After the flash: closed before it goes.
  Statement insert_, delete_, state_, boot_;
  std::mt19937_64 random_{1};
  std::vector<uint8_t> payload_;
  int64_t first_ = 0, last_ = 0;
};

/// In a process of its own: the heap's peak has no other way back to 0.
template <typename Outcome, typename Function>
Outcome Apart(Function function) {
  int ends[2];
  if (pipe(ends) != 0) std::abort();
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const Outcome out = function();
    _exit(write(ends[1], &out, sizeof out) == sizeof out ? 0 : 1);
  }
  Outcome out;
  close(ends[1]);
  if (read(ends[0], &out, sizeof out) != sizeof out) std::abort();
  close(ends[0]);
  waitpid(child, nullptr, 0);
  return out;
}

double Per(uint64_t value, uint64_t unit) {
  return static_cast<double>(value) / static_cast<double>(unit);
}

void PrintHead(const char* title) {
  std::printf(
      "\n## %s\n\n"
      "| batches | page | journal | vacuum | cache pages | appending: bytes/payload | KiB/commit "
      "| steady: bytes/payload | KiB/commit | writes | syncs | blocks | heap KiB | db KiB "
      "| journal KiB |\n|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
      title);
}

std::string Batches(const std::vector<size_t>& commit) {
  if (commit.size() > 2) {
    return std::to_string(commit.size()) + " x " + std::to_string(commit[0] / 1024) + " KiB";
  }
  std::string batches;
  for (const size_t bytes : commit) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%.3g", batches.empty() ? "" : " + ", Per(bytes, 1024));
    batches += text;
  }
  return batches + " KiB";
}

void Print(const Choice& c, const char* note = "") {
  const auto out = Apart<Outcome>([&c] { return Load(c).Run(); });
  const std::string batches = Batches(c.commit);
  size_t largest = 0;
  for (const size_t bytes : c.commit) largest = std::max(largest, bytes);
  const size_t pages = c.cache_pages != 0 ? static_cast<size_t>(c.cache_pages)
                                          : largest / static_cast<size_t>(c.page) + 24;
  const Phase &a = out.append, &s = out.steady;
  std::printf("| %s | %d | %s%s | %s | %zu | %.2f | %.1f | %.2f | %.1f | %.1f | %.1f | %.1f "
              "| %" PRIu64 " | %" PRIu64 " | %" PRIu64 " |\n",
              batches.c_str(), c.page, c.journal.name, note,
              c.incremental_vacuum ? "incremental" : "none", pages,
              Per(a.flash.written_bytes, a.payload), Per(a.flash.written_bytes, a.commits * 1024),
              Per(s.flash.written_bytes, s.payload), Per(s.flash.written_bytes, s.commits * 1024),
              Per(s.flash.writes, s.commits), Per(s.flash.syncs, s.commits),
              Per(s.flash.blocks, s.commits), out.heap_peak / 1024, out.file / 1024,
              out.journal / 1024);
  std::fflush(stdout);
}

constexpr size_t kSmall = 1331;
constexpr std::array kPages = {1024, 2048, 4096};
constexpr std::array kJournals = {kPersist, kTruncate, kWal1000, kWal64};

struct StoreOutcome {
  LoadPhase append, settle, drop;
  uint64_t heap_peak = 0;
};

/// The store itself: while it fills; while as many of the oldest are done with as come; and while it
/// is full and drops the oldest.
void Store(const std::vector<size_t>& commit, Sync sync) {
  const auto out = Apart<StoreOutcome>([&] {
    uint64_t bytes = 0;
    for (const size_t size : commit) bytes += size;
    SpoolLoad load(commit, {.max_bytes = std::max<uint64_t>(4 * kMiB, 50 * bytes), .sync = sync});
    StoreOutcome result;
    result.append = load.Run(20, false);
    (void)load.Run(20, false);
    result.settle = load.Run(400, true);
    load.FillUp();
    result.drop = load.Run(400, false);
    if (!load.ok()) std::abort();
    result.heap_peak = SqliteHeap::Get().heap().use().peak;
    return result;
  });
  for (const LoadPhase* phase : {&out.append, &out.settle, &out.drop}) {
    std::printf("| %s | limpet, sync=%s | %s | %.2f | %.1f | %.1f | %.1f | %.1f | %" PRIu64 " |\n",
                Batches(commit).c_str(), sync == Sync::kFull ? "full" : "normal",
                phase == &out.append   ? "append"
                : phase == &out.settle ? "append, oldest done"
                                       : "append, oldest dropped",
                phase->per_payload(), phase->per_commit() / kKiB,
                Per(phase->flash.writes, phase->commits), Per(phase->flash.syncs, phase->commits),
                Per(phase->flash.blocks, phase->commits), out.heap_peak / kKiB);
  }
  std::fflush(stdout);
}

void StoreTable(const std::vector<std::vector<size_t>>& commits) {
  std::printf("\n## The store\n\n"
              "| batches | | phase | bytes/payload | KiB/commit | writes | syncs | blocks | heap KiB |\n"
              "|---|---|---|---|---|---|---|---|---|\n");
  for (const Sync sync : {Sync::kFull, Sync::kNormal}) {
    for (const std::vector<size_t>& commit : commits) Store(commit, sync);
  }
}

void Table(const char* title, const std::vector<std::vector<size_t>>& commits) {
  PrintHead(title);
  for (const std::vector<size_t>& commit : commits) {
    for (const int page : kPages) {
      for (const Journal& journal : kJournals) {
        for (const bool vacuum : {false, true}) Print({commit, page, journal, vacuum});
      }
    }
  }
}

/// What else matters to a rollback journal: the order within a commit, the cache, one sync less.
void Details() {
  PrintHead("Details of PERSIST");
  const std::vector<std::vector<size_t>> commits = {
      {kSmall}, {25 * kKiB, kSmall}, {64 * kKiB}, std::vector<size_t>(4, 64 * kKiB)};
  for (const std::vector<size_t>& commit : commits) {
    for (const int page : {512, 1024, 2048}) {
      const Choice choice{
          .commit = commit, .page = page, .journal = kPersist, .incremental_vacuum = true};
      Print(choice);
      Choice other = choice;
      other.delete_first = true;
      Print(other, ", deletes first");
      other = choice;
      other.more = "PRAGMA synchronous=NORMAL";
      Print(other, ", NORMAL");
      for (const int cache : {8, 32, 64, 96, 160, 320}) {
        other = choice;
        other.cache_pages = cache;
        Print(other, ", other cache");
      }
    }
  }
}

}  // namespace
}  // namespace limpet::sim

int main(int count, char** arguments) {
  using namespace limpet::sim;
  std::printf(
      "# Wear by the spool\n\nSQLite %s. 200 batches stored while appending, then 400 commits that"
      " append and delete the oldest.\nwrites, syncs and blocks (of 4 KiB, different ones per sync)"
      " are per commit, steady.\n",
      limpet::SqliteVersion());
  std::vector<std::vector<size_t>> commits = {{kSmall}, {25 * limpet::kKiB, kSmall}};
  for (const size_t bytes : {4 * limpet::kKiB, 16 * limpet::kKiB, 64 * limpet::kKiB}) {
    for (const size_t batches : {1, 4}) commits.emplace_back(batches, bytes);
  }
  StoreTable(commits);
  if (count > 1 && std::strcmp(arguments[1], "limpet") == 0) return 0;
  Table("Small commits", {commits[0], commits[1]});
  commits.erase(commits.begin(), commits.begin() + 2);
  Table("Batches of one size", commits);
  Details();
}
