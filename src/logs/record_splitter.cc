#include "logs/record_splitter.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/utf8.h"

namespace limpet {
namespace {

bool HasEnvelope(LineFormat format) { return format == LineFormat::kCri || format == LineFormat::kDocker; }

LineEnd EndOf(std::string_view stream) {
  if (stream == "stdout") return LineEnd::kOfStdout;
  return stream == "stderr" ? LineEnd::kOfStderr : LineEnd::kOfNoStream;
}

/// Where the first \n stands; text.size(): nowhere. All bytes of a file go this way, and musl's memchr looks at
/// one word after the other.
size_t FindNewline(std::string_view text) {
  using Word = uint64_t;
  constexpr Word kOnes = 0x0101010101010101, kHighs = kOnes << 7, kNewlines = kOnes * '\n';
  // The high bit of each byte that is one is set; above the first that is, of others, too.
  const auto newlines = [&](size_t at) {
    Word word;
    std::memcpy(&word, text.data() + at, sizeof word);
    word ^= kNewlines;
    return (word - kOnes) & ~word & kHighs;
  };
  constexpr size_t kStep = 4 * sizeof(Word);
  size_t at = 0;
  while (text.size() - at >= kStep && (newlines(at) | newlines(at + 8) | newlines(at + 16) | newlines(at + 24)) == 0) {
    at += kStep;
  }
  if constexpr (std::endian::native == std::endian::little) {
    for (; text.size() - at >= sizeof(Word); at += sizeof(Word)) {
      if (const Word found = newlines(at); found != 0) return at + static_cast<size_t>(std::countr_zero(found)) / 8;
    }
  }
  while (at < text.size() && text[at] != '\n') ++at;
  return at;
}

/// Empty lines at the end of a record separate it from the next.
std::string_view WithoutEmptyLines(std::string_view text) {
  while (text.ends_with('\n')) {
    text.remove_suffix(1);
    if (text.ends_with('\r')) text.remove_suffix(1);
  }
  return text;
}

}  // namespace

size_t RecordSplitter::ScratchBytes(const LogConfig& config, size_t text_max) {
  if (!HasEnvelope(config.format)) return 0;
  return config.max_line_bytes + (config.format == LineFormat::kDocker ? text_max : 0);
}

RecordSplitter::RecordSplitter(const LogConfig& config, RecordStart* start, size_t text_max,
                               std::span<char> scratch)
    : format_(config.format),
      max_line_(config.max_line_bytes),
      text_max_(text_max),
      indent_(config.multiline == "indent"),
      start_(start),
      joined_(HasEnvelope(format_) ? scratch.first(max_line_) : std::span<char>()),
      unescaped_(format_ == LineFormat::kDocker ? scratch.subspan(max_line_) : std::span<char>()) {
  LIMPET_CHECK(text_max >= TextMin(max_line_));
}

/// False: there is none that is whole, or allowed to be without an end.
bool RecordSplitter::TakeLine(std::string_view text, bool end, Line& line) const {
  if (text.empty()) return false;
  const size_t size = FindNewline(text);
  if (size == text.size()) {
    line = {text, text.size()};
    return end;
  }
  line = {text.substr(0, size), size + 1};
  if (line.text.ends_with('\r')) line.text.remove_suffix(1);
  return true;
}

/// No half character at its end.
std::string_view RecordSplitter::Head(std::string_view text, size_t most) {
  if (text.size() <= most) return text;
  for (size_t back = 1; back <= 3 && back <= most; ++back) {
    const size_t length = Utf8Length(text.substr(most - back));
    if (length > back) return text.substr(0, most - back);
    if (length != 0) break;
  }
  return text.substr(0, most);
}

/// Does the line belong to the record before it?
bool RecordSplitter::Continues(std::string_view line) {
  if (start_ != nullptr) return !start_->Begins(line);
  return indent_ && (line.empty() || line.front() == ' ' || line.front() == '\t');
}

RecordSplitter::Found RecordSplitter::Next(std::string_view text, bool flush, bool end, SplitRecord& record,
                                           LineEnd& line_end) {
  record = {};
  line_end = LineEnd::kLineEnd;
  if (HasEnvelope(format_)) return NextOfEnvelopes(text, flush || end, end, record, line_end);
  return NextOfLines(text, flush || end, end, record);
}

RecordSplitter::Found RecordSplitter::NextOfLines(std::string_view text, bool flush, bool end,
                                                  SplitRecord& record) {
  // What has no line end may still get a \r\n; and the character at max_line is seen to its end.
  const bool too_long = text.size() >= TextMin(max_line_);
  Line line;
  if (!TakeLine(text, end, line)) {
    record.consumed = text.size();
    return too_long ? Found::kLongLine : Found::kNeedMore;
  }
  record.text = Head(line.text);
  record.consumed = line.consumed;
  record.truncated = line.text.size() > max_line_;
  if (record.truncated || !Multiline()) return Found::kRecord;
  // The lines that follow, as long as they belong to it and all fits.
  while (TakeLine(text.substr(record.consumed), end, line)) {
    const size_t size = record.consumed + line.text.size();
    if (!Continues(line.text) || size > max_line_) {
      record.text = WithoutEmptyLines(record.text);
      return Found::kRecord;
    }
    record.text = text.substr(0, size);
    record.consumed += line.consumed;
  }
  if (!flush && !too_long) return Found::kNeedMore;
  record.text = WithoutEmptyLines(record.text);
  return Found::kRecord;
}

/// False: it is no such envelope.
bool RecordSplitter::Open(std::string_view line, ContainerLine& opened) {
  if (format_ == LineFormat::kCri) return ParseCri(line, opened).ok();
  return ParseDocker(line, unescaped_, opened).ok();
}

// A line of the container may stand in several of the runtime's, a record in several lines. What does not fit
// max_line: of the first line the rest is cut off; any other begins a record of its own.
RecordSplitter::Found RecordSplitter::NextOfEnvelopes(std::string_view text, bool flush, bool end,
                                                      SplitRecord& record, LineEnd& line_end) {
  struct Point {
    size_t consumed = 0, joined = 0;
    bool repaired = false;
  };
  const bool full = text.size() >= text_max_;
  Point now, before;     // `before`: the line that is being joined.
  bool partial = false;  // It goes on.
  for (Line line; !record.truncated || partial;) {
    const bool first = before.consumed == 0;
    if (!TakeLine(text.substr(now.consumed), end, line)) {
      if (flush && now.consumed > 0) break;
      record.consumed = now.consumed > 0 ? now.consumed : text.size();
      if (!full) return Found::kNeedMore;
      if (first && partial) line_end = EndOf(record.stream);
      if (now.consumed == 0 || (first && partial)) return Found::kLongLine;
      if (partial) now = before;
      break;
    }
    ContainerLine opened;
    const bool sound = Open(line.text, opened);
    if (now.consumed == 0) {
      if (!sound) {  // It is sent as it is.
        record.text = Head(line.text);
        record.truncated = line.text.size() > max_line_;
        record.consumed = line.consumed;
        return Found::kRecord;
      }
      record.time = opened.time;
      record.stream = opened.stream;
    } else if (!sound || opened.stream != record.stream || !(partial || Continues(opened.text))) {
      break;
    }
    if (!partial) before = now;
    const bool own = before.consumed == 0;  // Still the first line.
    std::string_view piece = opened.text;
    const size_t between = !own && !partial ? 1 : 0;
    if (record.truncated) {
      piece = {};  // Not even what would fit: there is a gap before it.
    } else if (now.joined + between + piece.size() > max_line_) {
      if (!own) {
        now = before;
        partial = false;
        break;
      }
      record.truncated = true;
      piece = Head(piece, max_line_ - now.joined);
    }
    if (between > 0) joined_[now.joined++] = '\n';
    if (!piece.empty()) std::memcpy(joined_.data() + now.joined, piece.data(), piece.size());
    const bool repaired = format_ == LineFormat::kDocker && !IsUtf8(line.text);
    now = {now.consumed + line.consumed, now.joined + piece.size(), now.repaired || repaired};
    partial = opened.partial;
    if (!partial && !Multiline()) break;
  }
  record.text = {joined_.data(), now.joined};
  record.consumed = now.consumed;
  record.repaired = now.repaired;
  if (Multiline()) record.text = WithoutEmptyLines(record.text);
  return Found::kRecord;
}

bool RecordSplitter::Skip(std::string_view text, bool flush, bool end, LineEnd line_end, size_t& consumed) {
  consumed = 0;
  Line line;
  if (line_end == LineEnd::kLineEnd) {
    consumed = text.size();
    if (!TakeLine(text, false, line)) return end;
    consumed = line.consumed;
    return true;
  }
  while (TakeLine(text.substr(consumed), end, line)) {
    ContainerLine opened;
    if (!Open(line.text, opened) || EndOf(opened.stream) != line_end) return true;
    consumed += line.consumed;
    if (!opened.partial) return true;
  }
  // A line that is longer than what the runtime writes is not of it.
  return flush || end || (consumed == 0 && text.size() >= text_max_);
}

void RecordSplitter::Cut(std::string_view text, size_t consumed, LineEnd line_end, SplitRecord& record) {
  record = {};
  ContainerLine opened;
  if (line_end != LineEnd::kLineEnd) {
    (void)NextOfEnvelopes(text, true, false, record, line_end);
  } else if (format_ == LineFormat::kCri && ParseCri(text, opened).ok()) {
    record = {.text = Head(opened.text), .time = opened.time, .stream = opened.stream};
  } else {
    record.text = Head(text);
  }
  record.truncated = true;
  record.consumed = consumed;
}

}  // namespace limpet
