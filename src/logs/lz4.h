// LZ4's block format: a wrapper of its decoder, for compressed fields of the journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/status.h"

namespace limpet {

/// Decompresses a block, or its beginning where `out` is smaller. Returns the bytes written.
/// kInvalid: it is damaged. Needs no memory.
Result<size_t> Lz4Decompress(std::span<const uint8_t> in, std::span<uint8_t> out);

}  // namespace limpet
