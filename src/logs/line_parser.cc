#include "logs/line_parser.h"

#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/text.h"
#include "base/time_format.h"
#include "base/utf8.h"
#include "logs/attribute_writer.h"
#include "logs/severity.h"
#include "logs/syslog_parser.h"
#include "otlp/json_reader.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

/// What ends a key and what a value of logfmt, by character.
enum Ends : uint8_t { kEndsValue = 1, kEndsKey = 2 };
constexpr std::array<uint8_t, 256> kEnds = [] {
  std::array<uint8_t, 256> ends{};
  ends[' '] = ends['\t'] = kEndsValue | kEndsKey;
  ends['='] = ends['"'] = kEndsKey;
  return ends;
}();

bool Is(char c, Ends what) { return (kEnds[static_cast<unsigned char>(c)] & what) != 0; }

/// Where it ends that begins there.
size_t EndOf(std::string_view line, size_t begin, Ends what) {
  const char* at = line.data() + begin;
  const char* const end = line.data() + line.size();
  while (at != end && !Is(*at, what)) ++at;
  return static_cast<size_t>(at - line.data());
}

/// What JSON and logfmt have in common: which values go where, and memory for those that are not
/// written plainly.
class KeyedLine {
 public:
  KeyedLine(const LineParserOptions& options, UnixTime now, std::string_view line, std::span<uint8_t> scratch,
            bool known_utf8, ReadRecord& record)
      : options_(options), now_(now), in_(line, JsonReader::Strings::kRepaired), scratch_(scratch),
        out_(scratch), attributes_(out_, known_utf8), record_(record) {}

 protected:
  enum class Role : uint8_t { kAttribute, kTime, kLevel, kMessage };

  Role RoleOf(std::string_view key) const {
    if (key == options_.message_key) return Role::kMessage;
    if (key == options_.level_key) return Role::kLevel;
    return key == options_.time_key ? Role::kTime : Role::kAttribute;
  }

  /// Takes it as the role has it. False: it is an attribute.
  bool Use(Role role, std::string_view text) {
    switch (role) {
      case Role::kAttribute: return false;
      case Role::kTime: {
        const Result<UnixTime> time = ParseTime(options_.time_format, text, now_);
        if (time.ok()) record_.time = time.value();
        return time.ok();
      }
      case Role::kLevel:
        if (!IsUtf8(text)) return false;  // Repaired as an attribute; it would be no severity anyway.
        record_.severity_text = text;
        record_.severity = SeverityOf(text);
        return true;
      case Role::kMessage: record_.body = text; return true;
    }
    return false;
  }

  /// A string whose opening quote has been taken. What has to be unescaped goes to the end of the
  /// scratch memory, where it stays.
  std::string_view Text() {
    std::string_view text;
    const size_t used = out_.size(), room = out_.room();
    const auto free = reinterpret_cast<char*>(scratch_.data()) + used;
    if (!in_.Text({free, room}, text)) full_ = true;
    if (text.data() != free || text.empty()) return text;
    char* const kept = free + room - text.size();
    std::memmove(kept, text.data(), text.size());
    out_.Resize(used + room - text.size());
    return {kept, text.size()};
  }

  void Finish() {
    record_.attributes = out_.bytes();
    record_.invalid_utf8 = in_.repaired() || attributes_.repaired();
  }
  bool full() const { return full_ || !attributes_.ok(); }

  const LineParserOptions& options_;
  const UnixTime now_;
  JsonReader in_;
  const std::span<uint8_t> scratch_;
  WireWriter out_;
  AttributeWriter attributes_;
  ReadRecord& record_;
  bool full_ = false;
};

class JsonLine : KeyedLine {
 public:
  JsonLine(const LineParserOptions& options, UnixTime now, std::string_view line, std::span<uint8_t> scratch,
           ReadRecord& record)
      : KeyedLine(options, now, line, scratch, true, record), line_(line) {}

  Status Read();

 private:
  std::string_view Name();
  void Member(std::string_view key);
  void String(Role role, std::string_view key);
  void Number(Role role, std::string_view key);
  void Value(int depth);
  std::string_view Skipped();
  void RawText(uint32_t field, std::string_view text);

  const std::string_view line_;
  // The objects that are open: how much of the path stands for those around each.
  std::array<uint16_t, LineParser::kDepthMax> outer_;
  size_t depth_ = 0;
  std::array<char, AttributeWriter::kKeyMax> path_;  // "a.b." inside of b.
  size_t path_size_ = 0;
};

