#include "otlp/validate.h"

#include <pb_common.h>

#include "base/text.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

/// The wire type of the values of a nanopb field type.
WireType WireTypeOf(pb_type_t type) {
  switch (PB_LTYPE(type)) {
    case PB_LTYPE_BOOL:
    case PB_LTYPE_VARINT:
    case PB_LTYPE_UVARINT:
    case PB_LTYPE_SVARINT: return WireType::kVarint;
    case PB_LTYPE_FIXED32: return WireType::kFixed32;
    case PB_LTYPE_FIXED64: return WireType::kFixed64;
    default: return WireType::kLength;
  }
}

bool IsUtf8(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

bool IsPacked(std::span<const uint8_t> bytes, WireType type) {
  PackedReader values(bytes, type);
  for (uint64_t value = 0; values.Next(value);) {
  }
  return values.done();
}

Status Validate(const pb_msgdesc_t* message, WireReader in);

Status ValidateField(const pb_field_iter_t& field, WireReader& in) {
  const WireType type = WireTypeOf(field.type);
  if (in.type() != type) {
    // A repeated scalar may be packed or not, whatever the .proto says.
    if (in.type() == WireType::kLength && PB_HTYPE(field.type) == PB_HTYPE_REPEATED &&
        IsPacked(in.Bytes(), type)) {
      return {};
    }
    return {Code::kInvalid, 0, "protobuf wire type"};
  }
  if (PB_LTYPE_IS_SUBMSG(field.type)) {
    const WireReader nested = in.Message();
    LIMPET_TRY(in.status());
    return Validate(field.submsg_desc, nested);
  }
  if (PB_LTYPE(field.type) == PB_LTYPE_STRING && !IsUtf8(in.String())) {
    return {Code::kInvalid, 0, "protobuf string"};
  }
  return {};
}

// As deep as the message, which WireReader bounds.
Status Validate(const pb_msgdesc_t* message, WireReader in) {
  pb_field_iter_t field;
  LIMPET_CHECK(pb_field_iter_begin(&field, message, nullptr));
  while (in.Next()) {
    if (pb_field_iter_find(&field, in.field())) LIMPET_TRY(ValidateField(field, in));
  }
  return in.status();
}

}  // namespace

Status ValidateExportRequest(Signal signal, std::span<const uint8_t> request) {
  switch (signal) {
    case Signal::kMetrics:
      return Validate(&otlp_ExportMetricsServiceRequest_msg, WireReader(request));
    case Signal::kLogs:
      return Validate(&otlp_ExportLogsServiceRequest_msg, WireReader(request));
    case Signal::kTraces:
      return Validate(&otlp_ExportTraceServiceRequest_msg, WireReader(request));
  }
  return {Code::kInvalid, 0, "signal"};
}

}  // namespace limpet
