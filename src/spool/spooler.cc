#include "spool/spooler.h"

#include <algorithm>

namespace limpet {
namespace {

constexpr unsigned kSpillAbove = 80, kCalmBelow = 50, kUrgentAbove = 50;  // Percent of memory.
// The copies of the spool's oldest in memory leave this part of it to what comes in.
constexpr unsigned kCopiesPercent = 50;

}  // namespace

std::string_view SpoolPhaseName(SpoolPhase phase) {
  constexpr std::array<std::string_view, 5> kNames = {"off", "calm", "spilling", "draining",
                                                      "unusable"};
  return kNames[static_cast<size_t>(phase)];
}

Spooler::Spooler(const SpoolerOptions& options, const SpoolParts& parts, BatchQueue& queue,
                 Ledger& ledger, Clock& clock, Log& log)
    : options_(options),
      parts_(parts),
      queue_(queue),
      ledger_(ledger),
      clock_(clock),
      log_(log),
      job_(parts.job) {
  instance_ = options_.instance;
  if (options_.durability == Durability::kMemoryOnly) return;
  LIMPET_CHECK(parts_.store != nullptr && parts_.worker != nullptr && parts_.storage != nullptr &&
               parts_.job != nullptr);
  parts_.store->Take(*job_);
  last_unwell_ = clock_.Monotonic() - kQuiet;  // Nothing is known against anybody.
  last_commit_ = clock_.Monotonic();
}

void Spooler::Resume(const SpoolOpened& opened, const Status& status) {
  if (options_.durability == Durability::kMemoryOnly) return;
  view_.heap = SqliteHeapUse();
  if (!status.ok()) {
    failure_ = status;
    Failed(clock_.Monotonic());
    return;
  }
  TakeOver(opened);
  Enter(Drained() ? SpoolPhase::kCalm : SpoolPhase::kDraining);
}

/// What lies there from before joins the account, once.
void Spooler::TakeOver(const SpoolOpened& opened) {
  resumed_ = true;
  if (!opened.instance.text().empty()) instance_ = opened.instance;
  done_ = done_kept_ = opened.done_through;
  next_row_ = std::max(next_row_, opened.next_row);
  room_bytes_ = opened.room_bytes;
  measured_at_ = clock_.Monotonic();
  attempts_.TakeOver(opened.tried);
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    spool_items_[i] = opened.totals[i].items;
    spool_batches_[i] = opened.totals[i].batches;
    ledger_.Resume(signal, opened.account.accounts[i], spool_items_[i]);
    ledger_.Note(signal, DropReason::kDamaged, opened.salvage_lost[i]);
  }
  if (opened.newer_set_aside) {
    log_.Error("the spool was made by a newer limpet: set aside unread as spool.db.newer-N");
  }
  if (opened.salvaged) {
    log_.Error("the spool was damaged: what could be read was kept, the file is spool.db.damaged-1");
  }
}

void Spooler::UseTracks(TrackMarks& marks, TrackKeeper& keeper) {
  marks_ = &marks;
  tracks_ = &keeper;
  queue_.Watch(*this);
  tracks_known_ = phase_ == SpoolPhase::kOff;
  if (phase_ == SpoolPhase::kOff || phase_ == SpoolPhase::kUnusable) tracks_->FlashFails();
  if (tracks_known_) tracks_->KeptEnds();
}

void Spooler::OnLeave(const BatchHeader& header, const Body& record, bool in_order) {
  MarkReader marks(record, header.checkpoint_bytes);
  for (TrackMark mark; marks.Next(mark);) marks_->Settle(mark, in_order, on_flash_);
}

const SpoolOpened* Spooler::TakeLateOpening() {
  if (!late_) return nullptr;
  late_ = false;
  return &job_->opened;
}

void Spooler::Enter(SpoolPhase phase) {
  if (phase == phase_) return;
  const bool worth = phase_ != SpoolPhase::kOff || phase != SpoolPhase::kCalm;
  if (worth) {
    log_.Info("spool", {{"state", SpoolPhaseName(phase)}, {"before", SpoolPhaseName(phase_)}});
  }
  phase_ = phase;
}

bool Spooler::MemoryAbove(unsigned percent) const {
  return queue_.own_bytes() > queue_.use().bytes / 100 * percent;
}

