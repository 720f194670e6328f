// The group `hwmon`: sensors of the hardware: temperatures, voltages, fans, power.
#pragma once

#include "collect/group.h"

namespace limpet {

class HwmonGroup final : public Group {
 public:
  Status Collect(const GroupContext& context, Points& out) override;
};

}  // namespace limpet
