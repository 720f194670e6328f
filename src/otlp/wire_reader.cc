#include "otlp/wire_reader.h"

#include "otlp/wire_decode.h"

namespace limpet {

const uint8_t* ReadLongVarint(const uint8_t* at, const uint8_t* end, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && at != end; shift += 7) {
    const uint8_t byte = *at++;
    if (shift == 63 && byte > 1) return nullptr;
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return at;
  }
  return nullptr;
}

void WireReader::Fail(const char* mistake) {
  mistake_ = mistake;
  begin_ = at_ = end_;
}

bool WireReader::Next() {
  if (at_ == end_) return false;
  begin_ = at_;
  uint32_t tag = 0;
  const uint8_t* at = ReadTag(at_, end_, tag);
  if (at == nullptr) {
    Fail("protobuf tag");
    return false;
  }
  field_ = tag >> 3;
  type_ = static_cast<WireType>(tag & 7);
  switch (type_) {
    case WireType::kVarint: at = ReadVarint(at, end_, scalar_); break;
    case WireType::kFixed64: at = ReadFixed<uint64_t>(at, end_, scalar_); break;
    case WireType::kFixed32: at = ReadFixed<uint32_t>(at, end_, scalar_); break;
    case WireType::kLength: {
      size_t length = 0;
      at = ReadLength(at, end_, length);
      if (at != nullptr) at += length;
      scalar_ = length;
      break;
    }
    default: at = nullptr;
  }
  if (at == nullptr) {
    Fail("protobuf value");
    return false;
  }
  at_ = at;
  return true;
}

uint64_t WireReader::Scalar(WireType type) {
  if (type_ == type && mistake_ == nullptr) return scalar_;
  Fail("protobuf wire type");
  return 0;
}

int64_t WireReader::ZigZag() {
  const uint64_t value = Varint();
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

std::span<const uint8_t> WireReader::Bytes() {
  const auto length = static_cast<size_t>(scalar_);
  if (type_ == WireType::kLength && mistake_ == nullptr) return {at_ - length, length};
  Fail("protobuf wire type");
  return {};
}

std::string_view WireReader::String() {
  const std::span<const uint8_t> bytes = Bytes();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

WireReader WireReader::Message() {
  const std::span<const uint8_t> bytes = Bytes();
  if (depth_ > 1) return WireReader(bytes, depth_ - 1);
  Fail("protobuf depth");
  return WireReader({}, 0);
}

bool PackedReader::Next(uint64_t& value) {
  const uint8_t* at = rest_.data();
  const uint8_t* const end = at + rest_.size();
  if (at == end) return false;
  switch (type_) {
    case WireType::kVarint: at = ReadVarint(at, end, value); break;
    case WireType::kFixed64: at = ReadFixed<uint64_t>(at, end, value); break;
    case WireType::kFixed32: at = ReadFixed<uint32_t>(at, end, value); break;
    case WireType::kLength: return false;  // Texts and messages are never packed.
  }
  if (at == nullptr) return false;
  rest_ = {at, end};
  return true;
}

bool RepeatedReader::Next(uint64_t& value) {
  while (!packed_.Next(value)) {
    if (!message_.Next()) return false;
    if (message_.field() != field_) continue;
    if (message_.type() == WireType::kLength) {
      packed_ = PackedReader(message_.Bytes(), type_);
      continue;
    }
    if (message_.type() != type_) return false;
    value = type_ == WireType::kVarint    ? message_.Varint()
            : type_ == WireType::kFixed64 ? message_.Fixed64()
                                          : message_.Fixed32();
    return true;
  }
  return true;
}

}  // namespace limpet
