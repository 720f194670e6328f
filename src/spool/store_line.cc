// The rows of a line: how they leave it, and how room is made for others.
#include <algorithm>

#include "spool/store.h"
#include "spool/store_sql.h"

namespace limpet {
namespace {

constexpr uint64_t kDoneBytesMax = 1 * kMiB;  // S4.
constexpr int kRemoveAtOnce = 32;             // Rows; each journals a page or two (S5).
constexpr int64_t kCheckedPages = 512 * 1024;  // 64 KiB of bits.

/// S6, at the end of a line.
bool IsKept(const SpoolJob& job, Signal signal, SpoolRow row) {
  const SpoolRow from = job.keep_from[Index(signal)];
  return from != 0 && row >= from;
}

}  // namespace

/// What the rows of a signal behind `after`, up to `through`, say of themselves.
Result<SpoolTotals> SpoolStore::SumRows(Signal signal, SpoolRow after, SpoolRow through) {
  Sql sql;
  sql << "SELECT count(*),coalesce(sum(items),0),coalesce(sum(stored_bytes+checkpoint_bytes),0) FROM "
      << SpoolTable(signal) << " WHERE row>?1 AND row<=?2";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(after));
  statement.Bind(2, static_cast<int64_t>(through));
  const Result<bool> row = statement.Step();
  if (!row.ok()) return row.status();
  return SpoolTotals{.batches = static_cast<uint64_t>(statement.Number(0)),
                     .items = static_cast<uint64_t>(statement.Number(1)),
                     .bytes = static_cast<uint64_t>(statement.Number(2))};
}

/// S3, S4: everything up to `through` is finished.
Status SpoolStore::AdvanceDone(SpoolJob& job, Signal signal, SpoolRow through) {
  const size_t i = Index(signal);
  if (through <= state_.done[i]) return {};
  const Result<SpoolTotals> finished = SumRows(signal, state_.done[i], through);
  if (!finished.ok()) return finished.status();
  SpoolTotals& totals = state_.totals[i];
  totals.batches -= std::min(totals.batches, finished.value().batches);
  totals.items -= std::min(totals.items, finished.value().items);
  totals.bytes -= std::min(totals.bytes, finished.value().bytes);
  state_.done[i] = through;
  LoseRest(job, signal);
  return {};
}

/// Damaged rows may have said anything of themselves: where none is left, nothing is held.
void SpoolStore::LoseRest(SpoolJob& job, Signal signal) {
  SpoolTotals& totals = state_.totals[Index(signal)];
  if (totals.batches > 0) return;
  job.lost[Index(signal)][At(DropReason::kDamaged)].items += totals.items;
  totals = {};
}

/// queue.max_age, by wall time: the boots that rows come from have no other time in common.
Status SpoolStore::DropOld(SpoolJob& job) {
  if (options_.max_age.ns == 0) return {};
  for (const Signal signal : kSignals) {
    const SpoolRow after = std::max(state_.done[Index(signal)], job.keep_through[Index(signal)]);
    for (int n = 0; n < kRemoveAtOnce; ++n) {
      Sql sql;
      sql << "SELECT row,last_wall FROM " << SpoolTable(signal) << " WHERE row>?1 ORDER BY row LIMIT 1";
      Statement statement;
      LIMPET_TRY(statement.Prepare(db_, sql.text()));
      statement.Bind(1, static_cast<int64_t>(after));
      const Result<bool> found = statement.Step();
      if (!found.ok()) return found.status();
      if (!found.value()) break;
      const auto oldest = static_cast<SpoolRow>(statement.Number(0));
      // Only at the front: a clock that went back makes no gap in the line.
      const bool old = statement.Number(1) < (job.wall - options_.max_age).ns;
      if (!old || IsKept(job, signal, oldest)) break;
      statement.Finish();
      LIMPET_TRY(Lose(job, signal, oldest, DropReason::kMaxAge));
    }
  }
  return {};
}

/// Takes a row out of its line.
Status SpoolStore::RemoveRow(Signal signal, SpoolRow row, Removed& removed) {
  removed = {};
  Sql sql;
  sql << "SELECT items,stored_bytes+checkpoint_bytes,first_wall,last_wall FROM " << SpoolTable(signal)
      << " WHERE row=?1";
  Statement statement;
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(row));
  const Result<bool> found = statement.Step();
  if (!found.ok()) return found.status();
  if (!found.value()) return {};
  SpoolTotals& totals = state_.totals[Index(signal)];
  // A damaged row may say anything: it takes no more than there is.
  const uint64_t bytes = std::min(static_cast<uint64_t>(statement.Number(1)), totals.bytes);
  removed = {.found = true,
             .items = std::min(static_cast<uint64_t>(statement.Number(0)), totals.items),
             .first = {statement.Number(2)},
             .last = {statement.Number(3)}};
  sql.Clear();
  sql << "DELETE FROM " << SpoolTable(signal) << " WHERE row=?1";
  LIMPET_TRY(statement.Prepare(db_, sql.text()));
  statement.Bind(1, static_cast<int64_t>(row));
  LIMPET_TRY(statement.Run());
  totals.batches -= std::min<uint64_t>(totals.batches, 1);
  totals.items -= removed.items;
  totals.bytes -= bytes;
  return {};
}

