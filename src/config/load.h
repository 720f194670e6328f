// Builds the configuration out of --set, one file, and the files that it includes, and reports
// everything that is wrong with them, each with its place.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/text.h"
#include "config/config.h"
#include "config/value.h"
#include "limpet/files.h"
#include "limpet/status.h"

namespace limpet {

inline constexpr size_t kConfigBytesMax = 256 * 1024;  // All files together.
inline constexpr size_t kConfigFilesMax = 64;
inline constexpr size_t kConfigSectionsMax = 48;
inline constexpr size_t kConfigKeysMax = 384;

/// Gets each error in the order in which it is found.
class ErrorSink {
 public:
  /// file: as it was named, or "--set". line: from 1; 0 when it is about all of it.
  virtual void OnError(std::string_view file, int line, std::string_view text) = 0;

 protected:
  ~ErrorSink() = default;
};

/// "limpet.ini:12: host.intervall: unknown key (did you mean interval?)", without a line end.
void WriteError(TextWriter& out, std::string_view file, int line, std::string_view text);

struct LoadInput {
  std::string_view path;                       ///< The file.
  std::span<const std::string_view> settings;  ///< "section.key=value": go before any file.
  Files& files;
  Variables& variables;
  PatternCheck* patterns = nullptr;  ///< nullptr: patterns are taken as they are.
  std::span<char> scratch;  ///< Holds one file at a time; unused afterwards.
  std::span<char> arena;    ///< Holds the texts that `config` points to.
};

/// Fills in all of `config`.
/// kNotFound, kDenied, kIo: the file cannot be read. kInvalid: there are errors, `detail` many.
/// kFull: scratch or arena is too small. In each case the sink has been told.
Status LoadConfig(const LoadInput& input, Config& config, ErrorSink& sink);

}  // namespace limpet
