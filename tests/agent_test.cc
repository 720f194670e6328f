// The collect-queue-deliver path in virtual time: the real core, real encoder, real compressor.
#include <gtest/gtest.h>

#include "sim/agent_world.h"

namespace limpet::sim {
namespace {

void ExpectNothingBroken(const AgentWorld& world) {
  EXPECT_TRUE(world.checker.broken().empty()) << world.checker.broken().front();
  // More may have arrived only where a stop did not wait for the answer any longer.
  const uint64_t counted = world.metrics().delivered + world.metrics().rejected;
  EXPECT_GE(world.checker.points(), counted);
  EXPECT_LE(world.checker.points() - counted,
            world.metrics().dropped[static_cast<size_t>(DropReason::kShutdown)]);
}

TEST(Agent, ADayOfThirtyPointsEachTenSeconds) {
  AgentWorld world;
  world.Start();
  world.RunFor(Seconds(86400));
  world.StopAndDrain();
  ExpectNothingBroken(world);
  const uint64_t cycles = world.Look().sources[0].collected->cycles;
  // The first at start, then one at each multiple of ten seconds.
  EXPECT_EQ(cycles, 8640u);
  EXPECT_GE(world.metrics().collected, 30 * cycles);
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
  EXPECT_EQ(world.transport.requests.size(), cycles);
  EXPECT_EQ(world.log.Count("error"), 0u);
  RecordProperty("points", std::to_string(world.metrics().collected));
}

TEST(Agent, CyclesKeepTheirTimesThroughAnOutage) {
  AgentWorld world;
  MonoTime down_until{};
  world.respond = [&](const SimRequest&) {
    return world.clock.mono < down_until
               ? SimAnswer{.sent = Sent::kNotSent, .error = "connection refused"}
               : SimAnswer{};
  };
  world.Start();
  down_until = world.clock.mono + Seconds(3600);
  world.RunFor(Seconds(3600));
  EXPECT_EQ(world.metrics().delivered, 0u);
  EXPECT_EQ(world.Look().destinations[0].breaker, BreakerState::kOpen);
  EXPECT_EQ(world.Look().health.delivery, "degraded");
  EXPECT_TRUE(world.Look().health.ok);
  EXPECT_GT(world.Look().queue.oldest, Seconds(3590));
  // Nobody hammers a dead destination: open_max is two minutes.
  EXPECT_LT(world.transport.requests.size(), 3600u / 60 + 20);
  world.RunFor(Seconds(600));
  EXPECT_EQ(world.Look().health.delivery, "ok");
  EXPECT_EQ(world.agent->queue().batches(), 0u);
  world.StopAndDrain();
  ExpectNothingBroken(world);
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
  EXPECT_EQ(world.log.Count("delivery fails"), 1u);
  EXPECT_EQ(world.log.Count("delivery works again"), 1u);
}

// Seeded weather: every kind of answer, late ticks, clock steps, a tiny queue. Whatever happens,
// the account balances after each event, order and times hold, and a key keeps its bytes.
TEST(Agent, SeededWeather) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    AgentWorld world(seed);
    std::mt19937_64 weather(seed);
    world.config.spool.overflow = static_cast<Overflow>(seed / 3 % 3);
    // Sources pause while two full batches have no room, so the tiny queue is for the others.
    const bool pausing = world.config.spool.overflow == Overflow::kPauseSources;
    world.queue_blocks = seed % 3 == 0 && !pausing ? 12 : 400;
    if (pausing) world.config.queue.batch_bytes = 16 * 1024;
    world.config.self.interval = seed % 2 == 0 ? Seconds(60) : Duration{};
    world.config.destinations[0].gzip = seed % 5 != 0;
    int spell = 0;  // The same answer for a while, as real outages are.
    SimAnswer now;
    world.respond = [&](const SimRequest&) {
      if (spell-- <= 0) {
        spell = static_cast<int>(weather() % 6);
        now = {};
        now.delay = Milliseconds(static_cast<int64_t>(weather() % 3000));
        switch (weather() % 12) {
          case 0: now.status = 503; break;
          case 1: now.status = 429, now.retry_after = "20"; break;
          case 2: now.status = 400; break;
          case 3: now.status = 401; break;
          case 4: now.status = 500; break;
          case 5: now.sent = Sent::kUnknown, now.error = "connection lost"; break;
          case 6: now.sent = Sent::kNotSent, now.error = "connection refused"; break;
          case 7: now.refuse_memory = true; break;
          case 8:  // Partial success: 3 rejected, and a message.
            now.body = {0x0a, 0x06, 0x08, 0x03, 0x12, 0x02, 'n', 'o'};
            break;
          default: break;
        }
      }
      return now;
    };
    world.poller.lateness = [&] {
      return weather() % 50 == 0 ? Milliseconds(static_cast<int64_t>(weather() % 40000))
                                 : Duration{};
    };
    world.Start();
    world.RunFor(Seconds(7200));
    if (seed % 7 == 0) world.files.contents.erase("/proc/meminfo");
    world.RunFor(Seconds(1800));
    world.StopAndDrain();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    ExpectNothingBroken(world);
    const Account& account = world.metrics();
    EXPECT_GT(account.collected, 1'000u);
    if (pausing) { EXPECT_EQ(account.dropped[static_cast<size_t>(DropReason::kOverflow)], 0u); }
    EXPECT_GT(account.delivered, 0u);
    EXPECT_EQ(account.collected, account.delivered + account.rejected + account.dropped_total());
  }
}

TEST(Agent, TicksAreAlignedToBootTimeAndNeverDrift) {
  AgentWorld world;
  world.clock.mono = MonoTime{} + Milliseconds(123'456);
  world.poller.lateness = [] { return Milliseconds(3); };
  std::vector<MonoTime> at;
  world.respond = [&](const SimRequest& request) {
    at.push_back(request.at);
    return SimAnswer{};
  };
  world.Start();
  world.RunFor(Seconds(100));
  ASSERT_GE(at.size(), 10u);
  for (size_t i = 1; i < at.size(); ++i) {
    EXPECT_EQ(at[i].ns % Seconds(10).ns, Milliseconds(3).ns);
  }
  EXPECT_EQ(world.Look().tick_delay.count(), at.size());
}

TEST(Agent, AClockStepIsSeenAndStampsStayTrue) {
  AgentWorld world;
  std::vector<int64_t> times;
  world.respond = [&](const SimRequest& request) {
    times.push_back(ReadPoints(Inflate(request.body)).at(0).time);
    return SimAnswer{};
  };
  world.Start();
  world.RunFor(Seconds(60));
  world.clock.wall_offset = world.clock.wall_offset + Seconds(3600);
  world.RunFor(Seconds(60));
  EXPECT_EQ(world.Look().clock.steps, 1u);
  EXPECT_EQ(world.log.Count("the clock was stepped"), 1u);
  EXPECT_GT(times.back() - times.front(), Seconds(3600).ns);
  EXPECT_TRUE(world.checker.broken().empty());  // One start time per boot, step or not.
}

TEST(Agent, RefusedTwiceIsDroppedTheThirdIsHeldUntilItIsSetRight) {
  AgentWorld world;
  int status = 400;
  world.respond = [&](const SimRequest&) { return SimAnswer{.status = status}; };
  world.Start();
  world.RunFor(Seconds(300));
  const uint64_t cycle = world.metrics().collected / world.Look().sources[0].collected->cycles;
  EXPECT_EQ(world.metrics().dropped[static_cast<size_t>(DropReason::kRefused)], 2 * cycle);
  EXPECT_EQ(world.agent->held(Signal::kMetrics).total(), world.metrics().collected - 2 * cycle);
  EXPECT_TRUE(world.Look().destinations[0].misconfigured);
  EXPECT_FALSE(world.Look().health.ok);
  // Said once when it begins and once when it ends, however often it is tried in between.
  EXPECT_EQ(world.log.Count("refuses everything"), 1u);
  EXPECT_EQ(world.log.Count("given a rest"), 1u);
  status = 200;
  world.RunFor(Seconds(200));
  EXPECT_EQ(world.log.Count("delivery works again"), 1u);
  EXPECT_EQ(world.log.Count("failed_attempts=1 "), 0u);
  EXPECT_TRUE(world.Look().health.ok);
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected - 2 * cycle);
  EXPECT_TRUE(world.checker.broken().empty());
}

TEST(Agent, OwnMetricsWithoutATakerStayLocal) {
  AgentWorld world;
  world.config.host.present = false;
  world.config.self.interval = Seconds(10);
  world.config.destinations[0].signals = SignalSet{1} << Index(Signal::kLogs);
  world.Start();
  world.RunFor(Seconds(600));
  EXPECT_EQ(world.metrics().collected, 0u);
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_EQ(world.clock.mono, asked);
}

TEST(Agent, ABootBefore1970IsNotSentAsAFarFuture) {
  AgentWorld world;
  world.clock.wall_offset = Duration{} - Seconds(60);  // Wall time 40 s, 100 s after boot.
  size_t points = 0;
  world.respond = [&](const SimRequest& request) {
    for (const SeenPoint& point : ReadPoints(Inflate(request.body))) {
      if (point.time == 0) continue;  // A histogram.
      EXPECT_GE(point.start, 0);
      EXPECT_LE(point.start, point.time);
      ++points;
    }
    return SimAnswer{};
  };
  world.Start();
  world.RunFor(Seconds(30));
  EXPECT_GT(points, 30u);
  EXPECT_TRUE(world.checker.broken().empty());
}

TEST(Agent, APauseOfARetryIsNoStall) {
  AgentWorld world;
  world.config.retry.initial = world.config.retry.max = Seconds(240);
  world.config.retry.jitter = 0;
  world.config.destinations[0].breaker_failures = 100;
  world.respond = [](const SimRequest&) { return SimAnswer{.status = 503}; };
  world.Start();
  world.RunFor(Seconds(715));  // Three pauses of four minutes are 720 s.
  EXPECT_TRUE(world.Look().health.ok) << world.Look().health.reasons[0];
  EXPECT_EQ(world.Look().health.delivery, "degraded");
}

TEST(Agent, MisconfiguredAndFaultyAreHeldAtTheBreakersPace) {
  for (const int status : {401, 403, 404, 301, 500, 501}) {
    SCOPED_TRACE(status);
    AgentWorld world;
    int answer = status;
    world.respond = [&](const SimRequest&) { return SimAnswer{.status = answer}; };
    world.Start();
    world.RunFor(Milliseconds(100));
    EXPECT_EQ(world.Look().destinations[0].breaker, BreakerState::kOpen);
    EXPECT_EQ(world.Look().health.ok, status >= 500);
    EXPECT_GE(world.Look().destinations[0].next_attempt_in, Milliseconds(4900));
    world.RunFor(Seconds(1200));
    EXPECT_LT(world.transport.requests.size(), 20u);
    EXPECT_EQ(world.metrics().dropped_total(), 0u);
    answer = 200;
    world.RunFor(Seconds(300));
    EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
    EXPECT_TRUE(world.checker.broken().empty());
  }
}

TEST(Agent, RetryAfterIsAFloor) {
  AgentWorld world;
  world.config.self.interval = {};
  bool first = true;
  world.respond = [&](const SimRequest&) {
    SimAnswer answer;
    if (first) answer = {.status = 503, .retry_after = "77"};
    first = false;
    return answer;
  };
  world.Start();
  world.RunFor(Seconds(120));
  ASSERT_GE(world.transport.requests.size(), 2u);
  EXPECT_GE(world.transport.requests[1].at - world.transport.requests[0].at, Seconds(77));
  EXPECT_LT(world.transport.requests[1].at - world.transport.requests[0].at, Seconds(78));
}

TEST(Agent, AnAnswerThatNeverComesIsNotOurs) {
  // A transport gives up by itself; until then the account holds and collection goes on.
  AgentWorld world;
  world.respond = [](const SimRequest&) { return SimAnswer{.delay = Seconds(1'000'000)}; };
  world.Start();
  world.RunFor(Seconds(600));
  EXPECT_EQ(world.transport.requests.size(), 1u);
  EXPECT_EQ(world.Look().sources[0].collected->cycles, 60u);
  EXPECT_TRUE(world.Look().destinations[0].in_flight);
  // Nor is its batch when the time for a stop is up: abandoned, and counted like the rest.
  world.StopAndDrain();
  EXPECT_EQ(world.transport.requests.size(), 1u);
  EXPECT_EQ(world.metrics().dropped[static_cast<size_t>(DropReason::kShutdown)],
            world.metrics().collected);
  EXPECT_EQ(world.log.Count("what was held is dropped"), 1u);
}

TEST(Agent, AStopTriesOnceWhenRetryAfterWouldOutlastIt) {
  AgentWorld world;
  bool first = true;
  world.respond = [&](const SimRequest&) {
    SimAnswer answer;
    if (first) answer = {.status = 503, .retry_after = "300"};
    first = false;
    return answer;
  };
  world.Start();
  world.RunFor(Seconds(60));
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_LT(world.clock.mono - asked, Seconds(1));
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
}

TEST(Agent, AStopKeepsTheDestinationsRetryAfter) {
  AgentWorld world;
  world.config.agent.shutdown_timeout = Seconds(60);
  bool first = true;
  world.respond = [&](const SimRequest&) {
    SimAnswer answer;
    if (first) answer = {.status = 503, .retry_after = "40"};
    first = false;
    return answer;
  };
  world.Start();
  world.RunFor(Seconds(5));
  world.StopAndDrain();
  ASSERT_EQ(world.transport.requests.size(), 2u);
  EXPECT_GE(world.transport.requests[1].at - world.transport.requests[0].at, Seconds(40));
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
}

TEST(Agent, StopDropsWhatIsLeftWhenTimeIsUp) {
  AgentWorld world;
  world.respond = [](const SimRequest&) { return SimAnswer{.sent = Sent::kNotSent}; };
  world.Start();
  world.RunFor(Seconds(100));
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_EQ(world.clock.mono - asked, Seconds(30));
  EXPECT_EQ(world.metrics().dropped[static_cast<size_t>(DropReason::kShutdown)],
            world.metrics().collected);
  EXPECT_TRUE(world.agent->Balances());
}

TEST(Agent, StopDeliversWhatItCanAndASecondOneEndsAtOnce) {
  AgentWorld world;
  bool up = false;
  world.respond = [&](const SimRequest&) {
    return up ? SimAnswer{} : SimAnswer{.sent = Sent::kNotSent};
  };
  world.Start();
  world.RunFor(Seconds(200));
  up = true;
  const MonoTime asked = world.clock.mono;
  world.StopAndDrain();
  EXPECT_LT(world.clock.mono - asked, Seconds(1));
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);