/// S4: what went out ahead of its line.
Status SpoolStore::RemoveDoneRows(SpoolJob& job) {
  for (size_t n = 0; n < job.done_row_count; ++n) {
    const SpoolPlace& place = job.done_rows[n];
    if (place.row <= state_.done[Index(place.signal)]) continue;
    Removed removed;
    LIMPET_TRY(RemoveRow(place.signal, place.row, removed));
    LoseRest(job, place.signal);
  }
  return {};
}

Status SpoolStore::Lose(SpoolJob& job, Signal signal, SpoolRow row, DropReason reason) {
  Removed removed;
  LIMPET_TRY(RemoveRow(signal, row, removed));
  if (!removed.found) return {Code::kInvalid, 0, "a row that is not found again"};
  SpoolJob::Lost& lost = job.lost[Index(signal)][At(reason)];
  if (lost.batches++ == 0) lost.first = removed.first;
  lost.first = std::min(lost.first, removed.first);
  lost.last = std::max(lost.last, removed.last);
  lost.items += removed.items;
  LoseRest(job, signal);
  return {};
}

/// The check takes a bit of the heap for each page of the file: a larger one counts as damaged, and
/// is copied.
Status SpoolStore::CheckTable(std::string_view table) {
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  if (pages.value() > kCheckedPages) return {Code::kInvalid, 0, "too large to be checked"};
  return db_.CheckTable(table);
}

/// A row that does not match its checksum goes, once it is sure that it takes nobody else's pages with
/// it; what is held is counted anew.
Status SpoolStore::LoseDamaged(SpoolJob& job, Signal signal, SpoolRow row) {
  LIMPET_TRY(CheckTable(SpoolTable(signal)));
  const size_t i = Index(signal);
  const SpoolTotals before = state_.totals[i];
  SpoolJob::Lost& lost = job.lost[i][At(DropReason::kDamaged)];
  const uint64_t lost_before = lost.items;
  LIMPET_TRY(Lose(job, signal, row, DropReason::kDamaged));
  const Result<SpoolTotals> there = SumRows(signal, state_.done[i], INT64_MAX);
  if (!there.ok()) return there.status();
  state_.totals[i] = {.batches = std::min(there.value().batches, before.batches),
                      .items = std::min(there.value().items, before.items),
                      .bytes = std::min(there.value().bytes, before.bytes)};
  lost.items = lost_before + before.items - state_.totals[i].items;
  return {};
}

/// Pages that may be filled, when so many are to stay free.
Result<uint64_t> SpoolStore::FreePages(uint64_t reserved) {
  const Result<int64_t> pages = db_.Number("PRAGMA page_count");
  if (!pages.ok()) return pages.status();
  const Result<int64_t> free = db_.Number("PRAGMA freelist_count");
  if (!free.ok()) return free.status();
  const auto used = static_cast<uint64_t>(pages.value() - free.value()) + reserved;
  return page_limit_ > used ? page_limit_ - used : uint64_t{0};
}

/// S4: a signal whose rows are all finished is emptied at a stroke; else a few of the finished rows
/// go when their room is needed, or when they have become many.
Status SpoolStore::RemoveDone(bool needed, bool* removed) {
  *removed = false;
  for (const Signal signal : kSignals) {
    const SpoolRow done = state_.done[Index(signal)];
    const Result<SpoolRow> oldest = Edge(signal, false, 0);
    if (!oldest.ok()) return oldest.status();
    if (oldest.value() == 0 || oldest.value() > done) continue;
    const Result<SpoolRow> newest = Edge(signal, true, 0);
    if (!newest.ok()) return newest.status();
    Sql sql;
    sql << "DELETE FROM " << SpoolTable(signal);
    if (newest.value() > done) {
      if (!needed) {
        Sql sum;
        sum << "SELECT coalesce(sum(stored_bytes+checkpoint_bytes),0) FROM " << SpoolTable(signal)
            << " WHERE row<=" << done << '\0';
        const Result<int64_t> bytes = db_.Number(sum.text().data());
        if (!bytes.ok()) return bytes.status();
        if (static_cast<uint64_t>(bytes.value()) <= kDoneBytesMax) continue;
      }
      sql << " WHERE row IN (SELECT row FROM " << SpoolTable(signal) << " WHERE row<=" << done
          << " ORDER BY row LIMIT " << kRemoveAtOnce << ')';
    }
    sql << '\0';
    LIMPET_TRY(db_.Execute(sql.text().data()));
    *removed = true;
    if (needed) return {};
  }
  return {};
}

