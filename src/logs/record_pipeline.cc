#include "logs/record_pipeline.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "base/utf8.h"
#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

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

/// Each two digits of Crockford's base 32: every line gets 26 of them.
constexpr auto kPairs = [] {
  constexpr char kDigits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  std::array<std::array<char, 2>, 1024> pairs{};
  for (size_t i = 0; i < pairs.size(); ++i) pairs[i] = {kDigits[i >> 5], kDigits[i & 31]};
  return pairs;
}();

/// One attribute of a LogRecord, encoded at the front of `out`. Returns its bytes.
size_t Encode(const Attribute& attribute, std::span<uint8_t> out) {
  WireWriter writer(out);
  WriteAttributes(writer, otlp_LogRecord_attributes_tag, {&attribute, 1});
  LIMPET_CHECK(writer.ok());
  return writer.size();
}

bool Has(std::span<const uint8_t> attributes, std::string_view key) {
  for (WireReader in(attributes); in.Next();) {
    WireReader pair = in.Message();
    if (pair.Next() && pair.String() == key) return true;
  }
  return false;
}

size_t EncodedSize(const Attribute& attribute) { return AttributesSize({&attribute, 1}); }

}  // namespace

// 128 bits as 13 pairs of digits, of which the first has 8 of them.
void WriteUlid(const RecordUid& uid, char* out) {
  const uint64_t high = uid.origin_ms << 16 | uid.stream >> 16;
  const uint64_t low = uint64_t{uid.stream} << 48 | (uid.position & 0xffff'ffff'ffff);
  const auto pair = [out](size_t at, uint64_t bits) { std::memcpy(out + 2 * at, kPairs[bits & 1023].data(), 2); };
  pair(0, high >> 56);
  for (size_t i = 0; i < 5; ++i) pair(1 + i, high >> (46 - 10 * i));
  pair(6, high << 4 | low >> 60);
  for (size_t i = 0; i < 6; ++i) pair(7 + i, low >> (50 - 10 * i));
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
      redacted_(memory.redacted),
      attributes_(memory.attributes),
      rate_limit_(config.rate_limit),
      bucket_(config.rate_limit * kSecond) {
  for (size_t i = 0; i < config.attribute_count; ++i) {
    const KeyValue& pair = config.attributes[i];
    section_bytes_ += Encode({pair.key, pair.value}, attributes_.subspan(section_bytes_));
  }
  uid_end_ = section_bytes_ + Encode({kUidKey, kNoUid}, attributes_.subspan(section_bytes_));
}

size_t RecordPipeline::PatternCount(const LogConfig& config) {
  return size_t{!config.include_records.empty()} + !config.exclude_records.empty() + !config.redact.empty();
}

Status RecordPipeline::Compile(const LogConfig& config, PatternPool& pool) {
  TextBuffer<256> unused;
  if (!config.include_records.empty()) LIMPET_TRY(include_.Compile(config.include_records, pool, unused));
  if (!config.exclude_records.empty()) LIMPET_TRY(exclude_.Compile(config.exclude_records, pool, unused));
  if (!config.redact.empty()) LIMPET_TRY(redact_.Compile(config.redact, pool, unused));
  return {};
}

/// A record of which is not known whether it is to be left out stays: its severity is not known, or a
/// match was given up.
bool RecordPipeline::Filtered(const ReadRecord& record) {
  if (record.severity < severity_min_ && record.severity != Severity::kUnspecified) return true;
  if (include_.compiled() && include_.Matches(record.body) == Pattern::Found::kNo) return true;
  return exclude_.compiled() && exclude_.Matches(record.body) == Pattern::Found::kYes;
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

/// Appends to the `size` bytes that stand in body_. False: there was not room for all of it.
bool RecordPipeline::Repair(std::string_view text, size_t& size) {
  size_t used = 0;
  if (!IsUtf8(text)) marked_[kInvalidUtf8] = true;
  size += RepairUtf8(text, body_.subspan(size), used);
  if (used == text.size()) return true;
  marked_[kTruncated] = true;
  return false;
}

/// True: `redacted` is the text with *** for each match, in body_. A match that is given up may be
/// anywhere in what is left: all of it becomes ***.
bool RecordPipeline::Redact(std::string_view text, std::string_view& redacted) {
  constexpr std::string_view kStars = "***";
  size_t size = 0, from = 0;
  for (bool last = false; !last;) {
    Pattern::Place place;
    const Pattern::Found found = redact_.Find(text, from, place);
    if (found == Pattern::Found::kGivenUp) place = {from, text.size()};
    if (found == Pattern::Found::kNo) {
      if (from == 0) return false;
      place = {text.size(), text.size()};
    }
    const bool fits = Repair(text.substr(from, place.begin - from), size) &&
                      (found == Pattern::Found::kNo || Repair(kStars, size));
    last = found != Pattern::Found::kYes || !fits;
    from = place.end;
  }
  redacted = {body_.data(), size};
  return true;
}

namespace {

/// The messages in which the texts of attributes stand.
enum Message : int { kRecord, kPair, kValue, kArray, kList, kText, kOther };

struct Field {
  Message message;
  uint32_t field;
  Message holds;
};
constexpr std::array<Field, 7> kFields = {{
    {kRecord, otlp_LogRecord_attributes_tag, kPair}, {kPair, otlp_KeyValue_value_tag, kValue},
    {kValue, otlp_AnyValue_string_value_tag, kText}, {kValue, otlp_AnyValue_array_value_tag, kArray},
    {kValue, otlp_AnyValue_kvlist_value_tag, kList}, {kArray, otlp_ArrayValue_values_tag, kValue},
    {kList, otlp_KeyValueList_values_tag, kPair},
}};

}  // namespace

/// Copies a message, its texts redacted. The reader bounds the depth: what lies too deep is too much.
void RecordPipeline::Redact(WireReader in, int message, WireWriter& out) {
  while (in.Next()) {
    const auto row = std::find_if(kFields.begin(), kFields.end(), [&](const Field& field) {
      return field.message == message && field.field == in.field();
    });
    std::string_view redacted;
    if (row == kFields.end()) {
      out.Raw(in.raw());
    } else if (row->holds != kText) {
      const size_t mark = out.Open(in.field());
      Redact(in.Message(), row->holds, out);
      out.Close(mark);
    } else if (Redact(in.String(), redacted)) {
      out.String(in.field(), redacted);
    } else {
      out.Raw(in.raw());
    }
  }
  if (!in.status().ok()) out.Claim(out.room() + 1);
}

std::span<const uint8_t> RecordPipeline::Redact(std::span<const uint8_t> attributes) {
  WireWriter out(redacted_);
  Redact(WireReader(attributes), kRecord, out);
  if (out.ok()) return out.bytes();
  marked_[kTruncated] = true;
  return {};
}

/// Is that a key of what stands beside the line's own?
bool RecordPipeline::IsOurs(std::string_view key, std::span<const uint8_t> origin, std::span<const uint8_t> ours) const {
  if (section_bytes_ == 0 && !key.starts_with("l")) return false;  // All others begin so.
  return key.starts_with("limpet.") || Has(ours, key) || Has(origin, key);
}

RecordPipeline::Outcome RecordPipeline::Write(const ReadRecord& record, const Stamp& now, LogEncoder& logs) {
  if (Filtered(record)) {
    ++use_.filtered;
    return Outcome::kFiltered;
  }
  if (rate_limit_ != 0 && !WithinRate(now.mono)) {
    logs.Drop(DropReason::kRateLimit);
    ++use_.dropped;
    return Outcome::kLimited;
  }

  std::string_view body = record.body;
  std::span<const uint8_t> attributes = record.attributes;
  marked_ = {record.truncated, record.invalid_utf8, record.undecoded};
  if (redact_.compiled() && !attributes.empty()) attributes = Redact(attributes);  // Before the body takes its room.
  const bool redacted = redact_.compiled() && Redact(body, body);
  if (!redacted && !IsUtf8(body)) {
    size_t size = 0;
    Repair(body, size);
    body = {body_.data(), size};
  }

  size_t end = section_bytes_;
  const RecordUid& uid = record.uid;
  if (record_uid_ && (uid.origin_ms | uid.stream | uid.position) != 0) {
    end = uid_end_;
    WriteUlid(uid, reinterpret_cast<char*>(attributes_.data()) + end - kUlidBytes);
  }
  // What limpet or the section says of a record no line says otherwise: of a key twice OTLP leaves open which
  // one counts.
  size_t count = 0;
  parts_[count++] = record.origin_attributes;
  for (WireReader in(attributes); in.Next();) {
    WireReader pair = in.Message();
    if (!pair.Next() || !IsOurs(pair.String(), record.origin_attributes, attributes_.first(end))) continue;
    const std::span<const uint8_t> theirs = in.raw();
    const size_t before = static_cast<size_t>(theirs.data() - attributes.data());
    parts_[count++] = attributes.first(before);
    attributes = attributes.subspan(before + theirs.size());
    in = WireReader(attributes);
    if (count + 3 <= parts_.size()) continue;
    marked_[kTruncated] = true;  // More than a section and limpet have: somebody tries.
    attributes = {};
    break;
  }
  parts_[count++] = attributes;

  const bool any = marked_[kTruncated] || marked_[kInvalidUtf8] || marked_[kUndecoded];
  for (size_t i = 0; any && i < kMarkCount; ++i) {
    if (marked_[i]) end += Encode({kMarkKeys[i], true}, attributes_.subspan(end));
  }

  parts_[count++] = attributes_.first(end);
  const bool written = logs.Record({.time = record.time,
                                    .severity = record.severity,
                                    .severity_text = record.severity_text,
                                    .body = body,
                                    .encoded_attributes = std::span(parts_).first(count)});
  if (!written) {
    ++use_.dropped;
    return Outcome::kDropped;
  }
  ++use_.records;
  use_.truncated += marked_[kTruncated];
  use_.invalid_utf8 += marked_[kInvalidUtf8];
  use_.undecoded += marked_[kUndecoded];
  return Outcome::kWritten;
}

}  // namespace limpet
