#include "port/linux/directory.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"
#include "limpet/limits.h"
#include "port/linux/error.h"

namespace limpet {
namespace {

/// The directory that the last name of the path lies in.
std::string_view Above(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return path.substr(0, slash == 0 ? 1 : slash);
}

/// Asks for the directory itself: what it is, whose it is, and whether it can be written.
Status Inspect(const char* directory) {
  struct stat info {};
  if (stat(directory, &info) != 0) return FromErrno(errno, "directory");
  if (!S_ISDIR(info.st_mode)) return {Code::kInvalid, ENOTDIR, "not a directory"};
  if (info.st_uid != 0 && info.st_uid != geteuid()) {
    return {Code::kDenied, EPERM, "directory of another user"};
  }
  // access(2) tells of read-only filesystems too.
  if (access(directory, W_OK | X_OK) != 0) return FromErrno(errno, "directory");
  return {};
}

}  // namespace

Status MakeDirectories(std::string_view directory, unsigned mode) {
  TextBuffer<kPathMax> path;
  while (directory.size() > 1 && directory.back() == '/') directory.remove_suffix(1);
  size_t from = 0;
  int above = 0;  // Why one above could not be made: says more than that the last has no place.
  while (from < directory.size()) {
    const size_t slash = directory.find('/', from + 1);
    const bool last = slash == std::string_view::npos;
    const std::string_view part = directory.substr(0, slash);
    path.Clear();
    path << part << '\0';
    if (path.overflowed()) return {Code::kInvalid, 0, "path is too long"};
    if (mkdir(path.text().data(), last ? static_cast<mode_t>(mode) : 0755) == 0) {
      // Best effort: one that may be written but not read cannot be opened for it.
      (void)SyncDirectory(Above(part));
    } else if (errno != EEXIST) {
      if (last) return FromErrno(errno == ENOENT && above != 0 ? above : errno, "make directory");
      above = errno;
    }
    if (last) break;
    from = slash;
  }
  return {};
}

Status CheckWritable(std::string_view directory) {
  TextBuffer<kPathMax> name;
  name << directory << '\0';
  if (name.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  const Status there = Inspect(name.text().data());
  if (there.code != Code::kNotFound) return there;
  LIMPET_TRY(MakeDirectories(directory, 0700));
  return Inspect(name.text().data());
}

Status SyncDirectory(std::string_view directory) {
  TextBuffer<kPathMax> name;
  name << directory << '\0';
  if (name.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  const int handle = open(name.text().data(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (handle < 0) return FromErrno(errno, "open directory");
  // EINVAL: a filesystem that has nothing to sync here.
  const int failed = fsync(handle) != 0 && errno != EINVAL ? errno : 0;
  close(handle);
  return failed == 0 ? Status{} : FromErrno(failed, "sync directory");
}

}  // namespace limpet
