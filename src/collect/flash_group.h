// The group `flash`: wear of flash and disks.
#pragma once

#include "collect/group.h"

namespace limpet {

class FlashGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
