// Reading files and directories of the host: /proc, /sys, certificates, logs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

class NameSink {
 public:
  virtual void OnName(std::string_view name) = 0;

 protected:
  ~NameSink() = default;
};

/// What a file is, whatever its name.
struct FileFacts {
  uint64_t device = 0, inode = 0;
  uint64_t size = 0;
  uint32_t links = 0;    ///< 0: deleted, and there only for who has it open.
  bool regular = false;  ///< No directory, FIFO, device.
  constexpr bool SameAs(const FileFacts& other) const {
    return device == other.device && inode == other.inode;
  }
};

class Files {
 public:
  /// Opens a file for reading. Returns a handle >= 0.
  /// kNotFound, kDenied, kFull (no handle left), kIo with the errno.
  virtual Result<int> Open(std::string_view path) = 0;

  /// Reads up to into.size() bytes at the byte offset. Returns the count; 0 is the end.
  /// Files of /proc are made anew by a read at offset 0, so a handle can be kept and read again.
  virtual Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) = 0;

  /// Reads on in a device that has no offsets, such as /dev/kmsg. Returns the count; 0 is the end.
  /// kUnavailable: nothing yet, the poller tells. kNotFound: what came next is there no more; the next call
  /// reads on behind it. kInvalid: what came next does not fit, likewise.
  virtual Result<size_t> Read(int /*file*/, std::span<char> /*into*/) {
    return Status{Code::kUnsupported, 0, "read"};
  }

  virtual void Close(int file) = 0;

  /// Has the open file changed since it was opened or this was asked last? The kernel tells that of a few
  /// of its tables, such as mountinfo. True where it does not tell.
  virtual bool HasChanged(int file) { return (void)file, true; }

  /// When the open file was last written.
  virtual Result<UnixTime> ModifiedAt(int file) = 0;

  /// Of an open file, and of what a path leads to, over symbolic links.
  virtual Result<FileFacts> Facts(int /*file*/) { return Status{Code::kUnsupported, 0, "facts"}; }
  virtual Result<FileFacts> FactsOf(std::string_view /*path*/) {
    return Status{Code::kUnsupported, 0, "facts"};
  }

  /// Hands over the name of each entry of the directory but `.` and `..`, in any order.
  /// kNotFound, kDenied, kIo with the errno.
  virtual Status ListNames(std::string_view path, NameSink& sink) = 0;

  /// Where a symbolic link leads, as it says: in `into`, its beginning where that is smaller.
  /// kNotFound, kDenied, kInvalid (no link), kIo.
  virtual Result<std::string_view> ReadLink(std::string_view path, std::span<char> into) = 0;

 protected:
  ~Files() = default;
};

/// Reads a whole file into `into` and closes it. Returns the text.
/// kFull: the file is longer than the buffer. Otherwise as Open and ReadAt.
Result<std::string_view> ReadWhole(Files& files, std::string_view path, std::span<char> into);

/// The same for a file that is already open and stays so.
Result<std::string_view> ReadWhole(Files& files, int file, std::span<char> into);

}  // namespace limpet
