// Fuzzes the parser of textfiles: any bytes are metrics or a mistake with its line, the same when parsed
// again, and what is handed over keeps to what the header says. For libFuzzer, or any driver that calls
// its entry point.
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "base/utf8.h"
#include "collect/prometheus_text.h"

namespace limpet {
namespace {

class Watcher final : public PrometheusHandler {
 public:
  uint64_t seen = 0;  // A sum over all that was handed over.

  Status OnMetric(std::string_view name, Instrument, uint64_t identity) override {
    LIMPET_CHECK(!name.empty() && IsUtf8(name));
    seen = seen * 31 + identity;
    return {};
  }
  Status OnPoint(Instrument instrument, const PrometheusPoint& point) override {
    LIMPET_CHECK(point.attributes.size() <= kPrometheusLabelsMax);
    for (size_t i = 0; i < point.attributes.size(); ++i) {
      const Attribute& one = point.attributes[i];
      LIMPET_CHECK(!one.key.empty() && !one.text.empty() && IsUtf8(one.key) && IsUtf8(one.text));
      for (size_t j = 0; j < i; ++j) LIMPET_CHECK(point.attributes[j].key != one.key);
    }
    if (instrument == Instrument::kHistogram) Histogram(point);
    for (size_t i = 0; i < point.quantiles.size(); ++i) {
      LIMPET_CHECK(point.quantiles[i].quantile >= 0 && point.quantiles[i].quantile <= 1);
      LIMPET_CHECK(i == 0 || point.quantiles[i].quantile > point.quantiles[i - 1].quantile);
    }
    seen = seen * 31 + point.identity + point.count;
    return {};
  }

 private:
  static void Histogram(const PrometheusPoint& point) {
    LIMPET_CHECK(point.bounds.size() <= kPrometheusBoundsMax);
    LIMPET_CHECK(point.buckets.size() == point.bounds.size() + 1);
    uint64_t count = 0;
    for (const uint64_t bucket : point.buckets) count += bucket;
    LIMPET_CHECK(count == point.count);
    for (size_t i = 0; i < point.bounds.size(); ++i) {
      LIMPET_CHECK(std::isfinite(point.bounds[i]));
      LIMPET_CHECK(i == 0 || point.bounds[i] > point.bounds[i - 1]);
    }
  }
};

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Watcher first, second;
  const Status status = ParsePrometheusText(text, first);
  LIMPET_CHECK(status.ok() || (status.code == Code::kInvalid && status.detail > 0));
  LIMPET_CHECK(ParsePrometheusText(text, second).detail == status.detail);
  LIMPET_CHECK(first.seen == second.seen);
  return 0;
}