  AgentWorld second;
  second.respond = [](const SimRequest&) { return SimAnswer{.sent = Sent::kNotSent}; };
  second.Start();
  second.RunFor(Seconds(50));
  second.agent->Stop(second.clock.mono);
  second.Turn();
  EXPECT_FALSE(second.agent->stopped());
  second.agent->Stop(second.clock.mono);
  second.Turn();
  EXPECT_TRUE(second.agent->stopped());
}

TEST(Agent, PauseSourcesCollectsNothingThatCannotBeKept) {
  AgentWorld world;
  world.queue_blocks = 400;
  world.config.queue.batch_bytes = 16 * 1024;
  world.config.spool.overflow = Overflow::kPauseSources;
  bool up = false;
  world.respond = [&](const SimRequest&) {
    return up ? SimAnswer{} : SimAnswer{.sent = Sent::kNotSent};
  };
  world.Start();
  world.RunFor(Seconds(7200));
  EXPECT_GT(world.Look().sources[0].collected->skipped, 100u);
  up = true;
  world.RunFor(Seconds(300));
  EXPECT_EQ(world.metrics().dropped_total(), 0u);
  EXPECT_EQ(world.metrics().delivered, world.metrics().collected);
  ExpectNothingBroken(world);
}

TEST(Agent, SourcesThatFailAreSaidInHealthAfterThreeCycles) {
  AgentWorld world;
  world.files.contents.clear();
  world.Start();
  world.RunFor(Seconds(5));
  EXPECT_TRUE(world.Look().health.ok);
  EXPECT_TRUE(world.Look().health.ready);
  world.RunFor(Seconds(30));
  EXPECT_FALSE(world.Look().health.ok);
  EXPECT_NE(world.Look().health.reasons[0].find("/proc/"), std::string_view::npos)
      << world.Look().health.reasons[0];
  FillHost(world.files);
  world.RunFor(Seconds(10));
  EXPECT_TRUE(world.Look().health.ok);
}

