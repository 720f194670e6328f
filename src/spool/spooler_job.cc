// The spooler's jobs: what each is given, and what came of it.
#include <algorithm>

#include "spool/spooler.h"

namespace limpet {
namespace {

constexpr Duration kGatherMax = Milliseconds(5);
constexpr Duration kRetryFirst = Seconds(1);
constexpr Duration kRetry = Seconds(60);
constexpr Duration kRoomFor = Seconds(60);  // Without a shortage for so long: it is over.

}  // namespace

bool Spooler::Begin(MonoTime now, OpenBatches& open, const CountKeeper& counts) {
  const bool reopen = phase_ == SpoolPhase::kUnusable;
  if (reopen && now < retry_at_) return false;
  // What is open goes along with a commit that is due, or makes one due.
  const bool takes_open = TakesOpenBatches() && open.AnyOpen() &&
                          last_commit_ + options_.commit_interval <= now;
  // What an earlier process left has to be known before anything is written (P7).
  const bool write = reopen ? resumed_ : !HeldBack(now) && (takes_open || CommitDue(now) <= now);
  const bool always = options_.durability == Durability::kAlways;
  if (write && (TakesOpenBatches() || always || stopping_)) open.CloseAll(now);

  began_stopping_ = stopping_;
  job_->open = reopen;
  job_->write = write;
  job_->read = job_->read_tracks = job_->shrink = job_->last = false;
  // Somebody may have made room outside, too: nothing is written to find out.
  job_->measure = short_of_room_ && measured_at_ + options_.commit_interval <= now;
  job_->was_opened = false;
  job_->add_count = job_->bury_count = 0;
  job_->read_count = job_->dead_row_count = job_->done_row_count = job_->read_past_count = 0;
  job_->dead_action = DeadAction::kNone;
  job_->track_count = 0;
  job_->added = job_->refused = {};
  job_->lost = {};
  job_->refused_items = job_->buried_items = job_->buried_rows_items = job_->dead_overflow_items = {};
  job_->purged_items = job_->retried_items = {};
  job_->dead_changed = 0;
  job_->full = false;
  job_->file_into = {};
  if (write) {
    hurrying_ = hurried_;
    if (!FillWrite(now, counts)) hurried_ = 0;
  }
  FillRead();
  job_->read_tracks = tracks_ != nullptr && !tracks_known_ && (resumed_ || reopen);
  job_->tracks_after = tracks_after_;
  if (file_into_.size() > 0 && !file_answered_) {
    file_running_ = true;
    job_->file_into = file_into_;
    job_->file_offset = file_offset_;
  }
  return reopen || job_->write || job_->read || job_->read_tracks || job_->measure || file_running_;
}

/// Returns whether more is to be added than one job takes.
bool Spooler::FillWrite(MonoTime now, const CountKeeper& counts) {
  job_->boot = options_.boot;
  job_->instance = instance_;
  job_->mono = now;
  job_->wall = clock_.Wall();
  if (stopping_ && kept_out_) DropNew();
  job_->done_through = done_;
  job_->done_rows = done_rows_;
  job_->done_row_count = done_rows_running_ = done_row_count_;
  FillBuries();
  // In calm nothing goes to flash but what has to.
  const bool adds = phase_ != SpoolPhase::kCalm || options_.durability == Durability::kAlways || stopping_;
  to_add_ = adds && AnyNew();
  const bool cut_short = adds && FillAdds();
  // Where room is made by dropping the oldest, it may drop copies of what it has, but none that is on
  // its way (S6): only those stay in memory while it does.
  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    if (was_full_) queue_.ForgetCopies(signal);
    const BatchId last = queue_.Last(signal, Part::kSpooled);
    job_->keep_through[i] = last ? queue_.row(last) : done_[i];
    const BatchId live = queue_.Head(signal, Part::kLive);
    job_->keep_from[i] = live ? queue_.row(live) : 0;
  }
  FillAttempts();
  if (dead_action_ != DeadAction::kNone) {
    job_->dead_action = dead_action_;
    job_->dead_rows = dead_rows_;
    job_->dead_row_count = dead_row_count_;
    dead_running_ = true;
  }
  job_->next_row = next_row_;
  for (const Signal signal : kSignals) job_->account.accounts[Index(signal)] = ledger_.account(signal);
  job_->account.section_count = 0;
  counts.WriteCounts(job_->account);
  bool more = false;  // Than one job takes.
  for (const Signal signal : kSignals) {
    for (BatchId id = queue_.Head(signal); id && !more; id = queue_.Next(id)) more = !queue_.pinned(id);
  }
  if (tracks_ != nullptr && tracks_known_) {
    job_->track_count = tracks_->FillChanges(job_->tracks);
    more = more || job_->track_count == job_->tracks.size();
  }
  job_->last = stopping_ && !more;
  job_->shrink = shrink_ && phase_ == SpoolPhase::kCalm;
  return cut_short;
}

