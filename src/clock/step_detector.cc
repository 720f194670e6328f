#include "clock/step_detector.h"

namespace limpet {

std::optional<Duration> StepDetector::Observe(const ClockReading& reading) {
  const Duration offset{reading.wall.ns - reading.mono.ns};
  if (!offset_) {
    offset_ = offset;
    return std::nullopt;
  }
  const Duration jump = offset - *offset_;
  offset_ = offset;
  if (jump <= threshold_ && jump >= Duration{} - threshold_) return std::nullopt;
  ++steps_;
  return jump;
}

}  // namespace limpet
