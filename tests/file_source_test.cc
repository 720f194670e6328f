// How one file is read: by how much at a time, records of any length, reads that fail. What is done to names
// and whole files is tail_test's.
#include "logs/file_source.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "log_bench.h"
#include "sim/file_tree.h"

namespace limpet {
namespace {

using Strings = std::vector<std::string>;

constexpr size_t kMaxLine = 16 * kKiB, kBuffer = 64 * kKiB;
constexpr size_t kWindow = 32 * kKiB;  // kShare of file_source.cc.

/// A tree whose reads are counted, and fail when they are told to.
class Tree final : public sim::FileTree {
 public:
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override {
    if (into.size() > fail_above) return Status{Code::kIo, 5, "read"};
    const Result<size_t> got = sim::FileTree::ReadAt(file, offset, into);
    if (got.ok() && into.size() >= kWindow) bytes += got.value();
    return got;
  }
  size_t fail_above = SIZE_MAX;
  size_t bytes = 0;  ///< That were read as text, and not to know a file by its head.
};

LogConfig Configured(LineFormat format, size_t max_line) {
  LogConfig config;
  config.name = "app";
  config.path = "/log/*.log";
  config.format = format;
  config.multiline = "none";
  config.from_beginning = true;
  config.discover = Seconds(2);
  config.flush = Seconds(5);
  config.max_line_bytes = static_cast<uint32_t>(max_line);
  return config;
}

/// Hears of everything, when it is told to.
class Watch final : public FileWatch {
 public:
  Result<int> WatchFile(int file) override { return file; }
  Result<int> WatchDirectory(std::string_view) override { return 1000; }
  void Forget(int) override {}
  int Next() override { return kNone; }
  int handle() const override { return -1; }
};

struct SourceBench : LogBench {
  explicit SourceBench(LineFormat format = LineFormat::kPlain, size_t max_line = kMaxLine, size_t buffer_bytes = kBuffer,
                       size_t place_count = 8)
      : LogBench(512, 512 * 1024),
        config(Configured(format, max_line)),
        buffer(buffer_bytes),
        scratch(RecordSplitter::ScratchBytes(config, buffer_bytes)),
        parsed(2 * max_line),
        body(max_line),
        attributes(RecordPipeline::AttributeBytes(config)),
        table_memory(TrackTable::BytesNeeded(64, 512) / sizeof(std::max_align_t) + 1),
        places(place_count),
        tracks(std::as_writable_bytes(std::span(table_memory)), 64, 512, log),
        pipeline(config, true, {.attributes = attributes, .body = body, .redacted = {}}),
        splitter(config, nullptr, buffer_bytes, scratch),
        parser({.format = format}, parsed) {
    tracks.FlashFails();  // Nothing waits for a commit.
    tracks.KeptEnds();
    Start();
  }

  /// A process, or the next one: of the one before it finds the tracks.
  void Start(FileWatch* watch = nullptr) {
    tree.EndProcess();
    for (FollowedFile& f : places) f = {};
    source.emplace(config, FileSourceParts{.files = tree,
                                           .watch = watch,
                                           .tracks = tracks,
                                           .pipeline = pipeline,
                                           .splitter = splitter,
                                           .parser = parser,
                                           .log = log,
                                           .buffer = buffer,
                                           .places = places,
                                           .resource = resource,
                                           .instance = "i"});
  }

  size_t TracksInUse() {
    size_t count = 0;
    tracks.ForEach(Hash64(config.name), [&](const Track&) { ++count; });
    return count;
  }

