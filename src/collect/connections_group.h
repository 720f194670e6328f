// The group `connections`: connections by transport and state.
#pragma once

#include "collect/group.h"

namespace limpet {

class ConnectionsGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
