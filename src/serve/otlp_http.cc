#include "serve/otlp_http.h"

#include <array>

#include "base/text.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

constexpr std::array<std::string_view, 2> kMediaTypes = {"application/x-protobuf", "application/json"};
constexpr int kRetryAfterSeconds = 1;

std::string_view MediaTypeOf(OtlpForm form) { return kMediaTypes[static_cast<size_t>(form)]; }

/// The code that google.rpc.Status has for the HTTP status.
uint32_t RpcCode(int status) {
  constexpr uint32_t kInvalidArgument = 3, kDeadlineExceeded = 4, kResourceExhausted = 8,
                     kUnimplemented = 12, kInternal = 13, kUnavailable = 14, kUnauthenticated = 16;
  switch (status) {
    case 401: return kUnauthenticated;
    case 404:
    case 405:
    case 501: return kUnimplemented;
    case 408: return kDeadlineExceeded;
    case 413:
    case 429: return kResourceExhausted;
    case 500: return kInternal;
    case 503: return kUnavailable;
    default: return kInvalidArgument;
  }
}

void PutMessage(const WireWriter& message, HttpResponse& response) {
  LIMPET_CHECK(message.ok());
  response.body << std::string_view(reinterpret_cast<const char*>(message.bytes().data()),
                                    message.size());
}

}  // namespace

std::optional<Signal> SignalOfOtlpPath(std::string_view path) {
  constexpr std::string_view kPrefix = "/v1/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  for (const Signal signal : kSignals) {
    if (path == SignalName(signal)) return signal;
  }
  return std::nullopt;
}

bool IsToken(std::string_view value, std::string_view token) {
  return EqualsIgnoringCase(Trim(TakeUntil(value, ';')), token);
}

std::optional<OtlpForm> OtlpFormOf(std::string_view content_type) {
  for (const OtlpForm form : {OtlpForm::kProtobuf, OtlpForm::kJson}) {
    if (IsToken(content_type, MediaTypeOf(form))) return form;
  }
  return std::nullopt;
}

void AnswerExport(OtlpForm form, Signal signal, uint64_t rejected, std::string_view message,
                  HttpResponse& response) {
  response.content_type = MediaTypeOf(form);
  if (form == OtlpForm::kJson) {
    constexpr std::array<std::string_view, kSignalCount> kNames = {
        "rejectedDataPoints", "rejectedLogRecords", "rejectedSpans"};
    response.body << '{';
    if (rejected > 0) {
      response.body << "\"partialSuccess\":{\"" << kNames[Index(signal)] << "\":\"" << rejected
                    << "\",\"errorMessage\":\"" << message << "\"}";
    }
    response.body << '}';
    return;
  }
  if (rejected == 0) return;  // An empty message: all of it was taken.
  // The three responses have the same numbers.
  std::array<uint8_t, 256> buffer;
  WireWriter out(buffer);
  const size_t partial = out.Open(otlp_ExportMetricsServiceResponse_partial_success_tag);
  out.Varint(otlp_ExportMetricsPartialSuccess_rejected_data_points_tag, rejected);
  out.String(otlp_ExportMetricsPartialSuccess_error_message_tag, message);
  out.Close(partial);
  PutMessage(out, response);
}

void RefuseExport(OtlpForm form, int status, std::string_view why, HttpResponse& response) {
  response.status = status;
  response.content_type = MediaTypeOf(form);
  if (status == 429 || status == 503) response.retry_after_seconds = kRetryAfterSeconds;
  if (form == OtlpForm::kJson) {
    response.body << "{\"code\":" << RpcCode(status) << ",\"message\":\"" << why << "\"}";
    return;
  }
  std::array<uint8_t, 256> buffer;
  WireWriter out(buffer);
  out.Varint(otlp_RpcStatus_code_tag, RpcCode(status));
  out.String(otlp_RpcStatus_message_tag, why);
  PutMessage(out, response);
}

}  // namespace limpet
