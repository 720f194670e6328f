// Converts requests between OTLP JSON and protobuf for tests: `otlp-json` reads each from stdin as a line
// "SIGNAL FORM BYTES\n" and so many bytes, FORM being json or protobuf, and answers on stdout with
// "ok BYTES\n" and the request in the other form, or with "CODE OFFSET WHERE\n".
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "otlp/json_parser.h"
#include "otlp/validate.h"
#include "sink/otlp_json.h"

namespace limpet {
namespace {

class Text final : public LineWriter {
 public:
  void Write(std::string_view piece) override { text_ += piece; }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

void Answer(std::string_view bytes) {
  std::printf("ok %zu\n", bytes.size());
  std::fwrite(bytes.data(), 1, bytes.size(), stdout);
}

Status FromJson(Signal signal, std::span<const uint8_t> json) {
  // As a receiver does it: the text at the end of a buffer, the result at its front.
  std::vector<uint8_t> buffer(size_t{1} << 20);
  buffer.insert(buffer.end(), json.begin(), json.end());
  const Result<size_t> got = ConvertOtlpJson(signal, std::span(buffer).last(json.size()), buffer);
  if (got.ok()) Answer({reinterpret_cast<const char*>(buffer.data()), got.value()});
  return got.status();
}

Status FromProtobuf(Signal signal, std::span<const uint8_t> request) {
  const auto valid = ValidateExportRequest(signal, request);
  if (!valid.ok()) return {Code::kInvalid, 0, "protobuf"};
  Text text;
  LineOut out(text, false);
  out << '{';
  WriteOtlpJson(signal, request, out);
  out << '}';
  out.EndLine();
  Answer(text.text());
  return {};
}

int Run() {
  char name[16], form[16];
  size_t bytes = 0;
  while (std::scanf("%15s %15s %zu", name, form, &bytes) == 3 && std::getchar() == '\n') {
    std::vector<uint8_t> request(bytes);
    if (std::fread(request.data(), 1, bytes, stdin) != bytes) return 1;
    Signal signal = Signal::kMetrics;
    for (const Signal each : kSignals) {
      if (SignalName(each) == name) signal = each;
    }
    const Status status =
        std::string_view(form) == "json" ? FromJson(signal, request) : FromProtobuf(signal, request);
    if (!status.ok()) std::printf("%s %d %s\n", CodeName(status.code), status.detail, status.where);
    std::fflush(stdout);
  }
  return 0;
}

}  // namespace
}  // namespace limpet

int main() { return limpet::Run(); }
