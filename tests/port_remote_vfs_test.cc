// SQLite over a file that is asked for, piece by piece.
#include "port/sqlite/remote_vfs.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "sim/sqlite_heap.h"
#include "spool/sqlite.h"

namespace limpet {
namespace {

struct Memory final : RemoteFile {
  Result<size_t> Read(uint64_t offset, std::span<uint8_t> into) override {
    if (reads_left == 0) {
      refused = true;
      return {Code::kExists, 0, "another state"};
    }
    --reads_left;
    if (offset >= bytes.size()) return size_t{0};
    const size_t count = std::min(into.size(), bytes.size() - static_cast<size_t>(offset));
    std::memcpy(into.data(), bytes.data() + offset, count);
    return count;
  }
  Result<uint64_t> Size() override { return uint64_t{bytes.size()}; }

  std::vector<uint8_t> bytes;
  int reads_left = 1'000'000;
  bool refused = false;  // One of them.
};

Memory& TheFile() {
  static Memory file;
  static const bool started = [] {
    sim::SqliteHeap::Get();
    return StartRemoteVfs(file).ok();
  }();
  EXPECT_TRUE(started);
  return file;
}

/// The bytes of a database with 200 rows; journal: its mode.
std::vector<uint8_t> Make(const char* journal) {
  sim::SqliteHeap::Get();
  char folder[] = "/tmp/limpet-remote-XXXXXX";
  EXPECT_NE(mkdtemp(folder), nullptr);
  const std::string path = std::string(folder) + "/db";
  {
    Database db;
    EXPECT_TRUE(db.Open(path.c_str(), nullptr, Database::Mode::kCreate).ok());
    EXPECT_TRUE(db.Execute("PRAGMA locking_mode=EXCLUSIVE;PRAGMA page_size=1024").ok());
    EXPECT_TRUE(db.Execute(journal).ok());
    EXPECT_TRUE(db.Execute("CREATE TABLE t(x INTEGER PRIMARY KEY,y BLOB);BEGIN").ok());
    for (int i = 1; i <= 200; ++i) {
      const std::string row = std::to_string(i);
      EXPECT_TRUE(db.Execute(("INSERT INTO t VALUES(" + row + ",zeroblob(1500))").c_str()).ok());
    }
    EXPECT_TRUE(db.Execute("COMMIT").ok());
  }
  std::vector<uint8_t> bytes;
  FILE* const file = std::fopen(path.c_str(), "rb");
  EXPECT_NE(file, nullptr);
  for (int c = std::fgetc(file); c != EOF; c = std::fgetc(file)) {
    bytes.push_back(static_cast<uint8_t>(c));
  }
  std::fclose(file);
  EXPECT_EQ(std::system(("rm -rf " + std::string(folder)).c_str()), 0);
  return bytes;
}

TEST(RemoteVfs, ReadsWhateverTheJournalWas) {
  for (const char* const journal : {"PRAGMA journal_mode=PERSIST", "PRAGMA journal_mode=WAL"}) {
    SCOPED_TRACE(journal);
    TheFile().bytes = Make(journal);
    Database db;
    ASSERT_TRUE(db.Open("any", kRemoteVfs, Database::Mode::kReadOnly).ok());
    const Result<int64_t> sum = db.Number("SELECT sum(x)+sum(length(y)) FROM t");
    ASSERT_TRUE(sum.ok());
    EXPECT_EQ(sum.value(), 200 * 201 / 2 + 200 * 1500);
    EXPECT_FALSE(db.Execute("DELETE FROM t").ok());
    EXPECT_FALSE(db.Execute("CREATE TABLE u(x)").ok());
  }
}

TEST(RemoteVfs, CopiesInTwoWays) {
  TheFile().bytes = Make("PRAGMA journal_mode=WAL");
  Database db, copy;
  ASSERT_TRUE(db.Open("any", kRemoteVfs, Database::Mode::kReadOnly).ok());
  ASSERT_TRUE(copy.Open(":memory:", nullptr, Database::Mode::kCreate).ok());
  ASSERT_TRUE(db.CopyTo(copy).ok());
  EXPECT_EQ(copy.Number("SELECT count(*) FROM t WHERE length(y)=1500").value(), 200);
}

TEST(RemoteVfs, AFailureAtAnyReadIsAFailure) {
  Memory& file = TheFile();
  file.bytes = Make("PRAGMA journal_mode=PERSIST");
  for (const bool copies : {false, true}) {
    int reads = 0;
    do {
      file.reads_left = reads++;
      file.refused = false;
      Database db, copy;
      Status status = db.Open("any", kRemoteVfs, Database::Mode::kReadOnly);
      ASSERT_TRUE(copy.Open(":memory:", nullptr, Database::Mode::kCreate).ok());
      if (status.ok() && copies) status = db.CopyTo(copy);
      if (status.ok() && !copies) {
        status = db.Number("SELECT count(*) FROM t WHERE length(y)=1500").status();
      }
      EXPECT_EQ(status.code, file.refused ? Code::kIo : Code::kOk) << reads;
    } while (file.refused);
    EXPECT_GT(reads, 100);
  }
  file.reads_left = 1'000'000;
}

TEST(RemoteVfs, CutShort) {
  const std::vector<uint8_t> whole = Make("PRAGMA journal_mode=PERSIST");
  for (const size_t size : {size_t{0}, size_t{50}, size_t{100}, size_t{1500}, whole.size() / 2}) {
    SCOPED_TRACE(size);
    TheFile().bytes.assign(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
    Database db;
    ASSERT_TRUE(db.Open("any", kRemoteVfs, Database::Mode::kReadOnly).ok());
    EXPECT_FALSE(db.Number("SELECT sum(length(y)) FROM t").ok());
  }
}

}  // namespace
}  // namespace limpet
