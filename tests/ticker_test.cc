// Ticks stand on boot time: no drift, no burst after a suspend.
#include "clock/ticker.h"

#include <gtest/gtest.h>

namespace limpet {
namespace {

constexpr MonoTime At(int64_t ms) { return {Milliseconds(ms).ns}; }

TEST(Ticker, Cases) {
  // One row for each moment it is asked, with an interval of 10 s and a start at 103 s after boot.
  struct Case {
    const char* name;
    int64_t now_ms;
    bool tick;
    int64_t delay_ms;
    uint64_t missed;
    int64_t next_ms;
  };
  constexpr Case cases[] = {
      {"the first at once", 103'000, true, 0, 0, 110'000},
      {"not yet", 109'999, false, 0, 0, 110'000},
      {"on time", 110'000, true, 0, 0, 120'000},
      {"late: the next is not shifted", 120'250, true, 250, 0, 130'000},
      {"late by nearly the interval", 139'999, true, 9'999, 0, 140'000},
      {"late by the interval: one is missed", 150'000, true, 10'000, 1, 160'000},
      {"just after", 150'001, false, 0, 0, 160'000},
      {"an hour of suspend: one cycle", 160'000 + 3'600'500, true, 3'600'500, 360, 3'770'000},
      {"and back in step", 3'770'000, true, 0, 0, 3'780'000},
  };
  Ticker ticker(Seconds(10), At(103'000));
  EXPECT_EQ(ticker.due(), At(103'000));
  uint64_t missed = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const std::optional<Ticker::Tick> got = ticker.Take(At(c.now_ms));
    ASSERT_EQ(got.has_value(), c.tick);
    EXPECT_EQ(ticker.due(), At(c.next_ms));
    if (!got) continue;
    missed += c.missed;
    EXPECT_EQ(got->delay, Milliseconds(c.delay_ms));
    EXPECT_EQ(got->due, At(c.now_ms - c.delay_ms));
    EXPECT_EQ(got->missed, c.missed);
    EXPECT_EQ(ticker.missed(), missed);
  }
}

TEST(Ticker, FirstTickTakenLate) {
  Ticker ticker(Seconds(1), At(1'500));
  const std::optional<Ticker::Tick> got = ticker.Take(At(4'200));
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->delay, Milliseconds(2'700));
  EXPECT_EQ(got->missed, 3u);  // 2 s, 3 s, 4 s.
  EXPECT_EQ(ticker.due(), At(5'000));
}

TEST(Ticker, StartOnAMultipleIsNotTakenTwice) {
  Ticker ticker(Seconds(10), At(20'000));
  ASSERT_TRUE(ticker.Take(At(20'000)).has_value());
  EXPECT_EQ(ticker.due(), At(30'000));
}

TEST(Ticker, NeverDrifts) {
  Ticker ticker(Milliseconds(100), At(0));
  MonoTime now = At(0);
  for (int64_t i = 0; i < 10'000; ++i) {
    now = ticker.due() + Milliseconds(i % 90);  // Always late, each time by something else.
    ASSERT_TRUE(ticker.Take(now).has_value());
    ASSERT_EQ(ticker.due(), At((i + 1) * 100));
  }
  EXPECT_EQ(ticker.missed(), 0u);
}

TEST(Ticker, MeasuresDelays) {
  Ticker ticker(Seconds(10), At(0));
  for (const int64_t now_ms : {0, 10'002, 20'700, 70'000}) {
    ASSERT_TRUE(ticker.Take(At(now_ms)).has_value());
  }
  const auto& delay = ticker.delay();
  EXPECT_NEAR(delay.sum(), 0.002 + 0.7 + 40, 1e-9);
  uint64_t count = 0;
  for (const uint64_t bucket : delay.buckets()) count += bucket;
  EXPECT_EQ(count, 4u);
  EXPECT_EQ(delay.buckets().front(), 1u);
  EXPECT_EQ(delay.buckets().back(), 1u);
}

}  // namespace
}  // namespace limpet
