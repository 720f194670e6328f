#include "receive/otlp_receiver.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "clock/reading.h"
#include "otlp/json_parser.h"
#include "otlp/validate.h"

namespace limpet {
namespace {

// Beyond this many bytes, what inflates to more than that many times its size is a bomb.
constexpr size_t kAnyRatioBytes = 64 * kKiB;
constexpr size_t kRatioMax = 256;

constexpr std::string_view kTooLarge = "larger than max_body, or inflates to more than 256 times its size";
constexpr std::string_view kTooLargeItem = "an item is larger than queue.batch_bytes";
constexpr std::string_view kFull = "no room in memory or in the spool";
constexpr std::string_view kTooLargeConverted = "larger than max_body once converted";
constexpr std::string_view kDropped = "something was dropped meanwhile: it may be this";
constexpr std::string_view kSpoolUnusable = "the spool cannot be used: nothing can be kept";

// Of a batch: a request and a row in the spool of its own cost as much as deflating some 10 KiB.
constexpr size_t kPassedOnShare = 4;
// Where what came that long ago still waits, round trips are what is short: few large requests help.
constexpr Duration kPassedOnWait = Milliseconds(100);

Status Inflate(GzipDecompressor& gzip, std::span<const uint8_t> packed, std::span<uint8_t> into,
               std::span<const uint8_t>& raw, size_t& members) {
  const uint64_t most = std::max<uint64_t>(kAnyRatioBytes, uint64_t{packed.size()} * kRatioMax);
  const Result<size_t> size =
      gzip.Decompress(packed, into.first(static_cast<size_t>(std::min<uint64_t>(into.size(), most))), &members);
  if (size.ok()) raw = into.first(size.value());
  return size.status();
}

/// Times that a sender made up are not believed beyond the present.
UnixTime Believed(UnixTime time, UnixTime now) { return time.ns == 0 ? now : std::min(time, now); }

}  // namespace

OtlpReceiver::OtlpReceiver(const OtlpReceiverOptions& options, std::span<std::byte> memory,
                           std::span<uint8_t> scratch, TokenCheck* tokens, Batcher& batcher,
                           Spooler& spooler, const Ledger& ledger, Clock& clock, const ClockTrust& trust,
                           Log& log)
    : options_(options),
      gzip_(memory.first(GzipDecompressor::BytesNeeded())),
      scratch_(scratch.first(options.max_body)),
      part_(scratch.subspan(options.max_body)),
      tokens_(tokens),
      batcher_(batcher),
      spooler_(spooler),
      ledger_(ledger),
      clock_(clock),
      trust_(trust),
      log_(log),
      merger_(options.merged) {
  memory = memory.subspan(GzipDecompressor::BytesNeeded());
  const size_t skip = -reinterpret_cast<uintptr_t>(memory.data()) % alignof(Wait);
  memory = memory.subspan(skip);
  auto* const waits = reinterpret_cast<Wait*>(memory.data());
  const size_t count = memory.size() / sizeof(Wait);
  for (size_t i = 0; i < count; ++i) new (waits + i) Wait;
  waits_ = {std::launder(waits), count};
}

bool OtlpReceiver::OnHead(const HttpRequest& request, HttpResponse& response) {
  return Admits(request, response);
}

/// What can be said before the body has come.
bool OtlpReceiver::Admits(const HttpRequest& request, HttpResponse& response) {
  const std::optional<OtlpForm> form = OtlpFormOf(request.content_type);
  const auto refuse = [&](int status, std::string_view why) {
    Refuse(form.value_or(OtlpForm::kProtobuf), {.status = status, .why = why}, response);
    return false;
  };
  const std::optional<Signal> signal = SignalOfOtlpPath(request.path);
  if (!signal) return refuse(404, "POST /v1/metrics, /v1/logs or /v1/traces");
  if (tokens_ != nullptr && !tokens_->Allows(request.authorization)) return refuse(401, "a bearer token is needed");
  if (request.method != "POST") {
    response.allow = "POST";
    return refuse(405, "POST only");
  }
  if ((options_.signals >> Index(*signal) & 1) == 0) return refuse(404, "no destination takes this signal");
  if (!form) return refuse(415, "Content-Type is neither application/x-protobuf nor application/json");
  const std::string_view coding = request.content_encoding;
  if (!coding.empty() && !IsToken(coding, "gzip") && !IsToken(coding, "identity")) {
    return refuse(415, "Content-Encoding is neither gzip nor identity");
  }
  if (stopping_) return refuse(503, "stopping");
  if (options_.commits_first && !spooler_.usable()) return refuse(503, kSpoolUnusable);
  if (!MakesRoom(*signal)) return refuse(429, kFull);
  return true;
}

/// What is open counts as it is, and less once it is closed.
bool OtlpReceiver::MakesRoom(Signal signal) {
  if (HasRoom(signal, 0)) return true;
  for (const Signal each : kSignals) (void)batcher_.TryClose(each);
  return HasRoom(signal, 0);
}

void OtlpReceiver::Refuse(OtlpForm form, const Taken& taken, HttpResponse& response) {
  if (taken.status == 408 || taken.status == 429 || taken.status == 503) {
    ++use_.full;
    log_.Warn("a sender was asked to come again", {{"status", taken.status}, {"reason", taken.why}});
  } else {
    ++use_.malformed;
    log_.Warn("a request was refused", {{"status", taken.status}, {"reason", taken.why}});
  }
  RefuseExport(form, taken.status, taken.why, response);
}

void OtlpReceiver::OnRefused(const HttpRequest* request, int status, std::string_view reason,
                             HttpResponse& response) {
  const std::optional<OtlpForm> form =
      request == nullptr ? std::nullopt : OtlpFormOf(request->content_type);
  Refuse(form.value_or(OtlpForm::kProtobuf), {.status = status, .why = reason}, response);
}

void OtlpReceiver::OnRequest(const HttpRequest& request, HttpResponse& response) {
  if (!Admits(request, response)) return;
  const Signal signal = *SignalOfOtlpPath(request.path);
  const OtlpForm form = *OtlpFormOf(request.content_type);
  const Taken taken = Take(signal, form, request);
  if (taken.status != 200) return Refuse(form, taken, response);
  ++use_.requests;
  use_.rejected += taken.rejected;
  if (taken.rejected > 0) {
    log_.Warn("items larger than a batch were rejected",
              {{"signal", SignalName(signal)}, {"items", taken.rejected}});
  }
  if (taken.items > 0 && spooler_.CommitsFirst()) {  // O3
    spooler_.HurryCommit();
    return Defer(request, signal, form, taken, kNever, response);
  }
  if (taken.items > 0 && spooler_.Crowded()) {  // O4
    return Defer(request, signal, form, taken, clock_.Monotonic() + kCrowdedWait, response);
  }
  AnswerExport(form, signal, taken.rejected, kTooLargeItem, response);
}

void OtlpReceiver::Defer(const HttpRequest& request, Signal signal, OtlpForm form, const Taken& taken,
                         MonoTime until, HttpResponse& response) {
  waits_[request.slot] = {.waits = true,
                          .signal = signal,
                          .form = form,
                          .rejected = taken.rejected,
                          .sequence = batcher_.sequence(signal) - (batcher_.open_items(signal) == 0 ? 1 : 0),
                          .dropped = ledger_.account(signal).dropped_total(),
                          .until = until};
  response.Defer();
}

bool OtlpReceiver::OnDeferred(size_t slot, HttpResponse& response) {
  Wait& wait = waits_[slot];
  const bool dropped = ledger_.account(wait.signal).dropped_total() != wait.dropped;  // It may be this.
  const bool waits_for_commit = wait.until == kNever;
  const bool closed = batcher_.sequence(wait.signal) > wait.sequence || batcher_.open_items(wait.signal) == 0;
  const bool kept = closed && spooler_.Kept(wait.signal, wait.sequence);
  const bool ready = waits_for_commit ? kept || !spooler_.CommitsFirst()
                                      : !spooler_.Crowded() || wait.until <= clock_.Monotonic();
  if (!ready && !dropped) return false;
  wait.waits = false;
  // The spool may have failed meanwhile. What is in memory is what on_demand promises then.
  if (dropped || (waits_for_commit && !kept && options_.commits_first)) {
    Refuse(wait.form, {.status = 503, .why = dropped ? kDropped : kSpoolUnusable}, response);
    return true;
  }
  AnswerExport(wait.form, wait.signal, wait.rejected, kTooLargeItem, response);
  return true;
}

MonoTime OtlpReceiver::Due(MonoTime now) const {
  MonoTime due = kNever;
  for (const Wait& wait : waits_) {
    if (wait.waits && wait.until > now) due = std::min(due, wait.until);
  }
  return due;
}

OtlpReceiver::Taken OtlpReceiver::Take(Signal signal, OtlpForm form, const HttpRequest& request) {
  std::span<const uint8_t> body = request.body, packed;
  if (IsToken(request.content_encoding, "gzip")) {
    size_t members = 0;
    const Status inflated = Inflate(gzip_, body, scratch_, body, members);
    if (inflated.code == Code::kFull) return {.status = 413, .why = kTooLarge};
    if (!inflated.ok()) return {.status = 400, .why = "damaged gzip"};
    // Not all who inflate look for a second member.
    if (members == 1 && form == OtlpForm::kProtobuf) packed = request.body;
  }
  if (form == OtlpForm::kJson) {
    if (body.data() == scratch_.data()) {  // Out of the way of what it becomes.
      const std::span<uint8_t> end = scratch_.last(body.size());
      std::memmove(end.data(), body.data(), body.size());
      body = end;
    }
    const Result<size_t> size = ConvertOtlpJson(signal, body, scratch_);
    if (size.status().code == Code::kFull) return {.status = 413, .why = kTooLargeConverted};
    if (!size.ok()) return {.status = 400, .why = size.status().where};
    body = scratch_.first(size.value());
  }
  const Result<ItemSummary> facts = ValidateExportRequest(signal, body);
  if (!facts.ok()) return {.status = 400, .why = facts.status().where};
  if (facts.value().items == 0) return {};
  const Taken taken = Append(signal, body, packed, facts.value());
  // Coming again would not help.
  if (taken.status == 429 && !CanEverHold(signal, body, facts.value())) {
    return {.status = 413, .why = "larger than the queue"};
  }
  return taken;
}

/// Would an empty queue hold all of it? Where that is not certain it is made into batches, to be sure.
bool OtlpReceiver::CanEverHold(Signal signal, std::span<const uint8_t> request, const ItemSummary& facts) {
  const size_t most = spooler_.most_bytes();
  if (request.size() <= most / 2 || !batcher_.TryClose(signal)) return true;
  RequestSplitter parts(signal, request, facts.items, batcher_.capacity(signal).bytes - merger_.growth());
  size_t bytes = 0;
  for (bool done = false; !done && bytes <= most;) {
    done = AppendPart(signal, parts).done;
    const size_t open = batcher_.writer(signal).size();  // What the last part stays.
    const size_t closed = batcher_.Discard(signal);
    bytes += done ? open : closed;
  }
  return bytes <= most;
}

/// Is it better sent as it came than deflated anew together with others?
bool OtlpReceiver::PassesOn(Signal signal, std::span<const uint8_t> request, std::span<const uint8_t> packed,
                            const ItemSummary& facts, MonoTime now) const {
  const Batcher::Room all = batcher_.capacity(signal);
  const size_t least = all.bytes / kPassedOnShare;
  const size_t open = all.bytes - batcher_.room(signal).bytes;  // What it would close.
  return !packed.empty() && batcher_.packs() && !merger_.adds() &&
         request.size() >= least && packed.size() <= request.size() / 2 &&
         request.size() <= all.bytes && facts.items <= all.items && (open == 0 || open >= least) &&
         now - batcher_.oldest_queued(signal, now) < kPassedOnWait && !spooler_.Spills();
}

OtlpReceiver::Taken OtlpReceiver::Append(Signal signal, std::span<const uint8_t> request,
                                         std::span<const uint8_t> packed, const ItemSummary& facts) {
  const ClockReading reading = ReadClocks(clock_);
  const Arrival arrival{.stamp = {.wall = reading.wall, .mono = reading.mono, .trust = trust_},
                        .first = Believed(facts.first, reading.wall)};
  const size_t batch_bytes = batcher_.capacity(signal).bytes;
  if (!HasRoom(signal, std::min(request.size(), batch_bytes))) return {.status = 429, .why = kFull};
  if (PassesOn(signal, request, packed, facts, reading.mono)) {
    if (!batcher_.TryQueue(signal, packed, request.size(), facts.items, arrival.stamp, arrival.first)) {
      return {.status = 429, .why = kFull};
    }
    use_.items += facts.items;
    return {.items = facts.items};
  }
  RequestSplitter parts(signal, request, facts.items, batch_bytes - merger_.growth());
  const Batcher::Room room = batcher_.room(signal);
  if (request.size() + merger_.growth() > room.bytes || facts.items > room.items) {
    return AppendParts(signal, parts, arrival);
  }
  const size_t before = batcher_.writer(signal).size();
  RequestSplitter whole = parts;
  const SplitStep step = AppendPart(signal, whole);
  if (!step.done) {  // With more than one resource that grows.
    batcher_.writer(signal).Rewind(before);
    return AppendParts(signal, parts, arrival);
  }
  batcher_.Added(signal, step.items, arrival.stamp, arrival.first);
  use_.items += step.items;
  return {.items = step.items};
}

/// Begins a batch of its own, so that all of the request can be taken back (O1).
OtlpReceiver::Taken OtlpReceiver::AppendParts(Signal signal, RequestSplitter& parts, const Arrival& arrival) {
  if (!batcher_.TryClose(signal)) return {.status = 429, .why = kFull};
  const uint64_t begin = batcher_.sequence(signal);
  uint64_t items = 0, rejected = 0;
  for (;;) {
    const SplitStep step = AppendPart(signal, parts);
    if (step.items > 0) batcher_.Added(signal, step.items, arrival.stamp, arrival.first);
    items += step.items;
    rejected += step.rejected;
    if ((step.done || batcher_.TryClose(signal)) && HasRoom(signal, 0)) {
      if (step.done) break;
      continue;
    }
    batcher_.Withdraw(signal, begin);
    return {.status = 429, .why = kFull};
  }
  use_.items += items;
  return {.items = items, .rejected = rejected};
}

/// As much as the open batch takes. The splitter does not know by how much resources grow: what it
/// appends for one has always room, of several those that have.
SplitStep OtlpReceiver::AppendPart(Signal signal, RequestSplitter& parts) {
  WireWriter& out = batcher_.writer(signal);
  const Batcher::Room room = batcher_.room(signal);
  if (!merger_.adds()) return parts.Next(&out, room.bytes, room.items);
  size_t bytes = room.bytes - std::min(room.bytes, merger_.growth());
  for (;;) {
    RequestSplitter ahead = parts;
    WireWriter part(part_);
    const SplitStep step = ahead.Next(&part, bytes, room.items);
    const size_t begin = out.size();
    bytes = merger_.Append(part.bytes(), out, room.bytes);
    if (bytes == part.size()) {
      parts = ahead;
      return step;
    }
    out.Rewind(begin);
  }
}

}  // namespace limpet
