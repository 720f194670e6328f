#include "logs/kmsg_source.h"

#include <gtest/gtest.h>
#include <deque>
#include <set>
#include <string>
#include <vector>

#include "base/hash.h"
#include "log_bench.h"
#include "logs/kmsg_record.h"

namespace limpet {
namespace {

TEST(ParseKmsg, Cases) {
  const std::string real =
      "6,339,5140900,-,caller=T1;pci 0000:00:1f.2: reg 0x10\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.2\n";
  struct Case {
    const char* name;
    std::string record;
    bool good;
    uint32_t facility;
    uint8_t level;
    uint64_t sequence;
    int64_t microseconds;
    std::string text, subsystem, device;
  };
  const Case cases[] = {
      {"real", real, true, 0, 6, 339, 5140900, "pci 0000:00:1f.2: reg 0x10", "pci", "+pci:0000:00:1f.2"},
      {"plain", "4,0,0,-;text\n", true, 0, 4, 0, 0, "text", "", ""},
      {"of a program", "30,7,15,-;systemd[1]: Started.\n", true, 3, 6, 7, 15, "systemd[1]: Started.", "", ""},
      {"a fragment", "4,1,2,c;text\n", true, 0, 4, 1, 2, "text", "", ""},
      {"no flags", "4,1,2;text\n", true, 0, 4, 1, 2, "text", "", ""},
      {"empty text", "4,1,2,-;\n", true, 0, 4, 1, 2, "", "", ""},
      {"no newline", "4,1,2,-;text", true, 0, 4, 1, 2, "text", "", ""},
      {"separators in the text", "4,1,2,-;a,b;c=d\n", true, 0, 4, 1, 2, "a,b;c=d", "", ""},
      {"escapes", R"(4,1,2,-;a\x0ab\x5cc \xc3\xa9)" "\n", true, 0, 4, 1, 2, "a\nb\\c \xc3\xa9", "", ""},
      {"an escape that is none", R"(4,1,2,-;\xg0 \x4 \q \)" "\n", true, 0, 4, 1, 2, R"(\xg0 \x4 \q \)", "", ""},
      {"an escaped value", "4,1,2,-;t\n DEVICE=a\\x20b\n", true, 0, 4, 1, 2, "t", "", "a b"},
      {"unknown keys", "4,1,2,-;t\n X=1\n DEVICEX=2\n DEVICE\n=\n", true, 0, 4, 1, 2, "t", "", ""},
      {"a key without a value", "4,1,2,-;t\n DEVICE", true, 0, 4, 1, 2, "t", "", ""},
      {"largest", "4294967295,18446744073709551615,9223372036854775,-;t\n", true, 536870911, 7,
       UINT64_MAX, 9223372036854775, "t", "", ""},
      {"empty", "", false, 0, 0, 0, 0, "", "", ""},
      {"no prefix", "text\n", false, 0, 0, 0, 0, "", "", ""},
      {"two fields", "4,1;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"no number", "4,x,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"signed", "4,-1,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"too late", "4,1,9223372036854776,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"too large", "4,18446744073709551616,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string bytes = c.record;
    const Result<KmsgRecord> got = ParseKmsg(bytes);
    ASSERT_EQ(got.ok(), c.good);
    if (!got.ok()) {
      EXPECT_EQ(got.status().code, Code::kInvalid);
      continue;
    }
    const KmsgRecord& record = got.value();
    EXPECT_EQ(record.facility, c.facility);
    EXPECT_EQ(record.level, c.level);
    EXPECT_EQ(record.sequence, c.sequence);
    EXPECT_EQ(record.since_boot.ns, c.microseconds * 1000);
    EXPECT_EQ(record.text, c.text);
    EXPECT_EQ(record.subsystem, c.subsystem);
    EXPECT_EQ(record.device, c.device);
  }
}

/// A kernel with a log of its own, and the device to read it.
class Kernel final : public Files {
 public:
  /// at: of the log clock.
  void Print(std::string text, Duration at, unsigned priority = 6) {
    ring_.push_back({next_++, std::to_string(priority) + "," + std::to_string(next_ - 1) + "," +
                                  std::to_string(at.ns / 1000) + ",-;" + std::move(text) + "\n"});
    if (ring_.size() > room) ring_.pop_front();
  }

  Result<int> Open(std::string_view path) override {
    EXPECT_EQ(path, "/dev/kmsg");
    if (!failure.ok()) return failure;
    ++opened;
    at_ = ring_.empty() ? next_ : ring_.front().sequence;
    return 9;
  }
  Result<size_t> Read(int, std::span<char> into) override {
    ++reads;
    if (!failure.ok()) return failure;
    const uint64_t first = ring_.empty() ? next_ : ring_.front().sequence;
    if (at_ < first) {
      at_ = first;
      return Status{Code::kNotFound, 32, "read"};
    }
    if (at_ == next_) return Status{Code::kUnavailable, 11, "read"};
    const std::string& text = ring_[static_cast<size_t>(at_ - first)].text;
    ++at_;
    if (text.size() > into.size()) return Status{Code::kInvalid, 22, "read"};
    return text.copy(into.data(), into.size());
  }
  Result<size_t> ReadAt(int, uint64_t, std::span<char>) override { return Status{Code::kIo, 29, "pread"}; }
  void Close(int) override { --opened; }
  Result<UnixTime> ModifiedAt(int) override { return Status{Code::kIo, 0, "stat"}; }
  Status ListNames(std::string_view, NameSink&) override { return {Code::kIo, 0, "list"}; }
  Result<std::string_view> ReadLink(std::string_view, std::span<char>) override {
    return Status{Code::kIo, 0, "readlink"};
  }
  bool readable() const { return at_ < next_; }

  size_t room = 1000;
  Status failure;
  int opened = 0, reads = 0;

 private:
  struct Message {
    uint64_t sequence;
    std::string text;
  };
  std::deque<Message> ring_;
  uint64_t next_ = 0, at_ = 0;
};

class KernelPoller final : public Poller {
 public:
  explicit KernelPoller(Kernel& kernel) : kernel_(kernel) {}
  Status Watch(int, uint8_t, PollHandler& handler) override {
    handler_ = &handler;
    return {};
  }
  void Forget(int) override { handler_ = nullptr; }
  Status Wait(MonoTime) override { return {}; }
  bool Step() {
    if (handler_ == nullptr || !kernel_.readable()) return false;
    handler_->OnReady(9, kReadable);
    return true;
  }
  bool watched() const { return handler_ != nullptr; }

 private:
  Kernel& kernel_;
  PollHandler* handler_ = nullptr;
};

constexpr BootId kBoot{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}};
constexpr BootId kOtherBoot{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 17}};

LogConfig Config(bool from_beginning = false) {
  LogConfig config;
  config.name = "kernel";
  config.type = LogType::kKmsg;
  config.from_beginning = from_beginning;
  config.max_line_bytes = 4096;
  return config;
}

/// A process that reads it. kept: the track that an earlier one left.
struct Reader {
  explicit Reader(Kernel& k, const LogConfig& c = Config(), const KeptTrack* kept = nullptr, BootId boot = kBoot)
      : config(c),
        kernel(k),
        attributes(RecordPipeline::AttributeBytes(config)),
        body(config.max_line_bytes),
        pipeline(config, true, {attributes, body}),
        memory(TrackTable::BytesNeeded(8, 512) / sizeof(std::max_align_t) + 1),
        tracks(std::as_writable_bytes(std::span(memory)), 8, 512, bench.log),
        scratch(KmsgSource::kScratchBytes),
        source(config, {.files = kernel,
                        .poller = poller,
                        .tracks = tracks,
                        .pipeline = pipeline,
                        .log = bench.log,
                        .scratch = scratch,
                        .resource = {},
                        .boot = boot}) {
    bench.batcher.UseTracks(tracks, tracks.marks_room());
    EXPECT_TRUE(source.Start().ok());
    Turn();  // Too early: nobody knows what an earlier process left.
    EXPECT_EQ(kernel.reads, 0);
    if (kept != nullptr) tracks.TakeKept({kept, 1});
    tracks.KeptEnds();
    tracks.FlashFails();
  }
  ~Reader() {
    source.Close();
    EXPECT_EQ(kernel.opened, 0);
    kernel.reads = 0;
  }

