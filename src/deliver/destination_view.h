// What a destination shows of itself: for status, metrics and health.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/histogram.h"
#include "limpet/batch.h"
#include "limpet/time.h"

namespace limpet {

enum class BreakerState : uint8_t { kClosed = 0, kHalfOpen = 1, kOpen = 2 };
std::string_view BreakerStateName(BreakerState state);  // "closed", "half_open", "open"

struct CodeCount {
  int code = 0;  ///< HTTP status; 0 = no answer.
  uint64_t count = 0;
};

struct DestinationView {
  std::string_view name, url;
  uint32_t priority = 1;
  std::array<bool, kSignalCount> active{};  ///< This signal's traffic goes here now.
  BreakerState breaker = BreakerState::kClosed;
  UnixTime last_success;          ///< 0 = never.
  UnixTime last_error_time;       ///< 0 = never.
  std::string_view last_error;    ///< For people: what happened and, where known, what to fix.
  bool misconfigured = false;     ///< The last answer was of class misconfigured.
  bool in_flight = false;
  Duration next_attempt_in;       ///< 0 = now or in flight.
  std::span<const CodeCount> requests;
  HistogramView duration;
  std::array<uint64_t, kSignalCount> delivered{}, rejected{};
};

}  // namespace limpet
