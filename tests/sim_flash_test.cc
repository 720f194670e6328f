// The simulated flash is what the spool's tests stand on: it must lose what a real one loses, keep
// what a real one keeps, and show a database that is not safe to be unsafe.
#include "sim/flash.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <set>
#include <string>
#include <vector>

#include "sim/sim_storage.h"
#include "sim/sqlite_heap.h"
#include "spool/sqlite.h"

namespace limpet::sim {
namespace {

// One file, without SQLite above it.

class RawFile {
 public:
  RawFile(SimFlash& flash, const char* name, int kind = SQLITE_OPEN_MAIN_DB)
      : vfs_(sqlite3_vfs_find(flash.vfs())), bytes_(static_cast<size_t>(vfs_->szOsFile)) {
    opened = vfs_->xOpen(vfs_, name, file(), SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | kind,
                         nullptr);
  }
  ~RawFile() {
    if (opened == SQLITE_OK) file()->pMethods->xClose(file());
  }
  int Write(int64_t offset, std::string_view text) {
    return file()->pMethods->xWrite(file(), text.data(), static_cast<int>(text.size()), offset);
  }
  int Truncate(int64_t size) { return file()->pMethods->xTruncate(file(), size); }
  int Sync() { return file()->pMethods->xSync(file(), SQLITE_SYNC_NORMAL); }
  int Delete(const char* name, bool sync) { return vfs_->xDelete(vfs_, name, sync); }

  int opened;

 private:
  sqlite3_file* file() { return reinterpret_cast<sqlite3_file*>(bytes_.data()); }
  sqlite3_vfs* vfs_;
  std::vector<max_align_t> bytes_;
};

constexpr uint64_t kSeeds = 64;

TEST(SimFlash, KeepsWhatWasSyncedAndAnySectorsOfTheRest) {
  const std::string old(2048, 'o');
  const std::string young(2048, 'y');
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimFlash flash;
    RawFile file(flash, "f", SQLITE_OPEN_MAIN_JOURNAL);
    ASSERT_EQ(file.Write(0, old), SQLITE_OK);
    ASSERT_EQ(file.Sync(), SQLITE_OK);
    ASSERT_EQ(file.Write(0, young), SQLITE_OK);
    EXPECT_EQ(flash.files["f"], young);
    flash.Reboot(seed);
    const std::string& got = flash.files.at("f");
    ASSERT_EQ(got.size(), 2048u);
    std::string sectors;
    for (size_t i = 0; i < got.size(); i += 512) {
      EXPECT_EQ(got.substr(i, 512), std::string(512, got[i]));  // No sector is torn.
      sectors += got[i];
    }
    seen.insert(sectors);
    EXPECT_NE(file.Write(0, old), SQLITE_OK);  // Opened before the cut.
  }
  EXPECT_TRUE(seen.contains("oooo"));
  EXPECT_TRUE(seen.contains("yyyy"));
  EXPECT_GT(seen.size(), 5u);
}

TEST(SimFlash, SizesAreAsUncertainAsBytes) {
  std::set<size_t> grown, cut;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimFlash flash;
    {
      RawFile file(flash, "f", SQLITE_OPEN_MAIN_JOURNAL);
      ASSERT_EQ(file.Write(0, std::string(1000, 'a')), SQLITE_OK);
      ASSERT_EQ(file.Sync(), SQLITE_OK);
      ASSERT_EQ(file.Write(1000, std::string(1000, 'b')), SQLITE_OK);
    }
    flash.Reboot(seed);
    grown.insert(flash.files.at("f").size());
    EXPECT_EQ(flash.files.at("f").substr(0, 1000), std::string(1000, 'a'));
    RawFile file(flash, "f");
    ASSERT_EQ(file.Truncate(10), SQLITE_OK);
    EXPECT_EQ(flash.files.at("f").size(), 10u);
    flash.Reboot(seed);
    cut.insert(flash.files.at("f").size() == 10 ? 10 : 1000);
    EXPECT_EQ(flash.files.at("f").substr(0, 10), std::string(10, 'a'));
  }
  EXPECT_TRUE(grown.contains(1000) && grown.contains(1024) && grown.contains(2000));
  EXPECT_EQ(cut.size(), 2u);
}

