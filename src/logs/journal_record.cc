#include "logs/journal_record.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"
#include "base/utf8.h"
#include "logs/lz4.h"
#include "logs/severity.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

// What a field becomes. All others are attributes: "journald." and their name in lower case.
enum class Kind : uint8_t { kText, kNumber, kBody, kPriority, kTime, kUnit, kLeftOut };
struct Mapping {
  std::string_view field, key;
  Kind kind;
};
constexpr Mapping kMappings[] = {
    {"MESSAGE", "", Kind::kBody},
    {"PRIORITY", "", Kind::kPriority},
    {"_SOURCE_REALTIME_TIMESTAMP", "", Kind::kTime},
    {"SYSLOG_IDENTIFIER", "service.name", Kind::kText},
    {"SYSLOG_FACILITY", "syslog.facility", Kind::kNumber},
    {"SYSLOG_PID", "syslog.procid", Kind::kText},
    {"_PID", "process.pid", Kind::kNumber},
    {"_EXE", "process.executable.path", Kind::kText},
    {"_COMM", "process.executable.name", Kind::kText},
    {"_CMDLINE", "process.command_line", Kind::kText},
    {"TID", "thread.id", Kind::kNumber},
    {"_HOSTNAME", "host.name", Kind::kText},
    {"CODE_FILE", "code.file.path", Kind::kText},
    {"CODE_LINE", "code.line.number", Kind::kNumber},
    {"CODE_FUNC", "code.function.name", Kind::kText},
    {"_SYSTEMD_UNIT", "journald._systemd_unit", Kind::kUnit},
    {"_BOOT_ID", "", Kind::kLeftOut},
    {"_MACHINE_ID", "", Kind::kLeftOut},
    {"_SOURCE_MONOTONIC_TIMESTAMP", "", Kind::kLeftOut},
};

bool IsFieldName(std::string_view name) {
  return !name.empty() && name.size() <= JournalRecord::kNameMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
         });
}

/// Without a sequence of UTF-8 at its end that was cut.
std::string_view WithoutCutEnd(std::string_view text) {
  for (size_t back = 1; back <= 3 && back <= text.size(); ++back) {
    const auto c = static_cast<unsigned char>(text[text.size() - back]);
    if ((c & 0xC0) == 0x80) continue;
    const size_t length = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : c >= 0xC0 ? 2 : 1;
    if (length > back) text.remove_suffix(back);
    break;
  }
  return text;
}

size_t Rounded(size_t bytes) { return (bytes + 15) / 16 * 16; }
size_t TextBytes(size_t field_bytes_max) { return field_bytes_max + JournalRecord::kNameMax + 1; }
size_t StoredBytes(size_t field_bytes_max) {
  return Rounded(std::max(JournalRecord::kStoredBytes, TextBytes(field_bytes_max)));
}
size_t PlainBytes(size_t field_bytes_max) {
  return Rounded(std::max(JournalRecord::kPlainBytes, TextBytes(field_bytes_max)));
}
// A text with U+FFFD for each of its bytes, and a tag and a length.
size_t ValueBytes(size_t field_bytes_max) { return Rounded(3 * field_bytes_max + 16); }

std::span<uint8_t> Take(std::span<std::byte>& memory, size_t bytes) {
  LIMPET_CHECK(memory.size() >= bytes);
  const std::span<uint8_t> part(reinterpret_cast<uint8_t*>(memory.data()), bytes);
  memory = memory.subspan(bytes);
  return part;
}

}  // namespace

size_t JournalRecord::BytesNeeded(size_t field_bytes_max) {
  return StoredBytes(field_bytes_max) + PlainBytes(field_bytes_max) + Rounded(field_bytes_max) +
         ValueBytes(field_bytes_max) + kAttributeBytes + ZstdDecompressor::BytesNeeded();
}

JournalRecord::JournalRecord(std::span<std::byte> memory, const Options& options)
    : options_(options),
      stored_(limpet::Take(memory, StoredBytes(options.field_bytes_max))),
      plain_(limpet::Take(memory, PlainBytes(options.field_bytes_max))),
      body_(limpet::Take(memory, Rounded(options.field_bytes_max))),
      value_(limpet::Take(memory, ValueBytes(options.field_bytes_max))),
      attributes_(limpet::Take(memory, kAttributeBytes)),
      zstd_(memory),
      out_(attributes_) {}