TEST(Agent, AHostWithoutAnyOfTheGroupsIsSaidSo) {
  AgentWorld world;
  world.config.host.groups = Bit(HostGroup::kPressure);  // The files of FillHost have none.
  world.Start();
  world.RunFor(Seconds(35));
  EXPECT_FALSE(world.Look().health.ok);
  EXPECT_NE(world.Look().health.reasons[0].find("nothing of host.metrics"), std::string_view::npos)
      << world.Look().health.reasons[0];
}

TEST(Agent, StalledIsNoticedAfterFiveMinutes) {
  AgentWorld world;
  world.config.destinations[0].breaker_open_max = Seconds(20);
  world.respond = [](const SimRequest&) { return SimAnswer{.status = 500}; };
  world.Start();
  world.RunFor(Seconds(290));
  EXPECT_TRUE(world.Look().health.ok);
  world.RunFor(Seconds(20));
  EXPECT_FALSE(world.Look().health.ok);
  EXPECT_EQ(world.Look().health.delivery, "stalled");
}

// ---- The checker itself: each thing it guards, broken on purpose -----------------------------------

struct CheckerTest : testing::Test {
  static SimRequest Request(uint64_t sequence, int64_t time, int64_t start = 5) {
    std::array<uint8_t, 4096> slab;
    std::vector<uint64_t> arena(64 * 64);
    BatchQueue queue(std::as_writable_bytes(std::span(arena)));
    Ledger ledger;
    SimLog log;
    Batcher batcher({.items_max = 8, .bytes_max = 4000, .delay = {}, .boot = {}},
                    {std::span<uint8_t>(slab), {}, {}}, nullptr, {}, queue, ledger, log);
    MetricEncoder encoder(batcher, {}, "1");
    encoder.Start({UnixTime{time}, MonoTime{}}, UnixTime{start});
    encoder.Begin({"m", "1", Instrument::kCounter});
    encoder.Int(1);
    encoder.Finish();
    const auto bytes = batcher.writer(Signal::kMetrics).bytes();
    return {{}, Signal::kMetrics, Encoding::kIdentity, "i-0-metrics-" + std::to_string(sequence),
            {bytes.begin(), bytes.end()}};
  }
  std::string Broken() { return checker.broken().empty() ? "" : checker.broken().front(); }
  DeliveryChecker checker;
};