Status JsonLine::Read() {
  in_.Enter('{');
  for (depth_ = 1; depth_ > 0 && in_.ok() && !full();) {
    if (in_.More('}')) {
      const std::string_view name = Name();
      if (in_.ok() && !full()) Member(name);
    } else if (--depth_ > 0) {
      path_size_ = outer_[depth_];
    }
  }
  if (in_.ok() && full()) return {Code::kFull, 0, "JSON line"};
  in_.End();
  Finish();
  return in_.status();
}

/// The path of the member that comes next.
std::string_view JsonLine::Name() {
  std::string_view name;
  if (!in_.Take('"')) in_.Fail("JSON name");
  if (!in_.Text(std::span(path_).subspan(path_size_), name)) full_ = true;
  if (!in_.Take(':')) in_.Fail("JSON colon");
  if (path_size_ == 0) return name;
  if (name.data() != path_.data() + path_size_) {
    if (name.size() > path_.size() - path_size_) {
      full_ = true;
      return {};
    }
    std::memcpy(path_.data() + path_size_, name.data(), name.size());
  }
  return {path_.data(), path_size_ + name.size()};
}

void JsonLine::Member(std::string_view key) {
  const Role role = RoleOf(key);
  switch (in_.Peek()) {
    case '"': String(role, key); return;
    case '{': {
      if (role == Role::kMessage || depth_ == outer_.size()) break;
      if (key.size() >= path_.size()) {
        full_ = true;
        return;
      }
      if (key.data() != path_.data()) std::memcpy(path_.data(), key.data(), key.size());
      path_[key.size()] = '.';
      outer_[depth_++] = static_cast<uint16_t>(path_size_);
      path_size_ = key.size() + 1;
      in_.Enter('{');
      return;
    }
    case '[': {
      if (role == Role::kMessage || depth_ == outer_.size()) break;
      const AttributeWriter::Marks marks = attributes_.Open(key);
      Value(static_cast<int>(depth_));
      attributes_.Close(marks);
      return;
    }
    case 't':
    case 'f':
      if (role == Role::kMessage) break;
      if (in_.TakeWord("true")) {
        attributes_.Bool(key, true);
      } else if (in_.TakeWord("false")) {
        attributes_.Bool(key, false);
      } else {
        in_.Fail("JSON value");
      }
      return;
    case 'n':
      if (!in_.TakeWord("null")) in_.Fail("JSON value");
      return;
    default: Number(role, key); return;
  }
  // As it stands.
  const std::string_view text = Skipped();
  if (role == Role::kMessage) {
    record_.body = text;
    return;
  }
  const AttributeWriter::Marks marks = attributes_.Open(key);
  RawText(otlp_AnyValue_string_value_tag, text);
  attributes_.Close(marks);
}

void JsonLine::String(Role role, std::string_view key) {
  in_.Take('"');
  const size_t bytes = out_.size() + out_.room();
  const std::string_view text = Text();
  if (Use(role, text)) return;
  attributes_.Text(key, text);
  out_.Resize(bytes);  // It has been copied.
}

void JsonLine::Number(Role role, std::string_view key) {
  const std::string_view text = in_.Number();
  if (Use(role, text)) return;
  if (const auto integer = ParseNumber<int64_t>(text)) {
    attributes_.Int(key, *integer);
  } else if (const auto number = ParseDouble(text)) {
    attributes_.Double(key, *number);
  } else {
    attributes_.Text(key, text);  // More than a double takes.
  }
}

/// Inside of arrays: writes any value as the fields of an AnyValue; null has none.
void JsonLine::Value(int depth) {
  const char first = in_.Peek();
  if ((first == '{' || first == '[') && depth == LineParser::kDepthMax) {
    RawText(otlp_AnyValue_string_value_tag, Skipped());
  } else if (first == '[') {
    const size_t array = out_.Open(otlp_AnyValue_array_value_tag);
    for (in_.Enter('['); out_.ok() && in_.More(']');) {
      const size_t value = out_.Open(otlp_ArrayValue_values_tag);
      Value(depth + 1);
      out_.Close(value);
    }
    out_.Close(array);
  } else if (first == '{') {
    const size_t list = out_.Open(otlp_AnyValue_kvlist_value_tag);
    for (in_.Enter('{'); out_.ok() && in_.More('}');) {
      const size_t pair = out_.Open(otlp_KeyValueList_values_tag);
      if (!in_.Take('"')) in_.Fail("JSON name");
      const size_t bytes = out_.size() + out_.room();
      out_.String(otlp_KeyValue_key_tag, Text());
      out_.Resize(bytes);
      if (!in_.Take(':')) in_.Fail("JSON colon");
      const size_t value = out_.Open(otlp_KeyValue_value_tag);
      Value(depth + 1);
      out_.Close(value);
      out_.Close(pair);
    }
    out_.Close(list);
  } else if (first == '"') {
    in_.Take('"');
    const size_t bytes = out_.size() + out_.room();
    out_.String(otlp_AnyValue_string_value_tag, Text());
    out_.Resize(bytes);
  } else if (in_.TakeWord("true") || in_.TakeWord("false")) {
    out_.Bool(otlp_AnyValue_bool_value_tag, first == 't');
  } else if (!in_.TakeWord("null")) {
    const std::string_view text = in_.Number();
    if (const auto integer = ParseNumber<int64_t>(text)) {
      out_.Varint(otlp_AnyValue_int_value_tag, static_cast<uint64_t>(*integer));
    } else if (const auto number = ParseDouble(text)) {
      out_.Double(otlp_AnyValue_double_value_tag, *number);
    } else {
      out_.String(otlp_AnyValue_string_value_tag, text);
    }
  }
}

