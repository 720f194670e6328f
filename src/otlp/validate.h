// Is this a well-formed export request, and what is in it? For endpoints, which answer 400 to all others.
#pragma once

#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/status.h"
#include "otlp/item_summary.h"

namespace limpet {

/// Walks once over the whole message by its schema: every field that is known has its wire type (a
/// repeated scalar may be packed or not), every text is UTF-8, every packed value is whole, nothing lies
/// deeper than kWireDepthMax. Unknown fields are passed over, as protobuf has it.
/// kInvalid: malformed.
Result<ItemSummary> ValidateExportRequest(Signal signal, std::span<const uint8_t> request);

}  // namespace limpet
