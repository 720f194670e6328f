#include "port/linux/file_copy.h"

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "port/linux/directory.h"
#include "port/linux/error.h"
#include "port/linux/files.h"

namespace limpet {
namespace {

constexpr Status kTooLong = {Code::kInvalid, 0, "path is too long"};
constexpr Status kTaken = {Code::kExists, 0, "there is such a file already"};

struct Path {
  explicit Path(std::string_view path) { text << path << '\0'; }
  bool ok() const { return !text.overflowed(); }
  const char* c_str() const { return text.text().data(); }
  TextBuffer<kPathMax> text;
};

class Handle {
 public:
  Handle(const char* path, int flags) : file(open(path, flags | O_CLOEXEC, 0600)) {}
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (file >= 0) close(file);
  }
  const int file;
};

Status WriteAll(int file, const char* bytes, size_t count) {
  while (count > 0) {
    const ssize_t put = write(file, bytes, count);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return FromErrno(errno, "write");
    bytes += put;
    count -= static_cast<size_t>(put);
  }
  return {};
}

std::string_view DirectoryOf(std::string_view path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return path.substr(0, slash == 0 ? 1 : slash);
}

/// kExists: something has the name `to`. The flag is that of renameat2(2), for which not every C library
/// has a function; a kernel or a filesystem that does not know it has links.
Status RenameToNew(std::string_view from, std::string_view to) {
  constexpr unsigned kNoReplace = 1;
  const Path old_name(from), new_name(to);
  if (!old_name.ok() || !new_name.ok()) return kTooLong;
  if (syscall(SYS_renameat2, AT_FDCWD, old_name.c_str(), AT_FDCWD, new_name.c_str(), kNoReplace) == 0) {
    return {};
  }
  if (errno == ENOSYS || errno == EINVAL) {
    if (link(old_name.c_str(), new_name.c_str()) == 0) return RemoveFile(from);
  }
  return errno == EEXIST ? kTaken : FromErrno(errno, "rename");
}

class RemoveEach final : public NameSink {
 public:
  explicit RemoveEach(std::string_view folder) : folder_(folder) {}
  void OnName(std::string_view name) override {
    TextBuffer<kPathMax> path;
    path << folder_ << '/' << name;
    if (!path.overflowed()) (void)RemoveFile(path.text());
  }

 private:
  const std::string_view folder_;
};

}  // namespace

Result<uint64_t> FileSize(std::string_view path) {
  const Path name(path);
  if (!name.ok()) return kTooLong;
  struct stat info {};
  if (stat(name.c_str(), &info) != 0) return FromErrno(errno, "file");
  if (!S_ISREG(info.st_mode)) return {Code::kInvalid, 0, "not a regular file"};
  return static_cast<uint64_t>(info.st_size);
}

Result<uint8_t> FirstByte(std::string_view path) {
  LinuxFiles files;
  const Result<int> file = files.Open(path);
  if (!file.ok() && file.status().code == Code::kNotFound) return uint8_t{0};
  if (!file.ok()) return file.status();
  char byte = 0;
  const Result<size_t> got = files.ReadAt(file.value(), 0, std::span(&byte, 1));
  files.Close(file.value());
  if (!got.ok()) return got.status();
  return static_cast<uint8_t>(byte);
}

Status CopyFile(std::string_view from, std::string_view to) {
  const Path source(from), target(to);
  if (!source.ok() || !target.ok()) return kTooLong;
  const Handle in(source.c_str(), O_RDONLY);
  if (in.file < 0) return FromErrno(errno, "open file");
  const Handle out(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
  if (out.file < 0) return FromErrno(errno, "make file");
  std::array<char, 16 * kKiB> buffer;
  for (;;) {
    const ssize_t got = read(in.file, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return FromErrno(errno, "read file");
    if (got == 0) return {};
    LIMPET_TRY(WriteAll(out.file, buffer.data(), static_cast<size_t>(got)));
  }
}

Status RemoveFile(std::string_view path) {
  const Path name(path);
  if (!name.ok()) return kTooLong;
  if (unlink(name.c_str()) != 0 && errno != ENOENT) return FromErrno(errno, "remove");
  return {};
}

NewFile::~NewFile() {
  if (path_.size() > 0) (void)RemoveFile(part_.text());
  if (file_ >= 0) close(file_);
}

Status NewFile::Make(std::string_view path) {
  TextBuffer<kPathMax> part;
  part << path << ".part" << '\0';
  if (part.overflowed()) return kTooLong;
  const Path name(path);
  struct stat info {};
  if (lstat(name.c_str(), &info) == 0) return kTaken;
  if (errno != ENOENT) return FromErrno(errno, "file");
  // One that nobody has locked was interrupted. Whoever removes it holds its lock, and whoever made one
  // looks once more when it has that: until then it could be taken for such a one.
  for (;;) {
    int file = open(part.text().data(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    const bool made = file >= 0;
    if (!made && errno != EEXIST) return FromErrno(errno, "make file");
    if (!made) file = open(part.text().data(), O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (!made && file < 0 && errno == ENOENT) continue;
    if (file < 0) return FromErrno(errno, "open file.part");
    if (flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      close(file);
      if (made) continue;
      return {Code::kExists, 0, "another process is making this file"};
    }
    Status status = fstat(file, &info) == 0 ? Status{} : FromErrno(errno, "file");
    if (status.ok() && made && info.st_nlink > 0) {
      file_ = file;
      path_ << path;
      part_ << part.text().substr(0, part.size() - 1);
      return {};
    }
    if (status.ok() && info.st_nlink > 0 && unlink(part.text().data()) != 0 && errno != ENOENT) {
      status = FromErrno(errno, "remove file.part");
    }
    close(file);
    if (!status.ok()) return status;
  }
}

Status NewFile::Clear() {
  return ftruncate(file_, 0) == 0 ? Status{} : FromErrno(errno, "empty file");
}

Status NewFile::Write(std::string_view bytes) { return WriteAll(file_, bytes.data(), bytes.size()); }

Status NewFile::Finish() {
  if (fsync(file_) != 0 && errno != EINVAL) return FromErrno(errno, "sync file");
  LIMPET_TRY(RenameToNew(part_.text(), path_.text()));
  const Status synced = SyncDirectory(DirectoryOf(path_.text()));
  path_.Clear();
  return synced;
}

Status TemporaryFolder::Make() {
  const char* above = std::getenv("TMPDIR");
  if (above == nullptr || *above == '\0') above = "/tmp";
  path_.Clear();
  TextBuffer<kPathMax> name;
  name << above << "/limpet-XXXXXX" << '\0';
  if (name.overflowed()) return kTooLong;
  char path[kPathMax];
  std::memcpy(path, name.text().data(), name.size());
  if (mkdtemp(path) == nullptr) return FromErrno(errno, "make directory");
  path_ << std::string_view(path);
  return {};
}

void TemporaryFolder::Remove() {
  if (path_.size() == 0) return;
  RemoveEach remove(path_.text());
  LinuxFiles files;
  (void)files.ListNames(path_.text(), remove);
  const Path name(path_.text());
  rmdir(name.c_str());
  path_.Clear();
}

}  // namespace limpet
