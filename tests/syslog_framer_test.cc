#include "logs/syslog_framer.h"

#include <gtest/gtest.h>
#include <random>
#include <string>
#include <vector>

namespace limpet {
namespace {

struct Framed {
  std::vector<std::string> messages;  // A cut one has "..." behind it.
  bool broken = false;
  bool operator==(const Framed&) const = default;
};

std::ostream& operator<<(std::ostream& out, const Framed& framed) {
  for (const std::string& message : framed.messages) out << '[' << message << ']';
  return out << (framed.broken ? " broken" : "");
}

/// As a source does: `stream` comes in pieces, what is not used stays in a buffer of Room(max).
Framed Frame(std::string_view stream, size_t max, const std::vector<size_t>& pieces) {
  SyslogFramer framer;
  std::string buffer;
  Framed framed;
  size_t piece = 0;
  for (bool end = false; !framed.broken;) {
    const size_t room = SyslogFramer::Room(max) - buffer.size();
    EXPECT_GT(room, 0u) << "a full buffer has a message";
    if (room == 0) return framed;
    const size_t wanted = pieces.empty() ? room : pieces[piece++ % pieces.size()];
    const std::string_view part = stream.substr(0, std::min(room, wanted));
    stream.remove_prefix(part.size());
    end = part.empty();
    buffer += part;
    for (;;) {
      const SyslogFramer::Step step = framer.Next(buffer, max, end);
      EXPECT_LE(step.used, buffer.size());
      if (step.outcome == SyslogFramer::Outcome::kMessage) {
        EXPECT_FALSE(step.message.empty());
        EXPECT_LE(step.message.size(), max);
        framed.messages.push_back(std::string(step.message) + (step.truncated ? "..." : ""));
      }
      buffer.erase(0, step.used);
      framed.broken = step.outcome == SyslogFramer::Outcome::kBroken;
      if (step.outcome != SyslogFramer::Outcome::kMessage) break;
    }
    if (end) break;
  }
  if (!framed.broken) { EXPECT_EQ(buffer, "") << "the end takes all"; }
  return framed;
}

TEST(SyslogFramer, Cases) {
  const std::string nul(1, '\0');
  struct Case {
    const char* name;
    std::string stream;
    Framed want;
  };
  const Case cases[] = {
      {"nothing", "", {}},
      {"lines", "<34>one\n<34>two\n", {{"<34>one", "<34>two"}}},
      {"CRLF", "<34>one\r\n<34>two\r\n", {{"<34>one", "<34>two"}}},
      {"NUL", "<34>one" + nul + "<34>two" + nul, {{"<34>one", "<34>two"}}},
      {"NUL and newline", "<34>one\n" + nul + "<34>two" + nul + "\n", {{"<34>one", "<34>two"}}},
      {"empty lines", "\n\r\n\n<34>one\n\n" + nul, {{"<34>one"}}},
      {"counted", "7 <34>one8 <34>four", {{"<34>one", "<34>four"}}},
      {"counted, with line ends in it", "10 <34>a\nb\r\n\n8 <34>four", {{"<34>a\nb", "<34>four"}}},
      {"counted, with line ends after it", "7 <34>one\n7 <34>two\r\n", {{"<34>one", "<34>two"}}},
      {"counted, then a line", "7 <34>one<34>line\n7 <34>two", {{"<34>one", "<34>line", "<34>two"}}},
      {"a line, then counted", "<34>line\n7 <34>one", {{"<34>line", "<34>one"}}},
      {"counted, without a priority", "<34>a\n4 <3>b5 text!<34>line\n", {{"<34>a", "<3>b", "text!", "<34>line"}}},
      {"a count of nothing", "<34>a\n4 <3>b0 \n", {{"<34>a", "<3>b"}, true}},
      {"a count of line ends", "4 <3>b2 \n\n3 <3>\n", {{"<3>b", "<3>"}}},
      {"a line that begins with a number", "2024-01-01 text\n5 apples\n12\n7\n 8 <\n",
       {{"2024-01-01 text", "5 apples", "12", "7", " 8 <"}}},
      {"a line that begins with 0", "0 <34>text\n", {{"0 <34>text"}}},
      {"too many digits for a count", "123456789 <34>t\n", {{"123456789 <34>t"}}},
      {"a wrong count", "5 <34>one7 <34>two", {{"<34>o"}, true}},
      {"a count without a blank", "7 <34>one7<34>two", {{"<34>one"}, true}},
      {"too many digits after a count", "7 <34>one123456789 <34>t", {{"<34>one"}, true}},
      {"ends within a line", "<34>one\n<34>tw", {{"<34>one", "<34>tw"}}},
      {"ends within a counted one", "7 <34>one9 <34>two", {{"<34>one", "<34>two..."}}},
      {"ends behind a count", "7 <34>one9 ", {{"<34>one"}}},
      {"ends within a count", "7 <34>one9", {{"<34>one"}, true}},
      {"ends within the first count", "12", {{"12"}}},
      {"as long as may be", "<34>4567890123456\n<34>456789012345\r\n", {{"<34>456789012345...", "<34>456789012345"}}},
      {"longer by one", "<34>4567890123456\r\nnext\n", {{"<34>456789012345...", "next"}}},
      {"longer", std::string(100, 'x') + "\nnext\n", {{std::string(16, 'x') + "...", "next"}}},
      {"longer, and no end", std::string(100, 'x'), {{std::string(16, 'x') + "..."}}},
      {"counted, longer", "100 <" + std::string(99, 'x') + "4 next", {{"<" + std::string(15, 'x') + "...", "next"}}},
      {"counted, longer, and no end", "100 <xx" + std::string(50, 'y'), {{"<xx" + std::string(13, 'y') + "..."}}},
      {"counted, longest", "99999999 <" + std::string(99, 'x'), {{"<" + std::string(15, 'x') + "..."}}},
      {"counted, the line ends cut off", "20 <34>" + std::string(16, '\n') + "4 next", {{"<34>...", "next"}}},
      {"counted, nothing before the cut", "<a\n4 <34>30 " + std::string(29, '\n') + "x4 next", {{"<a", "<34>", "next"}}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    for (const std::vector<size_t>& pieces :
         std::initializer_list<std::vector<size_t>>{{}, {1}, {2}, {3}, {5}, {7}, {1, 2, 4}, {20, 1}}) {
      EXPECT_EQ(Frame(c.stream, 16, pieces), c.want);
    }
    for (size_t at = 1; at < c.stream.size(); ++at) {  // Split at every byte.
      EXPECT_EQ(Frame(c.stream, 16, {at, 1000}), c.want) << at;
    }
  }
}

/// What it makes of any bytes does not depend on how they come.
TEST(SyslogFramer, PiecesDoNotMatter) {
  std::mt19937 random(7);
  constexpr std::string_view kBytes("<>12 34567890\n\r\0ab", 18);
  for (int round = 0; round < 3000; ++round) {
    std::string stream;
    const size_t size = random() % 120;
    while (stream.size() < size) stream += kBytes[random() % kBytes.size()];
    const Framed whole = Frame(stream, 16, {});
    std::vector<size_t> pieces;
    for (int i = 0; i < 9; ++i) pieces.push_back(1 + random() % 12);
    ASSERT_EQ(Frame(stream, 16, pieces), whole) << "round " << round << ": " << stream;
  }
}

TEST(SyslogFramer, CutGivesUpOnWhatIsThere) {
  struct Case {
    const char* name;
    std::string there, later;
    std::string message;
    std::vector<std::string> after;
  };
  const Case cases[] = {
      {"a line", "<34>one", "two\n<34>three\n", "<34>one", {"<34>three"}},
      {"counted", "12 <34>one", "45678<34>three\n", "<34>one", {"<34>three"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    SyslogFramer framer;
    ASSERT_EQ(framer.Next(c.there, 64, false).outcome, SyslogFramer::Outcome::kMore);
    const SyslogFramer::Step cut = framer.Cut(c.there, 64);
    ASSERT_EQ(cut.outcome, SyslogFramer::Outcome::kMessage);
    EXPECT_EQ(cut.message, c.message);
    EXPECT_TRUE(cut.truncated);
    EXPECT_EQ(cut.used, c.there.size());
    std::string_view rest = c.later;
    for (const std::string& want : c.after) {
      const SyslogFramer::Step step = framer.Next(rest, 64, false);
      EXPECT_EQ(step.message, want);
      EXPECT_FALSE(step.truncated);
      rest.remove_prefix(step.used);
    }
    EXPECT_EQ(rest, "");
  }
  SyslogFramer framer;
  EXPECT_EQ(framer.Cut("\n", 64).outcome, SyslogFramer::Outcome::kMore);
}

}  // namespace
}  // namespace limpet
