#include "deliver/delivery.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr uint32_t kRefusedInARow = 3;  // spec.md section 5.

}  // namespace

Delivery::Delivery(const DestinationConfig& config, const Backoff::Options& retry,
                   std::string_view instance, Transport& transport, BatchQueue& queue,
                   Ledger& ledger, Clock& clock, Random& random, Log& log)
    : signals_(config.signals),
      instance_(instance),
      queue_(queue),
      ledger_(ledger),
      clock_(clock),
      log_(log),
      destination_(config, retry, transport, clock, random, log, *this) {}

/// The head of the first line with something in it, from the signal whose turn it is.
BatchId Delivery::Next() {
  for (size_t i = 0; i < kSignalCount; ++i) {
    const size_t index = (turn_ + i) % kSignalCount;
    if ((signals_ >> index & 1) == 0) continue;
    if (const BatchId head = queue_.Head(kSignals[index])) {
      turn_ = index;
      return head;
    }
  }
  return {};
}

MonoTime Delivery::OnTime(MonoTime now) {
  if (in_flight_) return kNever;
  const BatchId next = Next();
  if (!next) return kNever;
  if (!destination_.Ready(now)) return destination_.next_attempt();
  queue_.Launch(next, clock_.Wall());
  in_flight_ = next;
  payload_ = BatchQueue::Payload(queue_, next);
  destination_.Send(queue_.header(next), instance_, payload_);
  // Usually in flight now; a transport without memory has already said no.
  return in_flight_ ? kNever : destination_.next_attempt();
}

void Delivery::OnOutcome(const Outcome& outcome) {
  LIMPET_CHECK(in_flight_);
  const BatchId id = in_flight_;
  in_flight_ = {};
  queue_.Land(id);
  const BatchHeader header = queue_.header(id);
  uint32_t& refused = refused_in_a_row_[Index(header.signal)];

  switch (outcome.verdict) {
    case Verdict::kAccepted: {
      // What a destination says cannot break the account: it can reject no more than it was sent.
      const uint64_t rejected = std::min<uint64_t>(outcome.rejected, header.items);
      ledger_.Deliver(header.signal, header.items - rejected);
      ledger_.Reject(header.signal, rejected);
      destination_.CountDelivered(header.signal, header.items - rejected, rejected);
      if (rejected < header.items) refused = 0;
      queue_.Remove(id);
      break;
    }
    case Verdict::kRefused:
      if (refused + 1 >= kRefusedInARow) {  // D3
        destination_.HoldRefused();
        break;
      }
      ++refused;
      destination_.DropRefused();
      ledger_.Drop(header.signal, DropReason::kRefused, header.items);
      log_.Error("a batch was refused and dropped",
                 {{"signal", SignalName(header.signal)},
                  {"items", header.items},
                  {"sequence", header.sequence},
                  {"error", destination_.View(clock_.Monotonic()).last_error}});
      queue_.Remove(id);
      break;
    case Verdict::kAgain:
      break;
  }
  turn_ = (Index(header.signal) + 1) % kSignalCount;
}

void Delivery::DropAll(DropReason reason) {
  if (in_flight_) {
    destination_.Cancel();
    queue_.Land(in_flight_);
    in_flight_ = {};
  }
  for (const Signal signal : kSignals) {
    const uint64_t items = queue_.items(signal);
    if (items == 0) continue;
    log_.Error("what was held is dropped",
               {{"signal", SignalName(signal)}, {"items", items}, {"reason", DropReasonName(reason)}});
    ledger_.Drop(signal, reason, items);
    while (const BatchId head = queue_.Head(signal)) queue_.Remove(head);
  }
}

}  // namespace limpet
