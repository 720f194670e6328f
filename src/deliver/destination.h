// One destination: sends what it is given, classifies the answer, and knows how far it can be relied on.
// It knows nothing of the lines; what becomes of a batch is decided by its owner.
//
// What speaks of the connection or of the load (no connection, time-outs, 429, 502 to 504) goes to its
// breaker. What speaks of one signal's path, credentials or data (401, 404, 500, refusals in a row) goes to a
// breaker of that signal, a hold, so that a wrong path for logs does not slow metrics down.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/histogram.h"
#include "base/text.h"
#include "config/config.h"
#include "deliver/answer_class.h"
#include "deliver/breaker.h"
#include "deliver/destination_view.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/transport.h"

namespace limpet {

class Destination;

/// What became of one attempt.
enum class Verdict : uint8_t {
  kAccepted,  ///< Done, but for `rejected` items that a partial success named.
  kRefused,   ///< The destination does not want these bytes.
  kTooLarge,  ///< Likewise, for their size.
  kFaulty,    ///< It failed on them: perhaps its fault, perhaps theirs.
  kAgain,     ///< Not delivered: try again.
  kUnknown,   ///< Not known to be delivered: it may have arrived.
};

struct Outcome {
  Verdict verdict = Verdict::kAgain;
  uint64_t rejected = 0;
};

class OutcomeHandler {
 public:
  /// Called once per Send, from the loop.
  virtual void OnOutcome(Destination& from, const Outcome& outcome) = 0;
  /// Can this signal's traffic go elsewhere at once?
  virtual bool HealthyElsewhere(const Destination& besides, Signal signal) const = 0;

 protected:
  ~OutcomeHandler() = default;
};

class Destination final : private AnswerHandler, private KnockHandler {
 public:
  Destination(const DestinationConfig& config, const Backoff::Options& retry, Transport& transport,
              Clock& clock, Random& random, Log& log, OutcomeHandler& handler);
  Destination(const Destination&) = delete;
  Destination& operator=(const Destination&) = delete;

  bool Takes(Signal signal) const { return (config_.signals >> Index(signal) & 1) != 0; }
  uint32_t priority() const { return config_.priority; }
  Guarantee guarantee() const { return config_.guarantee; }
  std::string_view name() const { return config_.name; }
  bool gzip() const { return config_.gzip; }

  /// The last attempt or probe did not fail.
  bool Sound(Signal signal) const { return breaker_.sound() && Hold(signal).sound(); }
  /// Neither given a rest nor on probation.
  bool Closed(Signal signal) const {
    return breaker_.state() == BreakerState::kClosed && Hold(signal).state() == BreakerState::kClosed;
  }
  /// Sound, and known to stay so.
  bool Steady(Signal signal) const { return breaker_.steady() && Hold(signal).steady(); }
  /// Sound, and no outage is too near for traffic to come back.
  bool Good(Signal signal, MonoTime now) const { return breaker_.good(now) && Hold(signal).good(now); }
  /// When it turns good by time alone; kNever: not without an attempt.
  MonoTime GoodAt(Signal signal) const { return std::max(breaker_.good_at(), Hold(signal).good_at()); }
  /// Until when this signal can count on it, if it goes on failing: what fails once may pass.
  MonoTime ReachableUntil(Signal signal, Duration patience) const;
  /// When data may be sent; kNever while a request is in flight.
  MonoTime ReadyAt(Signal signal) const;
  bool in_flight() const { return flight_ != Flight::kNone; }
  bool probing() const { return flight_ == Flight::kProbe; }

  /// Begins an attempt; only when ready. The body must live until the outcome.
  void Send(const BatchHeader& header, std::string_view instance, const Body& body);
  /// Of the request in flight, or of the last one.
  Signal signal() const { return signal_; }

  /// Refused batches of the signal in a row, without one accepted item between them.
  uint32_t RefusedInARow(Signal signal) const { return refused_in_a_row_[Index(signal)]; }
  void CountRefused(Signal signal) { ++refused_in_a_row_[Index(signal)]; }

  /// The owner gives a refused batch, or a part of it, up: the next may go at once.
  void DropRefused();
  /// The owner holds a refused batch as misconfigured: pause as for a wrong path.
  void HoldRefused();

