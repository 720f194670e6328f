#include "otlp/cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <string>
#include <vector>

#include "otlp/otlp.pb.h"
#include "otlp/validate.h"
#include "otlp_requests.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

// ---- Against the model ---------------------------------------------------------------------------

std::span<uint8_t> Bytes(std::string& text) {
  return {reinterpret_cast<uint8_t*>(text.data()), text.size()};
}

Result<RequestPart> Cut(Signal signal, std::string& text, uint32_t first, uint32_t last) {
  const Result<RequestPart> part = CutItems(signal, Bytes(text), first, last);
  if (part.ok()) text.resize(part.value().bytes);
  return part;
}

/// Of all items.
Result<ItemSummary> SummarizeItems(Signal signal, std::string text) {
  const Result<RequestPart> all = Cut(signal, text, 0, UINT32_MAX);
  LIMPET_TRY(all.status());
  return all.value().kept;
}

/// For each item in its place: its rank.
std::vector<uint32_t> Ranks(const std::vector<Item>& items) {
  std::vector<uint32_t> order(items.size()), ranks(items.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](uint32_t a, uint32_t b) { return items[a].time < items[b].time; });
  for (uint32_t rank = 0; rank < order.size(); ++rank) ranks[order[rank]] = rank;
  return ranks;
}

ItemSummary Summarize(const std::vector<Item>& items, const std::vector<bool>& kept) {
  ItemSummary summary;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!kept[i]) continue;
    ++summary.items;
    const auto time = static_cast<int64_t>(items[i].time);
    if (time == 0) continue;
    if (summary.first.ns == 0) summary.first.ns = time;
    summary.first.ns = std::min(summary.first.ns, time);
    summary.last.ns = std::max(summary.last.ns, time);
  }
  return summary;
}

void ExpectEqual(const ItemSummary& a, const ItemSummary& b) {
  EXPECT_EQ(a.items, b.items);
  EXPECT_EQ(a.first, b.first);
  EXPECT_EQ(a.last, b.last);
}

void ExpectCut(Signal signal, const Node& request, int pad, uint32_t first, uint32_t last) {
  SCOPED_TRACE(testing::Message() << "from " << first << " to " << last << " pad " << pad);
  std::vector<Item> items;
  Collect(request, items);
  std::vector<bool> kept;
  for (const uint32_t rank : Ranks(items)) kept.push_back(rank >= first && rank < last);
  std::string text = Encode(request, std::vector<bool>(items.size(), true), pad);
  const Result<ItemSummary> whole = ValidateExportRequest(signal, Bytes(text));
  ASSERT_TRUE(whole.ok());
  ExpectEqual(whole.value(), Summarize(items, std::vector<bool>(items.size(), true)));

  const Result<RequestPart> part = Cut(signal, text, first, last);
  ASSERT_TRUE(part.ok());
  EXPECT_EQ(text, Encode(request, kept));
  ExpectEqual(part.value().kept, Summarize(items, kept));
  EXPECT_TRUE(ValidateExportRequest(signal, Bytes(text)).ok());
}

TEST(CutItems, AllRangesOfSmallRequests) {
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 60; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      const Node request = Maker(seed, signal, seed % 3 == 0).Request(seed % 12, 10);
      std::vector<Item> items;
      Collect(request, items);
      const auto count = static_cast<uint32_t>(items.size());
      for (uint32_t first = 0; first <= count + 1; ++first) {
        for (uint32_t last = 0; last <= count + 1; ++last) {
          ExpectCut(signal, request, static_cast<int>(seed % 4), first, last);
          if (HasFailure()) return;
        }
      }
    }
  }
}

TEST(CutItems, LargeRequests) {
  Dice dice{std::mt19937(1)};
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 20; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      // Lengths of one, two and three bytes, which shrink to shorter ones.
      const Node request = Maker(seed, signal, seed % 3 == 0).Request(600, 400);
      for (int round = 0; round < 10; ++round) {
        const uint32_t first = dice.Below(600);
        ExpectCut(signal, request, round % 3, first, first + dice.Below(round < 5 ? 5 : 600));
        if (HasFailure()) return;
      }
      ExpectCut(signal, request, 0, 0, UINT32_MAX);
      ExpectCut(signal, request, 0, UINT32_MAX, UINT32_MAX);
    }
  }
}

