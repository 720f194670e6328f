// The loop's side of the spool: decides what goes to flash and what comes back, and owns every batch
// between its closing and its outcome. It waits for nothing; the worker does.
//
// The states, and what leads from one to the next (`durability = on_demand`):
//
//             a signal holds something that no healthy
//             destination takes, or memory is 80 % full
//      calm ------------------------------------------------> spilling
//        ^                                                     |    ^
//        | the spool is empty, all could leave                 |    | it cannot,
//        | for kQuiet, and memory is at most                   |    | for kQuiet
//        | half full                            all can leave  v    |
//        +------------------------------------------------- draining
//
//   calm      Batches are in memory only; nothing is written.
//   spilling  Every batch is committed, each commit_interval; open batches wait for the commit, so
//             that the backlog drains in large requests.
//   draining  The same, and the oldest batches come back, as many as half of the queue's memory holds.
//   unusable  Any job failed. Batches stay in memory, by the rules of calm; the spool is opened anew
//             after a second, then each minute, and what it holds comes back with it. Where it holds
//             something, memory waits for the first of these tries, for the sake of order.
//   off       durability = never.
//
// `always` commits as soon as the worker is free, before a batch is first sent, and takes along what
// is open; its states only say whether something is held and whether it can leave.
//
// Invariants:
//  P1  The line of a signal is: its copies of the spool's oldest, the rest of the spool, what is only
//      in memory. Delivery takes the head of that, and waits for the worker where the head is on flash.
//      With live_first it is two while there is a backlog: what came in since goes ahead of it, from
//      memory, also once it is committed (Part::kLive).
//  P2  An item is held in one place: `spool` from the end of the job that committed it, else `memory`.
//  P3  A batch has one row number for good, so that a job that seems to have failed can be repeated.
//  P4  What the spool says it holds after a transaction is what counts: a difference is damage.
//  P5  A job pins what it writes; the worker touches nothing else of the loop's.
//  P6  done_ of a signal passes no row that is held: one that is done with before others in front of it
//      is named to the next transaction by itself.
//  P7  No number of a row is given out before the database has said which are taken.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "ledger/ledger.h"
#include "limpet/batch.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/worker.h"
#include "queue/batch_queue.h"
#include "spool/attempts.h"
#include "spool/job.h"
#include "spool/store.h"

namespace limpet {

enum class SpoolPhase : uint8_t { kOff, kCalm, kSpilling, kDraining, kUnusable };
/// "off", "calm", "spilling", "draining", "unusable".
std::string_view SpoolPhaseName(SpoolPhase phase);

/// The spool's parts outside the loop; nothing there: durability = never.
struct SpoolParts {
  SpoolStore* store = nullptr;
  Worker* worker = nullptr;
  const Storage* storage = nullptr;
  SpoolJob* job = nullptr;  ///< Here and not in the Spooler: who has no spool has no need of it.
};

struct SpoolerOptions {
  Durability durability = Durability::kMemoryOnly;
  Duration commit_interval;
  Overflow overflow = Overflow::kDropOldest;
  uint64_t max_bytes = 0;
  size_t batch_bytes = 0;
  Duration max_age;                 ///< 0: none.
  SignalSet live_first = 0;         ///< Signals whose new data goes ahead of a backlog.
  BootId boot;
  std::string_view instance;
};

/// What the spool shows of itself.
struct SpoolView {
  SpoolPhase phase = SpoolPhase::kOff;
  SignalTotals totals{};
  uint64_t bytes = 0, written_bytes = 0, syncs = 0, damaged = 0;
  PoolUse heap;
  Duration slowest_commit;
  bool full = false;
  std::string_view problem;  ///< Why it is unusable.
};

/// Counts of sections of the configuration, to lie in the spool with the accounts.
class CountKeeper {
 public:
  virtual void WriteCounts(KeptAccount& account) const = 0;

 protected:
  ~CountKeeper() = default;
};

/// Closes the open batches, so that a commit has them.
class OpenBatches {
 public:
  virtual void CloseAll(MonoTime now) = 0;
  virtual bool AnyOpen() const = 0;

 protected:
  ~OpenBatches() = default;
};

class Spooler final : private LeaveWatcher {
 public:
  static constexpr Duration kQuiet = Seconds(30);
  static constexpr unsigned kCrowdedAbove = 50;  ///< Percent of the queue.

  Spooler(const SpoolerOptions& options, const SpoolParts& parts, BatchQueue& queue, Ledger& ledger,
          Clock& clock, Log& log);
  Spooler(const Spooler&) = delete;
  Spooler& operator=(const Spooler&) = delete;

