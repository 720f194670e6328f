#include "logs/lz4.h"

#include <lz4.h>

namespace limpet {

Result<size_t> Lz4Decompress(std::span<const uint8_t> in, std::span<uint8_t> out) {
  if (in.size() > LZ4_MAX_INPUT_SIZE || out.size() > LZ4_MAX_INPUT_SIZE) return {Code::kFull, 0, "lz4"};
  const int capacity = static_cast<int>(out.size());
  const int size = LZ4_decompress_safe_partial(reinterpret_cast<const char*>(in.data()),
                                               reinterpret_cast<char*>(out.data()),
                                               static_cast<int>(in.size()), capacity, capacity);
  if (size < 0) return {Code::kInvalid, 0, "lz4"};
  return static_cast<size_t>(size);
}

}  // namespace limpet