TEST(SimFlash, NamesSurviveInOrderOnceTheDirectoryIsSynced) {
  std::set<std::string> seen;
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    SimFlash flash;
    SimStorage storage(flash);
    {
      RawFile kept(flash, "kept", SQLITE_OPEN_MAIN_JOURNAL);
      ASSERT_EQ(kept.Write(0, "k"), SQLITE_OK);
      ASSERT_EQ(kept.Sync(), SQLITE_OK);  // The directory with it.
    }
    RawFile first(flash, "first");
    ASSERT_EQ(first.Sync(), SQLITE_OK);  // No journal: its name is still pending.
    ASSERT_EQ(first.Delete("kept", false), SQLITE_OK);
    RawFile second(flash, "second");
    flash.Reboot(seed);
    std::string names;
    for (const auto& [name, bytes] : flash.files) names += name[0];
    seen.insert(names);
    if (flash.files.contains("kept")) { EXPECT_EQ(flash.files.at("kept"), "k"); }

    RawFile again(flash, "kept", SQLITE_OPEN_MAIN_JOURNAL);
    ASSERT_EQ(again.Sync(), SQLITE_OK);
    ASSERT_EQ(again.Delete("kept", true), SQLITE_OK);
    flash.Reboot(seed);
    EXPECT_FALSE(flash.files.contains("kept"));
  }
  EXPECT_EQ(seen, (std::set<std::string>{"k", "fk", "f", "fs"}));
}

TEST(SimFlash, ARenameIsAtomic) {
  for (uint64_t seed = 0; seed < kSeeds; ++seed) {
    for (const bool dies : {false, true}) {
      SimFlash flash;
      SimStorage storage(flash);
      flash.files = {{"a", "new"}, {"b", "old"}};
      if (dies) flash.CutPowerAfter(1);
      EXPECT_EQ(storage.Rename("a", "b").ok(), !dies);
      EXPECT_EQ(flash.dead(), dies);
      flash.Reboot(seed);
      const bool happened = !flash.files.contains("a");
      EXPECT_EQ(flash.files.at("b"), happened ? "new" : "old");
      EXPECT_TRUE(happened || dies);
    }
  }
}

TEST(SimFlash, CountsWhatWearsTheFlash) {
  SimFlash flash;
  RawFile file(flash, "f");
  ASSERT_EQ(file.Write(4000, std::string(200, 'a')), SQLITE_OK);  // Blocks 0 and 1.
  ASSERT_EQ(file.Write(0, "b"), SQLITE_OK);
  ASSERT_EQ(file.Sync(), SQLITE_OK);
  ASSERT_EQ(file.Write(0, "c"), SQLITE_OK);
  ASSERT_EQ(file.Sync(), SQLITE_OK);
  EXPECT_EQ(flash.counters.writes, 3u);
  EXPECT_EQ(flash.counters.written_bytes, 202u);
  EXPECT_EQ(flash.counters.syncs, 2u);
  EXPECT_EQ(flash.counters.blocks, 3u);
  EXPECT_EQ(flash.operations(), 5u);
}

// A little load of SQLite: ten commits, of which each adds a row and every third takes one away.

struct Pragmas {
  const char* name;
  const char* pragmas;
};
constexpr Pragmas kPersist = {
    "persist", "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=PERSIST;PRAGMA synchronous=FULL"};
constexpr Pragmas kSafe[] = {
    kPersist,
    {"persist, shared", "PRAGMA journal_mode=PERSIST;PRAGMA synchronous=FULL"},
    {"persist, spilling",
     "PRAGMA journal_mode=PERSIST;PRAGMA synchronous=FULL;PRAGMA cache_size=2"},
    {"truncate", "PRAGMA journal_mode=TRUNCATE;PRAGMA synchronous=FULL"},
    {"delete", "PRAGMA journal_mode=DELETE;PRAGMA synchronous=EXTRA"},
    {"wal", "PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=WAL;PRAGMA synchronous=FULL;"
            "PRAGMA wal_autocheckpoint=8"},
};
constexpr Pragmas kUnsafe[] = {
    {"no journal", "PRAGMA journal_mode=OFF;PRAGMA synchronous=FULL"},
    {"no sync", "PRAGMA journal_mode=PERSIST;PRAGMA synchronous=OFF"},
    // A journal whose deletion does not survive rolls its commit back: lost, if not damaged.
    {"delete, directory not synced", "PRAGMA journal_mode=DELETE;PRAGMA synchronous=FULL"},
};

