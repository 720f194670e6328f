// Steps and trust of the wall clock.
#include <vector>

#include <gtest/gtest.h>

#include "clock/reading.h"
#include "clock/step_detector.h"
#include "clock/trust.h"

namespace limpet {
namespace {

TEST(StepDetector, Cases) {
  // One row for each reading; times in ms, the threshold is 500 ms.
  struct Case {
    const char* name;
    int64_t mono_ms, wall_ms;
    int64_t step_ms;  // 0 = none.
  };
  constexpr Case cases[] = {
      {"the first reading is the base", 0, 1'000'000, 0},
      {"both went on", 10'000, 1'010'000, 0},
      {"slewed by 5 ms", 20'000, 1'020'005, 0},
      {"on the threshold", 30'000, 1'030'505, 0},
      {"beyond it", 40'000, 1'041'006, 501},
      {"and the new offset is the base", 50'000, 1'051'006, 0},
      {"backwards on the threshold", 60'000, 1'060'506, 0},
      {"backwards beyond it", 70'000, 1'070'005, -501},
      {"set by an hour", 80'000, 4'680'005, 3'600'000},
      {"a long suspend is none, both count it", 9'000'000, 13'600'005, 0},
      {"set before 1970", 9'010'000, -5'000, -13'615'005},
  };
  StepDetector detector(Milliseconds(500));
  uint64_t steps = 0;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const ClockReading reading{{Milliseconds(c.mono_ms).ns}, {Milliseconds(c.wall_ms).ns}};
    const std::optional<Duration> step = detector.Observe(reading);
    ASSERT_EQ(step.has_value(), c.step_ms != 0);
    if (step) {
      ++steps;
      EXPECT_EQ(*step, Milliseconds(c.step_ms));
    }
    EXPECT_EQ(detector.steps(), steps);
  }
}

TEST(StepDetector, SlewingForADayIsNoStep) {
  StepDetector detector(Milliseconds(500));
  for (int64_t s = 0; s < 86'400; s += 10) {  // 500 ppm: 43 s in a day.
    EXPECT_FALSE(detector.Observe({{Seconds(s).ns}, {Seconds(s).ns + s * 500'000}}).has_value());
  }
}

TEST(JudgeClock, Cases) {
  enum Kernel { kSynchronized, kUnsynchronized, kSilent };
  struct Case {
    const char* name;
    int64_t wall_s;
    Kernel kernel;
    bool other_evidence;
    ClockTrust trust;
  };
  constexpr Case cases[] = {
      {"synchronized", 2'000, kSynchronized, false, ClockTrust::kTrusted},
      {"not synchronized", 2'000, kUnsynchronized, false, ClockTrust::kUnsynchronized},
      {"not, but a server agrees", 2'000, kUnsynchronized, true, ClockTrust::kTrusted},
      {"the kernel does not tell", 2'000, kSilent, false, ClockTrust::kTrusted},
      {"at the border it counts as set", 1'000, kSynchronized, false, ClockTrust::kTrusted},
      {"just before it", 999, kSynchronized, false, ClockTrust::kUnset},
      {"1970, whatever the evidence", 6, kUnsynchronized, true, ClockTrust::kUnset},
      {"before 1970", -5, kSilent, false, ClockTrust::kUnset},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Result<ClockDiscipline> discipline = ClockDiscipline{};
    if (c.kernel == kSynchronized) discipline.value().synchronized = true;
    if (c.kernel == kSilent) discipline = Status{Code::kUnsupported, 0, "adjtimex"};
    EXPECT_EQ(JudgeClock({Seconds(c.wall_s).ns}, {Seconds(1'000).ns}, discipline, c.other_evidence),
              c.trust);
  }
}

/// Boot time passes between readings as the test says.
class InterruptedClock final : public Clock {
 public:
  explicit InterruptedClock(std::vector<int64_t> mono_us) : mono_us_(std::move(mono_us)) {}
  MonoTime Monotonic() override { return {mono_us_.at(next_++) * 1000}; }
  UnixTime Wall() override { return {mono_us_.at(next_ - 1) * 1000 + Seconds(1'000).ns}; }
  Result<ClockDiscipline> Discipline() override { return {Code::kUnsupported, 0, "test"}; }
  size_t readings() const { return next_; }

 private:
  std::vector<int64_t> mono_us_;
  size_t next_ = 0;
};

TEST(ReadClocks, Cases) {
  struct Case {
    const char* name;
    std::vector<int64_t> mono_us;
    int64_t expected_us;
  };
  const Case cases[] = {
      {"quick: once", {100, 102}, 101},
      {"stopped once: again", {0, 900'000, 900'100, 900'102}, 900'101},
      {"stopped each time: the quickest", {0, 9'000, 10'000, 15'000, 20'000, 28'000}, 12'500},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    InterruptedClock clock(c.mono_us);
    EXPECT_EQ(ReadClocks(clock).mono.ns, c.expected_us * 1000);
    EXPECT_EQ(clock.readings(), c.mono_us.size());
  }
}

}  // namespace
}  // namespace limpet