  bool Turn() {
    const bool ready = poller.Step();
    tracks.SetNow(now.mono);
    due = source.OnTime(now, bench.encoder);
    return ready || due <= now.mono;
  }
  bool Settle() {
    int idle = 0;
    for (int i = 0; i < 1000 && idle < 2; ++i) idle = Turn() ? 0 : idle + 1;
    return idle == 2;
  }
  void Pass(Duration time) { now = {now.wall + time, now.mono + time}; }
  std::vector<SeenLog> Take() { return bench.TakeAll(); }
  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    for (const SeenLog& seen : Take()) bodies.push_back(seen.body);
    return bodies;
  }
  /// As an earlier process leaves it.
  KeptTrack Kept() {
    KeptTrack kept;
    tracks.ForEach(Hash64(config.name), [&](Track& track) {
      kept.id = track.id;
      kept.position = track.read;
      kept.identity = track.identity;
      kept.identity_bytes = track.identity_bytes;
    });
    EXPECT_NE(kept.id, 0u);
    return kept;
  }

  const LogConfig config;
  Kernel& kernel;
  LogBench bench;
  KernelPoller poller{kernel};
  std::vector<uint8_t> attributes;
  std::vector<char> body;
  RecordPipeline pipeline;
  std::vector<std::max_align_t> memory;
  TrackTable tracks;
  std::vector<std::byte> scratch;
  KmsgSource source;
  Stamp now{kWall, MonoTime{} + Seconds(1000)};
  MonoTime due;
};

