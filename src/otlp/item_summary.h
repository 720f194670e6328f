// The items of a request in three numbers.
#pragma once

#include <algorithm>
#include <cstdint>

#include "limpet/time.h"

namespace limpet {

/// Data points, log records or spans. The time of a log record without one is when it was observed,
/// that of a span its start.
struct ItemSummary {
  uint32_t items = 0;
  UnixTime first, last;  ///< The earliest and the latest; 0: no item has a time.

  /// time_ns: as in the message, 0 when it has none.
  void Add(uint64_t time_ns) {
    ++items;
    if (time_ns == 0) return;
    const UnixTime time{static_cast<int64_t>(std::min<uint64_t>(time_ns, INT64_MAX))};
    if (first.ns == 0 || time < first) first = time;
    if (time > last) last = time;
  }
};

}  // namespace limpet
