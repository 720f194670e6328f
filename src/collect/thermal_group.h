// The group `thermal`: temperatures of thermal zones.
#pragma once

#include "collect/group.h"

namespace limpet {

class ThermalGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
