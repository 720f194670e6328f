// Fills in what a destination takes from elsewhere: URLs from its base URL, pauses from [breaker].
#pragma once

#include "config/config.h"
#include "config/text_arena.h"

namespace limpet {

/// Gives each signal its URL, base and path joined by one slash, and takes out of `signals` those
/// that have none. Makes the URL that people are shown. Keys that were not set get their value from
/// [breaker].
/// kFull: no room in the arena.
Status CompleteDestination(const Config& config, DestinationConfig& destination, TextArena& arena);

/// The signals that some destination takes.
SignalSet TakenSignals(const Config& config);

}  // namespace limpet
