#include "deliver/destination.h"

#include <algorithm>

#include "deliver/http_date.h"
#include "deliver/idempotency_key.h"
#include "otlp/answer_body.h"

namespace limpet {
namespace {

constexpr Duration kRetryAfterMax = Seconds(3600);  // A longer wish is tried again after an hour.

// Upper bounds in seconds: loopback to a satellite link.
constexpr std::array<double, 10> kDurationBounds = {0.005, 0.02, 0.05, 0.1, 0.25,
                                                    0.5,   1,    2.5,  10,  60};

}  // namespace

Destination::Destination(const DestinationConfig& config, const Backoff::Options& retry,
                         Transport& transport, Clock& clock, Random& random, Log& log,
                         OutcomeHandler& handler)
    : config_(config),
      transport_(transport),
      clock_(clock),
      log_(log),
      handler_(handler),
      retry_(retry, random),
      open_({.initial = config.breaker_open,
             .max = config.breaker_open_max,
             .multiplier = 2,
             .jitter = retry.jitter,
             .least = config.breaker_open},
            random),
      duration_(kDurationBounds) {}

void Destination::Send(const BatchHeader& header, std::string_view instance, const Body& body) {
  const MonoTime now = clock_.Monotonic();
  LIMPET_CHECK(Ready(now));
  if (breaker_ == BreakerState::kOpen) breaker_ = BreakerState::kHalfOpen;
  signal_ = header.signal;
  key_.Clear();
  WriteIdempotencyKey(key_, instance, header);
  LIMPET_CHECK(!key_.overflowed());
  in_flight_ = true;
  const Request request{.signal = header.signal,
                        .encoding = header.encoding,
                        .idempotency_key = key_.text(),
                        .body = &body};
  const Status started = transport_.Send(request, *this);
  if (started.ok()) return;
  // No memory for it: an attempt that certainly did not leave this host.
  OnAnswer(Answer{.sent = Sent::kNotSent, .error = started.where});
}

void Destination::OnAnswer(const Answer& answer) {
  const MonoTime now = clock_.Monotonic();
  in_flight_ = false;
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
    misconfigured_ = answer_class == AnswerClass::kMisconfigured;
  }

  if (answer_class == AnswerClass::kAccepted) {
    if (body.rejected > 0 || !body.message.empty()) {
      log_.Warn(body.rejected > 0 ? "the destination rejected items" : "the destination warns",
                {{"destination", config_.name},
                 {"signal", SignalName(signal_)},
                 {"rejected", body.rejected},
                 {"message", body.message}});
    }
    Accepted(now);
    handler_.OnOutcome({.verdict = Verdict::kAccepted, .rejected = body.rejected});
    return;
  }

  Describe(answer, answer_class, body.message);
  if (answer_class == AnswerClass::kRefused) {
    handler_.OnOutcome({.verdict = Verdict::kRefused});
    return;
  }

  const Duration retry_after =
      ParseRetryAfter(answer.retry_after, answer.date, clock_.Wall(), kRetryAfterMax)
          .value_or(Duration{});
  not_before_ = now + retry_after;
  if (failures_++ == 0) {
    failing_since_ = now;
    log_.Warn("delivery fails",
              {{"destination", config_.name}, {"error", last_error_.text()},
               {"class", AnswerClassName(answer_class)}});
  }
  if (answer_class != AnswerClass::kRetryable || breaker_ == BreakerState::kHalfOpen ||
      failures_ >= config_.breaker_failures) {
    Open(now, retry_after);
  } else {
    next_attempt_ = now + std::max(retry_.Next(), retry_after);
  }
  handler_.OnOutcome({.verdict = Verdict::kAgain});
}

void Destination::Accepted(MonoTime now) {
  Recover(now);
  last_accepted_ = now;
  last_success_ = clock_.Wall();
}

/// It answers and judges: nothing is wrong with the connection.
void Destination::DropRefused() {
  misconfigured_ = false;
  Recover(clock_.Monotonic());
}

void Destination::Recover(MonoTime now) {
  if (failures_ > 0) {
    log_.Info("delivery works again",
              {{"destination", config_.name}, {"failed_attempts", failures_},
               {"seconds", (now - failing_since_).ns / 1'000'000'000}});
  }
  failures_ = 0;
  breaker_ = BreakerState::kClosed;
  retry_.Reset();
  open_.Reset();
  next_attempt_ = now;
}

void Destination::HoldRefused() {
  const MonoTime now = clock_.Monotonic();
  if (failures_++ == 0) failing_since_ = now;
  if (!misconfigured_) {
    log_.Error("the destination refuses everything: held until it is set right",
               {{"destination", config_.name}, {"error", last_error_.text()}});
  }
  misconfigured_ = true;
  Open(now, Duration{});
}

void Destination::Open(MonoTime now, Duration least) {
  const Duration pause = std::max(open_.Next(), least);
  next_attempt_ = now + pause;
  if (breaker_ == BreakerState::kClosed) {
    log_.Warn("destination is given a rest",
              {{"destination", config_.name}, {"error", last_error_.text()},
               {"pause_ms", pause.ns / 1'000'000}});
  }
  breaker_ = BreakerState::kOpen;
}

/// "401: credentials are missing or wrong: check header.* (token expired)" or "connection refused".
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

void Destination::Cancel() {
  transport_.Cancel();
  in_flight_ = false;
}

void Destination::HurryUp(MonoTime deadline) {
  if (in_flight_) return;
  next_attempt_ = not_before_ < deadline ? std::min(next_attempt_, not_before_) : MonoTime{};
}

void Destination::CountDelivered(Signal signal, uint64_t delivered, uint64_t rejected) {
  delivered_[Index(signal)] += delivered;
  rejected_[Index(signal)] += rejected;
}

DestinationView Destination::View(MonoTime now) const {
  DestinationView view;
  view.name = config_.name;
  view.url = config_.shown_url;
  view.priority = config_.priority;
  for (const Signal signal : kSignals) {
    view.active[Index(signal)] = (config_.signals >> Index(signal) & 1) != 0;
  }
  view.breaker = breaker_;
  view.last_success = last_success_;
  view.last_error_time = last_error_time_;
  view.last_error = last_error_.text();
  view.misconfigured = misconfigured_;
  view.in_flight = in_flight_;
  view.next_attempt_in = in_flight_ ? Duration{} : std::max(next_attempt_ - now, Duration{});
  view.requests = std::span(codes_).first(code_count_);
  view.duration = ViewOf(duration_);
  view.delivered = delivered_;
  view.rejected = rejected_;
  return view;
}

}  // namespace limpet
