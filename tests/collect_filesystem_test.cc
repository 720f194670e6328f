// The group `filesystem`: mountinfo of several hosts, the space of each mount, and mounts that hang.
#include "collect/filesystem_group.h"

#include <map>
#include <string>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect_fixture.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/files.h"
#include "port/linux/region.h"
#include "port/linux/space_meter.h"
#include "port/linux/worker_thread.h"
#include "source_dir.h"

namespace limpet {
namespace {

std::string Parsed(std::string text, std::string_view exclude = {}, size_t text_bytes = 8 * 1024) {
  sim::SimFiles files;
  files.contents["/m"] = std::move(text);
  std::array<Mount, 4> table;
  std::vector<char> texts(text_bytes), buffer(6 * 1024);
  MountTable mounts(table, texts, exclude);
  LineReader lines(files, files.Open("/m").value(), buffer);
  const Status read = ReadMounts(lines, mounts);
  if (!read.ok()) return "error: " + std::string(read.where);
  std::string all;
  for (const Mount& m : mounts.mounts()) {
    all += std::string(m.source) + "|" + std::string(m.type) + "|" + std::string(m.point) + "|" +
           (m.read_only ? "ro" : "rw") + "\n";
  }
  if (mounts.left_out() > 0) all += "left out: " + std::to_string(mounts.left_out());
  return all;
}

TEST(ParseMountInfo, Cases) {
  struct Case {
    const char* name;
    const char* text;
    const char* expected;
  };
  const Case cases[] = {
      {"nothing", "", ""},
      {"plain", "36 35 98:0 / /mnt rw,noatime master:1 - ext3 /dev/root rw,errors=continue\n",
       "/dev/root|ext3|/mnt|rw\n"},
      {"no optional field", "36 35 98:0 / / ro - squashfs /dev/root ro\n", "/dev/root|squashfs|/|ro\n"},
      {"many optional fields", "1 1 0:1 / /a rw shared:1 master:2 propagate_from:3 unbindable - xfs d rw\n",
       "d|xfs|/a|rw\n"},
      {"read-only mount of a writable filesystem", "1 1 0:1 / /a ro,nosuid - ext4 d rw\n", "d|ext4|/a|ro\n"},
      {"read-only filesystem", "1 1 0:1 / /a rw - ext4 d ro\n", "d|ext4|/a|ro\n"},
      {"ro in a word", "1 1 0:1 / /a rw - ext4 d rw,errors=remount-ro\n", "d|ext4|/a|rw\n"},
      {"escapes", "1 1 0:1 / /my\\040disk\\134x rw - ext4 /dev/a\\040b rw\n", "/dev/a b|ext4|/my disk\\x|rw\n"},
      {"no escapes", "1 1 0:1 / /a\\04 rw - ext4 \\999 rw\n", "\\999|ext4|/a\\04|rw\n"},
      {"no source", "1 1 0:1 / /a rw - ext4  rw\n", "|ext4|/a|rw\n"},
      {"newline in a name", "1 1 0:1 / /a\\012b rw - ext4 d rw\n", "left out: 1"},
      {"bytes that are no text", "1 1 0:1 / /\xff rw - ext4 d rw\n", "left out: 1"},
      {"more than fit",
       "1 1 0:1 / /1 rw - ext4 d rw\n1 1 0:1 / /2 rw - ext4 d rw\n1 1 0:1 / /3 rw - ext4 d rw\n"
       "1 1 0:1 / /4 rw - ext4 d rw\n1 1 0:1 / /5 rw - ext4 d rw\n",
       "d|ext4|/1|rw\nd|ext4|/2|rw\nd|ext4|/3|rw\nd|ext4|/4|rw\nleft out: 1"},
      {"without space", "1 1 0:1 / /proc rw - proc proc rw\n1 1 0:2 / /net rw - autofs systemd-1 rw\n", ""},
      {"hidden by a later one", "1 0 0:1 / / rw - rootfs rootfs rw\n2 1 8:1 / / rw - ext4 /dev/sda1 rw\n",
       "/dev/sda1|ext4|/|rw\n"},
      {"hidden by one that may not be touched",
       "1 0 8:1 / /data rw - ext4 d rw\n2 1 0:5 / /data rw - autofs systemd-1 rw\n", ""},
      {"automounted", "1 0 0:5 / /data rw - autofs systemd-1 rw\n2 1 8:1 / /data rw - ext4 d rw\n",
       "d|ext4|/data|rw\n"},
      {"a bind mount is a mount", "1 0 8:1 / / rw - ext4 d rw\n2 1 8:1 /home /home rw - ext4 d rw\n",
       "d|ext4|/|rw\nd|ext4|/home|rw\n"},
      {"cut", "1 1 0:1 / /a rw - ext4 d rw\n1 1 0:1 / /b", "error: mountinfo: last line is cut"},
      {"no type", "1 1 0:1 / /a rw\n", "error: mountinfo: columns"},
      {"no mount point", "1 1 0:1 /\n", "error: mountinfo: columns"},
      {"an empty line", "\n", "error: mountinfo: columns"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(Parsed(c.text), c.expected);
  }
  EXPECT_EQ(Parsed("1 1 0:1 / /a rw - tmpfs t rw\n1 1 0:2 / /b rw - fuse.sshfs s rw\n", "tmpfs, fuse.*"), "");
  // A line beyond the buffer, and a name beyond what a path may have.
  EXPECT_EQ(Parsed("1 1 0:1 / /" + std::string(8 * 1024, 'x') + " rw - ext4 d rw\n"),
            "error: a line is longer than its buffer");
  EXPECT_EQ(Parsed("1 1 0:1 / /" + std::string(5 * 1024, 'x') + " rw - ext4 d rw\n"), "left out: 1");
}

TEST(ParseMountInfo, TheTextsOfHiddenMountsMakeRoom) {
  const auto line = [](const std::string& point, const std::string& type, const std::string& source) {
    return "1 1 0:1 / " + point + " rw - " + type + " " + source + " rw\n";
  };
  std::string text = line("/a", "ext4", "one") + line("/b", "ext4", "") + line("/c", "xfs", "three");
  for (int i = 0; i < 500; ++i) text += line(i % 2 == 0 ? "/a" : "/b", "ext4", "n" + std::to_string(i));
  EXPECT_EQ(Parsed(text), "three|xfs|/c|rw\nn498|ext4|/a|rw\nn499|ext4|/b|rw\n");
  // Room for the texts of one and a half.
  EXPECT_EQ(Parsed(text, {}, 4096 + 15), "n498|ext4|/a|rw\nleft out: 251");
}

TEST(ParseMountInfo, WhatIsBelowWhat) {
  EXPECT_TRUE(IsBelow("/a/b", "/a"));
  EXPECT_TRUE(IsBelow("/a", "/a"));
  EXPECT_TRUE(IsBelow("/a", "/"));
  EXPECT_FALSE(IsBelow("/ab", "/a"));
  EXPECT_FALSE(IsBelow("/", "/a"));
}

/// Filesystems by path.
class FakeMeter final : public SpaceMeter {
 public:
  std::map<std::string, FilesystemSpace> spaces;
  std::map<std::string, Code> failing;
  std::vector<std::string> asked;
  Result<FilesystemSpace> Measure(const char* path) override {
    asked.emplace_back(path);
    if (const auto it = failing.find(path); it != failing.end()) return {it->second, 13, "statvfs"};
    const auto it = spaces.find(path);
    if (it == spaces.end()) return FilesystemSpace{};
    return it->second;
  }
};

constexpr FilesystemSpace kCard{.block_bytes = 4096, .blocks = 1000, .blocks_free = 300, .blocks_available = 250,
                      .inodes = 500, .inodes_free = 100};

class FilesystemTest : public testing::Test {
 protected:
  FilesystemTest() { files_.contents["/proc/self/mountinfo"] = kMounts; }

  HostCollector Make(std::string_view root = "/") {
    return HostCollector({.groups = Bit(HostGroup::kFilesystem), .root = root, .exclude_filesystems = "tmpfs"},
                         files_, clock_, log_, buffer_, {&meter_, &local_, &remote_});
  }
  SeenPoints Cycle(HostCollector& collector) {
    SeenPoints sink;
    collector.Begin();
    collector.Collect(sink);
    return sink;
  }

  static constexpr const char* kMounts =
      "20 1 179:2 / / rw,noatime - ext4 /dev/root rw\n"
      "21 20 0:5 / /run rw - tmpfs tmpfs rw\n"
      "22 20 0:40 / /mnt/nas rw - nfs4 nas:/export rw\n"
      "23 20 179:1 / /boot ro - vfat /dev/mmcblk0p1 ro\n"
      "24 22 7:0 / /mnt/nas/image rw - ext4 /dev/loop0 rw\n";

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  FakeMeter meter_;
  sim::SimWorker local_{clock_}, remote_{clock_};
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
};

TEST_F(FilesystemTest, EveryValue) {
  meter_.spaces = {{"/", kCard},
                   {"/boot", {.block_bytes = 2048, .blocks = 100, .blocks_free = 40, .blocks_available = 40}},
                   {"/mnt/nas", kCard}};
  HostCollector collector = Make();
  const SeenPoints sink = Cycle(collector);
  const std::vector<std::string> keys = {"system.device", "system.filesystem.state", "system.filesystem.type",
                                         "system.filesystem.mode", "system.filesystem.mountpoint"};
  using enum Instrument;
  ExpectConventions(sink.points,
                    {{"system.filesystem.usage", kUpDownCounter, true, "By", keys},
                     {"system.filesystem.utilization", kGauge, false, "1", keys},
                     {"system.filesystem.inodes.usage", kUpDownCounter, true, "{inode}", keys},
                     {"system.filesystem.limit", kUpDownCounter, true, "By", {keys[0], keys[2], keys[3], keys[4]}}});
  const auto root = [](const std::string& state) {
    return "system.device=/dev/root,system.filesystem.state=" + state +
           ",system.filesystem.type=ext4,system.filesystem.mode=rw,system.filesystem.mountpoint=/";
  };
  EXPECT_EQ(sink.Value("system.filesystem.usage", root("used")), 700 * 4096);
  EXPECT_EQ(sink.Value("system.filesystem.usage", root("free")), 250 * 4096);
  EXPECT_EQ(sink.Value("system.filesystem.usage", root("reserved")), 50 * 4096);
  EXPECT_EQ(sink.Value("system.filesystem.utilization", root("used")), 0.7);
  EXPECT_EQ(sink.Value("system.filesystem.utilization", root("free")), 0.25);
  EXPECT_EQ(sink.Value("system.filesystem.utilization", root("reserved")), 0.05);
  EXPECT_EQ(sink.Value("system.filesystem.inodes.usage", root("used")), 400);
  EXPECT_EQ(sink.Value("system.filesystem.inodes.usage", root("free")), 100);
  EXPECT_EQ(sink.Value("system.filesystem.limit",
                       "system.device=/dev/mmcblk0p1,system.filesystem.type=vfat,system.filesystem.mode=ro,"
                       "system.filesystem.mountpoint=/boot"),
            100 * 2048);
  // No inodes on vfat; the image has no size.
  EXPECT_EQ(sink.Count("system.filesystem.inodes.usage"), 4u);
  EXPECT_EQ(sink.Count("system.filesystem.limit"), 3u);
  // Local ones first; what is mounted below a network mount is asked by the other worker.
  EXPECT_EQ(meter_.asked, (std::vector<std::string>{"/", "/boot", "/mnt/nas", "/mnt/nas/image"}));
  EXPECT_EQ(local_.tasks, 1u);
  EXPECT_EQ(remote_.tasks, 1u);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(FilesystemTest, NumbersThatCannotBe) {
  meter_.spaces = {{"/", {.block_bytes = 4096, .blocks = 10, .blocks_free = 20, .blocks_available = 30,
                          .inodes = 5, .inodes_free = 9}},
                   {"/boot", {.block_bytes = 4096, .blocks = UINT64_MAX, .blocks_free = 1, .blocks_available = 1}}};
  HostCollector collector = Make();
  const SeenPoints sink = Cycle(collector);
  EXPECT_EQ(sink.Count("system.filesystem.limit"), 1u);
  for (const SeenPoint& point : sink.points) EXPECT_GE(point.value, 0) << point.name;
}

TEST_F(FilesystemTest, BelowAnotherRootTheFirstProcessTells) {
  files_.contents = {{"/host/proc/1/mountinfo", kMounts}};
  meter_.spaces = {{"/host/", kCard}, {"/host/boot", kCard}};
  HostCollector collector = Make("/host");
  const SeenPoints sink = Cycle(collector);
  EXPECT_EQ(sink.Count("system.filesystem.limit"), 2u);
  EXPECT_NE(sink.points[0].attributes.find("mountpoint=/"), std::string::npos);
  EXPECT_EQ(meter_.asked[1], "/host/boot");
}

TEST_F(FilesystemTest, MountsComeAndGo) {
  meter_.spaces = {{"/", kCard}, {"/media/usb", kCard}};
  HostCollector collector = Make();
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  files_.contents["/proc/self/mountinfo"] += "30 20 8:1 / /media/usb rw - vfat /dev/sda1 rw\n";
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 2u);
  meter_.failing = {{"/media/usb", Code::kNotFound}};  // Taken away between the list and the question.
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  EXPECT_TRUE(log_.lines.empty());
  meter_.failing = {{"/media/usb", Code::kDenied}};
  Cycle(collector), Cycle(collector);
  EXPECT_EQ(log_.Count("warn a filesystem cannot be measured mountpoint=/media/usb"), 1u);
}

TEST_F(FilesystemTest, TheTableIsReadWhenItHasChangedOrDoesNotFitAnAnswer) {
  meter_.spaces = {{"/", kCard}, {"/media/usb", kCard}};
  meter_.spaces["/boot"] = meter_.spaces["/mnt/nas"] = {.read_only = false};
  meter_.spaces["/boot"].read_only = true;
  std::string& table = files_.contents["/proc/self/mountinfo"];
  files_.tells_changes = true;
  HostCollector collector = Make();
  const auto reads = [&] { return std::exchange(files_.reads, size_t{0}); };
  Cycle(collector);
  EXPECT_GT(reads(), 0u);
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  EXPECT_EQ(reads(), 0u);

  table += "30 20 8:1 / /media/usb rw - vfat /dev/sda1 rw\n";
  files_.changed = true;
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 2u);
  EXPECT_GT(reads(), 0u);
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 2u);
  EXPECT_EQ(reads(), 0u);

