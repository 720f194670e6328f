// gzip in memory whose size is known before: a wrapper of libdeflate. A batch is compressed in one
// piece when it is closed, a request is inflated in one piece into a bounded buffer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/status.h"

struct libdeflate_compressor;
struct libdeflate_decompressor;

namespace limpet {

/// CRC-32 as gzip has it, over one more piece; 0 begins.
uint32_t Crc32(uint32_t before, std::span<const uint8_t> bytes);

/// Compresses at level 1 (design.md has the measurement against zlib). Its state lies in the given
/// memory; nothing is allocated later.
class GzipCompressor {
 public:
  /// What the linked libdeflate asks for on this machine: 198 KiB on x86-64 with 1.23.
  static size_t BytesNeeded();

  /// memory: BytesNeeded() bytes, any alignment, owned by the caller for the compressor's life.
  explicit GzipCompressor(std::span<std::byte> memory);
  GzipCompressor(const GzipCompressor&) = delete;
  GzipCompressor& operator=(const GzipCompressor&) = delete;

  /// Writes `in` as one gzip member without a time, so that equal input gives equal bytes.
  /// Returns the bytes written. kFull: they do not fit into `out`; its contents are undefined.
  Result<size_t> Compress(std::span<const uint8_t> in, std::span<uint8_t> out);

 private:
  libdeflate_compressor* const compressor_;
};

class GzipDecompressor {
 public:
  /// 12 KiB with 1.23.
  static size_t BytesNeeded();

  /// memory: BytesNeeded() bytes, any alignment, owned by the caller for the decompressor's life.
  explicit GzipDecompressor(std::span<std::byte> memory);
  GzipDecompressor(const GzipDecompressor&) = delete;
  GzipDecompressor& operator=(const GzipDecompressor&) = delete;

  /// Inflates one or more gzip members, whose number `members` takes. Returns the bytes written.
  /// kInvalid: damaged, cut, or followed by something else. kFull: they do not fit into `out`.
  /// The contents of `out` are then undefined.
  Result<size_t> Decompress(std::span<const uint8_t> in, std::span<uint8_t> out, size_t* members = nullptr);

 private:
  libdeflate_decompressor* const decompressor_;
};

}  // namespace limpet