/// At a stop, with a spool that has no room and nobody left to wait for: lost before the last job, so
/// that the account has it.
void Spooler::DropNew() {
  for (const Signal signal : kSignals) {
    uint64_t items = 0;
    while (const BatchId head = queue_.Head(signal)) {
      const BatchHeader& header = queue_.header(head);
      ledger_.Drop(signal, DropReason::kShutdown, queue_.left(head), header.first_wall, header.last_wall);
      items += queue_.left(head);
      queue_.Remove(head);
    }
    if (items == 0) continue;
    log_.Error("what was held is dropped: the spool is full",
               {{"signal", SignalName(signal)}, {"items", items}});
  }
}

/// The batches that are only in memory, in the order of their collection over all signals. Returns
/// whether they are more than one job takes.
bool Spooler::FillAdds() {
  std::array<BatchId, kSignalCount> next;
  for (const Signal signal : kSignals) next[Index(signal)] = queue_.Head(signal);
  uint64_t bytes = 0;
  while (job_->add_count < job_->adds.size()) {
    BatchId first;
    for (const BatchId id : next) {
      if (id && (!first || queue_.header(id).first_mono < queue_.header(first).first_mono)) first = id;
    }
    if (!first) return false;
    const BatchHeader& header = queue_.header(first);
    const bool busy = queue_.in_flight(first) || (!queue_.whole(first) && !stopping_);
    if (busy && Rows(header.signal) > 0 && !split_[Index(header.signal)]) {
      // It went out before what lies on flash, while that could not be read. What follows it waits
      // for its outcome, so that it need not come behind them.
      next[Index(header.signal)] = {};
      continue;
    }
    bytes += header.stored_bytes + header.checkpoint_bytes;
    if (job_->add_count > 0 && bytes > SpoolStore::AddBytesMax(options_.max_bytes)) return true;  // S5
    if (queue_.row(first) == 0) queue_.SetRow(first, next_row_++);  // P3
    queue_.Pin(first);
    Pinned& pinned = pinned_[job_->add_count];
    pinned = {first, BatchQueue::Payload(queue_, first, BatchQueue::Payload::Scope::kRecord)};
    job_->adds[job_->add_count++] = {queue_.row(first), header, &pinned.record};
    next[Index(header.signal)] = queue_.Next(first);
  }
  return std::any_of(next.begin(), next.end(), [](BatchId id) { return bool(id); });
}

/// What has been tried of what the spool has, or is given now.
void Spooler::FillAttempts() {
  announced_ = false;
  for (size_t n = 0; n < job_->add_count; ++n) attempts_.SetRow(job_->adds[n].header, job_->adds[n].row);
  for (const Signal signal : kSignals) {
    const SpoolRow done = done_[Index(signal)];
    if (const BatchId head = queue_.Head(signal, Part::kSpooled)) {
      attempts_.Count(queue_.header(head), queue_.row(head), Lane::kOldest, done);
    }
    if (const BatchId head = queue_.Head(signal, Part::kLive)) {
      attempts_.Count(queue_.header(head), queue_.row(head), Lane::kLive, done);
    }
  }
  attempts_.WriteTo(job_->tried);
}