TEST(CutItems, HalvesOfHalvesHaveEachItemOnce) {
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 30; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      const Node request = Maker(seed, signal, seed % 2 == 0).Request(64, 20);
      std::vector<Item> items;
      Collect(request, items);
      std::string whole = Encode(request, std::vector<bool>(items.size(), true));
      // A range of a range is the same range of the whole.
      const auto count = static_cast<uint32_t>(items.size());
      std::string left = whole, right = whole, quarter = whole, of_right = whole;
      const uint32_t middle = count / 2, end = middle + (count - middle) / 2;
      ASSERT_TRUE(Cut(signal, left, 0, middle).ok());
      ASSERT_TRUE(Cut(signal, right, middle, count).ok());
      const Result<RequestPart> direct = Cut(signal, quarter, middle, end);
      of_right = right;
      const Result<RequestPart> again = Cut(signal, of_right, 0, end - middle);
      ASSERT_TRUE(direct.ok() && again.ok());
      EXPECT_EQ(quarter, of_right);
      const Result<ItemSummary> a = SummarizeItems(signal, left);
      const Result<ItemSummary> b = SummarizeItems(signal, right);
      ASSERT_TRUE(a.ok() && b.ok());
      EXPECT_EQ(a.value().items + b.value().items, count);
      EXPECT_LE(a.value().last, b.value().last);
      // C1: the whole range twice is the whole range once.
      std::string once = whole;
      ASSERT_TRUE(Cut(signal, once, 0, count).ok());
      std::string twice = once;
      ASSERT_TRUE(Cut(signal, twice, 0, count).ok());
      EXPECT_EQ(once, twice);
    }
  }
}

TEST(CutItems, CutsBetweenTimesBeforeBetweenSeries) {
  // Two series, each with points at 1, 2 and 3: what is split is the row of moments.
  const auto point = [](uint64_t time, const char* value) {
    Node node;
    node.field = 1, node.is_item = true, node.time = time;
    node.before = Fixed64(otlp_NumberDataPoint_time_unix_nano_tag, time) + Field(7, value);
    return node;
  };
  Node gauge, metric, scope, resource, request;
  gauge.field = otlp_Metric_gauge_tag, metric.field = 2, scope.field = 2, resource.field = 1;
  for (const char* series : {"a", "b"}) {
    for (const uint64_t time : {1, 2, 3}) gauge.children.push_back(point(time, series));
  }
  metric.children = {gauge}, scope.children = {metric}, resource.children = {scope};
  request.children = {resource};
  const auto part = [&](uint32_t first, uint32_t last) {
    std::string text = Encode(request, std::vector<bool>(6, true));
    EXPECT_TRUE(Cut(Signal::kMetrics, text, first, last).ok());
    return text;
  };
  EXPECT_EQ(part(0, 3), Encode(request, {true, true, false, true, false, false}));
  EXPECT_EQ(part(3, 6), Encode(request, {false, false, true, false, true, true}));
  EXPECT_EQ(part(2, 3), Encode(request, {false, true, false, false, false, false}));
  EXPECT_EQ(part(3, 4), Encode(request, {false, false, false, false, true, false}));
}

TEST(CutItems, ExtremeTimes) {
  const std::vector<uint64_t> times = {UINT64_MAX, 0, uint64_t{1} << 63, UINT64_MAX, 1, 0, 256};
  Node scope, resource, request;
  scope.field = 2, resource.field = 1;
  for (const uint64_t time : times) {
    Node log;
    log.field = 2, log.is_item = true, log.time = time;
    log.before = Fixed64(otlp_LogRecord_time_unix_nano_tag, time);
    scope.children.push_back(log);
  }
  resource.children = {scope}, request.children = {resource};
  std::vector<Item> items;
  Collect(request, items);
  const std::vector<uint32_t> ranks = Ranks(items);
  for (uint32_t rank = 0; rank < 7; ++rank) {
    std::string text = Encode(request, std::vector<bool>(7, true));
    const Result<RequestPart> part = Cut(Signal::kLogs, text, rank, rank + 1);
    ASSERT_TRUE(part.ok());
    std::vector<bool> kept;
    for (const uint32_t r : ranks) kept.push_back(r == rank);
    EXPECT_EQ(text, Encode(request, kept)) << rank;
    EXPECT_GE(part.value().kept.first.ns, 0);
  }
}

// ---- Input from outside --------------------------------------------------------------------------

