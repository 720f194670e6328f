// One made-up moment of a running program, for the tests of what is shown of it.
#pragma once

#include <array>

#include "serve/snapshot.h"

namespace limpet {

struct Sample {
  Sample() {
    Snapshot& s = snapshot;
    s.version = "1.2.3";
    s.instance = "7f3a";
    s.uptime = Milliseconds(93'784'500);
    s.wall = {1'700'000'000'000'000'000};
    s.health.ok = false;
    s.health.delivery = "stalled";
    s.health.reasons[0] = "destination \"primary\": 401";
    s.health.reason_count = 1;
    s.health.ready = true;
    Account& metrics = s.ledger[Index(Signal::kMetrics)];
    metrics.collected = 1000;
    metrics.delivered = 900;
    metrics.rejected = 3;
    metrics.dropped[static_cast<size_t>(DropReason::kOverflow)] = 5;
    metrics.dropped[static_cast<size_t>(DropReason::kRefused)] = 2;
    s.held[Index(Signal::kMetrics)] = {.open = 10, .memory = 80, .spool = 0};
    s.queue.batches = 3;
    s.queue.bytes = 2048;
    s.queue.capacity_bytes = 716800;
    s.queue.oldest = Seconds(125);
    DestinationView& d = destinations[0];
    d.name = "primary";
    d.url = "https://gateway.example:4318";
    d.active[Index(Signal::kMetrics)] = true;
    d.breaker = BreakerState::kOpen;
    d.last_success = s.wall - Seconds(180);
    d.last_error_time = s.wall - Seconds(2);
    d.last_error = "401 Unauthorized: check the token";
    d.misconfigured = true;
    d.next_attempt_in = Seconds(5);
    d.requests = codes;
    d.transitions = transitions;
    d.duration = {bounds, durations, 12.5};
    d.delivered[Index(Signal::kMetrics)] = 900;
    d.rejected[Index(Signal::kMetrics)] = 3;
    s.destinations = destinations;
    sources[0] = {.name = "host", .problem = "memory: not found", .collected = &collected};
    s.sources = sources;
    s.clock.state = "unsynchronized";
    s.clock.steps = 1;
    s.pools = pools;
    s.tick_delay = {bounds, delays, 0.001};
  }
  Sample(const Sample&) = delete;
  Sample& operator=(const Sample&) = delete;

  std::array<CodeCount, 2> codes{{{0, 4}, {200, 30}}};
  std::array<TransitionCount, 3> transitions{{{BreakerState::kOpen, BreakerReason::kMisconfigured, 2},
                                              {BreakerState::kHalfOpen, BreakerReason::kProbe, 2},
                                              {BreakerState::kOpen, BreakerReason::kTimeout, 1}}};
  std::array<double, 2> bounds{0.25, 1};
  std::array<uint64_t, 3> durations{10, 20, 1};
  std::array<uint64_t, 3> delays{1, 0, 0};
  std::array<DestinationView, 1> destinations{};
  CollectedView collected{.cycles = 1, .skipped = 2};
  std::array<SourceView, 1> sources{};
  std::array<PoolUse, 2> pools{{{"queue", 716800, 2048, 700000, 0}, {"tls", 512, 0, 0, 4}}};
  Snapshot snapshot;
};

}  // namespace limpet
