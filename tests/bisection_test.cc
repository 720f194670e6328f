#include "deliver/bisection.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace limpet {
namespace {

using Mode = Bisection::Mode;

/// Numbers from a fixed seed.
struct Dice {
  std::mt19937 engine;
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(engine()) % bound; }
};

std::string Text(BisectPath path) {
  std::string text;
  for (int i = 0; i < path.length; ++i) text += (path.bits >> i & 1) != 0 ? '1' : '0';
  return text;
}

BisectPath Path(std::string_view text) {
  BisectPath path;
  for (const char step : text) path.bits |= uint32_t(step == '1') << path.length++;
  return path;
}

/// A destination that refuses each part with a bad item in it, or more than `most` items.
struct Destination {
  std::vector<bool> bad;
  uint32_t most = UINT32_MAX;

  /// nullopt: accepted.
  std::optional<Refusal> Answer(ItemRange range) const {
    if (range.size() > most) return Refusal::kTooLarge;
    for (uint32_t i = range.first; i < range.last; ++i) {
      if (bad[i]) return Refusal::kFault;
    }
    return std::nullopt;
  }
};

struct Pass {
  std::vector<int> accepted;            // How often, for each item.
  std::vector<std::string> letters;     // In order of their burial.
  std::string sent;                     // The paths, "accepted" ones with a plus.
  int requests = 0;
  bool nothing = false;
  bool any = false;
};

/// The whole pass against the destination; checks on the way what holds for every pass (X1 to X3).
Pass RunPass(uint32_t items, Mode mode, const Destination& destination, bool spell = true) {
  Pass pass;
  pass.accepted.resize(items);
  std::vector<bool> ended(items);
  uint32_t accepted_up_to = 0, letters_up_to = 0;
  const std::optional<Refusal> first = destination.Answer({0, items});
  EXPECT_TRUE(first.has_value());
  Bisection bisection;
  bisection.Begin(items, mode, first.value_or(Refusal::kFault));
  pass.requests = 1;
  while (!bisection.finished() && pass.requests < 5'000'000) {
    if (const std::optional<BisectPath> letter = bisection.letter()) {
      EXPECT_EQ(*bisection.letter(), *letter);  // It waits as long as it has to.
      EXPECT_TRUE(mode == Mode::kRefused || bisection.anything_accepted());
      const ItemRange range = PartOf(items, *letter);
      for (uint32_t i = range.first; i < range.last; ++i) {
        EXPECT_FALSE(ended[i]) << i;
        ended[i] = true;
      }
      EXPECT_LE(letters_up_to, range.first);
      letters_up_to = range.last;
      pass.letters.push_back(Text(*letter));
      bisection.Buried();
      continue;
    }
    const ItemRange range = bisection.range();
    EXPECT_EQ(range, PartOf(items, bisection.path()));
    EXPECT_GT(range.size(), 0u);
    ++pass.requests;
    if (spell) pass.sent += (pass.sent.empty() ? "" : " ") + Text(bisection.path());
    if (const std::optional<Refusal> refusal = destination.Answer(range)) {
      bisection.Refused(*refusal);
      continue;
    }
    if (spell) pass.sent += '+';
    EXPECT_GE(range.first, accepted_up_to);  // In order.
    accepted_up_to = range.last;
    for (uint32_t i = range.first; i < range.last; ++i) {
      EXPECT_FALSE(ended[i]) << i;
      ended[i] = true;
      ++pass.accepted[i];
    }
    bisection.Accepted();
  }
  EXPECT_TRUE(bisection.finished());
  EXPECT_FALSE(bisection.letter().has_value());
  pass.nothing = bisection.nothing();
  pass.any = bisection.anything_accepted();
  for (uint32_t i = 0; i < items; ++i) EXPECT_EQ(ended[i], !pass.nothing) << i;
  return pass;
}

/// The largest parts all of whose items are bad, as paths.
std::vector<std::string> LargestBad(const std::vector<bool>& bad) {
  std::vector<std::string> found;
  const std::function<void(uint32_t, uint32_t, std::string)> visit =
      [&](uint32_t first, uint32_t last, const std::string& path) {
        uint32_t count = 0;
        for (uint32_t i = first; i < last; ++i) count += bad[i];
        if (count == 0) return;
        if (count == last - first) {
          found.push_back(path);
          return;
        }
        const uint32_t middle = first + (last - first) / 2;
        visit(first, middle, path + '0');
        visit(middle, last, path + '1');
      };
  visit(0, static_cast<uint32_t>(bad.size()), "");
  return found;
}

void ExpectExact(const Destination& destination, Mode mode, const Pass& pass) {
  bool all = true;
  for (const bool b : destination.bad) all = all && b;
  EXPECT_EQ(pass.any, !all);
  EXPECT_EQ(pass.nothing, all && mode == Mode::kSuspect);
  if (pass.nothing) {
    EXPECT_TRUE(pass.letters.empty());
    return;
  }
  EXPECT_EQ(pass.letters, LargestBad(destination.bad));
  for (size_t i = 0; i < destination.bad.size(); ++i) {
    EXPECT_EQ(pass.accepted[i], destination.bad[i] ? 0 : 1) << i;
  }
}

