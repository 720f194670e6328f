// The messages of OTLP that metrics and logs have in common, as limpet writes them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "otlp/metric_sink.h"
#include "otlp/wire_writer.h"

namespace limpet {

/// The semantic conventions that names are taken from.
inline constexpr std::string_view kSchemaUrl = "https://opentelemetry.io/schemas/1.44.0";

/// One KeyValue for each attribute, under the number `field`.
void WriteAttributes(WireWriter& out, uint32_t field, std::span<const Attribute> attributes);

/// Bytes that it writes, for fields below 16.
size_t AttributesSize(std::span<const Attribute> attributes);

/// The InstrumentationScope of what limpet itself collects.
void WriteScope(WireWriter& out, uint32_t field, std::string_view version);

struct ResourceAttribute {
  std::string_view key;
  std::string_view value;
};

/// Encodes the Resource message of the given attributes into `out`.
/// kFull: it does not fit.
Result<std::span<const uint8_t>> EncodeResource(std::span<const ResourceAttribute> attributes,
                                                std::span<uint8_t> out);

}  // namespace limpet
