#include "deliver/delivery.h"

#include <algorithm>
#include <new>
#include <utility>

#include "base/sort.h"

namespace limpet {
namespace {

constexpr uint32_t kRefusedInARow = 3;        // spec.md section 5,
constexpr uint32_t kFaultyAttempts = 5;       // likewise: then a batch that is answered 5xx is taken apart
constexpr Duration kFaultyFor = Seconds(600); // once it has been so for that long.
constexpr Duration kRoomAgain = Seconds(1);   // For a part or a letter that has no room now.

constexpr size_t kAlignment = alignof(std::max_align_t);
constexpr size_t RoundUp(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

std::span<const DestinationConfig> Of(const Config& config) {
  return std::span(config.destinations).first(config.destination_count);
}

Backoff::Options RetryOf(const Config& config) {
  return {.initial = config.retry.initial,
          .max = config.retry.max,
          .multiplier = config.retry.multiplier,
          .jitter = config.retry.jitter,
          .least = {}};
}

}  // namespace

// Of the memory: the destinations, the decompressor, and room for a batch for each that wants no gzip.

size_t Delivery::BytesNeeded(const Config& config) {
  const auto plain = std::count_if(Of(config).begin(), Of(config).end(), [](const auto& d) { return !d.gzip; });
  return RoundUp(sizeof(Destination) * config.destination_count) + RoundUp(GzipDecompressor::BytesNeeded()) +
         static_cast<size_t>(plain) * RoundUp(config.queue.batch_bytes);
}

Delivery::Delivery(const Config& config, const DeliveryMemory& memory, std::span<Transport* const> transports,
                   BatchQueue& queue, Spooler& spooler, Ledger& ledger, Clock& clock, Random& random, Log& log)
    : config_(config),
      queue_(queue),
      spooler_(spooler),
      ledger_(ledger),
      clock_(clock),
      log_(log),
      destinations_(reinterpret_cast<Destination*>(memory.own.data()), config.destination_count),
      router_(destinations_),
      gunzip_(memory.own.subspan(RoundUp(destinations_.size_bytes()), GzipDecompressor::BytesNeeded())),
      cutter_({.raw = memory.raw, .packed = memory.packed, .gzip = memory.gzip, .gunzip = &gunzip_}) {
  LIMPET_CHECK(transports.size() == config.destination_count && memory.own.size() >= BytesNeeded(config));
  size_t at = RoundUp(destinations_.size_bytes()) + RoundUp(GzipDecompressor::BytesNeeded());
  for (size_t n = 0; n < destinations_.size(); ++n) {
    const DestinationConfig& d = config.destinations[n];
    new (&destinations_[n]) Destination(d, RetryOf(config), *transports[n], clock, random, log, *this);
    if (d.gzip) continue;
    plain_[n].room = {reinterpret_cast<uint8_t*>(memory.own.data()) + at, config.queue.batch_bytes};
    at += RoundUp(config.queue.batch_bytes);
  }
}

Delivery::~Delivery() {
  for (Destination& d : destinations_) d.~Destination();
}

// What goes next

bool Delivery::Waits(Signal signal, Lane lane) const {
  const BatchId id = spooler_.Head(signal, lane);
  return id && !queue_.in_flight(id);
}

/// Where both lanes have something, each gets its share of the requests.
Lane Delivery::NextLane(Signal signal) const {
  if (!Waits(signal, Lane::kLive)) return Lane::kOldest;
  if (!Waits(signal, Lane::kOldest)) return Lane::kLive;
  const uint32_t credit = lines_[Index(signal)].credit + config_.queue.drain_share_percent;
  return credit >= 100 ? Lane::kOldest : Lane::kLive;
}

MonoTime Delivery::OnTime(MonoTime now) {
  answered_ = false;
  MonoTime next = kNever;
  // In turn: first whose last request is longest ago.
  std::array<Signal, kSignalCount> signals = kSignals;
  InsertionSort(std::span<Signal>(signals), [this](Signal a, Signal b) {
    return std::pair(LineOf(a).launched, a) < std::pair(LineOf(b).launched, b);
  });
  for (const Signal signal : signals) next = std::min(next, Serve(signal, now));
  for (Destination& d : destinations_) next = std::min(next, Tend(d, now));
  return next;
}

/// A batch at the head of a lane that was not there before. False: it is there no more.
bool Delivery::Meet(Signal signal, Lane lane, BatchId id) {
  Line& line = LineOf(signal);
  Head& head = line.heads[static_cast<size_t>(lane)];
  const BatchHeader& header = queue_.header(id);
  if (head.Is(header)) return true;
  // When the backlog ends, what was live is the oldest.
  Head& other = line.heads[1 - static_cast<size_t>(lane)];
  if (other.Is(header)) {
    head = std::exchange(other, {});
    return true;
  }
  head = {.known = true, .start = header.start, .sequence = header.sequence, .path = header.path};
  const std::string_view name = spooler_.OpenAttempt(id);
  if (name.empty()) return true;
  // The process before this one sent it there, and never learned what became of it.
  for (Destination& d : destinations_) {
    if (d.name() != name) continue;
    if (d.guarantee() == Guarantee::kExactlyOnce) head.bound = &d;
    if (d.guarantee() != Guarantee::kAtMostOnce) break;
    line.lane = lane;
    line.batch = id;
    line.part = {};
    Lose(line, header);
    return false;
  }
  return true;
}

MonoTime Delivery::Serve(Signal signal, MonoTime now) {
  if (LineOf(signal).to != nullptr) return kNever;
  const Lane lane = NextLane(signal);
  const MonoTime next = ServeLane(signal, lane, now);
  if (LineOf(signal).to != nullptr) return kNever;
  // What one lane waits for need not hold up the other.
  return std::min(next, ServeLane(signal, lane == Lane::kOldest ? Lane::kLive : Lane::kOldest, now));
}

MonoTime Delivery::ServeLane(Signal signal, Lane lane, MonoTime now) {
  Line& line = LineOf(signal);
  if (!Waits(signal, lane)) return kNever;
  const BatchId id = spooler_.Head(signal, lane);
  if (!Meet(signal, lane, id)) return now;
  Head& head = line.heads[static_cast<size_t>(lane)];
  if (head.bisecting) {
    if (Bury(line, lane, id)) return now;
    if (head.bisecting && head.bisection.letter()) return now + kRoomAgain;
  }
  Router::Choice choice = router_.Choose(signal, now);
  if (head.bound != nullptr) choice = {head.bound, head.bound->ReadyAt(signal)};
  if (choice.when > now) return choice.when;
  Destination& to = *choice.destination;
  // What one destination fails on or refuses altogether, another may take: the whole goes there first.
  if (head.bisecting && head.suspect && !head.bisection.anything_accepted() && to.name() != head.refused_by) {
    head.bisecting = false;
  }
  if (!spooler_.Announce(id, lane, to.name(), to.guarantee() != Guarantee::kAtLeastOnce)) return kNever;
  BatchId part;
  if (head.bisecting && head.bisection.path().length > 0) {
    const Result<BatchId> cut = CutPart(id, head.bisection.path());
    if (cut.status().code == Code::kFull && spooler_.usable()) return now + kRoomAgain;
    if (cut.status().code == Code::kFull) {
      DropRest(head, id, DropReason::kOverflow);  // Without a spool there may never be room.
      return now;
    }
    if (!cut.ok()) return BuryUncut(line, lane, id) ? now : now + kRoomAgain;
    part = cut.value();
  }
  Launch(signal, lane, id, part, to);
  // Usually in flight now; a transport without memory has already said no.
  return line.to != nullptr ? kNever : now;
}

void Delivery::Launch(Signal signal, Lane lane, BatchId batch, BatchId part, Destination& to) {
  Line& line = LineOf(signal);
  const bool shared = Waits(signal, Lane::kLive) && Waits(signal, Lane::kOldest);
  if (shared) {
    line.credit += config_.queue.drain_share_percent;
    if (lane == Lane::kOldest) line.credit -= 100;
  }
  const UnixTime wall = clock_.Wall();
  queue_.Launch(batch, wall);
  if (part) queue_.Launch(part, wall);
  const BatchId sent = part ? part : batch;
  line.to = &to;
  line.lane = lane;
  line.batch = batch;
  line.part = part;
  line.payload = BatchQueue::Payload(queue_, sent);
  line.launched = ++requests_;
  router_.Sent(signal, to);

  BatchHeader header = queue_.header(sent);
  const Body* body = &line.payload;
  if (!to.gzip() && header.encoding == Encoding::kGzip) {
    PlainBody& plain = plain_[static_cast<size_t>(&to - destinations_.data())];
    // One that is too large for that, from an earlier configuration, goes as it is.
    if (const auto inflated = cutter_.Inflate(header, line.payload, plain.room); inflated.ok()) {
      plain.bytes = inflated.value().size();
      header.encoding = Encoding::kIdentity;
      body = &plain;
    }
  }
  to.Send(header, spooler_.instance(), *body);
}

/// Outside the line: is a destination that failed there again?
MonoTime Delivery::Tend(Destination& d, MonoTime now) {
  const MonoTime good = d.CloseWhatIsGood(now);
  MonoTime probe = kNever;
  Signal signal = Signal::kMetrics;
  bool elsewhere = false;
  for (const Signal s : kSignals) {
    if (!d.Takes(s) || !router_.SoundElsewhere(d, s)) continue;
    elsewhere = true;
    if (d.ProbeAt(s) >= probe) continue;
    probe = d.ProbeAt(s);
    signal = s;
  }
  if (probe <= now) {
    d.Probe(signal);
    return good;
  }
  if (elsewhere) return std::min(good, probe);
  if (d.KnockAt() <= now) d.Knock();
  return std::min(good, d.KnockAt());
}

// What became of it

bool Delivery::HealthyElsewhere(const Destination& besides, Signal signal) const {
  return router_.HealthyElsewhere(besides, signal, clock_.Monotonic());
}

void Delivery::OnOutcome(Destination& from, const Outcome& outcome) {
  answered_ = true;
  Line& line = LineOf(from.signal());
  LIMPET_CHECK(line.to == &from);
  const BatchHeader sent = Land(line);
  Head& head = line.heads[static_cast<size_t>(line.lane)];
  const bool judged = outcome.verdict == Verdict::kAccepted || outcome.verdict == Verdict::kRefused ||
                      outcome.verdict == Verdict::kTooLarge;
  if (judged) {
    head.bound = nullptr;
    head.faulty = 0;
  }
  // An earlier attempt that may have arrived is not undone by one that has not.
  if (outcome.verdict != Verdict::kUnknown && head.bound == nullptr) spooler_.Retract(sent.signal, line.lane);
  if (head.failing_since == kNever) head.failing_since = clock_.Monotonic();

  switch (outcome.verdict) {
    case Verdict::kAccepted:
      Accepted(line, sent, from, outcome.rejected);
      break;
    case Verdict::kRefused:
      Refused(line, from, Refusal::kFault);
      break;
    case Verdict::kTooLarge:
      Refused(line, from, Refusal::kTooLarge);
      break;
    case Verdict::kFaulty:
      Faulty(line, from);
      break;
    case Verdict::kUnknown:  // D4
      if (from.guarantee() == Guarantee::kAtMostOnce) {
        Lose(line, sent);
        break;
      }
      if (from.guarantee() == Guarantee::kExactlyOnce) head.bound = &from;
      GiveUpOld(line, from);
      break;
    case Verdict::kAgain:
      GiveUpOld(line, from);
      break;
  }
}

/// What was in flight is so no more. Returns what it was.
BatchHeader Delivery::Land(Line& line) {
  line.to = nullptr;
  queue_.Land(line.batch);
  if (!line.part) return queue_.header(line.batch);
  const BatchHeader part = queue_.header(line.part);
  queue_.Land(line.part);
  queue_.Remove(line.part);
  return part;
}

/// What was sent is held no more: the batch, or a part of it.
void Delivery::Leave(Line& line, const BatchHeader& sent) {
  Head& head = line.heads[static_cast<size_t>(line.lane)];
  if (!line.part) {
    spooler_.Settle(line.batch);
    head = {};
    return;
  }
  spooler_.SettlePart(line.batch, sent.items);
  head.bisection.Accepted();
  (void)Bury(line, line.lane, line.batch);
}

void Delivery::Accepted(Line& line, const BatchHeader& sent, Destination& by, uint64_t rejected) {
  // What a destination says cannot break the account: it can reject no more than it was sent.
  rejected = std::min<uint64_t>(rejected, sent.items);
  ledger_.Deliver(sent.signal, sent.items - rejected);
  ledger_.Reject(sent.signal, rejected);
  by.CountDelivered(sent.signal, sent.items - rejected, rejected);
  router_.Accepted(sent.signal, by);
  Leave(line, sent);
}

void Delivery::Refused(Line& line, Destination& by, Refusal refusal) {
  Head& head = line.heads[static_cast<size_t>(line.lane)];
  head.Blame(by);
  if (head.bisecting) {
    head.bisection.Refused(refusal);
  } else {
    head.suspect = by.RefusedInARow(queue_.header(line.batch).signal) + 1 >= kRefusedInARow;  // D3
    head.bisecting = true;
    head.bisection.Begin(queue_.header(line.batch).items,
                         head.suspect ? Bisection::Mode::kSuspect : Bisection::Mode::kRefused, refusal);
  }
  // Settings that refuse all there is are as wrong as a wrong path, and are not tried at full speed.
  if (head.suspect && !head.bisection.anything_accepted()) {
    by.HoldRefused();
  } else {
    by.DropRefused();
  }
  (void)Bury(line, line.lane, line.batch);
}

/// 5xx: the destination's fault, unless it takes other parts of the same batch.
void Delivery::Faulty(Line& line, Destination& by) {
  Head& head = line.heads[static_cast<size_t>(line.lane)];
  const MonoTime now = clock_.Monotonic();
  if (head.faulty++ == 0) head.faulty_since = now;
  head.Blame(by);
  const bool long_enough = head.faulty >= kFaultyAttempts && now - head.faulty_since >= kFaultyFor;
  if (head.bisecting && (head.suspect || long_enough)) {
    head.suspect = true;
    head.bisection.Suspect();
    head.bisection.Refused(Refusal::kFault);
    (void)Bury(line, line.lane, line.batch);
  } else if (!head.bisecting && long_enough && queue_.header(line.batch).items > 1) {
    head.suspect = head.bisecting = true;
    head.bisection.Begin(queue_.header(line.batch).items, Bisection::Mode::kSuspect, Refusal::kFault);
  } else {
    GiveUpOld(line, by);
  }
}

/// It may have arrived, and must not arrive twice.
void Delivery::Lose(Line& line, const BatchHeader& lost) {
  log_.Warn("dropped: it may have arrived, and is not sent twice",
            {{"signal", SignalName(lost.signal)}, {"items", lost.items}, {"sequence", lost.sequence}});
  ledger_.Drop(lost.signal, DropReason::kUnknown, lost.items, lost.first_wall, lost.last_wall);
  spooler_.Retract(lost.signal, line.lane);
  Leave(line, lost);
}

/// retry.max_elapsed.
void Delivery::GiveUpOld(Line& line, const Destination& by) {
  Head& head = line.heads[static_cast<size_t>(line.lane)];
  const Duration most = config_.retry.max_elapsed;
  if (most.ns == 0 || clock_.Monotonic() - head.failing_since < most) return;
  head.Blame(by);
  if (head.bisecting) {
    head.bisection.Refused(Refusal::kFault);
    (void)Bury(line, line.lane, line.batch);
    return;
  }
  if (BuryWhole(head, line.batch)) head = {};
}

// Dead letters

/// Buries what the bisection has to bury, and ends it. Returns whether the batch is done with.
bool Delivery::Bury(Line& line, Lane lane, BatchId id) {
  Head& head = line.heads[static_cast<size_t>(lane)];
  const Signal signal = queue_.header(id).signal;
  while (const std::optional<BisectPath> letter = head.bisection.letter()) {
    const bool whole = letter->length == 0;
    if (!(whole ? BuryWhole(head, id) : BuryPart(head, id, *letter))) return false;
    head.bisection.Buried();
    if (!whole) continue;
    CountRefused(head, signal);
    head = {};
    return true;
  }
  if (!head.bisection.finished()) return false;
  if (head.bisection.nothing()) {
    head.bisecting = false;  // And begins anew, with the whole.
    return false;
  }
  spooler_.Settle(id);
  head = {};
  return true;
}

/// It cannot be taken apart: it is dealt with as a whole.
bool Delivery::BuryUncut(Line& line, Lane lane, BatchId id) {
  Head& head = line.heads[static_cast<size_t>(lane)];
  if (head.suspect && !head.bisection.anything_accepted()) {
    head.bisecting = false;
    return true;
  }
  if (!queue_.whole(id)) {  // It could be cut before.
    DropRest(head, id, DropReason::kDamaged);
    return true;
  }
  const Signal signal = queue_.header(id).signal;
  if (!BuryWhole(head, id)) return false;
  CountRefused(head, signal);
  head = {};
  return true;
}

void Delivery::DropRest(Head& head, BatchId id, DropReason reason) {
  const BatchHeader& header = queue_.header(id);
  log_.Error("what is left of a refused batch is dropped",
             {{"signal", SignalName(header.signal)}, {"items", queue_.left(id)}, {"reason", DropReasonName(reason)}});
  ledger_.Drop(header.signal, reason, queue_.left(id), header.first_wall, header.last_wall);
  spooler_.Settle(id);
  head = {};
}

void Delivery::CountRefused(const Head& head, Signal signal) {
  for (Destination& d : destinations_) {
    if (d.name() == head.refused_by) d.CountRefused(signal);
  }
}

bool Delivery::BuryWhole(const Head& head, BatchId id) {
  const BatchHeader header = queue_.header(id);
  const bool letters = spooler_.has_dead_letters();
  if (letters && !spooler_.Bury(id, head.refused_by, head.answer.text())) return false;
  if (!letters) {
    ledger_.Drop(header.signal, DropReason::kRefused, header.items, header.first_wall, header.last_wall);
    spooler_.Settle(id);
  }
  log_.Error(letters ? "a batch was refused: kept as a dead letter" : "a batch was refused and dropped",
             {{"signal", SignalName(header.signal)},
              {"items", header.items},
              {"sequence", header.sequence},
              {"error", head.answer.text()}});
  return true;
}

bool Delivery::BuryPart(const Head& head, BatchId id, BisectPath path) {
  const BatchHeader header = queue_.header(id);
  const uint32_t items = PartOf(header.items, path).size();
  const bool letters = spooler_.has_dead_letters();
  const Result<PartCutter::Part> part =
      letters ? cutter_.Cut(header, BatchQueue::Payload(queue_, id), path) : Status{Code::kUnsupported, 0, "spool"};
  if (part.ok()) {
    const PartCutter::Part& cut = part.value();
    if (!spooler_.BuryPart(id, cut.header, cut.bytes, head.refused_by, head.answer.text())) return false;
  } else {
    const DropReason reason = letters ? DropReason::kDamaged : DropReason::kRefused;
    ledger_.Drop(header.signal, reason, items, header.first_wall, header.last_wall);
    spooler_.SettlePart(id, items);
  }
  log_.Error(part.ok() ? "items were refused: kept as a dead letter" : "items were refused and dropped",
             {{"signal", SignalName(header.signal)},
              {"items", items},
              {"sequence", header.sequence},
              {"error", head.answer.text()}});
  return true;
}

/// kFull: there is no room for it now. Otherwise it cannot be cut.
Result<BatchId> Delivery::CutPart(BatchId id, BisectPath path) {
  const Result<PartCutter::Part> part =
      cutter_.Cut(queue_.header(id), BatchQueue::Payload(queue_, id), path);
  if (!part.ok()) return Status{Code::kInvalid, 0, part.status().where};
  const PartCutter::Part& cut = part.value();
  // The batch itself does not make room for it.
  const bool pinned = queue_.pinned(id);
  if (!pinned) queue_.Pin(id);
  const bool room = queue_.MakeRoom(cut.bytes.size());
  if (!pinned) LIMPET_CHECK(queue_.Unpin(id));
  if (!room) return Status{Code::kFull, 0, "queue"};
  return queue_.Push(cut.header, {}, cut.bytes, Part::kCut);
}

// All of them

bool Delivery::in_flight() const {
  return std::any_of(lines_.begin(), lines_.end(), [](const Line& line) { return line.to != nullptr; });
}

void Delivery::Abandon() {
  for (const Signal signal : kSignals) {
    Line& line = LineOf(signal);
    if (line.to == nullptr) continue;
    Destination& to = *line.to;
    to.Cancel();
    const BatchHeader sent = Land(line);
    if (to.guarantee() == Guarantee::kAtMostOnce) Lose(line, sent);
  }
  for (Destination& d : destinations_) d.Cancel();  // Probes.
}

SignalSet Delivery::Reachable(MonoTime now, Duration patience, MonoTime& until) const {
  SignalSet reachable = 0;
  until = kNever;
  for (const Signal signal : kSignals) {
    const Line& line = lines_[Index(signal)];
    const Destination* const bound = line.heads[static_cast<size_t>(Lane::kOldest)].bound;
    const MonoTime end = bound != nullptr ? bound->ReachableUntil(signal, patience)
                                          : router_.ReachableUntil(signal, patience);
    if (end <= now) continue;
    reachable = static_cast<SignalSet>(reachable | 1u << Index(signal));
    until = std::min(until, end);
  }
  return reachable;
}

void Delivery::OnNetworkChange() {
  for (Destination& d : destinations_) d.Renew();
}

void Delivery::HurryUp(MonoTime deadline) {
  for (Destination& d : destinations_) {
    if (d.probing()) d.Cancel();
    if (!d.in_flight()) d.HurryUp(deadline);
  }
}

/// As the spool names it: "destination.primary".
static std::string_view SectionName(const Destination& d, TextBuffer<44>& name) {
  name.Clear();
  name << "destination." << d.name();
  return name.text();
}

void Delivery::Resume(const KeptAccount& account) {
  TextBuffer<44> name;
  for (Destination& d : destinations_) {
    const KeptAccount::Section* const kept = account.Find(SectionName(d, name));
    if (kept == nullptr) continue;
    for (const Signal signal : kSignals) {
      d.CountDelivered(signal, kept->counts[2 * Index(signal)], kept->counts[2 * Index(signal) + 1]);
    }
  }
}

void Delivery::WriteCounts(KeptAccount& account) const {
  TextBuffer<44> name;
  for (const Destination& d : destinations_) {
    KeptAccount::Section* const kept = account.At(SectionName(d, name));
    for (const Signal signal : kSignals) {
      kept->counts[2 * Index(signal)] = d.delivered()[Index(signal)];
      kept->counts[2 * Index(signal) + 1] = d.rejected()[Index(signal)];
    }
  }
}

}  // namespace limpet
