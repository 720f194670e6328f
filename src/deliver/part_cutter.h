// Makes a part of a batch: inflates, cuts, deflates. The same batch and path give the same bytes, so that
// a retry sends what was sent before and nothing of a part need be kept but its path.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "batch/gzip.h"
#include "limpet/batch.h"
#include "limpet/status.h"

namespace limpet {

class PartCutter {
 public:
  /// Memory that others use too, between two calls: nothing of it is kept.
  struct Memory {
    std::span<uint8_t> raw;                ///< For a batch's bytes before compression.
    std::span<uint8_t> packed;             ///< For its bytes as they are stored.
    GzipCompressor* gzip = nullptr;        ///< nullptr: parts stay as they are.
    GzipDecompressor* gunzip = nullptr;
  };
  explicit PartCutter(const Memory& memory) : memory_(memory) {}

  struct Part {
    BatchHeader header;
    std::span<const uint8_t> bytes;  ///< Until the next call, or until somebody else uses the memory.
  };

  /// path: within the batch, and appended to the path that it has itself.
  /// kFull: the batch is larger than the memory, or its path as long as a path can be. kInvalid: it is
  /// damaged. Then it can only be dealt with as a whole.
  Result<Part> Cut(const BatchHeader& header, const Body& body, BisectPath path);

  /// The bytes as they were before compression. Lives as long as a part's.
  Result<std::span<const uint8_t>> Inflate(const BatchHeader& header, const Body& body, std::span<uint8_t> into);

 private:
  const Memory memory_;
};

}  // namespace limpet
