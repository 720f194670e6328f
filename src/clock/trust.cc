#include "clock/trust.h"

namespace limpet {

ClockTrust JudgeClock(UnixTime wall, UnixTime unset_before,
                      const Result<ClockDiscipline>& discipline, bool other_evidence) {
  if (wall < unset_before) return ClockTrust::kUnset;
  if (other_evidence) return ClockTrust::kTrusted;
  if (discipline.ok() && !discipline.value().synchronized) return ClockTrust::kUnsynchronized;
  return ClockTrust::kTrusted;
}

}  // namespace limpet