  /// Takes over what an earlier process left, as the store found it at start. status: of opening it;
  /// when it failed the spool is unusable for now.
  void Resume(const SpoolOpened& opened, const Status& status);

  /// Sources have tracks to be kept: asked for what an earlier process left, and for changes, from now on.
  void UseTracks(TrackMarks& marks, TrackKeeper& keeper);

  /// What an earlier process left is known, and part of the account.
  bool resumed() const { return resumed_; }
  /// What was found by a spool that could be opened only later, once; else nullptr.
  const SpoolOpened* TakeLateOpening();

  /// Takes back a finished job, decides the state, hands out the next job. reachable: the signals that
  /// some healthy destination takes. Returns when it wants to be called next; the end of a job calls
  /// for a turn as well.
  MonoTime OnTime(MonoTime now, SignalSet reachable, OpenBatches& open, const CountKeeper& counts);

  /// While a commit takes the open batches along, they are not closed for their age, but where new data
  /// goes out ahead of a backlog.
  bool ClosesOpenBatches() const { return TakesOpenBatches() && !LiveFlows(); }

  // The lines, for delivery.

  /// What is to go next; none: nothing, or it is on its way from flash, or to it. It may be in flight:
  /// what was sent from one lane is at the head of the other when the backlog ends.
  BatchId Head(Signal signal, Lane lane = Lane::kOldest) const;
  /// The batch was accepted, or its outcome ends it otherwise: what is left of it is held no more.
  void Settle(BatchId id);
  /// So many items of the batch were: they are held no more. The batch stays in line until Settle.
  void SettlePart(BatchId id, uint32_t items);
  /// The batch was refused, all of it: it becomes a dead letter. False: no place for it now, or there is
  /// no spool; the caller decides.
  bool Bury(BatchId id, std::string_view destination, std::string_view answer);
  /// A part of the batch was: it becomes a letter of its own, and its items leave the batch. False: no
  /// place for it now; it can be asked for again. Not where there are no dead letters.
  bool BuryPart(BatchId id, const BatchHeader& part, std::span<const uint8_t> bytes,
                std::string_view destination, std::string_view answer);
  bool has_dead_letters() const {
    return Usable() || (phase_ == SpoolPhase::kUnusable && bury_count_ < buries_.size());
  }

  /// An attempt is about to begin there. commit: true only when flash says so, or will say it as soon as
  /// it has the batch; otherwise it is asked for, and the caller comes again each turn, with the same
  /// batch. Without commit it is noted with the next transaction.
  bool Announce(BatchId id, Lane lane, std::string_view destination, bool commit);
  /// After an Announce that was false: when there has to be a turn. The end of a job calls for one anyway.
  MonoTime AnnounceDue(MonoTime now) const;
  /// The outcome of the lane's attempt is known, and the batch still held. Settle and Bury say it, too.
  void Retract(Signal signal, Lane lane);
  /// Where an earlier process began an attempt on this batch, whose outcome was never known; empty:
  /// nowhere.
  std::string_view OpenAttempt(BatchId id) const;

  /// Drops what is only in memory. Returns the items, of all signals.
  uint64_t DropMemory(DropReason reason);

  // The end.

  /// From now on everything goes to the spool, and the last job leaves the mark of a clean stop.
  void Stop(MonoTime now) {
    stopping_ = true;
    kept_out_ = false;
    retry_at_ = std::min(retry_at_, now);  // One more try.
  }
  bool stopping() const { return stopping_; }
  /// The last job has ended well, or there is nothing to wait for.
  bool finished() const { return phase_ == SpoolPhase::kOff || finished_; }
  /// What is not delivered can be kept.
  bool usable() const { return Usable(); }

  /// The first part of every key: the id that the spool has kept, where it has one.
  std::string_view instance() const { return instance_.text(); }

  // For the commands that ask a running process.

  /// Puts letters back into the line, or throws them away; rows: which, none: all. False: one such
  /// wish at a time. `dead_changed` of TakeDeadAnswer says how many it were.
  bool AskDead(DeadAction action, std::span<const SpoolRow> rows);
  struct DeadAnswer {
    Status status;
    uint64_t changed = 0;
  };
  bool TakeDeadAnswer(DeadAnswer& answer);

