// A secret out of a file: a token, the value of a header. Whoever rotates it writes the file anew.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "limpet/time.h"
#include "port/linux/watched_file.h"

namespace limpet {

/// What was read stays in force until the file holds something better: one that is gone for a moment,
/// or empty while it is being written, changes nothing.
class SecretFile {
 public:
  static constexpr size_t kBytesMax = 4 * kKiB;       ///< Of a value at most, whatever the room.
  static constexpr Duration kLookEvery = Seconds(1);  ///< More often nobody asks the filesystem.

  /// room: the value is kept there with a NUL behind it; it must outlive this. kInvalid: the path.
  Status Init(std::string_view path, std::span<char> room);

  /// Looks at the file if the last look is a second old, and reads it if it has changed. True: the
  /// value is another one now.
  bool Refresh(MonoTime now);
  /// The next Refresh looks, and reads, whatever the time: the value was refused.
  void Distrust();

  /// Empty as long as the file has never held one.
  std::string_view value() const { return {room_.data(), size_}; }
  std::string_view path() const { return file_.path(); }
  /// Of the last look. kNotFound, kDenied, kIo; kInvalid: empty, or a control character in it, or no
  /// regular file; kFull: longer than there is room for.
  const Status& status() const { return status_; }

 private:
  Status Read(bool& changed);
  Status Take(const OpenFile& file, bool& changed);

  WatchedFile file_;
  std::span<char> room_;
  size_t size_ = 0;
  MonoTime next_look_;
  Status status_;   // Of the last look.
  Status content_;  // Of what the file held when it was read.
};

}  // namespace limpet