  // The kernel makes it read-only, and tells nobody.
  meter_.spaces["/media/usb"].read_only = true;
  table.replace(table.rfind(" rw"), 3, " ro");
  EXPECT_EQ(Cycle(collector).points.back().attributes.find("mode=ro"), std::string::npos);
  EXPECT_NE(Cycle(collector).points.back().attributes.find("mode=ro"), std::string::npos);
  EXPECT_GT(reads(), 0u);
  Cycle(collector);
  EXPECT_EQ(reads(), 0u);

  // A folder above it is renamed.
  table.replace(table.find("/media/usb"), 10, "/media/old");
  meter_.failing = {{"/media/usb", Code::kNotFound}};
  meter_.spaces["/media/old"] = meter_.spaces["/media/usb"];
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 2u);
}

TEST_F(FilesystemTest, ATableLongerThanTheBuffer) {
  std::string& table = files_.contents["/proc/self/mountinfo"];
  for (int i = 0; i < 3000; ++i) table += "9 9 0:5 / /run/" + std::to_string(i) + " rw - tmpfs tmpfs rw\n";
  table += "30 20 8:1 / /media/usb rw - vfat /dev/sda1 rw\n";
  ASSERT_GT(table.size(), kProcFileBytes);
  meter_.spaces = {{"/", kCard}, {"/media/usb", kCard}};
  HostCollector collector = Make();
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 2u);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(FilesystemTest, AFileThatCannotBeReadIsSaidOnce) {
  files_.contents["/proc/self/mountinfo"] += "30 20 8:1";
  HostCollector collector = Make();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Cycle(collector).points.empty());
  EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read group=filesystem"), 1u);
  files_.contents["/proc/self/mountinfo"] = kMounts;
  meter_.spaces = {{"/", kCard}};
  EXPECT_FALSE(Cycle(collector).points.empty());
  EXPECT_EQ(log_.Count("can be read again"), 1u);
}

