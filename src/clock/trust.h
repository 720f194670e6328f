// Judges how far wall time can be trusted, by the rules of spec.md section 6.
#pragma once

#include "limpet/batch.h"
#include "limpet/time.h"

namespace limpet {

/// kUnset: the wall clock shows a time before `unset_before`. kUnsynchronized: the kernel says that
/// nothing disciplines the clock, and there is no other evidence that it is right. Where the kernel
/// does not tell (discipline is not ok), only an unset clock can be proved wrong.
/// other_evidence: for instance a destination whose Date agrees.
ClockTrust JudgeClock(UnixTime wall, UnixTime unset_before,
                      const Result<ClockDiscipline>& discipline, bool other_evidence = false);

}  // namespace limpet
