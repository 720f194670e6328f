#include "deliver/router.h"

#include <algorithm>

namespace limpet {

Router::Level Router::LevelOf(Signal signal, MonoTime now) const {
  uint32_t good = UINT32_MAX, steady = UINT32_MAX, sound = UINT32_MAX;
  for (const Destination& d : destinations_) {
    if (!d.Takes(signal) || !d.Sound(signal)) continue;
    sound = std::min(sound, d.priority());
    if (d.Steady(signal)) steady = std::min(steady, d.priority());
    if (d.Good(signal, now)) good = std::min(good, d.priority());
  }
  const Destination* const current = current_[Index(signal)];
  if (current != nullptr && current->Sound(signal)) return {Level::kTurns, std::min(good, current->priority())};
  if (good != UINT32_MAX) return {Level::kTurns, good};
  if (steady != UINT32_MAX) return {Level::kTurns, steady};
  const bool stay = sound != UINT32_MAX && current != nullptr && current->Closed(signal);
  if (stay) return {Level::kStay, current->priority()};
  return {sound == UINT32_MAX ? Level::kAnybody : Level::kTurns, sound};
}

/// Is it one of those that take turns at that level?
bool Router::At(const Level& level, Signal signal, const Destination& destination, MonoTime now) const {
  if (!destination.Takes(signal)) return false;
  if (level.kind == Level::kAnybody) return true;
  if (level.kind == Level::kStay) return &destination == current_[Index(signal)];
  if (destination.priority() != level.priority || !destination.Sound(signal)) return false;
  if (destination.Good(signal, now) || &destination == current_[Index(signal)]) return true;
  return std::none_of(destinations_.begin(), destinations_.end(), [&](const Destination& d) {
    const bool better = d.Good(signal, now) || &d == current_[Index(signal)];
    return d.Takes(signal) && d.priority() == level.priority && d.Sound(signal) && better;
  });
}

Router::Choice Router::Choose(Signal signal, MonoTime now) const {
  const Level level = LevelOf(signal, now);
  const Destination* const last = last_[Index(signal)];
  const size_t count = destinations_.size();
  const size_t begin = last == nullptr ? 0 : static_cast<size_t>(last - destinations_.data()) + 1;
  Choice choice;
  for (size_t i = 0; i < count; ++i) {
    Destination& d = destinations_[(begin + i) % count];
    if (!At(level, signal, d, now)) continue;
    const MonoTime ready = std::max(d.ReadyAt(signal), now);
    // Of several that are ready: in turn, in want of all the one that comes first.
    const bool sooner = choice.destination == nullptr || ready < choice.when;
    const bool rather = level.kind == Level::kAnybody && choice.destination != nullptr && ready == choice.when &&
                        d.priority() < choice.destination->priority();
    if (sooner || rather) choice = {&d, ready};
  }
  return choice;
}

bool Router::HealthyElsewhere(const Destination& besides, Signal signal, MonoTime now) const {
  return std::any_of(destinations_.begin(), destinations_.end(), [&](const Destination& d) {
    return &d != &besides && d.Takes(signal) && (d.Good(signal, now) || d.Steady(signal));
  });
}

bool Router::SoundElsewhere(const Destination& besides, Signal signal) const {
  return std::any_of(destinations_.begin(), destinations_.end(), [&](const Destination& d) {
    return &d != &besides && d.Takes(signal) && d.Sound(signal);
  });
}

MonoTime Router::ReachableUntil(Signal signal, Duration patience) const {
  MonoTime until{};
  for (const Destination& d : destinations_) {
    if (d.Takes(signal)) until = std::max(until, d.ReachableUntil(signal, patience));
  }
  return until;
}

bool Router::Active(Signal signal, const Destination& destination, MonoTime now) const {
  const Level level = LevelOf(signal, now);
  // While none is sound: the one that it went to last.
  if (level.kind == Level::kAnybody) return &destination == current_[Index(signal)];
  return At(level, signal, destination, now);
}

}  // namespace limpet
