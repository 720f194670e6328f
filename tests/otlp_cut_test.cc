#include "otlp/cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "otlp/otlp.pb.h"
#include "otlp/validate.h"

namespace limpet {
namespace {

using std::string_view_literals::operator""sv;

/// Numbers from a fixed seed.
struct Dice {
  std::mt19937 engine;
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(engine()) % bound; }
  bool OneIn(uint32_t n) { return Below(n) == 0; }
};

// ---- A small writer of its own, and a model of requests ------------------------------------------

/// pad: bytes more than needed, as protobuf allows.
std::string Varint(uint64_t value, int pad = 0) {
  std::string out;
  for (; value > 0x7f || pad > 0; value >>= 7) {
    if (value <= 0x7f) --pad;
    out += static_cast<char>((value & 0x7f) | 0x80);
  }
  return out + static_cast<char>(value);
}

std::string Field(uint32_t field, std::string_view contents, int pad = 0) {
  return Varint(field << 3 | 2, pad) + Varint(contents.size(), pad) + std::string(contents);
}

std::string Fixed64(uint32_t field, uint64_t value) {
  std::string out = Varint(field << 3 | 1);
  for (int i = 0; i < 8; ++i) out += static_cast<char>(value >> (8 * i));
  return out;
}

/// A message of the way to the items, or an item.
struct Node {
  uint32_t field = 0;
  bool is_item = false;
  uint64_t time = 0;
  std::string before, after;   // Other fields of the message.
  std::string beside;          // Other fields that follow it in the message around it.
  std::vector<Node> children;
};

struct Item {
  uint64_t time = 0;
  std::string bytes;
};

void Collect(const Node& node, std::vector<Item>& items) {
  if (node.is_item) items.push_back({node.time, node.before});
  for (const Node& child : node.children) Collect(child, items);
}

/// What is inside the node's message, with the items that are kept only. next: the number of the
/// next item. any: was one kept?
std::string Contents(const Node& node, const std::vector<bool>& kept, int pad, size_t& next,
                     bool& any) {
  if (node.is_item) {
    any = kept[next++];
    return node.before;
  }
  std::string out = node.before;
  for (const Node& child : node.children) {
    bool here = false;
    const std::string contents = Contents(child, kept, pad, next, here);
    if (here) out += Field(child.field, contents, child.is_item ? 0 : pad);
    out += child.beside;
    any = any || here;
  }
  return out + node.after;
}

std::string Encode(const Node& request, const std::vector<bool>& kept, int pad = 0) {
  size_t next = 0;
  bool any = false;
  return Contents(request, kept, pad, next, any);
}

class Maker {
 public:
  Maker(uint32_t seed, Signal signal, bool in_order)
      : dice_{std::mt19937(seed)}, signal_(signal), in_order_(in_order),
        spread_(dice_.OneIn(2) ? 5 : 2'000'000'000) {}

  /// At most `items` items, at random places.
  Node Request(uint32_t items, uint32_t item_bytes) {
    item_bytes_ = item_bytes;
    left_ = items;
    return Container(0);
  }

 private:
  std::string Noise(uint32_t max) { return std::string(dice_.Below(max + 1), 'n'); }
  std::string Unknown() {
    return dice_.OneIn(4) ? Field(1000 + dice_.Below(1000), Noise(5)) : std::string();
  }

  uint64_t Time() {
    if (in_order_) return time_ += dice_.OneIn(2) ? 0 : dice_.Below(1000);
    return kStart + uint64_t{1000} * dice_.Below(spread_);
  }

  Node Leaf(uint32_t kind) {
    Node node;
    node.field = signal_ == Signal::kMetrics ? 1 : 2;
    node.is_item = true;
    node.time = in_order_ || !dice_.OneIn(20) ? Time() : 0;
    const std::string attribute = Field(otlp_KeyValue_key_tag, Noise(item_bytes_));
    std::string& out = node.before;
    switch (signal_) {
      case Signal::kMetrics:
        if (dice_.OneIn(2)) out += Fixed64(otlp_NumberDataPoint_start_time_unix_nano_tag, 7);
        if (node.time != 0) out += Fixed64(otlp_NumberDataPoint_time_unix_nano_tag, node.time);
        out += Field(kind == otlp_Metric_histogram_tag               ? 9
                     : kind == otlp_Metric_exponential_histogram_tag ? 1
                                                                     : 7,
                     attribute);
        break;
      case Signal::kLogs: {
        const bool observed = dice_.OneIn(3);
        if (observed && dice_.OneIn(2)) out += Fixed64(otlp_LogRecord_time_unix_nano_tag, 0);
        if (node.time != 0) {
          out += Fixed64(otlp_LogRecord_observed_time_unix_nano_tag, observed ? node.time : 9);
          if (!observed) out += Fixed64(otlp_LogRecord_time_unix_nano_tag, node.time);
        }
        out += Field(otlp_LogRecord_attributes_tag, attribute);
        break;
      }
      case Signal::kTraces:
        out += Field(otlp_Span_name_tag, Noise(item_bytes_));
        if (node.time != 0) {
          out += Fixed64(otlp_Span_end_time_unix_nano_tag, 3);
          out += Fixed64(otlp_Span_start_time_unix_nano_tag, node.time);
        }
        break;
    }
    out += Unknown();
    return node;
  }

  Node Container(uint32_t level) {
    // Levels: request, resource, scope, metric, data.
    constexpr uint32_t kKinds[] = {otlp_Metric_gauge_tag, otlp_Metric_sum_tag,
                                   otlp_Metric_histogram_tag,
                                   otlp_Metric_exponential_histogram_tag, otlp_Metric_summary_tag};
    const uint32_t last = signal_ == Signal::kMetrics ? 4 : 2;
    Node node;
    if (level == 0) node.field = 0;
    if (level == 1) node.field = 1;
    if (level == 2 || level == 3) node.field = 2;
    if (level == 4) node.field = kind_ = kKinds[dice_.Below(5)];
    if (level == 1 || level == 2) {
      node.before = Field(1, Unknown());
      node.after = Field(3, Noise(40));
    } else if (level == 3) {
      node.before = Field(otlp_Metric_name_tag, Noise(60));
      node.after = Field(otlp_Metric_unit_tag, "By");
    }
    node.before += Unknown();
    node.after += Unknown();
    uint32_t children = level == 3 ? 1 : level == 0 ? 100 : dice_.Below(5);
    if (level == last && item_bytes_ > 100) children *= 10;
    for (; children > 0 && left_ > 0; --children) {
      if (level == last) {
        --left_;
        node.children.push_back(Leaf(kind_));
      } else {
        node.children.push_back(Container(level + 1));
      }
      node.children.back().beside = Unknown();
    }
    return node;
  }

  static constexpr uint64_t kStart = 1'700'000'000'000'000'000;

  Dice dice_;
  const Signal signal_;
  const bool in_order_;
  const uint32_t spread_;
  uint32_t item_bytes_ = 0, left_ = 0, kind_ = 0;
  uint64_t time_ = kStart;
};

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
