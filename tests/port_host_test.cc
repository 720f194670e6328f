// What the process does with its standard handles and its folders, each in a child of its own.
#include "port/linux/host.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string>

#include "limpet/limits.h"
#include "port/linux/directory.h"

namespace limpet {
namespace {

/// Runs `child` in a process of its own, which exits with what it returns. Returns as waitpid.
template <typename Child>
pid_t Fork(Child child) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(20);
    _exit(child());
  }
  return pid;
}

int WaitFor(pid_t pid) {
  int status = 0;
  EXPECT_EQ(waitpid(pid, &status, 0), pid);
  return status;
}

TEST(StandardHandles, ClosedOnesAreFilledAndTheOthersLeft) {
  for (int closed = 0; closed < 8; ++closed) {  // A bit for each that is closed.
    SCOPED_TRACE(closed);
    const int status = WaitFor(Fork([closed] {
      for (int handle = 0; handle < 3; ++handle) {
        if ((closed >> handle & 1) != 0) close(handle);
      }
      FillStandardHandles();
      return open("/dev/null", O_RDONLY) > 2 ? 0 : 1;
    }));
    EXPECT_EQ(status, 0);
  }
}

TEST(WriteStdout, WritesAllOfALongText) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const pid_t pid = Fork([&] {
    dup2(ends[1], 1);
    return WriteStdout(std::string(1 << 20, 'x')) ? 0 : 1;
  });
  close(ends[1]);
  size_t total = 0;
  char buffer[4096];
  for (ssize_t got = 0; (got = read(ends[0], buffer, sizeof buffer)) > 0;) {
    total += static_cast<size_t>(got);
  }
  close(ends[0]);
  EXPECT_EQ(WaitFor(pid), 0);
  EXPECT_EQ(total, size_t{1} << 20);
}

TEST(WriteStdout, AStopEndsTheWaitForAReaderThatDoesNotRead) {
  for (const int stop : {SIGTERM, SIGINT}) {
    int ends[2];
    ASSERT_EQ(pipe(ends), 0);
    const pid_t pid = Fork([&] {
      dup2(ends[1], 1);
      sigset_t blocked;  // As Signals does it.
      sigemptyset(&blocked);
      sigaddset(&blocked, stop);
      sigprocmask(SIG_BLOCK, &blocked, nullptr);
      raise(stop);  // Pending, and seen only once the pipe is full.
      return WriteStdout(std::string(1 << 20, 'x')) ? 0 : 1;
    });
    const int status = WaitFor(pid);
    close(ends[0]), close(ends[1]);
    ASSERT_TRUE(WIFSIGNALED(status));
    EXPECT_EQ(WTERMSIG(status), stop);
  }
}

TEST(CheckWritable, MakesTheDirectoryForItsOwnerAlone) {
  char folder[] = "/tmp/limpet-host-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  for (const char* const end : {"/a/b", "/a/c/", "/d//"}) {
    SCOPED_TRACE(end);
    const std::string path = std::string(folder) + end;
    ASSERT_TRUE(CheckWritable(path).ok());
    struct stat info {};
    ASSERT_EQ(stat(path.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0700u);
  }
  for (const char* const made : {"/a/b", "/a/c", "/a", "/d", ""}) {
    EXPECT_EQ(rmdir((std::string(folder) + made).c_str()), 0);
  }
}

TEST(CheckWritable, Refuses) {
  char folder[] = "/tmp/limpet-host-XXXXXX";
  ASSERT_NE(mkdtemp(folder), nullptr);
  const std::string file = std::string(folder) + "/file";
  close(open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  EXPECT_EQ(CheckWritable(file).code, Code::kInvalid);
  EXPECT_EQ(CheckWritable(file + "/below").code, Code::kNotFound);
  EXPECT_EQ(CheckWritable(std::string(kPathMax, 'x')).code, Code::kInvalid);
  if (geteuid() == 0) {
    ASSERT_EQ(chown(folder, 12345, 12345), 0);
    EXPECT_EQ(CheckWritable(folder).code, Code::kDenied);
  }
  unlink(file.c_str()), rmdir(folder);
}

TEST(MakeDirectories, TellsWhyOneAboveCouldNotBeMade) {
  EXPECT_TRUE(MakeDirectories("/proc/self", 0700).ok());
  const std::string long_name(300, 'x');  // No name of a file may be as long.
  const Status status = MakeDirectories("/tmp/" + long_name + "/below", 0700);
  EXPECT_EQ(status.code, Code::kInvalid);
  EXPECT_EQ(status.detail, ENAMETOOLONG);
}

}  // namespace
}  // namespace limpet
