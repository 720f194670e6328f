// How one file is read: by how much at a time, records of any length, reads that fail. What is done to names
// and whole files is tail_test's.
#include "logs/file_source.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>
#include <vector>

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
        parser({.format = format}, parsed),
        source(config, {.files = tree,
                        .watch = nullptr,
                        .tracks = tracks,
                        .pipeline = pipeline,
                        .splitter = splitter,
                        .parser = parser,
                        .log = log,
                        .buffer = buffer,
                        .places = places,
                        .resource = resource,
                        .instance = "i"}) {
    tracks.FlashFails();  // Nothing waits for a commit.
    tracks.KeptEnds();
  }

  /// Returns when it wants to be asked next.
  MonoTime Turn() {
    tracks.SetNow(now);
    const MonoTime next = source.OnTime({kWall, now}, encoder);
    for (const SeenLog& seen : TakeAll()) {
      uids.insert(seen.attributes.at("log.record.uid"));
      bodies.push_back(seen.body);
      truncated += seen.attributes.contains("limpet.truncated");
    }
    return next;
  }
  /// Turns until it has nothing to do at this time.
  void Settle() {
    for (int turns = 0; Turn() <= now; ++turns) ASSERT_LT(turns, 10'000) << "it spins";
  }
  void Pass(Duration time) {
    for (const MonoTime end = now + time; now < end; now = now + Milliseconds(500)) Settle();
  }

  const LogConfig config;
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
  FileSource source;
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

}  // namespace
}  // namespace limpet
