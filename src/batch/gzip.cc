#include "batch/gzip.h"

#include <cstddef>
#include <cstdint>

#include <libdeflate.h>

namespace limpet {
namespace {

constexpr int kLevel = 1;
constexpr size_t kAlignment = alignof(std::max_align_t);

// libdeflate's hook carries no context, so the region of the construction going on stands here. Each
// state is one block, taken once: there is nothing to give back.
struct Region {
  std::byte* begin = nullptr;
  size_t bytes = 0;
  size_t asked = 0;
};
thread_local Region region;

void* Take(size_t bytes) {
  region.asked += bytes;
  // Not std::align: libc++ has it in one object with much else.
  const size_t beyond = reinterpret_cast<uintptr_t>(region.begin) % kAlignment;
  const size_t skip = beyond == 0 ? 0 : kAlignment - beyond;
  if (skip > region.bytes || bytes > region.bytes - skip) return nullptr;
  std::byte* const block = region.begin + skip;
  region.begin = block + bytes;
  region.bytes -= skip + bytes;
  return block;
}

void GiveBack(void* /*block*/) {}

libdeflate_options Options() {
  libdeflate_options options{};
  options.sizeof_options = sizeof options;
  options.malloc_func = Take;
  options.free_func = GiveBack;
  return options;
}

libdeflate_compressor* NewCompressor(std::span<std::byte> memory) {
  region = {memory.data(), memory.size(), 0};
  const libdeflate_options options = Options();
  return libdeflate_alloc_compressor_ex(kLevel, &options);
}

libdeflate_decompressor* NewDecompressor(std::span<std::byte> memory) {
  region = {memory.data(), memory.size(), 0};
  const libdeflate_options options = Options();
  return libdeflate_alloc_decompressor_ex(&options);
}

/// What the attempt that just failed for lack of memory had asked for, at any alignment.
size_t Asked() { return region.asked + kAlignment - 1; }

}  // namespace

uint32_t Crc32(uint32_t before, std::span<const uint8_t> bytes) {
  return libdeflate_crc32(before, bytes.data(), bytes.size());
}

size_t GzipCompressor::BytesNeeded() {
  LIMPET_CHECK(NewCompressor({}) == nullptr);
  return Asked();
}

GzipCompressor::GzipCompressor(std::span<std::byte> memory) : compressor_(NewCompressor(memory)) {
  LIMPET_CHECK(compressor_ != nullptr);
}

Result<size_t> GzipCompressor::Compress(std::span<const uint8_t> in, std::span<uint8_t> out) {
  const size_t size =
      libdeflate_gzip_compress(compressor_, in.data(), in.size(), out.data(), out.size());
  if (size == 0) return {Code::kFull, 0, "gzip output"};
  return size;
}

size_t GzipDecompressor::BytesNeeded() {
  LIMPET_CHECK(NewDecompressor({}) == nullptr);
  return Asked();
}

GzipDecompressor::GzipDecompressor(std::span<std::byte> memory)
    : decompressor_(NewDecompressor(memory)) {
  LIMPET_CHECK(decompressor_ != nullptr);
}

Result<size_t> GzipDecompressor::Decompress(std::span<const uint8_t> in, std::span<uint8_t> out,
                                            size_t* members) {
  size_t written = 0, count = 0;
  do {  // Each member takes at least its header: the loop ends.
    size_t used = 0;
    size_t made = 0;
    const std::span<uint8_t> rest = out.subspan(written);
    const libdeflate_result result = libdeflate_gzip_decompress_ex(
        decompressor_, in.data(), in.size(), rest.data(), rest.size(), &used, &made);
    if (result == LIBDEFLATE_INSUFFICIENT_SPACE) return {Code::kFull, 0, "gzip output"};
    if (result != LIBDEFLATE_SUCCESS) return {Code::kInvalid, 0, "gzip"};
    in = in.subspan(used);
    written += made;
    ++count;
  } while (!in.empty());
  if (members != nullptr) *members = count;
  return written;
}

}  // namespace limpet