TEST(CutItems, Malformed) {
  struct Case { const char* name; Signal signal; std::string request; Code code; };
  const std::string text = Field(1, "x");
  const Case cases[] = {
      {"nothing", Signal::kMetrics, "", Code::kOk},
      {"resource is a number", Signal::kLogs, "\x08\x01", Code::kInvalid},
      {"scope is a number", Signal::kLogs, Field(1, "\x10\x01"), Code::kInvalid},
      {"record is a number", Signal::kLogs, Field(1, Field(2, "\x10\x01")), Code::kInvalid},
      {"time is a text", Signal::kLogs, Field(1, Field(2, Field(2, text))), Code::kInvalid},
      {"time of a point is a text", Signal::kMetrics,
       Field(1, Field(2, Field(2, Field(5, Field(1, Field(3, "x")))))), Code::kInvalid},
      {"start of a point is a text", Signal::kMetrics,
       Field(1, Field(2, Field(2, Field(5, Field(1, Field(2, "x")))))), Code::kOk},
      {"gauge is a number", Signal::kMetrics, Field(1, Field(2, Field(2, "\x28\x01"))),
       Code::kInvalid},
      {"a length beyond the end", Signal::kTraces, Field(1, "\x12\x05"), Code::kInvalid},
      {"group", Signal::kTraces, "\x0b\x0c", Code::kInvalid},
      {"good, then bad", Signal::kLogs, Field(1, Field(2, Field(2, ""))) + "\x0c", Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string request = c.request;
    EXPECT_EQ(SummarizeItems(c.signal, request).status().code, c.code);
    EXPECT_EQ(CutItems(c.signal, Bytes(request), 0, 1).status().code, c.code);
    EXPECT_TRUE(c.code == Code::kOk || request == c.request);
  }
}

/// Whatever the bytes are, nothing outside them changes, and what comes out is whole.
void ExpectSafe(Signal signal, const std::string& request, uint32_t first, uint32_t last) {
  constexpr size_t kGuard = 16;
  const std::string guard(kGuard, 'g');
  std::string memory = guard + request + guard;
  const Result<RequestPart> part =
      CutItems(signal, Bytes(memory).subspan(kGuard, request.size()), first, last);
  EXPECT_EQ(memory.substr(0, kGuard), guard);
  EXPECT_EQ(memory.substr(kGuard + request.size()), guard);
  // Of its own size on the heap, for a sanitizer.
  std::vector<uint8_t> exact(request.begin(), request.end());
  EXPECT_EQ(CutItems(signal, exact, first, last).status().code, part.status().code);
  if (!part.ok()) {
    EXPECT_EQ(part.status().code, Code::kInvalid);
    EXPECT_EQ(memory.substr(kGuard, request.size()), request);
    return;
  }
  std::string again = memory.substr(kGuard, part.value().bytes);
  const Result<ItemSummary> kept = SummarizeItems(signal, again);
  ASSERT_TRUE(kept.ok());
  ExpectEqual(kept.value(), part.value().kept);
  std::string whole = request;
  const uint32_t count = SummarizeItems(signal, whole).value().items;
  EXPECT_EQ(kept.value().items, std::min(last, count) - std::min({first, last, count}));
}

TEST(CutItems, CutOffAnywhere) {
  for (const Signal signal : kSignals) {
    const Node request = Maker(5, signal, false).Request(12, 10);
    std::vector<Item> items;
    Collect(request, items);
    const std::string whole = Encode(request, std::vector<bool>(items.size(), true));
    for (size_t size = 0; size < whole.size(); ++size) {
      ExpectSafe(signal, whole.substr(0, size), 2, 7);
      if (HasFailure()) return;
    }
  }
}

TEST(CutItems, RandomMistakes) {
  Dice dice{std::mt19937(2)};
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 20; ++seed) {
      const Node request = Maker(seed, signal, seed % 2 == 0).Request(12, 10);
      std::vector<Item> items;
      Collect(request, items);
      const std::string whole = Encode(request, std::vector<bool>(items.size(), true));
      if (whole.empty()) continue;
      for (int round = 0; round < 500; ++round) {
        SCOPED_TRACE(testing::Message() << SignalName(signal) << ' ' << seed << ' ' << round);
        std::string mutated = whole;
        for (uint32_t mistakes = 1 + dice.Below(4); mistakes > 0; --mistakes) {
          const uint32_t at = dice.Below(static_cast<uint32_t>(mutated.size()));
          switch (dice.Below(4)) {
            case 0: mutated[at] = static_cast<char>(dice.Below(256)); break;
            case 1: mutated[at] = static_cast<char>(mutated[at] ^ 1 << dice.Below(8)); break;
            case 2: mutated.insert(at, 1, static_cast<char>(dice.Below(256))); break;
            default: if (mutated.size() > 1) mutated.erase(at, 1);
          }
        }
        const uint32_t first = dice.Below(12);
        ExpectSafe(signal, mutated, first, dice.Below(14));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(CutItems, Garbage) {
  Dice dice{std::mt19937(3)};
  for (int round = 0; round < 20'000; ++round) {
    std::string garbage(dice.Below(60), ' ');
    // Mostly small numbers, as tags and lengths are.
    for (char& c : garbage) c = static_cast<char>(dice.Below(dice.OneIn(3) ? 256 : 20));
    ExpectSafe(kSignals[dice.Below(3)], garbage, dice.Below(3), dice.Below(5));
    if (HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet
