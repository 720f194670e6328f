// A file that is used anew when it has changed: certificates, tokens.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/limits.h"
#include "limpet/status.h"

namespace limpet {

/// An open file, closed at the end.
class OpenFile {
 public:
  explicit OpenFile(int handle) : handle_(handle) {}
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int handle() const { return handle_; }
  /// All of it. kFull: it is longer than `into`. kIo.
  Result<size_t> Read(std::span<uint8_t> into) const;

 private:
  int handle_;
};

class WatchedFile {
 public:
  /// path: shorter than kPathMax, copied. kInvalid: it is not.
  Status Name(std::string_view path);
  std::string_view path() const { return {path_.data()}; }

  /// Opens it for reading, and never waits: a FIFO or a device is no file to read. Returns the
  /// handle, for an OpenFile.
  /// changed: is it another one than when Accept was called last, by device, inode, size or time?
  /// kNotFound, kDenied, kIo: as open(2) says. kInvalid: not a regular file.
  Result<int> Open(bool& changed);

  /// Of what was opened last, in bytes.
  uint64_t size() const { return opened_.size; }

  /// What was opened last is what is in use from now on.
  void Accept() { used_ = opened_; }
  /// Whatever is opened next counts as changed.
  void Forget() { used_ = {}; }

 private:
  struct Identity {
    uint64_t device = 0, inode = 0, size = 0;
    int64_t changed_s = 0, changed_ns = 0;
    bool operator==(const Identity&) const = default;
  };

  std::array<char, kPathMax> path_{};
  Identity opened_, used_;
};

}  // namespace limpet
