#include "port/linux/files.h"

#include <cerrno>
#include <cstring>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "port/linux/error.h"
#include "limpet/limits.h"

namespace limpet {

Result<int> LinuxFiles::Open(std::string_view path) {
  char name[kPathMax];
  if (path.size() >= sizeof name) return {Code::kInvalid, 0, "path is too long"};
  std::memcpy(name, path.data(), path.size());
  name[path.size()] = '\0';
  // A FIFO or device in the way must not stop the loop.
  const int file = open(name, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
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

void LinuxFiles::Close(int file) { close(file); }

Status LinuxDirectories::ListNames(std::string_view path, NameSink& sink) {
  char name[kPathMax];
  if (path.size() >= sizeof name) return {Code::kInvalid, 0, "path is too long"};
  std::memcpy(name, path.data(), path.size());
  name[path.size()] = '\0';
  DIR* const directory = opendir(name);
  if (directory == nullptr) return FromErrno(errno, "open directory");
  errno = 0;
  while (const dirent* const entry = readdir(directory)) {
    const std::string_view found = entry->d_name;
    if (found != "." && found != "..") sink.OnName(found);
    errno = 0;
  }
  const int error = errno;
  closedir(directory);
  if (error != 0) return FromErrno(error, "read directory");
  return {};
}

}  // namespace limpet
