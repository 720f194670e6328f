// Takes batches from their lines, one at a time, signals in turn, to the destination, and books what
// became of them.
//
// Invariants:
//  D1  Per signal batches go out in the order of their line; a retry is the head of the line again,
//      the same bytes under the same key.
//  D2  A batch leaves the queue exactly once, in the event that books its items as delivered,
//      rejected or dropped.
//  D3  The third refused batch of a signal in a row, and all after it, stay held until one is
//      accepted: wrong settings must not eat the queue.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "deliver/destination.h"
#include "ledger/ledger.h"
#include "queue/batch_queue.h"
#include "spool/spooler.h"

namespace limpet {

class Delivery final : public CountKeeper, private OutcomeHandler {
 public:
  Delivery(const DestinationConfig& config, const Backoff::Options& retry,
           Transport& transport, BatchQueue& queue, Spooler& spooler, Ledger& ledger, Clock& clock,
           Random& random, Log& log);

  /// Begins the next attempt when it is time. Returns when it wants to be called next; an empty
  /// queue and a request in flight wait for an event, not for time.
  MonoTime OnTime(MonoTime now);

  bool in_flight() const { return bool(in_flight_); }
  /// Gives up what is in flight, whatever becomes of it: it stays in its line, as perhaps sent.
  void Abandon();

  /// Some destination takes what it is sent, as far as is known.
  bool reachable() const { return destination_.breaker() == BreakerState::kClosed; }

  /// From when on no destination is healthy, if nothing changes: at once where none is reachable, else
  /// when each has failed for that long. What fails once may pass; what goes on failing is an outage
  /// before the breaker, which counts attempts, says so.
  MonoTime UnhealthyAt(Duration patience) const {
    if (!reachable()) return MonoTime{};
    const MonoTime since = destination_.failing_since();
    return since == kNever ? kNever : since + patience;
  }

  /// The counts of an earlier process, and what they have become.
  void Resume(const KeptAccount& account);
  void WriteCounts(KeptAccount& account) const override;

  Destination& destination() { return destination_; }
  const Destination& destination() const { return destination_; }

 private:
  void OnOutcome(const Outcome& outcome) override;
  BatchId Next();

  const SignalSet signals_;
  BatchQueue& queue_;
  Spooler& spooler_;
  Ledger& ledger_;
  Clock& clock_;
  Log& log_;
  Destination destination_;

  BatchId in_flight_;
  BatchQueue::Payload payload_;
  size_t turn_ = 0;  // Index of the signal whose turn it is.
  std::array<uint32_t, kSignalCount> refused_in_a_row_{};
};

}  // namespace limpet
