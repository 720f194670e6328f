#include "config/destination.h"

#include <algorithm>
#include <span>

#include "base/text.h"
#include "config/endpoint.h"

namespace limpet {

Status CompleteDestination(const Config& config, DestinationConfig& destination,
                           TextArena& arena) {
  std::string_view base = destination.url;
  while (base.ends_with('/')) base.remove_suffix(1);
  for (const Signal signal : kSignals) {
    std::string_view& url = destination.signal_url[Index(signal)];
    const auto bit = static_cast<SignalSet>(1u << Index(signal));
    if ((destination.signals & bit) == 0 || !url.empty()) continue;
    if (base.empty()) {
      destination.signals = static_cast<SignalSet>(destination.signals & ~bit);
      continue;
    }
    TextWriter text(arena.room());
    text << base << "/v1/" << SignalName(signal);
    if (text.overflowed()) return {Code::kFull, 0, "destination url"};
    url = arena.Keep(text.size());
  }
  const auto& urls = destination.signal_url;
  const auto first = std::find_if(urls.begin(), urls.end(), [](auto url) { return !url.empty(); });
  TextWriter shown(arena.room());
  WriteMaskedUrl(shown, base.empty() && first != urls.end() ? *first : base);
  if (shown.overflowed()) return {Code::kFull, 0, "destination url"};
  destination.shown_url = arena.Keep(shown.size());
  if (destination.breaker_failures == 0) destination.breaker_failures = config.breaker.failures;
  if (destination.breaker_open.ns == 0) destination.breaker_open = config.breaker.open;
  if (destination.breaker_open_max.ns == 0) {
    destination.breaker_open_max = config.breaker.open_max;
  }
  if (destination.breaker_failback.ns == 0) {
    destination.breaker_failback = config.breaker.failback;
  }
  return {};
}

SignalSet TakenSignals(const Config& config) {
  SignalSet taken = 0;
  for (const DestinationConfig& destination : std::span(config.destinations).first(config.destination_count)) {
    taken = static_cast<SignalSet>(taken | destination.signals);
  }
  return taken;
}

}  // namespace limpet
