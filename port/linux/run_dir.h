// The directory of the running process: its lock and its control socket.
#pragma once

#include <string_view>

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/status.h"
#include "port/linux/pid_lock.h"

namespace limpet {

/// Holds the lock of one directory for as long as it lives.
class RunDir {
 public:
  /// Makes `first` (mode 0755) or, where that cannot be written, `second` (0700), and locks
  /// limpet.lock in it. kExists: another process holds it, its id in `detail` (0: unknown). kDenied
  /// or another code: neither directory can be used.
  Status Take(std::string_view first, std::string_view second);

  /// The directory taken; empty when none was.
  std::string_view path() const { return path_.text(); }

 private:
  Status TakeOne(std::string_view directory, unsigned mode);

  TextBuffer<kPathMax> path_;
  PidLock lock_;
};

/// "unix:DIRECTORY/limpet.sock".
void WriteControlAddress(std::string_view directory, TextWriter& out);

}  // namespace limpet
