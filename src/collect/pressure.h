// /proc/pressure: how long tasks waited for CPU, memory and I/O (pressure stall information, Linux
// 4.20).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

inline constexpr size_t kPressureWindows = 3;  // 10, 60 and 300 s.

struct Stall {
  std::array<double, kPressureWindows> average{};  ///< Part of the window spent waiting, 0 to 1.
  uint64_t total_us = 0;                           ///< Since boot.
};

struct Pressure {
  Stall some;  ///< One task waited at least.
  Stall full;  ///< All that had work waited.
  bool has_full = false;  ///< The line may be missing, as for the CPU of older kernels.
};

/// Parses the text of /proc/pressure/cpu, memory or io: lines of
/// `some avg10=0.12 avg60=0.00 avg300=0.00 total=4011203`; lines of another kind and what follows
/// the total are skipped.
/// kInvalid: no line `some`, a cut line, or one of another form.
/// Source: Documentation/accounting/psi.rst in the Linux tree.
Result<Pressure> ParsePressure(std::string_view text);

}  // namespace limpet