TEST_F(CheckerTest, AcceptsWhatIsRight) {
  checker.OnRequest(Request(1, 10), {.status = 503});
  checker.OnRequest(Request(1, 10), {});
  checker.OnRequest(Request(2, 20), {});
  EXPECT_EQ(Broken(), "");
  EXPECT_EQ(checker.points(), 2u);
}

TEST_F(CheckerTest, SeesChangedBytes) {
  checker.OnRequest(Request(1, 10), {.status = 503});
  checker.OnRequest(Request(1, 11), {.status = 503});
  EXPECT_EQ(Broken(), "bytes of a key changed");
}

TEST_F(CheckerTest, SeesARepeat) {
  checker.OnRequest(Request(1, 10), {});
  checker.OnRequest(Request(1, 10), {.status = 503});
  EXPECT_EQ(Broken(), "sent again after it was accepted");
}

TEST_F(CheckerTest, SeesDisorder) {
  checker.OnRequest(Request(2, 20), {});
  checker.OnRequest(Request(1, 30), {.status = 503});
  EXPECT_EQ(Broken(), "went back in order");
}

TEST_F(CheckerTest, SeesTimeGoingBack) {
  checker.OnRequest(Request(1, 20), {});
  checker.OnRequest(Request(2, 20), {});
  EXPECT_EQ(Broken(), "a series went back in time");
}

