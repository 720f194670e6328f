#include "otlp/json_reader.h"

#include <bit>
#include <cstring>
#include <limits>
#include <optional>

#include "base/text.h"

namespace limpet {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// A bit set in each byte that is no plain character of a string: a control character, quote, backslash,
/// or not ASCII; right up to the lowest of them, since what borrows from the next byte is not plain itself.
size_t SpecialBits(size_t word) {
  constexpr size_t kOnes = std::numeric_limits<size_t>::max() / 255;
  const size_t below_blank = word - kOnes * ' ';
  const size_t quote = (word ^ kOnes * '"') - kOnes;
  const size_t backslash = (word ^ kOnes * '\\') - kOnes;
  return (word | below_blank | quote | backslash) & kOnes * 0x80;
}

}  // namespace

size_t JsonNumberSize(std::string_view text) {
  const auto at = [text](size_t i) { return i < text.size() ? text[i] : '\0'; };
  const auto digits = [at](size_t i) {
    while (IsDigit(at(i))) ++i;
    return i;
  };
  size_t size = at(0) == '-' ? 1 : 0;
  if (!IsDigit(at(size))) return 0;
  size = at(size) == '0' ? size + 1 : digits(size);
  if (at(size) == '.' && IsDigit(at(size + 1))) size = digits(size + 1);
  if (at(size) == 'e' || at(size) == 'E') {
    const size_t sign = at(size + 1) == '+' || at(size + 1) == '-' ? 1 : 0;
    if (IsDigit(at(size + 1 + sign))) size = digits(size + 1 + sign);
  }
  return size;
}

void JsonReader::Fail(const char* where) {
  if (ok()) status_ = {Code::kInvalid, static_cast<int32_t>(at_), where};
  at_ = text_.size();
}

bool JsonReader::TakeWord(std::string_view word) {
  Peek();
  if (!text_.substr(at_).starts_with(word)) return false;
  at_ += word.size();
  return true;
}

std::string_view JsonReader::Number() {
  Peek();
  const std::string_view number = text_.substr(at_, JsonNumberSize(text_.substr(at_)));
  if (number.empty()) Fail("JSON number");
  at_ += number.size();
  return number;
}

void JsonReader::Enter(char open) {
  entered_ = true;
  if (!Take(open)) Fail(open == '{' ? "JSON object" : "JSON array");
}

bool JsonReader::More(char close) {
  const bool first = entered_;
  entered_ = false;
  if (Take(close)) return false;
  if (!first && !Take(',')) Fail("JSON comma");
  return ok();
}

std::string_view JsonReader::Name() {
  if (!Take('"')) Fail("JSON name");
  const std::string_view name = Short();
  if (!Take(':')) Fail("JSON colon");
  return name;
}

/// What stands for itself, as far as it goes.
std::string_view JsonReader::Run() {
  const char* const data = text_.data();
  size_t at = at_;
  for (size_t word; at + sizeof word <= text_.size(); at += sizeof word) {
    std::memcpy(&word, data + at, sizeof word);
    const size_t special = SpecialBits(word);
    if (special == 0) continue;
    if constexpr (std::endian::native == std::endian::little) {
      at += static_cast<size_t>(std::countr_zero(special)) / 8;
    }
    break;
  }
  while (at < text_.size()) {
    const auto c = static_cast<unsigned char>(data[at]);
    if (c == '"' || c == '\\' || (c < ' ' && !repairs_)) break;
    const size_t length = c < 0x80 ? 1 : Utf8Length(text_.substr(at));
    if (length == 0) break;
    at += length;
  }
  const std::string_view run(data + at_, at - at_);
  at_ = at;
  return run;
}

bool JsonReader::Piece(std::string_view& piece) {
  piece = Run();
  if (!piece.empty()) return true;
  if (Ends()) return false;
  if (at_ < text_.size() && text_[at_] == '\\') return Escape(piece);
  if (at_ < text_.size() && repairs_) {
    ++at_;
    return Replace(piece);
  }
  Fail("JSON string");
  return false;
}