  /// Returns when it wants to be asked next.
  MonoTime Turn() {
    tracks.SetNow(now);
    const MonoTime next = source->OnTime({kWall, now}, encoder);
    for (const SeenLog& seen : TakeAll()) {
      uids.insert(seen.attributes.at("log.record.uid"));
      bodies.push_back(seen.body);
      truncated += seen.attributes.contains("limpet.truncated");
    }
    std::array<TrackMarkBytes, 64> marks;
    const size_t count = tracks.ListMarks(marks);
    tracks.MarksClosed();
    for (const TrackMarkBytes& mark : std::span(marks).first(count)) tracks.Settle(DecodeMark(mark), true, false);
    return next;
  }
  /// Turns until it has nothing to do at this time.
  void Settle() {
    for (int turns = 0; Turn() <= now; ++turns) ASSERT_LT(turns, 10'000) << "it spins";
  }
  void Pass(Duration time) {
    for (const MonoTime end = now + time; now < end; now = now + Milliseconds(500)) Settle();
  }

  LogConfig config;
  Tree tree;
  std::vector<char> buffer, scratch;
  std::vector<uint8_t> parsed;
  std::vector<char> body;
  std::vector<uint8_t> attributes;
  std::vector<std::max_align_t> table_memory;
  std::vector<FollowedFile> places;
  TrackTable tracks;
  RecordPipeline pipeline;
  RecordSplitter splitter;
  LineParser parser;
  std::optional<FileSource> source;
  MonoTime now = MonoTime{} + Seconds(5);  // As LogBench has it.
  Strings bodies;
  std::set<std::string> uids;
  size_t truncated = 0;
};

/// The line of a file that makes this record.
std::string LineOf(LineFormat format, const std::string& text) {
  if (format == LineFormat::kCri) return "2024-01-01T00:00:00Z stdout F " + text + "\n";
  if (format == LineFormat::kDocker) return "{\"log\":\"" + text + "\\n\",\"stream\":\"stdout\"}\n";
  return text + "\n";
}

// Shorter and longer than what is read at once, than the buffer and than a record may be; the file comes in
// pieces, as it is written.
TEST(FileSource, RecordsOfAnyLengthArriveOnce) {
  for (const LineFormat format : {LineFormat::kPlain, LineFormat::kCri, LineFormat::kDocker}) {
    for (const size_t max_line : {kMaxLine, 40 * kKiB}) {
      const size_t buffer = std::max(kBuffer, 2 * max_line);
      for (uint32_t seed = 0; seed < 6; ++seed) {
        SCOPED_TRACE(testing::Message() << static_cast<int>(format) << " max_line " << max_line << " seed " << seed);
        std::mt19937 random(seed);
        const auto below = [&](size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random); };
        SourceBench bench(format, max_line, buffer);
        std::string text;
        Strings expected;
        size_t cut = 0;
        for (int i = 0; i < 60; ++i) {
          const size_t lengths[] = {0, 1, 100, 2000, max_line - 1, max_line, max_line + 1, kWindow - 1, kWindow,
                                    kWindow + 1, buffer - 1, buffer, buffer + 1, 3 * buffer};
          const size_t length = below(3) == 0 ? lengths[below(std::size(lengths))] : below(300);
          const std::string line = std::to_string(i) + std::string(length, static_cast<char>('a' + i % 26));
          text += LineOf(format, line);
          // What is longer than the buffer is cut unseen: docker's is no envelope then.
          const bool whole = format != LineFormat::kDocker || LineOf(format, line).size() <= buffer;
          expected.push_back((whole ? line : LineOf(format, line)).substr(0, max_line));
          cut += line.size() > max_line;
        }
        const auto file = bench.tree.Create("/log/a.log");
        for (size_t at = 0; at < text.size();) {
          const size_t piece = below(2) == 0 ? below(100) : below(2 * buffer);
          file->contents += text.substr(at, piece);
          at += piece;
          bench.Pass(Milliseconds(500));
          if (testing::Test::HasFatalFailure()) return;
        }
        bench.Pass(Seconds(5));
        ASSERT_EQ(bench.bodies, expected);
        EXPECT_EQ(bench.truncated, cut);
        EXPECT_EQ(bench.uids.size(), expected.size());
      }
    }
  }
}

TEST(FileSource, ARecordIsReadAsAWholeWhereThatFails) {
  SourceBench bench(LineFormat::kPlain, 40 * kKiB, 80 * kKiB);
  const std::string long_line(35 * kKiB, 'x');
  bench.tree.Create("/log/a.log")->contents = "first\n" + long_line + "\nlast\n";
  bench.tree.fail_above = kWindow;
  bench.Pass(Seconds(10));
  EXPECT_EQ(bench.bodies, Strings{"first"});
  bench.tree.fail_above = SIZE_MAX;
  bench.Pass(Seconds(10));
  EXPECT_EQ(bench.bodies, (Strings{"first", long_line, "last"}));
}

TEST(FileSource, AFileThatIsWrittenAnewWhileItsLongLineWaits) {
  SourceBench bench;
  const auto file = bench.tree.Create("/log/a.log");
  file->contents = "first line\n" + std::string(200'000, 'x') + "\n";
  for (int turns = 0; bench.places[0].long_end == 0; ++turns) {
    ASSERT_LT(turns, 100);
    bench.Turn();
  }
  EXPECT_EQ(bench.bodies, Strings{"first line"});
  Strings expected = bench.bodies;
  file->contents.clear();
  for (int i = 0; i < 20'000; ++i) {
    expected.push_back("new line " + std::to_string(i));
    file->contents += expected.back() + "\n";
  }
  bench.Pass(Seconds(5));
  EXPECT_EQ(bench.bodies, expected);
}

// For half a minute nothing was added to it; that is no end where the buffer has cut it off.
TEST(FileSource, ADeletedFileWithLongLinesThatHasWaitedForRoom) {
  for (const size_t length : {50'000u, 100'000u}) {
    SourceBench bench;
    const auto file = bench.tree.Create("/log/a.log");
    file->contents = "first line\n";
    bench.Pass(Seconds(5));
    Strings expected = {"first line"};
    for (int i = 0; i < 20; ++i) {
      const std::string line = std::to_string(i) + std::string(length, 'y');
      file->contents += line + "\n";
      expected.push_back(line.substr(0, kMaxLine));
    }
    file->contents += "the end";  // Without a line end: that it was left is its end.
    expected.push_back("the end");
    while (bench.places[0].size != file->contents.size()) {  // It is known how much there is, and little of it read.
      bench.now = bench.now + Milliseconds(500);
      bench.Turn();
    }
    bench.encoder.set_room(false);
    bench.tree.Unlink("/log/a.log");
    bench.Pass(Seconds(60));
    bench.encoder.set_room(true);
    bench.Pass(Seconds(60));
    EXPECT_EQ(bench.bodies, expected);
    EXPECT_EQ(bench.truncated, 20u);
    EXPECT_EQ(bench.tree.open_files(), 0u);
  }
}

// A turn reads about a share, whoever it is of, and the next goes on behind it.
TEST(FileSource, FilesTakeTurns) {
  SourceBench bench(LineFormat::kPlain, kMaxLine, kBuffer, 60);
  const std::string line(99, 'z');
  for (const char* name : {"/log/big-1.log", "/log/big-2.log"}) {
    const auto file = bench.tree.Create(name);
    for (int i = 0; i < 10'000; ++i) file->contents += line + "\n";
  }
  for (int i = 0; i < 50; ++i) bench.tree.Create("/log/small-" + std::to_string(i) + ".log")->contents = "small\n";
  const auto position = [&](std::string_view name) {
    for (const FollowedFile& f : bench.places) {
      if (f.file >= 0 && f.name() == name) return f.track->read;
    }
    return uint64_t{0};
  };
  for (int turns = 0; turns < 30; ++turns) {
    const size_t before = bench.tree.bytes;
    bench.Turn();
    EXPECT_LE(bench.tree.bytes - before, 2 * kWindow);
    const uint64_t one = position("/log/big-1.log"), other = position("/log/big-2.log");
    EXPECT_LE(std::max(one, other) - std::min(one, other), 2 * kWindow);
  }
  EXPECT_EQ(std::count(bench.bodies.begin(), bench.bodies.end(), "small"), 50);
  bench.Settle();
  EXPECT_EQ(bench.bodies.size(), 20'050u);
  // Each byte once, but for the lines at the ends of what is read.
  EXPECT_LE(bench.tree.bytes, 2'000'000u * 102 / 100);
}

/// Lines of about 20 bytes, and what is expected of them.
std::string Lines(const std::string& name, int count, Strings& expected) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    expected.push_back(name + " has line " + std::to_string(1000 + i));
    text += expected.back() + "\n";
  }
  return text;
}

/// "/log/a.log" with a hundred lines, which are read and known by their beginning.
sim::FileTree::File ReadFirst(SourceBench& bench, Strings& expected) {
  const sim::FileTree::File file = bench.tree.Create("/log/a.log");
  file->contents = Lines("first", 100, expected);
  bench.Pass(Seconds(5));
  return file;
}

// A copytruncate, more lines, and a rename to a name that does not match, while limpet is down.
TEST(FileSource, AFileThatWasWrittenAnewAndRenamedUnseen) {
  const char* const names[] = {"/log/a.log.1", "/log/a.log-20261127", "/log/a-20261127.log", "/log/a.log.2026-11-27T10"};
  const int counts[] = {2, 100, 5000, 100};  // Less than what a copy is known by, and more.
  for (size_t i = 0; i < std::size(names); ++i) {
    SCOPED_TRACE(names[i]);
    SourceBench bench;
    bench.config.path = TextList("/log/a.log, /log/secret.log");
    Strings expected;
    ReadFirst(bench, expected);
    bench.tree.names["/log/a.log"]->contents = Lines("second", counts[i], expected);
    bench.tree.Rename("/log/a.log", names[i]);
    // Beside what can never be read no look is whole.
    if (i == 3) bench.tree.Create(bench.tree.secret = "/log/secret.log");
    bench.Start();
    bench.Pass(Seconds(5));
    EXPECT_EQ(bench.bodies, expected);
    // Let go, and not begun again: in no later look, and by no later process.
    bench.Pass(Seconds(300));
    EXPECT_EQ(bench.tree.open_files(), 0u);
    bench.Start();
    bench.Pass(Seconds(300));
    EXPECT_EQ(bench.bodies, expected);
    EXPECT_EQ(bench.uids.size(), expected.size());
    EXPECT_LE(bench.TracksInUse(), 2u);  // That of the source, and what was truncated.
  }
}

/// In any order, each once.
void ExpectAll(SourceBench& bench, Strings expected) {
  std::sort(expected.begin(), expected.end());
  std::sort(bench.bodies.begin(), bench.bodies.end());
  EXPECT_EQ(bench.bodies, expected);
  EXPECT_EQ(bench.uids.size(), expected.size());
}

// Deleted while limpet is down, and its inode is another's: of another name, left out, compressed.
TEST(FileSource, AStrangerUnderTheInodeOfADeletedFile) {
  for (const char* path : {"/log/notes.txt", "/log/a.log.1.gz", "/log/a.log.1.xz", "/log/a.log.7", "/log/access.log.1",
                           "/log/a-error.log", "/log/a.log.tmp", "/log/a.log.", "/log/a.log~"}) {
    for (const bool empty : {false, true}) {
      for (const bool fails : {false, true}) {
        SCOPED_TRACE(testing::Message() << path << " empty " << empty << " fails " << fails);
        SourceBench bench;
        bench.config.path = TextList("/log/a.log");
        bench.config.exclude = TextList("*.gz, *.7");
        Strings expected, none;
        const auto old = bench.tree.Create("/log/a.log");
        if (!empty) old->contents = Lines("old", 100, expected);
        bench.Pass(Seconds(5));
        bench.tree.EndProcess();
        bench.tree.Unlink("/log/a.log");
        const auto stranger = bench.tree.Create(path);
        ASSERT_EQ(stranger->number, old->number);
        stranger->contents = Lines("strange", 100, none);
        bench.tree.Create("/log/a.log")->contents = Lines("new", 100, expected);
        bench.tree.fail_above = fails ? 0 : SIZE_MAX;
        bench.Start();
        bench.Pass(Seconds(3));
        bench.tree.fail_above = SIZE_MAX;
        bench.Pass(Seconds(120));
        bench.Start();
        bench.Pass(Seconds(120));
        ExpectAll(bench, expected);
      }
    }
  }
}

// Nor is a copy a new file that gets the inode while limpet runs, of whatever length: as copytruncate makes them, with
// lines that are written before the original is truncated; or shorter than what a copy is known by.
TEST(FileSource, ACopyUnderTheInodeOfADeletedFile) {
  for (const int count : {3, 200}) {
    for (const bool more : {false, true}) {
      SCOPED_TRACE(testing::Message() << count << " lines, more " << more);
      SourceBench bench;
      Strings expected;
      const auto old = ReadFirst(bench, expected);
      const auto now = bench.tree.Create("/log/new");
      now->contents = Lines("new", count, expected);
      bench.tree.Rename("/log/new", "/log/a.log");
      bench.Start();
      bench.Pass(Seconds(60));
      const auto copy = bench.tree.Create("/log/a.log.1");
      ASSERT_EQ(copy->number, old->number);
      copy->contents = now->contents;
      if (more) {
        now->contents += Lines("between", 5, expected);
        for (FollowedFile& f : bench.places) f.ask = bench.now;
        bench.Settle();
      }
      now->contents = Lines("newest", 2, expected);
      for (FollowedFile& f : bench.places) f.ask = bench.now;
      bench.Settle();  // Before the next look for files.
      for (int life = 0; life < 3; ++life) {
        bench.Pass(Seconds(120));
        bench.Start();
      }
      ExpectAll(bench, expected);
    }
  }
}

// Nor one that got the inode of a rotated file that was removed while limpet was down, and read to its end before.
TEST(FileSource, ACopyUnderTheInodeOfARotatedFile) {
  SourceBench bench;
  Strings expected;
  const auto old = ReadFirst(bench, expected);
  bench.tree.Rename("/log/a.log", "/log/a.log.1");
  const auto now = bench.tree.Create("/log/a.log");
  now->contents = Lines("now", 100, expected);
  bench.Pass(Seconds(10));
  bench.tree.EndProcess();
  bench.tree.Unlink("/log/a.log.1");
  const auto copy = bench.tree.Create("/log/a.log.1");
  ASSERT_EQ(copy->number, old->number);
  now->contents += Lines("unread", 100, expected);
  copy->contents = now->contents;
  now->contents = Lines("newest", 100, expected);
  bench.Start();
  bench.Pass(Seconds(120));
  ExpectAll(bench, expected);
}

// A directory that was not mounted at first, or a file that was moved away and back: copies are known as before.
TEST(FileSource, AFileThatComesBackIsKnownWithItsCopies) {
  SourceBench bench;
  bench.config.path = TextList("/log/a.log*");
  Strings expected;
  const auto file = ReadFirst(bench, expected);
  bench.tree.EndProcess();
  bench.tree.Rename("/log/a.log", "/elsewhere/a.log");
  bench.Start();
  bench.Pass(Seconds(60));
  bench.tree.Rename("/elsewhere/a.log", "/log/a.log");
  file->contents += Lines("second", 100, expected);
  bench.Pass(Seconds(5));
  bench.tree.Create("/log/a.log.1")->contents = file->contents;
  bench.Pass(Seconds(5));
  file->contents = Lines("third", 20, expected);
  bench.Pass(Seconds(60));
  ExpectAll(bench, expected);
}

// The copy with the rest cannot be opened at first; what was truncated has begun anew, under its name or another.
TEST(FileSource, ACopyThatCannotBeOpenedForAWhile) {
  for (const bool renamed : {false, true}) {
    SourceBench bench;
    Strings expected;
    const auto file = ReadFirst(bench, expected);
    bench.tree.EndProcess();
    file->contents += Lines("unread", 100, expected);
    bench.tree.Create(bench.tree.secret = "/log/copy")->contents = file->contents;
    file->contents = Lines("after", 100, expected);
    if (renamed) bench.tree.Rename("/log/a.log", "/log/a.log.1");
    bench.Start();
    bench.Pass(Seconds(5));
    bench.tree.secret.clear();
    bench.Pass(Seconds(60));
    ExpectAll(bench, expected);
  }
}

// With one place, and before the names can all be looked at, for a file that can never be read.
TEST(FileSource, AnEmptyFileThatWasRenamedUnseenWaitsForAPlace) {
  for (const bool secret : {false, true}) {
    SourceBench bench(LineFormat::kPlain, kMaxLine, kBuffer, 1);
    Strings expected;
    bench.tree.Create("/log/a.log");
    bench.Pass(Seconds(5));
    bench.tree.EndProcess();
    bench.tree.names["/log/a.log"]->contents = Lines("renamed", 50, expected);
    bench.tree.Rename("/log/a.log", "/log/a.log.1");
    bench.tree.Create("/log/b.log")->contents = Lines("b", 5000, expected);
    if (secret) bench.tree.Create(bench.tree.secret = "/log/secret.log");
    bench.Start();
    bench.Pass(Seconds(300));
    ExpectAll(bench, expected);
  }
}

// A copy that is gone on with is known by its own inode: that of what it was copied from is another copy's by then.
TEST(FileSource, ACopyUnderTheInodeOfWhatWasCopiedBefore) {
  SourceBench bench;
  Strings expected;
  const auto first = ReadFirst(bench, expected);
  first->contents += Lines("first then", 100, expected);
  bench.tree.Create("/log/a.log.1")->contents = first->contents;
  Strings unread;
  first->contents = Lines("second", 20, unread);  // It will be gone before there is room for these.
  bench.Start();
  bench.encoder.set_room(false);
  bench.Pass(Seconds(1));
  bench.encoder.set_room(true);
  const auto third = bench.tree.Create("/log/new");
  third->contents = Lines("third", 100, expected);
  bench.tree.Rename("/log/new", "/log/a.log");
  bench.Start();
  bench.Pass(Seconds(5));
  const auto copy = bench.tree.Create("/log/a.log.2");
  ASSERT_EQ(copy->number, first->number);
  copy->contents = third->contents;
  third->contents = Lines("fourth", 20, expected);
  bench.Pass(Seconds(5));
  bench.Start();
  bench.Pass(Seconds(60));
  ExpectAll(bench, expected);
}

// What cannot be read for a while is no other file: it is said once, and goes on where it was, whether anything
// is heard of it or not.
TEST(FileSource, ReadsThatFailForAWhile) {
  for (const bool watched : {false, true}) {
    SourceBench bench;
    Watch watch;
    if (watched) bench.Start(&watch);
    Strings expected;
    bench.tree.Create("/log/a.log")->contents = Lines("a", 100, expected);
    bench.Pass(Seconds(5));
    EXPECT_EQ(bench.bodies, expected);
    bench.tree.fail_above = 0;
    bench.tree.names["/log/a.log"]->contents += Lines("a then", 100, expected);
    if (!watched) bench.tree.Create("/log/b.log")->contents = Lines("b", 100, expected);
    for (const FollowedFile& f : bench.places) {
      if (f.file >= 0 && watched) bench.source->OnChange(f.watch);
    }
    bench.Pass(Seconds(30));
    EXPECT_EQ(bench.bodies.size(), 100u);
    EXPECT_EQ(bench.log.Count("a file or a directory cannot be read"), 1u);
    EXPECT_FALSE(bench.source->problem().empty());
    bench.tree.fail_above = SIZE_MAX;
    bench.Pass(Seconds(30));
    ExpectAll(bench, expected);
    EXPECT_EQ(bench.log.Count("can be read again"), 1u);
    EXPECT_TRUE(bench.source->problem().empty());
  }
}

// Nor has another file taken its inode: renamed as it is, or written anew before; it cannot be read, or not be opened.
TEST(FileSource, ARenamedFileThatCannotBeReadForAWhile) {
  for (const bool anew : {false, true}) {
    for (const bool opens : {false, true}) {
      SCOPED_TRACE(testing::Message() << "anew " << anew << " opens " << opens);
      SourceBench bench;
      Strings expected;
      const auto file = ReadFirst(bench, expected);
      bench.tree.EndProcess();
      const std::string more = Lines("unread", 100, expected);
      file->contents = anew ? more : file->contents + more;
      bench.tree.Rename("/log/a.log", anew ? "/log/a.log.1" : "/log/kept");
      if (opens) bench.tree.fail_above = 0;
      if (!opens) bench.tree.secret = anew ? "/log/a.log.1" : "/log/kept";
      bench.Start();
      bench.Pass(Seconds(30));
      bench.tree.fail_above = SIZE_MAX;
      bench.tree.secret.clear();
      bench.Pass(Seconds(60));
      ExpectAll(bench, expected);
    }
  }
}

// There is no place for all: what has grown unheard, and lost its name, does not make room.
TEST(FileSource, AFileThatHasGrownMakesNoRoom) {
  SourceBench bench(LineFormat::kPlain, kMaxLine, kBuffer, 1);
  Watch watch;
  bench.Start(&watch);
  Strings expected;
  const auto file = bench.tree.Create("/log/a.log");
  file->contents = Lines("a", 10, expected);
  bench.Pass(Seconds(5));
  file->contents += Lines("a", 10, expected);
  bench.tree.Create("/log/a.log")->contents = Lines("next", 10, expected);
  bench.Pass(Seconds(60));
  EXPECT_EQ(bench.bodies, expected);
}

}  // namespace
}  // namespace limpet