/// The copies in memory leave no more room for others.
bool Spooler::MemoryCrowded() const {
  return queue_.use().used > queue_.use().bytes / 100 * kCopiesPercent;
}

bool Spooler::HeldBack(MonoTime now) const {
  return hold_until_ > now && !stopping_ && !MemoryAbove(kSpillAbove);
}

/// As full as calm lets it become; a small one earlier, where the next batch would not fit.
bool Spooler::MemoryFull() const {
  return MemoryAbove(kSpillAbove) || !queue_.CouldHold(options_.batch_bytes);
}

/// What comes in during a commit may find no room.
bool Spooler::MemoryUrgent() const {
  return MemoryAbove(kUrgentAbove) || !queue_.CouldHold(2 * options_.batch_bytes);
}

bool Spooler::Drained() const {
  for (const Signal signal : kSignals) {
    if (spool_batches_[Index(signal)] > 0) return false;
  }
  return bury_count_ == 0;
}

bool Spooler::AnyNew() const {
  return std::any_of(kSignals.begin(), kSignals.end(),
                     [this](Signal signal) { return bool(queue_.Head(signal)); });
}

/// Rows that are to be delivered yet.
uint64_t Spooler::Rows(Signal signal) const {
  const size_t i = Index(signal);
  return spool_batches_[i] - std::min(spool_batches_[i], dying_rows_[i]);
}

/// Those that are not in memory.
uint64_t Spooler::Backlog(Signal signal) const {
  const uint64_t rows = Rows(signal);
  return rows - std::min<uint64_t>(rows, queue_.batches(signal, Part::kSpooled) +
                                             queue_.batches(signal, Part::kLive));
}

bool Spooler::empty() const { return Drained() && queue_.empty(); }

// The states

/// Each signal that holds something has somebody who takes it. Letters need nobody.
bool Spooler::AllReachable() const {
  bool holds = false;
  for (const Signal signal : kSignals) {
    if (Rows(signal) == 0 && !queue_.Head(signal)) continue;
    if (!Reaches(signal)) return false;
    holds = true;
  }
  return holds || reachable_ != 0;
}

void Spooler::Judge(MonoTime now, SignalSet reachable) {
  reachable_ = reachable;
  // What lies between two looks was as the first of them found it.
  const bool well = AllReachable();
  if (!well || !well_) last_unwell_ = now;
  if (well || well_) last_well_ = now;
  well_ = well;
  if (!Usable()) return;
  const bool holds = !queue_.empty() || !Drained();
  switch (phase_) {
    case SpoolPhase::kCalm:
      if ((!well && holds) || MemoryFull()) Enter(SpoolPhase::kSpilling);
      break;
    case SpoolPhase::kSpilling:
      if (well && !MemoryFull()) Enter(SpoolPhase::kDraining);
      break;
    case SpoolPhase::kDraining:
      if (now - last_well_ >= kQuiet) {
        Enter(SpoolPhase::kSpilling);
      } else if (Drained() && !running_ && now - last_unwell_ >= kQuiet &&
                 !MemoryAbove(kCalmBelow)) {
        shrink_ = true;
        Enter(SpoolPhase::kCalm);
      }
      break;
    default: break;
  }
}

MonoTime Spooler::OnTime(MonoTime now, SignalSet reachable, OpenBatches& open,
                         const CountKeeper& counts) {
  const MonoTime aged = DropAged(now);
  if (phase_ == SpoolPhase::kOff) return aged;
  if (running_ && parts_.worker->TakeDone()) Finished(now);
  Judge(now, reachable);
  for (const Signal signal : kSignals) JudgeLanes(signal);
  if (!running_ && !finished_ && Begin(now, open, counts)) {
    running_ = true;
    settled_items_ = settled_batches_ = {};
    parts_.worker->Begin(*parts_.store);
    // In a simulated world it may be done already.
    if (parts_.worker->TakeDone()) {
      Finished(now);
      return now;
    }
  }
  if (running_) return aged;
  if (phase_ == SpoolPhase::kUnusable) return std::min(aged, std::max(retry_at_, now));
  MonoTime next = std::min(aged, CommitDue(now));
  if (TakesOpenBatches() && open.AnyOpen()) {
    next = std::min(next, last_commit_ + options_.commit_interval);
  }
  if (HeldBack(now)) next = std::max(next, hold_until_);
  if (short_of_room_) next = std::min(next, measured_at_ + options_.commit_interval);
  if (phase_ == SpoolPhase::kDraining) {
    // Back to one of the others, by time alone.
    if (well_ && Drained() && !MemoryAbove(kCalmBelow)) {
      next = std::min(next, last_unwell_ + kQuiet);
    }
    if (!well_) next = std::min(next, last_well_ + kQuiet);
  }
  return next;
}