void Spooler::FillBuries() {
  for (size_t n = 0; n < bury_count_; ++n) {
    SpoolBury& bury = buries_[n];
    if (bury.in_memory) {
      if (bury.row == 0) bury.row = next_row_++;
      queue_.Pin(bury_ids_[n]);
      dying_[n] = {bury_ids_[n],
                   BatchQueue::Payload(queue_, bury_ids_[n], BatchQueue::Payload::Scope::kRecord)};
      bury.header = queue_.header(bury_ids_[n]);
      bury.record = &dying_[n].record;
    }
    job_->buries[n] = bury;
  }
  job_->bury_count = buries_running_ = bury_count_;
}

/// The oldest of a signal whose copies are fewest, as long as they leave room for what comes in.
void Spooler::FillRead() {
  if (stopping_ || job_->open) return;
  const bool crowded = MemoryCrowded();
  for (const Signal signal : kSignals) {
    const size_t copies = queue_.batches(signal, Part::kSpooled);
    // Without anybody to send to, one to try with is enough.
    if (Backlog(signal) == 0 || (copies > 0 && (crowded || !Reaches(signal)))) continue;
    const size_t wanted = read_bytes_[Index(signal)];
    const size_t spare = copies > 0 ? options_.batch_bytes : 0;
    if (recount_ || (wanted > 0 && !queue_.HasRoom(wanted + spare))) continue;
    if (job_->read && copies >= queue_.batches(job_->read_signal, Part::kSpooled)) continue;
    const BatchId last = queue_.Last(signal, Part::kSpooled);
    job_->read = true;
    job_->read_signal = signal;
    job_->read_after = last ? queue_.row(last) : done_[Index(signal)];
  }
  if (!job_->read) return;
  size_t& count = job_->read_past_count;
  for (BatchId id = queue_.Head(job_->read_signal, Part::kLive); id; id = queue_.Next(id)) {
    job_->read_past[count++] = queue_.row(id);
  }
  read_live_ = count;
  for (size_t n = 0; n < done_row_count_; ++n) {
    if (done_rows_[n].signal == job_->read_signal) job_->read_past[count++] = done_rows_[n].row;
  }
  for (size_t n = 0; n < bury_count_; ++n) {
    if (buries_[n].alone && buries_[n].signal == job_->read_signal) job_->read_past[count++] = buries_[n].row;
  }
}

void Spooler::Finished(MonoTime now) {
  running_ = false;
  if (parts_.storage != nullptr) {
    if (job_->status.ok()) view_.written_bytes = job_->written_bytes;
    view_.syncs = parts_.storage->syncs();
  }
  view_.damaged = job_->damaged;
  view_.heap = job_->heap;
  // An opening counts whatever became of the rest.
  if (job_->was_opened) attempts_.Reopened(job_->opened.tried);
  if (job_->was_opened && !resumed_) {
    TakeOver(job_->opened);
    late_ = true;
  }
  attempts_.Written(job_->status.ok() && job_->write);
  if (job_->track_count > 0) tracks_->ChangesWritten(job_->status.ok());
  job_->track_count = 0;
  if (job_->status.ok()) {
    Succeeded(now);
  } else {
    for (size_t n = 0; n < job_->add_count; ++n) (void)queue_.Unpin(pinned_[n].id);
    for (size_t n = 0; n < buries_running_; ++n) {
      if (buries_[n].in_memory) (void)queue_.Unpin(bury_ids_[n]);
    }
    buries_running_ = done_rows_running_ = 0;
    failure_ = job_->status;
    Failed(now);
  }
  if (dead_running_) {
    dead_running_ = false;
    dead_action_ = DeadAction::kNone;
    dead_answer_ = {job_->status, job_->dead_changed};
    dead_answered_ = true;
  }
  if (file_running_) {
    file_running_ = false;
    file_answer_ = {job_->status, job_->file_got, job_->file_size, job_->generation};
    file_answered_ = true;
  }
}

