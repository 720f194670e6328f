// The few steps all parsers of kernel text are made of. They take from the front of a view, so that
// a file is walked once and nothing is copied.
#pragma once

#include <charconv>
#include <cstdint>
#include <limits>
#include <string_view>

#include "base/text.h"

namespace limpet {

/// Takes the next line off the front, without its newline. False at the end, and also when what is
/// left has no newline: the kernel ends every line, so that is a cut one whose last number would be
/// taken for a smaller one.
inline bool TakeLine(std::string_view& rest, std::string_view& line) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) return false;
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

/// Takes blanks and a decimal number off the front. False when there is none, when it has a sign or
/// is directly followed by something else than a blank, or when it is above INT64_MAX, which is the
/// largest an OTLP point can hold.
inline bool TakeNumber(std::string_view& rest, uint64_t& value) {
  while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t')) rest.remove_prefix(1);
  const char* const end = rest.data() + rest.size();
  const auto got = std::from_chars(rest.data(), end, value);
  if (got.ec != std::errc() || value > std::numeric_limits<int64_t>::max()) return false;
  if (got.ptr != end && *got.ptr != ' ' && *got.ptr != '\t') return false;
  rest.remove_prefix(static_cast<size_t>(got.ptr - rest.data()));
  return true;
}

/// Takes blanks and "<whole>.<two digits>" off the front, as hundredths: one division then gives
/// the nearest double, and strtod is slower and asks the locale for its point.
inline bool TakeHundredths(std::string_view& rest, uint64_t& hundredths) {
  std::string_view word = TakeWord(rest);
  const auto whole = ParseNumber<uint32_t>(TakeUntil(word, '.'));
  const auto part = ParseNumber<uint32_t>(word);
  if (!whole || !part || word.size() != 2) return false;
  hundredths = uint64_t{*whole} * 100 + *part;
  return true;
}

/// Takes one newline off the end, if there is one: for files that hold a single value.
inline std::string_view WithoutNewline(std::string_view text) {
  if (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

/// Is all of it valid UTF-8 without control characters? Backends refuse a request over less.
inline bool IsPlainText(std::string_view text) {
  while (!text.empty()) {
    const auto first = static_cast<unsigned char>(text.front());
    const size_t length = Utf8Length(text);
    if (length == 0 || first < 0x20 || first == 0x7f) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace limpet
