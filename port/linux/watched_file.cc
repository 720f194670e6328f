#include "port/linux/watched_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace limpet {

OpenFile::~OpenFile() { close(handle_); }

Result<size_t> OpenFile::Read(std::span<uint8_t> into) const {
  size_t size = 0;
  for (;;) {
    uint8_t beyond = 0;
    const bool full = size == into.size();
    const ssize_t got = full ? read(handle_, &beyond, 1) : read(handle_, &into[size], into.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return {Code::kIo, errno, "read file"};
    if (got == 0) return size;
    if (full) return {Code::kFull, 0, "file"};
    size += static_cast<size_t>(got);
  }
}

Status WatchedFile::Name(std::string_view path) {
  if (path.empty() || path.size() >= path_.size()) return {Code::kInvalid, 0, "path"};
  path.copy(path_.data(), path.size());
  path_[path.size()] = '\0';
  Forget();
  return {};
}

Result<int> WatchedFile::Open(bool& changed) {
  const int file = open(path_.data(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) {
    const int error = errno;
    if (error == ENOENT || error == ENOTDIR) return {Code::kNotFound, error, "open file"};
    if (error == EACCES || error == EPERM) return {Code::kDenied, error, "open file"};
    return {Code::kIo, error, "open file"};
  }
  struct stat info;
  Status status;
  if (fstat(file, &info) != 0) {
    status = {Code::kIo, errno, "stat file"};
  } else if (!S_ISREG(info.st_mode)) {
    status = {Code::kInvalid, 0, "not a regular file"};
  } else {
    opened_ = {static_cast<uint64_t>(info.st_dev), static_cast<uint64_t>(info.st_ino),
               static_cast<uint64_t>(info.st_size), static_cast<int64_t>(info.st_mtim.tv_sec),
               static_cast<int64_t>(info.st_mtim.tv_nsec)};
    changed = !(opened_ == used_);
    return file;
  }
  close(file);
  return status;
}

}  // namespace limpet
