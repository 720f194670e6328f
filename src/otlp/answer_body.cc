#include "otlp/answer_body.h"

#include <algorithm>
#include <cstring>

#include <pb_decode.h>

#include "base/text.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

/// nanopb's callback for a text: keeps its beginning in the AnswerText at *arg.
bool KeepText(pb_istream_t* stream, const pb_field_t* /*field*/, void** arg) {
  // A little more than is kept, so that the cut falls between characters.
  pb_byte_t buffer[AnswerText::kMax + 4];
  const size_t size = std::min(stream->bytes_left, sizeof buffer);
  if (!pb_read(stream, buffer, size) || !pb_read(stream, nullptr, stream->bytes_left)) return false;
  auto* const text = static_cast<AnswerText*>(*arg);
  text->Clear();  // The last one counts.
  text->Append({reinterpret_cast<const char*>(buffer), size});
  return true;
}

pb_callback_t KeepIn(AnswerText& text) {
  pb_callback_t callback{};
  callback.funcs.decode = KeepText;
  callback.arg = &text;
  return callback;
}

uint64_t NotNegative(int64_t count) { return count > 0 ? static_cast<uint64_t>(count) : 0; }

bool DecodePartialSuccess(pb_istream_t stream, Signal signal, AnswerBody& answer) {
  switch (signal) {
    case Signal::kMetrics: {
      otlp_ExportMetricsServiceResponse in = otlp_ExportMetricsServiceResponse_init_zero;
      in.partial_success.error_message = KeepIn(answer.message);
      if (!pb_decode(&stream, otlp_ExportMetricsServiceResponse_fields, &in)) return false;
      answer.rejected = NotNegative(in.partial_success.rejected_data_points);
      return true;
    }
    case Signal::kLogs: {
      otlp_ExportLogsServiceResponse in = otlp_ExportLogsServiceResponse_init_zero;
      in.partial_success.error_message = KeepIn(answer.message);
      if (!pb_decode(&stream, otlp_ExportLogsServiceResponse_fields, &in)) return false;
      answer.rejected = NotNegative(in.partial_success.rejected_log_records);
      return true;
    }
    case Signal::kTraces: {
      otlp_ExportTraceServiceResponse in = otlp_ExportTraceServiceResponse_init_zero;
      in.partial_success.error_message = KeepIn(answer.message);
      if (!pb_decode(&stream, otlp_ExportTraceServiceResponse_fields, &in)) return false;
      answer.rejected = NotNegative(in.partial_success.rejected_spans);
      return true;
    }
  }
  return false;
}

bool DecodeStatus(pb_istream_t stream, AnswerBody& answer) {
  otlp_RpcStatus in = otlp_RpcStatus_init_zero;
  in.message = KeepIn(answer.message);
  return pb_decode(&stream, otlp_RpcStatus_fields, &in);
}

// ---- JSON: not parsed, but searched for the few keys that matter, wherever they stand. ----------

void SkipBlanks(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \t\r\n"), rest.size()));
}

/// Takes a string, its opening quote taken already, off `rest`. Returns it with its escapes.
std::string_view TakeString(std::string_view& rest) {
  size_t end = 0;
  while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
  end = std::min(end, rest.size());
  const std::string_view text = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return text;
}

/// Resolves the escapes of a JSON string. \uXXXX beyond ASCII becomes '?': this is for people.
void Unescape(std::string_view escaped, AnswerText& text) {
  text.Clear();
  while (!escaped.empty()) {
    const size_t plain = std::min(escaped.find('\\'), escaped.size());
    if (!text.Append(escaped.substr(0, plain))) return;
    escaped.remove_prefix(plain);
    if (escaped.size() < 2) return;
    char c = escaped[1];
    size_t length = 2;
    if (c == 'n' || c == 't' || c == 'r' || c == 'b' || c == 'f') c = ' ';
    if (c == 'u') {
      if (escaped.size() < 6) return;
      const uint32_t point = ParseNumber<uint32_t>(escaped.substr(2, 4), 16).value_or('?');
      c = point < 0x80 ? static_cast<char>(point) : '?';
      length = 6;
    }
    text.Append({&c, 1});
    escaped.remove_prefix(length);
  }
}

/// A count as JSON has it, bare or as a string; 0 when it is none.
uint64_t Count(std::string_view text) {
  return ParseNumber<uint64_t>(text.substr(0, text.find_first_not_of("0123456789"))).value_or(0);
}

void ScanJson(std::string_view rest, bool accepted, AnswerBody& answer) {
  const std::string_view message_key = accepted ? "errorMessage" : "message";
  while (!rest.empty()) {
    if (rest.front() != '"') {
      rest.remove_prefix(std::min(rest.find('"'), rest.size()));
      continue;
    }
    rest.remove_prefix(1);
    const std::string_view key = TakeString(rest);
    SkipBlanks(rest);
    if (rest.empty() || rest.front() != ':') continue;
    rest.remove_prefix(1);
    SkipBlanks(rest);
    const bool quoted = !rest.empty() && rest.front() == '"';
    std::string_view value = rest;
    if (quoted) {
      rest.remove_prefix(1);
      value = TakeString(rest);
    }
    // Some answer {"error": "…"} instead of google.rpc.Status.
    if (quoted && answer.message.empty() && (key == message_key || (!accepted && key == "error"))) {
      Unescape(value, answer.message);
    }
    if (accepted && (key == "rejectedDataPoints" || key == "rejectedLogRecords" ||
                     key == "rejectedSpans")) {
      answer.rejected = Count(value);
    }
  }
}

/// The first line, if these bytes look like a text for people: a protobuf message begins with a
/// control character, a page with a '<'.
void TakePlainText(std::string_view text, AnswerText& message) {
  const std::string_view line = Trim(text.substr(0, text.find_first_of("\r\n")));
  if (line.empty() || line.front() == '<') return;
  for (size_t i = 0; i < std::min(line.size(), AnswerText::kMax);) {
    const size_t length = Utf8Length(line.substr(i));
    if (length == 0 || static_cast<unsigned char>(line[i]) < ' ') return;
    i += length;
  }
  message.Append(line);
}

}  // namespace

bool AnswerText::Append(std::string_view text) {
  while (!text.empty()) {
    const size_t length = Utf8Length(text);
    const auto first = static_cast<unsigned char>(text[0]);
    char c = text[0];
    if (length == 0) c = '?';
    if (first < ' ' || first == 0x7f) c = ' ';
    // U+0080 to U+009F are control characters too.
    if (length == 2 && first == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0) c = ' ';
    const size_t size = c == text[0] ? length : 1;
    if (size_ + size > kMax) return false;
    if (size > 1) {
      std::memcpy(text_.data() + size_, text.data(), size);
    } else {
      text_[size_] = c;
    }
    size_ += size;
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return true;
}

AnswerBody ParseAnswerBody(std::span<const uint8_t> body, Signal signal, bool accepted) {
  AnswerBody answer;
  std::string_view text(reinterpret_cast<const char*>(body.data()), body.size());
  SkipBlanks(text);
  if (!text.empty() && text.front() == '{') {
    ScanJson(text, accepted, answer);
    return answer;
  }
  const pb_istream_t stream = pb_istream_from_buffer(body.data(), body.size());
  if (accepted ? DecodePartialSuccess(stream, signal, answer) : DecodeStatus(stream, answer)) {
    return answer;
  }
  answer = {};  // What was read before the damage means nothing.
  if (!accepted) TakePlainText(text, answer.message);
  return answer;
}

}  // namespace limpet
