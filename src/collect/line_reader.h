// Reads a file line by line through a buffer that need not hold all of it: tables of sockets and
// users have no bound.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/files.h"

namespace limpet {

class LineReader {
 public:
  /// file: an open handle, read from its beginning.
  LineReader(Files& files, int file, std::span<char> buffer)
      : files_(files), file_(file), buffer_(buffer) {}

  /// The next line without its newline, in the buffer until the next call. False: the file has
  /// ended, or status() says what went wrong (kFull: a line is longer than the buffer).
  bool Next(std::string_view& line);

  const Status& status() const { return status_; }
  /// At the end: what stands behind the last newline.
  std::string_view rest() const { return {buffer_.data() + begin_, end_ - begin_}; }

 private:
  bool Fill();

  Files& files_;
  const int file_;
  const std::span<char> buffer_;
  uint64_t offset_ = 0;           // In the file, of what is read next.
  size_t begin_ = 0, end_ = 0;    // In the buffer, what was read and not handed over.
  Status status_;
};

}  // namespace limpet
