// Keeps a part of the items of an export request, in place.
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
#include "otlp/item_summary.h"

namespace limpet {

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
