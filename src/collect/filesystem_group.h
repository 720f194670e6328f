// The group `filesystem`: the mounted filesystems: space and inodes.
#pragma once

#include "collect/group.h"

namespace limpet {

class FilesystemGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
