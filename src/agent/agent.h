// The core in one piece: what collects, batches, queues and delivers, driven by one call a turn.
// It owns no memory and knows no OS: main.cc gives it both, the simulator gives it others.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "agent/health.h"
#include "agent/loss_watch.h"
#include "batch/batcher.h"
#include "batch/log_encoder.h"
#include "clock/reading.h"
#include "clock/step_detector.h"
#include "clock/ticker.h"
#include "collect/host_collector.h"
#include "config/config.h"
#include "deliver/delivery.h"
#include "ledger/ledger.h"
#include "logs/log_sources.h"
#include "limpet/files.h"
#include "limpet/filesystem_probe.h"
#include "limpet/random.h"
#include "batch/metric_encoder.h"
#include "batch/source.h"
#include "queue/batch_queue.h"
#include "receive/otlp_receiver.h"
#include "serve/snapshot.h"
#include "spool/spooler.h"

namespace limpet {

/// The outside world as the core uses it.
struct AgentPorts {
  Clock& clock;
  Files& files;
  Random& random;
  std::span<Transport* const> transports;  ///< One for each destination of the configuration.
  Log& log;
  LogSources* logs = nullptr;              ///< Of [log.*], if there are any.
  Source* extra = nullptr;                 ///< A source besides those of the configuration.
  SpoolParts spool = {};                   ///< Nothing: durability = never.
  FilesystemProbe filesystems = {};        ///< Nothing: their space is not measured.
  TokenCheck* tokens = nullptr;            ///< Of clients of [receive.otlp]; nullptr: they need none.
};

/// What is known of this process and host before the first cycle.
struct AgentIdentity {
  std::string_view version;
  std::string_view instance;               ///< service.instance.id, first part of every key.
  uint64_t start = 0;                      ///< 64 random bits of this process start.
  BootId boot;
  std::span<const uint8_t> resource;       ///< Encoded Resource message.
  uint32_t user_hz = 100;
};

/// Memory out of the plan (memory_plan.h); all of it outlives the agent.
struct AgentMemory {
  /// The open batch of each signal; empty: nothing here writes such.
  std::array<std::span<uint8_t>, kSignalCount> slabs;
  GzipCompressor* gzip = nullptr;          ///< nullptr: batches stay as they are.
  std::span<uint8_t> packed;               ///< Output of gzip.
  std::span<std::byte> queue;
  std::span<std::byte> delivery;           ///< Delivery::BytesNeeded().
  std::span<std::byte> receiver;           ///< OtlpReceiver::BytesNeeded(), where there is one.
  std::span<char> read_buffer;             ///< What one step works on (Holder::kScratch).
};

/// Tells of the pools that the core does not own.
class PoolReporter {
 public:
  virtual std::span<const PoolUse> Report() = 0;

 protected:
  ~PoolReporter() = default;
};

class Agent final : public SnapshotSource, private OpenBatches, private CountKeeper {
 public:
  Agent(const Config& config, const AgentIdentity& identity, const AgentMemory& memory,
        const AgentPorts& ports, PoolReporter& pools);

  /// Takes over what an earlier process left in the spool, before the first turn.
  void Resume(const SpoolOpened& opened, const Status& status);

  /// The same where there is no spool: nothing was left.
  void StartTracks();

  /// Does what is due: a cycle, closing batches, the next request. Returns when it wants to be
  /// called next; events of the transport call for a turn as well.
  MonoTime OnTime(MonoTime now);

  /// The part of a turn that hands batches to their destinations. Before a turn, where an answer has come:
  /// the next batch is on its way while the turn's other work is done.
  MonoTime Deliver(MonoTime now) {
    return stopped_ || (stopping_ && !flushing_) ? kNever : delivery_.OnTime(now);
  }

  /// Begins a graceful stop: no more cycles, what is open is closed, what is in memory is delivered
  /// as long as that works and for half of `shutdown_timeout`, the rest goes to the spool; without one
  /// deliveries go on until `shutdown_timeout` has passed. A second call stops at once.
  void Stop(MonoTime now);
  /// True when the process may end; what could not be kept has been dropped, counted as `shutdown`.
  bool stopped() const { return stopped_; }

  /// Addresses or routes have changed: connections begin anew.
  void OnNetworkChange(MonoTime now);

  /// Of [receive.otlp]; nullptr without it.
  HttpHandler* receiver() { return receiver_ ? &*receiver_ : nullptr; }

  void Fill(Snapshot& snapshot) override;

  /// Invariant L1 for every signal. Simulations ask after every event.
  bool Balances() const;
  Held held(Signal signal) const;
  const Ledger& ledger() const { return ledger_; }
  const BatchQueue& queue() const { return queue_; }
  Spooler& spooler() { return spooler_; }
  const Delivery& delivery() const { return delivery_; }

 private:
  void WatchClock(const ClockReading& reading, bool cycle);
  bool HostDue(MonoTime now);
  void Cycle(const ClockReading& reading, bool host_due, bool self_due);
  void ReportSelf();
  void FillHealth(Snapshot& snapshot);
  void FillSpool(Snapshot& snapshot);
  void FillDestinations(Snapshot& snapshot);
  void TakeOver(const SpoolOpened& opened);
  void TellOfCrash(const Stamp& now);
  MonoTime ReadLogs(const Stamp& now);
  bool WorthFlushing() const;
  bool Reaches() const;
  MonoTime OnStopTime(MonoTime now);
  bool Holding() const;
  Duration OldestAge(MonoTime now);
  void CloseAll(MonoTime now) override;
  bool AnyOpen() const override;
  void WriteCounts(KeptAccount& account) const override;

  const Config& config_;
  const AgentIdentity identity_;
  Clock& clock_;
  Log& log_;
  PoolReporter& pools_;
  const MonoTime started_;

  Ledger ledger_;
  BatchQueue queue_;
  Batcher batcher_;
  Spooler spooler_;
  Delivery delivery_;
  CycleClock cycle_clock_;
  HostCollector host_;
  MetricEncoder encoder_;
  LogEncoder logs_;
  LogSources* const log_sources_;
  Source* const extra_;
  std::optional<OtlpReceiver> receiver_;

  std::optional<Ticker> host_tick_, self_tick_;  // Absent: the source is off.
  bool host_begun_ = false;  // The cycle that is due waits for what other threads measure,
  MonoTime host_latest_;     // until then.
  StepDetector steps_;
  ClockTrust trust_ = ClockTrust::kTrusted;
  bool synchronized_ = false;
  MonoTime next_clock_check_;
  UnixTime boot_wall_, start_wall_;  // Fixed when first sent; 0 until then.

  CollectedView host_use_, self_use_;
  std::array<LoggedView, kLogSourcesMax> log_uses_{};      // As of the last snapshot.
  std::array<SourceView, 3 + kLogSourcesMax> sources_{};  // What of them is on, for a snapshot.
  TextBuffer<256> host_problem_;

  Health health_;
  MonoTime held_since_ = kNever;  // Since when something is held without a break.
  std::array<DestinationView, kDestinationsMax> destination_views_;
  LossWatch losses_;
  bool unclean_ = false;         // An earlier process ended without a stop, and nobody was told yet.
  UnixTime last_commit_before_;  // When it committed last.
  bool stopping_ = false, stopped_ = false, flushing_ = false;
  MonoTime stop_deadline_ = kNever, flush_deadline_ = kNever;
};

}  // namespace limpet
