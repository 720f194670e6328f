#include "clock/reading.h"

namespace limpet {

ClockReading ReadClocks(Clock& clock) {
  ClockReading best;
  Duration best_took{INT64_MAX};
  for (int attempt = 0; attempt < 3 && best_took > kReadingMax; ++attempt) {
    const MonoTime before = clock.Monotonic();
    const UnixTime wall = clock.Wall();
    const Duration took = clock.Monotonic() - before;
    if (took < best_took) {
      best = {before + took / 2, wall};
      best_took = took;
    }
  }
  return best;
}

}  // namespace limpet
