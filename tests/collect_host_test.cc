// Cycles of host metrics over the files of real hosts: names, values, what is missing, what fails.
#include "collect/host_collector.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect_fixture.h"

namespace limpet {
namespace {

/// Those that every kernel has, of files of a fixed name; the others have tests of their own.
constexpr uint32_t kAllGroups =
    Bit(HostGroup::kCpu) | Bit(HostGroup::kLoad) | Bit(HostGroup::kMemory) |
    Bit(HostGroup::kPaging) | Bit(HostGroup::kDisk) | Bit(HostGroup::kNetwork) |
    Bit(HostGroup::kSystem) | Bit(HostGroup::kPressure) | Bit(HostGroup::kClock);

class HostCollectorTest : public testing::Test {
 protected:
  HostCollector Make(HostOptions options) {
    return HostCollector(options, files_, clock_, log_, buffer_);
  }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
};

/// semconv.md sections 1 and 10, of these groups.
const std::vector<Convention>& Conventions() {
  using enum Instrument;
  static const std::vector<Convention> rows = {
      {"system.uptime", kGauge, false, "s", {}},
      {"system.cpu.physical.count", kUpDownCounter, true, "{cpu}", {}},
      {"system.cpu.logical.count", kUpDownCounter, true, "{cpu}", {}},
      {"system.cpu.time", kCounter, false, "s", {"cpu.mode"}},
      {"system.cpu.frequency", kGauge, true, "Hz", {"cpu.logical_number"}},
      {"system.memory.usage", kUpDownCounter, true, "By", {"system.memory.state"}},
      {"system.memory.utilization", kGauge, false, "1", {"system.memory.state"}},
      {"system.memory.linux.available", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.shared", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.slab.usage", kUpDownCounter, true, "By",
       {"system.memory.linux.slab.state"}},
      {"system.memory.linux.hugepages.limit", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.page_size", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.hugepages.reserved", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.surplus", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.usage", kUpDownCounter, true, "{page}",
       {"system.memory.linux.hugepages.state"}},
      {"system.memory.linux.hugepages.utilization", kGauge, false, "1",
       {"system.memory.linux.hugepages.state"}},
      {"system.paging.usage", kUpDownCounter, true, "By",
       {"system.paging.state", "system.device"}},
      {"system.paging.utilization", kGauge, false, "1", {"system.paging.state", "system.device"}},
      {"system.paging.faults", kCounter, true, "{fault}", {"system.paging.fault.type"}},
      {"system.paging.operations", kCounter, true, "{operation}",
       {"system.paging.fault.type", "system.paging.direction"}},
      {"system.disk.io", kCounter, true, "By", {"system.device", "disk.io.direction"}},
      {"system.disk.operations", kCounter, true, "{operation}",
       {"system.device", "disk.io.direction"}},
      {"system.disk.io_time", kCounter, false, "s", {"system.device"}},
      {"system.disk.operation_time", kCounter, false, "s", {"system.device", "disk.io.direction"}},
      {"system.disk.merged", kCounter, true, "{operation}", {"system.device", "disk.io.direction"}},
      {"system.disk.limit", kUpDownCounter, true, "By", {"system.device"}},
      {"system.disk.pending_operations", kUpDownCounter, true, "{operation}", {"system.device"}},
      {"system.disk.weighted_io_time", kCounter, false, "s", {"system.device"}},
      {"system.network.io", kCounter, true, "By",
       {"network.interface.name", "network.io.direction"}},
      {"system.network.packet.count", kCounter, true, "{packet}",
       {"system.device", "network.io.direction"}},
      {"system.network.packet.dropped", kCounter, true, "{packet}",
       {"network.interface.name", "network.io.direction"}},
      {"system.network.errors", kCounter, true, "{error}",
       {"network.interface.name", "network.io.direction"}},
      {"system.cpu.load_average.1m", kGauge, false, "{thread}", {}},
      {"system.cpu.load_average.5m", kGauge, false, "{thread}", {}},
      {"system.cpu.load_average.15m", kGauge, false, "{thread}", {}},
      {"system.linux.pressure.stall_time", kCounter, false, "s",
       {"system.linux.pressure.resource", "system.linux.pressure.kind"}},
      {"system.linux.pressure.average", kGauge, false, "1",
       {"system.linux.pressure.resource", "system.linux.pressure.kind",
        "system.linux.pressure.window"}},
      {"system.linux.clock.synchronized", kGauge, true, "1", {}},
      {"system.linux.clock.offset", kGauge, false, "s", {}},
      {"system.linux.clock.max_error", kGauge, false, "s", {}},
  };
  return rows;
}

TEST_F(HostCollectorTest, EveryPointKeepsToTheConventions) {
  std::set<std::string> seen;
  for (const char* host : kHosts) {
    SCOPED_TRACE(host);
    files_ = HostFiles(host, "/host");
    HostCollector collector = Make({.groups = kAllGroups, .root = "/host"});
    SeenPoints sink;
    const CollectResult result = collector.Collect(sink);
    EXPECT_EQ(result.failed, 0u);
    EXPECT_EQ(result.points, sink.points.size());
    ExpectConventions(sink.points, Conventions());
    for (const SeenPoint& point : sink.points) seen.insert(point.name);
  }
  EXPECT_EQ(seen.size(), Conventions().size());
  // Two of the kernels are older than 4.20.
  EXPECT_EQ(log_.lines.size(), 2u);
  EXPECT_EQ(log_.Count("info a group of host metrics is not available on this kernel "
                       "group=pressure"), 2u);
}

TEST_F(HostCollectorTest, EveryValueOfABoard) {
  files_ = HostFiles("rpi4-6.6", "/host");
  clock_.mono = {123'456'789'000};
  clock_.discipline = {.synchronized = true,
                       .offset = Nanoseconds(-1'500'000),
                       .max_error = Milliseconds(250)};
  HostCollector collector =
      Make({.groups = kAllGroups,
            .root = "/host",
            .exclude_devices = "loop*, ram*, *p?",
            .exclude_interfaces = "lo, wlan*"});
  SeenPoints sink;
  const CollectResult result = collector.Collect(sink);

  struct Row {
    const char* name;
    const char* attributes;
    double value;
  };
  constexpr double kKiB = 1024, kTotal = 3882628;
  constexpr Row rows[] = {
      {"system.cpu.time", "cpu.mode=user", 15322.08},
      {"system.cpu.time", "cpu.mode=system", 6237.17},
      {"system.cpu.time", "cpu.mode=nice", 44.11},
      {"system.cpu.time", "cpu.mode=idle", 1382645.13},
      {"system.cpu.time", "cpu.mode=iowait", 912.40},
      {"system.cpu.time", "cpu.mode=interrupt", 318.74},
      {"system.cpu.time", "cpu.mode=steal", 0},
      {"system.cpu.logical.count", "", 4},
      {"system.cpu.physical.count", "", 4},
      {"system.cpu.frequency", "cpu.logical_number=0", 600e6},
      {"system.cpu.frequency", "cpu.logical_number=1", 600e6},
      {"system.cpu.frequency", "cpu.logical_number=2", 1800e6},
      {"system.cpu.frequency", "cpu.logical_number=3", 600e6},
      {"system.cpu.load_average.1m", "", 0.31},
      {"system.cpu.load_average.5m", "", 0.22},
      {"system.cpu.load_average.15m", "", 0.18},
      {"system.memory.usage", "system.memory.state=used", 356500 * kKiB},
      {"system.memory.usage", "system.memory.state=free", 2010232 * kKiB},
      {"system.memory.usage", "system.memory.state=buffers", 98436 * kKiB},
      {"system.memory.usage", "system.memory.state=cached", 1417460 * kKiB},
      {"system.memory.utilization", "system.memory.state=used", 356500 / kTotal},
      {"system.memory.utilization", "system.memory.state=free", 2010232 / kTotal},
      {"system.memory.utilization", "system.memory.state=buffers", 98436 / kTotal},
      {"system.memory.utilization", "system.memory.state=cached", 1417460 / kTotal},
      {"system.memory.linux.available", "", 3381280 * kKiB},
      {"system.memory.linux.shared", "", 12996 * kKiB},
      {"system.memory.linux.slab.usage", "system.memory.linux.slab.state=reclaimable",
       116348 * kKiB},
      {"system.memory.linux.slab.usage", "system.memory.linux.slab.state=unreclaimable",
       52044 * kKiB},
      {"system.paging.usage", "system.paging.state=used,system.device=/var/swap", 0},
      {"system.paging.usage", "system.paging.state=free,system.device=/var/swap", 102396 * kKiB},
      {"system.paging.utilization", "system.paging.state=used,system.device=/var/swap", 0},
      {"system.paging.utilization", "system.paging.state=free,system.device=/var/swap", 1},
      {"system.paging.faults", "system.paging.fault.type=major", 21874},
      {"system.paging.faults", "system.paging.fault.type=minor", 244710931 - 21874},
      {"system.paging.operations", "system.paging.fault.type=major,system.paging.direction=in", 0},
      {"system.paging.operations", "system.paging.fault.type=major,system.paging.direction=out", 0},
      {"system.paging.operations", "system.paging.fault.type=minor,system.paging.direction=in",
       2210442},
      {"system.paging.operations", "system.paging.fault.type=minor,system.paging.direction=out",
       41209934},
      {"system.disk.io", "system.device=mmcblk0,disk.io.direction=read", 4420884 * 512.0},
      {"system.disk.io", "system.device=mmcblk0,disk.io.direction=write", 82419868 * 512.0},
      {"system.disk.operations", "system.device=mmcblk0,disk.io.direction=read", 61203},
      {"system.disk.operations", "system.device=mmcblk0,disk.io.direction=write", 1203442},
      {"system.disk.merged", "system.device=mmcblk0,disk.io.direction=read", 22118},
      {"system.disk.merged", "system.device=mmcblk0,disk.io.direction=write", 2204118},
      {"system.disk.operation_time", "system.device=mmcblk0,disk.io.direction=read", 902.113},
      {"system.disk.operation_time", "system.device=mmcblk0,disk.io.direction=write", 40120.339},
      {"system.disk.io_time", "system.device=mmcblk0", 8120.334},
      {"system.disk.weighted_io_time", "system.device=mmcblk0", 41022.452},
      {"system.disk.pending_operations", "system.device=mmcblk0", 0},
      {"system.disk.limit", "system.device=mmcblk0", 62333952 * 512.0},
      {"system.network.io", "network.interface.name=eth0,network.io.direction=receive",
       5220193841},
      {"system.network.io", "network.interface.name=eth0,network.io.direction=transmit",
       813220041},
      {"system.network.packet.count", "system.device=eth0,network.io.direction=receive", 8120033},
      {"system.network.packet.count", "system.device=eth0,network.io.direction=transmit", 4021197},
      {"system.network.packet.dropped", "network.interface.name=eth0,network.io.direction=receive",
       17},
      {"system.network.packet.dropped",
       "network.interface.name=eth0,network.io.direction=transmit", 0},
      {"system.network.errors", "network.interface.name=eth0,network.io.direction=receive", 0},
      {"system.network.errors", "network.interface.name=eth0,network.io.direction=transmit", 0},
      {"system.uptime", "", 123.456789},
      {"system.linux.pressure.stall_time",
       "system.linux.pressure.resource=cpu,system.linux.pressure.kind=some", 4120.334481},
      {"system.linux.pressure.stall_time",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=some", 0.120334},
      {"system.linux.pressure.stall_time",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=full", 0.09812},
      {"system.linux.pressure.stall_time",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=some", 9120.334811},
      {"system.linux.pressure.stall_time",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=full", 8803.34412},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=cpu,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=10s", 0.0018},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=cpu,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=60s", 0.0042},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=cpu,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=300s", 0.0031},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=10s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=60s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=300s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=10s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=60s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=memory,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=300s", 0},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=10s", 0.0127},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=60s", 0.009},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=some"
       ",system.linux.pressure.window=300s", 0.0055},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=10s", 0.0112},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=60s", 0.0081},
      {"system.linux.pressure.average",
       "system.linux.pressure.resource=io,system.linux.pressure.kind=full"
       ",system.linux.pressure.window=300s", 0.005},
      {"system.linux.clock.synchronized", "", 1},
      {"system.linux.clock.offset", "", -0.0015},
      {"system.linux.clock.max_error", "", 0.25},
  };
  EXPECT_EQ(result.points, std::size(rows));
  ASSERT_EQ(sink.points.size(), std::size(rows));
  for (size_t i = 0; i < std::size(rows); ++i) {
    SCOPED_TRACE(rows[i].name);
    EXPECT_EQ(sink.points[i].name, rows[i].name);
    EXPECT_EQ(sink.points[i].attributes, rows[i].attributes);
    EXPECT_DOUBLE_EQ(sink.points[i].value, rows[i].value);
  }
}

TEST_F(HostCollectorTest, Hosts) {
  struct Case {
    const char* host;
    double logical, physical;  // 0: not emitted.
    size_t interfaces, huge_points;
    bool available;
  };
  constexpr Case cases[] = {
      {"x86_64-vm-6.18", 2, 2, 4, 0, true},    {"rpi4-6.6", 4, 4, 3, 0, true},
      {"openwrt-mips-4.14", 1, 0, 6, 0, true}, {"container-lxcfs", 1, 0, 2, 0, true},
      {"server-2.6.32", 4, 2, 3, 1, false},    {"server-128cpu-6.1", 126, 63, 5, 1, true},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    files_ = HostFiles(c.host, "/host");
    if (c.logical > 100) {  // Two threads a core; both of core 63 are offline.
      for (int cpu = 0; cpu < 128; ++cpu) {
        files_.contents["/host/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                        "/topology/thread_siblings_list"] =
            std::to_string(cpu % 64) + "," + std::to_string(cpu % 64 + 64) + "\n";
      }
    }
    HostCollector collector = Make({.groups = kAllGroups, .root = "/host"});
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).failed, 0u);
    EXPECT_EQ(sink.Value("system.cpu.logical.count"), c.logical);
    EXPECT_EQ(sink.Count("system.cpu.physical.count"), c.physical == 0 ? 0u : 1u);
    if (c.physical != 0) { EXPECT_EQ(sink.Value("system.cpu.physical.count"), c.physical); }
    EXPECT_EQ(sink.Count("system.network.io"), 2 * c.interfaces);
    EXPECT_EQ(sink.Count("system.memory.linux.hugepages.limit"), c.huge_points);
    EXPECT_EQ(sink.Count("system.memory.linux.available"), c.available ? 1u : 0u);
  }
}

TEST_F(HostCollectorTest, HugePagesAddUp) {
  files_ = HostFiles("server-2.6.32", "");
  HostCollector collector = Make({.groups = Bit(HostGroup::kMemory)});
  SeenPoints sink;
  collector.Collect(sink);
  const std::string state = "system.memory.linux.hugepages.state=";
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.limit"), 64);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.page_size"), 2 << 20);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.reserved"), 8);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.surplus"), 0);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.usage", state + "free"), 40);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.usage", state + "used"), 24);
  EXPECT_EQ(sink.Value("system.memory.linux.hugepages.utilization", state + "used"), 0.375);
}

