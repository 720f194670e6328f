// Storage over a directory of the real filesystem.
#pragma once

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/storage.h"
#include "port/linux/pid_lock.h"

namespace limpet {

/// The lock is spool.lock, apart from the limpet.lock of a RunDir that is the same directory.
///
/// Invariant:
///  S1  When Prepare succeeds, the lock is that of the directory which now has the name. One that
///      was removed and made anew, or another filesystem mounted over it, is locked in its turn.
class StateDir final : public Storage {
 public:
  /// A path that is too long shows in Prepare.
  explicit StateDir(std::string_view directory);
  StateDir(const StateDir&) = delete;
  StateDir& operator=(const StateDir&) = delete;
  ~StateDir() = default;

  /// kDenied also: it belongs to neither us nor root. kInvalid, kNotFound: something that is no
  /// directory has its name, or one above it.
  Status Prepare() override;
  Result<Space> Free() override;
  /// kDenied also: it is not a regular file.
  Result<uint64_t> SizeOf(std::string_view name) override;
  Status Rename(std::string_view from, std::string_view to) override;
  Status Remove(std::string_view name) override;
  size_t WritePath(std::string_view name, std::span<char> into) const override;
  const char* vfs() const override;
  uint64_t written_bytes() const override;
  uint64_t syncs() const override;

 private:
  TextBuffer<kPathMax> path_;
  PidLock lock_;
};

}  // namespace limpet
