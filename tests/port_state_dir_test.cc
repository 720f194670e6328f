// The directory of the spool: made, checked, locked against a second process, and its files.
#include "port/linux/state_dir.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "port/linux/directory.h"
#include "port/linux/run_dir.h"

namespace limpet {
namespace {

constexpr uid_t kSomebody = 12345;

/// A folder of its own for each test, removed with all in it.
class StateDirTest : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(mkdtemp(folder_), nullptr); }
  void TearDown() override { EXPECT_EQ(std::system(("rm -rf " + Path("")).c_str()), 0); }

  std::string Path(const std::string& end) const { return folder_ + end; }

  static void WriteFile(const std::string& path, const std::string& text) {
    const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ASSERT_GE(file, 0);
    EXPECT_EQ(write(file, text.data(), text.size()), static_cast<ssize_t>(text.size()));
    close(file);
  }

  static bool Exists(const std::string& path) {
    struct stat info {};
    return lstat(path.c_str(), &info) == 0;
  }

  static mode_t ModeOf(const std::string& path) {
    struct stat info {};
    EXPECT_EQ(lstat(path.c_str(), &info), 0);
    return info.st_mode & 0777;
  }

  /// Runs `child` in a process of its own and returns what it returns.
  template <typename Child>
  static int InChild(Child child) {
    const pid_t pid = fork();
    if (pid == 0) {
      alarm(20);
      _exit(child());
    }
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFEXITED(status));
    return WEXITSTATUS(status);
  }

  /// What another process is told that prepares the same directory: 0 is "go ahead".
  static int OfAnother(const std::string& path) {
    const pid_t parent = getpid();
    return InChild([&] {
      StateDir dir(path);
      const Status status = dir.Prepare();
      if (status.ok()) return 0;
      return status.code == Code::kExists && status.detail == parent ? 1 : 2;
    });
  }

 private:
  char folder_[32] = "/tmp/limpet-state-XXXXXX";
};

TEST_F(StateDirTest, MakesWhatIsMissing) {
  const mode_t before = umask(022);
  StateDir dir(Path("/a/b/c//"));
  ASSERT_TRUE(dir.Prepare().ok());
  umask(before);
  EXPECT_EQ(ModeOf(Path("/a")), 0755u);
  EXPECT_EQ(ModeOf(Path("/a/b")), 0755u);
  EXPECT_EQ(ModeOf(Path("/a/b/c")), 0700u);
  EXPECT_EQ(ModeOf(Path("/a/b/c/spool.lock")), 0600u);
}

TEST_F(StateDirTest, ASecondProcessIsToldTheFirst) {
  {
    StateDir dir(Path("/state"));
    ASSERT_TRUE(dir.Prepare().ok());
    EXPECT_EQ(OfAnother(Path("/state")), 1);
    ASSERT_TRUE(dir.Prepare().ok());  // Its own lock is not in its way.
    EXPECT_EQ(OfAnother(Path("/state")), 1);
  }
  EXPECT_EQ(OfAnother(Path("/state")), 0);
}

TEST_F(StateDirTest, AShorterIdReplacesALongerOne) {
  ASSERT_TRUE(MakeDirectories(Path("/state"), 0700).ok());
  WriteFile(Path("/state/spool.lock"), "123456789\n");
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  EXPECT_EQ(OfAnother(Path("/state")), 1);
  EXPECT_EQ(dir.SizeOf("spool.lock").value(), std::to_string(getpid()).size() + 1);
}

TEST_F(StateDirTest, ARunDirMayBeTheSameDirectory) {
  RunDir run_dir;
  ASSERT_TRUE(run_dir.Take(Path("/both"), "").ok());
  StateDir dir(Path("/both"));
  EXPECT_TRUE(dir.Prepare().ok());
}

TEST_F(StateDirTest, LocksADirectoryThatWasMadeAnew) {  // S1
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  ASSERT_EQ(std::rename(Path("/state").c_str(), Path("/old").c_str()), 0);
  EXPECT_EQ(OfAnother(Path("/state")), 0);  // The other one made it, and has ended.
  ASSERT_TRUE(dir.Prepare().ok());
  EXPECT_EQ(OfAnother(Path("/state")), 1);

  ASSERT_EQ(unlink(Path("/state/spool.lock").c_str()), 0);
  EXPECT_EQ(OfAnother(Path("/state")), 0);
  ASSERT_TRUE(dir.Prepare().ok());
  EXPECT_EQ(OfAnother(Path("/state")), 1);
}

TEST_F(StateDirTest, RefusesWhatCannotBeUsed) {
  WriteFile(Path("/file"), "");
  ASSERT_EQ(mkdir(Path("/loose").c_str(), 0700), 0);
  ASSERT_EQ(symlink("elsewhere", Path("/loose/spool.lock").c_str()), 0);
  const struct {
    const char* name;
    std::string path;
    Code code;
  } cases[] = {
      {"a file", Path("/file"), Code::kInvalid},
      {"below a file", Path("/file/below"), Code::kNotFound},
      {"too long", Path("/" + std::string(kPathMax, 'x')), Code::kInvalid},
      {"too long with the lock", Path("/").append(kPathMax - 36, 'x'), Code::kInvalid},
      {"nothing can be made there", "/proc/limpet", Code::kNotFound},
      {"the lock is a link", Path("/loose"), Code::kIo},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    StateDir dir(c.path);
    EXPECT_EQ(dir.Prepare().code, c.code);
  }
  EXPECT_FALSE(Exists(Path("/loose/elsewhere")));
}

