#include "sink/sink.h"

#include <array>
#include <optional>

#include "base/text.h"
#include "otlp/otlp.pb.h"
#include "otlp/validate.h"
#include "otlp/wire_writer.h"
#include "sink/items.h"

namespace limpet {
namespace {

constexpr std::string_view kProtobuf = "application/x-protobuf";

std::optional<Signal> SignalOfPath(std::string_view path) {
  constexpr std::string_view kPrefix = "/v1/";
  if (!path.starts_with(kPrefix)) return std::nullopt;
  path.remove_prefix(kPrefix.size());
  for (const Signal signal : kSignals) {
    if (path == SignalName(signal)) return signal;
  }
  return std::nullopt;
}

/// Compares what stands before any parameters, in any case.
bool IsToken(std::string_view value, std::string_view token) {
  return EqualsIgnoringCase(Trim(TakeUntil(value, ';')), token);
}

/// The code that google.rpc.Status has for the HTTP status.
uint32_t RpcCode(int status) {
  constexpr uint32_t kInvalidArgument = 3, kResourceExhausted = 8, kUnavailable = 14;
  if (status == 503) return kUnavailable;
  return status == 413 ? kResourceExhausted : kInvalidArgument;
}

}  // namespace

Result<uint32_t> ParseFailRate(std::string_view text) {
  const bool percent = text.ends_with('%');
  if (percent) text.remove_suffix(1);
  const std::optional<double> number = ParseDouble(text);
  const double whole = percent ? 100 : 1;
  if (!number || !(*number >= 0 && *number <= whole)) {
    return {Code::kInvalid, 0, "expected a number from 0 to 1 or a percentage"};
  }
  return static_cast<uint32_t>(*number / whole * 1'000'000 + 0.5);
}

Sink::Sink(const SinkOptions& options, std::span<std::byte> memory, Random& random, TimeZone& zone,
           LineWriter& lines)
    : options_(options),
      gzip_(memory.first(GzipDecompressor::BytesNeeded())),
      inflated_(reinterpret_cast<uint8_t*>(memory.data()) + GzipDecompressor::BytesNeeded(),
                kSinkBodyMax),
      random_(random),
      zone_(zone),
      lines_(lines) {
  LIMPET_CHECK(memory.size() >= BytesNeeded());
}

void Sink::OnRequest(const HttpRequest& request, HttpResponse& response) {
  const std::optional<Signal> signal = SignalOfPath(request.path);
  if (!signal) {
    response.status = 404;
    response.body << "limpet sink takes POST /v1/metrics, /v1/logs and /v1/traces\n";
    return;
  }
  if (request.method != "POST") {
    response.status = 405;
    response.allow = "POST";
    response.body << "limpet sink takes POST only\n";
    return;
  }
  Export(*signal, request, response);
}

void Sink::Export(Signal signal, const HttpRequest& request, HttpResponse& response) {
  if (random_.Below(1'000'000) < options_.fail_per_million) {
    return Refuse(signal, 503, "failing on purpose (--fail)", response);
  }
  if (!IsToken(request.content_type, kProtobuf)) {
    return Refuse(signal, 415, "content type is not application/x-protobuf", response);
  }
  std::span<const uint8_t> body = request.body;
  if (IsToken(request.content_encoding, "gzip")) {
    const Result<size_t> size = gzip_.Decompress(body, inflated_);
    if (size.status().code == Code::kFull) {
      return Refuse(signal, 413, "larger than 4 MiB after decompression", response);
    }
    if (!size.ok()) return Refuse(signal, 400, "damaged gzip", response);
    body = inflated_.first(size.value());
  } else if (!request.content_encoding.empty() && !IsToken(request.content_encoding, "identity")) {
    return Refuse(signal, 415, "content encoding is neither gzip nor identity", response);
  }
  if (const auto valid = ValidateExportRequest(signal, body); !valid.ok()) {
    return Refuse(signal, 400, valid.status().where, response);
  }
  Print(signal, body);
  response.content_type = kProtobuf;  // An empty Export…ServiceResponse: all of it was taken.
}

void Sink::Print(Signal signal, std::span<const uint8_t> request) {
  LineOut out(lines_, options_.colour && !options_.json);
  JsonPrinter json(out);
  TextPrinter text(out, zone_);
  ItemHandler& printer = options_.json ? static_cast<ItemHandler&>(json) : text;
  ForEachItem(signal, request, printer);
  if (printer.Enough()) {
    out << (options_.json ? R"({"cut":true})" : "# the rest of the request is not shown");
    out.EndLine();
  }
}

void Sink::Refuse(Signal signal, int status, const char* why, HttpResponse& response) {
  std::array<uint8_t, 128> buffer;
  WireWriter message(buffer);
  message.Varint(otlp_RpcStatus_code_tag, RpcCode(status));
  message.String(otlp_RpcStatus_message_tag, why);
  LIMPET_CHECK(message.ok());
  response.status = status;
  response.content_type = kProtobuf;
  response.body << std::string_view(reinterpret_cast<const char*>(message.bytes().data()),
                                    message.size());
  if (options_.json) return;
  LineOut out(lines_, options_.colour);
  out.Use(Colour::kYellow) << "# " << SignalName(signal) << "  answered " << status << ": " << why;
  out.EndLine();
}

}  // namespace limpet
