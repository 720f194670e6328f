#include "port/linux/file_watch.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include <linux/magic.h>
#include <sys/inotify.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "limpet/limits.h"
#include "port/linux/error.h"

namespace limpet {
namespace {

constexpr uint32_t kFileEvents = IN_MODIFY | IN_ATTRIB | IN_MOVE_SELF | IN_DELETE_SELF;
constexpr uint32_t kDirectoryEvents = IN_CREATE | IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR;

// Where others write behind the kernel's back, or the file seen is not the one written.
constexpr uint32_t kNfs = 0x6969, kSmb = 0x517b, kSmb2 = 0xfe534d42, kCifs = 0xff534d42, k9p = 0x01021997,
                   kFuse = 0x65735546, kCeph = 0x00c36400, kAfs = 0x5346414f, kOverlay = 0x794c7630,
                   kGfs = 0x01161970, kOcfs = 0x7461636f, kLustre = 0x0bd00bd0, kVbox = 0x786f4256;
constexpr uint32_t kSilent[] = {kNfs,  kSmb,     kSmb2, kCifs, k9p,     kFuse, kCeph,
                                kAfs,  kOverlay, kGfs,  kOcfs, kLustre, kVbox};

}  // namespace

Inotify::~Inotify() {
  if (handle_ >= 0) close(handle_);
}

Status Inotify::Open() {
  handle_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  return handle_ >= 0 ? Status{} : FromErrno(errno, "inotify");
}

Result<int> Inotify::Watch(const char* path, uint32_t events) {
  if (handle_ < 0) return Status{Code::kUnsupported, 0, "inotify"};
  struct statfs about {};
  if (statfs(path, &about) != 0) return FromErrno(errno, "statfs");
  const auto type = static_cast<uint32_t>(about.f_type);
  if (std::find(std::begin(kSilent), std::end(kSilent), type) != std::end(kSilent)) {
    return Status{Code::kUnsupported, 0, "a network or overlay filesystem"};
  }
  const int watch = inotify_add_watch(handle_, path, events);
  if (watch >= 0) return watch;
  if (errno == ENOSPC) return Status{Code::kFull, errno, "fs.inotify.max_user_watches"};
  return FromErrno(errno, "inotify");
}

/// By the file that is open: its name may lead to another already.
Result<int> Inotify::WatchFile(int file) {
  char path[32];
  std::snprintf(path, sizeof path, "/proc/self/fd/%d", file);
  return Watch(path, kFileEvents);
}

Result<int> Inotify::WatchDirectory(std::string_view path) {
  char name[kPathMax];
  if (path.size() >= sizeof name) return Status{Code::kInvalid, 0, "path is too long"};
  std::memcpy(name, path.data(), path.size());
  name[path.size()] = '\0';
  return Watch(name, kDirectoryEvents);
}

void Inotify::Forget(int watch) { (void)inotify_rm_watch(handle_, watch); }

int Inotify::Next() {
  for (;;) {
    if (at_ == end_) {
      const ssize_t got = handle_ < 0 ? 0 : read(handle_, events_.data(), events_.size());
      if (got < 0 && errno == EINTR) continue;
      at_ = 0, end_ = got > 0 ? static_cast<size_t>(got) : 0;
      if (end_ == 0) return kNone;
    }
    inotify_event event;
    std::memcpy(&event, events_.data() + at_, sizeof event);
    at_ += sizeof event + event.len;
    if ((event.mask & IN_Q_OVERFLOW) != 0) return kLost;
    if ((event.mask & IN_IGNORED) == 0) return event.wd;
  }
}

}  // namespace limpet
