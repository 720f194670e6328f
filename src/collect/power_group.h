// The group `power`: batteries and what feeds the device.
#pragma once

#include "collect/sensor_group.h"

namespace limpet {

class PowerGroup final : public SensorGroupBuffer<96, 32, 2048> {
 public:
  PowerGroup();
};

}  // namespace limpet