TEST_F(HostCollectorTest, Swaps) {
  const std::string heading = "Filename Type Size Used Priority\n";
  struct Case {
    const char* name;
    std::string text;  // Empty: no such file.
    bool fails;
    size_t usage_points, utilization_points;
  };
  const Case cases[] = {
      {"a kernel without swap", "", false, 0, 0},
      {"none in use", heading, false, 0, 0},
      {"two", heading + "/dev/a partition 8 2 -2\n/dev/b file 4 0 -3\n", false, 4, 4},
      {"of size 0", heading + "/dev/a partition 0 0 -2\n", false, 2, 0},
      {"malformed", heading + "/dev/a partition 8 -2 -2\n", true, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    files_.contents["/proc/vmstat"] = "pgfault 5\npgmajfault 6\n";
    if (!c.text.empty()) files_.contents["/proc/swaps"] = c.text;
    HostCollector collector = Make({.groups = Bit(HostGroup::kPaging)});
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).failed != 0, c.fails);
    EXPECT_EQ(sink.Count("system.paging.usage"), c.usage_points);
    EXPECT_EQ(sink.Count("system.paging.utilization"), c.utilization_points);
    EXPECT_EQ(sink.Count("system.paging.faults"), c.fails ? 0u : 2u);
    EXPECT_EQ(sink.Count("system.paging.operations"), 0u) << "the kernel does not count them";
    if (c.usage_points == 4) {
      EXPECT_EQ(sink.Value("system.paging.utilization",
                           "system.paging.state=used,system.device=/dev/a"), 0.25);
    }
    if (!c.fails) {
      EXPECT_EQ(sink.Value("system.paging.faults", "system.paging.fault.type=minor"), 0);
    }
  }
}

