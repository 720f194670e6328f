#include "logs/zstd.h"

#define ZSTD_STATIC_LINKING_ONLY  // For a decoder in memory of ours.
#include <zstd.h>
#include <zstd_errors.h>

namespace limpet {
namespace {

constexpr size_t kAlignment = 8;

ZSTD_DCtx* Place(std::span<std::byte> memory) {
  const size_t beyond = reinterpret_cast<uintptr_t>(memory.data()) % kAlignment;
  const size_t skip = beyond == 0 ? 0 : kAlignment - beyond;
  if (skip > memory.size()) return nullptr;
  return ZSTD_initStaticDCtx(memory.data() + skip, memory.size() - skip);
}

}  // namespace

size_t ZstdDecompressor::BytesNeeded() { return ZSTD_estimateDCtxSize() + kAlignment - 1; }

ZstdDecompressor::ZstdDecompressor(std::span<std::byte> memory) : context_(Place(memory)) {
  LIMPET_CHECK(context_ != nullptr);
}

Result<size_t> ZstdDecompressor::Decompress(std::span<const uint8_t> in, std::span<uint8_t> out) {
  const size_t size = ZSTD_decompressDCtx(context_, out.data(), out.size(), in.data(), in.size());
  if (ZSTD_isError(size) == 0) return size;
  if (ZSTD_getErrorCode(size) == ZSTD_error_dstSize_tooSmall) return {Code::kFull, 0, "zstd output"};
  return {Code::kInvalid, 0, "zstd"};
}

}  // namespace limpet
