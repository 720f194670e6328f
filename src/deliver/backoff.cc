#include "deliver/backoff.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr uint32_t kStepsMax = 64;  // A multiplier near 1 may never reach the maximum.

}  // namespace

Duration Backoff::Next() {
  const auto max = static_cast<double>(options_.max.ns);
  double pause = static_cast<double>(options_.initial.ns);
  for (uint32_t i = 0; i < step_ && pause < max; ++i) pause *= options_.multiplier;
  if (pause < max && step_ < kStepsMax) ++step_;
  // 53 random bits as a number in [-1, 1).
  const double spread =
      static_cast<double>(random_.Next() >> 11) / static_cast<double>(uint64_t{1} << 52) - 1.0;
  pause = std::min(pause, max) * (1.0 + options_.jitter * spread);
  return std::clamp(Duration{static_cast<int64_t>(pause)}, options_.least, options_.max);
}

}  // namespace limpet
