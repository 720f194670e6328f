// The journal as a source: JournalReader and JournalRecord have tests of their own; here it is about records
// in batches, uids, and where the next process goes on.
#include "logs/journal_source.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "inode_files.h"
#include "journal_writer.h"
#include "log_bench.h"

namespace limpet {
namespace {

constexpr uint64_t kTime = 1'700'000'000'000'000;
const std::string kFolder = "/var/log/journal/0123456789abcdef0123456789abcdef/";
const std::string kLive = kFolder + "system.journal";

LogConfig Config(bool from_beginning = true) {
  LogConfig config;
  config.name = "journal";
  config.type = LogType::kJournald;
  config.directory = "/var/log/journal";
  config.from_beginning = from_beginning;
  config.discover = Seconds(10);
  config.max_line_bytes = 4096;
  config.priority = 7;
  return config;
}

/// What flash knows of a source when its process ends.
using Left = std::vector<KeptTrack>;

struct Watches final : FileWatch {
  Result<int> WatchFile(int file) override {
    if (unsupported) return Status{Code::kUnsupported, 0, "a network filesystem"};
    held.insert(file);
    return file;
  }
  Result<int> WatchDirectory(std::string_view) override { return Status{Code::kUnsupported, 0, ""}; }
  void Forget(int watch) override { EXPECT_EQ(held.erase(watch), 1u); }
  int Next() override { return kNone; }
  int handle() const override { return -1; }

  std::set<int> held;
  bool unsupported = false;
};

/// A process that reads it.
struct Reader {
  explicit Reader(InodeFiles& its_files, const LogConfig& c = Config(), const Left& left = {},
                  FileWatch* watch = nullptr)
      : config(c),
        files(its_files),
        attributes(RecordPipeline::AttributeBytes(config)),
        body(config.max_line_bytes),
        pipeline(config, true, {attributes, body, {}}),
        memory(TrackTable::BytesNeeded(8, 512) / sizeof(std::max_align_t) + 1),
        tracks(std::as_writable_bytes(std::span(memory)), 8, 512, bench.log),
        own(JournalSource::BytesNeeded(config)) {
    source.emplace(config, std::span<const uint8_t>{}, files, watch, bench.log, tracks, pipeline, own);
    bench.batcher.UseTracks(tracks, tracks.marks_room());
    Turn();
    EXPECT_EQ(files.opens, opens_before);  // Nobody knows yet what an earlier process left.
    tracks.TakeKept(left);
    tracks.KeptEnds();
  }
  ~Reader() {
    source.reset();
    EXPECT_EQ(files.open(), 0u);
  }

  bool Turn() {
    tracks.SetNow(now.mono);
    const MonoTime due = source->OnTime(now, bench.encoder);
    return due <= now.mono;
  }
  /// Until nothing is to be read, with a second for each look.
  void Settle() {
    for (int quiet = 0; quiet < 3;) {
      if (Turn()) continue;
      Flash();
      Pass(Seconds(1));
      ++quiet;
    }
  }
  void Pass(Duration time) { now = {now.wall + time, now.mono + time}; }
  /// Flash takes what it is told.
  void Flash() {
    std::array<TrackChange, 8> changes;
    for (size_t n; (n = tracks.FillChanges(changes)) > 0;) tracks.ChangesWritten(true);
  }
  std::vector<SeenLog> Take() { return bench.TakeAll(); }
  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    for (const SeenLog& seen : Take()) bodies.push_back(seen.body);
    return bodies;
  }
  /// As the next process finds it. back: so many records of each track were not committed.
  Left Leave(uint64_t back = 0) {
    Left left;
    tracks.ForEach(Hash64(config.name), [&](Track& track) {
      KeptTrack kept;
      kept.id = track.id;
      kept.position = track.read - std::min(back, track.read);
      kept.identity = track.identity;
      kept.identity_bytes = track.identity_bytes;
      left.push_back(kept);
    });
    return left;
  }

