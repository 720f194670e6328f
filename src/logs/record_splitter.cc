#include "logs/record_splitter.h"

#include <algorithm>
#include <cstring>

#include "logs/container_line.h"

namespace limpet {

RecordSplitter::RecordSplitter(const LogConfig& config, RecordStart* start, std::span<char> scratch)
    : format_(config.format),
      max_line_(config.max_line_bytes),
      indent_(config.multiline == "indent"),
      start_(start),
      scratch_(scratch) {}

/// False: there is none that is whole, or allowed to be without an end.
bool RecordSplitter::TakeLine(std::string_view text, bool end, Line& line) const {
  if (text.empty()) return false;
  const void* const found = std::memchr(text.data(), '\n', text.size());
  if (found == nullptr && !end) return false;
  const size_t size = found == nullptr ? text.size()
                                       : static_cast<size_t>(static_cast<const char*>(found) - text.data());
  line.whole = found != nullptr;
  line.consumed = size + (line.whole ? 1 : 0);
  line.text = text.substr(0, size);
  if (line.whole && line.text.ends_with('\r')) line.text.remove_suffix(1);
  return true;
}

/// Does the line belong to the record before it?
bool RecordSplitter::Continues(std::string_view line) {
  if (start_ != nullptr) return !start_->Begins(line);
  return indent_ && (line.empty() || line.front() == ' ' || line.front() == '\t');
}

RecordSplitter::Found RecordSplitter::Next(std::string_view text, bool flush, bool end, SplitRecord& record) {
  record = {};
  const bool envelope = format_ == LineFormat::kCri || format_ == LineFormat::kDocker;
  return envelope ? NextOfEnvelopes(text, flush || end, end, record) : NextOfLines(text, flush || end, end, record);
}

RecordSplitter::Found RecordSplitter::NextOfLines(std::string_view text, bool flush, bool end,
                                                  SplitRecord& record) {
  Line line;
  if (!TakeLine(text, end, line)) {
    return text.size() > max_line_ ? Found::kLongLine : Found::kNeedMore;
  }
  record.text = line.text;
  record.consumed = line.consumed;
  if (line.text.size() > max_line_) {
    record.text = line.text.substr(0, max_line_);
    record.truncated = true;
    return Found::kRecord;
  }
  if (start_ == nullptr && !indent_) return Found::kRecord;
  // The lines that follow, as long as they belong to it and all fits.
  for (;;) {
    if (!TakeLine(text.substr(record.consumed), end, line)) {
      // One that is longer than what is left would not fit anyway.
      const bool too_long = text.size() > max_line_;
      return flush || too_long ? Found::kRecord : Found::kNeedMore;
    }
    const size_t size = record.consumed + line.text.size();
    if (!Continues(line.text) || size > max_line_) return Found::kRecord;
    record.text = text.substr(0, size);
    record.consumed += line.consumed;
  }
}

/// Texts of one stream, joined in scratch: partial ones to a line, lines to a record.
RecordSplitter::Found RecordSplitter::NextOfEnvelopes(std::string_view text, bool flush, bool end,
                                                      SplitRecord& record) {
  size_t used = 0, at = 0;
  bool partial = false;
  while (true) {
    Line line;
    if (!TakeLine(text.substr(at), end, line)) {
      if (at == 0) return text.size() > max_line_ ? Found::kLongLine : Found::kNeedMore;
      if (!flush && text.size() - at <= max_line_) return Found::kNeedMore;
      break;
    }
    ContainerLine opened;
    const std::span<char> room = scratch_.subspan(used);
    const Status status = format_ == LineFormat::kCri ? ParseCri(line.text, opened)
                                                      : ParseDocker(line.text, room, opened);
    if (!status.ok()) {
      if (at > 0) break;
      record.text = line.text.substr(0, max_line_);  // It is sent as it is.
      record.truncated = line.text.size() > max_line_;
      record.consumed = line.consumed;
      return Found::kRecord;
    }
    const bool joins = at > 0 && opened.stream == record.stream && (partial || Continues(opened.text));
    if (at > 0 && !joins) break;
    if (at == 0) record.time = opened.time, record.stream = opened.stream;
    const size_t between = at > 0 && !partial ? 1 : 0;
    if (used + between + opened.text.size() > std::min(max_line_, scratch_.size())) {
      if (at > 0 && !partial) break;  // A record of its own.
      record.truncated = true;
    }
    const size_t fits = std::min(max_line_, scratch_.size()) - used;
    if (between > 0 && fits > 0) {
      // The text may lie where the line end has to go.
      const size_t count = std::min(opened.text.size(), fits - 1);
      std::memmove(scratch_.data() + used + 1, opened.text.data(), count);
      scratch_[used] = '\n';
      used += 1 + count;
    } else {
      const size_t count = std::min(opened.text.size(), fits);
      std::memmove(scratch_.data() + used, opened.text.data(), count);
      used += count;
    }
    at += line.consumed;
    record.consumed = at;
    partial = opened.partial;
    if (!partial && start_ == nullptr && !indent_) break;
  }
  record.text = {scratch_.data(), used};
  return Found::kRecord;
}

}  // namespace limpet
