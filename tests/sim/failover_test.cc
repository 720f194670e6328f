// Failover in the other world: two or three destinations that fail, lie, slow down and flap, from a seed.
// Every request is judged as the destinations saw it.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <set>

#include "generator/line_generator.h"
#include "sim/agent_world.h"
#include "sim/slow.h"

namespace limpet::sim {
namespace {

/// How a destination is for a while.
enum class Mood { kUp, kRefused, kSilent, kBusy, kSlow, kLostAnswers, kLying, kHalfDead, kFaulty, kWrongPath };
constexpr size_t kMoods = 10;

struct FailoverWorld : AgentWorld {
  explicit FailoverWorld(uint64_t seed, size_t count) : AgentWorld(seed), weather(seed * 7919 + count) {
    queue_blocks = 4'000;
    config.host.interval = Seconds(10);
    config.queue.batch_delay = Seconds(10);
    while (config.destination_count < count) AddDestination(config.destination_count == 1 ? "fallback" : "third");
    if (count == 3 && seed % 3 == 0) config.destinations[2].priority = 2;  // Two take turns.
    generator = std::make_unique<LineGenerator>(2, 1);
    extra = generator.get();
    moods.resize(count, Mood::kUp);
    asked.resize(count);
    vain.resize(count);
    for (size_t n = 0; n < count; ++n) {
      transport_of(n).open = [this, n] { return moods[n] != Mood::kRefused && moods[n] != Mood::kSilent; };
    }
    respond_at = [this](size_t n, const SimRequest& request) { return Respond(n, request); };
  }

  SimAnswer Respond(size_t n, const SimRequest& request) {
    asked[n].push_back(clock.mono);
    SimAnswer answer = Mooded(n, request);
    if (request.probe() || answer.status != 200 || answer.sent != Sent::kAnswered) vain[n].push_back(clock.mono);
    if (request.probe()) return answer;
    const bool takes = answer.sent == Sent::kAnswered ? answer.status == 200 : took_anyway;
    took_anyway = false;
    if (takes) Take(n, request);
    unknown[request.key] = unknown[request.key] || answer.sent == Sent::kUnknown;
    return answer;
  }

  SimAnswer Mooded(size_t n, const SimRequest& request) {
    switch (moods[n]) {
      case Mood::kUp: return {};
      case Mood::kRefused: return {.sent = Sent::kNotSent, .error = "connection refused"};
      case Mood::kSilent: return {.sent = Sent::kUnknown, .delay = Seconds(10), .error = "timed out"};
      case Mood::kBusy: return {.status = weather() % 2 == 0 ? 503 : 429};
      case Mood::kSlow: return {.delay = Milliseconds(static_cast<int64_t>(weather() % 9000))};
      case Mood::kLostAnswers:
        took_anyway = !request.probe() && weather() % 2 == 0;
        return {.sent = Sent::kUnknown, .delay = Seconds(1), .error = "connection lost"};
      case Mood::kLying: return {.status = request.probe() ? 200 : 503};
      case Mood::kHalfDead: return {.status = weather() % 2 == 0 ? 200 : 503};
      case Mood::kFaulty: return {.status = 500};
      case Mood::kWrongPath: return {.status = request.signal == Signal::kLogs ? 404 : 200};
    }
    return {};
  }

  /// A destination has the batch: is it in order there, and may it have it twice?
  void Take(size_t n, const SimRequest& request) {
    const size_t signal = Index(request.signal);
    const uint64_t sequence = std::stoull(request.key.substr(request.key.rfind('-') + 1));
    uint64_t& last = newest[n][signal];
    if (sequence < last) wrong.push_back("out of order at a destination: " + request.key);
    last = std::max(last, sequence);
    if (!taken.insert(request.key).second && !unknown[request.key]) wrong.push_back("twice without need: " + request.key);
    const uint32_t priority = config.destinations[n].priority;
    if (where[signal] != 0 && where[signal] != priority) ++switches[signal];
    where[signal] = priority;
  }

