// The name of a batch on the wire: equal for every attempt, different for every batch.
#pragma once

#include <string_view>

#include "base/text.h"
#include "limpet/batch.h"

namespace limpet {

/// "<instance>-<start>-<signal>-<sequence>": start is 16 hex digits; a bisected part appends its
/// path, ".01". Without quotes.
void WriteIdempotencyKey(TextWriter& out, std::string_view instance, const BatchHeader& header);

}  // namespace limpet
