// How fast requests are validated, cut and split. Prints a table in Markdown; `otlp_walk KIND ROUNDS`
// validates one kind that often, for a profiler.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <vector>

#include "otlp/cut.h"
#include "otlp/otlp.pb.h"
#include "otlp/split.h"
#include "otlp/validate.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

constexpr uint64_t kTime = 1'760'000'000'000'000'000;
constexpr uint8_t kId[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

void Attribute(WireWriter& out, uint32_t field, std::string_view key, std::string_view value) {
  const size_t attribute = out.Open(field);
  out.String(otlp_KeyValue_key_tag, key);
  const size_t any = out.Open(otlp_KeyValue_value_tag);
  out.String(otlp_AnyValue_string_value_tag, value);
  out.Close(any);
  out.Close(attribute);
}

/// Some 200 bytes: six fields and three attributes.
void Log(WireWriter& out, uint32_t i, std::string_view body) {
  const size_t record = out.Open(otlp_ScopeLogs_log_records_tag);
  out.Fixed64(otlp_LogRecord_time_unix_nano_tag, kTime + i);
  out.Varint(otlp_LogRecord_severity_number_tag, otlp_SeverityNumber_SEVERITY_NUMBER_INFO);
  out.String(otlp_LogRecord_severity_text_tag, "INFO");
  const size_t any = out.Open(otlp_LogRecord_body_tag);
  out.String(otlp_AnyValue_string_value_tag, body);
  out.Close(any);
  Attribute(out, otlp_LogRecord_attributes_tag, "http.request.method", "GET");
  Attribute(out, otlp_LogRecord_attributes_tag, "thread.name", "worker-" + std::to_string(i % 8));
  Attribute(out, otlp_LogRecord_attributes_tag, "code.function.name", "handle_request");
  out.Bytes(otlp_LogRecord_trace_id_tag, kId);
  out.Fixed64(otlp_LogRecord_observed_time_unix_nano_tag, kTime + i);
  out.Close(record);
}

void Point(WireWriter& out, uint32_t i) {
  const size_t metric = out.Open(otlp_ScopeMetrics_metrics_tag);
  out.String(otlp_Metric_name_tag, "http.server.request.duration");
  out.String(otlp_Metric_unit_tag, "s");
  const size_t sum = out.Open(otlp_Metric_sum_tag);
  const size_t point = out.Open(otlp_Sum_data_points_tag);
  out.Fixed64(otlp_NumberDataPoint_start_time_unix_nano_tag, kTime);
  out.Fixed64(otlp_NumberDataPoint_time_unix_nano_tag, kTime + i);
  out.Double(otlp_NumberDataPoint_as_double_tag, i);
  Attribute(out, otlp_NumberDataPoint_attributes_tag, "http.route", "/api/v1/things");
  out.Close(point);
  out.Varint(otlp_Sum_aggregation_temporality_tag, 2);
  out.Bool(otlp_Sum_is_monotonic_tag, true);
  out.Close(sum);
  out.Close(metric);
}

void Span(WireWriter& out, uint32_t i) {
  const size_t span = out.Open(otlp_ScopeSpans_spans_tag);
  out.Bytes(otlp_Span_trace_id_tag, kId);
  out.Bytes(otlp_Span_span_id_tag, std::span(kId).first(8));
  out.Bytes(otlp_Span_parent_span_id_tag, std::span(kId).first(8));
  out.String(otlp_Span_name_tag, "GET /api/v1/things");
  out.Varint(otlp_Span_kind_tag, 2);
  out.Fixed64(otlp_Span_start_time_unix_nano_tag, kTime + i);
  out.Fixed64(otlp_Span_end_time_unix_nano_tag, kTime + i + 1000);
  Attribute(out, otlp_Span_attributes_tag, "http.request.method", "GET");
  Attribute(out, otlp_Span_attributes_tag, "url.path", "/api/v1/things");
  out.Close(span);
}

struct Kind {
  const char* name;
  Signal signal;
  void (*write)(WireWriter& out, uint32_t i);
};
constexpr Kind kKinds[] = {
    {"logs", Signal::kLogs,
     [](WireWriter& out, uint32_t i) {
       Log(out, i, "request handled in 12.3 ms, 4096 bytes sent to 10.0.0.7");
     }},
    {"cyrillic", Signal::kLogs,
     [](WireWriter& out, uint32_t i) { Log(out, i, "запрос обработан за 12.3 мс, отправлено 4096"); }},
    {"metrics", Signal::kMetrics, Point},
    {"traces", Signal::kTraces, Span},
};

std::vector<uint8_t> Request(const Kind& kind, uint32_t items) {
  std::vector<uint8_t> bytes(items * 500 + 1000);
  WireWriter out(bytes);
  const size_t resource = out.Open(1);
  const size_t attributes = out.Open(1);
  Attribute(out, otlp_Resource_attributes_tag, "service.name", "checkout");
  Attribute(out, otlp_Resource_attributes_tag, "host.name", "gateway-7");
  out.Close(attributes);
  const size_t scope = out.Open(2);
  const size_t name = out.Open(1);
  out.String(otlp_InstrumentationScope_name_tag, "checkout.http");
  out.Close(name);
  for (uint32_t i = 0; i < items; ++i) kind.write(out, i);
  out.Close(scope);
  out.Close(resource);
  if (!out.ok()) std::abort();
  bytes.resize(out.size());
  return bytes;
}

/// Seconds that one run takes, the best of many.
double Seconds(const std::function<void()>& run) {
  double best = 1e9;
  for (int i = 0; i < 300; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    run();
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return best;
}

void Print(const char* what, const Kind& kind, size_t bytes, uint32_t items, double seconds) {
  std::printf("| %s | %s | %zu | %.0f | %.0f |\n", what, kind.name, bytes / items,
              static_cast<double>(bytes) / seconds / 1e6, seconds / items * 1e9);
}

void Measure(const Kind& kind) {
  constexpr uint32_t kItems = 2000;
  const std::vector<uint8_t> request = Request(kind, kItems);
  Print("validate", kind, request.size(), kItems, Seconds([&] {
          if (!ValidateExportRequest(kind.signal, request).ok()) std::abort();
        }));
  std::vector<uint8_t> copy(request.size());
  Print("copy, cut nothing off", kind, request.size(), kItems, Seconds([&] {
          std::memcpy(copy.data(), request.data(), request.size());
          if (!CutItems(kind.signal, copy, 0, kItems).ok()) std::abort();
        }));
  for (const bool counts : {true, false}) {
    Print(counts ? "split at 64 KiB, only counting" : "split at 64 KiB", kind, request.size(), kItems,
          Seconds([&] {
            constexpr size_t kBatch = 64 * 1024;
            RequestSplitter splitter(kind.signal, request, kItems, kBatch);
            for (bool done = false; !done;) {
              WireWriter out(copy);
              done = splitter.Next(counts ? nullptr : &out, kBatch, 512).done;
            }
          }));
  }
}

}  // namespace
}  // namespace limpet

int main(int count, char** arguments) {
  using namespace limpet;
  if (count == 1) std::printf("| | items | bytes each | MB/s | ns each |\n|---|---|---|---|---|\n");
  for (const Kind& kind : kKinds) {
    if (count == 1) Measure(kind);
    if (count != 3 || std::strcmp(arguments[1], kind.name) != 0) continue;
    const std::vector<uint8_t> request = Request(kind, 100);
    for (int rounds = std::atoi(arguments[2]); rounds > 0; --rounds) {
      if (!ValidateExportRequest(kind.signal, request).ok()) std::abort();
    }
    std::printf("%zu bytes a round\n", request.size());
  }
}