void Spooler::Succeeded(MonoTime now) {
  if (phase_ == SpoolPhase::kUnusable) {
    log_.Info("the spool works again");
    // What lies there may have changed, if it was damaged: the copies are read anew.
    for (const Signal signal : kSignals) {
      for (const Part part : {Part::kSpooled, Part::kLive}) queue_.ForgetCopies(signal, part);
    }
    marked_ = marked_ && job_->write;
    Enter(SpoolPhase::kDraining);
  }
  next_row_ = std::max(next_row_, job_->next_row);
  view_.bytes = job_->bytes;
  view_.totals = job_->totals;
  if (job_->shrink) shrink_ = false;
  if (job_->write || job_->measure) {
    room_bytes_ = job_->room_bytes;
    measured_at_ = now;
    short_of_room_ = false;
  }
  if (job_->write) {
    last_commit_ = now;
    expected_ = hurrying_ + hurried_;
    gather_ = std::min(Duration{job_->took.ns / 2}, kGatherMax);
    marked_ = true;
    recount_ = false;
    done_kept_ = job_->done_through;
    view_.slowest_commit = std::max(view_.slowest_commit, job_->took);
    TellOfRoom(now);
  }

  std::array<uint64_t, kSignalCount> expected = spool_items_;
  size_t added = 0;
  for (size_t n = 0; n < job_->add_count; ++n) {
    added += TakeAdd(n, expected[Index(job_->adds[n].header.signal)]) ? 1 : 0;
  }
  on_flash_ = false;
  if (job_->write) kept_out_ = to_add_ && added == 0 && began_stopping_ == stopping_;
  for (size_t n = 0; n < buries_running_; ++n) {
    const BatchId id = bury_ids_[n];
    if (!buries_[n].in_memory) {
      --dying_rows_[Index(buries_[n].signal)];
      continue;
    }
    LIMPET_CHECK(queue_.Unpin(id));
    queue_.Remove(id);
  }
  // Those that came while the job ran wait for the next.
  std::copy(buries_.begin() + buries_running_, buries_.begin() + bury_count_, buries_.begin());
  std::copy(bury_ids_.begin() + buries_running_, bury_ids_.begin() + bury_count_, bury_ids_.begin());
  bury_count_ -= buries_running_;
  buries_running_ = 0;

  for (const Signal signal : kSignals) {
    const size_t i = Index(signal);
    SpoolTotals lost;
    for (size_t r = 0; r < kDropReasonCount; ++r) {
      const SpoolJob::Lost& l = job_->lost[i][r];
      ledger_.Drop(signal, static_cast<DropReason>(r), l.items, l.first, l.last);
      lost.items += l.items;
      lost.batches += l.batches;
    }
    if (!job_->write) {
      // It saw the spool without what has been settled since the last that did.
      Leave(signal, lost.items, lost.batches);
      continue;
    }
    expected[i] -= std::min(expected[i], lost.items + job_->buried_rows_items[i]);
    expected[i] += job_->retried_items[i];
    ledger_.Bury(signal, job_->buried_items[i]);
    ledger_.Exhume(signal, job_->dead_overflow_items[i] + job_->purged_items[i] + job_->retried_items[i]);
    ledger_.Drop(signal, DropReason::kDeadOverflow, job_->dead_overflow_items[i]);
    ledger_.Drop(signal, DropReason::kDeadPurged, job_->purged_items[i]);
    TakeBack(signal, expected[i]);
  }
  if (job_->read) TakeReads();
  if (job_->read_tracks) TakeTracks();
  if (job_->write) {
    std::copy(done_rows_.begin() + done_rows_running_, done_rows_.begin() + done_row_count_,
              done_rows_.begin());
    done_row_count_ -= done_rows_running_;
  }
  if (job_->last && !AnyNew()) finished_ = true;
}