  const LogConfig config;
  InodeFiles& files;
  const size_t opens_before = files.opens;
  LogBench bench;
  std::vector<uint8_t> attributes;
  std::vector<char> body;
  RecordPipeline pipeline;
  std::vector<std::max_align_t> memory;
  TrackTable tracks;
  std::vector<std::byte> own;
  std::optional<JournalSource> source;
  Stamp now{kWall, MonoTime{} + Seconds(1000)};
};

void Fill(JournalWriter& writer, uint64_t first, uint64_t last, const char* priority = "PRIORITY=6") {
  for (uint64_t i = first; i <= last; ++i) {
    writer.Append(i, kTime + i, {JournalWriter::Data("MESSAGE=line " + std::to_string(i)), priority});
  }
}

std::vector<std::string> Lines(uint64_t first, uint64_t last) {
  std::vector<std::string> lines;
  for (uint64_t i = first; i <= last; ++i) lines.push_back("line " + std::to_string(i));
  return lines;
}

TEST(JournalSource, EachEntryIsARecordWithItsUid) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 300);
  files.Write(kLive, writer.bytes);
  Reader reader(files);
  reader.Settle();
  const std::vector<SeenLog> seen = reader.Take();
  ASSERT_EQ(seen.size(), 300u);
  JournalId id;
  id.fill(JournalWriter::Options{}.seqnum_id);
  for (size_t i = 0; i < 300; ++i) {
    SCOPED_TRACE(i);
    char uid[kUlidBytes];
    WriteUlid(JournalUid(id, i + 1), uid);
    EXPECT_EQ(seen[i].body, "line " + std::to_string(i + 1));
    EXPECT_EQ(seen[i].attributes.at("log.record.uid"), std::string(uid, sizeof uid));
    EXPECT_EQ(seen[i].time, (kTime + i + 1) * 1000);
    EXPECT_EQ(seen[i].severity, 9u);
  }
}

TEST(JournalSource, ATurnIsAShare) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 300);
  files.Write(kLive, writer.bytes);
  Reader reader(files);
  EXPECT_FALSE(reader.Turn());  // The track is not on flash: nothing is read along it.
  EXPECT_EQ(reader.Bodies(), Lines(1, 0));
  reader.Flash();
  reader.Pass(Seconds(1));
  EXPECT_TRUE(reader.Turn());
  EXPECT_EQ(reader.Bodies(), Lines(1, JournalSource::kRecordsPerTurn));
}

TEST(JournalSource, WhatIsWatchedIsNotAsked) {
  struct Case {
    const char* name;
    bool unsupported;
    Duration at_rest;
  };
  for (const Case& c : {Case{"watched", false, Seconds(10)}, Case{"not to be watched", true, Seconds(1)}}) {
    SCOPED_TRACE(c.name);
    InodeFiles files;
    JournalWriter writer;
    Fill(writer, 1, 20);
    files.Write(kLive, writer.bytes);
    Watches watches;
    watches.unsupported = c.unsupported;
    {
      Reader reader(files, Config(), {}, &watches);
      reader.Settle();
      EXPECT_EQ(reader.Bodies(), Lines(1, 20));
      EXPECT_EQ(watches.held.size(), c.unsupported ? 0u : 1u);
      reader.Pass(reader.source->OnTime(reader.now, reader.bench.encoder) - reader.now.mono);
      EXPECT_EQ(reader.source->OnTime(reader.now, reader.bench.encoder), reader.now.mono + c.at_rest);
      Fill(writer, 21, 25);
      files.Write(kLive, writer.bytes);
      reader.Turn();
      EXPECT_EQ(reader.Bodies(), Lines(1, 0));  // It is not due.
      reader.source->OnChange(c.unsupported ? FileWatch::kLost : *watches.held.begin());
      reader.Turn();
      EXPECT_EQ(reader.Bodies(), Lines(21, 25));
    }
    EXPECT_TRUE(watches.held.empty());
  }
}

