// The group `processes`: how many processes there are, by state.
#pragma once

#include "collect/group.h"

namespace limpet {

class ProcessesGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