using Texts = std::vector<std::string>;
constexpr Duration kEarly = Seconds(10);

TEST(KmsgSource, BeginsAtTheEndOnce) {
  Kernel kernel;
  for (int i = 0; i < 300; ++i) kernel.Print("old", kEarly);
  KeptTrack kept;
  {
    Reader reader(kernel);
    ASSERT_TRUE(reader.Settle());
    EXPECT_EQ(reader.Bodies(), Texts{});
    EXPECT_TRUE(reader.poller.watched());
    const int reads = kernel.reads;
    for (int i = 0; i < 10; ++i) reader.Turn();
    EXPECT_EQ(kernel.reads, reads);  // Nothing is read for nothing.
    kernel.Print("new", Seconds(1000));
    ASSERT_TRUE(reader.Settle());
    EXPECT_EQ(reader.Bodies(), Texts{"new"});
    kept = reader.Kept();
  }
  // What comes while nobody reads is found by the next.
  kernel.Print("meanwhile", Seconds(1000));
  Reader next(kernel, Config(), &kept);
  ASSERT_TRUE(next.Settle());
  EXPECT_EQ(next.Bodies(), Texts{"meanwhile"});
  EXPECT_EQ(next.source.lost(), 0u);
}

TEST(KmsgSource, NothingComesBetweenTwoStarts) {
  Kernel kernel;
  kernel.Print("old", kEarly);
  KeptTrack kept;
  {
    Reader reader(kernel);
    ASSERT_TRUE(reader.Settle());
    kept = reader.Kept();  // It has read nothing yet.
  }
  kernel.Print("meanwhile", Seconds(1000));
  Reader next(kernel, Config(), &kept);
  ASSERT_TRUE(next.Settle());
  EXPECT_EQ(next.Bodies(), Texts{"meanwhile"});
}

TEST(KmsgSource, BeginsAtTheBeginning) {
  Kernel kernel;
  kernel.room = 200;
  for (int i = 0; i < 300; ++i) kernel.Print("old " + std::to_string(i), kEarly);
  Reader reader(kernel, Config(/*from_beginning=*/true));
  reader.Turn();
  EXPECT_LE(kernel.reads, static_cast<int>(KmsgSource::kRecordsPerTurn));  // A share.
  ASSERT_TRUE(reader.Settle());
  const Texts bodies = reader.Bodies();
  ASSERT_EQ(bodies.size(), 200u);
  EXPECT_EQ(bodies[0], "old 100");
  EXPECT_EQ(reader.source.lost(), 0u);  // What was before it was there is not its loss.
}

TEST(KmsgSource, AnotherBootIsReadFromItsBeginning) {
  Kernel kernel;
  KeptTrack kept;
  {
    Reader reader(kernel, Config(), nullptr, kOtherBoot);
    ASSERT_TRUE(reader.Settle());
    kept = reader.Kept();
  }
  Kernel rebooted;
  rebooted.room = 50;
  for (int i = 0; i < 60; ++i) rebooted.Print("boot", kEarly);
  Reader reader(rebooted, Config(), &kept);
  ASSERT_TRUE(reader.Settle());
  EXPECT_EQ(reader.Bodies().size(), 50u);
  EXPECT_EQ(reader.source.lost(), 10u);
  EXPECT_EQ(reader.Kept().position, 60u);
  size_t tracks = 0;
  reader.tracks.ForEach(Hash64("kernel"), [&](Track&) { ++tracks; });
  EXPECT_EQ(tracks, 1u);  // That of the other boot is gone.
}