/// min_free leaves no room for a batch, and nothing is held that could make way for it.
bool SpoolStore::NoRoomAtAll() const {
  return page_limit_ < MaxPages() &&
         std::all_of(state_.totals.begin(), state_.totals.end(),
                     [](const SpoolTotals& totals) { return totals.batches == 0; });
}

/// Pages that other signals have a right to and have not used yet, of the room that there is for batches.
uint64_t SpoolStore::UnusedShares(Signal signal, uint64_t room) const {
  uint64_t pages = 0;
  for (const Signal other : kSignals) {
    const size_t i = Index(other);
    if (other == signal || (options_.signals >> i & 1) == 0) continue;
    const uint64_t share = room * options_.share_percent[i] / 100;
    pages += share - std::min(share, PagesOf(state_.totals[i]));
  }
  return pages;
}

/// What batches may still take, without what a commit keeps free for the next one (KeepHeadroom).
std::array<uint64_t, kSignalCount> SpoolStore::RoomBytes(uint64_t page_limit) const {
  const uint64_t room = page_limit - std::min(page_limit, ReservedPages());
  uint64_t taken = PagesFor(state_.dead_bytes) + PagesFor(AddBytesMax(options_.max_bytes));
  for (const SpoolTotals& totals : state_.totals) taken += PagesOf(totals);
  std::array<uint64_t, kSignalCount> bytes{};
  for (const Signal signal : kSignals) {
    const uint64_t needed = taken + UnusedShares(signal, room);
    bytes[Index(signal)] = room > needed ? (room - needed) * kSpoolPageBytes : 0;
  }
  return bytes;
}

/// Frees that many pages for a batch of the signal, but none of a row from `end` on where the oldest
/// go. made: false when nothing more may go.
Status SpoolStore::MakeRoom(SpoolJob& job, Signal signal, uint64_t pages, bool* made, SpoolRow end) {
  // Of the room that there is for batches: less than max_size, and in a full filesystem much less.
  const uint64_t room = page_limit_ - std::min(page_limit_, ReservedPages());
  const auto share = [&](size_t i) { return room * options_.share_percent[i] / 100; };
  const auto taken = [this](size_t i) { return PagesOf(state_.totals[i]); };
  // What others have a right to is kept free where nothing is ever pushed out.
  const uint64_t reserved = options_.overflow == Overflow::kPauseSources ? UnusedShares(signal, room) : 0;
  *made = false;
  for (;;) {
    const Result<uint64_t> free = FreePages(ReservedPages());
    if (!free.ok()) return free.status();
    if (free.value() >= pages + reserved) {
      *made = true;
      return {};
    }
    bool removed = false;
    LIMPET_TRY(RemoveDone(true, &removed));
    if (removed) continue;
    job.full = true;
    if (options_.overflow == Overflow::kPauseSources) return {};

    // Whoever has more than its share makes room; who has not, keeps what it has. The one that comes
    // makes room for itself.
    const bool newest = options_.overflow == Overflow::kDropNewest;
    const bool own_is_over = taken(Index(signal)) > share(Index(signal));
    if (newest && own_is_over) return {};  // It is the newest itself.
    Signal victim = signal;
    SpoolRow row = 0;
    for (const Signal candidate : kSignals) {
      const size_t i = Index(candidate);
      if (candidate != signal && taken(i) <= share(i)) continue;
      if (candidate == signal && newest) continue;
      if (candidate == signal && !own_is_over && row != 0) continue;
      const SpoolRow after = std::max(state_.done[i], job.keep_through[i]);  // S6
      const Result<SpoolRow> edge = Edge(candidate, newest, after);
      if (!edge.ok()) return edge.status();
      if (edge.value() == 0 || (!newest && edge.value() >= end)) continue;
      if (IsKept(job, candidate, edge.value())) continue;  // S6
      const bool better = row == 0 || (victim == signal && !own_is_over) ||
                          (newest ? edge.value() > row : edge.value() < row);
      if (!better) continue;
      victim = candidate;
      row = edge.value();
    }
    if (row == 0) return {};  // Everything that may go is gone.
    LIMPET_TRY(Lose(job, victim, row, DropReason::kOverflow));
  }
}

/// Pages freed by this transaction would have to be journaled by it when they are used again: what
/// the next one will need is freed now, where the oldest goes anyway. `first`: of those just added.
Status SpoolStore::KeepHeadroom(SpoolJob& job, uint64_t pages, SpoolRow first) {
  if (pages == 0) return {};
  const Result<uint64_t> free = FreePages(ReservedPages());
  if (!free.ok()) return free.status();
  if (free.value() >= pages) return {};
  job.full = true;
  if (options_.overflow != Overflow::kDropOldest) {
    bool removed = false;
    return RemoveDone(true, &removed);
  }
  bool made = false;
  return MakeRoom(job, job.adds[job.add_count - 1].header.signal, pages, &made, first);
}

}  // namespace limpet
