// The primitives of the encoding: each reads one value at `at` and returns where the next begins, or nullptr
// when there is none before `end` or it is malformed.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpet {

/// Ten bytes at most, and no more than 64 bits.
const uint8_t* ReadLongVarint(const uint8_t* at, const uint8_t* end, uint64_t& value);

inline const uint8_t* ReadVarint(const uint8_t* at, const uint8_t* end, uint64_t& value) {
  if (at == end || *at >= 0x80) return ReadLongVarint(at, end, value);
  value = *at;
  return at + 1;
}

/// The tag of a field: its number, not 0, and its wire type.
inline const uint8_t* ReadTag(const uint8_t* at, const uint8_t* end, uint32_t& tag) {
  if (at != end && *at < 0x80) {  // Nearly all: on the short way nothing else is asked.
    tag = *at;
    return tag >= 8 ? at + 1 : nullptr;
  }
  uint64_t value = 0;
  at = ReadLongVarint(at, end, value);
  tag = static_cast<uint32_t>(value);
  return value <= UINT32_MAX && tag >> 3 != 0 ? at : nullptr;
}

/// The length of a value that lies before `end` in whole.
inline const uint8_t* ReadLength(const uint8_t* at, const uint8_t* end, size_t& length) {
  if (at != end && *at < 0x80) {
    length = *at++;
    return length <= static_cast<size_t>(end - at) ? at : nullptr;
  }
  if (end - at >= 2 && at[1] < 0x80) {  // Of most messages that hold others.
    length = (at[0] & 0x7fu) | size_t{at[1]} << 7;
    at += 2;
    return length <= static_cast<size_t>(end - at) ? at : nullptr;
  }
  uint64_t value = 0;
  at = ReadLongVarint(at, end, value);
  if (at == nullptr || value > static_cast<size_t>(end - at)) return nullptr;
  length = static_cast<size_t>(value);
  return at;
}

/// Integer: uint32_t or uint64_t. Least significant byte first.
template <typename Integer>
inline const uint8_t* ReadFixed(const uint8_t* at, const uint8_t* end, uint64_t& value) {
  if (static_cast<size_t>(end - at) < sizeof(Integer)) return nullptr;
  Integer read = 0;
  for (size_t i = 0; i < sizeof(Integer); ++i) read |= Integer{at[i]} << (8 * i);
  value = read;
  return at + sizeof(Integer);
}

}  // namespace limpet
