// A circuit breaker: when to try, and whether traffic may rely on it.
//
//            `failures` in a row; one is enough while another destination is healthy
//     closed ----------------------------------------------------------------------> open
//       ^                                                                          |    ^
//       | data accepted, or quiet for `failback`               an attempt or a probe v    | it failed
//       +------------------------------------------------------------------------ half open
//
// Invariants:
//  K1  Every failure and every success of a probe moves next() into the future: at most one attempt for a pause.
//  K2  quiet_ and the first pause double with each outage soon after a return, up to 16 times.
//
// After an outage it is `fresh` until it has gone without a failure for `failback`: traffic that flows
// elsewhere does not come back to it yet. Each outage soon after such a return doubles that time and the first
// pause, up to 16 times, so that two half-dead destinations cannot toss traffic to and fro.
#pragma once

#include <cstdint>
#include <string_view>

#include "deliver/backoff.h"
#include "limpet/random.h"
#include "limpet/time.h"

namespace limpet {

enum class BreakerState : uint8_t { kClosed = 0, kHalfOpen = 1, kOpen = 2 };
std::string_view BreakerStateName(BreakerState state);  // "closed", "half_open", "open"

class Breaker {
 public:
  struct Options {
    uint32_t failures = 5;          ///< In a row, then it opens.
    Duration failback;
    Backoff::Options retry, open;   ///< Pauses while it is closed, and while it is open.
  };

  /// options must outlive the breaker.
  Breaker(const Options& options, Random& random)
      : options_(options), random_(random), retry_(options.retry, random), open_(options.open, random) {}

  BreakerState state() const { return state_; }
  uint32_t failures() const { return failures_; }
  /// Since when nothing has succeeded; kNever: the last attempt did.
  MonoTime failing_since() const { return failures_ > 0 ? failing_since_ : kNever; }
  /// The last attempt or probe did not fail.
  bool sound() const { return failures_ == 0; }
  /// Sound, and no outage followed soon upon a return from the one before.
  bool steady() const { return sound() && relapses_ == 0; }
  /// Sound, and past its time of quiet.
  bool good(MonoTime now) const { return sound() && now >= good_at(); }
  /// When it is past it, if nothing fails until then.
  MonoTime good_at() const { return sound() ? recovered_ + quiet_ : kNever; }
  /// No probe before.
  MonoTime next() const { return next_; }
  /// No data before: a probe that succeeded has proved that the pause is over.
  MonoTime next_data() const { return sound() ? not_before_ : next_; }
  Duration longest_pause() const;

  /// An attempt or a probe begins: open becomes half open.
  void Try();
  /// An attempt or a probe failed. least: what Retry-After asked for. at_once: do not wait for more
  /// failures.
  void Fail(MonoTime now, Duration least, bool at_once);
  /// A probe outside the line succeeded: the next one when `open` has passed.
  void ProbeSucceeded(MonoTime now);
  /// Data was accepted.
  void Accept(MonoTime now);
  /// Half open and quiet for long enough: closed, to be proved by data.
  void CloseIfGood(MonoTime now);
  /// Is a probe needed, for want of data that would tell?
  bool wants_probe() const { return !sound() || state_ != BreakerState::kClosed; }

  /// There is a sign that the outage is over: the pause ends, but for a random part of `open`, so that
  /// a thousand devices do not return at once.
  void EndPause(MonoTime now);
  /// Forgets the pause, down to what Retry-After asked for, unless that is later than `deadline`.
  void HurryUp(MonoTime deadline);

 private:
  void Succeed(MonoTime now);

  const Options& options_;
  Random& random_;
  Backoff retry_, open_;
  BreakerState state_ = BreakerState::kClosed;
  uint32_t failures_ = 0;  // In a row.
  uint32_t relapses_ = 0;  // Outages soon after a return.
  MonoTime next_, not_before_;
  MonoTime failing_since_;
  MonoTime recovered_;     // The first success after the last outage.
  Duration quiet_;         // Needed from then on; 0 before the first outage.
};

}  // namespace limpet