constexpr int kRows = 10;

struct Load {
  Status failed;       ///< The first failure; nothing came after it.
  int committed = -1;  ///< Rows told to be stored; -1: not even the table.
};

/// The contents of the rows: a row is larger than a page, and its end says which it is.
std::string RowText(int row) { return std::string(1500, 'x') + std::to_string(row); }

Load RunLoad(SimFlash& flash, const char* pragmas) {
  Load load;
  Database db;
  load.failed = db.Open("t.db", flash.vfs(), Database::Mode::kCreate);
  if (!load.failed.ok()) return load;
  const std::string setup = std::string("PRAGMA page_size=512;") + pragmas +
                            ";CREATE TABLE IF NOT EXISTS t(row INTEGER PRIMARY KEY, text)";
  load.failed = db.Execute(setup.c_str());
  if (!load.failed.ok()) return load;
  load.committed = 0;
  for (int row = 1; row <= kRows; ++row) {
    std::string sql =
        "BEGIN;INSERT INTO t VALUES(" + std::to_string(row) + ",'" + RowText(row) + "');";
    if (row % 3 == 0) sql += "DELETE FROM t WHERE row=" + std::to_string(row / 3) + ";";
    sql += "COMMIT";
    load.failed = db.Execute(sql.c_str());
    if (!load.failed.ok()) return load;
    load.committed = row;
  }
  return load;
}

/// What an honest spool holds after that: all commits it was told of, perhaps the one in the middle
/// of which it failed, and nothing else. Says what is wrong; "" when nothing is.
std::string Wrong(SimFlash& flash, const Load& load) {
  Database db;
  if (const Status open = db.Open("t.db", flash.vfs(), Database::Mode::kCreate); !open.ok()) {
    return "cannot be opened";
  }
  // Before anything else, as the journal of WAL needs it without shared memory.
  if (!db.Execute("PRAGMA locking_mode=EXCLUSIVE").ok()) return "cannot be locked";
  const Result<int64_t> tables = db.Number("SELECT count(*) FROM sqlite_schema");
  if (!tables.ok()) return "cannot be read";
  if (tables.value() == 0) return load.committed < 0 ? "" : "the table is lost";
  {
    Statement check;
    if (!check.Prepare(db, "PRAGMA integrity_check").ok()) return "damaged";
    const Result<bool> row = check.Step();
    if (!row.ok() || !row.value() || check.Text(0) != "ok") return "damaged";
  }
  const Result<int64_t> last = db.Number("SELECT max(row) FROM t");
  if (!last.ok()) return "cannot be read";
  if (last.value() < load.committed) return "commits are lost";
  if (last.value() > load.committed + 1) return "commits that never were";
  Statement rows;
  if (!rows.Prepare(db, "SELECT row, text FROM t ORDER BY row").ok()) return "cannot be read";
  int expected = static_cast<int>(last.value()) / 3;
  while (rows.Step().value()) {
    if (rows.Number(0) != ++expected) return "other rows";
    if (rows.Text(1) != RowText(expected)) return "other bytes";
  }
  return expected == last.value() ? "" : "rows are missing";
}

/// Cuts the power at every operation, with every seed. Returns what went wrong, and how often.
std::map<std::string, int> CutEverywhere(const char* pragmas, uint64_t seeds) {
  std::map<std::string, int> wrong;
  for (uint64_t seed = 0; seed < seeds; ++seed) {
    bool dead = true;
    for (uint64_t nth = 1; dead; ++nth) {
      SimFlash flash;
      flash.CutPowerAfter(nth);
      const Load load = RunLoad(flash, pragmas);
      dead = flash.dead();
      EXPECT_EQ(load.failed.ok(), !dead || load.committed == kRows);
      flash.Reboot(seed * 1000 + nth);
      const std::string what = Wrong(flash, load);
      if (!what.empty()) ++wrong[what];
    }
  }
  return wrong;
}

