// Delivery over the lines of three signals: turns, masks, the rule of three, pacing and recovery.
#include "deliver/delivery.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "sim/world.h"

namespace limpet::sim {
namespace {

struct Bench {
  explicit Bench(SignalSet signals = kAllSignals)
      : arena(64 * 400),
        queue(std::as_writable_bytes(std::span(arena))),
        random(1),
        transport(clock) {
    DestinationConfig& primary = config.destinations[0];
    config.destination_count = 1;
    primary.name = "primary";
    primary.signals = signals;
    primary.breaker_failures = 3;
    primary.breaker_open = Seconds(5);
    primary.breaker_open_max = Seconds(60);
    primary.breaker_failback = Seconds(30);
    config.retry.initial = Seconds(1);
    config.retry.max = Seconds(8);
    config.retry.multiplier = 2;
    config.retry.jitter = 0;
    memory.resize(Delivery::BytesNeeded(config) / sizeof(std::max_align_t) + 1);
    raw.resize(64 * kKiB);
    const DeliveryMemory delivery_memory{.own = std::as_writable_bytes(std::span(memory)), .raw = raw, .packed = {}};
    delivery = std::make_unique<Delivery>(config, delivery_memory, transports, queue, spooler, ledger, clock, random, log);
    transport.answer = [this](const SimRequest& request) { return answers(request); };
  }

  void Push(Signal signal, int count = 1) {
    for (int i = 0; i < count; ++i) {
      const std::string payload = "payload";
      BatchHeader header;
      header.signal = signal;
      header.sequence = ++sequence[Index(signal)];
      header.items = 10;
      header.stored_bytes = static_cast<uint32_t>(payload.size());
      ledger.Collect(signal, header.items);
      ASSERT_TRUE(queue.Push(header, {}, {reinterpret_cast<const uint8_t*>(payload.data()), payload.size()}).ok());
    }
  }
  /// Turns until nothing is left to do before `until`.
  void RunTo(MonoTime until) {
    for (int turns = 0; turns < 10000; ++turns) {
      const MonoTime wanted = delivery->OnTime(clock.mono);  // It may send, so before next().
      const MonoTime next = std::min(wanted, transport.next());
      for (const Signal signal : kSignals) {
        ASSERT_TRUE(ledger.account(signal).Balances({.memory = queue.items(signal)}));
      }
      if (next > until) break;
      clock.mono = std::max(clock.mono, next);
      transport.OnTime(clock.mono);
    }
    clock.mono = std::max(clock.mono, until);
  }
  void RunFor(Duration duration) { RunTo(clock.mono + duration); }
  uint64_t Dropped(Signal signal) const {
    return ledger.account(signal).dropped[static_cast<size_t>(DropReason::kRefused)];
  }

  SimClock clock;
  std::vector<uint64_t> arena;
  BatchQueue queue;
  Ledger ledger;
  SimRandom random;
  SimLog log;
  Spooler spooler{{.instance = "inst"}, {}, queue, ledger, clock, log};
  SimTransport transport;
  std::array<Transport*, 1> transports = {&transport};
  Config config;
  std::vector<std::max_align_t> memory;
  std::vector<uint8_t> raw;
  std::function<SimAnswer(const SimRequest&)> answers = [](const SimRequest&) { return SimAnswer{}; };
  std::array<uint64_t, kSignalCount> sequence{};
  std::unique_ptr<Delivery> delivery;
};

TEST(Delivery, SignalsTakeTurnsAndEachKeepsItsOrder) {
  Bench bench;
  bench.Push(Signal::kMetrics, 3);
  bench.Push(Signal::kLogs, 2);
  bench.Push(Signal::kTraces, 1);
  bench.RunFor(Seconds(1));
  std::vector<std::string> keys;
  for (const SimRequest& request : bench.transport.requests) keys.push_back(request.key.substr(22));
  EXPECT_EQ(keys, (std::vector<std::string>{"metrics-1", "logs-1", "traces-1", "metrics-2", "logs-2",
                                            "metrics-3"}));
  EXPECT_TRUE(bench.queue.empty());
}

TEST(Delivery, OnlyTheSignalsOfTheDestinationAreSent) {
  Bench bench(1 << Index(Signal::kLogs));
  bench.Push(Signal::kMetrics, 2);
  bench.Push(Signal::kLogs, 2);
  bench.RunFor(Seconds(1));
  EXPECT_EQ(bench.transport.requests.size(), 2u);
  EXPECT_EQ(bench.queue.items(Signal::kMetrics), 20u);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).delivered, 20u);
}

