// The whole core in the other world: a host with a few files, one destination, and a checker that
// watches every event.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "otlp_points.h"
#include "sim/world.h"

namespace limpet::sim {

/// Watches what reaches a destination. Each promise it guards names itself when it is broken; the
/// tests of the checker break each of them on purpose.
class DeliveryChecker {
 public:
  /// A request arrived, and this is what was answered.
  void OnRequest(const SimRequest& request, const SimAnswer& answer) {
    // The same key always carries the same bytes (spec.md promise 2).
    const auto [known, is_new] = bodies_.try_emplace(request.key, request.body);
    if (!is_new && known->second != request.body) Broken("bytes of a key changed");
    const bool accepted = answer.sent == Sent::kAnswered && answer.status / 100 == 2;
    if (delivered_.contains(request.key)) Broken("sent again after it was accepted");
    const uint64_t sequence = std::stoull(request.key.substr(request.key.rfind('-') + 1));
    uint64_t& last = last_[Index(request.signal)];
    // Order: never back behind what was sent. (What was dropped in between leaves a gap.)
    if (sequence < last) Broken("went back in order");
    last = sequence;
    if (!accepted) return;
    delivered_[request.key] = true;
    const std::vector<uint8_t> raw =
        request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body;
    if (request.signal != Signal::kMetrics) return;
    for (const SeenPoint& point : ReadPoints(raw)) {
      ++points_;
      if (point.time == 0) continue;  // A histogram, which the reader only counts.
      std::string series = point.metric;
      for (const auto& [key, value] : point.attributes) series += "," + key + "=" + value;
      int64_t& newest = newest_[series];
      if (point.time <= newest) Broken("a series went back in time");
      newest = point.time;
      int64_t& start = starts_[series];
      if (start != 0 && point.start != 0 && start != point.start) Broken("start time changed");
      if (point.start != 0) start = point.start;
    }
  }

  uint64_t points() const { return points_; }
  const std::vector<std::string>& broken() const { return broken_; }

 private:
  void Broken(const char* what) { broken_.push_back(what); }

  std::map<std::string, std::vector<uint8_t>> bodies_;
  std::map<std::string, bool> delivered_;
  std::array<uint64_t, kSignalCount> last_{};
  std::map<std::string, int64_t> newest_, starts_;
  uint64_t points_ = 0;
  std::vector<std::string> broken_;
};

/// A host of ours: 8 interfaces' worth of text is enough for about 30 points.
inline void FillHost(SimFiles& files) {
  files.contents["/proc/loadavg"] = "0.52 0.58 0.59 1/467 12345\n";
  files.contents["/proc/meminfo"] =
      "MemTotal:         507904 kB\nMemFree:          201232 kB\nMemAvailable:     350112 kB\n"
      "Buffers:           21232 kB\nCached:           120232 kB\nSwapCached:            0 kB\n"
      "Shmem:              1232 kB\nSReclaimable:      20112 kB\nSUnreclaim:        10112 kB\n"
      "HugePages_Total:       0\n";
  files.contents["/proc/stat"] =
      "cpu  1000 20 300 90000 40 0 15 0 0 0\ncpu0 1000 20 300 90000 40 0 15 0 0 0\n"
      "intr 1\nctxt 2\nbtime 1750000000\nprocesses 4242\nprocs_running 1\nprocs_blocked 0\n";
  files.contents["/proc/net/dev"] =
      "Inter-|   Receive                                                |  Transmit\n"
      " face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs "
      "drop fifo colls carrier compressed\n"
      "  eth0: 1000 10 0 0 0 0 0 0 2000 20 0 0 0 0 0 0\n";
}

struct AgentWorld final : private PoolReporter {
  static constexpr uint32_t kGroups = Bit(HostGroup::kLoad) | Bit(HostGroup::kMemory) |
                                      Bit(HostGroup::kNetwork) | Bit(HostGroup::kCpu);