/// When the next transaction is due; kNever: there is nothing to write.
MonoTime Spooler::CommitDue(MonoTime now) const {
  const MonoTime paced = last_commit_ + options_.commit_interval;
  const MonoTime tracks = tracks_ != nullptr && tracks_known_ ? tracks_->ChangesDue() : kNever;
  if (tracks <= now || !marked_ || bury_count_ > 0 || ManyDoneRows() || announced_ || stopping_ ||
      dead_action_ != DeadAction::kNone || (shrink_ && phase_ == SpoolPhase::kCalm)) {
    return now;
  }
  if (kept_out_ || recount_) return std::min(paced, tracks);
  if (hurried_ > 0 && CommitsFirst()) {
    const MonoTime gathered = std::max(now, std::max(hurried_at_, last_commit_) + gather_);
    return hurried_ >= expected_ ? now : std::min(gathered, tracks);
  }
  const bool fresh = AnyNew();
  const bool settled = done_ != done_kept_ || done_row_count_ > 0;
  const bool always = options_.durability == Durability::kAlways;
  if (fresh && always) return now;
  if (fresh && Spills() && MemoryUrgent()) return now;
  if ((fresh && Spills()) || settled) return std::min(paced, tracks);
  return tracks;
}

// Wishes of commands

bool Spooler::AskDead(DeadAction action, std::span<const SpoolRow> rows) {
  if (dead_action_ != DeadAction::kNone || !Usable() || rows.size() > dead_rows_.size()) return false;
  dead_action_ = action;
  dead_row_count_ = rows.size();
  std::copy(rows.begin(), rows.end(), dead_rows_.begin());
  dead_answered_ = false;
  return true;
}

bool Spooler::TakeDeadAnswer(DeadAnswer& answer) {
  if (!dead_answered_) return false;
  dead_answered_ = false;
  answer = dead_answer_;
  return true;
}

bool Spooler::AskFile(uint64_t offset, std::span<uint8_t> into) {
  if (file_running_ || !Usable()) return false;
  file_offset_ = offset;
  file_into_ = into;
  file_answered_ = false;
  return true;
}

bool Spooler::TakeFileAnswer(FileAnswer& answer) {
  if (!file_answered_) return false;
  file_answered_ = false;
  file_into_ = {};
  answer = file_answer_;
  return true;
}

// For receivers

bool Spooler::HasRoom(Signal signal, size_t bytes) {
  if (!queue_.CouldHold(bytes + OthersBytes())) return false;
  if (!CommitsFirst()) return true;
  // On flash a batch takes up to two pages more than its bytes.
  size_t batches = kSignalCount;
  for (const Signal each : kSignals) batches += queue_.batches(each, Part::kNew);
  const uint64_t needed = queue_.own_bytes() + bytes + batches * 2 * kSpoolPageBytes;
  const bool room = needed <= room_bytes_[Index(signal)];
  short_of_room_ = short_of_room_ || !room;
  return room;
}

bool Spooler::Kept(Signal signal, uint64_t sequence) const {
  const BatchId head = queue_.Head(signal);
  return !head || queue_.header(head).sequence > sequence;
}

Held Spooler::held(Signal signal) const {
  return {.open = 0,
          .memory = queue_.items(signal, Part::kNew) + queue_.items(signal, Part::kDying),
          .spool = spool_items_[Index(signal)]};
}

SpoolView Spooler::View() const {
  SpoolView view = view_;
  view.phase = phase_;
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    view.totals[i].items = spool_items_[i];
    view.totals[i].batches = spool_batches_[i];
  }
  view.full = was_full_;
  view.problem = phase_ == SpoolPhase::kUnusable ? problem_.text() : std::string_view();
  return view;
}

}  // namespace limpet
