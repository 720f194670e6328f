#include "logs/syslog_framer.h"

#include <algorithm>
#include <cstring>

namespace limpet {
namespace {

constexpr size_t kNone = std::string_view::npos;

size_t Find(std::string_view text, char c) {
  if (text.empty()) return kNone;
  const void* const found = std::memchr(text.data(), c, text.size());
  return found == nullptr ? kNone : static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

/// Of the first newline or NUL.
size_t FindLineEnd(std::string_view text) {
  const size_t newline = Find(text, '\n');
  return std::min(newline, Find(text.substr(0, newline), '\0'));
}

bool IsLineEnd(char c) { return c == '\n' || c == '\r' || c == '\0'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }

std::string_view WithoutLineEnd(std::string_view text) {
  while (!text.empty() && IsLineEnd(text.back())) text.remove_suffix(1);
  return text;
}

}  // namespace

SyslogFramer::Step SyslogFramer::Next(std::string_view bytes, size_t max, bool end) {
  Step step;
  size_t used = 0;
  for (;;) {
    used += Skip(bytes.substr(used));
    const std::string_view rest = bytes.substr(used);
    if (rest.empty()) break;
    const Head head = Look(rest, end);
    step = {};
    if (head.form == Form::kBroken) step.outcome = Outcome::kBroken;
    if (head.form == Form::kLine) step = Line(rest, max, end);
    if (head.form == Form::kCounted) step = Counted(rest, head, max, end);
    used += step.used;
    // A message of nothing but line ends is passed over.
    if (step.outcome != Outcome::kMessage || !step.message.empty()) break;
    step = {};
  }
  step.used = used;
  return step;
}

SyslogFramer::Step SyslogFramer::Cut(std::string_view bytes, size_t max) {
  Step step = Next(bytes, max, /*end=*/true);
  if (step.outcome != Outcome::kMessage) return step;
  // The bytes are those of one message that has not ended.
  step.truncated = true;
  if (!counted_) skip_line_ = true;
  return step;
}

/// What form has the message at the front, which is not empty?
SyslogFramer::Head SyslogFramer::Look(std::string_view bytes, bool end) const {
  constexpr Head kLineHead{.form = Form::kLine};
  constexpr Head kBrokenHead{.form = Form::kBroken};
  const Head otherwise = counted_ ? kBrokenHead : kLineHead;
  if (bytes[0] == '<') return kLineHead;
  Head head;
  size_t at = 0;
  for (; at < bytes.size() && at <= kDigitsMax && IsDigit(bytes[at]); ++at) {
    head.length = head.length * 10 + static_cast<size_t>(bytes[at] - '0');
  }
  if (bytes[0] == '0' || at == 0 || at > kDigitsMax) return otherwise;
  if (at == bytes.size()) return end ? otherwise : head;
  if (bytes[at] != ' ') return otherwise;
  head.size = at + 1;
  if (!counted_) {
    if (head.size == bytes.size()) return end ? otherwise : head;
    if (bytes[head.size] != '<') return otherwise;
  }
  head.form = Form::kCounted;
  return head;
}

SyslogFramer::Step SyslogFramer::Line(std::string_view bytes, size_t max, bool end) {
  // A line of `max` bytes may have two more for its end.
  const std::string_view window = bytes.substr(0, max + 2);
  const size_t found = FindLineEnd(window.substr(looked_at_));
  Step step;
  if (found != kNone) {
    const size_t size = looked_at_ + found;
    step.message = WithoutLineEnd(bytes.substr(0, size));
    step.used = size + 1;
  } else if (window.size() == max + 2) {
    step.message = bytes.substr(0, max);
    step.truncated = true;
    step.used = max;
    skip_line_ = true;
  } else if (end) {
    step.message = WithoutLineEnd(bytes);
    step.used = bytes.size();
  } else {
    looked_at_ = window.size();
    return {};
  }
  if (step.message.size() > max) {
    step.message = step.message.substr(0, max);
    step.truncated = true;
  }
  looked_at_ = 0;
  counted_ = false;
  step.outcome = Outcome::kMessage;
  return step;
}

SyslogFramer::Step SyslogFramer::Counted(std::string_view bytes, const Head& head, size_t max, bool end) {
  const std::string_view text = bytes.substr(head.size, std::min(head.length, max));
  const bool whole = text.size() == head.length;
  if (!whole && text.size() < max && !end) return {};
  Step step;
  step.outcome = Outcome::kMessage;
  step.message = WithoutLineEnd(text);
  step.truncated = !whole;
  step.used = head.size + text.size();
  skip_bytes_ = head.length - text.size();
  counted_ = true;
  return step;
}

/// Uses up the rest of what was cut, and line ends in front of the next message. Returns their bytes.
size_t SyslogFramer::Skip(std::string_view bytes) {
  size_t used = std::min(skip_bytes_, bytes.size());
  skip_bytes_ -= used;
  if (skip_line_) {
    const size_t line_end = FindLineEnd(bytes);
    if (line_end == kNone) return bytes.size();
    skip_line_ = false;
    used = line_end + 1;
  }
  while (skip_bytes_ == 0 && used < bytes.size() && IsLineEnd(bytes[used])) ++used;
  return used;
}

}  // namespace limpet