TEST_F(FilesystemTest, WithoutWorkersThereIsNothing) {
  HostCollector collector({.groups = Bit(HostGroup::kFilesystem)}, files_, clock_, log_, buffer_);
  EXPECT_TRUE(Cycle(collector).points.empty());
  EXPECT_TRUE(collector.Ready());
}

TEST_F(FilesystemTest, AHungMountIsLeftOutAndTheLocalOnesGoOn) {
  meter_.spaces = {{"/", kCard}, {"/boot", kCard}, {"/mnt/nas", kCard}};
  HostCollector collector = Make();
  remote_.work_at_end = true;  // As long as the latency lasts, nothing has come back.
  remote_.latency = Seconds(60);
  for (int cycle = 0; cycle < 5; ++cycle) {
    SeenPoints sink;
    collector.Begin();
    EXPECT_EQ(collector.Ready(), cycle > 0);  // What hangs since an earlier cycle is not waited for.
    collector.Collect(sink);
    EXPECT_EQ(sink.Count("system.filesystem.limit"), 2u);
    clock_.mono = clock_.mono + Seconds(10);
  }
  EXPECT_EQ(log_.lines.size(), 1u);
  EXPECT_EQ(log_.Count("warn a filesystem does not answer: it is left out until it does, and those behind it "
                       "mountpoint=/mnt/nas type=nfs4 device=nas:/export left_out=2"), 1u);
  EXPECT_EQ(remote_.tasks, 1u);
  EXPECT_EQ(local_.tasks, 5u);

  // It comes back, and with that into the next cycle; what it said then is too old for any.
  remote_.latency = {};
  clock_.mono = clock_.mono + Seconds(60);
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 3u);
  EXPECT_EQ(log_.Count("info a filesystem answers again worker=remote"), 1u);
  EXPECT_EQ(remote_.tasks, 2u);
}

