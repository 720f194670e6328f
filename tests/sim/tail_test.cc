// Files are followed through everything that is done to logs, in virtual time, over crashes and outages.
// The model is the set of whole lines that were ever written: each arrives, and should it arrive again,
// then under the same log.record.uid. LIMPET_SEED: the first script, LIMPET_SEEDS: how many; LIMPET_TRACE
// prints what is done.
#include <gtest/gtest.h>

#include <cstdio>
#include <map>
#include <random>
#include <set>
#include <string>

#include "otlp_points.h"
#include "sim/agent_world.h"
#include "sim/file_tree.h"
#include "sim/slow.h"

namespace limpet::sim {
namespace {

constexpr const char* kPath = "/log/app.log";

class Writer {
 public:
  Writer(AgentWorld& world, uint64_t seed) : world_(world), random_(seed) {
    world_.config.host.present = false;
    world_.config.log_count = 1;
    LogConfig& log = world_.config.logs[0];
    log.name = "app";
    all_match_ = seed % 2 == 0;
    log.path = all_match_ ? "/log/*" : "/log/*.log";  // With what was rotated and copied, or without.
    log.multiline = "none";
    log.from_beginning = true;
    log.discover = Seconds(2);
    log.flush = Seconds(5);
    log.max_line_bytes = 4096;
    world_.agent_files = &tree;
    world_.respond = [this](const SimRequest& request) { return Answer(request); };
    file_ = tree.Create(kPath);
    born_ = world_.clock.mono;
  }

  FileTree tree;
  std::map<uint64_t, std::string> arrived;  ///< Number of the line → its uid.
  std::set<uint64_t> gone;                  ///< Lines whose file was deleted and that nobody can have read.
  uint64_t written = 0, repeats = 0;
  bool up = true;

  size_t Below(size_t n) { return std::uniform_int_distribution<size_t>(0, n - 1)(random_); }
  bool OneIn(size_t n) { return Below(n) == 0; }

  void Lines(size_t count) {
    Finish();
    for (size_t i = 0; i < count; ++i) file_->contents += Line();
    if (file_->contents.size() >= 256 && large_ == kNever) large_ = world_.clock.mono;
  }

  void Remove() {
    tree.Unlink(kPath);
    Begin();
  }
  /// Moves the file aside, without a look.
  void Next(const std::string& path) {
    tree.Rename(kPath, path);
    Begin();
  }

  /// Something that a program or logrotate does.
  void Act() {
    const MonoTime now = world_.clock.mono;
    const bool settled = Known() && partial_.empty();
    if (OneIn(16)) Tend();
    const size_t what = Below(12);
    if (std::getenv("LIMPET_TRACE") != nullptr) {
      std::printf("%.3f act %zu%s, %llu lines, %zu arrived, inode %llu of %zu bytes\n",
                  static_cast<double>(now.ns) / 1e9, what, settled ? "" : " (young)",
                  static_cast<unsigned long long>(written), arrived.size(),
                  static_cast<unsigned long long>(file_->number), file_->contents.size());
    }
    switch (what) {
      case 0:  // Renamed, and a new one at once.
        if (!settled) break;
        Finish();
        tree.Rename(kPath, "/log/app.log." + std::to_string(++rotations_));
        Begin();
        break;
      case 1:  // Renamed, and written to for a while.
        if (!settled) break;
        tree.Rename(kPath, "/log/app.log." + std::to_string(++rotations_));
        Lines(3);
        Finish();
        Begin();
        break;
      case 2:  // copytruncate.
        if (!settled || file_->readers == 0 || file_->contents.size() < 2048 || !Large()) break;
        Finish();
        Copy("/log/app.log.copy" + std::to_string(++rotations_));
        file_->contents.clear();
        held_.clear();
        born_ = now;
        large_ = kNever;
        break;
      case 3:  // Deleted and made anew; what nobody has open is gone for ever.
        if (!settled || file_->readers == 0) break;
        Finish();
        deleted_.push_back({file_, held_});
        tree.Unlink(kPath);
        Begin();
        break;
      case 4:
        if (tree.names.size() < 12) tree.Link(kPath, "/log/link" + std::to_string(Below(3)) + ".log");
        break;
      case 5:  // A line in two parts.
        partial_ = Line();
        file_->contents += partial_.substr(0, partial_.size() / 2);
        partial_ = partial_.substr(partial_.size() / 2);
        break;
      default: Lines(1 + Below(40)); break;
    }
  }

