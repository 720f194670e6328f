// Cuts what a file holds into records. It keeps nothing between calls: an unfinished record stays in
// the file, and is read again with what has come since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "limpet/time.h"
#include "logs/container_line.h"

namespace limpet {

struct SplitRecord {
  std::string_view text;    ///< Without its line end; valid until the next call.
  size_t consumed = 0;      ///< Bytes of the file that it takes, its line end included.
  bool truncated = false;   ///< Longer than max_line.
  bool repaired = false;    ///< Bytes of an envelope (docker) were no UTF-8: the text has U+FFFD for them.
  UnixTime time;            ///< Of an envelope (cri, docker); 0: none.
  std::string_view stream;  ///< Likewise: "stdout", "stderr".
};

/// What ends a line whose end is not in sight: a line end; or, of the partial lines of a container, the first
/// that is not partial, or of another stream.
enum class LineEnd : uint8_t { kLineEnd, kOfStdout, kOfStderr, kOfNoStream };

/// Says where a record of several lines begins.
class RecordStart {
 public:
  virtual bool Begins(std::string_view line) = 0;

 protected:
  ~RecordStart() = default;
};

class RecordSplitter {
 public:
  enum class Found : uint8_t {
    kRecord,
    kNeedMore,  ///< What is there is unfinished. Never of a text of text_max bytes.
    kLongLine,  ///< A line longer than max_line whose end is not in `text`: see Skip.
  };

  /// start: of multiline by a pattern; nullptr: none, or by indent. text_max: a text that is as long holds all
  /// that the caller can: TextMin at least. scratch: ScratchBytes.
  RecordSplitter(const LogConfig& config, RecordStart* start, size_t text_max, std::span<char> scratch);
  static constexpr size_t TextMin(size_t max_line) { return max_line + 3; }
  /// Takes texts out of envelopes; none without.
  static size_t ScratchBytes(const LogConfig& config, size_t text_max);

  /// The next record of `text`, the bytes of a file from the end of the last record on.
  /// flush: nothing more comes soon, what has only whole lines is taken as it is.
  /// end: nothing more comes at all, nor a line end.
  /// kLongLine: record.consumed is how much of the text is known to belong to the line.
  Found Next(std::string_view text, bool flush, bool end, SplitRecord& record, LineEnd& line_end);

  /// On to the end of a long line, so that nothing is sent of it before, and its rest never becomes a record.
  /// text: what follows what is known to belong to the line. False: its end is not there either.
  /// consumed: how much of `text` belongs to it.
  bool Skip(std::string_view text, bool flush, bool end, LineEnd line_end, size_t& consumed);

  /// The record of a long line. text: as Next had it. consumed: the bytes of the whole line.
  void Cut(std::string_view text, size_t consumed, LineEnd line_end, SplitRecord& record);

 private:
  struct Line {
    std::string_view text;  ///< Without its line end.
    size_t consumed = 0;
  };
  bool TakeLine(std::string_view text, bool end, Line& line) const;
  std::string_view Head(std::string_view text) const { return Head(text, max_line_); }
  static std::string_view Head(std::string_view text, size_t most);
  bool Continues(std::string_view line);
  bool Multiline() const { return indent_ || start_ != nullptr; }
  bool Open(std::string_view line, ContainerLine& opened);
  Found NextOfLines(std::string_view text, bool flush, bool end, SplitRecord& record);
  Found NextOfEnvelopes(std::string_view text, bool flush, bool end, SplitRecord& record, LineEnd& line_end);

  const LineFormat format_;
  const size_t max_line_, text_max_;
  const bool indent_;
  RecordStart* const start_;
  const std::span<char> joined_;     // max_line.
  const std::span<char> unescaped_;  // docker: the text of a line.
};

}  // namespace limpet