TEST_F(StateDirTest, NoticesThatItCannotBeWrittenAnyMore) {
  if (geteuid() == 0) GTEST_SKIP() << "root may write everywhere";
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  ASSERT_EQ(chmod(Path("/state").c_str(), 0500), 0);
  EXPECT_EQ(dir.Prepare().code, Code::kDenied);
  ASSERT_EQ(chmod(Path("/state").c_str(), 0700), 0);
  EXPECT_TRUE(dir.Prepare().ok());
}

TEST_F(StateDirTest, TakesNothingOfAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  ASSERT_EQ(chmod(Path("").c_str(), 0755), 0);
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  WriteFile(Path("/state/spool.db"), "x");
  ASSERT_EQ(chown(Path("/state/spool.db").c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(dir.SizeOf("spool.db").status().code, Code::kDenied);
  ASSERT_EQ(chown(Path("/state").c_str(), kSomebody, kSomebody), 0);
  EXPECT_EQ(dir.Prepare().code, Code::kDenied);

  // The other way round: one of root's may be used, if it can be written.
  ASSERT_EQ(mkdir(Path("/shared").c_str(), 0700), 0);
  ASSERT_EQ(chmod(Path("/shared").c_str(), 01777), 0);
  ASSERT_EQ(mkdir(Path("/closed").c_str(), 0755), 0);
  const int told = InChild([&] {
    if (setgid(kSomebody) != 0 || setuid(kSomebody) != 0) return 10;
    StateDir shared(Path("/shared")), closed(Path("/closed")), below(Path("/closed/a/b"));
    return (shared.Prepare().ok() ? 1 : 0) + (closed.Prepare().code == Code::kDenied ? 2 : 0) +
           (below.Prepare().code == Code::kDenied ? 4 : 0);
  });
  EXPECT_EQ(told, 7);
}

TEST_F(StateDirTest, SizeOfTellsFilesFromTheRest) {
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  WriteFile(Path("/state/spool.db"), "12345");
  ASSERT_EQ(symlink("spool.db", Path("/state/link").c_str()), 0);
  ASSERT_EQ(mkdir(Path("/state/folder").c_str(), 0700), 0);
  ASSERT_TRUE(dir.SizeOf("spool.db").ok());
  EXPECT_EQ(dir.SizeOf("spool.db").value(), 5u);
  EXPECT_EQ(dir.SizeOf("missing").status().code, Code::kNotFound);
  EXPECT_EQ(dir.SizeOf("link").status().code, Code::kDenied);
  EXPECT_EQ(dir.SizeOf("folder").status().code, Code::kDenied);
}

TEST_F(StateDirTest, RenamesAndRemoves) {
  StateDir dir(Path("/state"));
  ASSERT_TRUE(dir.Prepare().ok());
  WriteFile(Path("/state/new"), "new");
  WriteFile(Path("/state/old"), "older");
  ASSERT_TRUE(dir.Rename("new", "old").ok());
  EXPECT_FALSE(Exists(Path("/state/new")));
  EXPECT_EQ(dir.SizeOf("old").value(), 3u);
  EXPECT_EQ(dir.Rename("new", "old").code, Code::kNotFound);

  ASSERT_TRUE(dir.Remove("old").ok());
  EXPECT_FALSE(Exists(Path("/state/old")));
  EXPECT_TRUE(dir.Remove("old").ok());
  ASSERT_EQ(mkdir(Path("/state/folder").c_str(), 0700), 0);
  EXPECT_FALSE(dir.Remove("folder").ok());
  const std::string long_name(kPathMax, 'x');
  EXPECT_EQ(dir.Remove(long_name).code, Code::kInvalid);
  EXPECT_EQ(dir.Rename("a", long_name).code, Code::kInvalid);
}

TEST_F(StateDirTest, FreeIsThatOfTheFilesystem) {
  StateDir dir(Path("/state"));
  EXPECT_EQ(dir.Free().status().code, Code::kNotFound);
  ASSERT_TRUE(dir.Prepare().ok());
  const Result<Space> space = dir.Free();
  ASSERT_TRUE(space.ok());
  EXPECT_GT(space.value().free_bytes, 0u);
  EXPECT_LE(space.value().free_inodes, space.value().inodes);
}

TEST_F(StateDirTest, PathsEndWithinTheirBuffer) {
  const StateDir dir("/state///");
  char room[16];
  EXPECT_EQ(dir.WritePath("spool.db", room), 15u);
  EXPECT_STREQ(room, "/state/spool.db");
  EXPECT_EQ(dir.WritePath("spool.dbx", room), 0u);
  const StateDir too_long(std::string(kPathMax + 1, 'x'));
  char large[2 * kPathMax];
  EXPECT_EQ(too_long.WritePath("spool.db", large), 0u);
}

}  // namespace
}  // namespace limpet