TEST_F(HostCollectorTest, DisksComeAndGo) {
  const std::string counters = " 1 2 3 4 5 6 7 8 9 10 11\n";
  const auto size = [this](const std::string& name) -> std::string& {
    return files_.contents["/sys/class/block/" + name + "/size"];
  };
  const auto limit = [](const SeenPoints& sink, const std::string& name) {
    return sink.Value("system.disk.limit", "system.device=" + name) / 512;
  };
  std::string& diskstats = files_.contents["/proc/diskstats"];
  diskstats = "8 0 sda" + counters + "8 16 sdb" + counters + "104 0 cciss/c0d0" + counters +
              "11 0 sr0" + counters + "7 0 loop0" + counters;
  size("sda") = "100\n", size("sdb") = "200\n", size("cciss!c0d0") = "300\n", size("sr0") = "0\n";
  HostCollector collector =
      Make({.groups = Bit(HostGroup::kDisk), .exclude_devices = "ram*, loop*"});
  SeenPoints first;
  EXPECT_EQ(collector.Collect(first).failed, 0u);
  EXPECT_EQ(first.Count("system.disk.io"), 4 * 2u);
  EXPECT_EQ(limit(first, "sda"), 100);
  EXPECT_EQ(limit(first, "sdb"), 200);
  EXPECT_EQ(limit(first, "cciss/c0d0"), 300) << "a slash is not for folders";
  EXPECT_TRUE(std::isnan(limit(first, "sr0"))) << "no medium";

  // The first goes: those behind it keep their own sizes.
  diskstats = diskstats.substr(diskstats.find('\n') + 1);
  SeenPoints second;
  collector.Collect(second);
  EXPECT_EQ(second.Count("system.disk.io"), 3 * 2u);
  EXPECT_EQ(limit(second, "sdb"), 200);
  EXPECT_EQ(limit(second, "cciss/c0d0"), 300);

  // A volume grows and a medium is inserted: seen when it is their turn.
  size("sdb") = "250\n", size("sr0") = "50\n";
  SeenPoints last;
  for (int cycle = 0; cycle < 3; ++cycle) {
    last = SeenPoints();
    collector.Collect(last);
    if (cycle == 0) { EXPECT_EQ(limit(last, "sdb"), 200) << "not its turn yet"; }
    clock_.mono = clock_.mono + DiskGroup::kSizeTurn;
  }
  last = SeenPoints();
  collector.Collect(last);
  EXPECT_EQ(limit(last, "sdb"), 250);
  EXPECT_EQ(limit(last, "sr0"), 50);

  // The last goes, and another comes in its place.
  const std::string all = diskstats;
  diskstats = diskstats.substr(0, diskstats.find("11 0 sr0"));
  collector.Collect(last);
  diskstats = all, size("sr0") = "70\n";
  last = SeenPoints();
  collector.Collect(last);
  EXPECT_EQ(limit(last, "sr0"), 70);

  // All go, and a kernel without /sys.
  diskstats = "";
  SeenPoints none;
  EXPECT_EQ(collector.Collect(none).failed, 0u);
  EXPECT_EQ(none.points.size(), 0u);
  files_.contents = {{"/proc/diskstats", "8 32 sdc" + counters}};
  SeenPoints without;
  EXPECT_EQ(collector.Collect(without).failed, 0u);
  EXPECT_EQ(without.Count("system.disk.io"), 2u);
  EXPECT_EQ(without.Count("system.disk.limit"), 0u);
}

