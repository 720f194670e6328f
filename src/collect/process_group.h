// The group `process`: named processes, each a resource of its own.
#pragma once

#include "collect/group.h"

namespace limpet {

class ProcessGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
