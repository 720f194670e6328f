// The group `power`: batteries and supplies.
#pragma once

#include "collect/group.h"

namespace limpet {

class PowerGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
