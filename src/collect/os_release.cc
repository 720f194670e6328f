#include "collect/os_release.h"

#include <cstddef>

#include "base/text.h"

namespace limpet {
namespace {

/// Resolves quotes and backslashes; what is written never overtakes what is read.
std::string_view Unquote(std::span<char> value) {
  size_t size = 0;
  char quote = 0;
  for (size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quote == 0 && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = 0;
    } else if (c == '\\' && quote != '\'' && i + 1 < value.size()) {
      value[size++] = value[++i];
    } else {
      value[size++] = c;
    }
  }
  return {value.data(), size};
}

}  // namespace

OsRelease ParseOsRelease(std::span<char> text) {
  OsRelease release;
  std::string_view rest(text.data(), text.size());
  while (!rest.empty()) {
    std::string_view line = Trim(TakeUntil(rest, '\n'));  // Edited by hand: blanks, no newline.
    const std::string_view key = TakeUntil(line, '=');
    std::string_view* const field = key == "NAME"          ? &release.name
                                    : key == "VERSION_ID"  ? &release.version_id
                                    : key == "PRETTY_NAME" ? &release.pretty_name
                                    : key == "BUILD_ID"    ? &release.build_id
                                                           : nullptr;
    if (field == nullptr || line.empty()) continue;
    *field = Unquote(text.subspan(static_cast<size_t>(line.data() - text.data()), line.size()));
  }
  return release;
}

}  // namespace limpet
