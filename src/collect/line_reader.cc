#include "collect/line_reader.h"

#include <cstring>

namespace limpet {

bool LineReader::Next(std::string_view& line) {
  for (size_t searched = 0;;) {
    const std::string_view unread = rest();
    const size_t newline = unread.find('\n', searched);
    if (newline != std::string_view::npos) {
      line = unread.substr(0, newline);
      begin_ += newline + 1;
      return true;
    }
    searched = unread.size();
    if (!Fill()) return false;
  }
}

/// Reads on behind what is there. False at the end and on a failure.
bool LineReader::Fill() {
  if (end_ == buffer_.size() && begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ == buffer_.size()) {
    status_ = {Code::kFull, 0, "a line is longer than its buffer"};
    return false;
  }
  const Result<size_t> got = files_.ReadAt(file_, offset_, buffer_.subspan(end_));
  if (!got.ok()) {
    status_ = got.status();
    return false;
  }
  offset_ += got.value();
  end_ += got.value();
  return got.value() > 0;
}

}  // namespace limpet
