// The messages of an export request as data: each field's number, its name in JSON and what its value is.
// One table for whoever goes through a request without knowing its fields: the printer of OTLP JSON, its
// parser, the walk that validates.
#pragma once

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
WireType WireTypeOf(FieldKind kind);

/// How often a field is there, and what it means when it is not.
enum class FieldRule : uint8_t {
  kSingle,    ///< As absent as when it is zero or empty, but for messages.
  kOptional,  ///< Zero and absent differ.
  kOneof,     ///< Likewise; of the fields of a message that have this rule the last one counts.
  kMany,      ///< Repeated; scalars are packed.
};

struct MessageSchema;

struct FieldSchema {
  uint32_t number;   ///< Below 32.
  const char* name;  ///< In JSON: lowerCamelCase.
  FieldKind kind;
  FieldRule rule = FieldRule::kSingle;
  const MessageSchema* message = nullptr;

  bool repeated() const { return rule == FieldRule::kMany; }
};

struct MessageSchema {
  std::span<const FieldSchema> fields;
};

/// Export{Metrics,Logs,Trace}ServiceRequest.
const MessageSchema& RequestSchema(Signal signal);

}  // namespace limpet
