// Converts OTLP JSON to protobuf for tests: `otlp-json` reads requests from stdin, each as a line
// "SIGNAL BYTES\n" and so many bytes of JSON, and answers each on stdout with "ok BYTES\n" and the
// protobuf, or with "CODE OFFSET WHERE\n".
#include <cstdint>
#include <cstdio>
#include <vector>

#include "otlp/json_parser.h"

int main() {
  using namespace limpet;
  char name[16];
  size_t bytes = 0;
  while (std::scanf("%15s %zu", name, &bytes) == 2 && std::getchar() == '\n') {
    // As a receiver does it: the text at the end of a buffer, the result at its front.
    std::vector<uint8_t> buffer(bytes + (size_t{1} << 20));
    const std::span<uint8_t> json = std::span(buffer).last(bytes);
    if (std::fread(json.data(), 1, json.size(), stdin) != bytes) return 1;
    Signal signal = Signal::kMetrics;
    for (const Signal each : kSignals) {
      if (SignalName(each) == name) signal = each;
    }
    const Result<size_t> got = ConvertOtlpJson(signal, json, buffer);
    if (got.ok()) {
      std::printf("ok %zu\n", got.value());
      std::fwrite(buffer.data(), 1, got.value(), stdout);
    } else {
      std::printf("%s %d %s\n", CodeName(got.status().code), got.status().detail, got.status().where);
    }
    std::fflush(stdout);
  }
  return 0;
}
