#include "logs/syslog_parser.h"

#include <array>
#include <optional>

#include "base/text.h"
#include "base/time_format.h"
#include "base/utf8.h"
#include "logs/attribute_writer.h"
#include "logs/severity.h"

namespace limpet {
namespace {

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// <PRI> off the front: 8 * facility + severity.
std::optional<unsigned> TakePriority(std::string_view& rest) {
  const size_t close = rest.substr(0, 5).find('>');
  if (!rest.starts_with('<') || close == rest.npos) return std::nullopt;
  const std::optional<uint8_t> priority = ParseNumber<uint8_t>(rest.substr(1, close - 1));
  if (!priority || *priority > 191) return std::nullopt;
  rest.remove_prefix(close + 1);
  return *priority;
}

/// One field of a header, and the blank behind it.
std::string_view TakeField(std::string_view& rest) { return TakeUntil(rest, ' '); }

class SyslogMessage {
 public:
  SyslogMessage(std::string_view text, UnixTime now, AttributeWriter& out, ReadRecord& record)
      : rest_(text), now_(now), out_(out), record_(record) {}

  /// False: it is none.
  bool Read();

 private:
  bool ReadHeader();
  bool TakeBsdTime();
  bool TakeTag();
  bool TakeElements();
  void Parameter(std::string_view id, std::string_view name, std::string_view value);
  void Put(std::string_view key, std::string_view value) {
    if (!value.empty() && value != "-") out_.Text(key, value);
  }

