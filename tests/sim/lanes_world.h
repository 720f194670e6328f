// The spooler with its real store and queue, and in place of the agent somebody who closes batches at
// random, sends the heads of both lanes, and has some of them bisected, over kills and power cuts. The
// account is asked after every event, and at the end where every single item went.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "ledger/ledger.h"
#include "queue/batch_queue.h"
#include "sim/flash.h"
#include "sim/sim_storage.h"
#include "sim/sqlite_heap.h"
#include "sim/world.h"
#include "spool/spool_memory.h"
#include "spool/spooler.h"

namespace limpet::sim {

struct LanesWorld final : private OpenBatches, private CountKeeper {
  static constexpr Duration kTurn = Milliseconds(50);

  explicit LanesWorld(uint64_t seed) : random(seed), worker(clock), storage(flash) {
    SqliteHeap::Get();
    options.durability = Durability::kOnDemand;
    options.commit_interval = Seconds(5);
    options.max_bytes = 4 * kMiB;
    options.batch_bytes = 4 * kKiB;
    options.instance = "inst";
  }

  // What may be changed before Start.
  SpoolerOptions options;
  size_t queue_blocks = 400;
  unsigned percent_refused = 0;    ///< Of batches, which are bisected then,
  unsigned percent_bad = 30;       ///< and of their items, which become letters.
  unsigned percent_failed = 0;     ///< Attempts with a known outcome: not accepted.
  Duration batch_interval = Milliseconds(500);
  Duration answer_time = Milliseconds(50);
  bool announces = false;          ///< Each attempt, to have it on flash before: at_most_once.
  SignalSet up = kAllSignals;

  using Key = std::pair<uint64_t, uint64_t>;  ///< Of a batch: process and sequence, per signal.
  struct Batch {
    Signal signal = Signal::kLogs;
    std::vector<int> accepted;     ///< Times that each item was, and
    std::vector<int> buried;       ///< became a letter's,
    bool was_live = false;
  };
  struct Sent {
    Lane lane;
    Key key;
    bool was_live;
  };

  std::mt19937_64 random;
  SimClock clock;
  SimWorker worker;
  SimFlash flash;
  SimStorage storage;
  SimLog log;
  std::map<Key, Batch> batches;        // By start and sequence: unique over the signals.
  std::vector<Sent> accepted;          // Whole batches of this process, in order.
  uint64_t at_risk = 0;                // Items that were only in memory at the end of a process.
  uint64_t produced = 0;
  std::array<std::vector<uint64_t>, 2> latency_ms;  // Of first acceptance, per lane.

  uint64_t below(uint64_t n) { return random() % n; }
  bool chance(unsigned percent) { return below(100) < percent; }

  void Start() {
    arena.assign(queue_blocks * kBlockBytes / sizeof(uint64_t), 0);
    buffer.resize(SpoolMemory::BufferBytes(options.batch_bytes));
    options.boot.bytes[0] = boot;
    ledger = {};
    store = std::make_unique<SpoolStore>(
        SpoolOptions{.max_bytes = options.max_bytes,
                     .max_age = options.max_age,
                     .batch_bytes = options.batch_bytes},
        storage, clock, buffer);
    SpoolOpened opened;
    const Status status = store->Open(opened);
    job = std::make_unique<SpoolJob>();
    store->Take(*job);
    queue = std::make_unique<BatchQueue>(std::as_writable_bytes(std::span(arena)));
    spooler = std::make_unique<Spooler>(options, SpoolParts{store.get(), &worker, &storage, job.get()},
                                        *queue, ledger, clock, log);
    spooler->Resume(opened, status);
    ++process;
    sequence = 0;
    slots = {};
    next_batch = clock.mono;
    accepted.clear();
    settled.clear();
    committed = began = 0;
    Check("at the start");
  }

