// Lines for people and programs, out of texts that anybody may have sent: what could steer a
// terminal is escaped, and one request cannot print without end.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"

namespace limpet {

/// Where the lines go: standard output, or a test.
class LineWriter {
 public:
  /// A piece of text; a line ends with its '\n' and may come in several pieces.
  virtual void Write(std::string_view text) = 0;

 protected:
  ~LineWriter() = default;
};

enum class Colour : uint8_t { kNone, kBold, kDim, kRed, kGreen, kYellow, kCyan };

/// Puts lines together and counts columns (one for each character).
class LineOut {
 public:
  LineOut(LineWriter& writer, bool colour) : writer_(writer), colour_(colour) {}

  /// Text of ours: written as it is.
  LineOut& operator<<(std::string_view text);
  LineOut& operator<<(const char* text) { return *this << std::string_view(text); }
  LineOut& operator<<(char c) { return *this << std::string_view(&c, 1); }
  template <typename Integer>
    requires(std::integral<Integer> && !std::same_as<Integer, char> && !std::same_as<Integer, bool>)
  LineOut& operator<<(Integer value) {
    TextBuffer<24> digits;
    digits << value;
    return *this << digits.text();
  }
  LineOut& Double(double value);

  /// Text of others: control characters, and those that reverse the direction of writing, as \n or
  /// \u001b; invalid UTF-8 as U+FFFD.
  LineOut& Foreign(std::string_view text);
  /// The same in double quotes, quotes and backslashes escaped: a JSON string.
  LineOut& Quoted(std::string_view text);
  LineOut& Hex(std::span<const uint8_t> bytes);

  /// Blanks up to the column, at least one.
  LineOut& Pad(size_t column);
  /// For what follows, until the next; nothing when colours are off.
  LineOut& Use(Colour colour);
  void EndLine();

  uint64_t bytes() const { return bytes_; }  ///< Written so far.

 private:
  void Escaped(std::string_view text, bool quotes);
  void Flush();

  LineWriter& writer_;
  const bool colour_;
  bool coloured_ = false;
  size_t column_ = 0;
  uint64_t bytes_ = 0;
  std::array<char, 1024> buffer_;
  size_t size_ = 0;
};

}  // namespace limpet