JournalRecord::Outcome JournalRecord::Read(JournalFile& file, const JournalEntry& entry, ReadRecord& record) {
  record = ReadRecord{};
  out_ = WireWriter(attributes_);
  seen_count_ = unit_bytes_ = 0;
  has_body_ = false;
  priority_ = -1;
  record.time = UnixTime{} + Nanoseconds(static_cast<int64_t>(entry.realtime_us) * 1000);
  uint32_t read = 0;
  for (uint32_t i = 0; i < entry.fields; ++i) {
    bool cut = false;
    const Result<std::string_view> text = Text(file, entry, i, cut);
    const size_t equals = text.ok() ? text.value().substr(0, kNameMax + 1).find('=') : std::string_view::npos;
    if (equals == std::string_view::npos || !IsFieldName(text.value().substr(0, equals))) {
      record.undecoded = true;
      read += text.status().code == Code::kUnsupported ? 1 : 0;
      continue;
    }
    ++read;
    std::string_view value = text.value().substr(equals + 1);
    if (value.size() > options_.field_bytes_max) value = value.substr(0, options_.field_bytes_max), cut = true;
    if (cut) value = WithoutCutEnd(value);
    Take(text.value().substr(0, equals), value, cut, record);
  }
  if (read == 0) return Outcome::kDamaged;
  record.attributes = out_.bytes();
  return Wanted() ? Outcome::kRead : Outcome::kFiltered;
}

Result<std::string_view> JournalRecord::Text(JournalFile& file, const JournalEntry& entry, uint32_t index,
                                             bool& cut) {
  const Result<JournalField> read = file.Field(entry, index, stored_);
  if (!read.ok()) return read.status();
  const JournalField& field = read.value();
  std::span<const uint8_t> text = field.stored;
  cut = field.bytes > text.size();
  if (field.compression != JournalCompression::kNone) {
    if (cut) return {Code::kUnsupported, 0, "large compressed field"};
    Result<size_t> size = size_t{0};
    switch (field.compression) {
      case JournalCompression::kZstd:
        size = zstd_.Decompress(text, plain_);
        if (size.status().code == Code::kFull) return {Code::kUnsupported, 0, "large zstd field"};
        break;
      case JournalCompression::kLz4: {
        // Before the block, its size when decompressed, in 8 bytes.
        constexpr size_t kSizeBytes = 8;
        if (text.size() <= kSizeBytes) return {Code::kInvalid, 0, "lz4"};
        uint64_t whole = 0;
        for (size_t i = kSizeBytes; i-- > 0;) whole = whole << 8 | text[i];
        const size_t room = static_cast<size_t>(std::min<uint64_t>(whole, plain_.size()));
        size = Lz4Decompress(text.subspan(kSizeBytes), plain_.first(room));
        if (size.ok() && size.value() != room) return {Code::kInvalid, 0, "lz4"};
        cut = whole > room;
        break;
      }
      default: return {Code::kUnsupported, 0, "xz"};
    }
    if (!size.ok()) return size.status();
    text = plain_.first(size.value());
  }
  return std::string_view(reinterpret_cast<const char*>(text.data()), text.size());
}

void JournalRecord::Take(std::string_view name, std::string_view value, bool cut, ReadRecord& record) {
  Mapping mapping{name, "", Kind::kText};
  TextBuffer<kNameMax + 16> own_key;
  for (const Mapping& m : kMappings) {
    if (m.field == name) mapping = m;
  }
  // The first one counts where a record has room for one; what does not say what it should is kept as it is.
  const auto number = ParseNumber<int64_t>(value);
  switch (mapping.kind) {
    case Kind::kLeftOut: return;
    case Kind::kBody:
      if (has_body_) break;
      has_body_ = true;
      record.truncated |= cut;
      std::memcpy(body_.data(), value.data(), value.size());
      record.body = {reinterpret_cast<const char*>(body_.data()), value.size()};
      return;
    case Kind::kPriority:
      if (priority_ >= 0 || !number || *number < 0 || *number > 7) break;
      priority_ = static_cast<int>(*number);
      record.severity = SeverityOfSyslog(static_cast<unsigned>(priority_));
      record.severity_text = NameOfSyslog(static_cast<unsigned>(priority_));
      return;
    case Kind::kTime:
      if (!number || *number <= 0 || *number > INT64_MAX / 1000) break;
      record.time = UnixTime{} + Nanoseconds(*number * 1000);
      return;
    case Kind::kNumber:
      if (!number) break;
      AddNumber(mapping.key, *number, record);
      return;
    case Kind::kUnit:
      if (unit_bytes_ == 0) {
        unit_bytes_ = std::min(value.size(), unit_.size());
        std::memcpy(unit_.data(), value.data(), unit_bytes_);
      }
      break;
    case Kind::kText: break;
  }
  record.truncated |= cut;
  if (mapping.key.empty()) {
    own_key << "journald.";
    for (const char c : name) own_key << static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    mapping.key = own_key.text();
  }
  AddText(mapping.key, value, record);
}

