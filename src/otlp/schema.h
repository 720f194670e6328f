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
  kNumber,    ///< A varint: uint32 or an enum.
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

struct MessageSchema;

struct FieldSchema {
  uint32_t number;        ///< Below 32.
  const char* name;       ///< In JSON: lowerCamelCase.
  FieldKind kind;
  bool repeated = false;  ///< Scalars of such a field are packed.
  const MessageSchema* message = nullptr;
};

struct MessageSchema {
  std::span<const FieldSchema> fields;
  bool alternatives = false;  ///< All its fields are of one oneof: the last one counts.
};

/// Export{Metrics,Logs,Trace}ServiceRequest.
const MessageSchema& RequestSchema(Signal signal);

}  // namespace limpet
