// A hash that stays the same over versions and machines: what it gave is kept on flash.
#pragma once

#include <cstdint>
#include <string_view>

namespace limpet {

/// FNV-1a, 64 bits. before: of what stands in front.
constexpr uint64_t Hash64(std::string_view bytes, uint64_t before = 0xcbf29ce484222325u) {
  for (const char c : bytes) before = (before ^ static_cast<uint8_t>(c)) * 0x100000001b3u;
  return before;
}
/// The number as eight bytes, the lowest first.
constexpr uint64_t Hash64(uint64_t number, uint64_t before) {
  for (int i = 0; i < 8; ++i) before = (before ^ (number >> 8 * i & 0xff)) * 0x100000001b3u;
  return before;
}

}  // namespace limpet
