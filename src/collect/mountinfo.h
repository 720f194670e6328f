// /proc/self/mountinfo: what is mounted where.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "collect/line_reader.h"
#include "limpet/status.h"

namespace limpet {

struct Mount {
  std::string_view source;  ///< "/dev/sda1", "server:/export", "none".
  std::string_view type;    ///< "ext4", "fuse.sshfs".
  std::string_view point;   ///< Absolute.
  bool read_only = false;   ///< The mount, or all of the filesystem.
};

/// Takes the lines of mountinfo one by one and keeps copies of what counts, so that the file may have any
/// length.
/// A mount over another one hides it: only the last at a mount point is there, and none when the last
/// is excluded, since to ask for the space below it would ask the one on top.
class MountTable {
 public:
  static constexpr size_t kPointMax = 4096;  ///< PATH_MAX: a longer one cannot be asked for its space.

  /// table, text: for the mounts and their texts; all but the last kPointMax bytes of it are used.
  /// exclude: comma separated patterns of types. Types that have no space (proc, cgroup2) are passed
  /// over too, and so is autofs, which would mount something when it is touched.
  MountTable(std::span<Mount> table, std::span<char> text, std::string_view exclude)
      : table_(table), text_(text), exclude_(exclude) {
    LIMPET_CHECK(text.size() >= kPointMax);
  }

  /// Takes a line without its newline. kInvalid: it lacks a column.
  /// Source: proc_pid_mountinfo(5); Documentation/filesystems/proc.rst, 3.5, in the Linux tree.
  Status Add(std::string_view line);

  /// In the file's order, the escapes (`\040`) replaced.
  std::span<const Mount> mounts() const { return table_.first(count_); }
  /// Not excluded, but there is no room or a name is not plain UTF-8.
  size_t left_out() const { return left_out_; }

 private:
  std::optional<std::string_view> Copy(std::string_view name);
  void Hide(std::string_view point);

  const std::span<Mount> table_;
  const std::span<char> text_;  // In the order of the table: point, source, type of each.
  const std::string_view exclude_;
  size_t count_ = 0, text_used_ = 0;
  size_t left_out_ = 0;
};

/// Reads mountinfo from its beginning into the table.
/// kInvalid: a line is cut or lacks a column. kFull: one is longer than the reader's buffer.
Status ReadMounts(LineReader& lines, MountTable& mounts);

/// Is a filesystem of this type known to answer by itself, from memory or a device of this machine?
bool IsLocalFilesystem(std::string_view type);

/// Is the path the directory itself or below it? Both absolute.
bool IsBelow(std::string_view path, std::string_view directory);

}  // namespace limpet
