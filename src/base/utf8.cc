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

constexpr uint64_t kHighBits = 0x8080808080808080;

/// How many bytes at the front are ASCII, give or take: whole words, of which the last may overlap the
/// one before. All of them, or fewer than there are.
size_t AsciiPrefix(std::string_view text) {
  const char* const begin = text.data();
  const char* const end = begin + text.size();
  const char* at = begin;
  if (text.size() >= 8) {
    while (end - at >= 32) {
      const uint64_t any = Load<uint64_t>(at) | Load<uint64_t>(at + 8) | Load<uint64_t>(at + 16) |
                           Load<uint64_t>(at + 24);
      if ((any & kHighBits) != 0) break;
      at += 32;
    }
    for (; end - at >= 8; at += 8) {
      if ((Load<uint64_t>(at) & kHighBits) != 0) return static_cast<size_t>(at - begin);
    }
    const bool ascii = (Load<uint64_t>(end - 8) & kHighBits) == 0;
    return ascii ? text.size() : static_cast<size_t>(at - begin);
  }
  if (text.size() >= 4) {
    const uint32_t any = Load<uint32_t>(at) | Load<uint32_t>(end - 4);
    return (any & static_cast<uint32_t>(kHighBits)) == 0 ? text.size() : 0;
  }
  while (at != end && (*at & 0x80) == 0) ++at;
  return static_cast<size_t>(at - begin);
}

struct Sequence {
  size_t length;  ///< What its first byte announces; 0: none begins with it.
  size_t valid;   ///< How many bytes of it are there and as they should be.
};

/// text: begins with a byte that is not ASCII.
Sequence ReadSequence(std::string_view text) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = at(0);
  if (first < 0xc2 || first > 0xf4) return {0, 1};
  const size_t length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  const unsigned least = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned most = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (text.size() < 2 || at(1) < least || at(1) > most) return {length, 1};
  size_t valid = 2;
  while (valid < length && valid < text.size() && (at(valid) & 0xc0) == 0x80) ++valid;
  return {length, valid};
}

}  // namespace

// By table 3-7 of the Unicode standard: what is overlong, a surrogate or too large shows in the second byte.
size_t Utf8Length(std::string_view text) {
  if (text.empty()) return 0;
  if (static_cast<unsigned char>(text[0]) < 0x80) return 1;
  const Sequence sequence = ReadSequence(text);
  return sequence.valid == sequence.length ? sequence.length : 0;
}

size_t Utf8Prefix(std::string_view text) {
  size_t valid = AsciiPrefix(text);
  while (valid < text.size()) {
    const size_t length = Utf8Length(text.substr(valid));
    if (length == 0) break;
    valid += length;
    // Words of one alphabet follow each other without ASCII between their letters: look far only behind them.
    if (length == 1) valid += AsciiPrefix(text.substr(valid));
  }
  return valid;
}

size_t RepairUtf8(std::string_view text, std::span<char> out, size_t& used) {
  constexpr std::string_view kReplacement = "\xef\xbf\xbd";
  size_t size = 0;
  used = 0;
  while (used < text.size()) {
    size_t valid = Utf8Prefix(text.substr(used));
    if (valid > out.size() - size) {
      valid = out.size() - size;
      while (valid > 0 && (text[used + valid] & 0xc0) == 0x80) --valid;  // Not inside a character.
    }
    if (valid > 0) std::memcpy(out.data() + size, text.data() + used, valid);
    size += valid;
    used += valid;
    if (used == text.size() || Utf8Length(text.substr(used)) != 0) break;  // All, or no room.
    if (out.size() - size < kReplacement.size()) break;
    std::memcpy(out.data() + size, kReplacement.data(), kReplacement.size());
    size += kReplacement.size();
    used += ReadSequence(text.substr(used)).valid;
  }
  return size;
}

}  // namespace limpet
