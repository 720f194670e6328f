#include "port/linux/files.h"

#include <cerrno>
#include <cstring>

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

}  // namespace limpet