  /// Reads bytes of the file; one such wish at a time. The bytes live until the next call.
  bool AskFile(uint64_t offset, std::span<uint8_t> into);
  struct FileAnswer {
    Status status;
    size_t got = 0;
    uint64_t size = 0, generation = 0;
  };
  bool TakeFileAnswer(FileAnswer& answer);
  /// Holds commits back until then, so that a reader finds one state of the file; not where memory
  /// runs short, and not at the end.
  void HoldCommits(MonoTime until) { hold_until_ = until; }

  // For receivers, whose senders can be asked to come again.

  /// Would batches of so many bytes, some of them of the signal, find a place in memory, and where they
  /// go to flash at once also there, without anything being dropped for them?
  bool HasRoom(Signal signal, size_t bytes);
  /// For how much there is room when nothing is held.
  size_t most_bytes() const { return queue_.use().bytes - std::min(queue_.use().bytes, OthersBytes()); }
  /// There is a backlog on flash, or one is growing.
  bool Spills() const { return phase_ == SpoolPhase::kSpilling || phase_ == SpoolPhase::kDraining; }
  /// Memory fills faster than it is delivered: a sender that waits a little spares the flash.
  bool Crowded() const { return !CommitsFirst() && MemoryAbove(kCrowdedAbove); }
  /// What is queued now is safe only once it is committed.
  bool CommitsFirst() const {
    return Usable() && (Spills() || options_.durability == Durability::kAlways);
  }
  /// Somebody waits for a commit of what is open now: it begins as soon as the worker is free. Those whom
  /// the last commit has made free are waited for, a fraction of what it took: they share the next.
  void HurryCommit() { hurried_at_ = hurried_++ == 0 ? clock_.Monotonic() : hurried_at_; }
  /// Nothing of the signal up to this number, of those that this process has given, is only in memory.
  bool Kept(Signal signal, uint64_t sequence) const;

  Held held(Signal signal) const;
  /// Batches on flash that are not in memory.
  bool HasBacklog(Signal signal) const { return Backlog(signal) > 0; }
  /// Something is held, in memory or on flash.
  bool empty() const;
  SpoolView View() const;

 private:
  struct Pinned {
    BatchId id;
    BatchQueue::Payload record;
  };

  bool HeldBack(MonoTime now) const;
  bool Usable() const { return phase_ != SpoolPhase::kOff && phase_ != SpoolPhase::kUnusable; }
  /// The next batch of others than receivers has its place besides.
  size_t OthersBytes() const { return options_.batch_bytes + kSignalCount * kBlockBytes; }
  bool TakesOpenBatches() const { return Spills() && options_.durability != Durability::kAlways; }
  bool IsLiveFirst(Signal signal) const { return (options_.live_first >> Index(signal) & 1) != 0; }
  bool LiveFlows() const;
  bool MayStayLive(Signal signal) const;
  bool MemoryAbove(unsigned percent) const;
  bool MemoryCrowded() const;
  bool MemoryFull() const;
  bool MemoryUrgent() const;
  bool Drained() const;
  bool AnyNew() const;
  uint64_t Rows(Signal signal) const;
  uint64_t Backlog(Signal signal) const;
  void JudgeLanes(Signal signal);
  bool Leads(Signal signal, SpoolRow row, Part from) const;
  bool IsKnown(Signal signal, SpoolRow row) const;
  /// Room for what may be in flight has to be left: one batch of each lane.
  bool ManyDoneRows() const { return done_row_count_ + 2 * kSignalCount > done_rows_.size(); }
  void Finish(Signal signal, SpoolRow row, Part from);
  bool Reaches(Signal signal) const { return (reachable_ >> Index(signal) & 1) != 0; }
  bool AllReachable() const;
  void Judge(MonoTime now, SignalSet reachable);
  void Enter(SpoolPhase phase);
  void Finished(MonoTime now);
  void Succeeded(MonoTime now);
  void TakeOver(const SpoolOpened& opened);
  bool TakeAdd(size_t n, uint64_t& expected);
  void Place(BatchId id);
  SpoolBury& NewBury(Signal signal, std::string_view destination, std::string_view answer);
  void TakeBack(Signal signal, uint64_t expected);
  void Leave(Signal signal, uint64_t items, uint64_t batches);
  void TakeReads();
  void TellOfRoom(MonoTime now);
  void Failed(MonoTime now);
  MonoTime CommitDue(MonoTime now) const;
  bool Begin(MonoTime now, OpenBatches& open, const CountKeeper& counts);
  bool FillAdds();
  void DropNew();
  MonoTime DropAged(MonoTime now);
  void FillAttempts();
  void FillBuries();
  bool FillWrite(MonoTime now, const CountKeeper& counts);
  void FillRead();
  void TakeTracks();
  void OnLeave(const BatchHeader& header, const Body& record, bool in_order) override;