TEST(SimFlashSqlite, SafeSetupsSurviveEveryCut) {
  for (const Pragmas& setup : kSafe) {
    SCOPED_TRACE(setup.name);
    EXPECT_EQ(CutEverywhere(setup.pragmas, 3), (std::map<std::string, int>{}));
  }
}

TEST(SimFlashSqlite, UnsafeSetupsAreCaught) {
  for (const Pragmas& setup : kUnsafe) {
    SCOPED_TRACE(setup.name);
    EXPECT_FALSE(CutEverywhere(setup.pragmas, 1).empty());
  }
}

TEST(SimFlashSqlite, EveryKindOfOperationCanFail) {
  constexpr const char* kTruncating = "PRAGMA journal_mode=TRUNCATE;PRAGMA synchronous=FULL";
  constexpr const char* kDeleting = "PRAGMA journal_mode=DELETE;PRAGMA synchronous=EXTRA";
  struct Case {
    const char* name;
    unsigned kinds;
    bool full;
    const char* pragmas;
    Code code;  // Of the first one's failure.
  };
  constexpr Case kCases[] = {
      {"open", SimFlash::kOpen, false, kPersist.pragmas, Code::kDenied},
      {"read", SimFlash::kRead, false, kPersist.pragmas, Code::kIo},
      {"write", SimFlash::kWrite, false, kPersist.pragmas, Code::kIo},
      {"full", SimFlash::kWrite, true, kPersist.pragmas, Code::kFull},
      {"truncate", SimFlash::kTruncate, false, kTruncating, Code::kIo},
      {"sync", SimFlash::kSync, false, kPersist.pragmas, Code::kIo},
      {"lock", SimFlash::kLock, false, kPersist.pragmas, Code::kExists},
      {"delete", SimFlash::kDelete, false, kDeleting, Code::kIo},
      {"access", SimFlash::kAccess, false, kPersist.pragmas, Code::kIo},
      {"all", SimFlash::kEvery, false, kDeleting, Code::kDenied},
  };
  for (const Case& c : kCases) {
    for (const Fault fault : {Fault::kOnce, Fault::kFromThenOn}) {
      SCOPED_TRACE(c.name);
      SCOPED_TRACE(fault == Fault::kOnce ? "once" : "from then on");
      int met = 0;
      for (int nth = 1, hits = 1; hits > 0; ++nth) {
        SCOPED_TRACE(nth);
        SimFlash flash;
        flash.FailAfter(c.kinds, nth, fault, c.full);
        const Load load = RunLoad(flash, c.pragmas);
        hits = flash.Heal();
        met += hits;
        if (nth == 1) { EXPECT_EQ(load.failed.code, c.code); }
        if (hits == 0) { EXPECT_TRUE(load.failed.ok()); }
        ASSERT_EQ(Wrong(flash, load), "");
      }
      EXPECT_GT(met, 0);
    }
  }
}

TEST(SimFlashSqlite, EveryAllocationCanFail) {
  for (const bool lasting : {false, true}) {
    for (int nth = 1, failed = 1; failed > 0; nth += 1 + nth / 16) {
      SCOPED_TRACE(nth);
      SimFlash flash;
      SqliteHeap::Get().FailAllocation(nth, lasting);
      const Load load = RunLoad(flash, kPersist.pragmas);
      failed = SqliteHeap::Get().FailAllocation(0);
      if (!load.failed.ok()) { EXPECT_EQ(load.failed.code, Code::kFull); }
      ASSERT_EQ(Wrong(flash, load), "");
    }
  }
}

TEST(SimFlashSqlite, SpaceRunsOut) {
  SimFlash flash;
  SimStorage storage(flash);
  flash.capacity = 12 * 1024;
  EXPECT_EQ(storage.Free().value().free_bytes, flash.capacity);
  const Load load = RunLoad(flash, kPersist.pragmas);
  EXPECT_EQ(load.failed.code, Code::kFull);
  EXPECT_FALSE(IsOutOfMemory(load.failed));
  EXPECT_GT(load.committed, 2);
  EXPECT_LE(flash.used_bytes(), flash.capacity);
  EXPECT_LT(storage.Free().value().free_bytes, 4096u);
  EXPECT_EQ(Wrong(flash, load), "");
}

