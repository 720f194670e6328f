// Which destination gets the next batch of a signal.
//
// Traffic flows to the good destinations of the lowest priority, in turn. It stays where it is as long as that
// works, unless one of a lower number is good: a destination that has come back is not, until it has been
// quiet for `failback` (breaker.h). Where none is good or sound, the next batch in line is the probe.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "deliver/destination.h"
#include "limpet/batch.h"
#include "limpet/time.h"

namespace limpet {

class Router {
 public:
  explicit Router(std::span<Destination> destinations) : destinations_(destinations) {}

  struct Choice {
    Destination* destination = nullptr;  ///< None: nobody takes the signal.
    MonoTime when = kNever;              ///< When it may be sent there; kNever: after an event.
  };
  Choice Choose(Signal signal, MonoTime now) const;

  /// Is one of the others good or steady, so that a failure need not be waited out? Or at least sound?
  bool HealthyElsewhere(const Destination& besides, Signal signal, MonoTime now) const;
  bool SoundElsewhere(const Destination& besides, Signal signal) const;

  /// Until when there is one that the signal can count on, if nothing succeeds (destination.h).
  MonoTime ReachableUntil(Signal signal, Duration patience) const;

  /// A batch was sent there, or accepted.
  void Sent(Signal signal, const Destination& to) { last_[Index(signal)] = &to; }
  void Accepted(Signal signal, const Destination& by) { current_[Index(signal)] = &by; }

  /// Does the signal's traffic go there now?
  bool Active(Signal signal, const Destination& destination, MonoTime now) const;

 private:
  struct Level {
    enum Kind : uint8_t {
      kTurns,    ///< Those of one priority take turns.
      kStay,     ///< The last one fails, its breaker is closed yet, and the others are not steady.
      kAnybody,  ///< None is sound: whose pause ends first.
    } kind = kTurns;
    uint32_t priority = 0;
  };
  Level LevelOf(Signal signal, MonoTime now) const;
  bool At(const Level& level, Signal signal, const Destination& destination, MonoTime now) const;

  const std::span<Destination> destinations_;
  std::array<const Destination*, kSignalCount> last_{}, current_{};
};

}  // namespace limpet
