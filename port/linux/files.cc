#include "port/linux/files.h"

#include <cerrno>
#include <cstdint>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/linux/error.h"
#include "limpet/limits.h"

namespace limpet {

namespace {

/// A path as the system wants it.
struct Path {
  char text[kPathMax];

  Status Set(std::string_view path) {
    if (path.size() >= sizeof text) return {Code::kInvalid, 0, "path is too long"};
    std::memcpy(text, path.data(), path.size());
    text[path.size()] = '\0';
    return {};
  }
};

FileFacts FactsFrom(const struct stat& about) {
  return {.device = about.st_dev,
          .inode = about.st_ino,
          .size = static_cast<uint64_t>(about.st_size),
          .links = static_cast<uint32_t>(about.st_nlink),
          .regular = S_ISREG(about.st_mode)};
}

}  // namespace

Result<int> LinuxFiles::Open(std::string_view path) {
  Path name;
  LIMPET_TRY(name.Set(path));
  // A FIFO or device in the way must not stop the loop.
  const int file = open(name.text, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return FromErrno(errno, "open");
  return file;
}

Result<size_t> LinuxFiles::ReadAt(int file, uint64_t offset, std::span<char> into) {
  for (;;) {
    const ssize_t got = pread(file, into.data(), into.size(), static_cast<off_t>(offset));
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR) return FromErrno(errno, "read");
  }
}

Result<size_t> LinuxFiles::Read(int file, std::span<char> into) {
  for (;;) {
    const ssize_t got = read(file, into.data(), into.size());
    if (got >= 0) return static_cast<size_t>(got);
    if (errno == EPIPE) return Status{Code::kNotFound, errno, "read"};
    if (errno != EINTR) return FromErrno(errno, "read");
  }
}

void LinuxFiles::Close(int file) { close(file); }

/// A file of which the kernel tells it has something urgent then, and can never be written; all others say
/// that they can, at any time.
bool LinuxFiles::HasChanged(int file) {
  pollfd asked{.fd = file, .events = POLLPRI | POLLOUT, .revents = 0};
  return poll(&asked, 1, 0) != 0;
}

Result<UnixTime> LinuxFiles::ModifiedAt(int file) {
  struct stat about {};
  if (fstat(file, &about) != 0) return FromErrno(errno, "stat");
  return UnixTime{int64_t{about.st_mtim.tv_sec} * 1'000'000'000 + about.st_mtim.tv_nsec};
}

Result<FileFacts> LinuxFiles::Facts(int file) {
  struct stat about {};
  if (fstat(file, &about) != 0) return FromErrno(errno, "stat");
  return FactsFrom(about);
}

Result<FileFacts> LinuxFiles::FactsOf(std::string_view path) {
  Path name;
  LIMPET_TRY(name.Set(path));
  struct stat about {};
  if (stat(name.text, &about) != 0) return FromErrno(errno, "stat");
  return FactsFrom(about);
}

/// With the system call itself, since opendir allocates, and /proc is listed in each cycle.
Status LinuxFiles::ListNames(std::string_view path, NameSink& sink) {
  Path name;
  LIMPET_TRY(name.Set(path));
  const int directory = open(name.text, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (directory < 0) return FromErrno(errno, "open directory");
  Status status;
  alignas(8) char entries[4096];
  for (;;) {
    const long got = syscall(SYS_getdents64, directory, entries, sizeof entries);
    if (got < 0) status = FromErrno(errno, "read directory");
    if (got <= 0) break;
    for (long at = 0; at < got;) {
      // struct linux_dirent64: inode, offset, length of the entry, type, name.
      uint16_t length;
      std::memcpy(&length, entries + at + 16, sizeof length);
      const std::string_view found = entries + at + 19;
      if (found != "." && found != "..") sink.OnName(found);
      at += length;
    }
  }
  close(directory);
  return status;
}

Result<std::string_view> LinuxFiles::ReadLink(std::string_view path, std::span<char> into) {
  Path name;
  LIMPET_TRY(name.Set(path));
  const ssize_t got = readlink(name.text, into.data(), into.size());
  if (got < 0) return FromErrno(errno, "readlink");
  return std::string_view(into.data(), static_cast<size_t>(got));
}

}  // namespace limpet
