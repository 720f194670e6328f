#pragma once
#include "limpet/batch.h"
#include "limpet/status.h"
namespace limpet {
inline Result<size_t> ConvertOtlpJson(Signal, std::span<const uint8_t>, std::span<uint8_t>) { return {Code::kUnsupported, 0, "json"}; }
}
