#include "otlp/wire_writer.h"

#include <bit>
#include <cstring>

#include "limpet/status.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

constexpr uint64_t Tag(uint32_t field, WireType type) {
  return (uint64_t{field} << 3) | static_cast<uint64_t>(type);
}

uint8_t* PutVarint(uint8_t* to, uint64_t value) {
  for (; value >= 0x80; value >>= 7) *to++ = static_cast<uint8_t>(value | 0x80);
  *to++ = static_cast<uint8_t>(value);
  return to;
}

/// Little-endian, whatever the machine is.
template <typename Unsigned>
uint8_t* PutFixed(uint8_t* to, Unsigned value) {
  for (size_t i = 0; i < sizeof value; ++i) *to++ = static_cast<uint8_t>(value >> (8 * i));
  return to;
}

size_t ValueSize(WireType type, uint64_t value) {
  if (type == WireType::kFixed64) return sizeof(uint64_t);
  return type == WireType::kFixed32 ? sizeof(uint32_t) : VarintSize(value);
}

uint8_t* PutValue(uint8_t* to, WireType type, uint64_t value) {
  if (type == WireType::kFixed64) return PutFixed(to, value);
  return type == WireType::kFixed32 ? PutFixed(to, static_cast<uint32_t>(value)) : PutVarint(to, value);
}

}  // namespace

/// write(to) puts so many bytes; all of them, or none.
template <typename Write>
void WireWriter::Put(size_t bytes, Write write) {
  ok_ = ok_ && bytes <= room();
  if (!ok_) return;
  write(buffer_.data() + size_);
  size_ += bytes;
}

void WireWriter::Value(WireType type, uint64_t value) {
  Put(ValueSize(type, value), [&](uint8_t* to) { PutValue(to, type, value); });
}

void WireWriter::Scalar(uint32_t field, WireType type, uint64_t value) {
  const uint64_t tag = Tag(field, type);
  Put(VarintSize(tag) + ValueSize(type, value),
      [&](uint8_t* to) { PutValue(PutVarint(to, tag), type, value); });
}

/// The head of a field whose contents follow.
void WireWriter::Length(uint32_t field, size_t bytes) {
  const uint64_t tag = Tag(field, WireType::kLength);
  Put(VarintSize(tag) + VarintSize(bytes), [&](uint8_t* to) { PutVarint(PutVarint(to, tag), bytes); });
}

void WireWriter::Varint(uint32_t field, uint64_t value) { Scalar(field, WireType::kVarint, value); }

void WireWriter::Fixed64(uint32_t field, uint64_t value) { Scalar(field, WireType::kFixed64, value); }

void WireWriter::Double(uint32_t field, double value) {
  Fixed64(field, std::bit_cast<uint64_t>(value));
}

void WireWriter::PackedFixed64(uint32_t field, std::span<const uint64_t> values) {
  if (values.empty()) return;
  Length(field, values.size() * sizeof(uint64_t));
  for (const uint64_t value : values) Value(WireType::kFixed64, value);
}

void WireWriter::PackedDouble(uint32_t field, std::span<const double> values) {
  if (values.empty()) return;
  Length(field, values.size() * sizeof(double));
  for (const double value : values) Value(WireType::kFixed64, std::bit_cast<uint64_t>(value));
}

void WireWriter::Bytes(uint32_t field, std::span<const uint8_t> bytes) {
  const uint64_t tag = Tag(field, WireType::kLength);
  Put(VarintSize(tag) + VarintSize(bytes.size()) + bytes.size(), [&](uint8_t* to) {
    to = PutVarint(PutVarint(to, tag), bytes.size());
    if (!bytes.empty()) std::memcpy(to, bytes.data(), bytes.size());
  });
}

void WireWriter::String(uint32_t field, std::string_view text) {
  Bytes(field, {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

void WireWriter::Raw(std::span<const uint8_t> encoded) {
  ok_ = ok_ && encoded.size() <= room();
  if (!ok_ || encoded.empty()) return;
  std::memmove(buffer_.data() + size_, encoded.data(), encoded.size());
  size_ += encoded.size();
}

size_t WireWriter::Open(uint32_t field, size_t expected) {
  Length(field, expected);
  return size_;
}

void WireWriter::Close(size_t mark, size_t expected) {
  if (!ok_) return;
  const size_t reserved = VarintSize(expected);
  LIMPET_CHECK(mark > reserved && mark <= size_);
  const size_t length = size_ - mark;
  const size_t needed = VarintSize(length);
  if (needed != reserved) {
    if (needed > room() + reserved) {
      ok_ = false;
      return;
    }
    std::memmove(buffer_.data() + mark - reserved + needed, buffer_.data() + mark, length);
    size_ = size_ - reserved + needed;
  }
  PutVarint(buffer_.data() + mark - reserved, length);
}

}  // namespace limpet
