// Pauses that grow: between attempts, and while a destination is given a rest.
#pragma once

#include <cstdint>

#include "limpet/random.h"
#include "limpet/time.h"

namespace limpet {

/// initial, initial·multiplier, … up to max, each spread by ±jitter (0…1), never below `least`.
class Backoff {
 public:
  struct Options {
    Duration initial, max;
    double multiplier = 2;
    double jitter = 0.5;
    Duration least;  ///< The floor that jitter does not go below.
  };
  Backoff(const Options& options, Random& random) : options_(options), random_(random) {}

  /// The next pause: around a middle that grows each time, until max.
  Duration Next();
  /// Begins anew, `step` steps further on than at first.
  void Reset(uint32_t step = 0) { step_ = step; }

  /// The longest pause there can be.
  Duration longest() const { return options_.max; }

 private:
  Options options_;
  Random& random_;
  uint32_t step_ = 0;
};

}  // namespace limpet
