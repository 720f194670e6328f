// Notices when wall time jumps against boot time: somebody set the clock, or NTP stepped it.
#pragma once

#include <cstdint>
#include <optional>

#include "clock/reading.h"
#include "limpet/time.h"

namespace limpet {

class StepDetector {
 public:
  /// threshold: `[clock] step`; a jump of more than this between two readings is a step.
  explicit StepDetector(Duration threshold) : threshold_(threshold) {}

  /// Takes the next reading. Returns the size of the step since the last one, if there was one:
  /// positive when wall time jumped ahead. The first reading is only remembered.
  /// Small differences are slewing: they move the base along and never add up to a step.
  std::optional<Duration> Observe(const ClockReading& reading);

  uint64_t steps() const { return steps_; }

 private:
  const Duration threshold_;
  std::optional<Duration> offset_;  // Wall minus boot time, at the last reading.
  uint64_t steps_ = 0;
};

}  // namespace limpet
