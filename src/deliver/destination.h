// One destination: sends what it is given, classifies the answer, and paces the attempts: a growing
// pause between retries while the breaker is closed, a longer one while it is open. It knows nothing
// of the queue; what becomes of a batch is decided by its owner.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "base/histogram.h"
#include "base/text.h"
#include "config/config.h"
#include "deliver/answer_class.h"
#include "deliver/backoff.h"
#include "deliver/destination_view.h"
#include "limpet/time.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/transport.h"

namespace limpet {

/// What became of one attempt.
enum class Verdict : uint8_t {
  kAccepted,  ///< Done, but for `rejected` items that a partial success named.
  kRefused,   ///< The destination does not want these bytes.
  kAgain,     ///< Not delivered, or not known to be: try again when the destination is ready.
};

struct Outcome {
  Verdict verdict = Verdict::kAgain;
  uint64_t rejected = 0;
};

class OutcomeHandler {
 public:
  /// Called once per Send, from the loop.
  virtual void OnOutcome(const Outcome& outcome) = 0;

 protected:
  ~OutcomeHandler() = default;
};

class Destination final : private AnswerHandler {
 public:
  Destination(const DestinationConfig& config, const Backoff::Options& retry, Transport& transport,
              Clock& clock, Random& random, Log& log, OutcomeHandler& handler);

  /// May an attempt begin now?
  bool Ready(MonoTime now) const { return !in_flight_ && next_attempt_ <= now; }
  /// When Ready may turn true by time alone; kNever while a request is in flight.
  MonoTime next_attempt() const { return in_flight_ ? kNever : next_attempt_; }
  bool in_flight() const { return in_flight_; }

  /// Begins an attempt; only when Ready. The body must live until the outcome.
  void Send(const BatchHeader& header, std::string_view instance, const Body& body);

  /// The owner gives a refused batch up: the next may go at once.
  void DropRefused();

  /// The owner holds a refused batch as misconfigured: pause as for a wrong path.
  void HoldRefused();

  /// Abandons what is in flight; no outcome follows.
  void Cancel();

  /// For a graceful stop: forgets the pauses of our own and keeps the destination's Retry-After,
  /// unless that ends only after the deadline: then one try is better than none.
  void HurryUp(MonoTime deadline);

  /// Was the last attempt a failure? And since when has none succeeded: kNever if not.
  bool failing() const { return failures_ > 0; }
  MonoTime failing_since() const { return failing() ? failing_since_ : kNever; }

  /// The longest pause between two attempts.
  Duration longest_pause() const { return std::max(open_.longest(), retry_.longest()); }

  /// last_answer: boot time of the last answer of any kind, the epoch when there was none.
  MonoTime last_answer() const { return last_answer_; }
  MonoTime last_accepted() const { return last_accepted_; }

  std::string_view name() const { return config_.name; }
  BreakerState breaker() const { return breaker_; }
  const std::array<uint64_t, kSignalCount>& delivered() const { return delivered_; }
  const std::array<uint64_t, kSignalCount>& rejected() const { return rejected_; }

  DestinationView View(MonoTime now) const;
  void CountDelivered(Signal signal, uint64_t delivered, uint64_t rejected);

 private:
  void OnAnswer(const Answer& answer) override;
  void Accepted(MonoTime now);
  void Recover(MonoTime now);
  void Describe(const Answer& answer, AnswerClass answer_class, std::string_view message);
  void Open(MonoTime now, Duration least);
  void CountCode(int code);

  static constexpr size_t kCodesMax = 24;  // Distinct statuses counted apart; the rest as 0.

  const DestinationConfig& config_;
  Transport& transport_;
  Clock& clock_;
  Log& log_;
  OutcomeHandler& handler_;
  Backoff retry_, open_;

  BreakerState breaker_ = BreakerState::kClosed;
  uint32_t failures_ = 0;  // In a row.
  MonoTime next_attempt_;
  MonoTime not_before_;  // What Retry-After asked for, the floor of next_attempt_.
  bool in_flight_ = false;
  Signal signal_ = Signal::kMetrics;  // Of the request in flight.
  TextBuffer<kIdempotencyKeyMax> key_;

  MonoTime last_answer_, last_accepted_;
  UnixTime last_success_, last_error_time_;
  MonoTime failing_since_;
  bool misconfigured_ = false;
  TextBuffer<320> last_error_;
  std::array<CodeCount, kCodesMax> codes_{};
  size_t code_count_ = 0;
  std::array<uint64_t, kSignalCount> delivered_{}, rejected_{};
  Histogram<10> duration_;
};

}  // namespace limpet