TEST_F(HostCollectorTest, OnlyEnabledGroupsAreRead) {
  struct Case {
    HostGroup group;
    const char* metric;
  };
  constexpr Case cases[] = {
      {HostGroup::kCpu, "system.cpu.time"},
      {HostGroup::kLoad, "system.cpu.load_average.1m"},
      {HostGroup::kMemory, "system.memory.usage"},
      {HostGroup::kPaging, "system.paging.faults"},
      {HostGroup::kDisk, "system.disk.io"},
      {HostGroup::kNetwork, "system.network.io"},
      {HostGroup::kSystem, "system.uptime"},
      {HostGroup::kPressure, "system.linux.pressure.average"},
      {HostGroup::kClock, "system.linux.clock.offset"},
  };
  files_ = HostFiles("rpi4-6.6", "/host");
  for (const Case& c : cases) {
    SCOPED_TRACE(HostGroupName(c.group));
    HostCollector collector = Make({.groups = Bit(c.group), .root = "/host"});
    SeenPoints sink;
    EXPECT_GT(collector.Collect(sink).points, 0u);
    for (const Case& other : cases) {
      EXPECT_EQ(sink.Count(other.metric) != 0, other.group == c.group) << other.metric;
    }
  }
  HostCollector none = Make({.groups = 0});
  SeenPoints sink;
  EXPECT_EQ(none.Collect(sink).points, 0u);
}

