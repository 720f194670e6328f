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

/// The name with its \ooo replaced, behind the texts that are there. Nothing: there is no room.
std::optional<std::string_view> MountTable::Copy(std::string_view name) {
  char* const begin = text_.data() + text_used_;
  char* to = begin;
  while (!name.empty()) {
    if (to == text_.data() + text_.size()) return std::nullopt;
    const bool escape = name.size() > 3 && name[0] == '\\' && name[1] <= '3' && IsOctal(name[1]) &&
                        IsOctal(name[2]) && IsOctal(name[3]);
    *to++ = escape ? static_cast<char>((name[1] - '0') * 64 + (name[2] - '0') * 8 + (name[3] - '0')) : name[0];
    name.remove_prefix(escape ? 4 : 1);
  }
  const auto size = static_cast<size_t>(to - begin);
  text_used_ += size;
  return std::string_view(begin, size);
}

/// Takes the mount at this point out of the table, and its texts out of theirs.
void MountTable::Hide(std::string_view point) {
  const auto end = table_.begin() + static_cast<std::ptrdiff_t>(count_);
  const auto hidden = std::find_if(table_.begin(), end, [&](const Mount& m) { return m.point == point; });
  if (hidden == end) return;
  char* const gap = text_.data() + (hidden->point.data() - text_.data());
  const size_t size = hidden->point.size() + hidden->source.size() + hidden->type.size();
  std::copy(gap + size, text_.data() + text_used_, gap);
  text_used_ -= size;
  std::move(hidden + 1, end, hidden);
  --count_;
  for (auto m = hidden; m != end - 1; ++m) {
    for (std::string_view* const text : {&m->point, &m->source, &m->type}) {
      *text = {text->data() - size, text->size()};
    }
  }
}

Status MountTable::Add(std::string_view line) {
  Mount mount;
  if (!ParseLine(line, mount)) return {Code::kInvalid, 0, "mountinfo: columns"};
  const size_t before = text_used_;
  if (const auto point = Copy(mount.point)) {
    text_used_ = before;  // It is read once more, where nothing else is written yet.
    Hide(*point);
  }
  if (AnyGlobMatches(kWithoutSpace, mount.type) || AnyGlobMatches(exclude_, mount.type)) return {};

  const size_t begin = text_used_;
  const auto point = Copy(mount.point), source = Copy(mount.source), type = Copy(mount.type);
  const bool room = point && source && type && text_used_ + kPointMax <= text_.size() && count_ < table_.size();
  if (!room || !IsPlainText(*point) || !IsPlainText(*source) || !IsPlainText(*type)) {
    text_used_ = begin;
    ++left_out_;
    return {};
  }
  table_[count_++] = {.source = *source, .type = *type, .point = *point, .read_only = mount.read_only};
  return {};
}

Status ReadMounts(LineReader& lines, MountTable& mounts) {
  std::string_view line;
  while (lines.Next(line)) LIMPET_TRY(mounts.Add(line));
  LIMPET_TRY(lines.status());
  if (!lines.rest().empty()) return {Code::kInvalid, 0, "mountinfo: last line is cut"};
  return {};
}

bool IsLocalFilesystem(std::string_view type) { return AnyGlobMatches(kLocal, type); }

bool IsBelow(std::string_view path, std::string_view directory) {
  while (directory.ends_with('/')) directory.remove_suffix(1);
  if (!path.starts_with(directory)) return false;
  return path.size() == directory.size() || path[directory.size()] == '/';
}

}  // namespace limpet