void JournalRecord::AddText(std::string_view key, std::string_view value, ReadRecord& record) {
  WireWriter encoded(value_);
  if (IsUtf8(value)) {
    encoded.String(otlp_AnyValue_string_value_tag, value);
    return Add(key, encoded.bytes(), record);
  }
  record.invalid_utf8 = true;
  // Repaired behind the place of the tag and the length, to which it is moved then.
  size_t used = 0;
  const std::span<uint8_t> text = value_.subspan(16);
  const size_t size = RepairUtf8(value, {reinterpret_cast<char*>(text.data()), text.size()}, used);
  const size_t text_mark = encoded.Open(otlp_AnyValue_string_value_tag);
  encoded.Raw(text.first(size));
  encoded.Close(text_mark);
  Add(key, encoded.bytes(), record);
}

void JournalRecord::AddNumber(std::string_view key, int64_t value, ReadRecord& record) {
  WireWriter encoded(value_);
  encoded.Varint(otlp_AnyValue_int_value_tag, static_cast<uint64_t>(value));
  Add(key, encoded.bytes(), record);
}

/// value: the contents of an AnyValue.
void JournalRecord::Add(std::string_view key, std::span<const uint8_t> value, ReadRecord& record) {
  for (size_t i = 0; i < seen_count_; ++i) {
    Seen& seen = seen_[i];
    if (key == std::string_view(reinterpret_cast<const char*>(attributes_.data()) + seen.key, seen.key_bytes)) {
      return AddToArray(seen, value, record);
    }
  }
  const size_t before = out_.size();
  if (seen_count_ < kAttributesMax) {
    const size_t attribute = out_.Open(otlp_LogRecord_attributes_tag);
    out_.String(otlp_KeyValue_key_tag, key);
    out_.Bytes(otlp_KeyValue_value_tag, value);
    out_.Close(attribute);
  }
  if (!out_.ok() || out_.size() == before) {
    out_.Rewind(before);
    record.truncated = true;
    return;
  }
  // Behind the key there are a tag, a length, and the value.
  const size_t end = out_.size(), value_at = end - value.size();
  const size_t key_at = value_at - VarintSize(value.size()) - 1 - key.size();
  seen_[seen_count_++] = {before, end, key_at, key.size(), value_at, false};
}

/// A field that is there more than once becomes an array. It is written again behind all others.
void JournalRecord::AddToArray(Seen& seen, std::span<const uint8_t> value, ReadRecord& record) {
  const size_t before = out_.size();
  const std::span<const uint8_t> old = attributes_.subspan(seen.value, seen.end - seen.value);
  const std::string_view key(reinterpret_cast<const char*>(attributes_.data()) + seen.key, seen.key_bytes);
  const size_t attribute = out_.Open(otlp_LogRecord_attributes_tag);
  out_.String(otlp_KeyValue_key_tag, key);
  const size_t any = out_.Open(otlp_KeyValue_value_tag);
  const size_t array = out_.Open(otlp_AnyValue_array_value_tag);
  const size_t contents = out_.size();
  if (seen.array) {
    out_.Raw(old);
  } else {
    out_.Bytes(otlp_ArrayValue_values_tag, old);
  }
  out_.Bytes(otlp_ArrayValue_values_tag, value);
  const size_t array_bytes = out_.size() - contents;
  out_.Close(array);
  out_.Close(any);
  out_.Close(attribute);
  if (!out_.ok()) {
    out_.Rewind(before);
    record.truncated = true;
    return;
  }
  // Over the old one.
  const size_t gone = seen.end - seen.begin, behind = seen.end;
  std::memmove(attributes_.data() + seen.begin, attributes_.data() + behind, out_.size() - behind);
  out_.Rewind(out_.size() - gone);
  for (size_t i = 0; i < seen_count_; ++i) {
    Seen& other = seen_[i];
    if (other.begin < behind) continue;
    other.begin -= gone, other.end -= gone, other.key -= gone, other.value -= gone;
  }
  const size_t end = out_.size(), value_at = end - array_bytes;
  const size_t any_bytes = 1 + VarintSize(array_bytes) + array_bytes;
  const size_t key_at = end - any_bytes - VarintSize(any_bytes) - 1 - seen.key_bytes;
  seen = {before - gone, end, key_at, seen.key_bytes, value_at, true};
}

bool JournalRecord::Wanted() const {
  if (priority_ > options_.priority) return false;
  if (options_.units.empty()) return true;
  const std::string_view unit(unit_.data(), unit_bytes_);
  std::string_view rest = options_.units;
  while (!rest.empty()) {
    const std::string_view pattern = Trim(TakeUntil(rest, ','));
    if (pattern.empty() || unit.empty()) continue;
    if (pattern.find_first_of(".*?[") == std::string_view::npos) {  // "ssh" is ssh.service.
      if (unit.size() == pattern.size() + 8 && unit.starts_with(pattern) && unit.ends_with(".service")) return true;
    } else if (GlobMatches(pattern, unit)) {
      return true;
    }
  }
  return false;
}

}  // namespace limpet
