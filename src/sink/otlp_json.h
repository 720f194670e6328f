// An export request as OTLP JSON: what a receiver takes as Content-Type: application/json.
#pragma once

#include "limpet/batch.h"
#include "sink/items.h"
#include "sink/line_out.h"

namespace limpet {

/// Writes the members of the request without the braces around them, on one line:
/// `"resourceMetrics":[...]`. As OTLP says: names in lowerCamelCase, numbers of 64 bits in quotes,
/// enums as numbers, ids in hex, other bytes in base64. What is not in otlp.proto is left out, and
/// invalid UTF-8 becomes U+FFFD.
/// request: one that ValidateExportRequest has passed; of another, parts are left out.
void WriteOtlpJson(Signal signal, MessageBytes request, LineOut& out);

}  // namespace limpet
