// Hears of changes to files and directories without asking: inotify.
#pragma once

#include <string_view>

#include "limpet/status.h"

namespace limpet {

class FileWatch {
 public:
  /// Watches an open file, whatever its name becomes: written to, truncated, renamed, unlinked.
  /// Returns a number for Next and Forget, the same for the same file. kUnsupported: a filesystem whose
  /// changes may come from elsewhere (network, overlay): it has to be asked. kFull: no more watches.
  virtual Result<int> WatchFile(int file) = 0;

  /// Watches what a directory holds: names that come, go or are moved. Otherwise as WatchFile.
  virtual Result<int> WatchDirectory(std::string_view path) = 0;

  virtual void Forget(int watch) = 0;

  /// The watch of the next change; kLost: some were lost, anything may have changed; kNone: no more.
  static constexpr int kNone = -1, kLost = -2;
  virtual int Next() = 0;

  /// For the Poller: readable when there is a change.
  virtual int handle() const = 0;

 protected:
  ~FileWatch() = default;
};

/// Follows files, and is told what Next said.
class ChangeHandler {
 public:
  virtual void OnChange(int watch) = 0;

 protected:
  ~ChangeHandler() = default;
};

}  // namespace limpet