  /// Abandons what is in flight; no outcome follows.
  void Cancel();

  /// An empty export outside the line, while the signal's traffic flows elsewhere: when. kNever: there is
  /// nothing to find out, or something is in flight.
  MonoTime ProbeAt(Signal signal) const;
  void Probe(Signal signal);
  /// Half open, and quiet for long enough: closed. Returns when that may be so next.
  MonoTime CloseWhatIsGood(MonoTime now);

  /// A bare connection every few seconds, while there is no other: when. kNever: not wanted.
  MonoTime KnockAt() const;
  void Knock();

  /// Addresses or routes have changed.
  void Renew();
  /// For a graceful stop: forgets the pauses of our own and keeps the destination's Retry-After,
  /// unless that ends only after the deadline: then one try is better than none.
  void HurryUp(MonoTime deadline);

  bool failing() const;
  /// Its last answer for the signal says that our settings are wrong.
  bool Misconfigured(Signal signal) const { return misconfigured_[Index(signal)]; }
  /// The longest pause between two attempts.
  Duration longest_pause() const { return breaker_.longest_pause(); }
  /// Boot time of the last answer of any kind, of the last that accepted data; the epoch: never.
  MonoTime last_answer() const { return last_answer_; }
  MonoTime last_accepted() const { return last_accepted_; }
  std::string_view last_error() const { return last_error_.text(); }

  BreakerState shown_state() const;  ///< Of the breaker and the holds, the worst.
  const std::array<uint64_t, kSignalCount>& delivered() const { return delivered_; }
  const std::array<uint64_t, kSignalCount>& rejected() const { return rejected_; }
  void CountDelivered(Signal signal, uint64_t delivered, uint64_t rejected);

  /// Without `active`, which is the router's to say.
  DestinationView View(MonoTime now) const;

 private:
  enum class Flight : uint8_t { kNone, kData, kProbe };

  const Breaker& Hold(Signal signal) const { return holds_[Index(signal)]; }
  void Start(const Request& request, Flight flight);
  void OnAnswer(const Answer& answer) override;
  void OnKnock(bool connected) override;
  void Failed(MonoTime now, const Answer& answer, AnswerClass answer_class, bool probe);
  void Succeeded(MonoTime now, bool probe);
  void TellOfRecovery(MonoTime now);
  void SetKnock(MonoTime now);
  void Describe(const Answer& answer, AnswerClass answer_class, std::string_view message);
  template <typename Event>
  void Turn(Breaker& breaker, BreakerReason reason, Event event);
  void CountCode(int code);

  static constexpr size_t kCodesMax = 24;        // Distinct statuses counted apart; the rest as 0.
  static constexpr size_t kTransitionsMax = 16;  // There are hardly more that can happen.

  const DestinationConfig& config_;
  Transport& transport_;
  Clock& clock_;
  Random& random_;
  Log& log_;
  OutcomeHandler& handler_;
  const Breaker::Options options_, hold_options_;
  Breaker breaker_;
  std::array<Breaker, kSignalCount> holds_;

  Flight flight_ = Flight::kNone;
  bool knocking_ = false;
  bool knocked_ = false;  // A knock has ended the pause in this outage.
  Signal signal_ = Signal::kMetrics;
  TextBuffer<kIdempotencyKeyMax> key_;
  MonoTime next_knock_;

  MonoTime last_answer_, last_accepted_;
  UnixTime last_success_, last_error_time_;
  MonoTime failing_since_;
  std::array<uint32_t, kSignalCount> refused_in_a_row_{};
  uint32_t failed_attempts_ = 0;  // Since then, data and probes.
  std::array<bool, kSignalCount> misconfigured_{};  // By the last answer for each.
  TextBuffer<320> last_error_;
  std::array<CodeCount, kCodesMax> codes_{};
  size_t code_count_ = 0;
  std::array<TransitionCount, kTransitionsMax> transitions_{};
  size_t transition_count_ = 0;
  std::array<uint64_t, kSignalCount> delivered_{}, rejected_{};
  Histogram<10> duration_;
};

}  // namespace limpet
