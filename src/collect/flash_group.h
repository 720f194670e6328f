// The group `flash`: wear and health of eMMC, NAND and disks, as far as /sys tells. What an NVMe or
// SATA disk knows of its wear (percentage used, SMART) it only says to an ioctl: it is not here.
#pragma once

#include "collect/sensor_group.h"

namespace limpet {

class FlashGroup final : public SensorGroupBuffer<128, 64, 3072> {
 public:
  FlashGroup();
};

}  // namespace limpet
