#include "batch/log_encoder.h"

#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"

namespace limpet {

static_assert(static_cast<int>(Severity::kTrace) == otlp_SeverityNumber_SEVERITY_NUMBER_TRACE);
static_assert(static_cast<int>(Severity::kDebug) == otlp_SeverityNumber_SEVERITY_NUMBER_DEBUG);
static_assert(static_cast<int>(Severity::kInfo) == otlp_SeverityNumber_SEVERITY_NUMBER_INFO);
static_assert(static_cast<int>(Severity::kWarn) == otlp_SeverityNumber_SEVERITY_NUMBER_WARN);
static_assert(static_cast<int>(Severity::kError) == otlp_SeverityNumber_SEVERITY_NUMBER_ERROR);
static_assert(static_cast<int>(Severity::kFatal) == otlp_SeverityNumber_SEVERITY_NUMBER_FATAL);

void LogEncoder::Begin(std::span<const uint8_t> resource, const Stamp& observed) {
  LIMPET_CHECK(scope_mark_ == 0);  // B1
  resource_ = resource;
  observed_ = observed;
  records_ = 0;
}

// All that the two messages say stands in front of the records: closing them takes no more than the
// longer lengths (kCloseRoom).
void LogEncoder::OpenScope() {
  resource_mark_ = out().Open(otlp_ExportLogsServiceRequest_resource_logs_tag);
  out().Bytes(otlp_ResourceLogs_resource_tag, resource_);
  out().String(otlp_ResourceLogs_schema_url_tag, kSchemaUrl);
  scope_mark_ = out().Open(otlp_ResourceLogs_scope_logs_tag);
  WriteScope(out(), otlp_ScopeLogs_scope_tag, version_);
  out().String(otlp_ScopeLogs_schema_url_tag, kSchemaUrl);
}

void LogEncoder::CloseScope() {
  if (scope_mark_ == 0) return;
  out().Close(scope_mark_);
  out().Close(resource_mark_);
  scope_mark_ = resource_mark_ = 0;
}

void LogEncoder::Write(const LogRecord& record) {
  const size_t message = out().Open(otlp_ScopeLogs_log_records_tag);
  if (record.time != UnixTime{}) {
    out().SignedFixed64(otlp_LogRecord_time_unix_nano_tag, record.time.ns);
  }
  if (record.severity != Severity::kUnspecified) {
    out().Varint(otlp_LogRecord_severity_number_tag, static_cast<uint64_t>(record.severity));
  }
  if (!record.severity_text.empty()) {
    out().String(otlp_LogRecord_severity_text_tag, record.severity_text);
  }
  if (!record.body.empty() || record.event_name.empty()) {  // An empty line is a record too.
    const size_t body = out().Open(otlp_LogRecord_body_tag);
    out().String(otlp_AnyValue_string_value_tag, record.body);
    out().Close(body);
  }
  WriteAttributes(out(), otlp_LogRecord_attributes_tag, record.attributes);
  out().SignedFixed64(otlp_LogRecord_observed_time_unix_nano_tag, observed_.wall.ns);
  if (!record.event_name.empty()) out().String(otlp_LogRecord_event_name_tag, record.event_name);
  out().Close(message);
}

bool LogEncoder::Record(const LogRecord& record) {
  for (int attempt = 0; attempt < 2; ++attempt) {
    const size_t before = out().size();
    const bool scope_was_open = scope_mark_ != 0;
    if (!scope_was_open) OpenScope();
    Write(record);
    if (batcher_.Fits(Signal::kLogs, 1)) {
      batcher_.Added(Signal::kLogs, 1, observed_);
      ++records_;
      return true;
    }
    // Back to the last whole record, then on into an empty batch.
    out().Rewind(before);
    if (!scope_was_open) scope_mark_ = resource_mark_ = 0;
    CloseScope();
    batcher_.Close(Signal::kLogs);
  }
  batcher_.DropUnwritable(Signal::kLogs, 1, observed_);
  return false;
}

uint32_t LogEncoder::Finish() {
  CloseScope();
  return records_;
}

}  // namespace limpet
