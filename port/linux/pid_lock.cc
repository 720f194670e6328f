#include "port/linux/pid_lock.h"

#include <cerrno>

#include <fcntl.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/linux/error.h"

namespace limpet {
namespace {

constexpr int kTries = 100'000;  // While others only look: each does for two system calls.

int ReadHolder(int file) {
  char holder[16];
  const ssize_t size = pread(file, holder, sizeof holder, 0);
  std::string_view text(holder, size > 0 ? static_cast<size_t>(size) : 0);
  return ParseNumber<int>(TakeUntil(text, '\n')).value_or(0);
}

/// Best effort: a full flash must not keep anybody from a lock that is held without the name, and
/// what is held may be the one thing that can make room.
void WriteHolder(int file) {
  TextBuffer<24> pid;
  pid << getpid() << '\n';
  const auto size = static_cast<ssize_t>(pid.size());
  // Written over the old one, and cut after that, so that it needs no new block of the flash.
  const bool written = pwrite(file, pid.text().data(), pid.size(), 0) == size;
  [[maybe_unused]] const int cut = ftruncate(file, written ? size : 0);
}

/// False with EWOULDBLOCK: another process holds it. Who only looks shares it for a moment, and then it
/// can be shared with them.
bool TakeExclusive(int file) {
  for (int n = 0; n < kTries; ++n) {
    if (flock(file, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK || flock(file, LOCK_SH | LOCK_NB) != 0) return false;
    flock(file, LOCK_UN);
    sched_yield();
  }
  errno = EWOULDBLOCK;
  return false;
}

}  // namespace

Status PidLock::Take(std::string_view directory, std::string_view name) {
  Release();
  path_.Clear();
  path_ << directory << '/' << name << '\0';
  if (path_.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  const int file = open(path_.text().data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return FromErrno(errno, "open lock");
  if (!TakeExclusive(file)) {
    const Status failed = errno == EWOULDBLOCK
                              ? Status{Code::kExists, ReadHolder(file), "another limpet holds it"}
                              : FromErrno(errno, "lock");
    close(file);
    return failed;
  }
  WriteHolder(file);
  file_ = file;
  return {};
}

void PidLock::Release() {
  if (file_ >= 0) close(file_);
  file_ = -1;
}

Result<int> PidLock::Holder(std::string_view directory, std::string_view name) {
  TextBuffer<kPathMax> path;
  path << directory << '/' << name << '\0';
  if (path.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  const int file = open(path.text().data(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0 && errno == ENOENT) return 0;
  if (file < 0) return FromErrno(errno, "open lock");
  // There is no way just to ask. It is shared, and let go at once: Take knows of that.
  int holder = 0;
  if (flock(file, LOCK_SH | LOCK_NB) != 0) {
    holder = ReadHolder(file);
    if (holder == 0) holder = -1;
  }
  close(file);
  return holder;
}

bool PidLock::Stands() const {
  if (file_ < 0) return false;
  struct stat held {}, named {};
  return fstat(file_, &held) == 0 && lstat(path_.text().data(), &named) == 0 &&
         held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

}  // namespace limpet
