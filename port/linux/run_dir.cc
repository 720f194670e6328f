#include "port/linux/run_dir.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "port/linux/error.h"

namespace limpet {
namespace {

constexpr std::string_view kLockName = "/limpet.lock";

/// Makes the directory and the missing ones above it (0755).
Status MakeDirectories(std::string_view directory, mode_t mode) {
  TextBuffer<kPathMax> path;
  while (directory.size() > 1 && directory.back() == '/') directory.remove_suffix(1);
  size_t from = 0;
  while (from < directory.size()) {
    const size_t slash = directory.find('/', from + 1);
    const bool last = slash == std::string_view::npos;
    path.Clear();
    path << directory.substr(0, slash) << '\0';
    if (path.overflowed()) return {Code::kInvalid, 0, "path is too long"};
    if (mkdir(path.text().data(), last ? mode : 0755) != 0 && errno != EEXIST && last) {
      return FromErrno(errno, "make directory");
    }
    if (last) break;
    from = slash;
  }
  return {};
}

}  // namespace

RunDir::~RunDir() {
  if (lock_ >= 0) close(lock_);  // The file stays: removing it would race with the next holder.
}

Status RunDir::TakeOne(std::string_view directory, unsigned mode) {
  if (directory.empty()) return {Code::kInvalid, 0, "no directory"};
  LIMPET_TRY(MakeDirectories(directory, static_cast<mode_t>(mode)));
  TextBuffer<kPathMax> name;
  name << directory << kLockName << '\0';
  if (name.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  const int file = open(name.text().data(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return FromErrno(errno, "open lock");
  if (flock(file, LOCK_EX | LOCK_NB) != 0) {
    char holder[16];
    const ssize_t size = pread(file, holder, sizeof holder, 0);
    std::string_view text(holder, size > 0 ? static_cast<size_t>(size) : 0);
    const int pid = ParseNumber<int>(TakeUntil(text, '\n')).value_or(0);
    close(file);
    return {Code::kExists, pid, "another limpet holds it"};
  }
  TextBuffer<24> pid;
  pid << getpid() << '\n';
  if (ftruncate(file, 0) != 0 ||
      pwrite(file, pid.text().data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    const Status failed = FromErrno(errno, "write lock");
    close(file);
    return failed;
  }
  lock_ = file;
  path_ << directory;
  return {};
}

Status RunDir::Take(std::string_view first, std::string_view second) {
  const Status status = TakeOne(first, 0755);
  if (status.ok() || status.code == Code::kExists) return status;
  return TakeOne(second, 0700);
}

void WriteControlAddress(std::string_view directory, TextWriter& out) {
  out << "unix:" << directory << "/limpet.sock";
}

Status CheckWritable(std::string_view directory) {
  LIMPET_TRY(MakeDirectories(directory, 0700));
  TextBuffer<kPathMax> name;
  name << directory << '\0';
  if (name.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  struct stat info {};
  if (stat(name.text().data(), &info) != 0) return FromErrno(errno, "directory");
  if (!S_ISDIR(info.st_mode)) return {Code::kInvalid, ENOTDIR, "not a directory"};
  // access(2) tells of read-only filesystems too.
  if (access(name.text().data(), W_OK | X_OK) != 0) return FromErrno(errno, "directory");
  return {};
}

}  // namespace limpet
