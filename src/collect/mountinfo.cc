#include "collect/mountinfo.h"

#include <algorithm>

#include "collect/scan.h"

namespace limpet {
namespace {

constexpr std::string_view kWithoutSpace =
    "autofs, binfmt_misc, bpf, cgroup, cgroup2, configfs, debugfs, devpts, efivarfs, fusectl, "
    "fuse.lxcfs, mqueue, nfsd, nsfs, proc, pstore, rpc_pipefs, securityfs, selinuxfs, smackfs, sysfs, "
    "tracefs";

constexpr std::string_view kLocal =
    "bcachefs, btrfs, cramfs, devtmpfs, erofs, exfat, ext[234], f2fs, hfs, hfsplus, hugetlbfs, iso9660, "
    "jffs2, jfs, minix, msdos, nilfs2, ntfs, ntfs3, overlay, ramfs, reiserfs, romfs, rootfs, squashfs, "
    "tmpfs, ubifs, udf, ufs, vfat, xfs, yaffs, yaffs2";

bool IsOctal(char c) { return c >= '0' && c <= '7'; }

/// Replaces \ooo in place. The name lies in a text that may be written to.
std::string_view Unescape(std::string_view name, std::span<char> text) {
  if (name.empty()) return name;  // It need not lie in the text.
  char* const begin = text.data() + (name.data() - text.data());
  char* to = begin;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool escape = name[i] == '\\' && i + 3 < name.size() && name[i + 1] <= '3' &&
                        IsOctal(name[i + 1]) && IsOctal(name[i + 2]) && IsOctal(name[i + 3]);
    if (!escape) {
      *to++ = name[i];
      continue;
    }
    *to++ = static_cast<char>((name[i + 1] - '0') * 64 + (name[i + 2] - '0') * 8 + (name[i + 3] - '0'));
    i += 3;
  }
  return {begin, static_cast<size_t>(to - begin)};
}

bool IsReadOnly(std::string_view options) {
  while (!options.empty()) {
    if (TakeUntil(options, ',') == "ro") return true;
  }
  return false;
}

/// `36 35 98:0 /root /mount/point rw,noatime shared:1 … - type source rw,errors=continue`. A name may be
/// empty, so each blank ends a column.
bool ParseLine(std::string_view line, Mount& mount) {
  for (int skipped = 0; skipped < 4; ++skipped) TakeUntil(line, ' ');
  mount.point = TakeUntil(line, ' ');
  mount.read_only = IsReadOnly(TakeUntil(line, ' '));
  while (!line.empty() && TakeUntil(line, ' ') != "-") continue;
  mount.type = TakeUntil(line, ' ');
  mount.source = TakeUntil(line, ' ');
  mount.read_only = mount.read_only || IsReadOnly(line);
  return mount.point.starts_with('/') && !mount.type.empty();
}

}  // namespace

Result<Mounts> ParseMountInfo(std::span<char> text, std::string_view exclude, std::span<Mount> table) {
  Mounts found;
  std::string_view rest(text.data(), text.size());
  std::string_view line;
  while (TakeLine(rest, line)) {
    Mount mount;
    if (!ParseLine(line, mount)) return {Code::kInvalid, 0, "mountinfo: columns"};
    mount.point = Unescape(mount.point, text);
    mount.source = Unescape(mount.source, text);
    mount.type = Unescape(mount.type, text);
    const auto end = table.begin() + static_cast<std::ptrdiff_t>(found.count);
    const auto hidden =
        std::find_if(table.begin(), end, [&](const Mount& other) { return other.point == mount.point; });
    if (hidden != end) {
      std::move(hidden + 1, end, hidden);
      --found.count;
    }
    if (AnyGlobMatches(kWithoutSpace, mount.type) || AnyGlobMatches(exclude, mount.type)) continue;
    const bool plain = IsPlainText(mount.point) && IsPlainText(mount.source) && IsPlainText(mount.type);
    if (found.count == table.size() || !plain) {
      ++found.left_out;
      continue;
    }
    table[found.count++] = mount;
  }
  if (!rest.empty()) return {Code::kInvalid, 0, "mountinfo: last line is cut"};
  return found;
}

bool IsLocalFilesystem(std::string_view type) { return AnyGlobMatches(kLocal, type); }

bool IsBelow(std::string_view path, std::string_view directory) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  if (!path.starts_with(directory)) return false;
  return path.size() == directory.size() || path[directory.size()] == '/';
}

}  // namespace limpet
