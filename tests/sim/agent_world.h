// The whole core in the other world: a host with a few files, one destination, a flash if it is
// wanted, and a checker that watches every event, over restarts and power cuts.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "agent/agent.h"
#include "sim/delivery_checker.h"
#include "sim/sim_storage.h"
#include "sim/sqlite_heap.h"
#include "sim/world.h"
#include "spool/spool_memory.h"

namespace limpet::sim {

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

struct AgentWorld : private PoolReporter {
  static constexpr uint32_t kGroups = Bit(HostGroup::kLoad) | Bit(HostGroup::kMemory) |
                                      Bit(HostGroup::kNetwork) | Bit(HostGroup::kCpu);

  explicit AgentWorld(uint64_t seed = 1)
      : random(seed), transport(clock), worker(clock), poller(clock, transport, &worker) {
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
    destination.breaker_failback = Seconds(30);
    config.queue.drain_share_percent = 25;
    config.retry.initial = Seconds(1);
    config.retry.max = Seconds(30);
    config.spool.max_bytes = 64 * kMiB;
    config.spool.share_percent = {25, 25, 25};
    config.spool.commit_interval = Seconds(5);
    config.spool.dead_max_bytes = 4 * kMiB;
    config.clock.step = Milliseconds(500);
    config.clock.unset_before = UnixTime{} + Seconds(1'704'067'200);
    identity.boot.bytes[0] = 1;
    Connect(transport, 0);
  }

  void Connect(SimTransport& to, size_t n) {
    to.lost = [this] { checker.OnAnswerLost(); };
    to.answer = [this, n](const SimRequest& request) {
      // Nothing leaves a host without power.
      if (flash != nullptr && flash->dead()) return SimAnswer{.sent = Sent::kNotSent};
      const SimAnswer answer = respond_at ? respond_at(n, request) : respond(request);
      if (!answer.refuse_memory && !request.probe()) checker.OnRequest(request, answer);
      return answer;
    };
  }

  /// Before Start: one more, like the first, of the next priority.
  DestinationConfig& AddDestination(std::string_view name) {
    DestinationConfig& destination = config.destinations[config.destination_count];
    destination = config.destinations[0];
    destination.name = name;
    destination.priority = static_cast<uint32_t>(++config.destination_count);
    others.push_back(std::make_unique<SimTransport>(clock));
    Connect(*others.back(), others.size());
    poller.transports.push_back(others.back().get());
    return destination;
  }
  SimTransport& transport_of(size_t n) { return n == 0 ? transport : *others[n - 1]; }

  virtual ~AgentWorld() { End(); }

  /// Before Start: with a spool, as the configuration wants it.
  void UseFlash() {
    flash = std::make_unique<SimFlash>();
    storage = std::make_unique<SimStorage>(*flash);
    worker.before = [this] {
      written_before_ = flash->counters.written_bytes;
    };
    worker.after = [this] {
      wrote_.push_back(flash->counters.written_bytes > written_before_);
      commits += wrote_.back() ? 1 : 0;
    };
  }

  /// A process begins: the first, or the next one.
  void Start() {
    slab.resize(Batcher::SlabBytes(config.queue.batch_bytes));
    packed.resize(config.queue.batch_bytes);
    gzip_memory.resize(GzipCompressor::BytesNeeded());
    gzip = std::make_unique<GzipCompressor>(gzip_memory);
    arena.resize(queue_blocks * kBlockBytes / sizeof(uint64_t));
    read_buffer.resize(kProcFileBytes);
    const ResourceAttribute attribute{"service.name", "limpet"};
    identity.resource = EncodeResource(host_resource.empty() ? std::span(&attribute, 1) : host_resource, resource).value();
    identity.version = "1.0";
    identity.instance = instance;
    identity.start = random.Next();
    if (extra != nullptr) logs_slab.resize(slab.size());
    if (flash != nullptr && extra == nullptr) logs_slab.resize(kEventSlabBytes);
    logs.reset();
    if (config.log_count > 0) {
      logs_slab.resize(slab.size());
      read_buffer.resize(std::max(read_buffer.size(), LogSources::BufferBytes(config)));
      logs_memory.assign(LogSources::BytesNeeded(config) / sizeof(std::max_align_t) + 8, {});
      logs.emplace(config, std::as_writable_bytes(std::span(logs_memory)), read_buffer,
                   LogPorts{.files = *agent_files, .log = log},
                   LogIdentity{.instance = instance, .start = identity.start, .started = clock.Wall()});
      ASSERT_TRUE(logs->Start(std::span(&attribute, 1)).ok());
    }
    if (config.receive.present) {
      logs_slab.resize(slab.size());
      traces_slab.resize(slab.size());
      receiver_memory.resize(OtlpReceiver::BytesNeeded(config.receive.max_connections));
      read_buffer.resize(std::max(read_buffer.size(),
                                  OtlpReceiver::ScratchBytes(config.receive.max_body_bytes, config.queue.batch_bytes,
                                                             config.receive.merge)));
    }
    delivery_memory.resize(Delivery::BytesNeeded(config) / sizeof(std::max_align_t) + 1);
    const AgentMemory memory{.slabs = {slab, logs_slab, traces_slab},
                             .gzip = config.destinations[0].gzip ? gzip.get() : nullptr,
                             .packed = packed,
                             .queue = std::as_writable_bytes(std::span(arena)),
                             .delivery = std::as_writable_bytes(std::span(delivery_memory)),
                             .receiver = receiver_memory,
                             .read_buffer = read_buffer};
    transports.clear();
    for (size_t n = 0; n < config.destination_count; ++n) transports.push_back(&transport_of(n));
    AgentPorts ports{clock, *agent_files, random, transports, log, logs ? &*logs : nullptr, extra};
    SpoolOpened opened;
    Status status;
    if (flash != nullptr) {
      store_buffer.resize(SpoolMemory::BufferBytes(config.queue.batch_bytes));
      store = std::make_unique<SpoolStore>(
          SpoolOptions{.max_bytes = config.spool.max_bytes,
                       .min_free_bytes = config.spool.min_free_bytes,
                       .overflow = config.spool.overflow,
                       .share_percent = config.spool.share_percent,
                       .max_age = config.queue.max_age,
                       .dead_max_bytes = config.spool.dead_max_bytes,
                       .sync = config.spool.sync,
                       .batch_bytes = config.queue.batch_bytes},
          *storage, clock, store_buffer);
      status = store->Open(opened);
      job = std::make_unique<SpoolJob>();
      store->Take(*job);
      ports.spool = {store.get(), &worker, storage.get(), job.get()};
    }
    checker.OnStart(identity.start);
    agent = std::make_unique<Agent>(config, identity, memory, ports,
                                    static_cast<PoolReporter&>(*this));
    if (flash != nullptr) agent->Resume(opened, status);
    if (flash == nullptr) agent->StartTracks();
    for (const Signal signal : kSignals) at_start_[Index(signal)] = agent->ledger().account(signal);
    ASSERT_TRUE(agent->Balances()) << "at the start";
  }

  /// kill -9: the process is gone, its flash is as it was. Start makes the next.
  void Kill() { End(); }

  /// The power goes, and comes back after a while: another boot.
  void CutPower(uint64_t seed) {
    flash->Reboot(seed);
    End();
    const UnixTime wall = clock.Wall() + Seconds(30);
    clock.mono = MonoTime{} + Seconds(20);
    clock.wall_offset = Duration{wall.ns - clock.mono.ns};
    ++identity.boot.bytes[0];
  }

  /// One turn of the loop, as main's: work, then wait for what comes first.
  void Turn() {
    const size_t tasks = worker.tasks;
    // Of what has been accepted, the agent does not know yet of what is in flight.
    size_t in_flight = 0;
    for (const SimTransport* t : poller.transports) in_flight += t->data_in_flight() ? 1 : 0;
    const size_t accepted = checker.accepted() - std::min(checker.accepted(), in_flight);
    const bool busy = worker.busy();
    const bool resumed = agent->spooler().resumed();
    std::array<Account, kSignalCount> before;
    for (const Signal signal : kSignals) before[Index(signal)] = agent->ledger().account(signal);
    if (agent->delivery().answered()) agent->Deliver(clock.mono);
    const MonoTime next = agent->OnTime(clock.mono);
    if (resumed != agent->spooler().resumed()) StartLate(before);
    ASSERT_TRUE(agent->Balances()) << "after OnTime at " << clock.mono.ns;
    WatchCommits(tasks, accepted, busy);
    if (agent->stopped()) return;
    const bool idle = next > clock.mono;
    ASSERT_TRUE(poller.Wait(next).ok());
    ASSERT_TRUE(agent->Balances()) << "after an event at " << clock.mono.ns;
    stuck_turns = idle ? 0 : stuck_turns + 1;
    ASSERT_LT(stuck_turns, 10'000u) << "the loop spins";
  }
  void RunFor(Duration duration) {
    poller.horizon = clock.mono + duration;
    while (clock.mono < poller.horizon && !testing::Test::HasFatalFailure()) {
      Turn();
      if (flash != nullptr && flash->dead()) return;
    }
  }
  void StopAndDrain() {
    poller.horizon = kNever;
    agent->Stop(clock.mono);
    while (!agent->stopped() && !testing::Test::HasFatalFailure()) Turn();
  }
  /// A graceful stop to its end; Start makes the next process.
  void StopAndEnd() {
    StopAndDrain();
    End();
  }
  /// What all processes so far come to.
  struct Sum {
    uint64_t produced = 0;
    std::array<uint64_t, kDropReasonCount> dropped{};
    uint64_t lost = 0;     ///< What a process had not committed when it ended without a stop.
    uint64_t at_risk = 0;  ///< The most that this may be: what was open or only in memory then.
    uint64_t dropped_total() const {
      uint64_t total = 0;
      for (const uint64_t count : dropped) total += count;
      return total;
    }
  };
  /// produced = delivered + rejected + dropped + dead + held + lost. What was delivered is what the
  /// destination saw, so that nothing of it rests on the agent's word alone.
  Sum Total(Signal signal) const {
    Sum sum = ended_[Index(signal)];
    if (agent == nullptr) return sum;
    const Account& account = agent->ledger().account(signal);
    AddTo(sum, signal, account);
    const uint64_t there = checker.items(signal) + account.rejected + sum.dropped_total() +
                           account.dead + agent->held(signal).total();
    sum.lost = sum.produced - std::min(sum.produced, there);
    return sum;
  }
  const Account& metrics() const { return agent->ledger().account(Signal::kMetrics); }
  Snapshot Look() {
    Snapshot snapshot;
    agent->Fill(snapshot);
    return snapshot;
  }

  std::span<const PoolUse> Report() override { return {}; }

  Config config;
  std::unique_ptr<SimFlash> flash;  ///< Nothing: durability = never.
  std::unique_ptr<SimStorage> storage;
  std::unique_ptr<SpoolJob> job;
  std::unique_ptr<SpoolStore> store;
  std::vector<uint8_t> store_buffer;
  size_t queue_blocks = 2000;
  SimClock clock;
  SimRandom random;
  SimFiles files;
  SimLog log;
  SimTransport transport;
  SimWorker worker;
  SimPoller poller;
  DeliveryChecker checker;
  std::function<SimAnswer(const SimRequest&)> respond = [](const SimRequest&) {
    return SimAnswer{};
  };
  std::function<SimAnswer(size_t, const SimRequest&)> respond_at;  ///< Of each destination; else respond.
  std::vector<std::unique_ptr<SimTransport>> others;               ///< Behind the first.
  std::vector<Transport*> transports;
  std::string instance = "inst";  ///< As it is derived; the spool may know another.
  AgentIdentity identity;
  std::array<uint8_t, 256> resource{};
  std::span<const ResourceAttribute> host_resource;  ///< Empty: service.name alone.
  Source* extra = nullptr;
  Files* agent_files = &files;      ///< What the agent sees of the host.
  std::optional<LogSources> logs;   ///< With [log.*] in the configuration.
  std::vector<std::max_align_t> logs_memory;
  std::vector<uint8_t> slab, logs_slab, traces_slab, packed;
  std::vector<std::byte> receiver_memory;
  std::vector<std::byte> gzip_memory;
  std::unique_ptr<GzipCompressor> gzip;
  std::vector<uint64_t> arena;
  std::vector<char> read_buffer;
  std::vector<std::max_align_t> delivery_memory;
  std::unique_ptr<Agent> agent;
  size_t stuck_turns = 0;
  size_t commits = 0;  ///< Jobs that wrote to the flash.

 private:
  void AddTo(Sum& sum, Signal signal, const Account& account) const {
    const Account& start = at_start_[Index(signal)];
    sum.produced += account.collected - start.collected;
    for (size_t r = 0; r < kDropReasonCount; ++r) {
      sum.dropped[r] += account.dropped[r] - start.dropped[r];
    }
  }

  /// What an earlier process left has joined the account: no outcome but that can have changed it.
  void StartLate(const std::array<Account, kSignalCount>& before) {
    for (const Signal signal : kSignals) {
      const Account& old = before[Index(signal)];
      const Account& now = agent->ledger().account(signal);
      Account& start = at_start_[Index(signal)];
      start.collected += now.delivered - old.delivered + now.rejected - old.rejected +
                         now.dropped_total() - old.dropped_total() + now.dead - old.dead +
                         agent->held(signal).spool;
      for (size_t r = 0; r < kDropReasonCount; ++r) {
        start.dropped[r] += now.dropped[r] - old.dropped[r];
      }
    }
  }

  /// The process is no more.
  void End() {
    if (agent == nullptr) return;
    for (const Signal signal : kSignals) {
      Sum& sum = ended_[Index(signal)];
      AddTo(sum, signal, agent->ledger().account(signal));
      const Held held = agent->held(signal);
      sum.at_risk += held.open + held.memory;
    }
    for (SimTransport* t : poller.transports) t->Cancel();
    worker.Forget();
    agent.reset();
    logs.reset();
    store.reset();
    checker.OnEnd();
    commits_.clear();
    wrote_.clear();
  }

  /// Tells the checker which acknowledgements a job that ended well has committed.
  void WatchCommits(size_t tasks, size_t accepted, bool was_busy) {
    if (flash == nullptr) return;
    if (was_busy && (!worker.busy() || worker.tasks > tasks)) Committed();
    if (worker.tasks > tasks) commits_.push_back(accepted);
    if (worker.tasks > tasks && !worker.busy()) Committed();
  }
  void Committed() {
    const bool well = agent->spooler().View().phase != SpoolPhase::kUnusable;
    if (well && wrote_.front()) checker.OnCommit(commits_.front());
    commits_.pop_front();
    wrote_.pop_front();
  }

  std::array<Account, kSignalCount> at_start_{};
  std::array<Sum, kSignalCount> ended_{};
  // Of the jobs that have not been taken back: the accepted requests when each began, and whether it
  // wrote.
  std::deque<size_t> commits_;
  std::deque<bool> wrote_;
  uint64_t written_before_ = 0;
};

}  // namespace limpet::sim
