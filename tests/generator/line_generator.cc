#include "generator/line_generator.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "batch/otlp_parts.h"

namespace limpet {
namespace {

constexpr Duration kPace = Milliseconds(50);  // Lines are written by the handful, as a file is read.
constexpr Duration kPause = Milliseconds(100);
constexpr uint64_t kShare = 512;              // Of lines in one call.
constexpr uint64_t kSecondNs = 1'000'000'000;

constexpr std::array<std::string_view, 32> kPhrases = {
    "connection accepted from 10.20.4.17", "request finished status=200", "cache miss for key user",
    "retrying in 250 ms", "queue depth is normal", "sensor bus-2 reading is stable",
    "heartbeat received from peer", "checksum verified", "level=info module=gateway",
    "level=debug module=modbus", "poll cycle completed", "value within limits", "session renewed",
    "token refreshed for device", "uplink quality good rssi=-71", "configuration unchanged",
    "watchdog kicked", "temperature=41.5 C", "voltage=23.8 V", "pump one is running",
    "valve position 63 percent", "write acknowledged", "batch handed to uploader",
    "duration_ms=12", "duration_ms=7", "bytes_sent=1480", "bytes_received=532", "user=operator",
    "unit=packaging-line", "shift=early", "trace sampled=false", "no action required"};

/// splitmix64: neighbouring numbers give unlike lines.
uint64_t Mix(uint64_t& state) {
  uint64_t z = state += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

LineGenerator::LineGenerator(uint32_t lines_per_second, uint64_t first_number)
    : lines_per_second_(lines_per_second), first_number_(first_number) {
  const ResourceAttribute attribute{"service.name", "generator"};
  resource_ = EncodeResource({&attribute, 1}, resource_bytes_).value();
}

std::string_view LineGenerator::WriteLine(uint64_t number, std::span<char, kLineBytes> out) {
  std::array<char, 32> head;
  size_t size = static_cast<size_t>(std::snprintf(head.data(), head.size(), "line %09llu",
                                                  static_cast<unsigned long long>(number)));
  std::memcpy(out.data(), head.data(), size);
  for (uint64_t state = number; size < out.size();) {
    out[size++] = ' ';
    const std::string_view phrase = kPhrases[Mix(state) % kPhrases.size()];
    const size_t count = std::min(phrase.size(), out.size() - size);
    std::memcpy(out.data() + size, phrase.data(), count);
    size += count;
  }
  if (out.back() == ' ') out.back() = '.';  // Some who read files trim a line's end.
  return {out.data(), size};
}

/// After the first line's.
Duration LineGenerator::Due(uint64_t index) const {
  const uint64_t seconds = index / lines_per_second_, rest = index % lines_per_second_;
  return {static_cast<int64_t>(seconds * kSecondNs + rest * kSecondNs / lines_per_second_)};
}

MonoTime LineGenerator::OnTime(const Stamp& now, LogEncoder& logs) {
  if (started_ == kNever) started_ = now.mono;
  logs.Begin(resource_, now);
  uint64_t share = kShare;
  for (; share > 0 && !logs.paused() && started_ + Due(written_) <= now.mono; --share) {
    const Duration late = now.mono - (started_ + Due(written_));
    const uint64_t number = first_number_ + written_;
    std::array<char, kLineBytes> line;
    const Attribute attribute{"line", number};
    logs.Record({.time = now.wall - late,
                 .severity = Severity::kInfo,
                 .severity_text = "info",
                 .body = WriteLine(number, line),
                 .attributes = {&attribute, 1}});
    ++written_;
  }
  logs.Finish();
  if (share == 0) return now.mono;  // There may be more: after the others have had their turn.
  if (logs.paused()) return now.mono + kPause;
  return std::max(started_ + Due(written_), now.mono + kPace);
}

}  // namespace limpet
