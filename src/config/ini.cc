#include "config/ini.h"

#include <ini.h>

#include <cstring>

#include "base/text.h"
#include "limpet/status.h"

#if !INI_HANDLER_LINENO || !INI_CALL_HANDLER_ON_NEW_SECTION || INI_ALLOW_INLINE_COMMENTS
#error "inih is not built as cmake/dependencies.cmake asks"
#endif

#ifndef LIMPET_INIH_VERSION
#define LIMPET_INIH_VERSION "unknown"
#endif

namespace limpet {
namespace {

// The messages below name these two bounds.
static_assert(kIniLineMax == 4094 && kIniLineMax + 2 <= INI_MAX_LINE);  // A line, an LF, a NUL.
constexpr size_t kSectionMax = 49;  // inih cuts longer names without a word (its MAX_SECTION).

struct Reader {
  std::string_view rest;
  IniHandler& handler;
  int line = 0;
};

bool IsComment(std::string_view text) { return text.empty() || text[0] == ';' || text[0] == '#'; }

/// Bytes that no line may hold, not even in a comment. Null when there is none.
const char* BytesFault(std::string_view line) {
  for (size_t i = 0; i < line.size();) {
    const auto c = static_cast<unsigned char>(line[i]);
    if (c == 0) return "there is a NUL byte in this line";
    if ((c < 0x20 && c != '\t') || c == 0x7f) return "there is a control character in this line";
    const size_t length = Utf8Length(line.substr(i));
    if (length == 0) return "this line is not valid UTF-8";
    i += length;
  }
  return nullptr;
}

/// What inih would not report for each line, or not at all. Null when the line is fine.
const char* LineFault(std::string_view line) {
  if (const char* const fault = BytesFault(line)) return fault;
  if (IsComment(line)) return nullptr;
  if (line.size() > kIniLineMax) return "this line is longer than 4094 bytes";
  if (line[0] == '[') {
    const size_t end = line.find(']');
    if (end == std::string_view::npos) return "expected ] at the end of the section's name";
    if (end == 1) return "expected a name between [ and ]";
    if (end - 1 > kSectionMax) return "the section's name is longer than 49 bytes";
    if (!IsComment(Trim(line.substr(end + 1)))) return "expected nothing behind the section's name";
    return nullptr;
  }
  const size_t end = line.find_first_of("=:");
  if (end == std::string_view::npos || line[end] == ':') return "expected key = value";
  if (end == 0) return "expected a key before =";
  return nullptr;
}

/// Stands in for fgets: hands inih one line at a time, and an empty one for each that is at fault.
char* ReadLine(char* into, int room, void* stream) {
  Reader& reader = *static_cast<Reader*>(stream);
  if (reader.rest.empty()) return nullptr;
  std::string_view line = TakeUntil(reader.rest, '\n');
  ++reader.line;
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  line = Trim(line);
  const char* const fault = LineFault(line);
  if (fault != nullptr) reader.handler.OnFault(reader.line, fault);
  if (fault != nullptr || IsComment(line)) line = {};
  LIMPET_CHECK(line.size() + 2 <= static_cast<size_t>(room));
  if (!line.empty()) std::memcpy(into, line.data(), line.size());
  std::memcpy(into + line.size(), "\n", 2);
  return into;
}

int OnIni(void* user, const char* section, const char* name, const char* value, int line) {
  IniHandler& handler = static_cast<Reader*>(user)->handler;
  if (name == nullptr) {
    handler.OnSection(line, Trim(section));
  } else {
    handler.OnKey(line, name, value);
  }
  return 1;
}

}  // namespace

void ParseIni(std::string_view text, IniHandler& handler) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  Reader reader{text, handler};
  const int fault = ini_parse_stream(ReadLine, &reader, OnIni, &reader);
  LIMPET_CHECK(fault == 0);  // LineFault is at least as strict.
}

const char* IniLibraryVersion() { return LIMPET_INIH_VERSION; }

}  // namespace limpet
