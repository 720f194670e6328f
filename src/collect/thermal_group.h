// The group `thermal`: temperatures of thermal zones, and where their trip points are.
#pragma once

#include "collect/sensor_group.h"

namespace limpet {

class ThermalGroup final : public SensorGroupBuffer<96, 48, 2048> {
 public:
  ThermalGroup();
};

}  // namespace limpet
