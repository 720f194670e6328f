// Text without a heap: a bounded writer and the few readers that parsers share.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "base/utf8.h"

namespace limpet {

/// Appends to a fixed buffer. What does not fit is cut, and `overflowed` says so.
class TextWriter {
 public:
  explicit TextWriter(std::span<char> buffer) : buffer_(buffer) {}

  TextWriter& operator<<(std::string_view text);
  TextWriter& operator<<(const char* text) { return *this << std::string_view(text); }
  TextWriter& operator<<(char c) { return *this << std::string_view(&c, 1); }
  template <typename Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, char> &&
             !std::is_same_v<Integer, bool>)
  TextWriter& operator<<(Integer value) {
    char digits[24];
    const auto end = std::to_chars(digits, digits + sizeof digits, value);
    return *this << std::string_view(digits, static_cast<size_t>(end.ptr - digits));
  }
  /// Shortest of %.15g and %.17g that reads back as the same number; NaN, +Inf, -Inf.
  TextWriter& Double(double value);
  /// Fixed decimals, rounded.
  TextWriter& Fixed(double value, int decimals);
  /// `value` as a JSON string with its quotes; invalid UTF-8 becomes U+FFFD.
  TextWriter& Json(std::string_view value);
  /// Lower-case hex, two digits a byte.
  TextWriter& Hex(std::span<const uint8_t> bytes);
  /// 16 digits.
  TextWriter& Hex64(uint64_t value);

  std::string_view text() const { return {buffer_.data(), size_}; }
  size_t size() const { return size_; }
  size_t room() const { return buffer_.size() - size_; }
  bool overflowed() const { return overflowed_; }
  void Clear() { size_ = 0, overflowed_ = false; }

 private:
  std::span<char> buffer_;
  size_t size_ = 0;
  bool overflowed_ = false;
};

/// A buffer with its writer: `TextBuffer<64> name; name << "cpu" << 3;`
template <size_t N>
class TextBuffer : public TextWriter {
 public:
  TextBuffer() : TextWriter(std::span<char>(storage_, N)) {}
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

 private:
  char storage_[N];
};

/// Blanks and tabs off both ends.
std::string_view Trim(std::string_view text);

/// Takes what stands before the separator off the front of `rest` (all of it when there is none).
std::string_view TakeUntil(std::string_view& rest, char separator);

/// The last part of a path.
inline std::string_view BaseName(std::string_view path) { return path.substr(path.rfind('/') + 1); }

/// Takes the next word (blanks and tabs separate) off the front of `rest`; empty at the end.
std::string_view TakeWord(std::string_view& rest);

/// The whole text as a number, no sign, no blanks; nothing when malformed or too large.
template <typename Integer>
std::optional<Integer> ParseNumber(std::string_view text, int base = 10) {
  Integer value{};
  const char* const end = text.data() + text.size();
  const auto got = std::from_chars(text.data(), end, value, base);
  if (text.empty() || got.ec != std::errc() || got.ptr != end) return std::nullopt;
  return value;
}

/// The whole text as a finite decimal number.
std::optional<double> ParseDouble(std::string_view text);

/// Equal but for the case of ASCII letters, as names in HTTP and URLs compare?
bool EqualsIgnoringCase(std::string_view a, std::string_view b);

/// Does the text match the shell pattern (`*`, `?`, `[a-z]`, `[!a]`)? Linear in time: no recursion.
bool GlobMatches(std::string_view pattern, std::string_view text);

/// Does one of the patterns of a comma separated list match?
bool AnyGlobMatches(std::string_view patterns, std::string_view text);

}  // namespace limpet