  /// The process is gone; what was on its way may have arrived.
  void End(bool stopped = false) {
    for (Slot& slot : slots) {
      if (slot.busy && below(2) == 0) Arrive(slot);
    }
    for (const Signal signal : kSignals) {
      const Held held = spooler->held(signal);
      at_risk += held.memory;
    }
    if (stopped) committed = settled.size();
    for (size_t n = 0; n < committed; ++n) final_.insert(settled[n]);
    worker.Forget();
    spooler.reset();
    store.reset();
    queue.reset();
  }
  void Kill() {
    End();
    Start();
  }
  void CutPower() {
    const uint64_t seed = random();
    flash.Reboot(seed);
    End();
    const UnixTime wall = clock.Wall() + Seconds(30);
    clock.mono = MonoTime{} + Seconds(20);
    clock.wall_offset = Duration{wall.ns - clock.mono.ns};
    ++boot;
    Start();
  }
  void StopAndStart() {
    for (Slot& slot : slots) Abandon(slot);
    spooler->Stop(clock.mono);
    for (int turn = 0; turn < 2000 && !spooler->finished(); ++turn) Turn();
    ASSERT_TRUE(spooler->finished());
    for (const Signal signal : kSignals) EXPECT_EQ(spooler->held(signal).memory, 0u);
    End(true);
    Start();
  }

  void RunFor(Duration duration) {
    const MonoTime until = clock.mono + duration;
    while (clock.mono < until && !testing::Test::HasFatalFailure() && !flash.dead()) Turn();
  }
  /// Until nothing is held.
  void Drain(Duration longest = Seconds(1200)) {
    const Duration interval = batch_interval;
    batch_interval = Seconds(1'000'000);
    next_batch = clock.mono + batch_interval;
    up = kAllSignals;
    const MonoTime until = clock.mono + longest;
    while (clock.mono < until && !(spooler->empty()) && !testing::Test::HasFatalFailure()) Turn();
    EXPECT_TRUE(spooler->empty());
    batch_interval = interval;
    next_batch = clock.mono;
  }

  void Turn() {
    if (!spooler->stopping() && clock.mono >= next_batch) {
      for (uint64_t n = 1 + below(2); n > 0; --n) Push();
      next_batch = clock.mono + batch_interval;
    }
    const size_t tasks = worker.tasks;
    const bool busy = worker.busy();
    const size_t settled_before = settled.size();
    const SpoolPhase before = spooler->View().phase;
    (void)spooler->OnTime(clock.mono, up, *this, *this);
    const bool well = spooler->View().phase != SpoolPhase::kUnusable && before != SpoolPhase::kUnusable;
    if (busy && (!worker.busy() || worker.tasks > tasks) && well && wrote) committed = began;
    if (worker.tasks > tasks) {
      began = settled_before;
      wrote = job->write;
      if (!worker.busy() && well && wrote) committed = began;
    }
    Check("after OnTime");
    for (const Signal signal : kSignals) {
      for (BatchId id = queue->Head(signal, Part::kLive); id; id = queue->Next(id)) {
        batches[KeyOf(queue->header(id))].was_live = true;
      }
    }
    for (size_t n = 0; n < slots.size(); ++n) {
      Drive(slots[n], kSignals[n / 2], n % 2 == 0 ? Lane::kOldest : Lane::kLive);
    }
    clock.mono = clock.mono + kTurn;
  }

  /// L1, and nothing else is ever right.
  void Check(const char* when) {
    for (const Signal signal : kSignals) {
      const Held held = spooler->held(signal);
      const Account& account = ledger.account(signal);
      ASSERT_TRUE(account.Balances(held))
          << SignalName(signal) << ' ' << when << " at " << clock.mono.ns << ": collected "
          << account.collected << " delivered " << account.delivered << " dead " << account.dead
          << " dropped " << account.dropped_total() << " memory " << held.memory << " spool " << held.spool;
    }
  }

  uint64_t dropped(DropReason reason) const {
    uint64_t items = 0;
    for (const Signal signal : kSignals) items += ledger.account(signal).dropped[static_cast<size_t>(reason)];
    return items;
  }