TEST(PartOf, Cases) {
  struct Case { uint32_t items; const char* path; ItemRange range; };
  constexpr Case cases[] = {
      {0, "", {0, 0}},
      {1, "", {0, 1}},
      {7, "", {0, 7}},
      {7, "0", {0, 3}},
      {7, "1", {3, 7}},
      {7, "00", {0, 1}},
      {7, "01", {1, 3}},
      {7, "10", {3, 5}},
      {7, "110", {5, 6}},
      {7, "111", {6, 7}},
      {2, "000", {0, 0}},  // Below a single item.
      {UINT32_MAX, "1", {UINT32_MAX / 2, UINT32_MAX}},
      {UINT32_MAX, "11111111111111111111111111111111", {UINT32_MAX - 1, UINT32_MAX}},
  };
  for (const Case& c : cases) EXPECT_EQ(PartOf(c.items, Path(c.path)), c.range) << c.path;
  // From a damaged file.
  EXPECT_LE(PartOf(1000, {.bits = 0xdeadbeef, .length = 255}).size(), 1u);
}

TEST(Bisection, Requests) {
  struct Case {
    const char* name;
    const char* bad;  // A letter for each item.
    uint32_t most;
    Mode mode;
    const char* sent;
    std::vector<std::string> letters;
  };
  constexpr uint32_t kAny = UINT32_MAX;
  const Case cases[] = {
      {"one item", "x", kAny, Mode::kRefused, "", {""}},
      {"one suspect item", "x", kAny, Mode::kSuspect, "", {}},
      {"the first", "x...", kAny, Mode::kRefused, "0 00 01+ 1+", {"00"}},
      {"the last: what must be wrong is not sent whole", "...x", kAny, Mode::kRefused, "0+ 10+ 11",
       {"11"}},
      {"both in the later half", "..xx", kAny, Mode::kRefused, "0+ 10 11", {"1"}},
      {"both in the earlier half", "xx..", kAny, Mode::kRefused, "0 00 01 1+", {"0"}},
      {"one in each half", ".x.x", kAny, Mode::kRefused, "0 00+ 01 1 10+ 11", {"01", "11"}},
      {"through and through", "xxxx", kAny, Mode::kRefused, "0 00 01 1 10 11", {""}},
      {"all but the last", "xxx.", kAny, Mode::kRefused, "0 00 01 1 10 11+", {"0", "10"}},
      {"too large", "....", 2, Mode::kRefused, "0+ 1+", {}},
      {"too large, and a fault", "....x...", 4, Mode::kRefused, "0+ 1 10 100 101+ 11+", {"100"}},
      {"items too large", "....", 0, Mode::kRefused, "0 00 01 1 10 11", {""}},
      {"suspect", "x...", kAny, Mode::kSuspect, "0  00  01+ 1+", {"00"}},
      {"suspect through and through", "xxx", kAny, Mode::kSuspect, "0  1  10  11", {}},
      {"suspect, too large", "....", 2, Mode::kSuspect, "0+ 1+", {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Destination destination{{}, c.most};
    for (const char* item = c.bad; *item != 0; ++item) destination.bad.push_back(*item == 'x');
    const Pass pass = RunPass(static_cast<uint32_t>(destination.bad.size()), c.mode, destination);
    EXPECT_EQ(pass.sent, c.sent);
    EXPECT_EQ(pass.letters, c.letters);
  }
}

TEST(Bisection, EverySetOfBadItems) {
  for (const Mode mode : {Mode::kRefused, Mode::kSuspect}) {
    for (uint32_t items = 1; items <= 10; ++items) {
      for (uint32_t set = 1; set < 1u << items; ++set) {
        SCOPED_TRACE(testing::Message() << "items " << items << " bad " << set);
        Destination destination;
        for (uint32_t i = 0; i < items; ++i) destination.bad.push_back((set >> i & 1) != 0);
        ExpectExact(destination, mode, RunPass(items, mode, destination));
        if (testing::Test::HasFailure()) return;
        for (uint32_t most = 1; most < items; ++most) {
          destination.most = most;
          ExpectExact(destination, mode, RunPass(items, mode, destination));
          if (testing::Test::HasFailure()) return;
        }
      }
    }
  }
}

TEST(Bisection, RandomSetsOfBadItems) {
  Dice dice{std::mt19937(1)};
  for (int round = 0; round < 400; ++round) {
    SCOPED_TRACE(testing::Message() << "round " << round);
    const uint32_t items = 1 + dice.Below(2000);
    const uint32_t one_in = 1 + dice.Below(round % 2 == 0 ? 3 : 300);
    Destination destination;
    for (uint32_t i = 0; i < items; ++i) destination.bad.push_back(dice.Below(one_in) == 0);
    destination.bad[dice.Below(items)] = true;
    if (round % 5 == 0) destination.most = 1 + dice.Below(items);
    const Mode mode = round % 3 == 0 ? Mode::kSuspect : Mode::kRefused;
    ExpectExact(destination, mode, RunPass(items, mode, destination, false));
    if (testing::Test::HasFailure()) return;
  }
}

/// Requests for one bad item, without a vector for each item.
int RequestsForOne(uint32_t items, uint32_t bad) {
  Bisection bisection;
  bisection.Begin(items, Mode::kRefused, Refusal::kFault);
  int requests = 1;
  std::vector<ItemRange> letters;
  while (!bisection.finished()) {
    if (const auto letter = bisection.letter()) {
      letters.push_back(PartOf(items, *letter));
      bisection.Buried();
      continue;
    }
    ++requests;
    const ItemRange range = bisection.range();
    if (bad >= range.first && bad < range.last) {
      bisection.Refused(Refusal::kFault);
    } else {
      bisection.Accepted();
    }
  }
  EXPECT_EQ(letters, (std::vector<ItemRange>{{bad, bad + 1}}));
  return requests;
}

TEST(Bisection, OneBadItemIsFoundInTime) {
  for (uint32_t items = 1; items <= 600; ++items) {
    for (uint32_t bad = 0; bad < items; ++bad) {
      ASSERT_LE(RequestsForOne(items, bad), 2 * std::log2(items) + 2) << bad << " of " << items;
    }
  }
  Dice dice{std::mt19937(2)};
  for (int round = 0; round < 20'000; ++round) {
    const uint32_t items = round % 2 == 0 ? 1 + dice.Below(1'000'000)
                                          : (1u << (1 + dice.Below(31))) + dice.Below(3) - 1;
    const uint32_t bad = dice.Below(items);
    ASSERT_LE(RequestsForOne(items, bad), 2 * std::log2(items) + 2) << bad << " of " << items;
  }
  EXPECT_LE(RequestsForOne(UINT32_MAX, UINT32_MAX - 1), 2 * 32 + 2);
  EXPECT_LE(RequestsForOne(UINT32_MAX, 0), 2 * 32 + 2);
}

TEST(Bisection, AMendedDestinationTakesTheWholeOfASuspectBatch) {
  Bisection bisection;
  bisection.Begin(8, Mode::kSuspect, Refusal::kFault);
  EXPECT_EQ(Text(bisection.path()), "0");  // The whole was refused just now.
  bisection.Refused(Refusal::kFault);
  EXPECT_EQ(Text(bisection.path()), "");
  bisection.Refused(Refusal::kFault);
  EXPECT_EQ(Text(bisection.path()), "00");
  bisection.Refused(Refusal::kFault);
  EXPECT_EQ(bisection.range(), (ItemRange{0, 8}));
  bisection.Accepted();
  EXPECT_TRUE(bisection.finished());
  EXPECT_TRUE(bisection.anything_accepted());
  EXPECT_FALSE(bisection.nothing());
  EXPECT_FALSE(bisection.letter().has_value());
}

TEST(Bisection, BecomesSuspectOnTheWay) {
  Bisection bisection;
  bisection.Begin(2, Mode::kRefused, Refusal::kFault);
  bisection.Suspect();
  bisection.Refused(Refusal::kFault);
  EXPECT_EQ(Text(bisection.path()), "");
  bisection.Refused(Refusal::kFault);
  EXPECT_EQ(Text(bisection.path()), "1");
  bisection.Refused(Refusal::kFault);
  EXPECT_TRUE(bisection.finished());
  EXPECT_TRUE(bisection.nothing());
}

TEST(Bisection, SurvivesADestinationThatChangesItsMind) {
  // Whatever is answered, every item ends once, and in time.
  Dice dice{std::mt19937(3)};
  for (int round = 0; round < 20'000; ++round) {
    const uint32_t items = 1 + dice.Below(40);
    const auto mode = round % 2 == 0 ? Mode::kSuspect : Mode::kRefused;
    std::vector<int> ended(items);
    Bisection bisection;
    bisection.Begin(items, mode, dice.Below(2) == 0 ? Refusal::kFault : Refusal::kTooLarge);
    uint32_t requests = 0;
    while (!bisection.finished()) {
      const std::optional<BisectPath> letter = bisection.letter();
      const ItemRange range = letter ? PartOf(items, *letter) : bisection.range();
      const bool accepted = !letter && dice.Below(3) == 0;
      if (letter || accepted) {
        for (uint32_t i = range.first; i < range.last; ++i) ++ended[i];
      }
      if (letter) {
        bisection.Buried();
        continue;
      }
      ASSERT_LE(++requests, 4 * items);
      if (accepted) {
        bisection.Accepted();
      } else {
        bisection.Refused(dice.Below(2) == 0 ? Refusal::kFault : Refusal::kTooLarge);
      }
      if (dice.Below(50) == 0) bisection.Suspect();
    }
    ASSERT_EQ(ended, std::vector<int>(items, bisection.nothing() ? 0 : 1)) << "round " << round;
  }
}

}  // namespace
}  // namespace limpet
