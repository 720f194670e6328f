#include "otlp/wire_writer.h"

#include <bit>
#include <cstring>

#include <pb_encode.h>

#include "limpet/status.h"

namespace limpet {
namespace {

constexpr uint32_t kWireVarint = 0;
constexpr uint32_t kWireFixed64 = 1;
constexpr uint32_t kWireLength = 2;

}  // namespace

// Runs one of nanopb's primitives over what is left of the buffer.
template <typename Encode>
void WireWriter::Put(Encode encode) {
  if (!ok_) return;
  pb_ostream_t stream = pb_ostream_from_buffer(buffer_.data() + size_, room());
  ok_ = encode(&stream);
  if (ok_) size_ += stream.bytes_written;
}

void WireWriter::Tag(uint32_t field, uint32_t wire_type) {
  Put([&](pb_ostream_t* s) { return pb_encode_varint(s, (field << 3) | wire_type); });
}

void WireWriter::Varint(uint32_t field, uint64_t value) {
  Tag(field, kWireVarint);
  Put([&](pb_ostream_t* s) { return pb_encode_varint(s, value); });
}

void WireWriter::Fixed64(uint32_t field, uint64_t value) {
  Tag(field, kWireFixed64);
  Put([&](pb_ostream_t* s) { return pb_encode_fixed64(s, &value); });
}

void WireWriter::Double(uint32_t field, double value) {
  Fixed64(field, std::bit_cast<uint64_t>(value));
}

void WireWriter::PackedFixed64(uint32_t field, std::span<const uint64_t> values) {
  if (values.empty()) return;
  Tag(field, kWireLength);
  Put([&](pb_ostream_t* s) { return pb_encode_varint(s, values.size() * sizeof(uint64_t)); });
  for (const uint64_t value : values) {
    Put([&](pb_ostream_t* s) { return pb_encode_fixed64(s, &value); });
  }
}

void WireWriter::PackedDouble(uint32_t field, std::span<const double> values) {
  if (values.empty()) return;
  Tag(field, kWireLength);
  Put([&](pb_ostream_t* s) { return pb_encode_varint(s, values.size() * sizeof(double)); });
  for (const double value : values) {
    const auto bits = std::bit_cast<uint64_t>(value);
    Put([&](pb_ostream_t* s) { return pb_encode_fixed64(s, &bits); });
  }
}

void WireWriter::Bytes(uint32_t field, std::span<const uint8_t> bytes) {
  Tag(field, kWireLength);
  Put([&](pb_ostream_t* s) { return pb_encode_string(s, bytes.data(), bytes.size()); });
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
  Tag(field, kWireLength);
  if (ok_ && room() == 0) ok_ = false;
  if (ok_) buffer_[size_++] = 0;
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
