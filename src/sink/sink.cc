#include "sink/sink.h"

#include <optional>

#include "base/text.h"
#include "otlp/validate.h"
#include "serve/otlp_http.h"
#include "sink/items.h"

namespace limpet {

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
  const std::optional<Signal> signal = SignalOfOtlpPath(request.path);
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
  if (OtlpFormOf(request.content_type) != OtlpForm::kProtobuf) {
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
  AnswerExport(OtlpForm::kProtobuf, signal, 0, {}, response);
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
  RefuseExport(OtlpForm::kProtobuf, status, why, response);
  if (options_.json) return;
  LineOut out(lines_, options_.colour);
  out.Use(Colour::kYellow) << "# " << SignalName(signal) << "  answered " << status << ": " << why;
  out.EndLine();
}

}  // namespace limpet
