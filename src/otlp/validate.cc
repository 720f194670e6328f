#include "otlp/validate.h"

#include <string_view>

#include "base/utf8.h"
#include "otlp/otlp.pb.h"
#include "otlp/schema.h"
#include "otlp/wire_decode.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

Status Malformed(const char* what) { return {Code::kInvalid, 0, what}; }

bool IsPacked(std::span<const uint8_t> bytes, WireType type) {
  if (type == WireType::kFixed64) return bytes.size() % sizeof(uint64_t) == 0;
  if (type == WireType::kFixed32) return bytes.size() % sizeof(uint32_t) == 0;
  PackedReader values(bytes, type);
  for (uint64_t value = 0; values.Next(value);) {
  }
  return values.done();
}

constexpr uint8_t TagOf(uint32_t field, WireType type) {
  return static_cast<uint8_t>(field << 3 | static_cast<uint32_t>(type));
}

bool IsText(const uint8_t* at, size_t length) {
  return IsUtf8({reinterpret_cast<const char*>(at), length});
}

/// A text, a bool or a number, and nothing else.
bool IsPlainValue(const uint8_t* at, const uint8_t* end) {
  if (at == end) return false;
  uint64_t value = 0;
  size_t length = 0;
  switch (*at++) {
    case TagOf(otlp_AnyValue_string_value_tag, WireType::kLength):
      at = ReadLength(at, end, length);
      return at != nullptr && at + length == end && IsText(at, length);
    case TagOf(otlp_AnyValue_bool_value_tag, WireType::kVarint):
    case TagOf(otlp_AnyValue_int_value_tag, WireType::kVarint): return ReadVarint(at, end, value) == end;
    case TagOf(otlp_AnyValue_double_value_tag, WireType::kFixed64): return end - at == sizeof(double);
    default: return false;
  }
}

/// A key and a plain value, in this order, and nothing else.
bool IsPlainAttribute(const uint8_t* at, const uint8_t* end) {
  size_t length = 0;
  if (at == end || *at != TagOf(otlp_KeyValue_key_tag, WireType::kLength)) return false;
  at = ReadLength(at + 1, end, length);
  if (at == nullptr || !IsText(at, length)) return false;
  at += length;
  if (at == end || *at != TagOf(otlp_KeyValue_value_tag, WireType::kLength)) return false;
  at = ReadLength(at + 1, end, length);
  return at != nullptr && at + length == end && IsPlainValue(at, end);
}

/// The messages that most of a request consists of, as nearly all of them are, without the walk's tables
/// and its stack. False: the walk has to look.
bool IsPlain(MessageShape shape, const uint8_t* at, const uint8_t* end) {
  switch (shape) {
    case MessageShape::kKeyValue: return IsPlainAttribute(at, end);
    case MessageShape::kAnyValue: return IsPlainValue(at, end);
    case MessageShape::kOther: break;
  }
  return false;
}

}  // namespace

Result<ItemSummary> ValidateExportRequest(Signal signal, std::span<const uint8_t> request) {
  struct Around {
    const MessageSchema* message;
    const uint8_t* end;
  };
  std::array<Around, kWireDepthMax - 1> around;  // The messages around this one, from the outermost.
  constexpr size_t kPlainDepth = 2;              // Of a plain attribute: its value is a message, too.
  size_t depth = 0;

  const MessageSchema* message = &RequestSchema(signal);
  const uint8_t* at = request.data();
  const uint8_t* end = at + request.size();
  ItemSummary summary;
  uint64_t time = 0, time_else = 0;  // Of the item.
  for (;;) {
    if (at == end) {
      if (message->role == ItemRole::kItem) summary.Add(time != 0 ? time : time_else);
      if (depth == 0) return summary;
      --depth;
      message = around[depth].message;
      end = around[depth].end;
      continue;
    }
    uint32_t tag = 0;
    at = ReadTag(at, end, tag);
    if (at == nullptr) return Malformed("protobuf tag");
    const FieldSchema* const field = message->Find(tag >> 3);
    const auto type = static_cast<WireType>(tag & 7);
    if (type == WireType::kLength) {
      size_t length = 0;
      const uint8_t* const value = ReadLength(at, end, length);
      if (value == nullptr) return Malformed("protobuf value");
      at = value + length;
      if (field == nullptr) continue;
      switch (field->kind) {
        case FieldKind::kMessage:
          if (depth + kPlainDepth <= around.size() && IsPlain(field->message->shape, value, at)) break;
          if (depth == around.size()) return Malformed("protobuf depth");
          around[depth++] = {message, end};
          message = field->message;
          end = at;
          at = value;
          if (message->role == ItemRole::kItem) time = time_else = 0;
          break;
        case FieldKind::kText:
          if (!IsText(value, length)) return Malformed("protobuf string");
          break;
        case FieldKind::kId:
        case FieldKind::kBytes: break;
        default:
          // A repeated scalar may be packed or not, whatever the .proto says.
          if (!field->repeated() || !IsPacked({value, length}, WireTypeOf(field->kind))) {
            return Malformed("protobuf wire type");
          }
      }
      continue;
    }
    if (field != nullptr && type != WireTypeOf(field->kind)) return Malformed("protobuf wire type");
    uint64_t value = 0;
    switch (type) {
      case WireType::kVarint: at = ReadVarint(at, end, value); break;
      case WireType::kFixed64: at = ReadFixed<uint64_t>(at, end, value); break;
      case WireType::kFixed32: at = ReadFixed<uint32_t>(at, end, value); break;
      default: at = nullptr;
    }
    if (at == nullptr) return Malformed("protobuf value");
    if (tag >> 3 == message->time) time = value;
    if (tag >> 3 == message->time_else) time_else = value;
  }
}

}  // namespace limpet
