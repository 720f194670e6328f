// Fuzzes the walk over export requests: the first byte is the signal, the rest the request. What is valid
// is split at tiny limits, and what the parts hold must add up to what the walk and the cut have counted.
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/status.h"
#include "otlp/cut.h"
#include "otlp/split.h"
#include "otlp/validate.h"

namespace limpet {
namespace {

constexpr size_t kRequestMax = 16 * 1024;
constexpr size_t kBatchBytes = 200;
constexpr uint32_t kBatchItems = 3;

uint8_t copy[kRequestMax], batch[kBatchBytes];

void Fuzz(Signal signal, std::span<const uint8_t> request) {
  const Result<ItemSummary> valid = ValidateExportRequest(signal, request);
  if (request.size() > kRequestMax) return;
  for (size_t i = 0; i < request.size(); ++i) copy[i] = request[i];
  const Result<RequestPart> cut = CutItems(signal, std::span(copy).first(request.size()), 0, UINT32_MAX);
  if (!valid.ok()) return;
  LIMPET_CHECK(cut.ok());
  LIMPET_CHECK(cut.value().kept.items == valid.value().items);
  LIMPET_CHECK(cut.value().kept.first == valid.value().first);
  LIMPET_CHECK(cut.value().kept.last == valid.value().last);

  RequestSplitter splitter(signal, request, valid.value().items, kBatchBytes), ahead = splitter;
  uint64_t items = 0;
  for (SplitStep step; !step.done;) {
    WireWriter out(batch);
    step = splitter.Next(&out, kBatchBytes, kBatchItems);
    const SplitStep counted = ahead.Next(nullptr, kBatchBytes, kBatchItems);
    LIMPET_CHECK(out.ok() && out.size() == step.bytes && step.items <= kBatchItems);
    LIMPET_CHECK(counted.bytes == step.bytes && counted.items == step.items);
    LIMPET_CHECK(counted.rejected == step.rejected && counted.done == step.done);
    LIMPET_CHECK(step.done || step.items > 0);
    const Result<ItemSummary> part = ValidateExportRequest(signal, out.bytes());
    LIMPET_CHECK(part.ok() && part.value().items == step.items);
    items += step.items + step.rejected;
  }
  LIMPET_CHECK(items == valid.value().items);
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  if (size > 0) Fuzz(kSignals[data[0] % kSignalCount], {data + 1, size - 1});
  return 0;
}
