// Where a record ends: lines, records of several lines, the envelopes of container runtimes; and that it ends
// there however the file comes in.
#include "logs/record_splitter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "limpet/limits.h"

namespace limpet {
namespace {

struct Seen {
  std::string text, stream;
  bool truncated = false, repaired = false;
  size_t position = 0, consumed = 0;
  bool operator==(const Seen&) const = default;
};

void PrintTo(const Seen& seen, std::ostream* out) {
  *out << seen.position << '+' << seen.consumed << " \"" << seen.text.substr(0, 100) << "\" " << seen.stream
       << (seen.truncated ? " truncated" : "");
}

/// multiline = ^#
struct HashStart final : RecordStart {
  bool Begins(std::string_view line) override { return line.starts_with('#'); }
};

LogConfig Configured(LineFormat format, std::string_view multiline, size_t max_line) {
  LogConfig config;
  config.format = format;
  config.multiline = multiline;
  config.max_line_bytes = static_cast<uint32_t>(max_line);
  return config;
}

/// Reads a file as a source does: with a buffer, from the end of the last record on.
struct Reader {
  Reader(const LogConfig& config, size_t text_bytes)
      : scratch(RecordSplitter::ScratchBytes(config, text_bytes)),
        text_max(text_bytes),
        splitter(config, config.multiline_pattern() ? &start : nullptr, text_bytes, scratch) {}

  /// Takes what can be taken of a file that is `size` bytes long by now.
  void Read(std::string_view file, size_t size, bool flush, bool end) {
    while (position < size) {
      const std::string_view text = file.substr(0, size).substr(position, text_max);
      const bool all = position + text.size() == size;
      SplitRecord record;
      LineEnd line_end;
      const auto found = splitter.Next(text, flush && all, end && all, record, line_end);
      if (found == RecordSplitter::Found::kNeedMore) {
        EXPECT_TRUE(all) << "stuck at " << position;
        return;
      }
      if (found == RecordSplitter::Found::kLongLine) {
        size_t scanned = position + record.consumed;
        ASSERT_GT(record.consumed, 0u);
        for (bool ended = false; !ended;) {
          const std::string_view rest = file.substr(0, size).substr(scanned, text_max);
          const bool last = scanned + rest.size() == size;
          size_t consumed = 0;
          ended = splitter.Skip(rest, flush && last, end && last, line_end, consumed);
          ASSERT_LE(consumed, rest.size());
          scanned += consumed;
          if (!ended && last) return;
          ASSERT_TRUE(ended || consumed > 0) << "stuck at " << scanned;
        }
        splitter.Cut(text, scanned - position, line_end, record);
        EXPECT_TRUE(record.truncated);
        EXPECT_EQ(record.consumed, scanned - position);
      }
      ASSERT_GT(record.consumed, 0u);
      ASSERT_LE(position + record.consumed, size);
      records.push_back({.text = std::string(record.text),
                         .stream = std::string(record.stream),
                         .truncated = record.truncated,
                         .repaired = record.repaired,
                         .position = position,
                         .consumed = record.consumed});
      position += record.consumed;
    }
  }

