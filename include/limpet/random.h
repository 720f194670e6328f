// Randomness: one seeded generator for jitter and identities. Not for keys.
#pragma once

#include <cstdint>

namespace limpet {

/// port/linux seeds it from the kernel, tests/sim from a printed seed.
class Random {
 public:
  /// 64 uniformly distributed bits.
  virtual uint64_t Next() = 0;

  /// A number in [0, bound); 0 when bound is 0. The bias for bounds below 2^32 is under 2^-32.
  uint64_t Below(uint64_t bound) { return bound == 0 ? 0 : Next() % bound; }

 protected:
  ~Random() = default;
};

}  // namespace limpet
