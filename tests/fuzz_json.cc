// Fuzzes the parser of OTLP JSON: what it takes is a well-formed request, and comes out the same when
// it is converted in place. The first byte chooses the signal. For libFuzzer, or any driver that
// calls its entry point.
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "otlp/json_parser.h"
#include "otlp/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  static uint8_t out[1 << 20], in_place[1 << 20];
  if (size == 0 || size > sizeof in_place / 2) return 0;
  const Signal signal = kSignals[data[0] % kSignalCount];
  const std::span<const uint8_t> json(data + 1, size - 1);
  const Result<size_t> got = ConvertOtlpJson(signal, json, out);
  if (got.ok()) {
    LIMPET_CHECK(ValidateExportRequest(signal, std::span(out).first(got.value())).ok());
  }
  // With plenty of room in front of the text, then with little.
  for (const size_t room : {sizeof in_place - json.size(), size_t{data[0]}}) {
    const std::span<uint8_t> buffer = std::span(in_place).first(room + json.size());
    std::copy(json.begin(), json.end(), buffer.begin() + static_cast<ptrdiff_t>(room));
    const Result<size_t> again = ConvertOtlpJson(signal, buffer.subspan(room), buffer);
    if (again.status().code == Code::kFull) continue;
    LIMPET_CHECK(again.status().code == got.status().code);
    if (!got.ok()) continue;
    LIMPET_CHECK(again.value() == got.value());
    LIMPET_CHECK(std::equal(out, out + got.value(), in_place));
  }
  return 0;
}