TEST_F(HostCollectorTest, TicksPerSecondAreGiven) {
  files_ = HostFiles("rpi4-6.6", "");
  HostCollector collector = Make({.groups = Bit(HostGroup::kCpu), .user_hz = 1024});
  SeenPoints sink;
  collector.Collect(sink);
  EXPECT_DOUBLE_EQ(sink.Value("system.cpu.time", "cpu.mode=user"), 1532208.0 / 1024);
}

TEST_F(HostCollectorTest, CpuTimeNeverGoesBack) {
  const auto stat = [](const char* times) {
    return "cpu  " + std::string(times) + "\ncpu0 1 1 1 1\nbtime 1\nprocesses 1\n";
  };
  HostCollector collector = Make({.groups = Bit(HostGroup::kCpu)});
  struct Case {
    const char* times;
    double iowait_s;
  };
  constexpr Case cases[] = {{"0 0 0 0 500", 5}, {"0 0 0 0 480", 5}, {"0 0 0 0 520", 5.2}};
  for (const Case& c : cases) {
    files_.contents["/proc/stat"] = stat(c.times);
    SeenPoints sink;
    collector.Collect(sink);
    EXPECT_DOUBLE_EQ(sink.Value("system.cpu.time", "cpu.mode=iowait"), c.iowait_s);
  }
}

TEST_F(HostCollectorTest, CpuTimeThatBeginsAnewIsTakenAsItIs) {
  for (const HostNames names : {HostNames::kSemconv144, HostNames::kCollector}) {
    const bool each = names == HostNames::kCollector;
    HostCollector collector = Make({.groups = Bit(HostGroup::kCpu), .names = names});
    for (const char* times : {"1000 0 800 50000 90", "20 0 10 300 4", "30 0 12 280 4"}) {
      files_.contents["/proc/stat"] =
          "cpu  " + std::string(times) + "\ncpu0 " + times + "\nbtime 1\nprocesses 1\n";
      SeenPoints sink;
      collector.Collect(sink);
      const auto seconds = [&](const std::string& mode) {
        return sink.Value("system.cpu.time", each ? "cpu=cpu0,state=" + mode : "cpu.mode=" + mode);
      };
      const bool first = *times == '1';
      EXPECT_DOUBLE_EQ(seconds("system"), first ? 8 : *times == '2' ? 0.1 : 0.12);
      EXPECT_DOUBLE_EQ(seconds("idle"), first ? 500 : 3) << "and goes back by a little no more";
    }
  }
}

TEST_F(HostCollectorTest, TablesLongerThanTheBufferGiveWhatFits) {
  const std::string counters = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  std::string& net = files_.contents["/proc/net/dev"];
  net = "Inter-|\n face |\n  eth0:" + counters;
  while (net.size() < 2 * buffer_.size()) net += "veth" + std::to_string(net.size()) + ":" + counters;
  std::string& disks = files_.contents["/proc/diskstats"];
  disks = "8 0 sda" + counters;
  while (disks.size() < 2 * buffer_.size()) disks += "7 0 loop" + std::to_string(disks.size()) + counters;
  HostCollector collector = Make({.groups = Bit(HostGroup::kNetwork) | Bit(HostGroup::kDisk),
                                  .exclude_devices = "loop*",
                                  .exclude_interfaces = "veth*"});
  for (int cycle = 0; cycle < 2; ++cycle) {
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).failed, 0u);
    EXPECT_EQ(sink.Count("system.network.io"), 2u);
    EXPECT_EQ(sink.Count("system.disk.io"), 2u);
  }
  EXPECT_EQ(log_.Count("network interfaces are left out"), 1u);
  EXPECT_EQ(log_.Count("block devices are left out"), 1u);
}

