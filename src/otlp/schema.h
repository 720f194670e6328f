// The messages of an export request as data: each field's number, its name in JSON and what its value is.
// One table for whoever goes through a request without knowing its fields: the printer of OTLP JSON, its
// parser, the walk that validates.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/batch.h"
#include "otlp/wire_reader.h"

namespace limpet {

enum class FieldKind : uint8_t {
  kText,
  kId,        ///< Bytes; in JSON hex.
  kBytes,     ///< In JSON base64.
  kBool,
  kNumber,    ///< uint32.
  kEnum,      ///< In JSON a number, never a name.
  kFlags,     ///< fixed32.
  kSint,      ///< sint32.
  kInt,       ///< int64; in JSON in quotes, as the next three.
  kUint,
  kFixed,
  kSfixed,
  kDouble,
  kMessage,
};
constexpr WireType WireTypeOf(FieldKind kind) {
  switch (kind) {
    case FieldKind::kFlags: return WireType::kFixed32;
    case FieldKind::kFixed:
    case FieldKind::kSfixed:
    case FieldKind::kDouble: return WireType::kFixed64;
    case FieldKind::kText:
    case FieldKind::kId:
    case FieldKind::kBytes:
    case FieldKind::kMessage: return WireType::kLength;
    default: return WireType::kVarint;
  }
}

/// How often a field is there, and what it means when it is not.
enum class FieldRule : uint8_t {
  kSingle,    ///< As absent as when it is zero or empty, but for messages.
  kOptional,  ///< Zero and absent differ.
  kOneof,     ///< Likewise; of the fields of a message that have this rule the last one counts.
  kMany,      ///< Repeated; scalars are packed.
};

struct MessageSchema;

inline constexpr uint32_t kFieldNumberEnd = 17;  ///< Span.flags is 16.

struct FieldSchema {
  uint32_t number;        ///< Below kFieldNumberEnd.
  const char* name;       ///< In JSON: lowerCamelCase.
  FieldKind kind;
  FieldRule rule = FieldRule::kSingle;
  const MessageSchema* message = nullptr;

  bool repeated() const { return rule == FieldRule::kMany; }
};

/// What a message has to do with the items of a request: its data points, log records or spans.
enum class ItemRole : uint8_t { kNone, kAround, kItem };

/// The messages that most of a request consists of.
enum class MessageShape : uint8_t { kOther, kKeyValue, kAnyValue };

struct MessageSchema {
  std::span<const FieldSchema> fields;
  ItemRole role = ItemRole::kNone;
  MessageShape shape = MessageShape::kOther;
  uint8_t time = 0;       ///< Of an item: the number of the field, fixed64, that has its time,
  uint8_t time_else = 0;  ///< and of the one that counts where the first is 0.
  /// By field number: its place in `fields`, from 1; 0: not known.
  std::array<uint8_t, kFieldNumberEnd> places = PlacesOf(fields);

  /// nullptr: not known.
  const FieldSchema* Find(uint32_t number) const {
    const uint8_t place = number < kFieldNumberEnd ? places[number] : 0;
    return place != 0 ? &fields[place - 1u] : nullptr;
  }
  /// The message in the field, if it is an item or has some; else nullptr.
  const MessageSchema* Inner(uint32_t number) const {
    const FieldSchema* const field = Find(number);
    if (field == nullptr || field->message == nullptr) return nullptr;
    return field->message->role != ItemRole::kNone ? field->message : nullptr;
  }

 private:
  static constexpr std::array<uint8_t, kFieldNumberEnd> PlacesOf(std::span<const FieldSchema> fields) {
    std::array<uint8_t, kFieldNumberEnd> places{};
    for (size_t i = 0; i < fields.size(); ++i) places[fields[i].number] = static_cast<uint8_t>(i + 1);
    return places;
  }
};

/// Export{Metrics,Logs,Trace}ServiceRequest.
const MessageSchema& RequestSchema(Signal signal);

}  // namespace limpet
