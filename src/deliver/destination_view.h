// What a destination shows of itself: for status, metrics and health.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/histogram.h"
#include "deliver/breaker.h"
#include "limpet/batch.h"
#include "limpet/time.h"

namespace limpet {

struct CodeCount {
  int code = 0;  ///< HTTP status; 0 = no answer.
  uint64_t count = 0;
};

/// Why a breaker changed its state.
enum class BreakerReason : uint8_t {
  kConnection,     ///< No connection, or it was lost.
  kTimeout,
  kStatus,         ///< 429, 502, 503, 504.
  kMisconfigured,
  kFaulty,
  kRefused,        ///< Three batches in a row without one accepted item.
  kProbe,          ///< A probe, or the first attempt after the pause.
  kQuiet,          ///< Half open for `failback` without a failure.
  kAccepted,
};
inline constexpr size_t kBreakerReasonCount = 9;
std::string_view BreakerReasonName(BreakerReason reason);  // "connection", …

struct TransitionCount {
  BreakerState to = BreakerState::kClosed;
  BreakerReason reason = BreakerReason::kConnection;
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
  bool misconfigured = false;     ///< The last answer for some signal was of that class.
  bool in_flight = false;
  Duration next_attempt_in;       ///< 0 = now or in flight.
  Duration quiet_left;            ///< It works again: until it counts as healthy, if nothing fails.
  std::span<const CodeCount> requests;
  std::span<const TransitionCount> transitions;
  HistogramView duration;
  std::array<uint64_t, kSignalCount> delivered{}, rejected{};
};

}  // namespace limpet