TEST(KmsgSource, ARecordHasAllThatIsKnown) {
  Kernel kernel;
  Reader reader(kernel);
  ASSERT_TRUE(reader.Settle());
  kernel.Print("usb 1-1: new device\n SUBSYSTEM=usb\n DEVICE=c189:0", Seconds(1000), 4);
  kernel.Print("daemon[7]: caf\\xe9\n DEVICE=\\xe9", Seconds(1000), 30);
  ASSERT_TRUE(reader.Settle());
  const std::vector<SeenLog> seen = reader.Take();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].body, "usb 1-1: new device");
  EXPECT_EQ(seen[0].severity, 13u);
  EXPECT_EQ(seen[0].level, "warning");
  EXPECT_EQ(seen[0].time, static_cast<uint64_t>(kWall.ns));
  EXPECT_EQ(seen[0].observed, static_cast<uint64_t>(kWall.ns));
  std::map<std::string, std::string> attributes = seen[0].attributes;
  const std::string uid = attributes.extract("log.record.uid").mapped();
  EXPECT_EQ(uid.substr(0, 10), "01081G8186");  // 48 bits of the boot id: 01 02 03 04 05 06.
  EXPECT_EQ(attributes, (std::map<std::string, std::string>{
                            {"syslog.facility", "int 0"}, {"kmsg.subsystem", "usb"}, {"kmsg.device", "c189:0"}}));
  EXPECT_EQ(seen[1].body, "daemon[7]: caf\xef\xbf\xbd");
  EXPECT_EQ(seen[1].level, "info");
  EXPECT_EQ(seen[1].attributes.at("syslog.facility"), "int 3");
  EXPECT_EQ(seen[1].attributes.at("kmsg.device"), "\xef\xbf\xbd");
  EXPECT_EQ(seen[1].attributes.at("limpet.invalid_utf8"), "bool true");
  EXPECT_NE(seen[1].attributes.at("log.record.uid"), uid);
}

TEST(KmsgSource, TheSameMessageHasTheSameUid) {
  Kernel kernel;
  for (int i = 0; i < 5; ++i) kernel.Print("x", kEarly);
  std::set<std::string> uids;
  for (int i = 0; i < 3; ++i) {
    Reader reader(kernel, Config(/*from_beginning=*/true));
    ASSERT_TRUE(reader.Settle());
    for (const SeenLog& seen : reader.Take()) uids.insert(seen.attributes.at("log.record.uid"));
  }
  EXPECT_EQ(uids.size(), 5u);
}

TEST(KmsgSource, ThePriorityFilters) {
  Kernel kernel;
  LogConfig config = Config();
  config.priority = 4;
  Reader reader(kernel, config);
  ASSERT_TRUE(reader.Settle());
  for (unsigned priority = 0; priority < 16; ++priority) {
    kernel.Print(std::to_string(priority), Seconds(1000), priority);
  }
  ASSERT_TRUE(reader.Settle());
  EXPECT_EQ(reader.Bodies(), (Texts{"0", "1", "2", "3", "4", "8", "9", "10", "11", "12"}));
  EXPECT_EQ(reader.source.lost(), 0u);
  EXPECT_EQ(reader.Kept().position, 16u);  // What is left out is done with as well.
}

TEST(KmsgSource, WhatIsOverwrittenIsCounted) {
  Kernel kernel;
  kernel.room = 10;
  kernel.Print("old", kEarly);
  KeptTrack kept;
  {
    Reader reader(kernel);
    ASSERT_TRUE(reader.Settle());
    for (int i = 0; i < 25; ++i) kernel.Print("x", Seconds(1000));
    ASSERT_TRUE(reader.Settle());
    EXPECT_EQ(reader.Bodies().size(), 10u);
    EXPECT_EQ(reader.source.lost(), 15u);
    EXPECT_EQ(reader.bench.log.Count("were overwritten before"), 1u);
    EXPECT_EQ(reader.due, reader.now.mono + KmsgSource::kGap);
    reader.Pass(Seconds(5));
    for (int i = 0; i < 12; ++i) kernel.Print("x", Seconds(1005));
    ASSERT_TRUE(reader.Settle());
    EXPECT_EQ(reader.source.lost(), 17u);
    EXPECT_EQ(reader.bench.log.Count("were overwritten before"), 1u);  // Once an episode.
    reader.Pass(Seconds(10));
    ASSERT_TRUE(reader.Settle());
    EXPECT_EQ(reader.bench.log.Count("no more kernel messages are overwritten source=kernel lost=17"), 1u);
    EXPECT_EQ(reader.due, kNever);
    kept = reader.Kept();
  }
  for (int i = 0; i < 13; ++i) kernel.Print("x", Seconds(1020));  // While nobody reads.
  Reader next(kernel, Config(), &kept);
  ASSERT_TRUE(next.Settle());
  EXPECT_EQ(next.Bodies().size(), 10u);
  EXPECT_EQ(next.source.lost(), 3u);
}

