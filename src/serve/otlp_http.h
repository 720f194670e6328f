// What every server of OTLP/HTTP says and understands: paths, content types, answers, as the OTLP
// specification has them.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "limpet/batch.h"
#include "serve/http_server.h"

namespace limpet {

/// "/v1/metrics", "/v1/logs", "/v1/traces".
std::optional<Signal> SignalOfOtlpPath(std::string_view path);

/// Is that the media type or coding, whatever its case and parameters?
bool IsToken(std::string_view value, std::string_view token);

/// How a request and its answer are written.
enum class OtlpForm : uint8_t { kProtobuf, kJson };
/// Nothing: neither application/x-protobuf nor application/json.
std::optional<OtlpForm> OtlpFormOf(std::string_view content_type);

/// 200 with an Export…ServiceResponse; with items rejected, a partial success.
/// message: for people, without quotes and control characters; only with items rejected.
void AnswerExport(OtlpForm form, Signal signal, uint64_t rejected, std::string_view message,
                  HttpResponse& response);

/// The status with a google.rpc.Status that says why. 429 and 503 ask to come again.
void RefuseExport(OtlpForm form, int status, std::string_view why, HttpResponse& response);

}  // namespace limpet