/// Shortage is told once, though dropping the oldest makes a little room again and again.
void Spooler::TellOfRoom(MonoTime now) {
  was_full_ = job_->full;
  if (job_->full) last_full_ = now;
  if (job_->full && !told_full_) {
    log_.Warn("the spool is full", {{"bytes", job_->bytes}});
    told_full_ = true;
  }
  const bool over = now - last_full_ >= kRoomFor || Drained();
  if (!job_->full && told_full_ && over) {
    log_.Info("the spool has room again", {{"bytes", job_->bytes}});
    told_full_ = false;
  }
}

/// What became of a batch that was to be added. expected: items of its signal that the spool should
/// have now. Returns whether it is there, or needs to be no more.
bool Spooler::TakeAdd(size_t n, uint64_t& expected) {
  const BatchId id = pinned_[n].id;
  const BatchHeader& header = job_->adds[n].header;
  on_flash_ = job_->added[n];
  const size_t i = Index(header.signal);
  const bool added = job_->added[n];
  if (!queue_.Unpin(id)) {
    // Settled meanwhile; that it is there now counts for no item.
    if (added) {
      settled_items_[i] += header.items;
      ++settled_batches_[i];
    }
    return true;
  }
  const uint32_t left = queue_.left(id);
  // It is certain now that it is not there, and others may have been given higher numbers.
  if (!added) {
    queue_.SetRow(id, 0);
    attempts_.SetRow(header, 0);
  }
  if (queue_.part(id) == Part::kDying) {
    if (!added) return false;
    // Refused while it was on its way to flash: it is buried from there.
    size_t b = buries_running_;
    while (b < bury_count_ && !(buries_[b].in_memory && bury_ids_[b] == id)) ++b;
    LIMPET_CHECK(b < bury_count_);
    buries_[b].in_memory = false;
    buries_[b].row = job_->adds[n].row;
    buries_[b].alone = !Leads(header.signal, buries_[b].row, Part::kNew);
    expected += left;
    ++spool_batches_[i];
    ++dying_rows_[i];
    if (!buries_[b].alone) done_[i] = std::max(done_[i], buries_[b].row);
    queue_.Remove(id);
    return true;
  }
  if (!added) {
    if (!job_->refused[n] || queue_.in_flight(id) || !queue_.whole(id)) return false;
    ledger_.Drop(header.signal, DropReason::kOverflow, header.items, header.first_wall, header.last_wall);
    attempts_.Forget(header, 0);
    queue_.Remove(id);
    return true;
  }
  expected += left;
  Place(id);
  ++spool_batches_[i];
  return true;
}

/// Where a batch stays that flash has now: as a copy where the copies reach that far without a gap
/// (P1), else ahead of them.
void Spooler::Place(BatchId id) {
  const Signal signal = queue_.header(id).signal;
  JudgeLanes(signal);
  const bool busy = queue_.in_flight(id) || !queue_.whole(id);
  const bool gap = Backlog(signal) > 0 || queue_.Head(signal, Part::kLive);
  if (MayStayLive(signal) || (busy && (gap || split_[Index(signal)]))) {
    queue_.Move(id, Part::kLive);
  } else if (!gap && (busy || !MemoryCrowded())) {
    queue_.Move(id, Part::kSpooled);
  } else {
    queue_.Remove(id);
  }
}

/// P4: what the spool has of a signal, less what was settled while the job ran and the parts that are
/// gone of what it has whole; and its letters.
void Spooler::TakeBack(Signal signal, uint64_t expected) {
  const size_t i = Index(signal);
  const SpoolTotals& totals = job_->totals[i];
  const uint64_t gone = settled_items_[i] + queue_.gone(signal, Part::kSpooled) +
                        queue_.gone(signal, Part::kLive);
  spool_items_[i] = totals.items - std::min(totals.items, gone);
  spool_batches_[i] = totals.batches - std::min(totals.batches, settled_batches_[i]);
  // After a transaction that had only seemed to fail some of it may have moved between the two.
  const uint64_t dead = ledger_.account(signal).dead;
  const uint64_t before = expected + dead, after = spool_items_[i] + job_->dead_items[i];
  ledger_.Exhume(signal, dead);
  ledger_.Bury(signal, job_->dead_items[i]);
  if (after < before) ledger_.Drop(signal, DropReason::kDamaged, before - after);
  if (after > before) ledger_.Collect(signal, after - before);
}

