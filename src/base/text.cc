#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace limpet {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

bool IsBlank(char c) { return c == ' ' || c == '\t'; }

/// Matches one `[...]` set at the front of `pattern` (after the bracket) against c.
/// Returns the set's length with its closing bracket, 0 when it is not closed.
size_t MatchSet(std::string_view pattern, char c, bool* matched) {
  size_t i = 0;
  const bool negated = !pattern.empty() && (pattern[0] == '!' || pattern[0] == '^');
  if (negated) ++i;
  bool found = false;
  for (bool first = true; i < pattern.size(); first = false) {
    if (pattern[i] == ']' && !first) {
      *matched = found != negated;
      return i + 1;
    }
    if (i + 2 < pattern.size() && pattern[i + 1] == '-' && pattern[i + 2] != ']') {
      if (pattern[i] <= c && c <= pattern[i + 2]) found = true;
      i += 3;
      continue;
    }
    if (pattern[i] == c) found = true;
    ++i;
  }
  return 0;
}

/// Of digits and a point, not many: the digits and the power of ten are doubles then, and one division
/// rounds as it should. Nothing for all others, and where doubles are computed with more bits (x87).
std::optional<double> ParseShortDouble(std::string_view text) {
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ == 0
  constexpr double kTens[] = {1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7,
                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  if (text.empty() || text.size() > 15 || text.front() == '.' || text.back() == '.') return std::nullopt;
  uint64_t number = 0;
  size_t point = text.size() - 1;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.' && point == text.size() - 1) {
      point = i;
      continue;
    }
    const auto digit = static_cast<unsigned>(text[i] - '0');
    if (digit > 9) return std::nullopt;
    number = number * 10 + digit;
  }
  const double value = static_cast<double>(number) / kTens[text.size() - 1 - point];
  return negative ? -value : value;
#else
  (void)text;
  return std::nullopt;
#endif
}

}  // namespace

TextWriter& TextWriter::operator<<(std::string_view text) {
  const size_t count = std::min(text.size(), room());
  if (count != 0) std::memcpy(buffer_.data() + size_, text.data(), count);
  size_ += count;
  if (count < text.size()) overflowed_ = true;
  return *this;
}

TextWriter& TextWriter::Double(double value) {
  if (std::isnan(value)) return *this << "NaN";
  if (std::isinf(value)) return *this << (value > 0 ? "+Inf" : "-Inf");
  char digits[32];
  int size = std::snprintf(digits, sizeof digits, "%.15g", value);
  if (std::strtod(digits, nullptr) != value) {
    size = std::snprintf(digits, sizeof digits, "%.17g", value);
  }
  return *this << std::string_view(digits, static_cast<size_t>(size));
}

TextWriter& TextWriter::Fixed(double value, int decimals) {
  char digits[352];  // The largest double has 309 digits before the point.
  const int size = std::snprintf(digits, sizeof digits, "%.*f", std::min(decimals, 17), value);
  return *this << std::string_view(digits, static_cast<size_t>(size));
}

TextWriter& TextWriter::Json(std::string_view value) {
  *this << '"';
  size_t plain = 0;  // Start of the run that needs no escape.
  size_t i = 0;
  while (i < value.size()) {
    const auto c = static_cast<unsigned char>(value[i]);
    const size_t length = c < 0x80 ? 1 : Utf8Length(value.substr(i));
    if (length != 0 && c >= 0x20 && c != '"' && c != '\\' && c != 0x7f) {
      i += length;
      continue;
    }
    *this << value.substr(plain, i - plain);
    if (length == 0) {
      *this << "\\ufffd";
    } else if (c == '"' || c == '\\') {
      *this << '\\' << static_cast<char>(c);
    } else if (c == '\n') {
      *this << "\\n";
    } else if (c == '\t') {
      *this << "\\t";
    } else if (c == '\r') {
      *this << "\\r";
    } else {
      *this << "\\u00" << kHexDigits[c >> 4] << kHexDigits[c & 15];
    }
    plain = ++i;
  }
  return *this << value.substr(plain) << '"';
}

TextWriter& TextWriter::Hex(std::span<const uint8_t> bytes) {
  for (const uint8_t byte : bytes) *this << kHexDigits[byte >> 4] << kHexDigits[byte & 15];
  return *this;
}

TextWriter& TextWriter::Hex64(uint64_t value) {
  for (int shift = 60; shift >= 0; shift -= 4) *this << kHexDigits[(value >> shift) & 15];
  return *this;
}

std::string_view Trim(std::string_view text) {
  while (!text.empty() && IsBlank(text.front())) text.remove_prefix(1);
  while (!text.empty() && IsBlank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view TakeUntil(std::string_view& rest, char separator) {
  const size_t at = rest.find(separator);
  const std::string_view taken = rest.substr(0, at);
  rest = at == std::string_view::npos ? std::string_view() : rest.substr(at + 1);
  return taken;
}

std::string_view TakeWord(std::string_view& rest) {
  size_t begin = 0;
  while (begin < rest.size() && IsBlank(rest[begin])) ++begin;
  size_t end = begin;
  while (end < rest.size() && !IsBlank(rest[end])) ++end;
  const std::string_view word = rest.substr(begin, end - begin);
  rest.remove_prefix(end);
  return word;
}

std::optional<double> ParseDouble(std::string_view text) {
  if (const std::optional<double> value = ParseShortDouble(text)) return value;
  // strtod wants a NUL and takes more than decimal numbers: look before it does.
  char copy[64];
  if (text.empty() || text.size() >= sizeof copy) return std::nullopt;
  const auto decimal = [](char c) {
    return (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '+' || c == 'e' || c == 'E';
  };
  if (!std::all_of(text.begin(), text.end(), decimal)) return std::nullopt;
  std::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  char* end = nullptr;
  const double value = std::strtod(copy, &end);
  if (end != copy + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

bool EqualsIgnoringCase(std::string_view a, std::string_view b) {
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [lower](char x, char y) { return lower(x) == lower(y); });
}

bool GlobMatches(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0;
  size_t star = std::string_view::npos;  // Where the last `*` was, and what it has swallowed.
  size_t star_text = 0;
  while (t < text.size()) {
    size_t step = 0;
    if (p < pattern.size()) {
      bool in_set = false;
      if (pattern[p] == '*') {
        star = p++;
        star_text = t;
        continue;
      }
      if (pattern[p] == '[') {
        const size_t length = MatchSet(pattern.substr(p + 1), text[t], &in_set);
        if (length != 0) {
          if (in_set) step = 1 + length;
        } else if (text[t] == '[') {
          step = 1;
        }
      } else if (pattern[p] == '?' || pattern[p] == text[t]) {
        step = 1;
      }
    }
    if (step != 0) {
      p += step, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1, t = ++star_text;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool AnyGlobMatches(std::string_view patterns, std::string_view text) {
  while (!patterns.empty()) {
    const std::string_view pattern = Trim(TakeUntil(patterns, ','));
    if (!pattern.empty() && GlobMatches(pattern, text)) return true;
  }
  return false;
}

}  // namespace limpet
