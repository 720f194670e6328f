#include "otlp/split.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "otlp/schema.h"
#include "otlp/validate.h"
#include "otlp/wire_reader.h"
#include "otlp_requests.h"

namespace limpet {
namespace {

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Text(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Everything, what has no items too.
std::string Whole(const Node& node, int pad) {
  std::string out = node.before;
  for (const Node& child : node.children) {
    out += Field(child.field, Whole(child, pad), child.is_item ? 0 : pad) + child.beside;
  }
  return out + node.after;
}

/// An item with the other fields of all that is around it, from the resource on.
struct Placed {
  std::string around, bytes;
  bool operator==(const Placed&) const = default;
};

std::string Other(const MessageSchema& message, WireReader in) {
  std::string out;
  while (in.Next()) {
    if (message.Inner(in.field()) == nullptr) out += Text(in.raw());
  }
  return out;
}

void Flatten(const MessageSchema& message, WireReader in, const std::string& around,
             std::vector<Placed>& items) {
  while (in.Next()) {
    const MessageSchema* const inner = message.Inner(in.field());
    if (inner == nullptr) continue;
    const std::string field = std::to_string(in.field()) + ':';
    if (inner->role == ItemRole::kItem) {
      items.push_back({around + field, Text(in.Bytes())});
    } else {
      const WireReader contents = in.Message();
      Flatten(*inner, contents, around + field + Other(*inner, contents) + '|', items);
    }
  }
  EXPECT_TRUE(in.status().ok());
}

std::vector<Placed> Flatten(Signal signal, const std::string& request) {
  std::vector<Placed> items;
  Flatten(RequestSchema(signal), WireReader(Bytes(request)), "", items);
  return items;
}

struct Part {
  std::string bytes;
  SplitStep step;
};

/// All the parts, each checked by itself (R2, R3). first_room: bytes of the first batch that are left.
std::vector<Part> Split(Signal signal, const std::string& request, size_t batch_bytes,
                        uint32_t batch_items, size_t first_room) {
  std::vector<Part> parts;
  const uint32_t items = ValidateExportRequest(signal, Bytes(request)).value().items;
  RequestSplitter splitter(signal, Bytes(request), items, batch_bytes);
  for (bool done = false; !done;) {
    const size_t room = parts.empty() ? first_room : batch_bytes;
    std::vector<uint8_t> batch(room);
    WireWriter out(batch);
    RequestSplitter ahead = splitter;
    const SplitStep counted = ahead.Next(nullptr, room, batch_items);
    const SplitStep step = splitter.Next(&out, room, batch_items);
    EXPECT_EQ(counted.bytes, step.bytes);
    EXPECT_EQ(counted.items, step.items);
    EXPECT_EQ(counted.rejected, step.rejected);
    EXPECT_EQ(counted.done, step.done);
    EXPECT_TRUE(out.ok());
    EXPECT_EQ(out.size(), step.bytes);
    EXPECT_LE(step.items, batch_items);
    const Result<ItemSummary> valid = ValidateExportRequest(signal, out.bytes());
    EXPECT_TRUE(valid.ok());
    EXPECT_EQ(valid.value().items, step.items);
    EXPECT_TRUE(step.done || parts.empty() || step.items > 0);
    done = step.done || parts.size() > request.size();
    EXPECT_EQ(done, step.done);
    parts.push_back({Text(out.bytes()), step});
    if (testing::Test::HasFailure()) break;
  }
  return parts;
}

std::vector<Part> Split(Signal signal, const std::string& request, size_t batch_bytes, uint32_t batch_items) {
  return Split(signal, request, batch_bytes, batch_items, batch_bytes);
}

TEST(RequestSplitter, Cases) {
  const std::string resource = Field(1, Field(1, "")), url = Field(3, "u"), unknown = Field(99, "?");
  const auto log = [](const char* name) { return Field(2, Field(12, name)); };
  const std::string a = log("aaaa"), b = log("bbbb"), c = log("cccc");
  const auto scope = [](const std::string& contents) { return Field(2, contents); };
  const auto request = [](const std::string& contents) { return Field(1, contents); };
  const std::string big = Field(2, Field(12, std::string(100, 'x')));
  struct Case {
    const char* name;
    std::string request;
    size_t bytes;
    uint32_t items;
    std::vector<std::string> parts;
    uint32_t rejected = 0;
  };
  const std::string two = request(resource + scope(a + b)), none = request(resource + scope(""));
  const Case cases[] = {
      {"nothing", "", 100, 10, {""}},
      {"fits", two + two, 100, 10, {two + two}},
      {"fits with what has no items and what is not known", unknown + none + two, 100, 10,
       {unknown + none + two}},
      {"exactly", two, two.size(), 2, {two}},
      {"whole resources", two + two, 60, 2, {two, two}},
      {"three in a batch of two", two + request(scope(c)) + two, 100, 3, {two + request(scope(c)), two}},
      {"one byte too much", two, two.size() - 1, 10,
       {request(resource + scope(a)), request(resource + scope(b))}},
      {"an item too many", two, 100, 1, {request(resource + scope(a)), request(resource + scope(b))}},
      {"other fields behind", request(scope(a + b + url + unknown) + unknown + resource), 100, 1,
       {request(unknown + resource + scope(url + unknown + a)),
        request(unknown + resource + scope(url + unknown + b))}},
      {"other fields between", request(unknown + scope(a) + url + scope(url + b + unknown + c) + resource),
       100, 1,
       {request(unknown + url + resource + scope(a)),
        request(unknown + url + resource + scope(url + unknown + b)),
        request(unknown + url + resource + scope(url + unknown + c))}},
      {"what has no items goes", none + two + none + request(resource + scope("") + scope(a) + scope(url)),
       50, 2, {two, request(resource + scope(a))}},
      {"nothing has items", none + none, none.size(), 5, {""}},
      {"what is not known at the top goes", unknown + two + unknown + two, two.size(), 2, {two, two}},
      {"the rest of a batch", request(scope(a + b + c)), 23, 10,
       {request(scope(a + b)), request(scope(c))}},
      {"one item is too large", request(resource + scope(a + big + b)), 60, 10,
       {request(resource + scope(a + b))}, 1},
      {"only too large ones", request(resource + scope(big + big)), 60, 10, {""}, 2},
      {"too large with its resource", request(Field(1, Field(4, std::string(50, 'r'))) + scope(a)) + two,
       60, 10, {two}, 1},
  };
  for (const Case& c2 : cases) {
    SCOPED_TRACE(c2.name);
    const std::vector<Part> parts = Split(Signal::kLogs, c2.request, c2.bytes, c2.items);
    uint32_t rejected = 0;
    std::vector<std::string> got;
    for (const Part& part : parts) {
      got.push_back(part.bytes);
      rejected += part.step.rejected;
    }
    EXPECT_EQ(got, c2.parts);
    EXPECT_EQ(rejected, c2.rejected);
  }
}

TEST(RequestSplitter, MetricsKeepWhatIsAroundTheirPoints) {
  const auto point = [](const char* value) { return Field(1, Field(7, Field(1, value))); };
  const std::string name = Field(1, "name"), unit = Field(3, "By"), metadata = Field(12, Field(1, "k"));
  const std::string sum = "\x10\x02\x18\x01";
  const auto metric = [&](const std::string& points) {
    return Field(1, Field(2, Field(2, name + unit + metadata + Field(7, sum + points))));
  };
  const std::string request =
      Field(1, Field(2, Field(2, name + Field(7, point("a") + sum + point("b")) + unit + metadata)));
  const std::vector<Part> parts = Split(Signal::kMetrics, request, 100, 1);
  ASSERT_EQ(parts.size(), 2u);
  EXPECT_EQ(parts[0].bytes, metric(point("a")));
  EXPECT_EQ(parts[1].bytes, metric(point("b")));
}

TEST(RequestSplitter, AStepWithoutRoomTakesNothing) {
  const std::string request = Field(1, Field(2, Field(2, "") + Field(2, "")));
  for (const bool no_bytes : {true, false}) {
    RequestSplitter splitter(Signal::kLogs, Bytes(request), 2, 100);
    const SplitStep step = splitter.Next(nullptr, no_bytes ? 0 : 100, no_bytes ? 10 : 0);
    EXPECT_EQ(step.items + step.rejected + step.bytes, 0u);
    EXPECT_FALSE(step.done);
    std::vector<uint8_t> batch(100);
    WireWriter out(batch);
    EXPECT_TRUE(splitter.Next(&out, 100, 10).done);
    EXPECT_EQ(Text(out.bytes()), request);
  }
}

// ---- Random requests -----------------------------------------------------------------------------

/// The bytes of each item alone, with all that is around it.
std::vector<size_t> SizesAlone(Node request) {
  request.before.clear();
  request.after.clear();
  for (Node& resource : request.children) resource.beside.clear();
  std::vector<Item> items;
  Collect(request, items);
  std::vector<size_t> sizes;
  for (size_t i = 0; i < items.size(); ++i) {
    std::vector<bool> kept(items.size());
    kept[i] = true;
    sizes.push_back(Encode(request, kept).size());
  }
  return sizes;
}

void ExpectSplit(Signal signal, const Node& model, int pad, size_t batch_bytes, uint32_t batch_items,
                 size_t first_room) {
  SCOPED_TRACE(testing::Message() << "bytes " << batch_bytes << " first " << first_room << " items "
                                  << batch_items << " pad " << pad);
  const std::string request = Whole(model, pad);
  const std::vector<Part> parts = Split(signal, request, batch_bytes, batch_items, first_room);
  if (parts.size() == 1 && parts[0].step.bytes == request.size()) { EXPECT_EQ(parts[0].bytes, request); }

  // R1: what is too large is missing, everything else is there once, in order.
  const std::vector<Placed> all = Flatten(signal, request);
  const std::vector<size_t> alone = SizesAlone(model);
  ASSERT_EQ(all.size(), alone.size());
  std::vector<Placed> expected, got;
  for (size_t i = 0; i < all.size(); ++i) {
    if (alone[i] <= batch_bytes) expected.push_back(all[i]);
  }
  uint32_t rejected = 0;
  size_t next = 0;  // Of all.
  for (const Part& part : parts) {
    const std::vector<Placed> items = Flatten(signal, part.bytes);
    got.insert(got.end(), items.begin(), items.end());
    rejected += part.step.rejected;
    next += part.step.items + part.step.rejected;
    if (part.step.done) continue;
    // It was full.
    const size_t room = &part == &parts[0] ? first_room : batch_bytes;
    ASSERT_LT(next, alone.size());
    EXPECT_TRUE(part.step.items == batch_items || part.step.bytes + alone[next] > room);
  }
  EXPECT_EQ(rejected, all.size() - expected.size());
  EXPECT_EQ(got, expected);
}

TEST(RequestSplitter, RandomRequests) {
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 150; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      Dice dice{std::mt19937(seed)};
      const Node request = Maker(seed, signal, true).Request(seed % 30, 30);
      for (int round = 0; round < 8; ++round) {
        const size_t batch_bytes = dice.OneIn(4) ? 20 + dice.Below(60) : 80 + dice.Below(1000);
        ExpectSplit(signal, request, static_cast<int>(dice.Below(3)), batch_bytes, 1 + dice.Below(8),
                    dice.OneIn(2) ? batch_bytes : dice.Below(static_cast<uint32_t>(batch_bytes)));
        if (HasFailure()) return;
      }
    }
  }
}

TEST(RequestSplitter, LargeRequests) {
  for (const Signal signal : kSignals) {
    for (uint32_t seed = 0; seed < 6; ++seed) {
      SCOPED_TRACE(testing::Message() << SignalName(signal) << " seed " << seed);
      // Lengths of one, two and three bytes.
      const Node request = Maker(seed, signal, true).Request(300, 400);
      for (const size_t batch_bytes : {300, 5'000, 20'000, 40'000}) {
        ExpectSplit(signal, request, static_cast<int>(seed % 3), batch_bytes, 50, batch_bytes);
        if (HasFailure()) return;
      }
    }
  }
}

/// Whether an item fits is known to the byte.
TEST(RequestSplitter, EverySize) {
  for (const Signal signal : kSignals) {
    const Node request = Maker(3, signal, true).Request(8, 150);
    for (size_t batch_bytes = 10; batch_bytes < 1500; ++batch_bytes) {
      ExpectSplit(signal, request, 0, batch_bytes, 100, batch_bytes);
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace limpet