TEST_F(HostCollectorTest, AFileThatIsMissingTakesNoOtherWithIt) {
  files_ = HostFiles("rpi4-6.6", "");
  files_.contents.erase("/proc/vmstat");
  files_.contents.erase("/proc/pressure/io");
  files_.contents["/proc/swaps"] = "Filename Type Size Used Priority\n/dev/zram0 partition 1024 0 100\n";
  files_.contents["/proc/pressure/memory"] = "some avg10=0.00 avg60=0.00 avg300=0.00 total=1\n";
  HostCollector collector = Make({.groups = Bit(HostGroup::kPaging) | Bit(HostGroup::kPressure)});
  SeenPoints sink;
  EXPECT_EQ(collector.Collect(sink).failed, 0u);
  EXPECT_EQ(sink.Count("system.paging.usage"), 2u);
  EXPECT_EQ(sink.Count("system.paging.faults"), 0u);
  EXPECT_EQ(sink.Count("system.linux.pressure.stall_time"), 2u) << "cpu some, memory some: never a zero";
  EXPECT_EQ(sink.Count("system.linux.pressure.average"), 6u);
}

TEST_F(HostCollectorTest, OwnRootReadsTheOwnNamespace) {
  files_ = HostFiles("x86_64-vm-6.18", "");
  files_.contents["/proc/1/net/dev"] = "|\n|\n";  // The host's first process, in another namespace.
  HostCollector collector = Make({.groups = Bit(HostGroup::kNetwork)});
  SeenPoints sink;
  collector.Collect(sink);
  EXPECT_EQ(sink.Count("system.network.io"), 8u);
}

TEST_F(HostCollectorTest, AFailingGroupIsSaidOnceAndStopsNobody) {
  struct Case {
    HostGroup group;
    const char* path;
    const char* bad_text;
    bool optional = false;  // A kernel may be without.
  };
  constexpr Case cases[] = {
      {HostGroup::kCpu, "/proc/stat", "cpu  1 2 3 4\n"},
      {HostGroup::kLoad, "/proc/loadavg", "high\n"},
      {HostGroup::kMemory, "/proc/meminfo", "MemTotal: -1 kB\n"},
      {HostGroup::kPaging, "/proc/vmstat", "pgfault -1\n", true},
      {HostGroup::kDisk, "/proc/diskstats", "8 0 sda 1 2 3\n", true},
      {HostGroup::kNetwork, "/proc/net/dev", ""},
      {HostGroup::kPressure, "/proc/pressure/memory", "some avg10=0.00\n", true},
  };
  enum Trouble { kMissing, kUnreadable, kMalformed, kTooLong };
  for (const Case& c : cases) {
    for (const Trouble trouble : {kMissing, kUnreadable, kMalformed, kTooLong}) {
      if (c.optional && trouble == kMissing) continue;
      SCOPED_TRACE(std::string(c.path) + " " + std::to_string(trouble));
      files_ = HostFiles("x86_64-vm-6.18", "");
      log_.lines.clear();
      HostCollector collector = Make({.groups = kAllGroups});
      SeenPoints before;
      const CollectResult whole = collector.Collect(before);
      ASSERT_EQ(whole.failed, 0u);

      const std::string good = files_.contents[c.path];
      switch (trouble) {
        case kMissing: files_.contents.erase(c.path); break;
        case kUnreadable: files_.failing[c.path] = Code::kIo; break;
        case kMalformed: files_.contents[c.path] = c.bad_text; break;
        case kTooLong: files_.contents[c.path] = std::string(kProcFileBytes + 1, '\n'); break;
      }
      for (int cycle = 0; cycle < 3; ++cycle) {
        SeenPoints sink;
        const CollectResult result = collector.Collect(sink);
        EXPECT_EQ(result.failed, Bit(c.group));
        EXPECT_LT(result.points, whole.points);
        EXPECT_GT(result.points, 0u);
        for (size_t g = 0; g < kHostGroupCount; ++g) {
          EXPECT_EQ(collector.problem(static_cast<HostGroup>(g)).ok(), (Bit(c.group) >> g) != 1);
        }
      }
      EXPECT_EQ(log_.lines.size(), 1u);
      EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read"), 1u);
      TextBuffer<200> problems;
      collector.DescribeProblems(problems);
      EXPECT_TRUE(problems.text().starts_with(HostGroupName(c.group))) << problems.text();

      files_.failing.clear();
      files_.contents[c.path] = good;
      SeenPoints after;
      EXPECT_EQ(collector.Collect(after).points, whole.points);
      EXPECT_EQ(log_.lines.size(), 2u);
      EXPECT_EQ(log_.Count("can be read again group=" + std::string(HostGroupName(c.group)) +
                           " cycles_missed=3"), 1u);
      TextBuffer<200> none;
      collector.DescribeProblems(none);
      EXPECT_EQ(none.size(), 0u);
    }
  }
}

