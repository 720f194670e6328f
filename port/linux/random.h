// One generator for jitter and identities, seeded by the kernel.
#pragma once

#include "limpet/random.h"

namespace limpet {

/// SplitMix64: small, fast, every seed is good. Not for keys.
class LinuxRandom final : public Random {
 public:
  LinuxRandom();
  uint64_t Next() override;

 private:
  uint64_t state_ = 0;
};

}  // namespace limpet
