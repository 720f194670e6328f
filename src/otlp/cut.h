// Takes the items of an export request apart: counts them, and keeps a part of them in place.
//
// Invariants:
//  C1  The same bytes and range give the same bytes: a part that is sent again is made anew.
//  C2  The parts of a request hold each of its items once, and a part's items stand as they stood in
//      the request. A later part has no item with an earlier time.
//  C3  What is written never overtakes what is still to be read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

/// Data points, log records or spans. The time of a log record without one is when it was observed,
/// that of a span its start.
struct ItemSummary {
  uint32_t items = 0;
  UnixTime first, last;  ///< The earliest and the latest; 0: no item has a time.
};

/// kInvalid: malformed, as far as down to the items' own fields.
Result<ItemSummary> SummarizeItems(Signal signal, std::span<const uint8_t> request);

struct RequestPart {
  size_t bytes = 0;  ///< At the front of what was given.
  ItemSummary kept;
};

/// Keeps the items of a rank in [first, last): by time, at one time by their place in the request.
/// Resources, scopes and metrics without such an item go; of the others everything else stays as it
/// is, unknown fields included. Two to some twenty passes over the bytes, the many only if times are
/// out of order.
/// kInvalid: malformed; the bytes are as they were.
Result<RequestPart> CutItems(Signal signal, std::span<uint8_t> request, uint32_t first,
                             uint32_t last);

}  // namespace limpet
