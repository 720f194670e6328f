// The spooler's lines: what is to go next, and what becomes of it.
#include <algorithm>

#include "spool/spooler.h"

namespace limpet {
namespace {

// What is to go out ahead of a backlog stays in memory until it is so full, in percent.
constexpr unsigned kLivePercent = 75;

}  // namespace

// The two lanes of live_first

/// What is on flash and cannot leave is a backlog until the last of it has left; what is live then is
/// the line.
void Spooler::JudgeLanes(Signal signal) {
  const size_t i = Index(signal);
  if (!Reaches(signal)) queue_.ForgetCopies(signal, Part::kLive);
  if (Backlog(signal) == 0 && !queue_.Head(signal, Part::kSpooled)) {
    split_[i] = false;
    while (const BatchId live = queue_.Head(signal, Part::kLive)) queue_.Move(live, Part::kSpooled);
  } else if (IsLiveFirst(signal) && (Backlog(signal) > 0 || !Reaches(signal))) {
    split_[i] = true;
  }
}

/// New data of some signal is on its way out ahead of a backlog.
bool Spooler::LiveFlows() const {
  return std::any_of(kSignals.begin(), kSignals.end(),
                     [this](Signal signal) { return split_[Index(signal)] && Reaches(signal); });
}

bool Spooler::MayStayLive(Signal signal) const {
  return split_[Index(signal)] && Reaches(signal) &&
         queue_.batches(signal, Part::kLive) < kSpoolLiveMax &&
         queue_.use().used <= queue_.use().bytes / 100 * kLivePercent;
}

/// No row of the signal that is held comes before this one, which has just left that part.
bool Spooler::Leads(Signal signal, SpoolRow row, Part from) const {
  const BatchId live = queue_.Head(signal, Part::kLive), copy = queue_.Head(signal, Part::kSpooled);
  if (live && queue_.row(live) < row) return false;
  if (from == Part::kSpooled) return true;
  return copy ? row < queue_.row(copy) : Backlog(signal) == 0;
}

/// P6: the row is done with.
void Spooler::Finish(Signal signal, SpoolRow row, Part from) {
  const size_t i = Index(signal);
  if (row <= done_[i]) return;
  if (Leads(signal, row, from)) {
    done_[i] = row;
  } else if (done_row_count_ < done_rows_.size()) {
    done_rows_[done_row_count_++] = {signal, row};
  }
}

/// Is the row in memory, or done with?
bool Spooler::IsKnown(Signal signal, SpoolRow row) const {
  if (row <= done_[Index(signal)]) return true;
  for (const Part part : {Part::kSpooled, Part::kLive}) {
    for (BatchId id = queue_.Head(signal, part); id; id = queue_.Next(id)) {
      if (queue_.row(id) == row) return true;
    }
  }
  const auto is = [&](const auto& place) { return place.signal == signal && place.row == row; };
  return std::any_of(done_rows_.begin(), done_rows_.begin() + done_row_count_, is) ||
         std::any_of(buries_.begin(), buries_.begin() + bury_count_, is);
}

// The lines

BatchId Spooler::Head(Signal signal, Lane lane) const {
  const bool split = split_[Index(signal)];
  const BatchId live = queue_.Head(signal, Part::kLive);
  if (lane == Lane::kLive) {
    if (!split || ManyDoneRows()) return {};
    if (live) return live;
  } else if (const BatchId copy = queue_.Head(signal, Part::kSpooled)) {
    // What is done with before others has to be written down.
    return live && queue_.row(live) < queue_.row(copy) && ManyDoneRows() ? BatchId{} : copy;
  } else if (split || live) {
    return {};
  }
  const bool once = phase_ == SpoolPhase::kUnusable && failures_ == 1;
  if (once && !split && (!resumed_ || Backlog(signal) > 0)) return {};
  if (Usable()) {
    if (Backlog(signal) > 0 && !split) return {};
    if (options_.durability == Durability::kAlways) return {};  // Committed before it is first sent.
  }
  return queue_.Head(signal);
}

void Spooler::Settle(BatchId id) {
  const BatchHeader header = queue_.header(id);
  const size_t i = Index(header.signal);
  const SpoolRow row = queue_.row(id);
  const Part part = queue_.part(id);
  const uint32_t left = queue_.left(id);
  attempts_.Forget(header, row);
  queue_.Remove(id);
  if (part == Part::kSpooled || part == Part::kLive) {
    Leave(header.signal, left, 1);
    if (running_) {
      settled_items_[i] += header.items;
      ++settled_batches_[i];
    }
  }
  Finish(header.signal, row, part);
  JudgeLanes(header.signal);
}

void Spooler::SettlePart(BatchId id, uint32_t items) {
  const Part part = queue_.part(id);
  queue_.Shed(id, items);
  if (part == Part::kSpooled || part == Part::kLive) Leave(queue_.header(id).signal, items, 0);
}

/// The caller has made sure that there is a place.
SpoolBury& Spooler::NewBury(Signal signal, std::string_view destination, std::string_view answer) {
  SpoolBury& bury = buries_[bury_count_++];
  bury = {};
  bury.signal = signal;
  bury.destination = destination;
  bury.answer = answer;
  return bury;
}

bool Spooler::Bury(BatchId id, std::string_view destination, std::string_view answer) {
  if (phase_ == SpoolPhase::kOff || bury_count_ == buries_.size()) return false;
  LIMPET_CHECK(queue_.whole(id));
  const Signal signal = queue_.header(id).signal;
  const size_t i = Index(signal);
  const Part part = queue_.part(id);
  attempts_.Forget(queue_.header(id), queue_.row(id));
  bury_ids_[bury_count_] = {};
  SpoolBury& bury = NewBury(signal, destination, answer);
  bury.row = queue_.row(id);
  if (part == Part::kNew) {
    bury.in_memory = true;
    bury_ids_[bury_count_ - 1] = id;
    queue_.Move(id, Part::kDying);
    return true;
  }
  queue_.Remove(id);
  ++dying_rows_[i];
  bury.alone = !Leads(signal, bury.row, part);
  if (!bury.alone) done_[i] = std::max(done_[i], bury.row);
  JudgeLanes(signal);
  return true;
}

bool Spooler::BuryPart(BatchId id, const BatchHeader& part, std::span<const uint8_t> bytes,
                       std::string_view destination, std::string_view answer) {
  if (phase_ == SpoolPhase::kOff || bury_count_ == buries_.size()) return false;
  LIMPET_CHECK(part.signal == queue_.header(id).signal && part.items <= queue_.left(id));
  // The batch itself does not make room for it.
  const bool pinned = queue_.pinned(id);
  if (!pinned) queue_.Pin(id);
  const bool room = queue_.MakeRoom(bytes.size());
  if (!pinned) LIMPET_CHECK(queue_.Unpin(id));
  if (!room) return false;
  SettlePart(id, part.items);
  bury_ids_[bury_count_] = queue_.Push(part, {}, bytes, Part::kDying).value();
  NewBury(part.signal, destination, answer).in_memory = true;
  return true;
}

bool Spooler::Announce(BatchId id, Lane lane, std::string_view destination, bool commit) {
  if (phase_ == SpoolPhase::kOff) return true;
  const BatchHeader& header = queue_.header(id);
  const bool own = queue_.part(id) == Part::kNew;
  // It has no row until it is certain that it does.
  const SpoolRow row = own && !queue_.pinned(id) ? 0 : queue_.row(id);
  const bool noted = attempts_.Open(header, row, lane, destination, done_[Index(header.signal)]);
  if (!commit) return true;
  if (!noted) return false;
  // What is only in memory takes the attempt along, should it be committed. Where a transaction has
  // failed that may be there all the same, as for Head the first try to open it again is waited for.
  const bool doubtful = queue_.row(id) != 0 && phase_ == SpoolPhase::kUnusable && failures_ == 1;
  if (own && !queue_.pinned(id) && !doubtful) return true;
  if (attempts_.OnFlash(header)) return true;
  announced_ = announced_ || !attempts_.Writing(header);
  return false;
}

MonoTime Spooler::AnnounceDue(MonoTime now) const {
  if (!announced_ || running_ || !Usable()) return kNever;
  return HeldBack(now) ? hold_until_ : now;
}

void Spooler::Retract(Signal signal, Lane lane) { attempts_.Close(signal, lane); }

std::string_view Spooler::OpenAttempt(BatchId id) const {
  return attempts_.Earlier(queue_.header(id).signal, queue_.row(id));
}

/// queue.max_age, at the front of each line; what is only on flash the store drops. By boot time where
/// it is of this boot, else by wall time. Returns when the next will be too old.
MonoTime Spooler::DropAged(MonoTime now) {
  if (options_.max_age.ns == 0) return kNever;
  MonoTime next = kNever;
  const UnixTime wall = clock_.Wall();
  for (const Signal signal : kSignals) {
    for (const Part part : {Part::kSpooled, Part::kLive, Part::kNew}) {
      while (const BatchId head = queue_.Head(signal, part)) {
        const bool busy = queue_.in_flight(head) || queue_.pinned(head) || !queue_.whole(head);
        if (busy || ManyDoneRows()) break;
        const BatchHeader header = queue_.header(head);
        const Duration age = header.boot == options_.boot ? now - header.last_mono : wall - header.last_wall;
        if (age < options_.max_age) {
          next = std::min(next, now + (options_.max_age - age));
          break;
        }
        ledger_.Drop(signal, DropReason::kMaxAge, queue_.left(head), header.first_wall, header.last_wall);
        Settle(head);
      }
    }
  }
  return next;
}

uint64_t Spooler::DropMemory(DropReason reason) {
  uint64_t dropped = 0;
  for (const Signal signal : kSignals) {
    for (const Part part : {Part::kNew, Part::kDying}) {
      while (const BatchId head = queue_.Head(signal, part)) {
        const BatchHeader& header = queue_.header(head);
        ledger_.Drop(signal, reason, queue_.left(head), header.first_wall, header.last_wall);
        dropped += queue_.left(head);
        queue_.Remove(head);
      }
    }
  }
  bury_count_ = 0;
  return dropped;
}

}  // namespace limpet