TEST_F(CheckerTest, SeesANewStart) {
  checker.OnRequest(Request(1, 20, 5), {});
  checker.OnRequest(Request(2, 30, 6), {});
  EXPECT_EQ(Broken(), "start time changed");
}

// Over restarts: the key has the process in it.
struct RestartTest : CheckerTest {
  static SimRequest Of(uint64_t process, uint64_t sequence, int64_t time) {
    SimRequest request = Request(sequence, time);
    request.key = "i-000000000000000" + std::to_string(process) + "-metrics-" + std::to_string(sequence);
    return request;
  }
  static SimRequest Line(uint64_t sequence, uint64_t number, int64_t observed) {
    std::array<uint8_t, 4096> slab;
    std::vector<uint64_t> arena(64 * 64);
    BatchQueue queue(std::as_writable_bytes(std::span(arena)));
    Ledger ledger;
    SimLog log;
    Batcher batcher({.items_max = 8, .bytes_max = 4000, .delay = {}, .boot = {}},
                    {std::span<uint8_t>(), slab, {}}, nullptr, {}, queue, ledger, log);
    LogEncoder encoder(batcher, "1");
    encoder.Begin({}, {UnixTime{observed}, MonoTime{}});
    const Attribute attribute{"line", number};
    encoder.Record({.body = "text", .attributes = {&attribute, 1}});
    encoder.Finish();
    const auto bytes = batcher.writer(Signal::kLogs).bytes();
    return {{}, Signal::kLogs, Encoding::kIdentity,
            "i-0000000000000001-logs-" + std::to_string(sequence), {bytes.begin(), bytes.end()}};
  }
  void SetUp() override { checker.OnStart(1); }
};

