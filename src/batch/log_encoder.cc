#include "batch/log_encoder.h"

#include <bit>
#include <cstring>

#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {

static_assert(static_cast<int>(Severity::kTrace) == otlp_SeverityNumber_SEVERITY_NUMBER_TRACE);
static_assert(static_cast<int>(Severity::kDebug) == otlp_SeverityNumber_SEVERITY_NUMBER_DEBUG);
static_assert(static_cast<int>(Severity::kInfo) == otlp_SeverityNumber_SEVERITY_NUMBER_INFO);
static_assert(static_cast<int>(Severity::kWarn) == otlp_SeverityNumber_SEVERITY_NUMBER_WARN);
static_assert(static_cast<int>(Severity::kError) == otlp_SeverityNumber_SEVERITY_NUMBER_ERROR);
static_assert(static_cast<int>(Severity::kFatal) == otlp_SeverityNumber_SEVERITY_NUMBER_FATAL);

namespace {

constexpr size_t kFixed64Size = 1 + sizeof(uint64_t);  // With its tag.
static_assert(otlp_LogRecord_event_name_tag < 16 && otlp_LogRecord_observed_time_unix_nano_tag < 16);

/// Writes fields below 16 where there is room for them.
struct Fields {
  void Tag(uint32_t field, WireType type) {
    *at++ = static_cast<uint8_t>(field << 3 | static_cast<uint32_t>(type));
  }
  void Begin(uint32_t field, size_t length) {
    Tag(field, WireType::kLength);
    for (; length >= 0x80; length >>= 7) *at++ = static_cast<uint8_t>(length | 0x80);
    *at++ = static_cast<uint8_t>(length);
  }
  void Fixed64(uint32_t field, int64_t value) {
    Tag(field, WireType::kFixed64);
    if constexpr (std::endian::native == std::endian::little) {
      std::memcpy(at, &value, sizeof value);
    } else {
      for (size_t i = 0; i < sizeof value; ++i) at[i] = static_cast<uint8_t>(static_cast<uint64_t>(value) >> 8 * i);
    }
    at += sizeof value;
  }
  void Text(uint32_t field, std::string_view text) {
    Begin(field, text.size());
    Copy(text.data(), text.size());
  }
  void Copy(const void* bytes, size_t size) {
    if (size == 0) return;
    std::memcpy(at, bytes, size);
    at += size;
  }

  uint8_t* at;
};

}  // namespace

void LogEncoder::Begin(std::span<const uint8_t> resource, const Stamp& observed) {
  LIMPET_CHECK(scope_mark_ == 0);  // B1
  resource_ = resource;
  observed_ = observed;
  records_ = 0;
}

// All that the two messages say stands in front of the records: closing them takes no more than the
// longer lengths (kCloseRoom).
void LogEncoder::OpenScope() {
  expected_ = last_bytes_;
  resource_mark_ = out().Open(otlp_ExportLogsServiceRequest_resource_logs_tag, expected_);
  out().Bytes(otlp_ResourceLogs_resource_tag, resource_);
  out().String(otlp_ResourceLogs_schema_url_tag, kSchemaUrl);
  scope_mark_ = out().Open(otlp_ResourceLogs_scope_logs_tag, expected_);
  WriteScope(out(), otlp_ScopeLogs_scope_tag, version_);
  out().String(otlp_ScopeLogs_schema_url_tag, kSchemaUrl);
}

void LogEncoder::CloseScope() {
  if (scope_mark_ == 0) return;
  last_bytes_ = out().size() - scope_mark_;
  out().Close(scope_mark_, expected_);
  out().Close(resource_mark_, expected_);
  scope_mark_ = resource_mark_ = 0;
}

// Every line that is collected goes this way: its size is known before, so that each byte is written
// once and the room is looked at once.
void LogEncoder::Write(const LogRecord& record) {
  const bool has_body = !record.body.empty() || record.event_name.empty();  // An empty line is a record too.
  const size_t body = FieldSize(record.body.size());
  const size_t attributes = AttributesSize(record.attributes);
  size_t size = kFixed64Size + attributes;
  if (record.time != UnixTime{}) size += kFixed64Size;
  if (record.severity != Severity::kUnspecified) size += 2;
  if (!record.severity_text.empty()) size += FieldSize(record.severity_text.size());
  if (has_body) size += FieldSize(body);
  for (const std::span<const uint8_t> encoded : record.encoded_attributes) size += encoded.size();
  if (!record.event_name.empty()) size += FieldSize(record.event_name.size());

  uint8_t* const begin = out().Claim(FieldSize(size));
  if (begin == nullptr) return;
  Fields fields{begin};
  fields.Begin(otlp_ScopeLogs_log_records_tag, size);
  if (record.time != UnixTime{}) fields.Fixed64(otlp_LogRecord_time_unix_nano_tag, record.time.ns);
  if (record.severity != Severity::kUnspecified) {
    fields.Tag(otlp_LogRecord_severity_number_tag, WireType::kVarint);
    *fields.at++ = static_cast<uint8_t>(record.severity);
  }
  if (!record.severity_text.empty()) fields.Text(otlp_LogRecord_severity_text_tag, record.severity_text);
  if (has_body) {
    fields.Begin(otlp_LogRecord_body_tag, body);
    fields.Text(otlp_AnyValue_string_value_tag, record.body);
  }
  if (attributes > 0) {
    WireWriter writer({fields.at, attributes});
    WriteAttributes(writer, otlp_LogRecord_attributes_tag, record.attributes);
    LIMPET_CHECK(writer.ok() && writer.room() == 0);
    fields.at += attributes;
  }
  for (const std::span<const uint8_t> encoded : record.encoded_attributes) {
    fields.Copy(encoded.data(), encoded.size());
  }
  fields.Fixed64(otlp_LogRecord_observed_time_unix_nano_tag, observed_.wall.ns);
  if (!record.event_name.empty()) fields.Text(otlp_LogRecord_event_name_tag, record.event_name);
  LIMPET_CHECK(fields.at == begin + FieldSize(size));
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
