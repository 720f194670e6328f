// The kernel's clocks.
#pragma once

#include "limpet/time.h"

namespace limpet {

class LinuxClock final : public Clock {
 public:
  MonoTime Monotonic() override;
  UnixTime Wall() override;
  Result<ClockDiscipline> Discipline() override;
};

}  // namespace limpet
