// /proc/loadavg: the load averages.
#pragma once

#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Threads running or waiting uninterruptibly, averaged over 1, 5 and 15 minutes.
struct LoadAverage {
  double one = 0, five = 0, fifteen = 0;
};

/// Parses the text of /proc/loadavg, "0.20 0.18 0.12 1/80 11206"; what follows the averages is
/// skipped. kInvalid: fewer than three decimal numbers.
/// Source: proc_loadavg(5).
Result<LoadAverage> ParseLoadAverage(std::string_view text);

}  // namespace limpet