  std::string_view rest_;
  const UnixTime now_;
  AttributeWriter& out_;
  ReadRecord& record_;
};

bool SyslogMessage::Read() {
  const std::optional<unsigned> priority = TakePriority(rest_);
  if (priority) {
    record_.severity = SeverityOfSyslog(*priority % 8);
    record_.severity_text = NameOfSyslog(*priority % 8);
    out_.Int("syslog.facility", *priority / 8);
  }
  if (!ReadHeader()) {
    const bool has_time = TakeBsdTime();
    if (!priority && !has_time) return false;
    if (has_time && !TakeTag()) {
      // No tag, so that it is the host.
      std::string_view behind = rest_;
      const std::string_view host = TakeField(behind);
      if (!behind.empty()) {
        Put("host.name", host);
        rest_ = behind;
        TakeTag();
      }
    } else if (!has_time) {
      TakeTag();
    }
  }
  constexpr std::string_view kBom = "\xef\xbb\xbf";
  if (rest_.starts_with(kBom)) rest_.remove_prefix(kBom.size());
  record_.body = rest_;
  return true;
}

/// RFC 5424: VERSION TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA [MSG].
bool SyslogMessage::ReadHeader() {
  std::string_view rest = rest_;
  const std::string_view version = TakeField(rest);
  if (version.empty() || version.size() > 3 || version[0] == '0' || !IsDigit(version[0])) return false;
  const std::optional<unsigned> number = ParseNumber<unsigned>(version);
  const std::string_view time = TakeField(rest);
  if (!number || (time != "-" && (time.size() < 20 || time[4] != '-'))) return false;
  if (time != "-") {
    const Result<UnixTime> read = ParseTime("auto", time, now_);
    if (!read.ok()) return false;
    record_.time = read.value();
  }
  out_.Int("syslog.version", *number);
  for (const char* key : {"host.name", "service.name", "syslog.procid", "syslog.msgid"}) {
    Put(key, TakeField(rest));
  }
  rest_ = rest;
  if (rest_ == "-") {
    rest_ = {};
  } else if (rest_.starts_with("- ")) {
    rest_.remove_prefix(2);
  } else if (rest_.starts_with('[') && TakeElements() && rest_.starts_with(' ')) {
    rest_.remove_prefix(1);
  }
  return true;
}

/// [ID NAME="VALUE" ...]..., off the front as far as it is well-formed.
bool SyslogMessage::TakeElements() {
  std::string_view rest = rest_;
  while (rest.starts_with('[')) {
    rest.remove_prefix(1);
    const size_t id_end = rest.find_first_of(" ]");
    if (id_end == 0 || id_end == rest.npos) return false;
    const std::string_view id = rest.substr(0, id_end);
    rest.remove_prefix(id_end);
    while (true) {
      while (rest.starts_with(' ')) rest.remove_prefix(1);
      if (rest.starts_with(']')) break;
      const size_t equals = rest.find('=');
      if (equals == 0 || equals == rest.npos || rest.substr(equals + 1, 1) != "\"") return false;
      const std::string_view name = rest.substr(0, equals);
      if (name.find_first_of(" ]\"") != name.npos) return false;
      rest.remove_prefix(equals + 2);
      size_t end = 0;
      while (end < rest.size() && rest[end] != '"') end += rest[end] == '\\' ? 2 : 1;
      if (end >= rest.size()) return false;
      Parameter(id, name, rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    rest.remove_prefix(1);
    rest_ = rest;
  }
  return true;
}

// RFC 5424 section 7.2, as the data model of OpenTelemetry's logs maps it.
void SyslogMessage::Parameter(std::string_view id, std::string_view name, std::string_view value) {
  TextBuffer<AttributeWriter::kKeyMax + 1> key;  // Longer than it may be where it is cut.
  if (id == "origin" && name == "ip") {
    key << "client.address";
  } else if (id == "origin" && name == "swVersion") {
    key << "service.version";
  } else {
    key << "syslog." << id << '.' << name;
  }
  out_.EscapedText(key.text(), value, "\"\\]");
}

/// "Oct 11 22:14:15", with a year or decimals, too, or a time of RFC 3339; a colon may end it.
bool SyslogMessage::TakeBsdTime() {
  std::string_view rest = rest_;
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  if (rest.size() < 8) return false;
  const char* const begin = rest.data();
  std::string_view last;
  if (IsDigit(rest[0])) {
    last = TakeField(rest);
    if (last.size() < 19 || last[4] != '-') return false;
  } else {
    TakeWord(rest);
    TakeWord(rest);
    last = TakeWord(rest);
    if (last.size() == 4) last = TakeWord(rest);
    if (rest.starts_with(' ')) rest.remove_prefix(1);
  }
  if (last.ends_with(':')) last.remove_suffix(1);
  const std::string_view text(begin, static_cast<size_t>(last.data() + last.size() - begin));
  const Result<UnixTime> time = ParseTime("auto", text, now_);
  if (!time.ok()) return false;
  record_.time = time.value();
  rest_ = rest;
  return true;
}

/// "su[42]: " or "kernel: ", off the front.
bool SyslogMessage::TakeTag() {
  const size_t end = rest_.find_first_of(" [:");
  if (end == 0 || end == rest_.npos || rest_[end] == ' ') return false;
  std::string_view rest = rest_.substr(end), process;
  if (rest[0] == '[') {
    const size_t close = rest.find(']');
    if (close == rest.npos) return false;
    process = rest.substr(1, close - 1);
    if (process.find(' ') != process.npos) return false;
    rest.remove_prefix(close + 1);
    if (!rest.empty() && rest[0] != ':' && rest[0] != ' ') return false;
  }
  if (rest.starts_with(':')) rest.remove_prefix(1);
  // A colon inside of a word: the address of a host.
  if (!rest.empty() && rest[0] != ' ') return false;
  Put("service.name", rest_.substr(0, end));
  Put("syslog.procid", process);
  if (!rest.empty()) rest.remove_prefix(1);
  rest_ = rest;
  return true;
}

}  // namespace

Status ParseSyslog(std::string_view message, UnixTime now, WireWriter& attributes, ReadRecord& record) {
  const size_t begin = attributes.size();
  // What frames or ends it in some senders.
  while (!message.empty() && (message.back() == '\n' || message.back() == '\0')) message.remove_suffix(1);
  record.time = {};
  record.severity = Severity::kUnspecified;
  record.severity_text = {};
  record.undecoded = false;

  AttributeWriter out(attributes, IsUtf8(message));
  const bool read = SyslogMessage(message, now, out, record).Read();
  record.invalid_utf8 = out.repaired();
  record.attributes = attributes.bytes();
  if (read && out.ok()) return {};
  attributes.Rewind(begin);
  record.time = {};
  record.severity = Severity::kUnspecified;
  record.severity_text = {};
  record.body = message;
  record.attributes = attributes.bytes();
  record.invalid_utf8 = false;
  return {read ? Code::kFull : Code::kInvalid, 0, "syslog message"};
}

}  // namespace limpet
