// What the running program shows of itself at one moment: the one source of /status, /metrics,
// /health, the status command and its own metrics. Filled by the agent, rendered here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/histogram.h"
#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/pool.h"
#include "limpet/time.h"

namespace limpet {

/// A histogram with fixed bounds, as counted since start.
struct HistogramView {
  std::span<const double> bounds;     ///< Upper bounds in seconds, ascending.
  std::span<const uint64_t> buckets;  ///< bounds.size() + 1 counts, not cumulative.
  double sum_seconds = 0;
  uint64_t count() const {
    uint64_t n = 0;
    for (const uint64_t b : buckets) n += b;
    return n;
  }
};

template <size_t N>
HistogramView ViewOf(const Histogram<N>& histogram) {
  return {histogram.bounds(), histogram.buckets(), histogram.sum()};
}

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

struct SourceView {
  std::string_view name;        ///< "host", "self", later "log.app", …
  uint64_t cycles = 0;          ///< Collections done.
  uint64_t skipped = 0;         ///< Ticks that passed without one (late, paused).
  uint32_t failed_in_a_row = 0; ///< Collections that produced nothing.
  std::string_view problem;     ///< Empty = none: "memory: /proc/meminfo: not found".
};

struct Snapshot {
  std::string_view version, instance;
  Duration uptime;
  MonoTime mono;
  UnixTime wall;

  struct {
    bool ok = true;                    ///< /health answers 200.
    std::string_view delivery;         ///< "ok", "degraded", "stalled", "idle".
    std::array<std::string_view, 8> reasons;
    size_t reason_count = 0;
    bool ready = false;                ///< /ready: configured, listening, first cycle done.
  } health;

  std::array<Account, kSignalCount> ledger;
  std::array<Held, kSignalCount> held;

  struct {
    uint64_t batches = 0, bytes = 0, capacity_bytes = 0;
    Duration oldest;                   ///< Age of the oldest held item, 0 when none.
  } queue;

  struct {
    std::string_view state = "off";    ///< "calm", "spilling", "draining", "off", "unusable".
    uint64_t batches = 0, bytes = 0, max_bytes = 0, written_bytes = 0;
    Duration slowest_commit;
  } spool;

  std::span<const DestinationView> destinations;
  std::span<const SourceView> sources;

  struct {
    std::string_view state;            ///< "trusted", "unsynchronized", "unset".
    bool skew_known = false;           ///< A destination's Date has been compared.
    Duration skew;                     ///< Destination minus own.
    uint64_t steps = 0;
    bool synchronized = false;
  } clock;

  std::span<const PoolUse> pools;
  HistogramView tick_delay;
};

class SnapshotSource {
 public:
  /// Fills a fresh snapshot; its views live until the program's next turn.
  virtual void Fill(Snapshot& snapshot) = 0;

 protected:
  ~SnapshotSource() = default;
};

}  // namespace limpet
