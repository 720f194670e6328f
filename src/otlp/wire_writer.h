// Writes protobuf messages straight into a buffer, nested messages in one pass. A nested message
// reserves the bytes of its length, one unless it is known to become long; closing it writes the length and
// moves the contents only when that takes another number of bytes. The output is what protoc would write.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace limpet {

/// Bytes of `value` as a varint: its bits by seven, rounded up, without a division.
constexpr size_t VarintSize(uint64_t value) {
  return (static_cast<size_t>(std::bit_width(value | 1)) * 9 + 64) / 64;
}
static_assert([] {
  for (size_t bits = 1; bits <= 64; ++bits) {
    if (VarintSize(uint64_t{1} << (bits - 1)) != (bits + 6) / 7) return false;
  }
  return true;
}());

/// Bytes of a text or a nested message of that length with its tag, for fields below 16.
constexpr size_t FieldSize(size_t length) { return 1 + VarintSize(length) + length; }

enum class WireType : uint8_t;

/// When the buffer is full, ok() turns false and stays so until Rewind; nothing is written past it.
class WireWriter {
 public:
  explicit WireWriter(std::span<uint8_t> buffer) : buffer_(buffer) {}

  /// A number as the wire type has it: a varint, or the lowest bytes.
  void Scalar(uint32_t field, WireType type, uint64_t value);
  /// The same without a tag, for packed fields between Open and Close.
  void Value(WireType type, uint64_t value);
  void Varint(uint32_t field, uint64_t value);
  void Bool(uint32_t field, bool value) { Varint(field, value ? 1 : 0); }
  void Fixed64(uint32_t field, uint64_t value);
  void SignedFixed64(uint32_t field, int64_t value) {
    Fixed64(field, static_cast<uint64_t>(value));
  }
  void Double(uint32_t field, double value);
  void String(uint32_t field, std::string_view text);
  void Bytes(uint32_t field, std::span<const uint8_t> bytes);
  /// A packed repeated field; nothing when there are no values.
  void PackedFixed64(uint32_t field, std::span<const uint64_t> values);
  void PackedDouble(uint32_t field, std::span<const double> values);
  /// Bytes that are already encoded fields; they may lie in the buffer itself.
  void Raw(std::span<const uint8_t> encoded);

  /// Room for so many bytes, which the caller writes itself; nullptr when there is none (not ok then).
  uint8_t* Claim(size_t bytes) {
    ok_ = ok_ && bytes <= room();
    if (!ok_) return nullptr;
    uint8_t* const at = buffer_.data() + size_;
    size_ += bytes;
    return at;
  }

  /// Opens a nested message; returns the mark for Close. Messages close in reverse order.
  /// expected: about how many bytes it will have; the same for both.
  size_t Open(uint32_t field, size_t expected = 0);
  void Close(size_t mark, size_t expected = 0);

  /// From now on the buffer has this many bytes of those that lie where it begins, not fewer than
  /// size(): for one that grows at the cost of what stands behind it.
  void Resize(size_t bytes) { buffer_ = {buffer_.data(), bytes}; }

  bool ok() const { return ok_; }
  size_t size() const { return size_; }
  size_t room() const { return buffer_.size() - size_; }
  std::span<const uint8_t> bytes() const { return buffer_.first(size_); }
  /// Back to an earlier size(), with everything after it forgotten.
  void Rewind(size_t size) { size_ = size, ok_ = true; }

 private:
  template <typename Write>
  void Put(size_t bytes, Write write);
  void Length(uint32_t field, size_t bytes);

  std::span<uint8_t> buffer_;
  size_t size_ = 0;
  bool ok_ = true;
};

}  // namespace limpet
