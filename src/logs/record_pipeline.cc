#include "logs/record_pipeline.h"

#include <algorithm>
#include <cstring>

#include "base/utf8.h"
#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

constexpr std::string_view kUidKey = "log.record.uid";
constexpr std::string_view kNoUid = "00000000000000000000000000";
static_assert(kNoUid.size() == kUlidBytes);

/// In the order of RecordPipeline::Mark.
constexpr std::array<std::string_view, 3> kMarkKeys = {"limpet.truncated", "limpet.invalid_utf8",
                                                       "limpet.undecoded"};

constexpr uint64_t kSecond = 1'000'000'000;

/// The lowest number of those that severity_min lets pass.
Severity SeverityOf(SeverityMin least) {
  switch (least) {
    case SeverityMin::kTrace: return Severity::kTrace;
    case SeverityMin::kDebug: return Severity::kDebug;
    case SeverityMin::kInfo: return Severity::kInfo;
    case SeverityMin::kWarn: return Severity::kWarn;
    case SeverityMin::kError: return Severity::kError;
    case SeverityMin::kFatal: return Severity::kFatal;
    case SeverityMin::kNone: break;
  }
  return Severity::kUnspecified;
}

/// One attribute of a LogRecord, encoded at the front of `out`. Returns its bytes.
size_t Encode(const Attribute& attribute, std::span<uint8_t> out) {
  WireWriter writer(out);
  WriteAttributes(writer, otlp_LogRecord_attributes_tag, {&attribute, 1});
  LIMPET_CHECK(writer.ok());
  return writer.size();
}

size_t EncodedSize(const Attribute& attribute) { return AttributesSize({&attribute, 1}); }

}  // namespace

void WriteUlid(const RecordUid& uid, char* out) {
  constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  const uint64_t high = uid.origin_ms << 16 | uid.stream >> 16;
  const uint64_t low = uint64_t{uid.stream} << 48 | (uid.position & 0xffff'ffff'ffff);
  // 130 bits, of which the first two are 0: 5 a digit. One digit takes bits of both halves.
  uint64_t rest = high >> 1;
  for (size_t i = 13; i-- > 0; rest >>= 5) out[i] = kDigits[rest & 31];
  out[13] = kDigits[(high & 1) << 4 | low >> 60];
  rest = low;
  for (size_t i = kUlidBytes; i-- > 14; rest >>= 5) out[i] = kDigits[rest & 31];
}

size_t RecordPipeline::AttributeBytes(const LogConfig& config) {
  size_t bytes = EncodedSize({kUidKey, kNoUid});
  for (const std::string_view key : kMarkKeys) bytes += EncodedSize({key, true});
  for (size_t i = 0; i < config.attribute_count; ++i) {
    bytes += EncodedSize({config.attributes[i].key, config.attributes[i].value});
  }
  return bytes;
}

RecordPipeline::RecordPipeline(const LogConfig& config, bool record_uid, const Memory& memory)
    : severity_min_(SeverityOf(config.severity_min)),
      record_uid_(record_uid),
      body_(memory.body),
      attributes_(memory.attributes),
      rate_limit_(config.rate_limit),
      bucket_(config.rate_limit * kSecond) {
  for (size_t i = 0; i < config.attribute_count; ++i) {
    const KeyValue& pair = config.attributes[i];
    section_bytes_ += Encode({pair.key, pair.value}, attributes_.subspan(section_bytes_));
  }
  uid_end_ = section_bytes_ + Encode({kUidKey, kNoUid}, attributes_.subspan(section_bytes_));
}

/// Takes a record out of the bucket.
bool RecordPipeline::WithinRate(MonoTime now) {
  const uint64_t full = rate_limit_ * kSecond;
  const uint64_t passed = now > filled_ ? static_cast<uint64_t>((now - filled_).ns) : 0;
  const bool fills = passed >= kSecond || full - bucket_ <= passed * rate_limit_;
  bucket_ = fills ? full : bucket_ + passed * rate_limit_;
  filled_ = now;
  if (bucket_ < kSecond) return false;
  bucket_ -= kSecond;
  return true;
}

RecordPipeline::Outcome RecordPipeline::Write(const ReadRecord& record, const Stamp& now, LogEncoder& logs) {
  // Who does not know its severity is not left out for it.
  if (record.severity < severity_min_ && record.severity != Severity::kUnspecified) return Outcome::kFiltered;
  if (rate_limit_ != 0 && !WithinRate(now.mono)) {
    logs.Drop(DropReason::kRateLimit);
    return Outcome::kLimited;
  }

  std::string_view body = record.body;
  std::array<bool, kMarkCount> marked = {record.truncated, record.invalid_utf8, record.undecoded};
  if (!IsUtf8(body)) {
    size_t used = 0;
    const size_t size = RepairUtf8(body, body_, used);
    marked[kInvalidUtf8] = true;
    marked[kTruncated] |= used < body.size();
    body = {body_.data(), size};
  }

  size_t end = section_bytes_;
  const RecordUid& uid = record.uid;
  if (record_uid_ && (uid.origin_ms | uid.stream | uid.position) != 0) {
    end = uid_end_;
    WriteUlid(uid, reinterpret_cast<char*>(attributes_.data()) + end - kUlidBytes);
  }
  const bool any = marked[kTruncated] || marked[kInvalidUtf8] || marked[kUndecoded];
  for (size_t i = 0; any && i < kMarkCount; ++i) {
    if (marked[i]) end += Encode({kMarkKeys[i], true}, attributes_.subspan(end));
  }

  const bool written = logs.Record({.time = record.time,
                                    .severity = record.severity,
                                    .severity_text = record.severity_text,
                                    .body = body,
                                    .encoded_attributes = {record.origin_attributes, record.attributes,
                                                           attributes_.first(end)}});
  if (!written) return Outcome::kDropped;
  if (any) {
    marks_.truncated += marked[kTruncated];
    marks_.invalid_utf8 += marked[kInvalidUtf8];
    marks_.undecoded += marked[kUndecoded];
  }
  return Outcome::kWritten;
}

}  // namespace limpet
