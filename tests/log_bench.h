// What tests of log records share: a batcher to write into, and the records of a batch read back.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "batch/log_encoder.h"
#include "batch/otlp_parts.h"
#include "otlp/validate.h"
#include "sim/world.h"
#include "sink/items.h"

namespace limpet {

inline constexpr UnixTime kWall{1'750'000'000'000'000'000};

inline std::string Text(MessageBytes any_value) {
  const AnyValueView value = ReadAnyValue(any_value);
  switch (value.kind) {
    case otlp_AnyValue_string_value_tag:
      return {reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size()};
    case otlp_AnyValue_int_value_tag:
      return "int " + std::to_string(static_cast<int64_t>(value.bits));
    case otlp_AnyValue_bool_value_tag: return value.bits != 0 ? "bool true" : "bool false";
    default: return "?";
  }
}

/// A record as it was read back.
struct SeenLog {
  std::string resource;  // "key=value" of each attribute.
  std::string scope, body, level, event;
  bool has_body = false;
  std::map<std::string, std::string> attributes;
  uint64_t time = 0, observed = 0, severity = 0;
};

/// The records of a request, and how many times a resource was written.
struct SeenRequest final : ItemHandler {
  explicit SeenRequest(std::span<const uint8_t> request) {
    EXPECT_TRUE(ValidateExportRequest(Signal::kLogs, request).ok());
    ForEachItem(Signal::kLogs, request, *this);
  }
  void OnResource(const Origin& origin, size_t items) override {
    ++resources;
    announced += items;
    resource.clear();
    origin.resource.ForEach([&](const KeyValueView& pair) {
      resource += std::string(pair.key) + "=" + Text(pair.value);
    });
  }
  void OnLog(const Origin& origin, const LogView& log) override {
    SeenLog seen{.resource = resource,
                 .scope = std::string(origin.scope_name) + " " + std::string(origin.scope_version),
                 .body = log.body.empty() ? "" : Text(log.body),
                 .level = std::string(log.severity_text),
                 .event = std::string(log.event_name),
                 .has_body = !log.body.empty(),
                 .attributes = {},
                 .time = log.time_ns,
                 .observed = log.observed_ns,
                 .severity = log.severity};
    log.attributes.ForEach([&](const KeyValueView& pair) {
      seen.attributes[std::string(pair.key)] = Text(pair.value);
    });
    logs.push_back(std::move(seen));
  }
  void OnPoint(const Origin&, const MetricView&, const PointView&) override {}
  void OnSpan(const Origin&, const SpanView&) override {}
  bool Enough() const override { return false; }

  std::vector<SeenLog> logs;
  size_t resources = 0, announced = 0;
  std::string resource;
};

/// A batcher with an encoder of logs before it and a queue behind it.
struct LogBench {
  explicit LogBench(uint32_t items_max = 512, uint32_t bytes_max = 64 * 1024, size_t slab_bytes = 0)
      : slab(slab_bytes == 0 ? Batcher::SlabBytes(bytes_max) : slab_bytes),
        arena(4000 * kBlockBytes / sizeof(uint64_t)),
        queue(std::as_writable_bytes(std::span(arena))),
        batcher({.items_max = items_max, .bytes_max = bytes_max, .delay = Seconds(1), .boot = {}},
                {std::span<uint8_t>(), std::span<uint8_t>(slab), {}}, nullptr, {}, queue, ledger,
                log),
        encoder(batcher, "1.2.3") {
    const ResourceAttribute attribute{"service.name", "app"};
    resource = EncodeResource({&attribute, 1}, resource_bytes).value();
  }
  void Begin() { encoder.Begin(resource, {kWall, MonoTime{} + Seconds(5)}); }
  bool Line(std::string_view body) { return encoder.Record({.body = body}); }
  std::vector<uint8_t> Bytes(BatchId id) {
    const BatchQueue::Payload payload(queue, id);
    std::vector<uint8_t> raw;
    while (raw.size() < payload.size()) {
      const auto piece = payload.At(raw.size());
      raw.insert(raw.end(), piece.begin(), piece.end());
    }
    return raw;
  }
  /// Closes the open batch and takes the records of all.
  std::vector<SeenLog> TakeAll() {
    batcher.Close(Signal::kLogs);
    std::vector<SeenLog> taken;
    while (const BatchId id = queue.Head(Signal::kLogs)) {
      const SeenRequest seen(Bytes(id));
      taken.insert(taken.end(), seen.logs.begin(), seen.logs.end());
      queue.Remove(id);
    }
    return taken;
  }
  /// Takes the oldest closed batch, its bytes in at most `bytes_max`.
  SeenRequest Next(size_t bytes_max = SIZE_MAX) {
    const BatchId id = queue.Head(Signal::kLogs);
    const std::vector<uint8_t> raw = Bytes(id);
    EXPECT_LE(raw.size(), bytes_max);
    SeenRequest seen(raw);
    EXPECT_EQ(seen.logs.size(), queue.header(id).items);
    EXPECT_EQ(seen.announced, seen.logs.size());
    EXPECT_EQ(queue.header(id).first_mono, MonoTime{} + Seconds(5));
    EXPECT_EQ(queue.header(id).first_wall, kWall);
    queue.Remove(id);
    ledger.Deliver(Signal::kLogs, seen.logs.size());
    return seen;
  }
  SeenRequest CloseAndTake() {
    batcher.Close(Signal::kLogs);
    return Next();
  }
  bool Balances() {
    return ledger.account(Signal::kLogs).Balances(
        {.open = batcher.open_items(Signal::kLogs), .memory = queue.items(Signal::kLogs)});
  }

  std::vector<uint8_t> slab;
  alignas(8) std::vector<uint64_t> arena;
  std::array<uint8_t, 64> resource_bytes{};
  std::span<const uint8_t> resource;
  Ledger ledger;
  sim::SimLog log;
  BatchQueue queue;
  Batcher batcher;
  LogEncoder encoder;
};

}  // namespace limpet
