#include "sink/line_out.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

/// The character at the front of `text`, which is one UTF-8 sequence of the length.
uint32_t CodePoint(std::string_view text, size_t length) {
  const auto at = [text](size_t i) { return static_cast<unsigned char>(text[i]); };
  if (length == 1) return at(0);
  uint32_t point = at(0) & (0x7fu >> length);
  for (size_t i = 1; i < length; ++i) point = (point << 6) | (at(i) & 0x3fu);
  return point;
}

/// Would it move the cursor, end the line, or turn around the text beside it?
bool IsUnsafe(uint32_t point) {
  return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x061c ||
         (point >= 0x200e && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
         (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

}  // namespace

LineOut& LineOut::operator<<(std::string_view text) {
  bytes_ += text.size();
  for (const char c : text) column_ += (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  while (!text.empty()) {
    const size_t count = std::min(text.size(), buffer_.size() - size_);
    std::memcpy(buffer_.data() + size_, text.data(), count);
    size_ += count;
    text.remove_prefix(count);
    if (size_ == buffer_.size()) Flush();
  }
  return *this;
}

LineOut& LineOut::Double(double value) {
  TextBuffer<32> digits;
  digits.Double(value);
  return *this << digits.text();
}

void LineOut::Escaped(std::string_view text, bool quotes) {
  size_t plain = 0;  // Length of the run that needs no escape.
  const auto flush_plain = [&](size_t skip) {
    *this << text.substr(0, plain);
    text.remove_prefix(plain + skip);
    plain = 0;
  };
  while (plain < text.size()) {
    const char c = text[plain];
    if (c >= ' ' && c < '\x7f' && !(quotes && (c == '"' || c == '\\'))) {
      ++plain;
      continue;
    }
    const size_t length = Utf8Length(text.substr(plain));
    if (length == 0) {
      flush_plain(1);
      *this << "\xef\xbf\xbd";
      continue;
    }
    const uint32_t point = CodePoint(text.substr(plain), length);
    if (quotes && (point == '"' || point == '\\')) {
      flush_plain(1);
      *this << '\\' << static_cast<char>(point);
    } else if (IsUnsafe(point)) {
      flush_plain(length);
      if (point == '\n') {
        *this << "\\n";
      } else if (point == '\t') {
        *this << "\\t";
      } else if (point == '\r') {
        *this << "\\r";
      } else {
        const uint8_t digits[] = {static_cast<uint8_t>(point >> 8), static_cast<uint8_t>(point)};
        *this << "\\u";
        Hex(digits);
      }
    } else {
      plain += length;
    }
  }
  flush_plain(0);
}

LineOut& LineOut::Foreign(std::string_view text) {
  Escaped(text, false);
  return *this;
}

LineOut& LineOut::Quoted(std::string_view text) {
  *this << '"';
  Escaped(text, true);
  return *this << '"';
}

LineOut& LineOut::Hex(std::span<const uint8_t> bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  for (const uint8_t byte : bytes) *this << kDigits[byte >> 4] << kDigits[byte & 15];
  return *this;
}

LineOut& LineOut::Pad(size_t column) {
  do *this << ' ';
  while (column_ < column);
  return *this;
}

LineOut& LineOut::Use(Colour colour) {
  if (!colour_ || (colour == Colour::kNone && !coloured_)) return *this;
  constexpr std::string_view kCodes[] = {"\x1b[0m",  "\x1b[1m",  "\x1b[2m", "\x1b[31m",
                                         "\x1b[32m", "\x1b[33m", "\x1b[36m"};
  const size_t column = column_;
  if (coloured_) *this << kCodes[0];
  if (colour != Colour::kNone) *this << kCodes[static_cast<size_t>(colour)];
  coloured_ = colour != Colour::kNone;
  column_ = column;
  return *this;
}

void LineOut::EndLine() {
  Use(Colour::kNone);
  *this << '\n';
  Flush();
  column_ = 0;
}

void LineOut::Flush() {
  writer_.Write({buffer_.data(), size_});
  size_ = 0;
}

}  // namespace limpet
