// The grammar of configuration files: lines into sections, keys and raw values. inih does the
// splitting; what it would cut or pass over in silence is found here first.
#pragma once

#include <cstddef>
#include <string_view>

namespace limpet {

/// Bytes of a line without its end and outer blanks.
inline constexpr size_t kIniLineMax = 4094;

/// Lines count from 1. Views live until the call returns.
class IniHandler {
 public:
  /// `[name]`
  virtual void OnSection(int line, std::string_view name) = 0;

  /// `key = value`. The value is as written, without outer blanks: quotes, a comment behind it and
  /// variables are still in it (value.h).
  virtual void OnKey(int line, std::string_view key, std::string_view value) = 0;

  /// A line that is neither and is passed over: `what` says why.
  virtual void OnFault(int line, std::string_view what) = 0;

 protected:
  ~IniHandler() = default;
};

/// Calls the handler for each line that is not blank and not a comment, in order.
/// text: the whole file; LF or CR LF, a byte order mark at the front is skipped.
void ParseIni(std::string_view text, IniHandler& handler);

/// The library's version, for `limpet version`.
const char* IniLibraryVersion();

}  // namespace limpet
