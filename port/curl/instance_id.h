// The instance id of a host that keeps no state.
#pragma once

#include <string_view>

#include "base/text.h"

namespace limpet {

/// Writes the UUID of version 5 (RFC 9562 section 5.5, SHA-1 by mbedTLS) of `host_id` under the
/// namespace that the semantic conventions give for service.instance.id. Equal on every start.
void WriteInstanceId(TextWriter& out, std::string_view host_id);

}  // namespace limpet
