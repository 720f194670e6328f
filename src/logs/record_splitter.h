// Cuts what a file holds into records. It keeps nothing between calls: an unfinished record stays in
// the file, and is read again with what has come since.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "limpet/time.h"

namespace limpet {

struct SplitRecord {
  std::string_view text;    ///< Without its line end; valid until the next call.
  size_t consumed = 0;      ///< Bytes of the file that it takes, its line end included.
  bool truncated = false;   ///< Longer than max_line.
  UnixTime time;            ///< Of an envelope (cri, docker); 0: none.
  std::string_view stream;  ///< Likewise: "stdout", "stderr".
};

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
    kNeedMore,  ///< What is there is unfinished.
    kLongLine,  ///< One line fills max_line and has no end yet: the caller looks for that by reading on.
  };

  /// start: of multiline by a pattern; nullptr: none, or by indent. scratch: takes texts out of
  /// envelopes, max_line at least (and only with those formats).
  RecordSplitter(const LogConfig& config, RecordStart* start, std::span<char> scratch);

  /// The next record of `text`, the bytes of a file from the end of the last record on.
  /// flush: nothing more comes soon, what has only whole lines is taken as it is.
  /// end: nothing more comes at all, nor a line end.
  Found Next(std::string_view text, bool flush, bool end, SplitRecord& record);

 private:
  struct Line {
    std::string_view text;  ///< Without its line end.
    size_t consumed = 0;
    bool whole = false;     ///< It has a line end.
  };
  bool TakeLine(std::string_view text, bool end, Line& line) const;
  Found NextOfLines(std::string_view text, bool flush, bool end, SplitRecord& record);
  Found NextOfEnvelopes(std::string_view text, bool flush, bool end, SplitRecord& record);
  bool Continues(std::string_view line);

  const LineFormat format_;
  const size_t max_line_;
  const bool indent_;
  RecordStart* const start_;
  const std::span<char> scratch_;
};

}  // namespace limpet