bool JsonReader::Replace(std::string_view& piece) {
  repaired_ = true;
  piece = "\xef\xbf\xbd";
  return true;
}

// The backslash comes next.
bool JsonReader::Escape(std::string_view& piece) {
  constexpr std::string_view kNames = "\"\\/bfnrt", kCharacters = "\"\\/\b\f\n\r\t";
  const char name = at_ + 1 < text_.size() ? text_[at_ + 1] : '\0';
  if (const size_t i = kNames.find(name); i != std::string_view::npos) {
    at_ += 2;
    piece = kCharacters.substr(i, 1);
    return true;
  }
  std::optional<uint32_t> unit = TakeUnit();
  if (!unit) {
    if (!repairs_) Fail("JSON escape");
    piece = text_.substr(at_, 1);
    at_ += piece.size();
    return ok();
  }
  uint32_t point = *unit;
  if ((point & 0xf800) == 0xd800) {
    const size_t behind = at_;
    unit = (point & 0x400) == 0 ? TakeUnit() : std::nullopt;
    if (!unit || (*unit & 0xfc00) != 0xdc00) {
      if (!repairs_) Fail("JSON surrogate");
      if (repairs_) at_ = behind;  // What follows stands for itself.
      return Replace(piece) && ok();
    }
    point = 0x10000 + ((point & 0x3ff) << 10 | (*unit & 0x3ff));
  }
  const size_t size = point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
  constexpr uint8_t kLead[] = {0, 0, 0xc0, 0xe0, 0xf0};
  for (size_t i = size; i-- > 1; point >>= 6) {
    character_[i] = static_cast<char>(0x80 | (point & 0x3f));
  }
  character_[0] = static_cast<char>(kLead[size] | point);
  piece = {character_, size};
  return ok();
}

/// Takes \uXXXX.
std::optional<uint32_t> JsonReader::TakeUnit() {
  const std::string_view digits = text_.substr(at_).starts_with("\\u") ? text_.substr(at_ + 2, 4) : "";
  const std::optional<uint32_t> unit = ParseNumber<uint32_t>(digits, 16);
  if (digits.size() != 4 || !unit) return std::nullopt;
  at_ += 6;
  return unit;
}

bool JsonReader::Text(std::span<char> into, std::string_view& text) {
  text = Run();
  if (Ends()) return true;
  size_t size = text.size();
  bool fits = size <= into.size();
  if (fits && size > 0) std::memcpy(into.data(), text.data(), size);
  for (std::string_view piece; Piece(piece); size += piece.size()) {
    fits = fits && piece.size() <= into.size() - size;
    if (fits) std::memcpy(into.data() + size, piece.data(), piece.size());
  }
  text = {into.data(), fits ? size : 0};
  return fits;
}

std::string_view JsonReader::Short() {
  std::string_view text;
  return Text(short_, text) && ok() ? text : std::string_view();
}

void JsonReader::Skip() {
  uint64_t objects = 0;  // A bit for each object or array that is open, the innermost lowest.
  int depth = 0;
  do {
    // At a value.
    const char c = Peek();
    if (c == '{' || c == '[') {
      if (depth++ == kSkipDepthMax) Fail("JSON depth");
      objects = objects << 1 | (c == '{' ? 1 : 0);
      Enter(c);
    } else if (Take('"')) {
      for (std::string_view piece; Piece(piece);) {
      }
    } else if (!TakeWord("true") && !TakeWord("false") && !TakeWord("null")) {
      Number();
    }
    // On to the next value: out of what ends here.
    while (depth > 0 && !More(objects & 1 ? '}' : ']')) objects >>= 1, --depth;
    if (depth > 0 && objects & 1) Name();
  } while (depth > 0 && ok());
}

void JsonReader::End() {
  Peek();
  if (at_ < text_.size()) Fail("JSON end");
}

}  // namespace limpet