  explicit AgentWorld(uint64_t seed = 1)
      : random(seed), transport(clock), poller(clock, transport) {
    FillHost(files);
    config.agent.shutdown_timeout = Seconds(30);
    config.host.present = true;
    config.host.interval = Seconds(10);
    config.host.groups = kGroups;
    config.host.root = "/";
    config.queue.batch_items = 512;
    config.queue.batch_bytes = 64 * 1024;
    config.queue.batch_delay = Seconds(1);
    config.destination_count = 1;
    DestinationConfig& destination = config.destinations[0];
    destination.name = "primary";
    destination.url = "http://sim";
    destination.breaker_failures = 5;
    destination.breaker_open = Seconds(5);
    destination.breaker_open_max = Seconds(120);
    config.retry.initial = Seconds(1);
    config.retry.max = Seconds(30);
    config.clock.step = Milliseconds(500);
    config.clock.unset_before = UnixTime{} + Seconds(1'704'067'200);
    transport.answer = [this](const SimRequest& request) {
      const SimAnswer answer = respond(request);
      if (!answer.refuse_memory) checker.OnRequest(request, answer);
      return answer;
    };
  }

  void Start() {
    slab.resize(Batcher::SlabBytes(config.queue.batch_bytes));
    packed.resize(config.queue.batch_bytes);
    gzip_memory.resize(GzipCompressor::BytesNeeded());
    gzip = std::make_unique<GzipCompressor>(gzip_memory);
    arena.resize(queue_blocks * kBlockBytes / sizeof(uint64_t));
    read_buffer.resize(kProcFileBytes);
    const ResourceAttribute attribute{"service.name", "limpet"};
    identity.resource = EncodeResource({&attribute, 1}, resource).value();
    identity.version = "1.0";
    identity.instance = "inst";
    identity.start = random.Next();
    if (extra != nullptr) logs_slab.resize(slab.size());
    const AgentMemory memory{.slab = slab,
                             .logs_slab = logs_slab,
                             .gzip = config.destinations[0].gzip ? gzip.get() : nullptr,
                             .packed = packed,
                             .queue = std::as_writable_bytes(std::span(arena)),
                             .read_buffer = read_buffer};
    agent = std::make_unique<Agent>(config, identity, memory,
                                    AgentPorts{clock, files, random, transport, log, extra},
                                    static_cast<PoolReporter&>(*this));
  }

  /// One turn of the loop, as main's: work, then wait for what comes first.
  void Turn() {
    const MonoTime next = agent->OnTime(clock.mono);
    ASSERT_TRUE(agent->Balances()) << "after OnTime at " << clock.mono.ns;
    if (agent->stopped()) return;
    const bool idle = next > clock.mono;
    ASSERT_TRUE(poller.Wait(next).ok());
    ASSERT_TRUE(agent->Balances()) << "after an event at " << clock.mono.ns;
    stuck_turns = idle ? 0 : stuck_turns + 1;
    ASSERT_LT(stuck_turns, 10'000u) << "the loop spins";
  }
  void RunFor(Duration duration) {
    poller.horizon = clock.mono + duration;
    while (clock.mono < poller.horizon && !testing::Test::HasFatalFailure()) Turn();
  }
  void StopAndDrain() {
    poller.horizon = kNever;
    agent->Stop(clock.mono);
    while (!agent->stopped() && !testing::Test::HasFatalFailure()) Turn();
  }
  const Account& metrics() const { return agent->ledger().account(Signal::kMetrics); }
  Snapshot Look() {
    Snapshot snapshot;
    agent->Fill(snapshot);
    return snapshot;
  }

  std::span<const PoolUse> Report() override { return {}; }

  Config config;
  size_t queue_blocks = 2000;
  SimClock clock;
  SimRandom random;
  SimFiles files;
  SimLog log;
  SimTransport transport;
  SimPoller poller;
  DeliveryChecker checker;
  std::function<SimAnswer(const SimRequest&)> respond = [](const SimRequest&) {
    return SimAnswer{};
  };
  AgentIdentity identity;
  std::array<uint8_t, 256> resource{};
  Source* extra = nullptr;
  std::vector<uint8_t> slab, logs_slab, packed;
  std::vector<std::byte> gzip_memory;
  std::unique_ptr<GzipCompressor> gzip;
  std::vector<uint64_t> arena;
  std::vector<char> read_buffer;
  std::unique_ptr<Agent> agent;
  size_t stuck_turns = 0;
};

}  // namespace limpet::sim
