// A database that is somewhere else, read through SQLite: its bytes are asked for, one state of it at
// a time. Nothing is written and nothing is locked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/status.h"

namespace limpet {

class RemoteFile {
 public:
  /// Bytes from the offset on: as many as there is room for, fewer at the end of the file only.
  /// A failure when they cannot be had, or are not of the state that the bytes before were of.
  virtual Result<size_t> Read(uint64_t offset, std::span<uint8_t> into) = 0;
  virtual Result<uint64_t> Size() = 0;

 protected:
  ~RemoteFile() = default;
};

/// The name to open a database with, to read only; the path is any.
inline constexpr const char* kRemoteVfs = "limpet-remote";

/// Registers the VFS for this file, which must outlive every connection. Call it once, after
/// StartSqlite.
Status StartRemoteVfs(RemoteFile& file);

}  // namespace limpet
