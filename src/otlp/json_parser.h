// OTLP/JSON to protobuf: what senders hand over as Content-Type: application/json becomes the same
// request in the encoding in which it is kept and passed on.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "limpet/status.h"

namespace limpet {

/// Converts one Export{Metrics,Logs,Trace}ServiceRequest in a single pass, in fixed memory (3 KiB of
/// stack). Returns the number of bytes at the front of `out`.
/// json: the body. It may lie in `out` itself, best at its end: the output then grows over what has
/// been read, and is full where it would overtake the reader.
///
/// As the OTLP specification has it ("JSON Protobuf Encoding"): names in lowerCamelCase, all others
/// passed over whatever they hold; ids in hex, other bytes in base64 (either alphabet, padded or not);
/// enums as numbers. From proto3 JSON: numbers also in quotes, integers also as 1.0 and 1e3; "NaN",
/// "Infinity", "-Infinity"; null is a field that is not there. Nothing is rounded to fit, guessed or
/// repaired: refused are a name twice, two values of a oneof, null as an element, a number out of range,
/// text that is not UTF-8, lone surrogates, messages deeper than kWireDepthMax, doubles of more than 63
/// characters, anything after the end.
///
/// kInvalid: not such a request; detail is the offset, where says what. kFull: larger than `out`.
/// What has been written to `out` then means nothing.
Result<size_t> ConvertOtlpJson(Signal signal, std::span<const uint8_t> json, std::span<uint8_t> out);

}  // namespace limpet
