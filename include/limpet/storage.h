// The directory that survives a restart: state_dir. Called from the worker's thread, and before that
// exists, from the start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

struct Space {
  uint64_t free_bytes = 0;              ///< For a process without privileges.
  uint64_t inodes = 0, free_inodes = 0; ///< Both 0: this filesystem does not count them.
};

/// All names are of files directly in the directory.
class Storage {
 public:
  /// Makes sure that the directory is there (made 0700 when missing), that it can be written, and
  /// that no other process uses it, from now until the end of this one. Cheap when all that holds.
  /// kExists: another process holds it, its id in `detail` (0: unknown). kDenied, kFull, kIo.
  virtual Status Prepare() = 0;

  virtual Result<Space> Free() = 0;

  /// kNotFound: there is none. Size in bytes; kDenied also for a file of another user.
  virtual Result<uint64_t> SizeOf(std::string_view name) = 0;
  /// Replaces `to`. Both are on flash when it returns.
  virtual Status Rename(std::string_view from, std::string_view to) = 0;
  /// A missing file is no error.
  virtual Status Remove(std::string_view name) = 0;

  /// Writes the file's name for SQLite, with its NUL, and returns its length without; 0: too long.
  virtual size_t WritePath(std::string_view name, std::span<char> into) const = 0;
  /// The VFS to open it with; it makes files with mode 0600.
  virtual const char* vfs() const = 0;

  /// Bytes that the VFS has written and syncs it has done since the start of the process.
  virtual uint64_t written_bytes() const = 0;
  virtual uint64_t syncs() const = 0;

 protected:
  ~Storage() = default;
};

}  // namespace limpet
