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

}  // namespace limpet
