// Decides when a periodic job runs: at once, then at the multiples of its interval in boot time.
// Ticks are computed from boot time, not from the tick before, so that lateness never adds up.
#pragma once

#include <cstdint>
#include <optional>

#include "base/histogram.h"
#include "limpet/time.h"

namespace limpet {

class Ticker {
 public:
  struct Tick {
    MonoTime due;
    Duration delay;       ///< How late it was taken, >= 0.
    uint64_t missed = 0;  ///< Ticks between it and now that are skipped, never made up for.
  };

  /// The first tick is due at `start`, the others at multiples of `interval` (> 0) since boot.
  Ticker(Duration interval, MonoTime start);

  /// When to call Take next.
  MonoTime due() const { return due_; }

  /// The tick that is due, if any. However late it is called, one tick is handed out and the next
  /// lies after `now`: a suspended device wakes up to one cycle, not to a thousand.
  std::optional<Tick> Take(MonoTime now);

  uint64_t missed() const { return missed_; }
  /// Seconds from due to taken, of each tick handed out.
  const Histogram<10>& delay() const { return delay_; }

 private:
  const Duration interval_;
  MonoTime due_;
  uint64_t missed_ = 0;
  Histogram<10> delay_;
};

}  // namespace limpet