  HashStart start;
  std::vector<char> scratch;
  const size_t text_max;
  RecordSplitter splitter;
  size_t position = 0;
  std::vector<Seen> records;
};

using Strings = std::vector<std::string>;

/// The records of a whole file; `~` marks one that was truncated, `?` one that was repaired.
Strings Split(const LogConfig& config, std::string_view file, bool flush = false, bool end = false) {
  Reader reader(config, 4096);
  reader.Read(file, file.size(), flush, end);
  Strings texts;
  for (const Seen& record : reader.records) texts.push_back(record.text + (record.truncated ? "~" : "") + (record.repaired ? "?" : ""));
  return texts;
}

TEST(RecordSplitter, Lines) {
  const LogConfig config = Configured(LineFormat::kPlain, "none", 10);
  struct Case {
    const char* name;
    std::string file;
    Strings records;
    bool end = false;
  };
  const Case cases[] = {
      {"nothing", "", {}},
      {"two", "a\nb\n", {"a", "b"}},
      {"empty ones", "\n\na\n", {"", "", "a"}},
      {"one without an end waits", "a\nb", {"a"}},
      {"at the end it does not", "a\nb", {"a", "b"}, true},
      {"CRLF", "a\r\nb\r\n\r\n", {"a", "b", ""}},
      {"a CR inside stays", "a\rb\nc\r\r\n", {"a\rb", "c\r"}},
      {"NUL stays", std::string("a\0b\n", 4), {std::string("a\0b", 3)}},
      {"as long as may be", "0123456789\n0123456789\r\n", {"0123456789", "0123456789"}},
      {"longer", "0123456789a\nb\n", {"0123456789~", "b"}},
      {"much longer", std::string(1000, 'x') + "\nb\n", {"xxxxxxxxxx~", "b"}},
      {"much longer without an end", std::string(1000, 'x'), {}},
      {"the same at the end", std::string(1000, 'x'), {"xxxxxxxxxx~"}, true},
      {"not half a character", "01234567\xe2\x82\xac\n", {"01234567~"}},
      {"a whole one", "0123456\xe2\x82\xac!\n", {"0123456\xe2\x82\xac~"}},
      {"one of four bytes", "012345678\xf0\x9f\x92\xa9" + std::string(1000, 'x') + "\n", {"012345678~"}},
      {"none at all", "012345678\xff\xff\xff\n", {"012345678\xff~"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Split(config, c.file, false, c.end), c.records);
  }
}

// Bytes that differ from a line's end by one bit, or by one, stand before it and behind it.
TEST(RecordSplitter, TheFirstLineEndWhereverItStands) {
  for (const char near : {'a', '\x0b', '\x09', '\x8a', '\x00', '\xff'}) {
    for (size_t size = 0; size < 80; ++size) {
      for (size_t behind = 0; behind < 40; behind += behind < 9 ? 1 : 15) {
        std::string text(size, near);
        text += '\n' + std::string(behind, near) + (behind > 0 ? "\n" : "");
        const std::vector<char> exact(text.begin(), text.end());  // On the heap, of this size: for a sanitizer.
        Reader reader(Configured(LineFormat::kPlain, "", 4096), 8192);
        reader.Read({exact.data(), exact.size()}, exact.size(), false, false);
        ASSERT_EQ(reader.records.size(), behind > 0 ? 2u : 1u);
        ASSERT_EQ(reader.records[0].text, std::string(size, near));
      }
    }
  }
}

TEST(RecordSplitter, IndentedLinesBelongToTheOneBefore) {
  const LogConfig config = Configured(LineFormat::kPlain, "indent", 20);
  struct Case {
    const char* name;
    std::string file;
    Strings records;
    bool flush = false;
  };
  const Case cases[] = {
      {"a trace", "error\n  at f\n\tat g\nnext\n", {"error\n  at f\n\tat g"}},
      {"the last waits", "a\n b\n", {}},
      {"until it is flushed", "a\n b\n", {"a\n b"}, true},
      {"but for a line without an end", "a\n b\n c", {"a\n b"}, true},
      {"an empty line inside", "a\n\n b\nc\n", {"a\n\n b"}},
      {"empty lines behind", "a\n\n\r\n\nc\nd\n", {"a", "c"}},
      {"it begins indented", "  a\n b\nc\n", {"  a\n b"}},
      {"CRLF inside", "a\r\n b\r\nc\r\n", {"a\r\n b"}},
      {"what does not fit begins another", "0123456789\n 012345678\n 0123\nx\n",
       {"0123456789", " 012345678\n 0123"}},
      {"a long line alone", "a\n " + std::string(30, 'x') + "\n b\nc\n",
       {"a", " " + std::string(19, 'x') + "~", " b"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Split(config, c.file, c.flush), c.records);
  }
}

TEST(RecordSplitter, ARecordBeginsWhereThePatternSays) {
  const LogConfig config = Configured(LineFormat::kPlain, "^#", 20);
  EXPECT_EQ(Split(config, "#a\nb\n\nc\n#d\n#e\n"), (Strings{"#a\nb\n\nc", "#d"}));
  EXPECT_EQ(Split(config, "x\ny\n#a\n"), (Strings{"x\ny"}));
  EXPECT_EQ(Split(config, "#a\nb\n#", true), (Strings{"#a\nb"}));
  EXPECT_EQ(Split(config, "#a\nb\n#c", true, true), (Strings{"#a\nb", "#c"}));
}

// Containers

std::string Envelope(LineFormat format, std::string_view stream, bool partial, std::string_view text) {
  const std::string time = "2024-01-01T00:00:00.000000001Z", name(stream);
  if (format == LineFormat::kCri) return time + ' ' + name + (partial ? " P " : " F ") + std::string(text) + '\n';
  std::string escaped;
  for (const char c : text) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c;
  }
  return "{\"log\":\"" + escaped + (partial ? "" : "\\n") + "\",\"stream\":\"" + name + "\",\"time\":\"" + time + "\"}\n";
}

TEST(RecordSplitter, EnvelopesAreOpenedAndPartialLinesJoined) {
  for (const LineFormat format : {LineFormat::kCri, LineFormat::kDocker}) {
    SCOPED_TRACE(static_cast<int>(format));
    const auto whole = [&](std::string_view text) { return Envelope(format, "stdout", false, text); };
    const auto part = [&](std::string_view text) { return Envelope(format, "stdout", true, text); };
    const auto error = [&](std::string_view text) { return Envelope(format, "stderr", false, text); };
    const LogConfig config = Configured(format, "none", 20), indent = Configured(format, "indent", 20);
    const std::string ten(10, 'x');

    EXPECT_EQ(Split(config, whole("a \"b\"") + whole("")), (Strings{"a \"b\"", ""}));
    EXPECT_EQ(Split(config, part("a ") + part("b ") + whole("c")), (Strings{"a b c"}));
    // Unfinished: it waits, until it is flushed.
    EXPECT_EQ(Split(config, part("a ") + part("b")), Strings{});
    EXPECT_EQ(Split(config, part("a ") + part("b"), true), Strings{"a b"});
    // Another stream in between ends it.
    EXPECT_EQ(Split(config, part("a") + error("b") + whole("c")), (Strings{"a", "b", "c"}));
    // What does not fit is cut off, the end of the line with it.
    EXPECT_EQ(Split(config, part(ten) + part(ten) + part("y") + whole("z") + whole("next")),
              (Strings{ten + ten + "~", "next"}));
    EXPECT_EQ(Split(config, whole(ten + ten + "y") + whole("z")), (Strings{ten + ten + "~", "z"}));
    EXPECT_EQ(Split(config, part(ten + "23456789") + whole("\xe2\x82\xac")), (Strings{ten + "23456789~"}));
    EXPECT_EQ(Split(config, part(ten + "23456789") + part("\xe2\x82\xac") + whole("z")), (Strings{ten + "23456789~"}));
    // Lines of several lines.
    EXPECT_EQ(Split(indent, whole("a") + part(" b") + whole("c") + whole("") + whole("next") + error(" x") + error("y")),
              (Strings{"a\n bc", "next", " x"}));
    // The part of a line that fits does not stay behind.
    EXPECT_EQ(Split(indent, whole(ten) + part(" 234567") + whole(ten) + whole("n")), (Strings{ten, " 234567" + ten}));
    // What is no envelope is sent as it is.
    EXPECT_EQ(Split(config, "garbage\n" + whole("a")), (Strings{"garbage", "a"}));
    EXPECT_EQ(Split(config, part("a") + "garbage\n"), (Strings{"a", "garbage"}));
    EXPECT_EQ(Split(config, "\n"), Strings{""});

    Reader reader(config, 256);
    const std::string file = error("a");
    reader.Read(file, file.size(), false, false);
    ASSERT_EQ(reader.records.size(), 1u);
    EXPECT_EQ(reader.records[0].stream, "stderr");
  }
}

TEST(RecordSplitter, ARepairedLineMarksTheRecordThatItIsIn) {
  const auto whole = [](std::string_view text) { return Envelope(LineFormat::kDocker, "stdout", false, text); };
  const LogConfig indent = Configured(LineFormat::kDocker, "indent", 20);
  const std::string bad = "\xef\xbf\xbd";
  EXPECT_EQ(Split(indent, whole("a") + whole(" \xe4") + whole("b") + whole(" c"), true),
            (Strings{"a\n " + bad + "?", "b\n c"}));
  EXPECT_EQ(Split(indent, whole("a") + whole("\xe4") + whole("c"), true), (Strings{"a", bad + "?", "c"}));
  // Of the lines that do not fit any more.
  EXPECT_EQ(Split(indent, whole("123456789") + whole(" 0123456789\xe4") + whole("c"), true),
            (Strings{"123456789", " 0123456789" + bad + "?", "c"}));
}

// A line of 1 MiB through a buffer of 64 KiB.
TEST(RecordSplitter, ALongLineIsOneRecordAndNoneBeforeItsEnd) {
  for (const LineFormat format : {LineFormat::kPlain, LineFormat::kCri, LineFormat::kDocker}) {
    SCOPED_TRACE(static_cast<int>(format));
    const LogConfig config = Configured(format, "none", 16 * kKiB);
    std::string file;
    if (format == LineFormat::kPlain) file = std::string(kMiB, 'x') + '\n';
    for (int i = 0; i < 64 && format != LineFormat::kPlain; ++i) {
      file += Envelope(format, "stdout", i < 63, std::string(16 * kKiB, 'x'));
    }
    const size_t long_bytes = file.size();
    file += format == LineFormat::kPlain ? "next\n" : Envelope(format, "stdout", false, "next");
    Reader reader(config, 64 * kKiB);
    for (size_t size = 1000; size < long_bytes; size += 9999) {
      reader.Read(file, size, false, false);
      ASSERT_TRUE(reader.records.empty()) << size;
    }
    reader.Read(file, file.size(), false, false);
    ASSERT_EQ(reader.records.size(), 2u);
    EXPECT_EQ(reader.records[0].text, std::string(16 * kKiB, 'x'));
    EXPECT_TRUE(reader.records[0].truncated);
    EXPECT_EQ(reader.records[0].consumed, long_bytes);
    EXPECT_EQ(reader.records[1].text, "next");
  }
}

// Records of many short lines in their envelopes, more than the buffer holds, do not stop the source.
TEST(RecordSplitter, AFullBufferIsAlwaysGoneThrough) {
  for (const LineFormat format : {LineFormat::kCri, LineFormat::kDocker}) {
    for (const bool partial : {false, true}) {
      const LogConfig config = Configured(format, "indent", 1000);
      std::string file;
      for (int i = 0; i < 200; ++i) file += Envelope(format, "stdout", partial && i < 199, " x");
      file += Envelope(format, "stdout", false, "end");
      Reader reader(config, 1100);
      reader.Read(file, file.size(), true, true);
      size_t lines = 0;
      for (const Seen& record : reader.records) {
        lines += static_cast<size_t>(std::count(record.text.begin(), record.text.end(), 'x'));
        EXPECT_EQ(record.truncated, partial && &record == reader.records.data());
      }
      ASSERT_FALSE(reader.records.empty());
      EXPECT_EQ(reader.records.back().text, "end");
      if (!partial) { EXPECT_EQ(lines, 200u); }
      if (partial) { EXPECT_EQ(reader.records.size(), 2u); }
    }
  }
}

// However the file comes in, and whatever the buffer, the records are the same.

class Dice {
 public:
  explicit Dice(uint32_t seed) : random_(seed) {}
  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool OneIn(size_t n) { return Below(n) == 0; }

 private:
  std::mt19937 random_;
};

std::string RandomText(Dice& dice, size_t most) {
  static const std::string kPieces[] = {"a",   "b",    "#", " ", "\t", "\r", "\xc3\xa4", "\xff", "\"", "\xf0\x9f\x92\xa9",
                                        "word", std::string(1, '\0')};
  std::string text;
  for (size_t n = dice.Below(dice.OneIn(8) ? 3 * most : 12); text.size() < n;) {
    text += kPieces[dice.Below(std::size(kPieces))];
  }
  return text;
}

std::string RandomFile(Dice& dice, LineFormat format, size_t max_line) {
  std::string file;
  for (size_t lines = dice.Below(60); lines > 0; --lines) {
    const std::string text = RandomText(dice, max_line);
    if (format == LineFormat::kPlain) {
      file += text + (dice.OneIn(4) ? "\r\n" : "\n");
    } else if (dice.OneIn(20)) {
      file += text + '\n';
    } else {
      std::string plain;  // What needs no escape.
      for (const char c : text) plain += static_cast<unsigned char>(c) < ' ' || (c & 0x80) != 0 ? ' ' : c;
      file += Envelope(format, dice.OneIn(4) ? "stderr" : "stdout", dice.OneIn(3), plain);
    }
  }
  if (dice.OneIn(3)) file += RandomText(dice, max_line);
  return file;
}

/// The records of lines, by one that sees whole lines only.
std::vector<Seen> Model(std::string_view file, std::string_view multiline, size_t max_line) {
  std::vector<Seen> records;
  for (size_t at = 0, end; at < file.size(); at = end) {
    const size_t found = file.find('\n', at);
    end = found == std::string_view::npos ? file.size() : found + 1;
    std::string text(file.substr(at, found - at));
    if (found != std::string_view::npos && text.ends_with('\r')) text.pop_back();
    const bool joins = multiline == "indent" ? text.empty() || text[0] == ' ' || text[0] == '\t'
                                             : multiline == "^#" && !text.starts_with('#');
    const size_t begin = records.empty() ? 0 : records.back().position;
    if (!records.empty() && joins && !records.back().truncated && at - begin + text.size() <= max_line) {
      records.back().text = std::string(file.substr(begin, at - begin)) + text;
      records.back().consumed = end - begin;
    } else {
      const bool truncated = text.size() > max_line;
      records.push_back(
          {.text = text, .stream = "", .truncated = truncated, .position = at, .consumed = end - at});
    }
  }
  return records;
}

void ExpectAsModelled(const std::vector<Seen>& records, const std::vector<Seen>& model, size_t max_line) {
  ASSERT_EQ(records.size(), model.size());
  for (size_t i = 0; i < model.size(); ++i) {
    ASSERT_EQ(records[i].position, model[i].position);
    ASSERT_EQ(records[i].consumed, model[i].consumed);
    ASSERT_EQ(records[i].truncated, model[i].truncated);
    ASSERT_TRUE(model[i].text.starts_with(records[i].text));
    // Cut at a character; or without empty lines behind it.
    const std::string rest = model[i].text.substr(records[i].text.size());
    if (records[i].truncated) { ASSERT_GT(records[i].text.size() + 4, max_line); }
    if (!records[i].truncated) { ASSERT_EQ(rest.find_first_not_of("\r\n"), std::string::npos); }
  }
}

TEST(RecordSplitter, AnyChopsGiveTheSameRecords) {
  constexpr std::array kFormats = {LineFormat::kPlain, LineFormat::kCri, LineFormat::kDocker};
  constexpr std::array<std::string_view, 3> kMultiline = {"none", "indent", "^#"};
  for (uint32_t seed = 1; seed <= 3000; ++seed) {
    Dice dice(seed);
    const LineFormat format = kFormats[dice.Below(3)];
    const std::string_view multiline = kMultiline[dice.Below(3)];
    SCOPED_TRACE(testing::Message() << "seed " << seed << ", format " << static_cast<int>(format) << ", " << multiline);
    const size_t max_line = 8 + dice.Below(60);
    const LogConfig config = Configured(format, multiline, max_line);
    const std::string file = RandomFile(dice, format, max_line);

    // All of it at once.
    Reader whole(config, 64 * kKiB);
    whole.Read(file, file.size(), true, true);

    // Lines do with the smallest buffer; records in envelopes depend on its size, but for one that nothing
    // comes near.
    const bool lines = format == LineFormat::kPlain;
    Reader chopped(config, lines ? RecordSplitter::TextMin(max_line) + dice.Below(50) : 64 * kKiB);
    for (size_t size = 0; size < file.size(); size += 1 + dice.Below(100)) chopped.Read(file, size, false, false);
    chopped.Read(file, file.size(), true, true);
    ASSERT_EQ(chopped.records, whole.records);

    // All bytes of the file are in one record each, in order.
    size_t position = 0;
    for (const Seen& record : whole.records) {
      ASSERT_EQ(record.position, position);
      ASSERT_LE(record.text.size(), max_line);
      position += record.consumed;
    }
    ASSERT_EQ(position, file.size());
    if (lines) ExpectAsModelled(whole.records, Model(file, multiline, max_line), max_line);
  }
}

}  // namespace
}  // namespace limpet