  void ChangeWeather() {
    for (Mood& mood : moods) {
      if (weather() % 2 == 0) mood = weather() % 2 == 0 ? Mood::kUp : static_cast<Mood>(weather() % kMoods);
    }
  }

  /// The most requests that a destination was asked in any minute of the time since `from`.
  size_t BusiestMinute(size_t n, MonoTime from) const { return Busiest(asked[n], from); }
  /// Likewise, of probes and of data that it did not take.
  size_t VainestMinute(size_t n) const { return Busiest(vain[n], {}); }
  static size_t Busiest(const std::vector<MonoTime>& at, MonoTime from) {
    size_t most = 0;
    for (size_t a = 0, b = 0; b < at.size(); ++b) {
      if (at[b] < from) continue;
      while (at[a] < std::max(from, at[b] - Seconds(60))) ++a;
      most = std::max(most, b - a + 1);
    }
    return most;
  }

  std::mt19937_64 weather;
  std::unique_ptr<LineGenerator> generator;
  std::vector<Mood> moods;
  bool took_anyway = false;
  std::vector<std::vector<MonoTime>> asked, vain;
  std::map<size_t, std::array<uint64_t, kSignalCount>> newest;
  std::set<std::string> taken;
  std::map<std::string, bool> unknown;
  std::array<uint32_t, kSignalCount> where{};
  std::array<size_t, kSignalCount> switches{};
  std::vector<std::string> wrong;
};

void ExpectAllArrived(FailoverWorld& world) {
  for (const Signal signal : kSignals) {
    SCOPED_TRACE(SignalName(signal));
    const Account& account = world.agent->ledger().account(signal);
    EXPECT_EQ(account.dropped_total(), 0u);
    EXPECT_EQ(account.rejected, 0u);
    EXPECT_LE(world.agent->held(signal).total(), 200u);
    EXPECT_EQ(account.collected, account.delivered + world.agent->held(signal).total());
  }
  // Every batch that was numbered, but the last, is there.
  std::map<std::string, uint64_t> count, highest;
  std::set<std::string> batches;  // Of which some were taken apart.
  for (const std::string& key : world.taken) batches.insert(key.substr(0, key.find('.')));
  for (const std::string& key : batches) {
    const size_t dash = key.rfind('-');
    ++count[key.substr(0, dash)];
    uint64_t& most = highest[key.substr(0, dash)];
    most = std::max(most, static_cast<uint64_t>(std::stoull(key.substr(dash + 1))));
  }
  for (const auto& [signal, n] : count) EXPECT_EQ(n, highest[signal]) << signal;
  EXPECT_TRUE(world.wrong.empty()) << world.wrong.front() << " and " << world.wrong.size() - 1 << " more";
  EXPECT_TRUE(world.checker.broken().empty()) << world.checker.broken().front();
}

TEST(Failover, SeededWeather) {
  // LIMPET_SEEDS=3000: that many of them.
  const char* const asked = std::getenv("LIMPET_SEEDS");
  const uint64_t seeds = asked != nullptr ? std::strtoull(asked, nullptr, 10) : kSlow ? 8 : 60;
  size_t most_switches = 0, hours = 0, all_switches = 0;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FailoverWorld world(seed, 2 + seed % 2);
    world.Start();
    for (int spell = 0; spell < 10; ++spell) {
      world.ChangeWeather();
      world.RunFor(Seconds(static_cast<int64_t>(10 + world.weather() % 350)));
    }
    const size_t switches = *std::max_element(world.switches.begin(), world.switches.end());
    most_switches = std::max(most_switches, switches);
    all_switches += switches;
    ++hours;
    for (size_t n = 0; n < world.moods.size(); ++n) EXPECT_LE(world.VainestMinute(n), 60u) << n;
    EXPECT_LE(switches, 60u);  // In about an hour, of which no minute was like the other.
    // All is well again: everything arrives, and traffic returns to the first.
    world.moods.assign(world.moods.size(), Mood::kUp);
    world.RunFor(Seconds(1200));
    if (testing::Test::HasFatalFailure()) return;
    ExpectAllArrived(world);
    EXPECT_EQ(world.where[Index(Signal::kMetrics)], 1u) << "fail-back";
    EXPECT_EQ(world.where[Index(Signal::kLogs)], 1u) << "fail-back";
    if (testing::Test::HasFailure()) {
      for (const std::string& line : world.log.lines) {
        if (testing::Test::HasFailure() && world.log.lines.size() < 400) std::printf("%s\n", line.c_str());
      }
      return;
    }
  }
  std::printf("switches in an hour of bad weather: %zu at most, %.1f on average\n", most_switches,
              static_cast<double>(all_switches) / static_cast<double>(hours));
}

TEST(Failover, TwoHalfDeadDestinationsDoNotTossTheTrafficToAndFro) {
  for (uint64_t seed = 1; seed <= (kSlow ? 1u : 3u); ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    FailoverWorld world(seed, 2);
    world.moods = {Mood::kHalfDead, Mood::kHalfDead};
    world.Start();
    world.RunFor(Seconds(2 * 3600));
    for (const Signal signal : {Signal::kMetrics, Signal::kLogs}) {
      EXPECT_LE(world.switches[Index(signal)], 2 * 40u);
    }
    EXPECT_TRUE(world.wrong.empty());
  }
}

TEST(Failover, NobodyIsHammeredWhileAllAreDown) {
  for (const Mood mood : {Mood::kRefused, Mood::kSilent, Mood::kBusy, Mood::kFaulty}) {
    SCOPED_TRACE(static_cast<int>(mood));
    FailoverWorld world(5, 2);
    world.Start();
    world.RunFor(Seconds(60));
    world.moods = {mood, mood};
    const MonoTime from = world.clock.mono;
    std::array<size_t, 2> knocks = {world.transport_of(0).knocks, world.transport_of(1).knocks};
    world.RunFor(Seconds(3600));
    for (size_t n = 0; n < 2; ++n) {
      EXPECT_LE(world.BusiestMinute(n, from), 14u) << n;
      EXPECT_LE(world.BusiestMinute(n, from + Seconds(1200)), 6u) << n;
      EXPECT_LE(world.transport_of(n).knocks - knocks[n], 3600u / 2);
    }
  }
}

TEST(Failover, OneTimeOutIsEnoughWhileAnotherIsHealthy) {
  FailoverWorld world(1, 2);
  world.Start();
  world.RunFor(Seconds(30));
  world.moods[0] = Mood::kSilent;
  const MonoTime from = world.clock.mono;
  world.RunFor(Seconds(25));
  EXPECT_EQ(world.where[Index(Signal::kMetrics)], 2u);
  size_t data = 0;
  for (const SimRequest& request : world.transport_of(0).requests) data += request.at >= from && !request.probe() ? 1 : 0;
  EXPECT_EQ(data, 1u);  // What came after went to the other.
  world.moods[0] = Mood::kUp;
  const MonoTime up = world.clock.mono;
  while (world.where[Index(Signal::kMetrics)] == 2 && world.clock.mono < up + Seconds(600)) world.RunFor(Seconds(1));
  const Duration took = world.clock.mono - up;
  EXPECT_GE(took, Seconds(30));
  EXPECT_LE(took, Seconds(30 + 20 + 5));  // failback, a pause, a cycle.
  ExpectAllArrived(world);
}

TEST(Failover, AWrongPathForLogsLeavesMetricsWhereTheyAre) {
  FailoverWorld world(1, 2);
  world.moods[0] = Mood::kWrongPath;
  world.Start();
  world.RunFor(Seconds(600));
  EXPECT_EQ(world.where[Index(Signal::kMetrics)], 1u);
  EXPECT_EQ(world.where[Index(Signal::kLogs)], 2u);
  EXPECT_EQ(world.switches[Index(Signal::kMetrics)], 0u);
  EXPECT_EQ(world.switches[Index(Signal::kLogs)], 0u);
  EXPECT_TRUE(world.Look().health.ok);
  ExpectAllArrived(world);
}

TEST(Failover, AProbeIsNotRepeatedWithoutAPause) {
  // Down, then up but failing; and a path that is wrong for everything.
  for (const int status : {500, 404}) {
    SCOPED_TRACE(status);
    FailoverWorld world(1, 2);
    world.respond_at = [&](size_t n, const SimRequest& request) {
      if (n == 0 && world.moods[0] == Mood::kFaulty) {
        world.vain[0].push_back(world.clock.mono);
        return SimAnswer{.status = status};
      }
      return world.Respond(n, request);
    };
    world.Start();
    world.RunFor(Seconds(20));
    if (status == 500) {
      world.moods[0] = Mood::kRefused;
      world.RunFor(Seconds(60));
    }
    world.moods[0] = Mood::kFaulty;
    world.RunFor(Seconds(1200));
    EXPECT_LE(world.VainestMinute(0), 20u);
    EXPECT_EQ(world.where[Index(Signal::kMetrics)], 2u);
    world.moods[0] = Mood::kUp;
    world.RunFor(Seconds(900));
    EXPECT_EQ(world.where[Index(Signal::kMetrics)], 1u);
    EXPECT_EQ(world.where[Index(Signal::kLogs)], 1u);
  }
}

TEST(Failover, AnIdleFallbackThatCameBackIsLeftAlone) {
  FailoverWorld world(1, 2);
  world.Start();
  world.RunFor(Seconds(20));
  world.moods = {Mood::kRefused, Mood::kRefused};
  world.RunFor(Seconds(120));
  world.moods = {Mood::kUp, Mood::kUp};
  world.RunFor(Seconds(900));
  const size_t requests = world.asked[1].size();
  world.RunFor(Seconds(3600));
  EXPECT_EQ(world.asked[1].size(), requests);
  EXPECT_EQ(world.Look().destinations[1].breaker, BreakerState::kClosed);
}

TEST(Failover, AReturnThatFailsMakesTheNextOneLater) {
  FailoverWorld world(1, 2);
  world.moods[0] = Mood::kLying;
  world.Start();
  world.RunFor(Seconds(3600));
  size_t tried = 0;
  for (const SimRequest& r : world.transport.requests) tried += r.probe() ? 0 : 1;
  EXPECT_LE(tried, 14u);
  EXPECT_GE(tried, 5u);
}

TEST(Failover, EqualOnesTakeTurns) {
  FailoverWorld world(1, 3);
  for (DestinationConfig& d : std::span(world.config.destinations).first(3)) d.priority = 1;
  world.Start();
  world.RunFor(Seconds(600));
  for (size_t n = 0; n < 3; ++n) {
    size_t metrics = 0;
    for (const SimRequest& r : world.transport_of(n).requests) metrics += r.signal == Signal::kMetrics ? 1 : 0;
    EXPECT_NEAR(static_cast<double>(metrics), 60 / 3, 2);
  }
  world.moods[1] = Mood::kRefused;
  world.RunFor(Seconds(600));
  ExpectAllArrived(world);
}

TEST(Failover, AChangedNetworkEndsThePauses) {
  FailoverWorld world(1, 1);
  world.Start();
  world.RunFor(Seconds(20));
  world.moods[0] = Mood::kRefused;
  world.RunFor(Seconds(1800));
  world.moods[0] = Mood::kUp;
  world.transport.open = [] { return false; };
  const MonoTime from = world.clock.mono;
  world.agent->OnNetworkChange(from);
  while (world.agent->held(Signal::kMetrics).memory > 0 && world.clock.mono < from + Seconds(600)) {
    world.RunFor(Milliseconds(100));
  }
  EXPECT_LE(world.clock.mono - from, Seconds(10));  // breaker.open, at random, and all that was held.
  EXPECT_EQ(world.transport.renewals, 1u);
}

}  // namespace
}  // namespace limpet::sim
