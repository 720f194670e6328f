#include "spool/attempts.h"

#include <algorithm>

namespace limpet {

void AttemptBook::TakeOver(const TriedRows& found) {
  for (size_t i = 0; i < kSignalCount; ++i) {
    for (const TriedRow& tried : found[i]) {
      if (tried.row == 0) continue;
      const bool open = tried.open != 0;
      // This process may have begun some before it could know.
      const auto free = std::find_if(attempts_[i].begin(), attempts_[i].end(), [](const Attempt& a) {
        return a.tried.row == 0 && a.sequence == 0;
      });
      if (free != attempts_[i].end()) *free = {.tried = tried, .earlier = open, .on_flash = open};
    }
  }
}

void AttemptBook::Reopened(const TriedRows& found) {
  for (size_t i = 0; i < kSignalCount; ++i) {
    for (Attempt& attempt : attempts_[i]) {
      attempt.on_flash = std::any_of(found[i].begin(), found[i].end(), [&](const TriedRow& tried) {
        return tried.open != 0 && tried.row == attempt.tried.row &&
               tried.destination.text() == attempt.tried.destination.text();
      });
    }
  }
}

bool AttemptBook::Is(const Attempt& attempt, const BatchHeader& header, SpoolRow row) {
  if (row != 0 && attempt.tried.row == row) return true;
  return attempt.sequence != 0 && attempt.sequence == header.sequence && attempt.start == header.start &&
         attempt.path == header.path;
}

size_t AttemptBook::Find(const BatchHeader& header, SpoolRow row) const {
  const auto& attempts = attempts_[Index(header.signal)];
  return static_cast<size_t>(
      std::find_if(attempts.begin(), attempts.end(), [&](const Attempt& a) { return Is(a, header, row); }) -
      attempts.begin());
}

/// The batch's place, where it has none a free one; kNone: there is none.
size_t AttemptBook::Take(const BatchHeader& header, SpoolRow row, Lane lane, SpoolRow done) {
  auto& attempts = attempts_[Index(header.signal)];
  size_t n = Find(header, row);
  if (n == kNone) {
    // What is live leaves two to the oldest, which then always has one: of those that are open behind
    // it, one may have gone out first, and one been the oldest itself.
    n = lane == Lane::kOldest ? 0 : kTriedOldest;
    // Nor is one needed for what came before the oldest: it was dropped on flash.
    const auto over = [&](size_t place) {
      const Attempt& a = attempts[place];
      if (a.tried.open == 0) return true;
      if (a.tried.row == 0) return false;
      const bool was_oldest = lane == Lane::kOldest && (a.earlier || place < kTriedOldest);
      return a.tried.row <= done || (was_oldest && a.tried.row < row);
    };
    while (n < kNone && !over(n)) ++n;
    if (n == kNone) return n;
    attempts[n] = {};
  }
  Attempt& attempt = attempts[n];
  attempt.start = header.start;
  attempt.sequence = header.sequence;
  attempt.path = header.path;
  if (attempt.tried.row != row) attempt.writing = attempt.on_flash = false;
  attempt.tried.row = row;
  attempt.tried.attempts = header.attempts;
  attempt.tried.first_attempt = static_cast<uint64_t>(std::max<int64_t>(header.first_attempt.ns, 0));
  return n;
}

bool AttemptBook::Open(const BatchHeader& header, SpoolRow row, Lane lane, std::string_view destination,
                       SpoolRow done) {
  const size_t i = Index(header.signal);
  size_t& current = current_[i][static_cast<size_t>(lane)];
  // The lane is at another batch, and of the one before nothing is on flash: it is gone.
  if (current != 0 && attempts_[i][current - 1].tried.row == 0 && Find(header, row) != current - 1) {
    attempts_[i][current - 1] = {};
  }
  const size_t n = Take(header, row, lane, done);
  current = n == kNone ? 0 : n + 1;
  if (n == kNone) return false;
  Attempt& attempt = attempts_[i][n];
  if (attempt.tried.destination.text() != destination) {
    attempt.earlier = attempt.writing = attempt.on_flash = false;
    attempt.tried.destination = destination;
  }
  attempt.tried.open = 1;
  return true;
}

void AttemptBook::Close(Signal signal, Lane lane) {
  size_t& current = current_[Index(signal)][static_cast<size_t>(lane)];
  if (current == 0) return;
  Attempt& attempt = attempts_[Index(signal)][current - 1];
  current = 0;
  if (!attempt.earlier) attempt.tried.open = 0;
}

bool AttemptBook::OnFlash(const BatchHeader& header) const {
  const size_t n = Find(header, 0);
  return n != kNone && attempts_[Index(header.signal)][n].on_flash;
}

bool AttemptBook::Writing(const BatchHeader& header) const {
  const size_t n = Find(header, 0);
  return n != kNone && attempts_[Index(header.signal)][n].writing;
}

std::string_view AttemptBook::Earlier(Signal signal, SpoolRow row) const {
  for (const Attempt& attempt : attempts_[Index(signal)]) {
    if (attempt.earlier && row != 0 && attempt.tried.row == row) return attempt.tried.destination.text();
  }
  return {};
}

void AttemptBook::Count(const BatchHeader& header, SpoolRow row, Lane lane, SpoolRow done) {
  if (header.attempts > 0) (void)Take(header, row, lane, done);
}

void AttemptBook::SetRow(const BatchHeader& header, SpoolRow row) {
  const size_t n = Find(header, 0);
  if (n == kNone) return;
  Attempt& attempt = attempts_[Index(header.signal)][n];
  if (attempt.tried.row != row) attempt.writing = attempt.on_flash = false;
  attempt.tried.row = row;
}

void AttemptBook::Forget(const BatchHeader& header, SpoolRow row) {
  const size_t i = Index(header.signal);
  const size_t n = Find(header, row);
  if (n == kNone) return;
  attempts_[i][n] = {};
  for (size_t& current : current_[i]) {
    if (current == n + 1) current = 0;
  }
}

void AttemptBook::WriteTo(TriedRows& rows) {
  for (size_t i = 0; i < kSignalCount; ++i) {
    for (size_t n = 0; n < kTriedMax; ++n) {
      Attempt& attempt = attempts_[i][n];
      rows[i][n] = attempt.tried;
      attempt.writing = attempt.tried.row != 0 && attempt.tried.open != 0;
      attempt.on_flash = attempt.on_flash && attempt.writing;
    }
  }
}

void AttemptBook::Written(bool well) {
  for (auto& attempts : attempts_) {
    for (Attempt& attempt : attempts) {
      attempt.on_flash = attempt.on_flash || (well && attempt.writing);
      attempt.writing = false;
    }
  }
}

}  // namespace limpet