  /// What an operator does: a copy is kept, an old file is removed; what nobody has read of that is gone.
  void Tend() {
    if (OneIn(2)) {  // Under a name that matches it would be read once the file has grown and gone (docs/logs.md).
      if (all_match_ || !Known() || !Large() || !partial_.empty() || file_->contents.size() < 2048) return;
      tree.Create("/log/app.log.kept" + std::to_string(++rotations_))->contents = file_->contents;
      return;
    }
    std::vector<std::string> old;
    for (const auto& [name, file] : tree.names) {
      if (name.starts_with("/log/app.log.") && file != file_) old.push_back(name);
    }
    if (old.empty()) return;
    const std::string name = old[Below(old.size())];
    const FileTree::File file = tree.names[name];
    std::vector<uint64_t> lines;
    for (size_t at = 0; (at = file->contents.find("line ", at)) != std::string::npos; ++at) {
      lines.push_back(std::strtoull(file->contents.c_str() + at + 5, nullptr, 10));
    }
    if (file->readers > 0) deleted_.push_back({file, lines});
    for (const uint64_t line : lines) {
      if (file->readers == 0 && !arrived.contains(line)) gone.insert(line);
    }
    tree.Unlink(name);
  }

  /// While nobody looks: what nobody has read of the file is gone with it, or it is written anew, at times before
  /// its inode is given to a copy, and moved aside.
  void ActUnseen() {
    const bool settled = Known() && Large() && partial_.empty() && file_->contents.size() >= 2048;
    if (OneIn(3)) Tend();
    switch (Below(7)) {
      case 2:
        if (!settled) return;
        Next("/log/app.log." + std::to_string(++rotations_));
        Lines(Below(40));
        if (OneIn(2)) Tend();
        break;
      case 0:
        if (!settled) return;
        for (const uint64_t line : held_) gone.insert(line);
        tree.Unlink(kPath);
        Begin();
        Lines(Below(40));
        break;
      case 1:
        if (!settled) return;
        Copy("/log/app.log.copy" + std::to_string(++rotations_));
        file_->contents.clear();
        held_.clear();
        Lines(1 + Below(60));
        Next("/log/app.log." + std::to_string(++rotations_));
        break;
      default: Act();
    }
  }

  /// The file has been there long enough, while somebody looked, for that to have seen it.
  bool Known() const { return world_.clock.mono - born_ > Seconds(6); }
  void Unknown() { born_ = world_.clock.mono; }
  /// Its first 256 bytes have been there long enough for that: by them a copy is known (docs/logs.md).
  bool Large() const { return large_ != kNever && world_.clock.mono - large_ > Seconds(3); }

  /// The process ends: what it had open and what has no name is lost by nature, unless it has come out.
  void OnDeath() {
    DeletedIsGone();
    tree.EndProcess();
  }
  void Finish() {
    file_->contents += partial_;
    partial_.clear();
  }

 private:
  void DeletedIsGone() {
    for (const auto& [file, lines] : deleted_) {
      for (const uint64_t line : lines) {
        if (!arrived.contains(line)) gone.insert(line);
      }
    }
    deleted_.clear();
  }
  /// At times somebody looks while it is still empty.
  void Copy(const std::string& path) {
    const FileTree::File copy = tree.Create(path);
    if (world_.agent != nullptr && OneIn(3)) world_.RunFor(Seconds(3));
    copy->contents = file_->contents;
  }
  std::string Line() {
    char text[200];
    held_.push_back(++written);
    std::snprintf(text, sizeof text, "line %09llu of this log, with %zu words that follow%s\n",
                  static_cast<unsigned long long>(written), Below(1000), OneIn(9) ? "\r" : "");
    return text;
  }
  void Begin() {
    for (int i = 0; i < 3; ++i) tree.Unlink("/log/link" + std::to_string(i) + ".log");
    file_ = tree.Create(kPath);
    held_.clear();
    born_ = world_.clock.mono;
    large_ = kNever;
  }

  SimAnswer Answer(const SimRequest& request) {
    if (!up) return {.sent = Sent::kNotSent, .error = "no route"};
    if (OneIn(20)) return {.status = 503};
    if (request.signal != Signal::kLogs || request.probe()) return {};
    const std::vector<uint8_t> raw =
        request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body;
    const std::string text(raw.begin(), raw.end());
    const std::string key = "log.record.uid";
    for (size_t at = 0; (at = text.find("line ", at)) != std::string::npos; ++at) {
      const uint64_t number = std::strtoull(text.c_str() + at + 5, nullptr, 10);
      const size_t uid_at = text.find(key, at);
      if (uid_at == std::string::npos || number == 0) continue;
      const std::string uid = text.substr(uid_at + key.size() + 4, 26);
      const auto [where, fresh] = arrived.emplace(number, uid);
      if (!fresh) {
        ++repeats;
        EXPECT_EQ(where->second, uid) << "line " << number;
      }
    }
    return {};
  }

