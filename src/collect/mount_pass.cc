#include "collect/mount_pass.h"

#include <algorithm>

namespace limpet {

void MountPass::Clear() {
  count_ = text_used_ = 0;
  Again();
}

/// Both in one, with a NUL behind.
std::string_view MountPass::Keep(std::string_view first, std::string_view second) {
  char* const begin = text_.data() + text_used_;
  char* const end = std::copy(second.begin(), second.end(), std::copy(first.begin(), first.end(), begin));
  *end = '\0';
  text_used_ += first.size() + second.size() + 1;
  return {begin, first.size() + second.size()};
}

bool MountPass::Add(std::string_view root, const Mount& mount) {
  const size_t needed = root.size() + mount.point.size() + mount.type.size() + mount.source.size() + 3;
  if (count_ == kMountsMax || needed > kTextBytes - text_used_) return false;
  Entry& entry = entries_[count_++];
  const std::string_view path = Keep(root, mount.point);
  entry = {.mount = {.source = Keep(mount.source),
                     .type = Keep(mount.type),
                     .point = path.substr(root.size()),
                     .read_only = mount.read_only},
           .path = path.data(),
           .space = {},
           .status = {}};
  return true;
}

void MountPass::Run() {
  for (size_t i = 0; i < count_; ++i) {
    const Result<FilesystemSpace> space = meter_->Measure(entries_[i].path);
    entries_[i].status = space.status();
    if (space.ok()) entries_[i].space = space.value();
    measured_.store(static_cast<uint32_t>(i + 1), std::memory_order_release);
  }
}

}  // namespace limpet
