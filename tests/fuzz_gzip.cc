// Fuzzes gzip as a listener meets it: any bytes are inflated or refused within the room given, a valid
// stream in a valid frame comes out as libdeflate alone has it, and what is packed is unpacked the same.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <vector>

#include <libdeflate.h>

#include "batch/gzip.h"

namespace limpet {
namespace {

using Bytes = std::vector<uint8_t>;  // Of the exact size, so that the sanitizer sees the byte behind.

constexpr size_t kRoomMax = 256 * 1024;

struct Gzip {
  std::vector<std::byte> packer_memory{GzipCompressor::BytesNeeded()};
  std::vector<std::byte> unpacker_memory{GzipDecompressor::BytesNeeded()};
  GzipCompressor packer{packer_memory};
  GzipDecompressor unpacker{unpacker_memory};
  libdeflate_decompressor* const other = libdeflate_alloc_decompressor();
};

/// Inflates `in` into `room` bytes. `out` means something only with kOk.
Code Unpack(Gzip& gzip, std::span<const uint8_t> in, size_t room, Bytes& out) {
  out.assign(room, 0);
  const Result<size_t> size = gzip.unpacker.Decompress(in, out);
  if (!size.ok()) return size.status().code;
  LIMPET_CHECK(size.value() <= room);
  out.resize(size.value());
  return Code::kOk;
}

/// A member made by hand around a stream that inflates to `plain`.
Bytes Framed(std::span<const uint8_t> stream, std::span<const uint8_t> plain) {
  constexpr uint8_t kHead[] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255};
  const uint64_t tail = Crc32(0, plain) | uint64_t{plain.size()} << 32;
  Bytes member(std::size(kHead) + stream.size() + sizeof tail);
  auto next = std::copy(std::begin(kHead), std::end(kHead), member.begin());
  next = std::copy(stream.begin(), stream.end(), next);
  for (unsigned shift = 0; shift < 64; shift += 8) *next++ = static_cast<uint8_t>(tail >> shift);
  return member;
}

void TryFramed(Gzip& gzip, std::span<const uint8_t> in, size_t room) {
  Bytes plain(room), out;
  size_t used = 0;
  size_t made = 0;
  if (libdeflate_deflate_decompress_ex(gzip.other, in.data(), in.size(), plain.data(), plain.size(),
                                       &used, &made) != LIBDEFLATE_SUCCESS) {
    return;
  }
  plain.resize(made);
  Bytes member = Framed(in.first(used), plain);
  LIMPET_CHECK(Unpack(gzip, member, room, out) == Code::kOk && out == plain);
  LIMPET_CHECK(Unpack(gzip, member, made, out) == Code::kOk && out == plain);
  if (made > 0) LIMPET_CHECK(Unpack(gzip, member, made - 1, out) == Code::kFull);

  const size_t length = member.size();
  member.resize(length - 1);
  LIMPET_CHECK(Unpack(gzip, member, room, out) == Code::kInvalid);
  member = Framed(in.first(used), plain);
  member[length - 8] ^= 1;  // The checksum.
  LIMPET_CHECK(Unpack(gzip, member, room, out) == Code::kInvalid);
}

void TryPacked(Gzip& gzip, std::span<const uint8_t> in, size_t room) {
  Bytes packed(room), out;
  const Result<size_t> size = gzip.packer.Compress(in, packed);
  if (!size.ok()) {
    LIMPET_CHECK(size.status().code == Code::kFull && room < in.size() + 64);
    return;
  }
  packed.resize(size.value());
  LIMPET_CHECK(Unpack(gzip, packed, in.size(), out) == Code::kOk);
  LIMPET_CHECK(std::equal(out.begin(), out.end(), in.begin(), in.end()));
  if (!in.empty()) LIMPET_CHECK(Unpack(gzip, packed, in.size() - 1, out) == Code::kFull);

  Bytes twice = packed;  // Members follow one another.
  twice.insert(twice.end(), packed.begin(), packed.end());
  LIMPET_CHECK(Unpack(gzip, twice, 2 * in.size(), out) == Code::kOk && out.size() == 2 * in.size());
  twice.push_back(0);  // And nothing else does.
  LIMPET_CHECK(Unpack(gzip, twice, 2 * in.size(), out) == Code::kInvalid);
}

}  // namespace
}  // namespace limpet

/// The first two bytes choose the room, the rest is the input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  static Gzip gzip;
  if (size < 2) return 0;
  const size_t room = (data[0] | size_t{data[1]} << 8) % (kRoomMax / 4) * 4 + data[0] % 4u;
  const std::span<const uint8_t> in(data + 2, size - 2);
  Bytes out;
  (void)Unpack(gzip, in, room, out);
  TryFramed(gzip, in, room);
  TryPacked(gzip, in, room);
  return 0;
}
