// Takes batches from their lines to the destinations, and books what became of them.
//
// Invariants:
//  D1  Per signal and lane batches go out in the order of their line, one at a time: the next begins
//      after the outcome of the one before, wherever it went. A retry is the head of the line again, the
//      same bytes under the same key.
//  D2  An item leaves its batch exactly once, in the event that books it as delivered, rejected, dropped
//      or dead.
//  D3  The third batch of a signal in a row that a destination refuses, and all after it, stay held until
//      it accepts something: wrong settings must not eat the queue.
//  D4  What is not known to have arrived is sent again as the guarantee of its destination has it.
//  D5  Where another destination takes the signal, a failed one is probed without data, unless the batch
//      may go nowhere else (D4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "batch/gzip.h"
#include "config/config.h"
#include "deliver/bisection.h"
#include "deliver/destination.h"
#include "deliver/part_cutter.h"
#include "deliver/router.h"
#include "ledger/ledger.h"
#include "queue/batch_queue.h"
#include "spool/spooler.h"

namespace limpet {

/// Memory out of the plan; all of it outlives the delivery.
struct DeliveryMemory {
  std::span<std::byte> own;        ///< Delivery::BytesNeeded().
  std::span<uint8_t> raw;          ///< Shared: a batch before compression, between two events.
  std::span<uint8_t> packed;       ///< Likewise, the compressor's output.
  GzipCompressor* gzip = nullptr;  ///< nullptr: batches are made without.
};

class Delivery final : private OutcomeHandler {
 public:
  static size_t BytesNeeded(const Config& config);

  /// transports: one for each destination of the configuration.
  Delivery(const Config& config, const DeliveryMemory& memory, std::span<Transport* const> transports,
           BatchQueue& queue, Spooler& spooler, Ledger& ledger, Clock& clock, Random& random, Log& log);
  ~Delivery();
  Delivery(const Delivery&) = delete;
  Delivery& operator=(const Delivery&) = delete;

  /// Begins what it is time for. Returns when it wants to be called next; requests in flight and what is
  /// on its way from flash wait for an event, not for time.
  MonoTime OnTime(MonoTime now);

  bool in_flight() const;
  /// An answer has come since the last OnTime.
  bool answered() const { return answered_; }
  /// Gives up what is in flight, whatever becomes of it: it stays in its line, as perhaps sent, unless
  /// its destination wants nothing twice.
  void Abandon();

  /// The signals that some healthy destination takes; until: when that changes, if nothing succeeds.
  /// Healthy is what has not failed for longer than `patience`: what fails once may pass, what goes on
  /// failing is an outage before the breaker, which counts attempts, says so.
  SignalSet Reachable(MonoTime now, Duration patience, MonoTime& until) const;

  /// Addresses or routes have changed: connections begin anew, and pauses end.
  void OnNetworkChange();
  /// For a graceful stop: forgets pauses (destination.h).
  void HurryUp(MonoTime deadline);

  /// The counts of an earlier process, and what they have become.
  void Resume(const KeptAccount& account);
  void WriteCounts(KeptAccount& account) const;

  std::span<const Destination> destinations() const { return destinations_; }
  const Router& router() const { return router_; }

 private:
  /// What is known of the batch at the head of a lane beyond its header; begins anew with each batch.
  struct Head {
    bool known = false;
    uint64_t start = 0, sequence = 0;
    BisectPath path;
    MonoTime failing_since = kNever, faulty_since = kNever;
    uint32_t faulty = 0;                   // Answers 5xx in a row.
    Destination* bound = nullptr;          // It may have arrived there, and nowhere else may it be sent.
    bool bisecting = false, suspect = false;
    Bisection bisection;
    std::string_view refused_by;
    ShortText<200> answer;                 // Of the last refusal.

    bool Is(const BatchHeader& header) const {
      return known && start == header.start && sequence == header.sequence && path == header.path;
    }
    void Blame(const Destination& by) { refused_by = by.name(), answer = by.last_error(); }
  };
  /// Of a signal: what is in flight, and what came before.
  struct Line {
    Destination* to = nullptr;             // nullptr: nothing is in flight.
    Lane lane = Lane::kOldest;
    BatchId batch, part;                   // The batch, and what of it was sent, if not the whole.
    BatchQueue::Payload payload;
    uint64_t launched = 0;                 // The number of its last request among all.
    uint32_t credit = 0;                   // Of the backlog, in percent of a request.
    std::array<Head, 2> heads;
  };
  /// A body in one piece.
  class PlainBody final : public Body {
   public:
    std::span<uint8_t> room;
    size_t bytes = 0;
    size_t size() const override { return bytes; }
    std::span<const uint8_t> At(size_t offset) const override { return room.subspan(offset, bytes - offset); }
  };

  Line& LineOf(Signal signal) { return lines_[Index(signal)]; }
  bool Waits(Signal signal, Lane lane) const;
  Lane NextLane(Signal signal) const;
  MonoTime Serve(Signal signal, MonoTime now);
  MonoTime ServeLane(Signal signal, Lane lane, MonoTime now);
  bool Meet(Signal signal, Lane lane, BatchId id);
  void Launch(Signal signal, Lane lane, BatchId batch, BatchId part, Destination& to);
  MonoTime Tend(Destination& destination, MonoTime now);

  void OnOutcome(Destination& from, const Outcome& outcome) override;
  bool HealthyElsewhere(const Destination& besides, Signal signal) const override;
  BatchHeader Land(Line& line);
  void Leave(Line& line, const BatchHeader& sent);
  void Accepted(Line& line, const BatchHeader& sent, Destination& by, uint64_t rejected);
  void Refused(Line& line, Destination& by, Refusal refusal);
  void Faulty(Line& line, Destination& by);
  void Lose(Line& line, const BatchHeader& lost);
  void GiveUpOld(Line& line, const Destination& by);

  Result<BatchId> CutPart(BatchId id, BisectPath path);
  bool Bury(Line& line, Lane lane, BatchId id);
  bool BuryPart(const Head& head, BatchId id, BisectPath path);
  bool BuryUncut(Line& line, Lane lane, BatchId id);
  void DropRest(Head& head, BatchId id, DropReason reason);
  void CountRefused(const Head& head, Signal signal);
  bool BuryWhole(const Head& head, BatchId id);

  const Config& config_;
  BatchQueue& queue_;
  Spooler& spooler_;
  Ledger& ledger_;
  Clock& clock_;
  Log& log_;
  const std::span<Destination> destinations_;
  Router router_;
  std::array<PlainBody, kDestinationsMax> plain_;  // Of batches with gzip, for those that want none.
  GzipDecompressor gunzip_;
  PartCutter cutter_;

  std::array<Line, kSignalCount> lines_;
  uint64_t requests_ = 0;
  bool answered_ = false;
};

}  // namespace limpet