  uint64_t dropped() const {
    uint64_t items = 0;
    for (const Signal signal : kSignals) items += ledger.account(signal).dropped_total();
    return items;
  }

  /// Every item went somewhere, but for those that were at risk when a process ended.
  void ExpectNothingLost() const {
    uint64_t missing = 0;
    for (const auto& [key, batch] : batches) {
      for (size_t n = 0; n < batch.accepted.size(); ++n) {
        if (batch.accepted[n] + batch.buried[n] == 0) ++missing;
      }
    }
    EXPECT_LE(missing, at_risk + dropped());
    if (process == 1) { EXPECT_EQ(missing, dropped()); }
  }
  /// In each lane, what was sent from it came in the order of its collection.
  void ExpectOrder() const {
    std::array<std::array<Key, 2>, kSignalCount> last{};
    for (const Sent& sent : accepted) {
      if (sent.lane == Lane::kOldest && sent.was_live) continue;
      Key& before = last[Index(batches.at(sent.key).signal)][static_cast<size_t>(sent.lane)];
      EXPECT_LT(before, sent.key);
      before = sent.key;
    }
  }

  Ledger ledger;
  std::unique_ptr<BatchQueue> queue;
  std::unique_ptr<SpoolStore> store;
  std::unique_ptr<SpoolJob> job;
  std::unique_ptr<Spooler> spooler;
  uint64_t process = 0, sequence = 0;

 private:
  /// One request at a time in each lane of a signal, and the batch that it is bisecting.
  struct Slot {
    bool busy = false, bisecting = false;
    BatchId id;
    BatchHeader header;
    MonoTime due;
    uint32_t at = 0;  ///< Items before that are done with.
  };

  void CloseAll(MonoTime) override {}
  bool AnyOpen() const override { return false; }
  void WriteCounts(KeptAccount&) const override {}

  static Key KeyOf(const BatchHeader& header) { return {header.start, header.sequence}; }

  void Push() {
    std::vector<uint8_t> bytes(static_cast<size_t>(100 + below(options.batch_bytes - 200)));
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
    BatchHeader header;
    header.signal = below(3) == 0 ? Signal::kMetrics : Signal::kLogs;
    header.start = process;
    header.sequence = ++sequence;
    header.items = static_cast<uint32_t>(1 + below(9));
    header.stored_bytes = static_cast<uint32_t>(bytes.size());
    header.boot = options.boot;
    header.first_mono = header.last_mono = clock.mono;
    header.first_wall = header.last_wall = clock.Wall();
    if (!queue->MakeRoom(bytes.size())) return;  // Sources wait.
    ASSERT_TRUE(queue->Push(header, {}, bytes).ok());
    ledger.Collect(header.signal, header.items);
    produced += header.items;
    Batch& batch = batches[KeyOf(header)];
    batch.signal = header.signal;
    batch.accepted.resize(header.items);
    batch.buried.resize(header.items);
  }

  /// The receiver has the items from `at` on.
  void Arrive(Slot& slot) {
    const Key key = KeyOf(slot.header);
    EXPECT_FALSE(final_.contains(key)) << "sent again after it was settled and committed";
    Batch& batch = batches[key];
    const uint32_t end = slot.bisecting ? slot.at + 1 : slot.header.items;
    for (uint32_t n = slot.at; n < end; ++n) {
      ++batch.accepted[n];
      if (announces) { EXPECT_LE(batch.accepted[n], 1) << "twice, of at_most_once"; }
    }
  }

  void Abandon(Slot& slot) {
    if (slot.busy) queue->Land(slot.id);
    slot = {};
  }

  /// The batch that the slot is at, if it is still the head of a line.
  bool Finds(Slot& slot) {
    for (const Lane lane : {Lane::kOldest, Lane::kLive}) {
      const BatchId head = spooler->Head(slot.header.signal, lane);
      if (head && KeyOf(queue->header(head)) == KeyOf(slot.header)) {
        slot.id = head;
        return true;
      }
    }
    return false;
  }