TEST(SimFlashSqlite, ReadOnly) {
  SimFlash flash;
  SimStorage storage(flash);
  flash.read_only = true;
  EXPECT_EQ(storage.Prepare().code, Code::kDenied);
  EXPECT_EQ(RunLoad(flash, kPersist.pragmas).failed.code, Code::kDenied);  // No new file.
  EXPECT_TRUE(flash.files.empty());

  flash.read_only = false;
  EXPECT_TRUE(storage.Prepare().ok());
  Database db;
  ASSERT_TRUE(db.Open("t.db", flash.vfs(), Database::Mode::kCreate).ok());
  ASSERT_TRUE(db.Execute("PRAGMA journal_mode=PERSIST;CREATE TABLE t(x)").ok());
  flash.read_only = true;  // While it is open, as after an error of the filesystem.
  EXPECT_FALSE(db.Execute("INSERT INTO t VALUES(1)").ok());
  db.Close();
  const uint64_t written = storage.written_bytes();
  ASSERT_TRUE(db.Open("t.db", flash.vfs(), Database::Mode::kCreate).ok());
  EXPECT_EQ(db.Number("SELECT count(*) FROM t").value(), 0);
  EXPECT_EQ(db.Execute("INSERT INTO t VALUES(1)").code, Code::kDenied);
  EXPECT_EQ(storage.written_bytes(), written);
  EXPECT_EQ(storage.Rename("t.db", "u.db").code, Code::kDenied);
  EXPECT_EQ(storage.Remove("t.db").code, Code::kDenied);
}

TEST(SimFlashSqlite, OneWriter) {
  SimFlash flash;
  Database one, other;
  ASSERT_TRUE(one.Open("t.db", flash.vfs(), Database::Mode::kCreate).ok());
  ASSERT_TRUE(one.Execute("PRAGMA locking_mode=EXCLUSIVE;CREATE TABLE t(x)").ok());
  ASSERT_TRUE(other.Open("t.db", flash.vfs(), Database::Mode::kCreate).ok());
  EXPECT_EQ(other.Number("SELECT count(*) FROM t").status().code, Code::kExists);
  one.Close();
  EXPECT_TRUE(other.Number("SELECT count(*) FROM t").ok());
}

TEST(SimFlashSqlite, FilesCanBeDamagedByHand) {
  SimFlash flash;
  ASSERT_TRUE(RunLoad(flash, kPersist.pragmas).failed.ok());
  flash.files.at("t.db").replace(0, 16, 16, '\0');
  Database db;
  ASSERT_TRUE(db.Open("t.db", flash.vfs(), Database::Mode::kCreate).ok());
  EXPECT_EQ(db.Number("SELECT count(*) FROM t").status().code, Code::kInvalid);
}

TEST(SimStorage, NamesAndFaults) {
  SimFlash flash;
  SimStorage storage(flash);
  flash.files["a"] = "12345";
  EXPECT_EQ(storage.SizeOf("a").value(), 5u);
  EXPECT_EQ(storage.SizeOf("b").status().code, Code::kNotFound);
  EXPECT_EQ(storage.Rename("b", "c").code, Code::kNotFound);
  EXPECT_TRUE(storage.Remove("b").ok());
  char path[4];
  EXPECT_EQ(storage.WritePath("abc", path), 3u);
  EXPECT_STREQ(path, "abc");
  EXPECT_EQ(storage.WritePath("abcd", path), 0u);
  for (const unsigned kind : {SimFlash::kRename, SimFlash::kDelete}) {
    flash.FailAfter(kind, 1, Fault::kOnce);
    const bool rename = kind == SimFlash::kRename;
    EXPECT_EQ((rename ? storage.Rename("a", "b") : storage.Remove("a")).code, Code::kIo);
    EXPECT_EQ(flash.Heal(), 1);
    EXPECT_TRUE(flash.files.contains("a"));
  }
  EXPECT_TRUE(storage.Rename("a", "b").ok());
  EXPECT_TRUE(storage.Remove("b").ok());
  EXPECT_TRUE(flash.files.empty());
  storage.prepare = {Code::kExists, 42, "state_dir"};
  EXPECT_EQ(storage.Prepare().detail, 42);
}

}  // namespace
}  // namespace limpet::sim
