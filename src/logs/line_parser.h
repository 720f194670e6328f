// One line of a log as a record: plain, JSON, logfmt, syslog. Formats that are an envelope around such
// lines are opened before, container_line.h.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "logs/read_record.h"

namespace limpet {

/// Views must outlive the parser.
struct LineParserOptions {
  LineFormat format = LineFormat::kPlain;  ///< cri and docker: their lines, once opened, are plain.
  std::string_view time_key = "time", level_key = "level", message_key = "message";
  std::string_view time_format = "auto";   ///< One that CheckTimeFormat has taken.
};

/// JSON: a line is one object. Members named by the keys become time, severity and body; the name of a
/// nested one is its path ("a.b.c"), and these are the names of the attributes that all others become.
/// Arrays become arrays (objects in them lists of keys), integers of 64 bits int, other numbers double; null
/// is not there. What lies deeper than kDepthMax is its JSON text.
/// logfmt: key=value, key="quoted \" value"; all values are strings but that of a bare key, which is true.
///
/// Of a key twice the later value stays (in lists inside of arrays: both). A time that cannot be read
/// stays an attribute. A message that is no string is its JSON text. Without a message the body is the
/// line as it stands, the attributes besides.
class LineParser {
 public:
  static constexpr int kDepthMax = 16;  ///< Objects and arrays inside each other.

  /// scratch: takes the encoded attributes and the unescaped texts of one record, until the next. Twice
  /// the longest line is enough for what is usual.
  LineParser(const LineParserOptions& options, std::span<uint8_t> scratch);

  /// Reads one line without its line end. Sets all of `record` but its uid and `truncated`.
  /// now: for missing years; it never becomes the time of the record.
  /// kInvalid: it is not of the format; kFull: more than the scratch or an AttributeWriter takes. `record`
  /// then has the line as its body and no attributes: it can be sent all the same.
  Status Parse(std::string_view line, UnixTime now, ReadRecord& record);

 private:
  LineParserOptions options_;
  std::span<uint8_t> scratch_;
};

}  // namespace limpet
