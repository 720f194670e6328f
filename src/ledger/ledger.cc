#include "ledger/ledger.h"

namespace limpet {

std::string_view DropReasonName(DropReason reason) {
  constexpr std::array<std::string_view, kDropReasonCount> kNames = {
      "overflow", "max_age",  "rate_limit",  "unknown",     "clock_overlap", "refused",
      "damaged",  "shutdown", "source_full", "dead_purged", "dead_overflow"};
  return kNames[static_cast<size_t>(reason)];
}

uint64_t Account::dropped_total() const {
  uint64_t total = 0;
  for (const uint64_t count : dropped) total += count;
  return total;
}

void Ledger::Drop(Signal signal, DropReason reason, uint64_t items, UnixTime first, UnixTime last) {
  accounts_[Index(signal)].dropped[static_cast<size_t>(reason)] += items;
  Note(signal, reason, items, first, last);
}

void Ledger::Note(Signal signal, DropReason reason, uint64_t items, UnixTime first, UnixTime last) {
  if (items == 0) return;
  Loss& loss = losses_[Index(signal)][static_cast<size_t>(reason)];
  loss.items += items;
  if (first != UnixTime{}) loss.first = loss.first == UnixTime{} ? first : std::min(loss.first, first);
  loss.last = std::max(loss.last, last);
}

void Ledger::Resume(Signal signal, const Account& kept, uint64_t held) {
  Account& account = accounts_[Index(signal)];
  account.collected += kept.delivered + kept.rejected + kept.dropped_total() + kept.dead + held;
  account.delivered += kept.delivered;
  account.rejected += kept.rejected;
  for (size_t i = 0; i < kDropReasonCount; ++i) account.dropped[i] += kept.dropped[i];
  account.dead += kept.dead;
}

Loss Ledger::TakeLoss(Signal signal, DropReason reason) {
  Loss& loss = losses_[Index(signal)][static_cast<size_t>(reason)];
  const Loss taken = loss;
  loss = {};
  return taken;
}

}  // namespace limpet