TEST_F(HostCollectorTest, AllGroupsFail) {
  HostCollector collector = Make({.groups = kAllGroups & ~Bit(HostGroup::kSystem) &
                                            ~Bit(HostGroup::kClock)});
  SeenPoints sink;
  const CollectResult result = collector.Collect(sink);
  EXPECT_EQ(result.points, 0u);
  EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read"), 4u);
  EXPECT_EQ(log_.Count("not available on this kernel"), 3u) << "a kernel may be without: paging, disk, pressure";
  TextBuffer<400> problems;
  collector.DescribeProblems(problems);
  EXPECT_EQ(problems.text(), "cpu: /proc/stat: not found; load: /proc/loadavg: not found; "
                             "memory: /proc/meminfo: not found; network: /proc/net/dev: not found");
}

/// A kernel that does not tell about its clock.
class SilentClock final : public Clock {
 public:
  MonoTime Monotonic() override { return {1}; }
  UnixTime Wall() override { return {1}; }
  Result<ClockDiscipline> Discipline() override { return {Code::kUnsupported, 1, "adjtimex"}; }
};

TEST_F(HostCollectorTest, SilentKernelClock) {
  SilentClock clock;
  HostCollector collector({.groups = Bit(HostGroup::kClock)}, files_, clock, log_, buffer_);
  SeenPoints sink;
  for (int cycle = 0; cycle < 3; ++cycle) {
    EXPECT_EQ(collector.Collect(sink).failed, 0u);
    EXPECT_TRUE(sink.points.empty());
  }
  EXPECT_EQ(log_.lines.size(), 1u);
  EXPECT_EQ(log_.Count("info a group of host metrics is not available on this kernel group=clock"),
            1u);
}

TEST_F(HostCollectorTest, AKernelWithoutPressure) {
  enum Kernel { kNone, kSwitchedOff, kThere, kFailing };
  struct Case {
    Kernel kernel;
    uint32_t failed;
    Code problem;
    size_t points, lines;  // lines: logged so far.
    const char* last_line;
  };
  constexpr uint32_t kGroup = Bit(HostGroup::kPressure);
  static constexpr char kUnavailable[] =
      "info a group of host metrics is not available on this kernel";
  constexpr Case cases[] = {
      {kNone, 0, Code::kUnsupported, 0, 1, kUnavailable},
      {kNone, 0, Code::kUnsupported, 0, 1, kUnavailable},
      {kSwitchedOff, 0, Code::kUnsupported, 0, 1, kUnavailable},  // psi=0 on older kernels.
      {kThere, 0, Code::kOk, 20, 2, "info a group of host metrics can be read again"},
      {kSwitchedOff, 0, Code::kUnsupported, 0, 3, kUnavailable},
      {kFailing, kGroup, Code::kIo, 0, 4, "warn a group of host metrics cannot be read"},
      {kFailing, kGroup, Code::kIo, 0, 4, "warn a group of host metrics cannot be read"},
      {kNone, 0, Code::kUnsupported, 0, 5, kUnavailable},
  };
  HostCollector collector = Make({.groups = kGroup});
  for (const Case& c : cases) {
    SCOPED_TRACE(&c - cases);
    files_.contents.clear();
    files_.failing.clear();
    if (c.kernel != kNone) files_.contents = HostFiles("rpi4-6.6", "").contents;
    if (c.kernel == kSwitchedOff) files_.failing["/proc/pressure/cpu"] = Code::kUnsupported;
    if (c.kernel == kFailing) files_.failing["/proc/pressure/cpu"] = Code::kIo;
    SeenPoints sink;
    const CollectResult result = collector.Collect(sink);
    EXPECT_EQ(result.failed, c.failed);
    EXPECT_EQ(result.points, c.points);
    EXPECT_EQ(collector.problem(HostGroup::kPressure).code, c.problem);
    ASSERT_EQ(log_.lines.size(), c.lines);
    EXPECT_TRUE(log_.lines.back().starts_with(c.last_line)) << log_.lines.back();
    TextBuffer<200> problems;
    collector.DescribeProblems(problems);
    EXPECT_EQ(problems.size() != 0, c.failed != 0) << "what a kernel does not have is no problem";
  }
}

TEST_F(HostCollectorTest, FilesStayOpenAndAreClosedAtTheEnd) {
  files_ = HostFiles("rpi4-6.6", "/host");
  {
    HostCollector collector =
        Make({.groups = kAllGroups, .root = "/host", .exclude_devices = "loop*, ram*"});
    SeenPoints sink;
    collector.Collect(sink);
    const size_t open = files_.open_files();
    constexpr size_t kProcFiles = 10, kSysFiles = 4;  // Of /sys the frequencies.
    EXPECT_EQ(open, kProcFiles + kSysFiles);
    const size_t reads = files_.reads;
    collector.Collect(sink);
    EXPECT_EQ(files_.open_files(), open);
    // Each file of /proc until its end, each of /sys once.
    EXPECT_EQ(files_.reads - reads, kProcFiles * 2 + kSysFiles);
  }
  EXPECT_EQ(files_.open_files(), 0u);
}