  void Drive(Slot& slot, Signal signal, Lane lane) {
    if (slot.busy) {
      if (clock.mono >= slot.due) Answer(slot, lane);
      return;
    }
    if ((up >> Index(signal) & 1) == 0 || spooler->stopping()) return;
    if (slot.bisecting) {
      if (!Finds(slot)) {
        // One that is in part gone waits for nothing but a place in the transactions.
        if (slot.at == 0) slot = {};
        return;
      }
    } else {
      const BatchId head = spooler->Head(signal, lane);
      if (!head || queue->in_flight(head)) return;
      for (const Slot& other : slots) {
        if (other.bisecting && KeyOf(other.header) == KeyOf(queue->header(head))) return;
      }
      slot.id = head;
      slot.header = queue->header(head);
      if (announces && spooler->OpenAttempt(head) == "amo") {
        // Nobody knows: never again.
        ledger.Drop(signal, DropReason::kUnknown, slot.header.items);
        Settle(slot);
        return;
      }
    }
    if (announces && !spooler->Announce(slot.id, lane, "amo", true)) return;
    queue->Launch(slot.id, clock.Wall());
    slot.busy = true;
    slot.due = clock.mono + answer_time;
  }

  void Settle(Slot& slot) {
    spooler->Settle(slot.id);
    settled.push_back(KeyOf(slot.header));
    slot = {};
    Check("after Settle");
  }

  void Answer(Slot& slot, Lane lane) {
    slot.busy = false;
    queue->Land(slot.id);
    const Signal signal = slot.header.signal;
    const Key key = KeyOf(slot.header);
    if (!slot.bisecting && (up >> Index(signal) & 1) == 0) {
      if (announces) {  // The outcome is unknown.
        if (below(2) == 0) Arrive(slot);
        ledger.Drop(signal, DropReason::kUnknown, slot.header.items);
        Settle(slot);
      }
      slot = {};
      return;
    }
    if (announces) spooler->Retract(signal, lane);
    if (slot.bisecting) {
      BisectOn(slot);
      return;
    }
    if (chance(percent_failed)) {
      slot = {};
      return;
    }
    if (slot.header.items > 1 && chance(percent_refused)) {
      slot.bisecting = true;
      return;
    }
    Arrive(slot);
    ledger.Deliver(signal, slot.header.items);
    accepted.push_back({lane, key, batches[key].was_live});
    latency_ms[static_cast<size_t>(lane)].push_back(
        static_cast<uint64_t>((clock.mono - slot.header.first_mono).ns / 1'000'000));
    Settle(slot);
  }

  /// The answer to one item of a batch, alone.
  void BisectOn(Slot& slot) {
    const Key key = KeyOf(slot.header);
    const Signal signal = slot.header.signal;
    if ((key.second * 31 + slot.at) % 100 < percent_bad) {
      BatchHeader part = slot.header;
      part.path = {.bits = slot.at, .length = 4};
      part.items = 1;
      const std::array<uint8_t, 40> bytes{static_cast<uint8_t>(slot.at)};
      part.stored_bytes = bytes.size();
      part.checkpoint_bytes = 0;
      if (!spooler->BuryPart(slot.id, part, bytes, "primary", "400: no")) return;  // Next turn again.
      ++batches[key].buried[slot.at];
    } else {
      Arrive(slot);
      ledger.Deliver(signal, 1);
      spooler->SettlePart(slot.id, 1);
    }
    Check("after a part");
    if (++slot.at == slot.header.items) Settle(slot);
  }

  std::vector<uint64_t> arena;
  std::vector<uint8_t> buffer;
  std::array<Slot, 2 * kSignalCount> slots;
  MonoTime next_batch;
  uint8_t boot = 1;
  std::vector<Key> settled;            // In this process, in order;
  size_t began = 0, committed = 0;     // so many at the begin of the job, and of the last that ended well.
  bool wrote = false;
  std::set<Key> final_;                // Never to be seen again.
};

}  // namespace limpet::sim
