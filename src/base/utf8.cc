#include "base/utf8.h"

#include <cstdint>
#include <cstring>

namespace limpet {
namespace {

template <typename Word>
Word Load(const char* at) {
  Word word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

/// Whole words, the last of which may overlap the one before.
bool IsAscii(std::string_view text) {
  constexpr uint64_t kHighBits = 0x8080808080808080;
  const char* at = text.data();
  const char* const end = at + text.size();
  if (text.size() >= 8) {
    uint64_t all = Load<uint64_t>(end - 8);
    for (; end - at > 8; at += 8) all |= Load<uint64_t>(at);
    return (all & kHighBits) == 0;
  }
  if (text.size() >= 4) {
    return ((Load<uint32_t>(at) | Load<uint32_t>(end - 4)) & static_cast<uint32_t>(kHighBits)) == 0;
  }
  for (; at != end; ++at) {
    if ((*at & 0x80) != 0) return false;
  }
  return true;
}

}  // namespace

// By table 3-7 of the Unicode standard: what is overlong, a surrogate or too large shows in the second byte.
size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (text.size() < length) return 0;
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (at(1) < least || at(1) > most) return 0;
  for (size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xc0) != 0x80) return 0;
  }
  return length;
}

bool IsUtf8(std::string_view text) {
  if (IsAscii(text)) return true;
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace limpet