TEST_F(HostCollectorTest, CpusComeAndGo) {
  files_ = HostFiles("rpi4-6.6", "");
  HostCollector collector = Make({.groups = Bit(HostGroup::kCpu)});
  const std::string all = files_.contents["/proc/stat"];
  SeenPoints first;
  collector.Collect(first);
  EXPECT_EQ(first.Count("system.cpu.frequency"), 4u);

  // CPU 3 goes offline, its files with it.
  const size_t at = all.find("cpu3");
  files_.contents["/proc/stat"] = all.substr(0, at) + all.substr(all.find('\n', at) + 1);
  const std::string frequency = "/sys/devices/system/cpu/cpu3/cpufreq/scaling_cur_freq";
  files_.contents.erase(frequency);
  SeenPoints second;
  collector.Collect(second);
  EXPECT_EQ(second.Value("system.cpu.logical.count"), 3);
  EXPECT_EQ(second.Value("system.cpu.physical.count"), 3);
  EXPECT_EQ(second.Count("system.cpu.frequency"), 3u);

  // And comes back; its frequency is found at once, or in a later cycle when the driver is slower.
  files_.contents["/proc/stat"] = all;
  SeenPoints third;
  collector.Collect(third);
  EXPECT_EQ(third.Value("system.cpu.logical.count"), 4);
  files_.contents[frequency] = "700000\n";
  bool found = false;
  for (size_t cycle = 0; cycle <= CpuGroup::kFrequencyCpus && !found; ++cycle) {
    SeenPoints sink;
    collector.Collect(sink);
    found = sink.Value("system.cpu.frequency", "cpu.logical_number=3") == 700e6;
  }
  EXPECT_TRUE(found);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(HostCollectorTest, MoreThanTheTablesHold) {
  std::string stat = "cpu  1 2 3 4\n";
  for (size_t cpu = 0; cpu < kCpusMax + 5; ++cpu) {
    stat += "cpu" + std::to_string(cpu) + " 1 2 3 4\n";
    files_.contents["/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                    "/cpufreq/scaling_cur_freq"] = "1000\n";
  }
  files_.contents["/proc/stat"] = stat + "btime 1\nprocesses 1\n";
  std::string net = "|\n|\n";
  for (size_t i = 0; i < kInterfacesMax + 7; ++i) {
    net += "tap" + std::to_string(i) + ": 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";
  }
  files_.contents["/proc/net/dev"] = net;
  std::string swaps = "Filename Type Size Used Priority\n";
  for (size_t i = 0; i < PagingGroup::kSwapsMax + 3; ++i) {
    swaps += "/dev/sd" + std::to_string(i) + " partition 4 0 -1\n";
  }
  files_.contents["/proc/swaps"] = swaps;
  files_.contents["/proc/vmstat"] = "pgfault 1\n";
  std::string disks;
  for (size_t i = 0; i < DiskGroup::kDisksMax + 9; ++i) {
    disks += "8 " + std::to_string(i) + " sd" + std::to_string(i) + " 1 2 3 4 5 6 7 8 9 10 11\n";
  }
  files_.contents["/proc/diskstats"] = disks;
  HostCollector collector = Make({.groups = Bit(HostGroup::kCpu) | Bit(HostGroup::kNetwork) |
                                            Bit(HostGroup::kPaging) | Bit(HostGroup::kDisk)});
  for (int cycle = 0; cycle < 2; ++cycle) {
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).failed, 0u);
    EXPECT_EQ(sink.Value("system.cpu.logical.count"), static_cast<double>(kCpusMax + 5));
    EXPECT_EQ(sink.Count("system.cpu.physical.count"), 0u);
    EXPECT_EQ(sink.Count("system.cpu.frequency"), CpuGroup::kFrequencyCpus);
    EXPECT_EQ(sink.Count("system.network.io"), 2 * kInterfacesMax);
    EXPECT_EQ(sink.Count("system.paging.usage"), 2 * PagingGroup::kSwapsMax);
    EXPECT_EQ(sink.Count("system.disk.io"), 2 * DiskGroup::kDisksMax);
  }
  EXPECT_EQ(log_.lines.size(), 4u);
  EXPECT_EQ(log_.Count("left_out=9 at_most=128"), 1u);
  EXPECT_EQ(log_.Count("left_out=3 at_most=32"), 1u);
  EXPECT_EQ(log_.Count("too many CPUs"), 1u);
  EXPECT_EQ(log_.Count("left_out=7 at_most=256"), 1u);
}

TEST_F(HostCollectorTest, RootTooLongForAPath) {
  const std::string root = "/" + std::string(kPathMax, 'r');
  HostCollector collector = Make({.groups = Bit(HostGroup::kMemory), .root = root});
  SeenPoints sink;
  EXPECT_EQ(collector.Collect(sink).failed, Bit(HostGroup::kMemory));
  EXPECT_EQ(collector.problem(HostGroup::kMemory).code, Code::kInvalid);
}

}  // namespace
}  // namespace limpet
