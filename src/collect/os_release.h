// /etc/os-release: what the distribution calls itself.
#pragma once

#include <span>
#include <string_view>

namespace limpet {

/// Empty where the file does not say. The views point into the text that was parsed.
struct OsRelease {
  std::string_view name;         ///< NAME, "Debian GNU/Linux".
  std::string_view version_id;   ///< VERSION_ID, "12".
  std::string_view pretty_name;  ///< PRETTY_NAME, "Debian GNU/Linux 12 (bookworm)".
  std::string_view build_id;     ///< BUILD_ID, of images.
};

/// Parses the text of os-release, lines of KEY=value with the shell's quoting, which is resolved in
/// place: the text is changed. Lines that are no assignment are skipped, an unclosed quote ends
/// with its line; of a key that comes twice the last one counts.
/// Source: os-release(5).
OsRelease ParseOsRelease(std::span<char> text);

}  // namespace limpet
