#include "logs/attribute_writer.h"

#include <bit>
#include <cstring>

#include "base/utf8.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";  // U+FFFD

static_assert(otlp_LogRecord_attributes_tag < 16 && otlp_KeyValue_value_tag < 16);

uint8_t* PutTag(uint8_t* at, uint32_t field, WireType type) {
  *at++ = static_cast<uint8_t>(field << 3 | static_cast<uint32_t>(type));
  return at;
}

uint8_t* PutVarint(uint8_t* at, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *at++ = static_cast<uint8_t>(value | 0x80);
  *at++ = static_cast<uint8_t>(value);
  return at;
}

/// A tag and a length.
uint8_t* PutHead(uint8_t* at, uint32_t field, size_t length) {
  return PutVarint(PutTag(at, field, WireType::kLength), length);
}

uint8_t* PutText(uint8_t* at, uint32_t field, std::string_view text) {
  at = PutHead(at, field, text.size());
  if (!text.empty()) std::memcpy(at, text.data(), text.size());
  return at + text.size();
}

uint64_t TakeVarint(const uint8_t*& at) {
  uint64_t value = 0;
  for (int shift = 0;; shift += 7) {
    const uint8_t byte = *at++;
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return value;
  }
}

/// Hands out the valid parts, and U+FFFD for each byte between them.
template <typename Take>
void EachRepaired(std::string_view text, Take take) {
  while (!text.empty()) {
    size_t valid = 0;
    for (size_t n; (n = Utf8Length(text.substr(valid))) != 0;) valid += n;
    if (valid > 0) take(text.substr(0, valid));
    text.remove_prefix(valid);
    if (text.empty()) break;
    take(kReplacement);
    text.remove_prefix(1);
  }
}

}  // namespace

AttributeWriter::AttributeWriter(WireWriter& out, bool known_utf8)
    : out_(out), begin_(out.size()), known_utf8_(known_utf8) {}

bool AttributeWriter::IsValid(std::string_view text) const { return known_utf8_ || IsUtf8(text); }

bool AttributeWriter::Admit(std::string_view& key) {
  if (!IsValid(key)) {
    repaired_ = true;
    size_t size = 0;
    EachRepaired(key, [&](std::string_view part) {
      if (size + part.size() <= kKeyMax) std::memcpy(key_ + size, part.data(), part.size());
      size += part.size();
    });
    if (size > kKeyMax) too_much_ = true;
    key = {key_, size};
  }
  if (key.size() > kKeyMax || count_ == kCountMax) too_much_ = true;
  if (!ok()) return false;
  ++count_;
  // Cheap, and different for most keys of a record.
  const auto at = [key](size_t i) { return size_t{static_cast<unsigned char>(key[i])}; };
  const size_t size = key.size();
  const size_t hash = size == 0 ? 0 : size * 7 + at(0) + at(size / 2) * 3 + at(size - 1) * 5;
  const uint64_t bit = uint64_t{1} << hash % 64;
  if ((seen_ & bit) != 0) Remove(key);
  seen_ |= bit;
  return true;
}

// All that it walks over was written here.
void AttributeWriter::Remove(std::string_view key) {
  const std::span<const uint8_t> bytes = out_.bytes();
  const uint8_t* const end = bytes.data() + bytes.size();
  for (const uint8_t* at = bytes.data() + begin_; at != end;) {
    const uint8_t* const pair = at++;
    const auto size = static_cast<size_t>(TakeVarint(at));
    const uint8_t* const next = at + size;
    ++at;
    const auto key_size = static_cast<size_t>(TakeVarint(at));
    if (std::string_view(reinterpret_cast<const char*>(at), key_size) == key) {
      out_.Rewind(static_cast<size_t>(pair - bytes.data()));
      out_.Raw({next, end});
      --count_;
      return;
    }
    at = next;
  }
}

uint8_t* AttributeWriter::Begin(std::string_view key, size_t size) {
  if (!Admit(key)) return nullptr;
  const size_t pair = FieldSize(key.size()) + FieldSize(size);
  uint8_t* at = out_.Claim(FieldSize(pair));
  if (at == nullptr) return nullptr;
  at = PutHead(at, otlp_LogRecord_attributes_tag, pair);
  at = PutText(at, otlp_KeyValue_key_tag, key);
  return PutHead(at, otlp_KeyValue_value_tag, size);
}

void AttributeWriter::Text(std::string_view key, std::string_view text) {
  if (!IsValid(text)) {
    const Marks marks = Open(key);
    WriteText(otlp_AnyValue_string_value_tag, text);
    Close(marks);
    return;
  }
  uint8_t* const at = Begin(key, FieldSize(text.size()));
  if (at != nullptr) PutText(at, otlp_AnyValue_string_value_tag, text);
}

void AttributeWriter::Int(std::string_view key, int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  uint8_t* const at = Begin(key, 1 + VarintSize(bits));
  if (at != nullptr) PutVarint(PutTag(at, otlp_AnyValue_int_value_tag, WireType::kVarint), bits);
}

void AttributeWriter::Double(std::string_view key, double value) {
  uint8_t* at = Begin(key, 1 + sizeof value);
  if (at == nullptr) return;
  at = PutTag(at, otlp_AnyValue_double_value_tag, WireType::kFixed64);
  const auto bits = std::bit_cast<uint64_t>(value);
  for (size_t i = 0; i < sizeof bits; ++i) *at++ = static_cast<uint8_t>(bits >> 8 * i);
}

void AttributeWriter::Bool(std::string_view key, bool value) {
  uint8_t* at = Begin(key, 2);
  if (at == nullptr) return;
  at = PutTag(at, otlp_AnyValue_bool_value_tag, WireType::kVarint);
  *at = value ? 1 : 0;
}

AttributeWriter::Marks AttributeWriter::Open(std::string_view key) {
  if (!Admit(key)) return {};
  const size_t pair = out_.Open(otlp_LogRecord_attributes_tag);
  out_.String(otlp_KeyValue_key_tag, key);
  return {pair, out_.Open(otlp_KeyValue_value_tag)};
}

void AttributeWriter::Close(Marks marks) {
  if (!ok()) return;
  out_.Close(marks.value);
  out_.Close(marks.pair);
}

void AttributeWriter::EscapedText(std::string_view key, std::string_view text, std::string_view escaped) {
  if (text.find('\\') == text.npos) {
    Text(key, text);
    return;
  }
  const Marks marks = Open(key);
  const size_t string = out_.Open(otlp_AnyValue_string_value_tag);
  while (!text.empty()) {
    size_t at = text.find('\\');
    while (at != text.npos && (at + 1 == text.size() || escaped.find(text[at + 1]) == escaped.npos)) {
      at = text.find('\\', at + 1);
    }
    WriteRepaired(text.substr(0, at));
    if (at == text.npos) break;
    WriteRepaired(text.substr(at + 1, 1));
    text.remove_prefix(at + 2);
  }
  out_.Close(string);
  Close(marks);
}

void AttributeWriter::WriteText(uint32_t field, std::string_view text) {
  const size_t mark = out_.Open(field);
  WriteRepaired(text);
  out_.Close(mark);
}

void AttributeWriter::WriteRepaired(std::string_view text) {
  const auto write = [this](std::string_view part) {
    out_.Raw({reinterpret_cast<const uint8_t*>(part.data()), part.size()});
  };
  if (IsValid(text)) {
    write(text);
    return;
  }
  repaired_ = true;
  EachRepaired(text, write);
}

}  // namespace limpet
