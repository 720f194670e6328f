// /proc/self/mountinfo: what is mounted where.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// All texts point into the one that was parsed.
struct Mount {
  std::string_view source;  ///< "/dev/sda1", "server:/export", "none".
  std::string_view type;    ///< "ext4", "fuse.sshfs".
  std::string_view point;   ///< Absolute.
  bool read_only = false;   ///< The mount, or all of the filesystem.
};

struct Mounts {
  size_t count = 0;     ///< In the table.
  size_t left_out = 0;  ///< Not excluded, but the table is full or a name is not plain UTF-8.
};

/// Parses the text of mountinfo into the table, in the file's order, and replaces the escapes in it
/// (`\040`) in place.
/// A mount over another one hides it: only the last at a mount point is there, and none when the last
/// is excluded, since to ask for the space below it would ask the one on top.
/// exclude: comma separated patterns of types. Types that have no space (proc, cgroup2) are passed
/// over too, and so is autofs, which would mount something when it is touched.
/// kInvalid: a line is cut or lacks a column.
/// Source: proc_pid_mountinfo(5); Documentation/filesystems/proc.rst, 3.5, in the Linux tree.
Result<Mounts> ParseMountInfo(std::span<char> text, std::string_view exclude, std::span<Mount> table);

/// Is a filesystem of this type known to answer by itself, from memory or a device of this machine?
bool IsLocalFilesystem(std::string_view type);

/// Is the path the directory itself or below it? Both absolute.
bool IsBelow(std::string_view path, std::string_view directory);

}  // namespace limpet
