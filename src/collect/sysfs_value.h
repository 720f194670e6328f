// The small files of /sys/class that hold one value, and the names of those that are numbered.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Does the name fit the pattern, in which one `#` stands for a number without leading zeros, up to
/// 9999? Returns the number; 0 where the pattern has no `#`.
std::optional<uint16_t> MatchNumbered(std::string_view pattern, std::string_view name);

/// A decimal number with or without a minus: "48312\n".
/// kInvalid: something else, or more than 64 bits.
Result<int64_t> ParseSysfsNumber(std::string_view text);

/// life_time of an eMMC, "0x01 0x02\n": what its blocks of type A (which: 0) and of type B (1) have
/// behind them, in steps of 10 %: 0x01 = up to 10 %, ..., 0x0a = up to 100 %, 0x0b = more than that.
/// Returns what remains at least, in tenths.
/// kUnsupported: 0x00, the device does not say. kInvalid: malformed, or another value.
/// Source: JEDEC JESD84-B51, DEVICE_LIFE_TIME_EST_TYP_A and _B; mmc-dev-attrs.rst in the Linux tree.
Result<int64_t> ParseLifeTime(std::string_view text, int which);

}  // namespace limpet