/// Passes over the value and returns its text.
std::string_view JsonLine::Skipped() {
  in_.Peek();
  const size_t begin = in_.position();
  in_.Skip();
  return line_.substr(begin, in_.position() - begin);
}

/// A part of the line, which may be no UTF-8.
void JsonLine::RawText(uint32_t field, std::string_view text) {
  AttributeWriter repairing(out_, false);
  repairing.WriteText(field, text);
}

class LogfmtLine : KeyedLine {
 public:
  LogfmtLine(const LineParserOptions& options, UnixTime now, std::string_view line,
             std::span<uint8_t> scratch, ReadRecord& record)
      : KeyedLine(options, now, line, scratch, IsUtf8(line), record), line_(line) {}

  Status Read();

 private:
  bool Value(std::string_view key);
  const std::string_view line_;
  size_t at_ = 0;
};

Status LogfmtLine::Read() {
  bool any = false;
  while (!full()) {
    while (at_ < line_.size() && Is(line_[at_], kEndsValue)) ++at_;
    if (at_ == line_.size()) break;
    const size_t begin = at_;
    at_ = EndOf(line_, at_, kEndsKey);
    const std::string_view key = line_.substr(begin, at_ - begin);
    const char next = at_ < line_.size() ? line_[at_] : ' ';
    if (key.empty() || next == '"') return {Code::kInvalid, static_cast<int32_t>(at_), "logfmt key"};
    if (next != '=') {
      attributes_.Bool(key, true);
      continue;
    }
    ++at_;
    any = true;
    if (!Value(key)) return {Code::kInvalid, static_cast<int32_t>(at_), "logfmt value"};
  }
  if (full()) return {Code::kFull, 0, "logfmt line"};
  if (!any) return {Code::kInvalid, 0, "logfmt line"};
  Finish();
  return {};
}

bool LogfmtLine::Value(std::string_view key) {
  const size_t bytes = out_.size() + out_.room();
  std::string_view text;
  if (at_ < line_.size() && line_[at_] == '"') {
    in_.Seek(at_ + 1);
    text = Text();
    at_ = in_.position();
    if (!in_.ok() || (at_ < line_.size() && !Is(line_[at_], kEndsValue))) return false;
  } else {
    const size_t begin = at_;
    at_ = EndOf(line_, at_, kEndsValue);
    text = line_.substr(begin, at_ - begin);
  }
  if (Use(RoleOf(key), text)) return true;
  attributes_.Text(key, text);
  out_.Resize(bytes);
  return true;
}

}  // namespace

LineParser::LineParser(const LineParserOptions& options, std::span<uint8_t> scratch)
    : options_(options), scratch_(scratch) {}

Status LineParser::Parse(std::string_view line, UnixTime now, ReadRecord& record) {
  const auto reset = [&] {
    record.time = {};
    record.severity = Severity::kUnspecified;
    record.severity_text = {};
    record.body = line;
    record.attributes = {};
    record.invalid_utf8 = record.undecoded = false;
  };
  reset();
  Status status;
  switch (options_.format) {
    case LineFormat::kPlain:
    case LineFormat::kCri:
    case LineFormat::kDocker: return {};
    case LineFormat::kJson: status = JsonLine(options_, now, line, scratch_, record).Read(); break;
    case LineFormat::kLogfmt: status = LogfmtLine(options_, now, line, scratch_, record).Read(); break;
    case LineFormat::kSyslog: {
      WireWriter attributes(scratch_);
      return ParseSyslog(line, now, attributes, record);
    }
  }
  if (!status.ok()) reset();
  return status;
}

}  // namespace limpet
