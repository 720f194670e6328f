#include "port/linux/state_dir.h"

#include <array>
#include <cerrno>
#include <cstdio>

#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "port/linux/directory.h"
#include "port/linux/error.h"
#include "port/sqlite/spool_vfs.h"

namespace limpet {
namespace {

constexpr Status kTooLong = {Code::kInvalid, 0, "path is too long"};

using Path = std::array<char, kPathMax>;

}  // namespace

StateDir::StateDir(std::string_view directory) {
  while (directory.size() > 1 && directory.back() == '/') directory.remove_suffix(1);
  path_ << directory;
}

Status StateDir::Prepare() {
  if (path_.overflowed()) return kTooLong;
  LIMPET_TRY(CheckWritable(path_.text()));
  if (lock_.Stands()) return {};  // S1.
  return lock_.Take(path_.text(), "spool.lock");
}

Result<Space> StateDir::Free() {
  Path path;
  if (WritePath(".", path) == 0) return kTooLong;
  struct statvfs info {};
  if (statvfs(path.data(), &info) != 0) return FromErrno(errno, "free space");
  return Space{.free_bytes = uint64_t{info.f_bavail} * info.f_frsize,
               .inodes = info.f_files,
               .free_inodes = info.f_favail};
}

Result<uint64_t> StateDir::SizeOf(std::string_view name) {
  Path path;
  if (WritePath(name, path) == 0) return kTooLong;
  struct stat info {};
  if (lstat(path.data(), &info) != 0) return FromErrno(errno, "file of the spool");
  if (!S_ISREG(info.st_mode)) return {Code::kDenied, 0, "not a regular file"};
  if (info.st_uid != geteuid()) return {Code::kDenied, EPERM, "file of another user"};
  return static_cast<uint64_t>(info.st_size);
}

Status StateDir::Rename(std::string_view from, std::string_view to) {
  Path old_path, new_path;
  if (WritePath(from, old_path) == 0 || WritePath(to, new_path) == 0) return kTooLong;
  if (rename(old_path.data(), new_path.data()) != 0) return FromErrno(errno, "rename");
  return SyncDirectory(path_.text());
}

Status StateDir::Remove(std::string_view name) {
  Path path;
  if (WritePath(name, path) == 0) return kTooLong;
  if (unlink(path.data()) != 0) return errno == ENOENT ? Status{} : FromErrno(errno, "remove");
  return SyncDirectory(path_.text());
}

size_t StateDir::WritePath(std::string_view name, std::span<char> into) const {
  TextWriter path(into);
  path << path_.text() << '/' << name << '\0';
  return path_.overflowed() || path.overflowed() ? 0 : path.size() - 1;
}

const char* StateDir::vfs() const { return kSpoolVfs; }
uint64_t StateDir::written_bytes() const { return CountSpoolWrites().bytes; }
uint64_t StateDir::syncs() const { return CountSpoolWrites().syncs; }

}  // namespace limpet
