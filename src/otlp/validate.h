// Is this a well-formed export request? For endpoints, which answer 400 to all others.
#pragma once

#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/status.h"

namespace limpet {

/// Walks the whole message along nanopb's descriptors of otlp.proto: every field it knows has its
/// wire type, every text is UTF-8, every packed value is whole, nothing lies deeper than
/// kWireDepthMax. Unknown fields are passed over, as protobuf has it.
/// kInvalid: malformed.
Status ValidateExportRequest(Signal signal, std::span<const uint8_t> request);

}  // namespace limpet