TEST_F(RestartTest, AcceptsWhatIsRight) {
  checker.OnRequest(Of(1, 1, 10), {});
  checker.OnCommit(1);
  checker.OnRequest(Of(1, 2, 20), {});
  checker.OnRequest(Of(1, 3, 30), {.status = 503});
  checker.OnEnd();
  checker.OnStart(2);
  checker.OnRequest(Of(1, 2, 20), {});  // Its acknowledgement was not committed.
  checker.OnRequest(Of(1, 3, 30), {});
  checker.OnRequest(Of(2, 1, 40), {});
  checker.OnRequest(Line(1, 1, 40), {});
  checker.OnRequest(Line(2, 2, 40), {});
  EXPECT_EQ(Broken(), "");
  EXPECT_EQ(checker.points(), 4u);
  EXPECT_EQ(checker.repeats(), 1u);
  EXPECT_EQ(checker.lines(), 2u);
  EXPECT_EQ(checker.last_line(), 2u);
}

TEST_F(RestartTest, SeesARepeatOfWhatWasCommitted) {
  checker.OnRequest(Of(1, 1, 10), {});
  checker.OnCommit(1);
  checker.OnEnd();
  checker.OnStart(2);
  checker.OnRequest(Of(1, 1, 10), {});
  EXPECT_EQ(Broken(), "sent again after it was accepted");
}

TEST_F(RestartTest, SeesASecondRepeat) {
  checker.OnRequest(Of(1, 1, 10), {});
  checker.OnEnd();
  checker.OnStart(2);
  checker.OnCommit(1);  // Of another process: it knows nothing of that acknowledgement.
  checker.OnEnd();
  checker.OnStart(3);
  checker.OnRequest(Of(1, 1, 10), {});
  EXPECT_EQ(Broken(), "");
  checker.OnRequest(Of(1, 1, 10), {});
  EXPECT_EQ(Broken(), "sent again after it was accepted");
}

TEST_F(RestartTest, AcceptsARepeatOfWhatWasNotAnswered) {
  checker.OnRequest(Of(1, 1, 10), {});
  checker.OnAnswerLost();
  checker.OnCommit(1);
  checker.OnRequest(Of(1, 1, 10), {});
  EXPECT_EQ(Broken(), "");
  checker.OnAnswerLost();
  checker.OnRequest(Of(1, 1, 10), {});
  checker.OnRequest(Of(1, 1, 10), {});
  EXPECT_EQ(Broken(), "sent again after it was accepted");
}

TEST_F(RestartTest, SeesTheOldOvertakenByTheNew) {
  checker.OnStart(2);
  checker.OnRequest(Of(2, 1, 20), {});
  checker.OnRequest(Of(1, 7, 30), {.status = 503});
  EXPECT_EQ(Broken(), "went back in order");
}

TEST_F(RestartTest, SeesABatchThatNobodyMade) {
  checker.OnRequest(Of(3, 1, 10), {});
  EXPECT_EQ(Broken(), "a batch that nobody made");
}

TEST_F(RestartTest, SeesALineTwice) {
  checker.OnRequest(Line(1, 5, 40), {});
  checker.OnRequest(Line(2, 5, 50), {});
  EXPECT_EQ(Broken(), "a line came twice or too late");
}

TEST_F(RestartTest, SeesLogsGoingBack) {
  checker.OnRequest(Line(1, 5, 40), {});
  checker.OnRequest(Line(2, 6, 30), {});
  EXPECT_EQ(Broken(), "logs went back in time");
}

TEST_F(RestartTest, SeesAnotherText) {
  checker.line_is = [](uint64_t, std::string_view text) { return text == "other"; };
  checker.OnRequest(Line(1, 5, 40), {});
  EXPECT_EQ(Broken(), "not the text of the line");
}

}  // namespace
}  // namespace limpet::sim
