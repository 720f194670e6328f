// The source of numbered lines: each number once, in order, at its time, however it is called.
#include "generator/line_generator.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "sim/agent_world.h"
#include "sink/items.h"

namespace limpet {
namespace {

struct Line {
  uint64_t number = 0, time = 0;
  std::string body;
};

struct Lines final : ItemHandler {
  void OnResource(const Origin&, size_t) override {}
  void OnLog(const Origin&, const LogView& log) override {
    Line line{.number = 0, .time = log.time_ns, .body = {}};
    log.attributes.ForEach([&](const KeyValueView& pair) {
      if (pair.key == "line") line.number = ReadAnyValue(pair.value).bits;
    });
    const MessageBytes text = ReadAnyValue(log.body).bytes;
    line.body.assign(reinterpret_cast<const char*>(text.data()), text.size());
    lines.push_back(std::move(line));
  }
  void OnPoint(const Origin&, const MetricView&, const PointView&) override {}
  void OnSpan(const Origin&, const SpanView&) override {}
  bool Enough() const override { return false; }

  std::vector<Line> lines;
};

std::vector<Line> LinesOf(const sim::SimTransport& transport) {
  Lines found;
  for (const sim::SimRequest& request : transport.requests) {
    if (request.signal != Signal::kLogs) continue;
    const std::vector<uint8_t> raw =
        request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body;
    EXPECT_TRUE(ValidateExportRequest(Signal::kLogs, raw).ok());
    ForEachItem(Signal::kLogs, raw, found);
  }
  return found.lines;
}

void ExpectNumbersFrom(uint64_t first, const std::vector<Line>& lines) {
  for (size_t i = 0; i < lines.size(); ++i) ASSERT_EQ(lines[i].number, first + i);
}

TEST(LineGenerator, ALineFollowsFromItsNumber) {
  std::array<char, LineGenerator::kLineBytes> one, same, other;
  const std::string_view line = LineGenerator::WriteLine(123, one);
  EXPECT_EQ(line.size(), LineGenerator::kLineBytes);
  EXPECT_EQ(line.substr(0, 15), "line 000000123 ");
  EXPECT_EQ(line, LineGenerator::WriteLine(123, same));
  EXPECT_NE(line.substr(15), LineGenerator::WriteLine(124, other).substr(15));
}

TEST(LineGenerator, WritesEachNumberOnceAtItsTime) {
  for (const uint32_t rate : {1u, 3u, 200u, 1000u}) {
    SCOPED_TRACE(rate);
    sim::AgentWorld world;
    LineGenerator generator(rate, 1000);
    world.extra = &generator;
    const UnixTime start = world.clock.Wall();
    world.poller.lateness = [&] {
      return Milliseconds(static_cast<int64_t>(world.random.Next() % 400));
    };
    world.Start();
    world.RunFor(Seconds(20));
    world.StopAndDrain();
    const std::vector<Line> lines = LinesOf(world.transport);
    EXPECT_GE(lines.size(), 19 * rate);
    EXPECT_LE(lines.size(), 21 * rate);
    ExpectNumbersFrom(1000, lines);
    for (size_t i = 0; i < lines.size(); ++i) {
      const int64_t due = start.ns + static_cast<int64_t>(i) * 1'000'000'000 / rate;
      ASSERT_NEAR(static_cast<double>(lines[i].time) - static_cast<double>(due), 0, 1);
    }
    EXPECT_EQ(world.agent->ledger().account(Signal::kLogs).delivered, lines.size());
  }
}

TEST(LineGenerator, WaitsWhileSourcesArePaused) {
  sim::AgentWorld world;
  LineGenerator generator(2000, 1);
  world.extra = &generator;
  world.config.spool.overflow = Overflow::kPauseSources;
  world.config.host.present = false;
  world.queue_blocks = 700;
  const MonoTime back = world.clock.mono + Seconds(60);
  world.respond = [&](const sim::SimRequest& request) {
    return sim::SimAnswer{.status = request.at < back ? 503 : 200};
  };
  world.Start();
  world.RunFor(Seconds(30));
  const uint64_t held = world.agent->held(Signal::kLogs).total();
  world.RunFor(Seconds(10));
  EXPECT_EQ(world.agent->held(Signal::kLogs).total(), held);  // Full, and nothing more comes.
  world.RunFor(Seconds(60));
  world.StopAndDrain();
  EXPECT_EQ(world.agent->ledger().account(Signal::kLogs).dropped_total(), 0u);
  world.transport.requests.erase(
      std::remove_if(world.transport.requests.begin(), world.transport.requests.end(),
                     [&](const sim::SimRequest& request) { return request.at < back; }),
      world.transport.requests.end());
  const std::vector<Line> lines = LinesOf(world.transport);
  EXPECT_GE(lines.size(), 99u * 2000);  // And it has caught up.
  ExpectNumbersFrom(1, lines);
}

TEST(LineGenerator, CompressesAsRealLogsDo) {
  sim::AgentWorld world;
  LineGenerator generator(1000, 1);
  world.extra = &generator;
  world.config.queue.batch_items = 4096;
  world.Start();
  world.RunFor(Seconds(3));
  size_t raw = 0, stored = 0;
  for (const sim::SimRequest& request : world.transport.requests) {
    if (request.signal != Signal::kLogs) continue;
    stored += request.body.size();
    raw += Inflate(request.body).size();
  }
  EXPECT_GE(raw, 6 * stored);
  EXPECT_LE(raw, 10 * stored);
}

}  // namespace
}  // namespace limpet
