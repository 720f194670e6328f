// The group `hwmon`: temperatures, voltages, fans, power and energy that monitoring chips measure.
#pragma once

#include "collect/sensor_group.h"

namespace limpet {

class HwmonGroup final : public SensorGroupBuffer<256, 64, 6144> {
 public:
  HwmonGroup();
};

}  // namespace limpet