TEST(Delivery, TheRuleOfThreeHoldsForEachSignalByItself) {
  Bench bench;
  bench.answers = [](const SimRequest& request) {
    return SimAnswer{.status = request.signal == Signal::kLogs ? 400 : 200};
  };
  bench.Push(Signal::kLogs, 10);
  bench.Push(Signal::kMetrics, 10);
  bench.RunFor(Seconds(600));
  EXPECT_EQ(bench.Dropped(Signal::kLogs), 20u) << "two batches, however many metrics go through";
  EXPECT_EQ(bench.queue.items(Signal::kLogs), 80u);
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).delivered, 100u);

  // One accepted batch, and the count begins anew.
  int accept = 1;
  bench.answers = [&](const SimRequest&) { return SimAnswer{.status = accept-- > 0 ? 200 : 400}; };
  bench.RunFor(Seconds(600));
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).delivered, 10u);
  EXPECT_EQ(bench.Dropped(Signal::kLogs), 40u);
  EXPECT_EQ(bench.queue.items(Signal::kLogs), 50u);
}

TEST(Delivery, AFullyRejectedBatchIsNotAnAcceptedItem) {
  Bench bench;
  // Twice refused, then a partial success that rejects all ten, then refused again: held.
  int n = 0;
  bench.answers = [&](const SimRequest&) {
    ++n;
    if (n == 3) return SimAnswer{.status = 200, .body = {0x0a, 0x02, 0x08, 0x0a}};
    return SimAnswer{.status = 400};
  };
  bench.Push(Signal::kMetrics, 5);
  bench.RunFor(Seconds(1));
  EXPECT_EQ(bench.Dropped(Signal::kMetrics), 20u);
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).rejected, 10u);
  EXPECT_EQ(bench.queue.items(Signal::kMetrics), 20u);
}

TEST(Delivery, NoDestinationCanRejectMoreThanItWasSent) {
  Bench bench;
  bench.answers = [](const SimRequest&) {  // 1000 rejected.
    return SimAnswer{.status = 200, .body = {0x0a, 0x03, 0x08, 0xe8, 0x07}};
  };
  bench.Push(Signal::kMetrics);
  bench.RunFor(Seconds(1));
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).rejected, 10u);
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).delivered, 0u);
}

TEST(Delivery, RetriesGrowThenTheBreakerOpensThenTheProbeDecides) {
  Bench bench;
  bool up = false;
  bench.transport.open = [] { return false; };
  bench.answers = [&](const SimRequest&) {
    return SimAnswer{.status = up ? 200 : 503, .delay = Milliseconds(1)};
  };
  bench.Push(Signal::kMetrics, 2);
  bench.RunFor(Seconds(200));
  const std::vector<SimRequest>& sent = bench.transport.requests;
  ASSERT_GE(sent.size(), 6u);
  const auto pause = [&](size_t i) { return (sent[i].at - sent[i - 1].at).ns / 1'000'000'000; };
  EXPECT_EQ(pause(1), 1);
  EXPECT_EQ(pause(2), 2);
  EXPECT_EQ(pause(3), 5);   // The third failure in a row opened the breaker.
  EXPECT_EQ(pause(4), 10);  // A failed probe doubles the pause.
  EXPECT_EQ(pause(5), 20);
  for (const SimRequest& request : sent) EXPECT_EQ(request.key, sent[0].key);
  EXPECT_EQ(bench.delivery->destinations()[0].View(bench.clock.mono).breaker, BreakerState::kOpen);
  up = true;
  bench.RunFor(Seconds(61));
  EXPECT_EQ(bench.delivery->destinations()[0].View(bench.clock.mono).breaker, BreakerState::kClosed);
  EXPECT_TRUE(bench.queue.empty());
  EXPECT_EQ(bench.log.Count("delivery works again"), 1u);
}

TEST(Delivery, ARefusalAfterAFailureSaysThatDeliveryWorksAgain) {
  Bench bench;
  int n = 0;
  bench.answers = [&](const SimRequest&) { return SimAnswer{.status = ++n == 1 ? 503 : 400}; };
  bench.Push(Signal::kMetrics, 1);
  bench.RunFor(Seconds(10));
  EXPECT_EQ(bench.Dropped(Signal::kMetrics), 10u);
  EXPECT_EQ(bench.log.Count("delivery works again"), 1u);
  EXPECT_FALSE(bench.delivery->destinations()[0].failing());
}

TEST(Delivery, ATransportWithoutMemoryIsAnAttemptThatDidNotLeave) {
  Bench bench;
  bool full = true;
  bench.answers = [&](const SimRequest&) { return SimAnswer{.refuse_memory = full}; };
  bench.Push(Signal::kMetrics, 1);
  bench.RunFor(Milliseconds(500));
  EXPECT_TRUE(bench.transport.requests.empty());
  EXPECT_EQ(bench.delivery->destinations()[0].View(bench.clock.mono).last_error, "out of memory");
  full = false;
  bench.RunFor(Seconds(10));
  EXPECT_EQ(bench.ledger.account(Signal::kMetrics).delivered, 10u);
}

}  // namespace
}  // namespace limpet::sim
