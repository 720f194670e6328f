// `[host] semconv = collector`: every point is one that the hostmetrics receiver could have sent.
#include "collect/collector_names.h"

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

using enum Instrument;

/// The metadata.yaml of the scrapers of hostmetricsreceiver 0.149.0, less what limpet never measures;
/// the attributes sorted.
const std::vector<Convention>& OfReceiver() {
  static const std::vector<Convention> rows = {
      {"system.cpu.time", kCounter, false, "s", {"cpu", "state"}},
      {"system.cpu.frequency", kGauge, false, "Hz", {"cpu"}},
      {"system.cpu.logical.count", kUpDownCounter, true, "{cpu}", {}},
      {"system.cpu.physical.count", kUpDownCounter, true, "{cpu}", {}},
      {"system.cpu.load_average.1m", kGauge, false, "{thread}", {}},
      {"system.cpu.load_average.5m", kGauge, false, "{thread}", {}},
      {"system.cpu.load_average.15m", kGauge, false, "{thread}", {}},
      {"system.memory.usage", kUpDownCounter, true, "By", {"state"}},
      {"system.memory.utilization", kGauge, false, "1", {"state"}},
      {"system.linux.memory.available", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.shared", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.hugepages.limit", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.page_size", kUpDownCounter, true, "By", {}},
      {"system.memory.linux.hugepages.reserved", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.surplus", kUpDownCounter, true, "{page}", {}},
      {"system.memory.linux.hugepages.usage", kUpDownCounter, true, "{page}",
       {"system.memory.linux.hugepages.state"}},
      {"system.memory.linux.hugepages.utilization", kGauge, false, "1",
       {"system.memory.linux.hugepages.state"}},
      {"system.paging.usage", kUpDownCounter, true, "By", {"device", "state"}},
      {"system.paging.utilization", kGauge, false, "1", {"device", "state"}},
      {"system.paging.faults", kCounter, true, "{faults}", {"type"}},
      {"system.paging.operations", kCounter, true, "{operations}", {"direction", "type"}},
      {"system.disk.io", kCounter, true, "By", {"device", "direction"}},
      {"system.disk.operations", kCounter, true, "{operations}", {"device", "direction"}},
      {"system.disk.merged", kCounter, true, "{operations}", {"device", "direction"}},
      {"system.disk.operation_time", kCounter, false, "s", {"device", "direction"}},
      {"system.disk.io_time", kCounter, false, "s", {"device"}},
      {"system.disk.weighted_io_time", kCounter, false, "s", {"device"}},
      {"system.disk.pending_operations", kUpDownCounter, true, "{operations}", {"device"}},
      {"system.filesystem.usage", kUpDownCounter, true, "By",
       {"device", "mode", "mountpoint", "state", "type"}},
      {"system.filesystem.inodes.usage", kUpDownCounter, true, "{inodes}",
       {"device", "mode", "mountpoint", "state", "type"}},
      {"system.filesystem.utilization", kGauge, false, "1", {"device", "mode", "mountpoint", "type"}},
      {"system.network.io", kCounter, true, "By", {"device", "direction"}},
      {"system.network.packets", kCounter, true, "{packets}", {"device", "direction"}},
      {"system.network.dropped", kCounter, true, "{packets}", {"device", "direction"}},
      {"system.network.errors", kCounter, true, "{errors}", {"device", "direction"}},
      {"system.network.connections", kUpDownCounter, true, "{connections}", {"protocol", "state"}},
      {"system.processes.count", kUpDownCounter, true, "{processes}", {"status"}},
      {"system.processes.created", kCounter, true, "{processes}", {}},
      {"system.uptime", kGauge, false, "s", {}},
  };
  return rows;
}

/// Those of a process, each of which has a resource of its own.
const std::vector<Convention>& OfReceiversProcesses() {
  static const std::vector<Convention> rows = {
      {"process.cpu.time", kCounter, false, "s", {"state"}},
      {"process.disk.io", kCounter, true, "By", {"direction"}},
      {"process.disk.operations", kCounter, true, "{operations}", {"direction"}},
      {"process.memory.usage", kUpDownCounter, true, "By", {}},
      {"process.memory.virtual", kUpDownCounter, true, "By", {}},
      {"process.context_switches", kCounter, true, "{count}", {"type"}},
      {"process.open_file_descriptors", kUpDownCounter, true, "{count}", {}},
      {"process.paging.faults", kCounter, true, "{faults}", {"type"}},
      {"process.threads", kUpDownCounter, true, "{threads}", {}},
      {"process.uptime", kGauge, false, "s", {}},
  };
  return rows;
}

/// What the attributes may say.
const std::set<std::string>& Values(const std::string& metric, const std::string& key) {
  struct Row {
    const char *metric, *key;  // The metrics that begin so.
    std::set<std::string> values;
  };
  static const std::vector<Row> rows = {
      {"system.cpu.", "state",
       {"idle", "interrupt", "nice", "softirq", "steal", "system", "user", "wait"}},
      {"process.cpu.", "state", {"system", "user", "wait"}},
      {"system.memory.", "state",
       {"buffered", "cached", "inactive", "free", "slab_reclaimable", "slab_unreclaimable", "used"}},
      {"system.memory.", "system.memory.linux.hugepages.state", {"free", "used"}},
      {"system.paging.", "state", {"cached", "free", "used"}},
      {"system.filesystem.", "state", {"free", "reserved", "used"}},
      {"system.network.connections", "protocol", {"tcp"}},
      {"system.network.connections", "state",
       {"ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE",
        "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING"}},
      {"system.processes.", "status",
       {"blocked", "daemon", "detached", "idle", "locked", "orphan", "paging", "running", "sleeping",
        "stopped", "system", "unknown", "zombies"}},
      {"system.paging.", "direction", {"page_in", "page_out"}},
      {"system.network.", "direction", {"receive", "transmit"}},
      {"system.disk.", "direction", {"read", "write"}},
      {"process.disk.", "direction", {"read", "write"}},
      {"process.context_switches", "type", {"involuntary", "voluntary"}},
      {"system.paging.", "type", {"major", "minor"}},
      {"process.paging.", "type", {"major", "minor"}},
  };
  static const std::set<std::string> any;
  for (const Row& row : rows) {
    if (metric.starts_with(row.metric) && key == row.key) return row.values;
  }
  return any;
}

/// "a=1,b=x" as pairs.
std::vector<std::pair<std::string, std::string>> Pairs(const SeenPoint& point) {
  std::vector<std::pair<std::string, std::string>> pairs;
  size_t from = 0;
  for (const std::string& key : point.keys) {
    from += key.size() + 1;
    const size_t end = std::min(point.attributes.find(',', from), point.attributes.size());
    pairs.emplace_back(key, point.attributes.substr(from, end - from));
    from = end + 1;
  }
  return pairs;
}

bool IsForeign(const SeenPoint& point) {
  return std::ranges::none_of(OfReceiver(), [&](const Convention& c) { return c.name == point.name; }) &&
         std::ranges::none_of(OfReceiversProcesses(),
                              [&](const Convention& c) { return c.name == point.name; });
}

std::vector<std::string> Texts(const std::vector<SeenPoint>& points) {
  std::vector<std::string> texts;
  for (const SeenPoint& point : points) {
    texts.push_back(point.name + " " + point.unit + " " + point.attributes + " " +
                    std::to_string(point.value));
  }
  return texts;
}

class CollectorNamesTest : public testing::Test {
 protected:
  /// A cycle of all groups that read files of fixed names.
  SeenPoints Cycle(const std::string& host, HostNames names) {
    files_ = HostFiles(host, "/host");
    const HostOptions options{
        .groups = (Bit(HostGroup::kClock) << 1) - 1, .root = "/host", .names = names};
    HostCollector collector(options, files_, clock_, log_, buffer_);
    SeenPoints sink;
    collector.Collect(sink, UnixTime{});
    return sink;
  }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
};

TEST_F(CollectorNamesTest, EveryPointIsOneOfTheReceiver) {
  std::set<std::string> seen;
  for (const char* host : kHosts) {
    SCOPED_TRACE(host);
    std::vector<SeenPoint> own, foreign;
    for (const SeenPoint& point : Cycle(host, HostNames::kCollector).points) {
      (IsForeign(point) ? foreign : own).push_back(point);
    }
    for (SeenPoint& point : own) {
      seen.insert(point.name);
      for (const auto& [key, value] : Pairs(point)) {
        const std::set<std::string>& values = Values(point.name, key);
        EXPECT_TRUE(values.empty() || values.contains(value)) << point.name << " " << key << " " << value;
      }
      std::ranges::sort(point.keys);
    }
    ExpectConventions(own, OfReceiver());
    // What the receiver does not have is as it is elsewhere; it says nothing twice.
    const std::vector<std::string> usual = Texts(Cycle(host, HostNames::kSemconv144).points);
    for (const std::string& text : Texts(foreign)) {
      EXPECT_NE(std::ranges::find(usual, text), usual.end()) << text;
    }
    EXPECT_EQ(std::ranges::count_if(foreign, [](const SeenPoint& p) {
      return p.name == "system.memory.linux.slab.usage";
    }), 0);
  }
  for (const Convention& row : OfReceiver()) {
    // Filesystems are not measured by files alone.
    const bool measured = !std::string_view(row.name).starts_with("system.filesystem.");
    EXPECT_TRUE(seen.contains(row.name) || !measured) << row.name;
  }
}

TEST_F(CollectorNamesTest, ValuesOfABoard) {
  const SeenPoints sink = Cycle("rpi4-6.6", HostNames::kCollector);
  const SeenPoints usual = Cycle("rpi4-6.6", HostNames::kSemconv144);
  // The CPUs add up to the total but for rounding, the two kinds of interrupts to the one.
  for (const auto& [state, mode] : std::initializer_list<std::pair<std::string, std::string>>{
           {"user", "user"}, {"system", "system"}, {"nice", "nice"}, {"steal", "steal"}}) {
    double sum = 0;
    for (const char* cpu : {"cpu0", "cpu1", "cpu2", "cpu3"}) {
      sum += sink.Value("system.cpu.time", std::string("cpu=") + cpu + ",state=" + state);
    }
    EXPECT_NEAR(sum, usual.Value("system.cpu.time", "cpu.mode=" + mode), 0.1) << state;
  }
  EXPECT_EQ(sink.Count("system.cpu.time"), 4u * 8);
  const double total = usual.Value("system.memory.usage", "system.memory.state=used") +
                       usual.Value("system.memory.usage", "system.memory.state=free") +
                       usual.Value("system.memory.usage", "system.memory.state=buffers") +
                       usual.Value("system.memory.usage", "system.memory.state=cached");
  EXPECT_EQ(sink.Value("system.memory.usage", "state=used"),
            total - usual.Value("system.memory.linux.available"));
  EXPECT_EQ(sink.Value("system.memory.usage", "state=buffered"),
            usual.Value("system.memory.usage", "system.memory.state=buffers"));
  EXPECT_EQ(sink.Value("system.memory.usage", "state=slab_unreclaimable"),
            usual.Value("system.memory.linux.slab.usage",
                        "system.memory.linux.slab.state=unreclaimable"));
  EXPECT_EQ(sink.Count("system.network.connections"), 11u) << "of TCP alone";
  EXPECT_EQ(sink.Value("system.network.packets", "device=eth0,direction=receive"),
            usual.Value("system.network.packet.count",
                        "system.device=eth0,network.io.direction=receive"));
}

/// Idle time of a CPU goes back when it comes online again, which would look like a reset.
TEST_F(CollectorNamesTest, TimeOfACpuNeverGoesBack) {
  HostCollector collector({.groups = Bit(HostGroup::kCpu), .names = HostNames::kCollector}, files_, clock_,
                          log_, buffer_);
  const auto stat = [&](const char* cpu1) {
    files_.contents["/proc/stat"] = std::string("cpu  10 0 10 100 10 0 0 0 0 0\n"
                                                "cpu0 5 0 5 50 5 0 0 0 0 0\n") +
                                    cpu1 + "intr 1\nctxt 2\nbtime 1750000000\nprocesses 42\n";
    SeenPoints sink;
    collector.Collect(sink, UnixTime{});
    return sink;
  };
  EXPECT_EQ(stat("cpu1 5 0 5 50 5 0 0 0 0 0\n").Value("system.cpu.time", "cpu=cpu1,state=idle"), 0.5);
  EXPECT_EQ(stat("").Count("system.cpu.time"), 8u) << "it is offline";
  const SeenPoints back = stat("cpu1 6 0 5 40 4 0 0 0 0 0\n");
  EXPECT_EQ(back.Value("system.cpu.time", "cpu=cpu1,state=idle"), 0.5);
  EXPECT_EQ(back.Value("system.cpu.time", "cpu=cpu1,state=wait"), 0.05);
  EXPECT_EQ(back.Value("system.cpu.time", "cpu=cpu1,state=user"), 0.06);
}

TEST_F(CollectorNamesTest, ProcessesOfTheirOwn) {
  files_ = HostFiles("rpi4-6.6", "/host");
  HostCollector collector({.groups = Bit(HostGroup::kProcess), .root = "/host", .process = "systemd",
                           .names = HostNames::kCollector}, files_, clock_, log_, buffer_);
  SeenPoints sink;
  collector.Collect(sink, UnixTime{});
  ExpectConventions(sink.points, OfReceiversProcesses());
  std::set<std::string> seen;
  for (const SeenPoint& point : sink.points) {
    seen.insert(point.name);
    for (const auto& [key, value] : Pairs(point)) EXPECT_TRUE(Values(point.name, key).contains(value));
  }
  EXPECT_EQ(seen.size(), OfReceiversProcesses().size());
}

/// A metric of somebody else keeps what it says, whatever its attributes are called.
TEST_F(CollectorNamesTest, StrangersPassUnchanged) {
  SeenPoints sink;
  CollectorNames names(sink);
  names.Begin({"hw.fan.speed", "rpm", kGauge});
  names.Int({{"system.device", "fan"}, {"cpu.mode", "iowait"}}, 7);
  names.Begin({"system.memory.linux.slab.usage", "By", kUpDownCounter});
  names.Int({{"system.memory.linux.slab.state", "reclaimable"}}, 7);
  ASSERT_EQ(sink.points.size(), 1u);
  EXPECT_EQ(sink.points[0].attributes, "system.device=fan,cpu.mode=iowait");
}

}  // namespace
}  // namespace limpet
