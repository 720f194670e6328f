// What a source of logs has read, before filters have seen it and it is written as OTLP.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "batch/log_encoder.h"
#include "limpet/time.h"
#include "otlp/wire_writer.h"

namespace limpet {

/// Which record this is, equal when the same line is read again (spec.md section 5): `origin` and
/// `stream` say whose lines they are, `position` counts within them. All zero: it has none.
struct RecordUid {
  uint64_t origin_ms = 0;  ///< 48 bits: for files, when this generation was first seen, unix ms.
  uint32_t stream = 0;     ///< A hash of whose lines they are.
  uint64_t position = 0;   ///< 48 bits: a byte offset, or a sequence number.
};

/// Texts are views into what the source has read or into scratch memory of who parsed it; they hold
/// until the next record. What is not known is left as it is.
struct ReadRecord {
  UnixTime time;                   ///< When it happened, as its origin says; 0: not said.
  Severity severity = Severity::kUnspecified;
  std::string_view severity_text;  ///< The level as its origin names it: UTF-8.
  std::string_view body;           ///< Any bytes: what is no UTF-8 is replaced when it is written.
  /// KeyValues, encoded under LogRecord's field for attributes (WriteAttributes). Their texts are UTF-8.
  std::span<const uint8_t> attributes;
  /// The same of where it comes from (log.file.path and the like): not looked at, only written.
  std::span<const uint8_t> origin_attributes;
  RecordUid uid;
  bool truncated = false;          ///< Cut at max_line.
  bool invalid_utf8 = false;       ///< An attribute was repaired.
  bool undecoded = false;          ///< A field could not be decoded.
};

}  // namespace limpet
