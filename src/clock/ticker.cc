#include "clock/ticker.h"

namespace limpet {
namespace {

// A timer of the kernel is late by 50 us or so, a busy loop by milliseconds; more is worth a look.
constexpr std::array<double, 10> kDelayBounds = {0.0005, 0.001, 0.005, 0.01, 0.05,
                                                 0.1,    0.5,   1,     5,    30};

}  // namespace

Ticker::Ticker(Duration interval, MonoTime start)
    : interval_(interval), due_(start), delay_(kDelayBounds) {
  LIMPET_CHECK(interval.ns > 0);
}

std::optional<Ticker::Tick> Ticker::Take(MonoTime now) {
  if (now < due_) return std::nullopt;
  const int64_t last = now.ns / interval_.ns;  // The newest multiple that is not after now.
  Tick tick{due_, now - due_, static_cast<uint64_t>(last - due_.ns / interval_.ns)};
  due_ = {(last + 1) * interval_.ns};
  missed_ += tick.missed;
  delay_.Add(ToSeconds(tick.delay));
  return tick;
}

}  // namespace limpet
