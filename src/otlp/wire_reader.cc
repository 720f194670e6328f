#include "otlp/wire_reader.h"

#include <pb_decode.h>

namespace limpet {
namespace {

/// Runs one of nanopb's primitives at the front of `rest` and takes off what it has read.
template <typename Decode>
bool Take(std::span<const uint8_t>& rest, Decode decode) {
  pb_istream_t stream = pb_istream_from_buffer(rest.data(), rest.size());
  if (!decode(&stream)) return false;
  rest = rest.last(stream.bytes_left);
  return true;
}

bool TakeVarint(std::span<const uint8_t>& rest, uint64_t& value) {
  return Take(rest, [&](pb_istream_t* s) { return pb_decode_varint(s, &value); });
}

bool TakeFixed64(std::span<const uint8_t>& rest, uint64_t& value) {
  return Take(rest, [&](pb_istream_t* s) { return pb_decode_fixed64(s, &value); });
}

bool TakeFixed32(std::span<const uint8_t>& rest, uint64_t& value) {
  uint32_t narrow = 0;
  if (!Take(rest, [&](pb_istream_t* s) { return pb_decode_fixed32(s, &narrow); })) return false;
  value = narrow;
  return true;
}

}  // namespace

void WireReader::Fail(const char* where) {
  status_ = {Code::kInvalid, 0, where};
  rest_ = {};
}

bool WireReader::Next() {
  if (rest_.empty()) return false;
  const std::span<const uint8_t> before = rest_;
  uint64_t tag = 0;
  if (!TakeVarint(rest_, tag) || tag > UINT32_MAX || (tag >> 3) == 0) {
    Fail("protobuf tag");
    return false;
  }
  field_ = static_cast<uint32_t>(tag >> 3);
  type_ = static_cast<WireType>(tag & 7);
  bool ok = false;
  switch (type_) {
    case WireType::kVarint: ok = TakeVarint(rest_, scalar_); break;
    case WireType::kFixed64: ok = TakeFixed64(rest_, scalar_); break;
    case WireType::kFixed32: ok = TakeFixed32(rest_, scalar_); break;
    case WireType::kLength: {
      uint64_t length = 0;
      ok = TakeVarint(rest_, length) && length <= rest_.size();
      if (!ok) break;
      bytes_ = rest_.first(static_cast<size_t>(length));
      rest_ = rest_.subspan(static_cast<size_t>(length));
      break;
    }
  }
  if (!ok) Fail("protobuf value");
  raw_ = before.first(before.size() - rest_.size());
  return ok;
}

uint64_t WireReader::Scalar(WireType type) {
  if (type_ == type && status_.ok()) return scalar_;
  Fail("protobuf wire type");
  return 0;
}

int64_t WireReader::ZigZag() {
  const uint64_t value = Varint();
  return static_cast<int64_t>((value >> 1) ^ (~(value & 1) + 1));
}

std::span<const uint8_t> WireReader::Bytes() {
  if (type_ == WireType::kLength && status_.ok()) return bytes_;
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
  if (rest_.empty()) return false;
  switch (type_) {
    case WireType::kVarint: return TakeVarint(rest_, value);
    case WireType::kFixed64: return TakeFixed64(rest_, value);
    case WireType::kFixed32: return TakeFixed32(rest_, value);
    case WireType::kLength: break;  // Texts and messages are never packed.
  }
  return false;
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
