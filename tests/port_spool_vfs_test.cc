// SQLite over the spool's VFS on a real directory: what is counted, and whose the files are.
#include "port/sqlite/spool_vfs.h"

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "limpet/limits.h"
#include "memory/fixed_heap.h"
#include "spool/sqlite.h"

namespace limpet {
namespace {

/// Once in the life of the process.
bool Started() {
  alignas(64) static std::byte region[1 * kMiB];
  static FixedHeap heap;
  static const bool started = [] {
    heap.Init("sqlite", region);
    return StartSqlite(heap).ok() && StartSpoolVfs().ok();
  }();
  return started;
}

class SpoolVfsTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(Started());
    ASSERT_NE(mkdtemp(folder_), nullptr);
  }
  void TearDown() override { EXPECT_EQ(std::system(("rm -rf " + Path("")).c_str()), 0); }

  std::string Path(const std::string& end) const { return folder_ + end; }

  static uint64_t SizeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(stat(path.c_str(), &info), 0);
    return static_cast<uint64_t>(info.st_size);
  }

  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(lstat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

 private:
  char folder_[32] = "/tmp/limpet-vfs-XXXXXX";
};

/// Bytes this process has handed to write(2) and its like, by the kernel's count; -1: not told.
int64_t WrittenByTheKernel() {
  std::array<char, 256> text{};
  const int file = open("/proc/self/io", O_RDONLY | O_CLOEXEC);
  if (file < 0) return -1;
  const ssize_t size = read(file, text.data(), text.size() - 1);
  close(file);
  long long written = -1;
  if (size <= 0 || std::sscanf(text.data(), "rchar: %*u wchar: %lld", &written) != 1) return -1;
  return written;
}

TEST_F(SpoolVfsTest, CountsEachPageOfANewFileOnce) {
  Database db;
  ASSERT_TRUE(db.Open(Path("/spool.db").c_str(), kSpoolVfs, Database::Mode::kCreate).ok());
  // Without a journal, and within the cache, each page is written once and nothing else is.
  ASSERT_TRUE(db.Execute("PRAGMA page_size = 2048").ok());
  ASSERT_TRUE(db.Execute("PRAGMA journal_mode = OFF").ok());
  const SpoolWrites before = CountSpoolWrites();
  ASSERT_TRUE(db.Execute("BEGIN; CREATE TABLE t(b)").ok());
  ASSERT_TRUE(db.Execute("INSERT INTO t VALUES (zeroblob(20000)); COMMIT").ok());
  const SpoolWrites after = CountSpoolWrites();
  EXPECT_EQ(after.bytes - before.bytes, SizeOf(Path("/spool.db")));
  EXPECT_EQ(after.syncs - before.syncs, 1u);
  EXPECT_EQ(after.truncations, before.truncations);
}

TEST_F(SpoolVfsTest, CountsWhatTheKernelCounts) {
  Database db;
  ASSERT_TRUE(db.Open(Path("/spool.db").c_str(), kSpoolVfs, Database::Mode::kCreate).ok());
  ASSERT_TRUE(db.Execute("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = PERSIST").ok());
  const SpoolWrites before = CountSpoolWrites();
  const int64_t kernel_before = WrittenByTheKernel();
  if (kernel_before < 0) GTEST_SKIP() << "this kernel does not count";
  ASSERT_TRUE(db.Execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b)").ok());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(db.Execute("INSERT INTO t(b) VALUES (zeroblob(5000))").ok());
  }
  ASSERT_TRUE(db.Execute("DELETE FROM t WHERE a > 5; VACUUM").ok());
  const int64_t kernel_after = WrittenByTheKernel();
  const SpoolWrites after = CountSpoolWrites();
  EXPECT_EQ(after.bytes - before.bytes, static_cast<uint64_t>(kernel_after - kernel_before));
  EXPECT_GE(after.syncs - before.syncs, 2u * 22);  // At least the journal and the file, each time.
  EXPECT_GT(after.truncations, before.truncations);
}

