// One process on a directory at a time: a locked file that names its holder.
#pragma once

#include <string_view>

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/status.h"

namespace limpet {

/// flock(2): the kernel drops the lock with the process, however that ends. It is apart from the
/// locks of fcntl(2) that SQLite takes. The file stays: removed, it would race with the next.
class PidLock {
 public:
  PidLock() = default;
  PidLock(const PidLock&) = delete;
  PidLock& operator=(const PidLock&) = delete;
  ~PidLock() { Release(); }

  /// Locks the file `name` (made 0600 when missing) in the directory, in place of what it holds.
  /// kExists: another process holds it, its id in `detail` (0: unknown).
  Status Take(std::string_view directory, std::string_view name);
  void Release();

  /// Who holds the lock of that name now: a process id, -1 when it is unknown, 0 for nobody. Nothing
  /// is made or written, and nobody is kept from Take.
  static Result<int> Holder(std::string_view directory, std::string_view name);

  /// True while what is locked is what others would try to lock: the file has not been removed or
  /// replaced, and neither has its directory.
  bool Stands() const;

 private:
  TextBuffer<kPathMax> path_;  ///< With its NUL.
  int file_ = -1;
};

}  // namespace limpet