TEST(KmsgSource, WithoutRoomItWaitsInTheRing) {
  Kernel kernel;
  Reader reader(kernel);
  ASSERT_TRUE(reader.Settle());
  reader.bench.encoder.set_room(false);
  for (int i = 0; i < 300; ++i) kernel.Print("x", Seconds(1000));
  ASSERT_TRUE(reader.Settle());  // No busy loop.
  EXPECT_EQ(reader.Bodies().size(), 0u);
  reader.bench.encoder.set_room(true);
  ASSERT_TRUE(reader.Settle());
  EXPECT_EQ(reader.Bodies().size(), 300u);
  EXPECT_EQ(reader.source.lost(), 0u);
}

TEST(KmsgSource, RecordsThatCannotBeRead) {
  Kernel kernel;
  kernel.Print("old", kEarly);
  Reader reader(kernel);
  ASSERT_TRUE(reader.Settle());
  kernel.Print(std::string(KmsgSource::kRecordBytes, 'x'), Seconds(1000));
  kernel.Print(std::string(5000, 'x'), Seconds(1000));  // More than max_line.
  kernel.Print("fine", Seconds(1000));
  ASSERT_TRUE(reader.Settle());
  const std::vector<SeenLog> seen = reader.Take();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].body, std::string(4096, 'x'));
  EXPECT_EQ(seen[0].attributes.at("limpet.truncated"), "bool true");
  EXPECT_EQ(seen[1].body, "fine");
  EXPECT_EQ(reader.source.lost(), 1u);

  kernel.failure = {Code::kDenied, 1, "read"};
  kernel.Print("later", Seconds(1000));
  ASSERT_TRUE(reader.Settle());
  EXPECT_LE(reader.due, reader.now.mono + KmsgSource::kPause);
  EXPECT_EQ(reader.bench.log.Count("cannot be read"), 1u);
  kernel.failure = {};
  reader.Pass(KmsgSource::kPause);
  ASSERT_TRUE(reader.Settle());
  EXPECT_EQ(reader.Bodies(), Texts{"later"});
}

TEST(KmsgSource, TheTimeIsThatOfTheLogClock) {
  Kernel kernel;
  kernel.Print("at the start", kEarly);
  Reader reader(kernel, Config(/*from_beginning=*/true));
  ASSERT_TRUE(reader.Settle());
  ASSERT_EQ(reader.Take().at(0).time, static_cast<uint64_t>((kWall - Seconds(990)).ns));

  const auto late = [&](Duration delay, Duration log_clock) {
    kernel.Print("x", log_clock);
    reader.Pass(delay);
    EXPECT_TRUE(reader.Settle());
    const std::vector<SeenLog> seen = reader.Take();
    EXPECT_EQ(seen.size(), 1u);
    return Duration{reader.now.wall.ns - static_cast<int64_t>(seen.at(0).time)};
  };
  // The clocks agree: how long it took to read it is known.
  EXPECT_EQ(late({}, Seconds(1000)), Duration{});
  EXPECT_EQ(late(Milliseconds(700), Seconds(1000)), Milliseconds(700));
  // An hour of suspend, in which the log clock stood still.
  reader.Pass(Seconds(3600));
  EXPECT_EQ(late({}, Milliseconds(1000'700)), Duration{});
  EXPECT_EQ(late(Milliseconds(300), Milliseconds(1000'700)), Milliseconds(300));
  // It runs ahead: nothing is of the future.
  EXPECT_EQ(late({}, Seconds(5000)), Duration{});
  EXPECT_EQ(late(Milliseconds(300), Seconds(5000)), Milliseconds(300));
}

TEST(KmsgSource, WithoutPermissionItCannotStart) {
  Kernel kernel;
  Reader reader(kernel);
  kernel.failure = {Code::kDenied, 1, "open"};
  KmsgSource other(reader.config, {.files = kernel,
                                   .poller = reader.poller,
                                   .tracks = reader.tracks,
                                   .pipeline = reader.pipeline,
                                   .log = reader.bench.log,
                                   .scratch = reader.scratch,
                                   .resource = {},
                                   .boot = kBoot});
  EXPECT_EQ(other.Start().code, Code::kDenied);
  EXPECT_EQ(other.OnTime(reader.now, reader.bench.encoder), kNever);
  kernel.failure = {};
}

}  // namespace
}  // namespace limpet
