// The agent's world with a spool, numbered lines beside the host metrics, and a destination that can
// be switched off.
#pragma once

#include <memory>

#include "generator/line_generator.h"
#include "sim/agent_world.h"

namespace limpet::sim {

struct SpoolWorld : AgentWorld {
  explicit SpoolWorld(uint64_t seed = 1, uint32_t lines_per_second = 20)
      : AgentWorld(seed), rate(lines_per_second) {
    UseFlash();
    checker.line_is = [](uint64_t number, std::string_view body) {
      std::array<char, LineGenerator::kLineBytes> line;
      return LineGenerator::WriteLine(number, line) == body;
    };
    respond = [this](const SimRequest&) {
      return up ? SimAnswer{.status = status}
                : SimAnswer{.sent = Sent::kNotSent, .error = "connection refused"};
    };
    Source();
  }
  void Source() {
    const uint64_t first = generator == nullptr ? 1 : generator->next_number();
    generator = rate > 0 ? std::make_unique<LineGenerator>(rate, first) : nullptr;
    extra = generator.get();
  }
  /// The next process.
  void Again() {
    Source();
    Start();
  }
  /// Until all is delivered that the agent has, without more coming in.
  void Drain(Duration longest = Seconds(900)) {
    up = true;
    const MonoTime until = clock.mono + longest;
    while (phase() != SpoolPhase::kCalm && clock.mono < until &&
           !testing::Test::HasFatalFailure()) {
      RunFor(Seconds(10));
    }
  }
  SpoolPhase phase() const { return agent->spooler().View().phase; }
  uint64_t written() const { return flash->counters.written_bytes; }
  const Account& account(Signal signal) const { return agent->ledger().account(signal); }
  uint64_t dropped(DropReason reason) const {
    uint64_t items = 0;
    for (const Signal signal : kSignals) {
      items += Total(signal).dropped[static_cast<size_t>(reason)];
    }
    return items;
  }
  uint64_t held(Signal signal) const { return agent->held(signal).total(); }

  const uint32_t rate;
  bool up = true;
  int status = 200;
  std::unique_ptr<LineGenerator> generator;
};

inline void ExpectNothingBroken(const SpoolWorld& world) {
  EXPECT_TRUE(world.checker.broken().empty())
      << world.checker.broken().front() << " and " << world.checker.broken().size() - 1 << " more";
}

/// Nothing was dropped, and nothing is missing.
inline void ExpectNothingLost(const SpoolWorld& world) {
  for (const Signal signal : kSignals) {
    SCOPED_TRACE(SignalName(signal));
    const AgentWorld::Sum sum = world.Total(signal);
    EXPECT_EQ(sum.dropped_total(), 0u);
    EXPECT_EQ(sum.lost, 0u);
  }
  ExpectNothingBroken(world);
}

}  // namespace limpet::sim
