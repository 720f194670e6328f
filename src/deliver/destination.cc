#include "deliver/destination.h"

#include <algorithm>

#include "deliver/http_date.h"
#include "deliver/idempotency_key.h"
#include "otlp/answer_body.h"

namespace limpet {
namespace {

constexpr Duration kRetryAfterMax = Seconds(3600);  // A longer wish is tried again after an hour.
constexpr Duration kKnock = Seconds(5);             // spec.md section 5, jittered.
constexpr int kTooLargeStatus = 413;

// Upper bounds in seconds: loopback to a satellite link.
constexpr std::array<double, 10> kDurationBounds = {0.005, 0.02, 0.05, 0.1, 0.25,
                                                    0.5,   1,    2.5,  10,  60};

class NoBody final : public Body {
 public:
  size_t size() const override { return 0; }
  std::span<const uint8_t> At(size_t) const override { return {}; }
};
constexpr NoBody kNoBody;

Breaker::Options OptionsOf(const DestinationConfig& config, const Backoff::Options& retry, uint32_t failures) {
  return {.failures = failures,
          .failback = config.breaker_failback,
          .retry = retry,
          .open = {.initial = config.breaker_open,
                   .max = config.breaker_open_max,
                   .multiplier = 2,
                   .jitter = retry.jitter,
                   .least = config.breaker_open}};
}

BreakerReason ReasonOf(const Answer& answer, AnswerClass answer_class) {
  if (answer.timed_out) return BreakerReason::kTimeout;
  if (answer.sent != Sent::kAnswered) return BreakerReason::kConnection;
  if (answer_class == AnswerClass::kMisconfigured) return BreakerReason::kMisconfigured;
  return answer_class == AnswerClass::kFaulty ? BreakerReason::kFaulty : BreakerReason::kStatus;
}

}  // namespace

Destination::Destination(const DestinationConfig& config, const Backoff::Options& retry,
                         Transport& transport, Clock& clock, Random& random, Log& log,
                         OutcomeHandler& handler)
    : config_(config),
      transport_(transport),
      clock_(clock),
      random_(random),
      log_(log),
      handler_(handler),
      options_(OptionsOf(config, retry, config.breaker_failures)),
      hold_options_(OptionsOf(config, retry, 1)),
      breaker_(options_, random),
      holds_{Breaker(hold_options_, random), Breaker(hold_options_, random), Breaker(hold_options_, random)},
      duration_(kDurationBounds) {}

MonoTime Destination::ReachableUntil(Signal signal, Duration patience) const {
  MonoTime until = kNever;
  for (const Breaker* const breaker : {&breaker_, &Hold(signal)}) {
    // Half open and not sound: an attempt is on its way, of which nothing is known yet.
    if (!breaker->sound() && breaker->state() != BreakerState::kClosed) return MonoTime{};
    const MonoTime since = breaker->failing_since();
    if (since != kNever) until = std::min(until, since + patience);
  }
  return until;
}

MonoTime Destination::ReadyAt(Signal signal) const {
  return in_flight() ? kNever : std::max(breaker_.next_data(), Hold(signal).next_data());
}

void Destination::Send(const BatchHeader& header, std::string_view instance, const Body& body) {
  signal_ = header.signal;
  key_.Clear();
  WriteIdempotencyKey(key_, instance, header);
  LIMPET_CHECK(!key_.overflowed());
  Start({.signal = header.signal,
         .encoding = header.encoding,
         .idempotency_key = key_.text(),
         .body = &body},
        Flight::kData);
}

void Destination::Probe(Signal signal) {
  signal_ = signal;
  Start({.signal = signal_, .encoding = Encoding::kIdentity, .idempotency_key = {}, .body = &kNoBody},
        Flight::kProbe);
}

void Destination::Start(const Request& request, Flight flight) {
  LIMPET_CHECK(flight_ == Flight::kNone && Takes(request.signal));
  if (knocking_) transport_.StopKnocking();
  knocking_ = false;
  flight_ = flight;
  Turn(breaker_, BreakerReason::kProbe, [](Breaker& b) { b.Try(); });
  Turn(holds_[Index(signal_)], BreakerReason::kProbe, [](Breaker& b) { b.Try(); });
  const Status started = transport_.Send(request, *this);
  if (started.ok()) return;
  // No memory for it: an attempt that certainly did not leave this host.
  OnAnswer(Answer{.sent = Sent::kNotSent, .error = started.where});
}

void Destination::OnAnswer(const Answer& answer) {
  const MonoTime now = clock_.Monotonic();
  const bool probe = flight_ == Flight::kProbe;
  flight_ = Flight::kNone;
  const bool answered = answer.sent == Sent::kAnswered;
  CountCode(answered ? answer.status : 0);
  if (answered) {
    last_answer_ = now;
    duration_.Add(ToSeconds(answer.round_trip));
  }
  const AnswerClass answer_class = Classify(answer);
  const AnswerBody body =
      ParseAnswerBody(answer.body, signal_, answer_class == AnswerClass::kAccepted);
  // After a refusal the owner says which it is.
  if (answer_class != AnswerClass::kRefused) {
    misconfigured_[Index(signal_)] = answer_class == AnswerClass::kMisconfigured;
  }

  Outcome outcome;
  switch (answer_class) {
    case AnswerClass::kAccepted:
      if (body.rejected > 0 || !body.message.empty()) {
        log_.Warn(body.rejected > 0 ? "the destination rejected items" : "the destination warns",
                  {{"destination", config_.name},
                   {"signal", SignalName(signal_)},
                   {"rejected", body.rejected},
                   {"message", body.message}});
      }
      Succeeded(now, probe);
      outcome = {.verdict = Verdict::kAccepted, .rejected = body.rejected};
      break;
    case AnswerClass::kRefused:
      // It answers and judges. An empty export that is refused proves as much.
      if (probe) Succeeded(now, probe);
      if (!probe) Describe(answer, answer_class, body.message);
      outcome = {.verdict = answer.status == kTooLargeStatus ? Verdict::kTooLarge : Verdict::kRefused};
      break;
    case AnswerClass::kRetryable:
    case AnswerClass::kMisconfigured:
    case AnswerClass::kFaulty:
      Describe(answer, answer_class, body.message);
      Failed(now, answer, answer_class, probe);
      if (answer.sent == Sent::kUnknown) outcome.verdict = Verdict::kUnknown;
      if (answer_class == AnswerClass::kFaulty) outcome.verdict = Verdict::kFaulty;
      break;
  }
  if (!probe) handler_.OnOutcome(*this, outcome);
}

void Destination::Failed(MonoTime now, const Answer& answer, AnswerClass answer_class, bool probe) {
  const Duration retry_after =
      ParseRetryAfter(answer.retry_after, answer.date, clock_.Wall(), kRetryAfterMax).value_or(Duration{});
  if (failed_attempts_++ == 0) {
    failing_since_ = now;
    log_.Warn("delivery fails",
              {{"destination", config_.name}, {"error", last_error_.text()},
               {"class", AnswerClassName(answer_class)}});
  }
  const BreakerReason reason = ReasonOf(answer, answer_class);
  if (answer_class == AnswerClass::kRetryable) {
    if (breaker_.state() == BreakerState::kClosed) {
      SetKnock(now);
      knocked_ = false;
    }
    const bool at_once = probe || handler_.HealthyElsewhere(*this, signal_);
    Turn(breaker_, reason, [&](Breaker& b) { b.Fail(now, retry_after, at_once); });
    return;
  }
  // The connection is not what is wrong.
  if (breaker_.wants_probe()) Turn(breaker_, BreakerReason::kProbe, [&](Breaker& b) { b.ProbeSucceeded(now); });
  Turn(holds_[Index(signal_)], reason, [&](Breaker& b) { b.Fail(now, retry_after, true); });
}

void Destination::Succeeded(MonoTime now, bool probe) {
  for (Breaker* const breaker : {&breaker_, &holds_[Index(signal_)]}) {
    if (probe) {
      if (breaker->wants_probe()) breaker->ProbeSucceeded(now);
    } else {
      Turn(*breaker, BreakerReason::kAccepted, [&](Breaker& b) { b.Accept(now); });
    }
  }
  if (probe) return;
  last_accepted_ = now;
  last_success_ = clock_.Wall();
  TellOfRecovery(now);
}

void Destination::TellOfRecovery(MonoTime now) {
  if (failed_attempts_ == 0 || failing()) return;
  log_.Info("delivery works again",
            {{"destination", config_.name}, {"failed_attempts", failed_attempts_},
             {"seconds", (now - failing_since_).ns / 1'000'000'000}});
  failed_attempts_ = 0;
}

void Destination::DropRefused() {
  misconfigured_[Index(signal_)] = false;
  const MonoTime now = clock_.Monotonic();
  Turn(breaker_, BreakerReason::kAccepted, [&](Breaker& b) { b.Accept(now); });
  Turn(holds_[Index(signal_)], BreakerReason::kAccepted, [&](Breaker& b) { b.Accept(now); });
  TellOfRecovery(now);
}

void Destination::HoldRefused() {
  const MonoTime now = clock_.Monotonic();
  if (failed_attempts_++ == 0) failing_since_ = now;
  if (!misconfigured_[Index(signal_)]) {
    log_.Error("the destination refuses everything: held until it is set right",
               {{"destination", config_.name}, {"error", last_error_.text()}});
  }
  misconfigured_[Index(signal_)] = true;
  Turn(holds_[Index(signal_)], BreakerReason::kRefused, [&](Breaker& b) { b.Fail(now, {}, true); });
}

void Destination::Cancel() {
  if (in_flight()) transport_.Cancel();
  if (knocking_) transport_.StopKnocking();
  knocking_ = false;
  flight_ = Flight::kNone;
}

MonoTime Destination::ProbeAt(Signal signal) const {
  if (in_flight()) return kNever;
  MonoTime at{};
  bool wanted = false;
  for (const Breaker* const breaker : {&breaker_, &Hold(signal)}) {
    if (!breaker->wants_probe()) continue;
    wanted = true;
    at = std::max(at, breaker->next());
  }
  return wanted ? at : kNever;
}

MonoTime Destination::CloseWhatIsGood(MonoTime now) {
  MonoTime next = kNever;
  const auto look = [&](Breaker& breaker) {
    Turn(breaker, BreakerReason::kQuiet, [&](Breaker& b) { b.CloseIfGood(now); });
    if (breaker.state() == BreakerState::kHalfOpen && breaker.sound()) next = std::min(next, breaker.good_at());
  };
  look(breaker_);
  std::for_each(holds_.begin(), holds_.end(), look);
  return next;
}

MonoTime Destination::KnockAt() const {
  const bool wanted = breaker_.state() == BreakerState::kOpen && !knocked_;
  return wanted && !in_flight() && !knocking_ ? next_knock_ : kNever;
}

/// Half as long to half as long again.
void Destination::SetKnock(MonoTime now) {
  next_knock_ = now + kKnock / 2 + Duration{static_cast<int64_t>(random_.Next() % uint64_t(kKnock.ns))};
}

void Destination::Knock() {
  SetKnock(clock_.Monotonic());
  knocking_ = transport_.Knock(*this).ok();
}

void Destination::OnKnock(bool connected) {
  knocking_ = false;
  if (!connected || breaker_.state() != BreakerState::kOpen) return;
  knocked_ = true;  // Once per outage: it may be a host that accepts connections and nothing else.
  breaker_.EndPause(clock_.Monotonic());
  log_.Info("the destination can be reached again", {{"destination", config_.name}});
}

void Destination::Renew() {
  transport_.Renew();
  const MonoTime now = clock_.Monotonic();
  breaker_.EndPause(now);
  for (Breaker& hold : holds_) hold.EndPause(now);
}

void Destination::HurryUp(MonoTime deadline) {
  breaker_.HurryUp(deadline);
  for (Breaker& hold : holds_) hold.HurryUp(deadline);
}

bool Destination::failing() const {
  return !breaker_.sound() || std::any_of(holds_.begin(), holds_.end(), [](const Breaker& hold) { return !hold.sound(); });
}

BreakerState Destination::shown_state() const {
  BreakerState worst = breaker_.state();
  for (const Breaker& hold : holds_) worst = std::max(worst, hold.state());
  return worst;
}

/// Every change of a breaker is counted and told of, with its reason.
template <typename Event>
void Destination::Turn(Breaker& breaker, BreakerReason reason, Event event) {
  const BreakerState before = breaker.state();
  event(breaker);
  const BreakerState to = breaker.state();
  if (to == before) return;
  const bool whole = &breaker == &breaker_;
  const std::string_view scope = whole ? "all signals" : SignalName(kSignals[static_cast<size_t>(&breaker - holds_.data())]);
  if (before == BreakerState::kClosed) {
    log_.Warn("destination is given a rest", {{"destination", config_.name},
                                              {"for", scope},
                                              {"reason", BreakerReasonName(reason)},
                                              {"error", last_error_.text()}});
  } else {
    log_.Info("breaker", {{"destination", config_.name},
                          {"for", scope},
                          {"to", BreakerStateName(to)},
                          {"reason", BreakerReasonName(reason)}});
  }
  const auto known = std::span(transitions_).first(transition_count_);
  const auto found = std::find_if(known.begin(), known.end(), [&](const TransitionCount& t) {
    return t.to == to && t.reason == reason;
  });
  if (found != known.end()) {
    ++found->count;
  } else if (transition_count_ < transitions_.size()) {
    transitions_[transition_count_++] = {to, reason, 1};
  }
}

void Destination::Describe(const Answer& answer, AnswerClass answer_class,
                           std::string_view message) {
  last_error_time_ = clock_.Wall();
  last_error_.Clear();
  if (answer.sent == Sent::kAnswered && answer.error.empty()) {
    const std::string_view hint = AnswerHint(answer.status);
    last_error_ << answer.status << ": " << (hint.empty() ? AnswerClassName(answer_class) : hint);
    if (!message.empty()) last_error_ << " (" << message << ')';
    return;
  }
  last_error_ << (answer.error.empty() ? "no answer" : answer.error);
  if (answer.sent == Sent::kUnknown) last_error_ << " (the batch may have arrived)";
}

void Destination::CountCode(int code) {
  for (size_t i = 0; i < code_count_; ++i) {
    if (codes_[i].code == code) {
      ++codes_[i].count;
      return;
    }
  }
  if (code_count_ + 1 < kCodesMax || code == 0) {
    codes_[code_count_++] = {code, 1};
    return;
  }
  CountCode(0);
}

void Destination::CountDelivered(Signal signal, uint64_t delivered, uint64_t rejected) {
  delivered_[Index(signal)] += delivered;
  rejected_[Index(signal)] += rejected;
  if (delivered > 0) refused_in_a_row_[Index(signal)] = 0;
}

DestinationView Destination::View(MonoTime now) const {
  DestinationView view;
  view.name = config_.name;
  view.url = config_.shown_url;
  view.priority = config_.priority;
  view.breaker = shown_state();
  view.last_success = last_success_;
  view.last_error_time = last_error_time_;
  view.last_error = last_error_.text();
  view.misconfigured = std::any_of(misconfigured_.begin(), misconfigured_.end(), [](bool m) { return m; });
  view.in_flight = in_flight();
  MonoTime next = breaker_.next();
  for (const Breaker& hold : holds_) next = std::max(next, hold.sound() ? MonoTime{} : hold.next());
  view.next_attempt_in = in_flight() || !failing() ? Duration{} : std::max(next - now, Duration{});
  for (const Signal signal : kSignals) {
    if (!Takes(signal) || !Sound(signal)) continue;
    view.quiet_left = std::max(view.quiet_left, GoodAt(signal) - now);
  }
  view.requests = std::span(codes_).first(code_count_);
  view.transitions = std::span(transitions_).first(transition_count_);
  view.duration = ViewOf(duration_);
  view.delivered = delivered_;
  view.rejected = rejected_;
  return view;
}

}  // namespace limpet
