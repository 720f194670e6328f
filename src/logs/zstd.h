// zstd in memory whose size is known before: a wrapper of its decoder, for compressed fields of the journal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/status.h"

struct ZSTD_DCtx_s;

namespace limpet {

class ZstdDecompressor {
 public:
  /// 96 KiB with 1.5.7, at any alignment.
  static size_t BytesNeeded();

  /// memory: BytesNeeded() bytes, owned by the caller for the decompressor's life.
  explicit ZstdDecompressor(std::span<std::byte> memory);
  ZstdDecompressor(const ZstdDecompressor&) = delete;
  ZstdDecompressor& operator=(const ZstdDecompressor&) = delete;

  /// Decompresses a whole frame in one piece: `out` is its window. Returns the bytes written.
  /// kInvalid: damaged. kFull: it does not fit into `out`, whose contents are then undefined.
  Result<size_t> Decompress(std::span<const uint8_t> in, std::span<uint8_t> out);

 private:
  ZSTD_DCtx_s* const context_;
};

}  // namespace limpet
