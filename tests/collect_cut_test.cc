// A cycle of host metrics that outgrows a batch: cut between series, and every part says the same
// time, starts and resources.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "batch/batcher.h"
#include "batch/metric_encoder.h"
#include "collect/host_collector.h"
#include "otlp_points.h"
#include "sim/world.h"

namespace limpet {
namespace {

constexpr UnixTime kBoot{1'750'000'000'000'000'000};
constexpr int kProcesses = 64, kInterfaces = 50;
constexpr size_t kPointsOfProcess = 15;

class CutTest : public testing::Test {
 protected:
  CutTest() {
    clock_.mono = MonoTime{} + Seconds(5000);
    std::string& net = files_.contents["/proc/net/dev"];
    net = "Inter-|   Receive |  Transmit\n face |bytes |bytes\n";
    for (int i = 0; i < kInterfaces; ++i) {
      net += "  vlan" + std::to_string(i) + ": 1 2 3 4 0 0 0 0 5 6 7 8 0 0 0 0\n";
    }
    for (int pid = 100; pid < 100 + kProcesses; ++pid) {
      const std::string id = std::to_string(pid), path = "/proc/" + id;
      files_.contents[path + "/stat"] =
          id + " (worker) S 1 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 " + id + "00 0 0\n";
      files_.contents[path + "/status"] =
          "Uid:\t0\t0\t0\t0\nVmSize:\t7 kB\nVmRSS:\t5 kB\n"
          "voluntary_ctxt_switches:\t1\nnonvoluntary_ctxt_switches:\t2\n";
      files_.contents[path + "/io"] = "syscr: 1\nsyscw: 2\nread_bytes: 3\nwrite_bytes: 4\n";
      files_.contents[path + "/fd/0"] = "";
      files_.contents[path + "/cgroup"] = "0::/system.slice/worker-" + id + ".service\n";
      files_.links[path + "/exe"] = "/usr/bin/worker";
    }
  }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
};

TEST_F(CutTest, AllPartsSayTheSame) {
  struct Case {
    uint32_t items, bytes;
  };
  constexpr Case cases[] = {
      {512, 64 * 1024}, {512, 4096}, {7, 64 * 1024}, {1, 4096}, {100'000, 4 << 20}};
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.items << " items, " << c.bytes << " bytes");
    std::vector<uint8_t> slab(Batcher::SlabBytes(c.bytes)), resource(100);
    std::vector<uint64_t> arena(8 << 17);
    BatchQueue queue(std::as_writable_bytes(std::span(arena)));
    Ledger ledger;
    Batcher batcher({.items_max = c.items, .bytes_max = c.bytes, .delay = Seconds(1), .boot = {}},
                    {std::span<uint8_t>(slab), {}, {}}, nullptr, {}, queue, ledger, log_);
    const ResourceAttribute host[] = {{"host.name", "a"}, {"service.name", "limpet"}};
    MetricEncoder encoder(batcher, EncodeResource(host, resource).value(), "1");
    HostCollector collector({.groups = Bit(HostGroup::kNetwork) | Bit(HostGroup::kProcess),
                             .process = "worker"},
                            files_, clock_, log_, buffer_);
    encoder.Start({kBoot + Seconds(5000), clock_.mono}, kBoot);
    const CollectResult result = collector.Collect(encoder, kBoot);
    EXPECT_EQ(encoder.Finish(), result.points);
    EXPECT_EQ(result.points, kInterfaces * 8 + kProcesses * kPointsOfProcess);
    batcher.Close(Signal::kMetrics);

    std::set<std::string> identities;
    std::map<std::string, size_t> by_pid;
    uint64_t sequence = 0;
    while (const BatchId id = queue.Head(Signal::kMetrics)) {
      const BatchQueue::Payload payload(queue, id);
      std::vector<uint8_t> raw;
      while (raw.size() < payload.size()) {
        const auto piece = payload.At(raw.size());
        raw.insert(raw.end(), piece.begin(), piece.end());
      }
      const std::vector<SeenPoint> points = ReadPoints(raw);
      ASSERT_LE(points.size(), c.items);
      ASSERT_LE(raw.size(), Batcher::SlabBytes(c.bytes));
      ASSERT_EQ(queue.header(id).sequence, ++sequence);
      for (const SeenPoint& point : points) {
        ASSERT_EQ(point.time, (kBoot + Seconds(5000)).ns);
        ASSERT_EQ(point.resource.at("host.name"), "a");
        ASSERT_EQ(point.resource.at("service.name"), "limpet");
        const bool of_process = point.metric.starts_with("process.");
        ASSERT_EQ(point.resource.size(), of_process ? 9u : 2u);
        const std::string pid = of_process ? point.resource.at("process.pid") : "";
        UnixTime start = kBoot;
        if (of_process) {
          ASSERT_EQ(point.resource.at("process.linux.cgroup"),
                    "0::/system.slice/worker-" + pid + ".service");
          start = kBoot + Seconds(std::stoi(pid));
          ++by_pid[pid];
        }
        if (point.metric == "process.uptime") start = {};  // A gauge.
        ASSERT_EQ(point.start, start.ns) << point.metric;
        std::string identity = point.metric + "|" + pid;
        for (const auto& [key, value] : point.attributes) identity += "|" + key + "=" + value;
        ASSERT_TRUE(identities.insert(identity).second) << identity << " is there twice";
      }
      queue.Remove(id);
    }
    EXPECT_EQ(identities.size(), result.points);
    EXPECT_EQ(by_pid.size(), static_cast<size_t>(kProcesses));
    for (const auto& [pid, points] : by_pid) EXPECT_EQ(points, kPointsOfProcess) << pid;
    if (c.items < result.points) { EXPECT_GT(sequence, 1u); }
    EXPECT_EQ(ledger.account(Signal::kMetrics).dropped_total(), 0u);
  }
  EXPECT_TRUE(log_.lines.empty());
}

}  // namespace
}  // namespace limpet
