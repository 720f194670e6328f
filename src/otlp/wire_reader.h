// Reads protobuf messages from bytes that anybody may have sent: the fields of one message, one
// after the other. Nothing is copied, nothing is read past the end.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// How a value is written; the numbers are those of the encoding. Groups (3 and 4) are refused:
/// proto3 has none.
enum class WireType : uint8_t { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };

/// Messages inside messages, the outermost counted. protobuf's own parsers take 100; OTLP needs 9
/// and two to three for each array or list inside an attribute's value.
inline constexpr int kWireDepthMax = 64;

/// Walks over one message:
///
///   for (WireReader in(bytes); in.Next();) {
///     if (in.field() == otlp_Metric_name_tag) name = in.String();
///   }
///
/// Fields that are not asked for are passed over. The first mistake ends the walk: malformed bytes,
/// or a value asked for as what it is not. status() then says kInvalid, and values are 0 or empty.
class WireReader {
 public:
  explicit WireReader(std::span<const uint8_t> message, int depth = kWireDepthMax)
      : at_(message.data()), end_(at_ + message.size()), begin_(at_), depth_(depth) {}

  /// On to the next field. False at the end and after a mistake.
  bool Next();

  uint32_t field() const { return field_; }  ///< Its number, from 1.
  WireType type() const { return type_; }

  uint64_t Varint() { return Scalar(WireType::kVarint); }
  uint64_t Fixed64() { return Scalar(WireType::kFixed64); }
  double Double() { return std::bit_cast<double>(Fixed64()); }
  uint32_t Fixed32() { return static_cast<uint32_t>(Scalar(WireType::kFixed32)); }
  /// sint32 and sint64: a varint with the sign in its lowest bit.
  int64_t ZigZag();
  std::span<const uint8_t> Bytes();
  /// Not checked for UTF-8.
  std::string_view String();
  /// A nested message; a mistake when it lies too deep.
  WireReader Message();
  /// The field as it stands in the message, with its tag.
  std::span<const uint8_t> raw() const { return {begin_, at_}; }

  Status status() const {
    return mistake_ == nullptr ? Status{} : Status{Code::kInvalid, 0, mistake_};
  }

 private:
  uint64_t Scalar(WireType type);
  void Fail(const char* mistake);

  const uint8_t* at_;      // The next field.
  const uint8_t* end_;
  const uint8_t* begin_;   // This field.
  const char* mistake_ = nullptr;
  int depth_;
  uint32_t field_ = 0;
  WireType type_ = WireType::kVarint;
  uint64_t scalar_ = 0;    // Or the length of the bytes, which end at at_.
};

/// The values of a packed field: varints, or fixed values one behind the other.
class PackedReader {
 public:
  PackedReader(std::span<const uint8_t> packed, WireType type) : rest_(packed), type_(type) {}

  /// The next value. False at the end and when the bytes are malformed.
  bool Next(uint64_t& value);
  /// After Next has returned false: was that the end?
  bool done() const { return rest_.empty(); }

 private:
  std::span<const uint8_t> rest_;
  WireType type_;
};

/// The values of a repeated scalar field of a message, however the sender wrote them: packed in one
/// piece (the rule), in several, or each as a field of its own.
class RepeatedReader {
 public:
  RepeatedReader(std::span<const uint8_t> message, uint32_t field, WireType type)
      : message_(message), packed_({}, type), field_(field), type_(type) {}

  bool Next(uint64_t& value);

 private:
  WireReader message_;
  PackedReader packed_;
  uint32_t field_;
  WireType type_;
};

}  // namespace limpet