TEST_F(FilesystemTest, AValueOfAnEarlierCycleIsNeverEmitted) {
  meter_.spaces = {{"/", kCard}, {"/mnt/nas", kCard}};
  HostCollector collector = Make();
  remote_.latency = Seconds(1);
  remote_.work_at_end = true;
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  clock_.mono = clock_.mono + Seconds(10);
  EXPECT_EQ(Cycle(collector).Count("system.filesystem.limit"), 1u);
  EXPECT_TRUE(log_.lines.empty());  // Slow, but it comes back.
}

/// The real threads, and a mount that hangs until the test lets it go.
class HangingMeter final : public SpaceMeter {
 public:
  HangingMeter() { EXPECT_EQ(pipe2(ends_, O_CLOEXEC), 0); }
  ~HangingMeter() { Release(); }
  Result<FilesystemSpace> Measure(const char* path) override {
    char byte = 0;
    if (std::string_view(path) == "/mnt/nas" && !released_) released_ = read(ends_[0], &byte, 1) == 1;
    return kCard;
  }
  void Release() { EXPECT_EQ(write(ends_[1], "x", 1), 1); }

 private:
  int ends_[2] = {-1, -1};
  bool released_ = false;
};

TEST_F(FilesystemTest, ARealThreadThatHangsHoldsUpNobody) {
  LinuxClock clock;
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  static HangingMeter meter;  // These outlive a thread that is left alone.
  static WorkerThread local, remote;
  constexpr size_t kStack = 1 << 20;  // Room for what a sanitizer adds.
  const Result<std::span<std::byte>> stacks = TakeRegion(2 * kStack);
  ASSERT_TRUE(stacks.ok());
  ASSERT_TRUE(local.Start(stacks.value().first(kStack), poller).ok());
  ASSERT_TRUE(remote.Start(stacks.value().subspan(kStack), poller).ok());
  {
    HostCollector collector({.groups = Bit(HostGroup::kFilesystem)}, files_, clock, log_, buffer_,
                            {&meter, &local, &remote});
    for (int cycle = 0; cycle < 3; ++cycle) {
      SeenPoints sink;
      collector.Begin();
      const MonoTime latest = clock.Monotonic() + Milliseconds(200);
      local.WaitUntil(latest);
      collector.Collect(sink);
      EXPECT_EQ(sink.Count("system.filesystem.limit"), 3u);  // /, /run, /boot.
    }
    EXPECT_TRUE(local.StopUntil(clock.Monotonic() + Seconds(10)));
    const MonoTime before = clock.Monotonic();
    EXPECT_FALSE(remote.StopUntil(before + Milliseconds(20)));
    EXPECT_LT(clock.Monotonic() - before, Seconds(5));
    meter.Release();
    // It ends its pass before what that lies in is gone.
    const MonoTime latest = clock.Monotonic() + Seconds(10);
    bool ended = false;
    while (!(ended = remote.TakeDone()) && clock.Monotonic() < latest) sched_yield();
    EXPECT_TRUE(ended);
  }
}

