// Where syslog messages begin and end in the bytes of a connection (RFC 6587), chosen for each message as
// rsyslog does: "11 <34>1 - ..." says its length, any other ends with a newline or NUL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace limpet {

/// A digit alone does not make a length: digits, a blank and, unless the message before had one, a `<`
/// have to follow. So a text that begins with a number is a line as well. After a message with a
/// length there is nothing to go by when the next does not begin with one, or with a `<`: the framing is
/// broken. Line ends between messages are skipped: empty lines, and what some senders do not count.
class SyslogFramer {
 public:
  static constexpr size_t kDigitsMax = 8;  ///< Of a length: 99,999,999.

  enum class Outcome : uint8_t {
    kMore,     ///< There is no whole message yet.
    kMessage,
    kBroken,   ///< Nothing of what follows can be told apart.
  };
  struct Step {
    Outcome outcome = Outcome::kMore;
    std::string_view message;  ///< Without its line end; never empty.
    bool truncated = false;
    size_t used = 0;           ///< Bytes that are done with, to be taken off the front in any case.
  };

  /// Bytes that always hold a message of up to `max`, or are enough to cut one there.
  static constexpr size_t Room(size_t max) { return max + kDigitsMax + 2; }

  /// bytes: all that has come and is not used. max: of a message; longer ones are cut there, and their
  /// rest is used up as it comes. end: nothing more will come, what is there is a message.
  /// Call it until it says kMore, or kBroken.
  Step Next(std::string_view bytes, size_t max, bool end);

  /// Gives up on the message that has begun: what is there of it is all that is to be had, cut, and its
  /// rest is used up as it comes. kMore: there is nothing of it.
  Step Cut(std::string_view bytes, size_t max);

 private:
  enum class Form : uint8_t { kUndecided, kLine, kCounted, kBroken };
  struct Head {
    Form form = Form::kUndecided;
    size_t size = 0;    // Of the length and its blank,
    size_t length = 0;  // and what it says.
  };

  Head Look(std::string_view bytes, bool end) const;
  Step Line(std::string_view bytes, size_t max, bool end);
  Step Counted(std::string_view bytes, const Head& head, size_t max, bool end);
  size_t Skip(std::string_view bytes);

  size_t skip_bytes_ = 0;   // Of a message with a length that was cut;
  bool skip_line_ = false;  // a line that was.
  bool counted_ = false;    // The message before had a length.
  size_t looked_at_ = 0;    // Bytes of the line at the front in which it does not end.
};

}  // namespace limpet