/// Held on flash no more.
void Spooler::Leave(Signal signal, uint64_t items, uint64_t batches) {
  const size_t i = Index(signal);
  // A copy of what had been given up for lost: it was in memory all the time.
  if (items > spool_items_[i]) ledger_.Collect(signal, items - spool_items_[i]);
  spool_items_[i] -= std::min(spool_items_[i], items);
  spool_batches_[i] -= std::min(spool_batches_[i], batches);
}

void Spooler::TakeReads() {
  const Signal signal = job_->read_signal;
  const size_t i = Index(signal);
  // What is read follows what was the last copy then. Should that have made room for others
  // meanwhile, there would be a gap (P1).
  const BatchId before = queue_.Last(signal, Part::kSpooled);
  if (std::max(before ? queue_.row(before) : 0, done_[i]) < job_->read_after) return;
  // Likewise where one that it passed over went to make room.
  SpoolRow end = UINT64_MAX;
  for (const SpoolRow live : std::span(job_->read_past).first(read_live_)) {
    if (!IsKnown(signal, live)) end = std::min(end, live);
  }
  for (size_t n = 0; n < job_->read_count && job_->reads[n].row < end; ++n) {
    const SpoolRead& read = job_->reads[n];
    const BatchId last = queue_.Last(signal, Part::kSpooled);
    if ((last && read.row <= queue_.row(last)) || IsKnown(signal, read.row)) continue;
    // Room for what comes in is left, but one is needed to go on with.
    const size_t bytes = read.bytes.size() + read.marks.size();
    const size_t needed = last ? bytes + options_.batch_bytes : bytes;
    const bool room = last ? queue_.HasRoom(needed) : queue_.MakeRoom(needed);
    read_bytes_[i] = room ? 0 : bytes;
    if (!room) break;
    LIMPET_CHECK(queue_.Push(read.header, read.marks, read.bytes, Part::kSpooled, read.row).ok());
  }
  // What was thought to be there is not: nothing is waited for in vain. The next transaction counts.
  if (job_->read_count == 0 && !job_->write && !queue_.Head(signal, Part::kSpooled)) {
    spool_batches_[i] = dying_rows_[i] + queue_.batches(signal, Part::kLive);
    recount_ = true;
  }
}

void Spooler::TakeTracks() {
  const auto read = std::span(job_->tracks_read).first(job_->tracks_read_count);
  tracks_->TakeKept(read);
  if (!read.empty()) tracks_after_ = read.back().id;
  tracks_known_ = read.size() < job_->tracks_read.size();
  if (tracks_known_) tracks_->KeptEnds();
}

void Spooler::Failed(MonoTime now) {
  problem_.Clear();
  problem_ << failure_.where << ": " << CodeName(failure_.code);
  if (failure_.detail != 0) problem_ << " (" << failure_.detail << ')';
  // One that fails again and again, whatever works in between, is not tried each second.
  failures_ = failures_ > 0 && now - failed_at_ < kRetry * 2 ? failures_ + 1 : 1;
  failed_at_ = now;
  if (tracks_ != nullptr) tracks_->FlashFails();
  // The second time it is not waited for: what was read before is not known.
  if (failures_ > 1 && tracks_ != nullptr && !tracks_known_) {
    tracks_known_ = true;
    tracks_->KeptEnds();
  }
  if (phase_ != SpoolPhase::kUnusable) {
    log_.Error("the spool cannot be used: what is held stays in memory",
               {{"error", problem_.text()}});
  }
  retry_at_ = now + (failures_ == 1 || stopping_ ? kRetryFirst : kRetry);
  Enter(SpoolPhase::kUnusable);
}

}  // namespace limpet