  AgentWorld& world_;
  bool all_match_ = false;
  std::mt19937_64 random_;
  FileTree::File file_;
  std::string partial_;
  std::vector<uint64_t> held_;  // Lines in the file.
  std::vector<std::pair<FileTree::File, std::vector<uint64_t>>> deleted_;
  MonoTime born_, large_ = kNever;
  int rotations_ = 0;
};

void RunSeed(uint64_t seed, uint64_t& lines, uint64_t& repeats) {
  SCOPED_TRACE("seed " + std::to_string(seed));
  AgentWorld world(seed);
  Writer writer(world, seed);
  world.UseFlash();
  world.worker.latency = Milliseconds(20);
  world.Start();
  for (int step = 0; step < 300; ++step) {
    writer.Act();
    if (writer.OneIn(25)) writer.up = !writer.up;
    world.RunFor(Milliseconds(static_cast<int64_t>(writer.Below(1500))));
    if (writer.OneIn(40)) {
      if (std::getenv("LIMPET_TRACE") != nullptr) std::printf("%.3f ends\n", static_cast<double>(world.clock.mono.ns) / 1e9);
      const bool known = writer.Known();
      writer.OneIn(3) ? world.StopAndEnd() : writer.OneIn(2) ? world.Kill() : world.CutPower(seed + 1);
      writer.OnDeath();
      if (!known) writer.Unknown();
      for (size_t i = writer.Below(4); i > 0; --i) writer.ActUnseen();
      world.Start();
      if (writer.OneIn(4)) {  // And again, at once.
        world.RunFor(Milliseconds(static_cast<int64_t>(writer.Below(800))));
        world.Kill();
        writer.OnDeath();
        if (writer.OneIn(2)) writer.ActUnseen();
        world.Start();
      }
    }
    if (testing::Test::HasFailure()) return;
  }
  writer.Finish();
  writer.up = true;
  world.RunFor(Seconds(1200));  // A probe may meet a 503, and then a rest of two minutes, more than once.
  for (uint64_t line = 1; line <= writer.written; ++line) {
    if (!writer.gone.contains(line)) {
      EXPECT_TRUE(writer.arrived.contains(line)) << "line " << line << " of " << writer.written;
    }
  }
  lines += writer.written;
  repeats += writer.repeats;
}

// Promise 6 of spec.md: checkpoints are all that is written while everything arrives.
TEST(Tail, ACalmHourSparesTheFlash) {
  AgentWorld world(1);
  Writer writer(world, 1);
  world.UseFlash();
  world.Start();
  for (int second = 0; second < 60; ++second) writer.Lines(10), world.RunFor(Seconds(1));
  const uint64_t before = world.flash->counters.written_bytes;
  for (int second = 0; second < 3600; ++second) writer.Lines(10), world.RunFor(Seconds(1));
  const uint64_t bytes = world.flash->counters.written_bytes - before;
  std::printf("%llu bytes an hour\n", static_cast<unsigned long long>(bytes));
  EXPECT_GT(bytes, 0u);
  EXPECT_LE(bytes, 1u * kMiB);
}

// More files than there are tracks, and more than places: some wait, and none is read twice.
TEST(Tail, MoreFilesThanTracks) {
  AgentWorld world(1);
  Writer writer(world, 1);
  world.config.agent.memory_bytes = 64 * kKiB;  // 64 tracks, one of them says that the source has been there.
  world.UseFlash();
  for (int i = 0; i < 70; ++i) {
    writer.Lines(20);
    writer.Next("/log/more" + std::to_string(i) + ".log");
  }
  for (int life = 0; life < 3; ++life) {
    world.Start();
    world.RunFor(Seconds(300));
    world.StopAndEnd();
  }
  EXPECT_EQ(writer.arrived.size(), 62u * 20);  // The empty app.log has one, too.
  EXPECT_EQ(writer.repeats, 0u);
}

// More files come and go than there are tracks, each removed while nobody looked.
void ComeAndGo(bool with_secret) {
  AgentWorld world(1);
  Writer writer(world, 1);
  world.config.agent.memory_bytes = 64 * kKiB;  // 64 tracks.
  world.UseFlash();
  if (with_secret) writer.tree.Create(writer.tree.secret = "/log/secret.log");
  for (int life = 0; life < 150; ++life) {
    world.Start();
    writer.Lines(20);
    world.RunFor(Seconds(with_secret ? 120 : 30));
    world.StopAndEnd();
    writer.OnDeath();
    writer.Remove();
  }
  EXPECT_EQ(writer.arrived.size(), writer.written);
  EXPECT_EQ(writer.repeats, 0u);
}

TEST(Tail, RemovedFilesLeaveTheirPlaces) { ComeAndGo(false); }
// Beside one that can never be read, too.
TEST(Tail, RemovedFilesLeaveTheirPlacesBesideASecret) { ComeAndGo(true); }

TEST(Tail, EveryLineArrives) {
  uint64_t lines = 0, repeats = 0;
  const char* const asked = std::getenv("LIMPET_SEEDS");
  const uint64_t first = std::getenv("LIMPET_SEED") ? std::strtoull(std::getenv("LIMPET_SEED"), nullptr, 10) : 1;
  const uint64_t seeds = asked != nullptr ? std::strtoull(asked, nullptr, 10) : kSlow ? 4 : 40;
  for (uint64_t seed = first; seed < first + seeds && !testing::Test::HasFailure(); ++seed) RunSeed(seed, lines, repeats);
  std::printf("%llu lines, %llu came again\n", static_cast<unsigned long long>(lines),
              static_cast<unsigned long long>(repeats));
}

}  // namespace
}  // namespace limpet::sim
