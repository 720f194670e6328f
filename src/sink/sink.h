// `limpet sink`: a small OTLP/HTTP endpoint that prints what it receives, for trying out and
// debugging, and that can fail on purpose. It is a real endpoint: bounded, strict about malformed
// requests, answering as the OTLP specification says.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "batch/gzip.h"
#include "limpet/limits.h"
#include "limpet/random.h"
#include "limpet/status.h"
#include "serve/http_server.h"
#include "sink/line_out.h"
#include "sink/printers.h"

namespace limpet {

/// The largest request, before and after decompression.
inline constexpr size_t kSinkBodyMax = 4 * kMiB;
inline constexpr size_t kSinkConnections = 8;

struct SinkOptions {
  bool json = false;
  bool colour = false;           ///< Of the text; the caller knows terminal and NO_COLOR.
  uint32_t fail_per_million = 0; ///< Share of the export requests that is answered 503.
};

/// Parses the RATE of --fail: a number from 0 to 1 or a percentage. Returns parts per million.
/// kInvalid: anything else.
Result<uint32_t> ParseFailRate(std::string_view text);

/// Takes POST /v1/metrics, /v1/logs and /v1/traces as protobuf, plain or gzip. A request is printed
/// whole and answered 200, or not at all: 400 when malformed, 413 when too large, 415 for another
/// content type or encoding, 404 and 405 for the rest, 503 when made to fail.
class Sink final : public HttpHandler {
 public:
  static size_t BytesNeeded() { return GzipDecompressor::BytesNeeded() + kSinkBodyMax; }

  /// memory: BytesNeeded() bytes, owned by the caller for the sink's life.
  Sink(const SinkOptions& options, std::span<std::byte> memory, Random& random, TimeZone& zone,
       LineWriter& lines);

  void OnRequest(const HttpRequest& request, HttpResponse& response) override;

 private:
  void Export(Signal signal, const HttpRequest& request, HttpResponse& response);
  void Print(Signal signal, std::span<const uint8_t> request);
  void Refuse(Signal signal, int status, const char* why, HttpResponse& response);

  const SinkOptions options_;
  GzipDecompressor gzip_;
  const std::span<uint8_t> inflated_;
  Random& random_;
  TimeZone& zone_;
  LineWriter& lines_;
};

}  // namespace limpet
