#include "deliver/delivery.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr uint32_t kRefusedInARow = 3;  // spec.md section 5.

}  // namespace

Delivery::Delivery(const DestinationConfig& config, const Backoff::Options& retry,
                   Transport& transport, BatchQueue& queue, Spooler& spooler, Ledger& ledger,
                   Clock& clock, Random& random, Log& log)
    : signals_(config.signals),
      queue_(queue),
      spooler_(spooler),
      ledger_(ledger),
      clock_(clock),
      log_(log),
      destination_(config, retry, transport, clock, random, log, *this) {}

/// The head of the first line with something in it, from the signal whose turn it is.
BatchId Delivery::Next() {
  for (size_t i = 0; i < kSignalCount; ++i) {
    const size_t index = (turn_ + i) % kSignalCount;
    if ((signals_ >> index & 1) == 0) continue;
    if (const BatchId head = spooler_.Head(kSignals[index])) {
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
  destination_.Send(queue_.header(next), spooler_.instance(), payload_);
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
      spooler_.Settle(id);
      break;
    }
    case Verdict::kRefused: {
      const std::string_view error = destination_.View(clock_.Monotonic()).last_error;
      const bool letters = spooler_.has_dead_letters();
      if (refused + 1 >= kRefusedInARow ||  // D3
          (letters && !spooler_.Bury(id, destination_.name(), error))) {
        destination_.HoldRefused();
        break;
      }
      ++refused;
      log_.Error(letters ? "a batch was refused: kept as a dead letter" : "a batch was refused and dropped",
                 {{"signal", SignalName(header.signal)},
                  {"items", header.items},
                  {"sequence", header.sequence},
                  {"error", error}});
      destination_.DropRefused();
      if (!letters) {
        ledger_.Drop(header.signal, DropReason::kRefused, header.items, header.first_wall,
                     header.last_wall);
        spooler_.Settle(id);
      }
      break;
    }
    case Verdict::kAgain:
      break;
  }
  turn_ = (Index(header.signal) + 1) % kSignalCount;
}

void Delivery::Abandon() {
  if (!in_flight_) return;
  destination_.Cancel();
  queue_.Land(in_flight_);
  in_flight_ = {};
}

void Delivery::Resume(const KeptAccount& account) {
  for (size_t i = 0; i < account.destination_count; ++i) {
    const KeptAccount::Destination& kept = account.destinations[i];
    if (kept.name.text() != destination_.name()) continue;
    for (const Signal signal : kSignals) {
      destination_.CountDelivered(signal, kept.delivered[Index(signal)], kept.rejected[Index(signal)]);
    }
  }
}

void Delivery::WriteCounts(KeptAccount& account) const {
  if (account.destination_count == account.destinations.size()) return;
  KeptAccount::Destination& kept = account.destinations[account.destination_count++];
  kept.name = destination_.name();
  kept.delivered = destination_.delivered();
  kept.rejected = destination_.rejected();
}

}  // namespace limpet
