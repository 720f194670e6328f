#include "otlp/wire_writer.h"

#include <bit>
#include <cstring>

#include <pb_encode.h>

#include "limpet/status.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

bool EncodeTag(pb_ostream_t* stream, uint32_t field, WireType type) {
  return pb_encode_varint(stream, (field << 3) | static_cast<uint32_t>(type));
}

bool EncodeValue(pb_ostream_t* stream, WireType type, uint64_t value) {
  if (type == WireType::kFixed64) return pb_encode_fixed64(stream, &value);
  if (type != WireType::kFixed32) return pb_encode_varint(stream, value);
  const auto low = static_cast<uint32_t>(value);
  return pb_encode_fixed32(stream, &low);
}

}  // namespace

// Runs nanopb's primitives over what is left of the buffer: one field, or none of it.
template <typename Encode>
void WireWriter::Put(Encode encode) {
  if (!ok_) return;
  pb_ostream_t stream = pb_ostream_from_buffer(buffer_.data() + size_, room());
  ok_ = encode(&stream);
  if (ok_) size_ += stream.bytes_written;
}

void WireWriter::Value(WireType type, uint64_t value) {
  Put([&](pb_ostream_t* s) { return EncodeValue(s, type, value); });
}

void WireWriter::Scalar(uint32_t field, WireType type, uint64_t value) {
  Put([&](pb_ostream_t* s) { return EncodeTag(s, field, type) && EncodeValue(s, type, value); });
}

void WireWriter::Varint(uint32_t field, uint64_t value) { Scalar(field, WireType::kVarint, value); }

void WireWriter::Fixed64(uint32_t field, uint64_t value) { Scalar(field, WireType::kFixed64, value); }

void WireWriter::Double(uint32_t field, double value) {
  Fixed64(field, std::bit_cast<uint64_t>(value));
}

void WireWriter::PackedFixed64(uint32_t field, std::span<const uint64_t> values) {
  if (values.empty()) return;
  Put([&](pb_ostream_t* s) {
    return EncodeTag(s, field, WireType::kLength) && pb_encode_varint(s, values.size() * sizeof(uint64_t));
  });
  for (const uint64_t value : values) Value(WireType::kFixed64, value);
}

void WireWriter::PackedDouble(uint32_t field, std::span<const double> values) {
  if (values.empty()) return;
  Put([&](pb_ostream_t* s) {
    return EncodeTag(s, field, WireType::kLength) && pb_encode_varint(s, values.size() * sizeof(double));
  });
  for (const double value : values) Value(WireType::kFixed64, std::bit_cast<uint64_t>(value));
}

void WireWriter::Bytes(uint32_t field, std::span<const uint8_t> bytes) {
  Put([&](pb_ostream_t* s) {
    return EncodeTag(s, field, WireType::kLength) && pb_encode_string(s, bytes.data(), bytes.size());
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

size_t WireWriter::Open(uint32_t field) {
  Put([&](pb_ostream_t* s) {
    return EncodeTag(s, field, WireType::kLength) && pb_encode_varint(s, 0);
  });
  return size_;
}

void WireWriter::Close(size_t mark) {
  if (!ok_) return;
  LIMPET_CHECK(mark > 0 && mark <= size_);
  const size_t length = size_ - mark;
  const size_t extra = VarintSize(length) - 1;
  if (extra > 0) {
    if (room() < extra) {
      ok_ = false;
      return;
    }
    std::memmove(buffer_.data() + mark + extra, buffer_.data() + mark, length);
    size_ += extra;
  }
  pb_ostream_t stream = pb_ostream_from_buffer(buffer_.data() + mark - 1, extra + 1);
  LIMPET_CHECK(pb_encode_varint(&stream, length));
}

}  // namespace limpet