TEST_F(SpoolVfsTest, FilesAreTheirOwnersAlone) {
  const mode_t umask_before = umask(0);  // The most open there is.
  for (const char* const journal : {"DELETE", "PERSIST"}) {
    SCOPED_TRACE(journal);
    const std::string path = Path("/") + journal;
    Database db;
    ASSERT_TRUE(db.Open(path.c_str(), kSpoolVfs, Database::Mode::kCreate).ok());
    ASSERT_TRUE(db.Execute((std::string("PRAGMA journal_mode = ") + journal).c_str()).ok());
    ASSERT_TRUE(db.Execute("CREATE TABLE t(b); BEGIN; INSERT INTO t VALUES (1)").ok());
    EXPECT_EQ(ModeOf(path), 0600u);
    EXPECT_EQ(ModeOf(path + "-journal"), 0600u);
    ASSERT_TRUE(db.Execute("COMMIT").ok());
  }
  umask(umask_before);
}

TEST_F(SpoolVfsTest, KeepsWhatWasWritten) {
  const std::string path = Path("/spool.db");
  for (int i = 0; i < 3; ++i) {
    Database db;
    ASSERT_TRUE(db.Open(path.c_str(), kSpoolVfs, Database::Mode::kCreate).ok());
    ASSERT_TRUE(db.Execute("CREATE TABLE IF NOT EXISTS t(b); INSERT INTO t VALUES (1)").ok());
    const Result<int64_t> rows = db.Number("SELECT count(*) FROM t");
    ASSERT_TRUE(rows.ok());
    EXPECT_EQ(rows.value(), i + 1);
  }
  Database reader;
  ASSERT_TRUE(reader.Open(path.c_str(), kSpoolVfs, Database::Mode::kReadOnly).ok());
  EXPECT_EQ(reader.Number("SELECT count(*) FROM t").value(), 3);
  EXPECT_EQ(reader.Execute("INSERT INTO t VALUES (1)").code, Code::kDenied);
}

TEST_F(SpoolVfsTest, AReaderMakesNoFile) {
  Database db;
  const Status status = db.Open(Path("/none").c_str(), kSpoolVfs, Database::Mode::kReadOnly);
  EXPECT_EQ(status.code, Code::kDenied);
  EXPECT_NE(access(Path("/none").c_str(), F_OK), 0);
}

TEST_F(SpoolVfsTest, FollowsNoLinkToAFileButLinksAboveIt) {
  ASSERT_EQ(mkdir(Path("/real").c_str(), 0700), 0);
  ASSERT_EQ(symlink("real", Path("/state").c_str()), 0);
  Database db;
  ASSERT_TRUE(db.Open(Path("/state/spool.db").c_str(), kSpoolVfs, Database::Mode::kCreate).ok());
  ASSERT_TRUE(db.Execute("CREATE TABLE t(b)").ok());
  db.Close();
  EXPECT_GT(SizeOf(Path("/real/spool.db")), 0u);

  ASSERT_EQ(symlink("spool.db", Path("/real/to_a_file").c_str()), 0);
  ASSERT_EQ(symlink("elsewhere", Path("/real/to_nothing").c_str()), 0);
  ASSERT_EQ(mkfifo(Path("/real/pipe").c_str(), 0600), 0);
  ASSERT_EQ(mkdir(Path("/real/folder").c_str(), 0700), 0);
  for (const char* const name : {"to_a_file", "to_nothing", "pipe", "folder"}) {
    for (const Database::Mode mode : {Database::Mode::kCreate, Database::Mode::kReadOnly}) {
      SCOPED_TRACE(name);
      EXPECT_EQ(db.Open((Path("/real/") + name).c_str(), kSpoolVfs, mode).code, Code::kDenied);
    }
  }
  EXPECT_NE(access(Path("/real/elsewhere").c_str(), F_OK), 0);

  // A journal that leads elsewhere is refused before anything is written through it.
  ASSERT_EQ(symlink("elsewhere", Path("/real/spool.db-journal").c_str()), 0);
  const Status opened =
      db.Open(Path("/real/spool.db").c_str(), kSpoolVfs, Database::Mode::kCreate);
  EXPECT_FALSE(opened.ok() && db.Execute("INSERT INTO t VALUES (1)").ok());
  EXPECT_NE(access(Path("/real/elsewhere").c_str(), F_OK), 0);
}

TEST_F(SpoolVfsTest, AMissingDirectoryIsAnOrdinaryFailure) {
  Database db;
  EXPECT_EQ(db.Open(Path("/none/spool.db").c_str(), kSpoolVfs, Database::Mode::kCreate).code,
            Code::kDenied);
  const std::string too_long = Path("/") + std::string(kPathMax, 'x');
  EXPECT_EQ(db.Open(too_long.c_str(), kSpoolVfs, Database::Mode::kCreate).code, Code::kDenied);
}

}  // namespace
}  // namespace limpet