TEST(LinuxFiles, MountinfoTellsOfAChangeOnceAndOtherFilesDoNotTell) {
  LinuxFiles files;
  const Result<int> mounts = files.Open("/proc/self/mountinfo");
  const Result<int> other = files.Open(std::string(kSourceDir) + "/README.md");
  ASSERT_TRUE(mounts.ok() && other.ok());
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(files.HasChanged(other.value()));
  if (unshare(CLONE_NEWNS) == 0) {  // A mount of our own: not everybody may.
    ASSERT_EQ(mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr), 0);
    const Result<int> own = files.Open("/proc/self/mountinfo");
    ASSERT_TRUE(own.ok());
    EXPECT_FALSE(files.HasChanged(own.value()));
    ASSERT_EQ(mount("none", "/mnt", "tmpfs", 0, nullptr), 0);
    EXPECT_TRUE(files.HasChanged(own.value()));
    EXPECT_FALSE(files.HasChanged(own.value()));
    ASSERT_EQ(mount(nullptr, "/mnt", nullptr, MS_REMOUNT | MS_RDONLY, nullptr), 0);
    EXPECT_TRUE(files.HasChanged(own.value()));
    LinuxSpaceMeter meter;
    EXPECT_TRUE(meter.Measure("/mnt").value().read_only);
    ASSERT_EQ(umount("/mnt"), 0);
    EXPECT_TRUE(files.HasChanged(own.value()));
    EXPECT_FALSE(files.HasChanged(own.value()));
    files.Close(own.value());
  }
  files.Close(mounts.value());
  files.Close(other.value());
}

TEST(LinuxSpaceMeter, TheRoot) {
  LinuxSpaceMeter meter;
  const Result<FilesystemSpace> root = meter.Measure("/");
  ASSERT_TRUE(root.ok());
  EXPECT_LE(root.value().blocks_free, root.value().blocks);
  EXPECT_EQ(meter.Measure("/nothing/there").status().code, Code::kNotFound);
}

}  // namespace
}  // namespace limpet
