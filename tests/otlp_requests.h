// Random requests as trees, with a writer of their own: for tests that take requests apart.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "limpet/batch.h"
#include "otlp/otlp.pb.h"

namespace limpet {

/// Numbers from a fixed seed.
struct Dice {
  std::mt19937 engine;
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(engine()) % bound; }
  bool OneIn(uint32_t n) { return Below(n) == 0; }
};

/// pad: bytes more than needed, as protobuf allows.
inline std::string Varint(uint64_t value, int pad = 0) {
  std::string out;
  for (; value > 0x7f || pad > 0; value >>= 7) {
    if (value <= 0x7f) --pad;
    out += static_cast<char>((value & 0x7f) | 0x80);
  }
  return out + static_cast<char>(value);
}

inline std::string Field(uint32_t field, std::string_view contents, int pad = 0) {
  return Varint(field << 3 | 2, pad) + Varint(contents.size(), pad) + std::string(contents);
}

inline std::string Fixed64(uint32_t field, uint64_t value) {
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

inline void Collect(const Node& node, std::vector<Item>& items) {
  if (node.is_item) items.push_back({node.time, node.before});
  for (const Node& child : node.children) Collect(child, items);
}

/// What is inside the node's message, with the items that are kept only. next: the number of the
/// next item. any: was one kept?
inline std::string Contents(const Node& node, const std::vector<bool>& kept, int pad, size_t& next,
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

inline std::string Encode(const Node& request, const std::vector<bool>& kept, int pad = 0) {
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

}  // namespace limpet
