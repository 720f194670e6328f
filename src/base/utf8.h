// UTF-8: no overlong sequences, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace limpet {

/// Length of the valid UTF-8 sequence at the front of `text`, 0 when it is invalid.
size_t Utf8Length(std::string_view text);

/// How much of `text` is valid, from its front. Fast where it is ASCII.
size_t Utf8Prefix(std::string_view text);

inline bool IsUtf8(std::string_view text) { return Utf8Prefix(text) == text.size(); }

/// Copies `text`, with U+FFFD in place of each sequence that breaks off or is none (as WHATWG's decoder
/// and chapter 3.9 of the Unicode standard have it). Returns the bytes of `out`; used: those of `text`,
/// fewer than all when there was no room for more.
size_t RepairUtf8(std::string_view text, std::span<char> out, size_t& used);

}  // namespace limpet
