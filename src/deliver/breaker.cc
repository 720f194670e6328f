#include "deliver/breaker.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr uint32_t kRelapsesMax = 4;     // 16 times as long.
constexpr int kSoon = 10;                // Times the quiet: an outage within it is a relapse.

}  // namespace

std::string_view BreakerStateName(BreakerState state) {
  switch (state) {
    case BreakerState::kClosed:
      return "closed";
    case BreakerState::kHalfOpen:
      return "half_open";
    case BreakerState::kOpen:
      return "open";
  }
  return "";
}

Duration Breaker::longest_pause() const { return std::max(open_.longest(), retry_.longest()); }

void Breaker::Try() {
  if (state_ == BreakerState::kOpen) state_ = BreakerState::kHalfOpen;
}

void Breaker::Fail(MonoTime now, Duration least, bool at_once) {
  if (failures_++ == 0) {
    failing_since_ = now;
    const bool soon = quiet_.ns > 0 && now - recovered_ < quiet_ * kSoon;
    // A probe that failed was no return; data that did was one, or was about to be.
    const bool returned = state_ == BreakerState::kClosed || now >= recovered_ + quiet_;
    if (!soon) {
      relapses_ = 0;
    } else if (returned) {
      relapses_ = std::min(relapses_ + 1, kRelapsesMax);
    }
    quiet_ = options_.failback * (1 << relapses_);
    open_.Reset(relapses_);
  }
  not_before_ = now + least;
  if (state_ == BreakerState::kClosed && !at_once && failures_ < options_.failures) {
    next_ = now + std::max(retry_.Next(), least);
    return;
  }
  next_ = now + std::max(open_.Next(), least);
  state_ = BreakerState::kOpen;
}

void Breaker::Succeed(MonoTime now) {
  if (failures_ > 0) recovered_ = now;
  failures_ = 0;
  retry_.Reset();
}

void Breaker::ProbeSucceeded(MonoTime now) {
  Succeed(now);
  next_ = now + options_.open.initial;
}

void Breaker::Accept(MonoTime now) {
  Succeed(now);
  next_ = not_before_ = MonoTime{};
  state_ = BreakerState::kClosed;
}

void Breaker::CloseIfGood(MonoTime now) {
  if (state_ == BreakerState::kHalfOpen && good(now)) state_ = BreakerState::kClosed;
}

void Breaker::EndPause(MonoTime now) {
  if (sound() || next_ <= now) return;
  const auto open = static_cast<uint64_t>(options_.open.initial.ns);
  const MonoTime soon = now + Duration{static_cast<int64_t>(random_.Next() % (open + 1))};
  next_ = std::min(next_, std::max(soon, not_before_));
}

void Breaker::HurryUp(MonoTime deadline) {
  next_ = not_before_ < deadline ? std::min(next_, not_before_) : MonoTime{};
}

}  // namespace limpet