  const SpoolerOptions options_;
  const SpoolParts parts_;
  BatchQueue& queue_;
  Ledger& ledger_;
  Clock& clock_;
  Log& log_;

  SpoolPhase phase_ = SpoolPhase::kOff;
  bool resumed_ = false;        // The accounts of an earlier process are in the ledger.
  bool late_ = false;           // That happened after the start, and nobody was told yet.
  bool marked_ = false;         // The mark of a clean stop is gone from the spool.
  SignalSet reachable_ = kAllSignals;
  bool well_ = true;            // All that is held can leave.
  MonoTime last_unwell_, last_well_;
  MonoTime last_commit_;
  MonoTime retry_at_ = kNever;  // When an unusable spool is opened again.
  uint32_t failures_ = 0;       // Close upon each other.
  MonoTime failed_at_;
  Status failure_;
  TextBuffer<160> problem_;
  bool was_full_ = false, told_full_ = false;
  MonoTime last_full_;
  ShortText<40> instance_;
  bool began_stopping_ = false; // The job that runs, or ran last.
  bool to_add_ = false;         // Something was only in memory when the job began,
  bool kept_out_ = false;       // and all of it stayed there: at the pace of commit_interval then.

  SpoolRow next_row_ = 1;
  std::array<SpoolRow, kSignalCount> done_{};       // Every row up to here is settled,
  std::array<SpoolRow, kSignalCount> done_kept_{};  // and of that the spool knows.
  std::array<uint64_t, kSignalCount> spool_items_{};
  std::array<uint64_t, kSignalCount> spool_batches_{};
  std::array<uint64_t, kSignalCount> dying_rows_{}; // Rows at the front that are being buried.
  std::array<SpoolPlace, kSpoolDoneRowsMax> done_rows_;  // Settled behind done_,
  size_t done_row_count_ = 0, done_rows_running_ = 0;    // and of these the job that runs knows.
  std::array<bool, kSignalCount> split_{};          // There are two lanes.
  std::array<size_t, kSignalCount> read_bytes_{};   // What the next one read takes that had no room.
  size_t read_live_ = 0;  // Of the rows that a read passes over, the first so many were live.
  bool recount_ = false;  // There was nothing to read where something should be.

  SpoolJob* const job_;
  bool running_ = false;
  std::array<Pinned, kSpoolAddsMax> pinned_;
  std::array<Pinned, kSpoolBuriesMax> dying_;
  std::array<uint64_t, kSignalCount> settled_items_{}, settled_batches_{};  // While the job ran.
  std::array<SpoolBury, kSpoolBuriesMax> buries_;   // Waiting for a job.
  std::array<BatchId, kSpoolBuriesMax> bury_ids_;   // Theirs, for those that are only in memory.
  size_t bury_count_ = 0, buries_running_ = 0;

  AttemptBook attempts_;
  bool announced_ = false;  // Somebody waits for an attempt to be on flash,
  size_t hurried_ = 0;      // or so many for what is queued, or open,
  size_t hurrying_ = 0;     // and so many for the job that runs, or ran last.
  MonoTime hurried_at_;     // The first of the former,
  size_t expected_ = 0;     // of so many that are likely.
  Duration gather_;         // How long the others are waited for.
  std::array<uint64_t, kSignalCount> room_bytes_{};  // In the spool, as it was last measured,
  MonoTime measured_at_;
  bool short_of_room_ = false;                       // and too little for somebody since.

  TrackMarks* marks_ = nullptr;
  TrackKeeper* tracks_ = nullptr;
  bool tracks_known_ = false;   // Those that an earlier process left.
  TrackId tracks_after_ = 0;    // The last of them so far.
  bool on_flash_ = false;       // What leaves now has been committed.

  DeadAction dead_action_ = DeadAction::kNone;
  std::array<SpoolRow, kSpoolDeadRowsMax> dead_rows_{};
  size_t dead_row_count_ = 0;
  bool dead_running_ = false, dead_answered_ = false;
  DeadAnswer dead_answer_;
  std::span<uint8_t> file_into_;
  uint64_t file_offset_ = 0;
  bool file_running_ = false, file_answered_ = false;
  FileAnswer file_answer_;
  MonoTime hold_until_;

  bool stopping_ = false, finished_ = false;
  bool shrink_ = false;
  SpoolView view_;
};

}  // namespace limpet