TEST(JournalSource, BeginsAtTheEndOnce) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 10);
  files.Write(kLive, writer.bytes);
  Left left;
  {
    Reader reader(files, Config(/*from_beginning=*/false));
    reader.Settle();
    EXPECT_EQ(reader.Bodies(), Lines(1, 0));
    left = reader.Leave();
  }
  Fill(writer, 11, 12);
  files.Write(kLive, writer.bytes);
  Reader next(files, Config(/*from_beginning=*/false), left);
  next.Settle();
  EXPECT_EQ(next.Bodies(), Lines(11, 12));
}

// What was not committed comes again, under the same uid.
TEST(JournalSource, TheNextProcessGoesOnWhereFlashSays) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 20);
  files.Write(kLive, writer.bytes);
  Left left;
  std::vector<SeenLog> before;
  {
    Reader reader(files);
    reader.Settle();
    before = reader.Take();
    left = reader.Leave(/*back=*/5);
  }
  ASSERT_EQ(before.size(), 20u);
  // journald goes on in another file meanwhile.
  writer.SetState(JournalWriter::kArchived);
  files.Write(kLive, writer.bytes);
  files.Rename(kLive, kFolder + "system@1.journal");
  JournalWriter second(JournalWriter::Options{.file_id = 2});
  Fill(second, 21, 25);
  files.Write(kLive, second.bytes);
  Reader next(files, Config(), left);
  next.Settle();
  const std::vector<SeenLog> after = next.Take();
  ASSERT_EQ(after.size(), 10u);
  for (size_t i = 0; i < 5; ++i) {
    EXPECT_EQ(after[i].body, before[15 + i].body);
    EXPECT_EQ(after[i].attributes, before[15 + i].attributes);
  }
  EXPECT_EQ(after[9].body, "line 25");
  EXPECT_EQ(next.source->lost(), 0u);
}

// What is filtered out does not come again either.
TEST(JournalSource, FiltersMoveItsTrack) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 5, "PRIORITY=3");
  Fill(writer, 6, 20, "PRIORITY=7");
  files.Write(kLive, writer.bytes);
  LogConfig config = Config();
  config.priority = 4;
  Reader reader(files, config);
  reader.Settle();
  EXPECT_EQ(reader.Bodies(), Lines(1, 5));
  uint64_t furthest = 0;
  for (const KeptTrack& kept : reader.Leave()) furthest = std::max(furthest, kept.position);
  EXPECT_EQ(furthest, 20u);
}

TEST(JournalSource, WhatIsDamagedOrGoneIsCounted) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 10);
  writer.bytes[writer.entries[3]] = 0;
  writer.SetState(JournalWriter::kArchived);
  files.Write(kFolder + "system@1.journal", writer.bytes);
  JournalWriter second(JournalWriter::Options{.file_id = 2});
  Fill(second, 14, 15);  // 11 to 13 were removed.
  files.Write(kLive, second.bytes);
  Reader reader(files);
  reader.Settle();
  std::vector<std::string> expected = Lines(1, 10);
  expected.erase(expected.begin() + 3);
  for (const std::string& line : Lines(14, 15)) expected.push_back(line);
  EXPECT_EQ(reader.Bodies(), expected);
  EXPECT_EQ(reader.source->lost(), 4u);
}

TEST(JournalSource, WhereFlashFailsItIsReadAllTheSame) {
  InodeFiles files;
  JournalWriter writer;
  Fill(writer, 1, 3);
  files.Write(kLive, writer.bytes);
  Reader reader(files);
  reader.tracks.FlashFails();
  for (int i = 0; i < 5; ++i) reader.Turn(), reader.Pass(Seconds(1));
  EXPECT_EQ(reader.Bodies(), Lines(1, 3));
}

}  // namespace
}  // namespace limpet
