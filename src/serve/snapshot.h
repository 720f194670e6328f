// What the running program shows of itself at one moment: the one source of /status, /metrics,
// /health, the status command and its own metrics. Filled by the agent, rendered here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/histogram.h"
#include "deliver/destination_view.h"
#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/pool.h"
#include "limpet/time.h"
#include "logs/logged_view.h"

namespace limpet {

/// Of what is collected at an interval.
struct CollectedView {
  uint64_t cycles = 0;          ///< Collections done.
  uint64_t skipped = 0;         ///< Ticks that passed without one (late, paused).
  uint32_t failed_in_a_row = 0; ///< Collections that produced nothing.
};

/// What a receiver has had.
struct ReceivedView {
  uint64_t requests = 0;   ///< Taken.
  uint64_t items = 0;      ///< Taken.
  uint64_t rejected = 0;   ///< Items, each larger than a batch, in requests that were taken.
  uint64_t malformed = 0;  ///< Requests that no repeat makes better, and what is none.
  uint64_t full = 0;       ///< Requests, or connections, that found no room or took too long, and may
                           ///< come again.
};

/// A source and one of three views.
struct SourceView {
  std::string_view name;     ///< "host", "self", "receive.otlp", "log.app".
  std::string_view problem;  ///< Empty = none: "memory: /proc/meminfo: not found".
  const CollectedView* collected = nullptr;
  const ReceivedView* received = nullptr;
  const LoggedView* logged = nullptr;
};

/// One count of a source, as /status and the status command name it.
struct SourceCount {
  enum class Shown : uint8_t { kAlways, kWhenAny, kAsDoubt };  ///< To people; /status always has it.
  std::string_view key;
  std::string_view one, many;  ///< "cycle", "cycles".
  uint64_t value = 0;
  Shown shown = Shown::kAlways;
};
struct SourceCounts {
  std::array<SourceCount, 8> counts;
  size_t size = 0;
};
SourceCounts CountsOf(const SourceView& source);

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
    std::string_view problem;          ///< Why unusable, or why it cannot keep all; empty = none.
    uint64_t batches = 0, bytes = 0, max_bytes = 0, written_bytes = 0;
    uint64_t syncs = 0;
    uint64_t damaged = 0;              ///< Records and files set aside.
    Duration oldest;                   ///< Age of its oldest batch, 0 when none.
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
