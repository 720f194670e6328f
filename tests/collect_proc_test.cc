// The parsers of /proc: files of real hosts, and what is missing, cut or hostile.
#include <functional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect/diskstats.h"
#include "collect/loadavg.h"
#include "collect/meminfo.h"
#include "collect/net_dev.h"
#include "collect/pressure.h"
#include "collect/proc_stat.h"
#include "collect/swaps.h"
#include "collect/vmstat.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

using namespace std::string_literals;

TEST(ParseProcStat, Hosts) {
  struct Case {
    const char* host;
    uint32_t cpus;
    uint64_t boot_time_s, processes;
    uint64_t user, nice, softirq, steal, guest;
  };
  constexpr Case cases[] = {
      {"x86_64-vm-6.18", 2, 1795229390, 0, 152372, 0, 299, 176, 0},
      {"rpi4-6.6", 4, 1731915602, 1208834, 1532208, 4411, 31874, 0, 0},
      {"openwrt-mips-4.14", 1, 1569858061, 88731, 201944, 0, 612207, 0, 0},
      {"container-lxcfs", 1, 1754200131, 552119, 10422, 0, 0, 0, 0},
      {"server-2.6.32", 4, 1288512006, 31002294, 91448317, 16023, 903311, 0, 0},
      {"server-128cpu-6.1", 126, 1748800113, 88120344, 0, 0, 0, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const std::string text = HostTexts(c.host)["/proc/stat"];
    const Result<ProcStat> got = ParseProcStat(text);
    ASSERT_TRUE(got.ok()) << got.status().where;
    const ProcStat& stat = got.value();
    EXPECT_EQ(stat.cpus, c.cpus);
    EXPECT_EQ(stat.online.count(), c.cpus);
    EXPECT_EQ(stat.boot_time_s, c.boot_time_s);
    if (c.processes != 0) { EXPECT_EQ(stat.processes, c.processes); }
    if (c.user != 0) {
      EXPECT_EQ(stat.all[CpuColumn::kUser], c.user);
      EXPECT_EQ(stat.all[CpuColumn::kNice], c.nice);
      EXPECT_EQ(stat.all[CpuColumn::kSoftirq], c.softirq);
      EXPECT_EQ(stat.all[CpuColumn::kSteal], c.steal);
      EXPECT_EQ(stat.all[CpuColumn::kGuest], c.guest);
    }
    // The lines of the CPUs add up to the total.
    CpuTicks sum;
    for (size_t at = 0; (at = text.find("\ncpu", at)) != std::string::npos; ++at) {
      const Result<CpuLine> cpu =
          ParseCpuLine(std::string_view(text).substr(at + 1, text.find('\n', at + 1) - at - 1));
      ASSERT_TRUE(cpu.ok());
      EXPECT_FALSE(cpu.value().all);
      EXPECT_TRUE(stat.online[static_cast<size_t>(cpu.value().number)]);
      for (size_t i = 0; i < kCpuColumnCount; ++i) sum.column[i] += cpu.value().ticks.column[i];
    }
    for (size_t i = 0; i < kCpuColumnCount; ++i) {
      // The kernel rounds each line down on its own.
      EXPECT_NEAR(static_cast<double>(sum.column[i]), static_cast<double>(stat.all.column[i]),
                  c.cpus);
    }
  }
}

TEST(ParseProcStat, OfflineCpusLeaveGaps) {
  const Result<ProcStat> got = ParseProcStat(HostTexts("server-128cpu-6.1")["/proc/stat"]);
  ASSERT_TRUE(got.ok());
  EXPECT_TRUE(got.value().online[62]);
  EXPECT_FALSE(got.value().online[63]);
  EXPECT_TRUE(got.value().online[126]);
  EXPECT_FALSE(got.value().online[127]);
}

TEST(ParseProcStat, Cases) {
  const std::string cpus = "cpu  9 8 7 6\ncpu0 9 8 7 6\n";
  const std::string end = "btime 5\nprocesses 4\n";
  struct Case {
    const char* name;
    std::string text;
    Code code;
  };
  const Case cases[] = {
      {"the least there is", cpus + end, Code::kOk},
      {"more columns than known", "cpu 1 2 3 4 5 6 7 8 9 10 11 x\ncpu0 1 2 3 4\n" + end, Code::kOk},
      {"unknown lines", cpus + "intr 1 2 3\nctxt x\nzebra\n\n" + end, Code::kOk},
      {"a CPU beyond the table", cpus + "cpu4096 1 2 3 4\n" + end, Code::kOk},
      {"the largest number", "cpu  9223372036854775807 0 0 0\ncpu0 1 1 1 1\n" + end, Code::kOk},
      {"empty", "", Code::kInvalid},
      {"no total", "cpu0 9 8 7 6\n" + end, Code::kInvalid},
      {"no CPU", "cpu  9 8 7 6\n" + end, Code::kInvalid},
      {"no btime", cpus + "processes 4\n", Code::kInvalid},
      {"no processes", cpus + "btime 5\n", Code::kInvalid},
      {"cut in the last number wanted", cpus + "btime 5\nprocesses 4", Code::kInvalid},
      {"three columns", "cpu  9 8 7\ncpu0 9 8 7\n" + end, Code::kInvalid},
      {"negative", "cpu  9 8 7 6 -5\ncpu0 9 8 7 6\n" + end, Code::kInvalid},
      {"letters", "cpu  9 8 7 6 x\ncpu0 9 8 7 6\n" + end, Code::kInvalid},
      {"a number and letters", "cpu  9 8 7x 6\ncpu0 9 8 7 6\n" + end, Code::kInvalid},
      {"too large", "cpu  9223372036854775808 0 0 0\ncpu0 1 1 1 1\n" + end, Code::kInvalid},
      {"overlong", "cpu  " + std::string(5000, '9') + " 0 0 0\ncpu0 1 1 1 1\n" + end,
       Code::kInvalid},
      {"NUL in a number", "cpu  9 8\0 7 6\ncpu0 9 8 7 6\n"s + end, Code::kInvalid},
      {"no number of a CPU", "cpu  9 8 7 6\ncpux 9 8 7 6\n" + end, Code::kInvalid},
      {"huge number of a CPU", cpus + "cpu99999999999999999999 1 2 3 4\n" + end, Code::kInvalid},
      {"btime without a number", cpus + "btime\nprocesses 4\n", Code::kInvalid},
      {"bad btime", cpus + "btime x\nprocesses 4\n", Code::kInvalid},
      {"bad processes", cpus + "btime 5\nprocesses -1\n", Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<ProcStat> got = ParseProcStat(c.text);
    EXPECT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value().boot_time_s, 5u); }
  }
}

TEST(ParseCpuLine, MissingColumnsAreZero) {
  const Result<CpuLine> got = ParseCpuLine("cpu3 1 2 3 4 5 6 7");  // Linux 2.6.0.
  ASSERT_TRUE(got.ok());
  EXPECT_FALSE(got.value().all);
  EXPECT_EQ(got.value().number, 3u);
  EXPECT_EQ(got.value().ticks[CpuColumn::kSoftirq], 7u);
  EXPECT_EQ(got.value().ticks[CpuColumn::kSteal], 0u);
  EXPECT_EQ(got.value().ticks[CpuColumn::kGuestNice], 0u);
}

TEST(ParseLoadAverage, Cases) {
  struct Case {
    const char* name;
    std::string text;
    Code code;
    double one, five, fifteen;
  };
  const Case cases[] = {
      {"usual", "0.20 0.18 0.12 1/80 11206\n", Code::kOk, 0.20, 0.18, 0.12},
      {"busy", "1.12 0.98 103.75 3/311 20119\n", Code::kOk, 1.12, 0.98, 103.75},
      {"averages only", "1.00 2.00 3.00\n", Code::kOk, 1, 2, 3},
      {"cut behind the averages", "1.00 2.00 3.00", Code::kInvalid, 0, 0, 0},
      {"two averages", "1.00 2.00\n", Code::kInvalid, 0, 0, 0},
      {"negative", "-1.00 2.00 3.00\n", Code::kInvalid, 0, 0, 0},
      {"no decimals", "1 2 3\n", Code::kInvalid, 0, 0, 0},
      {"one decimal", "1.0 2.0 3.0\n", Code::kInvalid, 0, 0, 0},
      {"two points", "1.0.0 2.00 3.00\n", Code::kInvalid, 0, 0, 0},
      {"not a number", "nan inf 3.00\n", Code::kInvalid, 0, 0, 0},
      {"too large", "99999999999.00 2.00 3.00\n", Code::kInvalid, 0, 0, 0},
      {"NUL", "1.\0\0 2.00 3.00\n"s, Code::kInvalid, 0, 0, 0},
      {"empty", "", Code::kInvalid, 0, 0, 0},
      {"blank", "   \n", Code::kInvalid, 0, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<LoadAverage> got = ParseLoadAverage(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().one, c.one);  // The nearest double, as a literal is.
    EXPECT_EQ(got.value().five, c.five);
    EXPECT_EQ(got.value().fifteen, c.fifteen);
  }
}

TEST(ParseMemInfo, Hosts) {
  struct Case {
    const char* host;
    uint64_t total_kib, available_kib;  // 0: the kernel does not have it.
    uint64_t shmem_kib, slab_kib;
    uint64_t huge_pages, huge_page_kib;
  };
  constexpr Case cases[] = {
      {"x86_64-vm-6.18", 24684084, 1, 1, 1, 0, 2048},
      {"rpi4-6.6", 3882628, 3381280, 12996, 116348 + 52044, 0, 0},
      {"openwrt-mips-4.14", 59616, 33012, 308, 2032 + 7412, 0, 0},
      {"container-lxcfs", 524288, 486540, 140, 131072, 0, 2048},
      {"server-2.6.32", 8060804, 0, 12204, 540112 + 71892, 64, 2048},
      {"server-128cpu-6.1", 527988144, 399120344, 4120112, 15110224 + 3109920, 16384, 2048},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const Result<MemInfo> got = ParseMemInfo(HostTexts(c.host)["/proc/meminfo"]);
    ASSERT_TRUE(got.ok());
    const MemInfo& info = got.value();
    EXPECT_EQ(info[MemField::kTotal], c.total_kib * 1024);
    EXPECT_EQ(info.Has(MemField::kAvailable), c.available_kib != 0);
    if (c.available_kib > 1) {
      EXPECT_EQ(info[MemField::kAvailable], c.available_kib * 1024);
      EXPECT_EQ(info[MemField::kShmem], c.shmem_kib * 1024);
      EXPECT_EQ(info[MemField::kSReclaimable] + info[MemField::kSUnreclaim], c.slab_kib * 1024);
    }
    EXPECT_EQ(info[MemField::kHugePagesTotal], c.huge_pages);
    EXPECT_EQ(info[MemField::kHugePageSize], c.huge_page_kib * 1024);
    const MemStates split = SplitMemory(info);
    EXPECT_EQ(split.used + split.free + split.buffers + split.cached, c.total_kib * 1024);
  }
}

TEST(ParseMemInfo, Cases) {
  struct Case {
    const char* name;
    std::string text;
    Code code;
    uint64_t total_bytes;
  };
  const Case cases[] = {
      {"two fields", "MemTotal: 2 kB\nMemFree: 1 kB\n", Code::kOk, 2048},
      {"another order", "MemFree: 1 kB\nMemTotal: 2 kB\n", Code::kOk, 2048},
      {"no unit", "MemTotal: 2\nMemFree: 1\n", Code::kOk, 2},
      {"unknown keys may hold anything", "MemTotal: 2 kB\nMemFree: 1 kB\nNew: -x\nOdd\n", Code::kOk,
       2048},
      {"the largest", "MemTotal: 9007199254740991 kB\nMemFree: 1 kB\n", Code::kOk,
       9007199254740991u * 1024},
      {"a cut line is none", "MemTotal: 2 kB\nMemFree: 1 kB\nCached: 12", Code::kOk, 2048},
      {"no total", "MemFree: 1 kB\n", Code::kInvalid, 0},
      {"no free", "MemTotal: 2 kB\n", Code::kInvalid, 0},
      {"no memory at all", "MemTotal: 0 kB\nMemFree: 0 kB\n", Code::kInvalid, 0},
      {"cut in the total", "MemTotal: 2", Code::kInvalid, 0},
      {"too large", "MemTotal: 99999999999999999999 kB\nMemFree: 1 kB\n", Code::kInvalid, 0},
      {"too large in bytes", "MemTotal: 9007199254740992 kB\nMemFree: 1 kB\n", Code::kInvalid, 0},
      {"negative", "MemTotal: 2 kB\nMemFree: -1 kB\n", Code::kInvalid, 0},
      {"another unit", "MemTotal: 2 MB\nMemFree: 1 kB\n", Code::kInvalid, 0},
      {"no number", "MemTotal: kB\nMemFree: 1 kB\n", Code::kInvalid, 0},
      {"NUL", "MemTotal: 2\0 kB\nMemFree: 1 kB\n"s, Code::kInvalid, 0},
      {"empty", "", Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<MemInfo> got = ParseMemInfo(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value()[MemField::kTotal], c.total_bytes); }
  }
}

TEST(SplitMemory, SumsToTheTotal) {
  struct Case {
    const char* name;
    uint64_t total, free, buffers, cached, reclaimable;
    MemStates expected;
  };
  constexpr Case cases[] = {
      {"usual", 100, 10, 5, 20, 7, {.used = 58, .free = 10, .buffers = 5, .cached = 27}},
      {"all free", 100, 100, 0, 0, 0, {.used = 0, .free = 100, .buffers = 0, .cached = 0}},
      {"more cached than there is", 100, 60, 10, 90, 9,
       {.used = 0, .free = 60, .buffers = 10, .cached = 30}},
      {"more free than there is", 100, 160, 10, 90, 9,
       {.used = 0, .free = 100, .buffers = 0, .cached = 0}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    MemInfo info;
    info.Set(MemField::kTotal, c.total);
    info.Set(MemField::kFree, c.free);
    info.Set(MemField::kBuffers, c.buffers);
    info.Set(MemField::kCached, c.cached);
    info.Set(MemField::kSReclaimable, c.reclaimable);
    const MemStates got = SplitMemory(info);
    EXPECT_EQ(got.used, c.expected.used);
    EXPECT_EQ(got.free, c.expected.free);
    EXPECT_EQ(got.buffers, c.expected.buffers);
    EXPECT_EQ(got.cached, c.expected.cached);
  }
}

constexpr char kHeading[] = "Inter-|   Receive  |  Transmit\n face |bytes  |bytes\n";
constexpr char kCounters[] = " 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n";

TEST(ParseNetDev, Hosts) {
  struct Case {
    const char* host;
    const char* path;
    const char* exclude;
    size_t count;
    const char* last;
    Traffic receive, transmit;  // Of the last.
  };
  constexpr Case cases[] = {
      {"rpi4-6.6", "/proc/1/net/dev", "", 3, "wlan0", {}, {}},
      {"rpi4-6.6", "/proc/1/net/dev", "lo, wlan*", 1, "eth0",
       {5220193841, 8120033, 0, 17}, {813220041, 4021197, 0, 0}},
      {"openwrt-mips-4.14", "/proc/1/net/dev", "lo, veth*", 5, "wlan0",
       {1200344819, 6120331, 0, 0}, {2893442190, 8110284, 0, 3}},
      {"openwrt-mips-4.14", "/proc/1/net/dev", "wlan?", 5, "eth0.2",
       {311448820, 2921921, 0, 12}, {1650023331, 421994, 0, 0}},
      {"container-lxcfs", "/proc/net/dev", "", 2, "eth0",
       {19833120, 24410, 0, 0}, {2240193, 15113, 0, 0}},
      {"server-2.6.32", "/proc/net/dev", "eth1", 2, "eth0",
       {1180239911204, 1380112034, 2, 40112}, {2893110293381, 1620119228, 0, 0}},
      {"server-128cpu-6.1", "/proc/1/net/dev", "", 5, "enp65s0f0np0v12",
       {1820, 22, 0, 0}, {2010, 25, 0, 0}},
      {"x86_64-vm-6.18", "/proc/net/dev", "*", 0, "", {}, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const std::string text = HostTexts(c.host)[c.path];
    std::vector<Interface> table(16);
    const Result<NetDev> got = ParseNetDev(text, c.exclude, table);
    ASSERT_TRUE(got.ok()) << got.status().where;
    EXPECT_EQ(got.value().count, c.count);
    EXPECT_EQ(got.value().left_out, 0u);
    if (c.count == 0) continue;
    const Interface& last = table[c.count - 1];
    EXPECT_EQ(last.name, c.last);
    EXPECT_EQ(last.receive.bytes, c.receive.bytes);
    EXPECT_EQ(last.receive.packets, c.receive.packets);
    EXPECT_EQ(last.receive.errors, c.receive.errors);
    EXPECT_EQ(last.receive.dropped, c.receive.dropped);
    EXPECT_EQ(last.transmit.bytes, c.transmit.bytes);
    EXPECT_EQ(last.transmit.packets, c.transmit.packets);
    EXPECT_EQ(last.transmit.errors, c.transmit.errors);
    EXPECT_EQ(last.transmit.dropped, c.transmit.dropped);
  }
}

TEST(ParseNetDev, Cases) {
  const std::string heading = kHeading;
  const std::string counters = kCounters;
  struct Case {
    const char* name;
    std::string text;
    Code code;
    size_t count, left_out;
  };
  const Case cases[] = {
      {"no interface", heading, Code::kOk, 0, 0},
      {"one", heading + "eth0:" + counters, Code::kOk, 1, 0},
      {"no blank behind the colon", heading + "eth0:1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
       Code::kOk, 1, 0},
      {"an alias", heading + "eth0:1:" + counters, Code::kOk, 1, 0},
      {"more columns", heading + "eth0:" + counters.substr(0, counters.size() - 1) + " 17 x\n",
       Code::kOk, 1, 0},
      {"as many as fit, and one", heading + "a:" + counters + "b:" + counters + "c:" + counters +
       "d:" + counters, Code::kOk, 3, 1},
      {"fifteen bytes of name", heading + std::string(15, 'n') + ":" + counters, Code::kOk, 1, 0},
      {"a name that is not UTF-8", heading + "eth\xff:" + counters + "ok:" + counters, Code::kOk, 1,
       1},
      {"NUL in a name", heading + "e\0h:"s + counters, Code::kOk, 0, 1},
      {"excluded ones may hold anything", heading + "lo: x\n", Code::kOk, 0, 0},
      {"empty", "", Code::kInvalid, 0, 0},
      {"half a heading", "Inter-|\n", Code::kInvalid, 0, 0},
      {"another heading", "a\nb\n" + counters, Code::kInvalid, 0, 0},
      {"huge name", heading + std::string(60'000, 'n') + ":" + counters, Code::kInvalid, 0, 0},
      {"sixteen bytes of name", heading + std::string(16, 'n') + ":" + counters, Code::kInvalid, 0,
       0},
      {"no name", heading + "  :" + counters, Code::kInvalid, 0, 0},
      {"no colon", heading + "eth0" + counters, Code::kInvalid, 0, 0},
      {"fifteen columns", heading + "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15\n", Code::kInvalid,
       0, 0},
      {"negative", heading + "eth0: -4" + counters, Code::kInvalid, 0, 0},
      {"overlong number", heading + "eth0: " + std::string(400, '1') + counters, Code::kInvalid, 0,
       0},
      {"cut in the last number", heading + "eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 1",
       Code::kInvalid, 0, 0},
      {"cut in a name", heading + "a:" + counters + "  et", Code::kInvalid, 0, 0},
      {"one of two went below nothing", heading + "bond0: 18446744073709551615" + counters + "a:" + counters,
       Code::kOk, 1, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<Interface> table(3);
    const Result<NetDev> got = ParseNetDev(c.text, "lo", table);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().count, c.count);
    EXPECT_EQ(got.value().left_out, c.left_out);
    if (c.count != 0) {
      EXPECT_EQ(table[0].receive.dropped, 4u);
      EXPECT_EQ(table[0].transmit.errors, 11u);
    }
  }
}

TEST(ParseVmStat, Hosts) {
  struct Case {
    const char* host;
    VmStat stat;
  };
  constexpr Case cases[] = {
      {"rpi4-6.6", {244710931, 21874, 0, 0, 2210442, 41209934}},
      {"openwrt-mips-4.14", {31044827, 1933, 0, 0, 42930, 816}},
      {"container-lxcfs", {30112034482, 120331, 4011, 20334, 120334811, 902113344}},
      {"server-2.6.32", {55120339441, 301144, 1120, 4318, 902118834, 4410293322}},
      {"server-128cpu-6.1", {6120334811902, 8120331, 12044, 512203, 190233448112, 881203344190}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const Result<VmStat> got = ParseVmStat(HostTexts(c.host)["/proc/vmstat"]);
    ASSERT_TRUE(got.ok());
    EXPECT_EQ(got.value().pgfault, c.stat.pgfault);
    EXPECT_EQ(got.value().pgmajfault, c.stat.pgmajfault);
    EXPECT_EQ(got.value().pswpin, c.stat.pswpin);
    EXPECT_EQ(got.value().pswpout, c.stat.pswpout);
    EXPECT_EQ(got.value().pgpgin, c.stat.pgpgin);
    EXPECT_EQ(got.value().pgpgout, c.stat.pgpgout);
  }
}

TEST(ParseVmStat, Cases) {
  struct Case {
    const char* name;
    std::string text;
    Code code;
    std::optional<uint64_t> faults;
  };
  const Case cases[] = {
      {"usual", "nr_free_pages 1\npgfault 2\n", Code::kOk, 2},
      {"no counters of events", "nr_free_pages 1\n", Code::kOk, std::nullopt},
      {"unknown keys may hold anything", "nr_x -1\n\nodd\npgfault 2\n", Code::kOk, 2},
      {"another key that begins alike", "pgfault_x 3\npgfaul 4\n", Code::kOk, std::nullopt},
      {"empty", "", Code::kInvalid, {}},
      {"no number", "pgfault\n", Code::kInvalid, {}},
      {"negative", "pgfault -2\n", Code::kInvalid, {}},
      {"more than a number", "pgfault 2 3\n", Code::kInvalid, {}},
      {"too large", "pgfault 9223372036854775808\n", Code::kInvalid, {}},
      {"NUL", "pgfault 2\0\n"s, Code::kInvalid, {}},
      {"cut in a number", "nr_free_pages 1\npgfault 2", Code::kInvalid, {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<VmStat> got = ParseVmStat(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value().pgfault, c.faults); }
  }
}

TEST(ParseSwaps, Hosts) {
  struct Case {
    const char* host;
    size_t count;
    const char* last;
    uint64_t size_kib, used_kib;  // Of the last.
  };
  constexpr Case cases[] = {
      {"x86_64-vm-6.18", 0, "", 0, 0},
      {"rpi4-6.6", 1, "/var/swap", 102396, 0},
      {"openwrt-mips-4.14", 0, "", 0, 0},
      {"container-lxcfs", 1, "none", 262144, 1284},
      {"server-2.6.32", 1, "/dev/mapper/vg0-swap", 2097144, 15712},
      {"server-128cpu-6.1", 2, "/data/swap\\040file", 8388604, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const std::string text = HostTexts(c.host)["/proc/swaps"];
    std::vector<Swap> table(4);
    const Result<Swaps> got = ParseSwaps(text, table);
    ASSERT_TRUE(got.ok()) << got.status().where;
    EXPECT_EQ(got.value().left_out, 0u);
    ASSERT_EQ(got.value().count, c.count);
    if (c.count == 0) continue;
    EXPECT_EQ(table[c.count - 1].name, c.last);
    EXPECT_EQ(table[c.count - 1].size_bytes, c.size_kib * 1024);
    EXPECT_EQ(table[c.count - 1].used_bytes, c.used_kib * 1024);
  }
}

TEST(ParseSwaps, Cases) {
  const std::string heading = "Filename\t\tType\tSize\tUsed\tPriority\n";
  struct Case {
    const char* name;
    std::string text;
    Code code;
    size_t count, left_out;
    uint64_t used_bytes = 0;  // Of the first.
  };
  const Case cases[] = {
      {"none", heading, Code::kOk, 0, 0},
      {"one", heading + "/dev/a partition 8 2 -2\n", Code::kOk, 1, 0, 2048},
      {"no priority", heading + "/dev/a partition 8 2\n", Code::kOk, 1, 0, 2048},
      {"more used than there is", heading + "/dev/a partition 8 9 -2\n", Code::kOk, 1, 0, 8192},
      {"as many as fit, and one", heading + "a f 1 0 0\nb f 1 0 0\nc f 1 0 0\n", Code::kOk, 2, 1},
      {"a name that is not UTF-8", heading + "/\xff f 1 0 0\nb f 1 1 0\n", Code::kOk, 1, 1, 1024},
      {"the largest", heading + "a f 9007199254740991 1 0\n", Code::kOk, 1, 0, 1024},
      {"too large in bytes", heading + "a f 9007199254740992 0 0\n", Code::kInvalid, 0, 0},
      {"empty", "", Code::kInvalid, 0, 0},
      {"another heading", "Name\n", Code::kInvalid, 0, 0},
      {"heading cut", heading.substr(0, 20), Code::kInvalid, 0, 0},
      {"three columns", heading + "/dev/a partition 8\n", Code::kInvalid, 0, 0},
      {"a blank line", heading + "\n", Code::kInvalid, 0, 0},
      {"negative", heading + "/dev/a partition 8 -2 -2\n", Code::kInvalid, 0, 0},
      {"cut in a number", heading + "/dev/a partition 8 2", Code::kInvalid, 0, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<Swap> table(2);
    const Result<Swaps> got = ParseSwaps(c.text, table);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().count, c.count);
    EXPECT_EQ(got.value().left_out, c.left_out);
    if (c.count != 0) { EXPECT_EQ(table[0].used_bytes, c.used_bytes); }
  }
}

TEST(ParseDiskStats, Hosts) {
  struct Case {
    const char* host;
    const char* exclude;
    size_t count;
    const char* last;
    DiskTraffic read, write;  // Of the last: operations, merged, bytes, ms.
    uint64_t pending, busy_ms, weighted_ms;
  };
  constexpr Case cases[] = {
      {"x86_64-vm-6.18", "loop*, ram*, zram*", 1, "vda", {}, {}, 0, 0, 0},
      {"rpi4-6.6", "loop*, ram*, zram*", 3, "mmcblk0p2",
       {60722, 20928, 4396610 * 512ull, 893820}, {1203439, 2204118, 82419865 * 512ull, 40120328},
       0, 8119011, 41014148},
      {"openwrt-mips-4.14", "loop*", 6, "mtdblock5", {2, 0, 8192, 8}, {0, 0, 0, 0}, 0, 8, 8},
      {"container-lxcfs", "", 1, "sda", {20114, 0, 1120334 * 512ull, 4011},
       {30334, 0, 902113 * 512ull, 12033}, 0, 12040, 16044},
      {"server-2.6.32", "loop*, ram*", 6, "dm-1", {140, 0, 1120 * 512, 902},
       {540, 0, 4318 * 512, 20331}, 0, 1120, 21233},
      {"server-2.6.32", "loop*, ram*, cciss/*, sr?", 2, "dm-1", {140, 0, 1120 * 512, 902},
       {540, 0, 4318 * 512, 20331}, 0, 1120, 21233},
      {"server-128cpu-6.1", "dm-*", 6, "sda", {120334, 2011, 9120334 * 512ull, 801203},
       {20334, 9012, 4011203 * 512ull, 120334}, 1, 402113, 921537},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    const std::string text = HostTexts(c.host)["/proc/diskstats"];
    std::vector<Disk> table(16);
    const Result<DiskStats> got = ParseDiskStats(text, c.exclude, table);
    ASSERT_TRUE(got.ok()) << got.status().where;
    EXPECT_EQ(got.value().left_out, 0u);
    ASSERT_EQ(got.value().count, c.count);
    const Disk& last = table[c.count - 1];
    EXPECT_EQ(last.name, c.last);
    if (c.busy_ms == 0) continue;
    EXPECT_EQ(last.read.operations, c.read.operations);
    EXPECT_EQ(last.read.merged, c.read.merged);
    EXPECT_EQ(last.read.bytes, c.read.bytes);
    EXPECT_EQ(last.read.time_ms, c.read.time_ms);
    EXPECT_EQ(last.write.operations, c.write.operations);
    EXPECT_EQ(last.write.merged, c.write.merged);
    EXPECT_EQ(last.write.bytes, c.write.bytes);
    EXPECT_EQ(last.write.time_ms, c.write.time_ms);
    EXPECT_EQ(last.pending, c.pending);
    EXPECT_EQ(last.busy_ms, c.busy_ms);
    EXPECT_EQ(last.weighted_busy_ms, c.weighted_ms);
  }
}

TEST(ParseDiskStats, Cases) {
  const std::string counters = " 1 2 3 4 5 6 7 8 9 10 11\n";
  struct Case {
    const char* name;
    std::string text;
    Code code;
    size_t count, left_out;
  };
  const Case cases[] = {
      {"none", "", Code::kOk, 0, 0},
      {"one", "   8       0 sda" + counters, Code::kOk, 1, 0},
      {"more columns", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n", Code::kOk, 1, 0},
      {"columns to come may hold anything", "8 0 sda 1 2 3 4 5 6 7 8 9 10 11 x\n", Code::kOk, 1, 0},
      {"a partition of an old kernel", "8 0 sda" + counters + "8 1 sda1 1 2 3 4\n", Code::kOk, 1, 0},
      {"excluded ones may hold anything", "7 0 loop0 x\n8 0 sda" + counters, Code::kOk, 1, 0},
      {"as many as fit, and one", "8 0 a" + counters + "8 1 b" + counters + "8 2 c" + counters,
       Code::kOk, 2, 1},
      {"a name that is not UTF-8", "8 0 s\xff" + counters + "8 1 b" + counters, Code::kOk, 1, 1},
      {"the largest", "8 0 sda 1 2 18014398509481983 4 5 6 7 8 9 10 11\n", Code::kOk, 1, 0},
      {"too large in bytes", "8 0 sda 1 2 3 4 5 6 18014398509481984 8 9 10 11\n", Code::kInvalid, 0,
       0},
      {"no name", "8 0\n", Code::kInvalid, 0, 0},
      {"a blank line", "\n", Code::kInvalid, 0, 0},
      {"no device number", "sda" + counters, Code::kInvalid, 0, 0},
      {"no counters", "8 0 sda\n", Code::kInvalid, 0, 0},
      {"ten columns", "8 0 sda 1 2 3 4 5 6 7 8 9 10\n", Code::kInvalid, 0, 0},
      {"negative", "8 0 sda 1 2 3 4 5 6 7 8 -9 10 11\n", Code::kInvalid, 0, 0},
      {"letters in the fifth", "8 0 sda 1 2 3 4 x 6 7 8 9 10 11\n", Code::kInvalid, 0, 0},
      {"too large", "8 0 sda 9223372036854775808 2 3 4 5 6 7 8 9 10 11\n", Code::kInvalid, 0, 0},
      {"cut in the last number", "8 0 sda 1 2 3 4 5 6 7 8 9 10 1", Code::kInvalid, 0, 0},
      {"one of two went below nothing", "8 0 a 18446744073709551615 2 3 4 5 6 7 8 9 10 11\n8 1 b" + counters,
       Code::kOk, 1, 1},
      {"one of two is too large in bytes", "8 0 a 1 2 3 4 5 6 18014398509481984 8 9 10 11\n8 1 b" + counters,
       Code::kOk, 1, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::vector<Disk> table(2);
    const Result<DiskStats> got = ParseDiskStats(c.text, "loop*", table);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().count, c.count);
    EXPECT_EQ(got.value().left_out, c.left_out);
    if (c.count != 0) { EXPECT_EQ(table[0].weighted_busy_ms, 11u); }
  }
}

TEST(ParseDiskSize, Cases) {
  struct Case {
    const char* text;
    Code code;
    uint64_t bytes;
  };
  constexpr Case cases[] = {
      {"62333952\n", Code::kOk, 31914983424},
      {"0\n", Code::kOk, 0},
      {"18014398509481983\n", Code::kOk, 18014398509481983u * 512},
      {"18014398509481984\n", Code::kInvalid, 0},
      {"-1\n", Code::kInvalid, 0},
      {"1 2\n", Code::kInvalid, 0},
      {"\n", Code::kInvalid, 0},
      {"", Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<uint64_t> got = ParseDiskSize(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value(), c.bytes); }
  }
}

TEST(ParsePressure, Cases) {
  const std::string some = "some avg10=0.18 avg60=12.00 avg300=100.00 total=4120334481\n";
  const std::string full = "full avg10=0.01 avg60=0.00 avg300=0.00 total=7\n";
  struct Case {
    const char* name;
    std::string text;
    Code code;
    uint64_t full_us;
  };
  const Case cases[] = {
      {"both", some + full, Code::kOk, 7},
      {"the CPU before Linux 5.13", some, Code::kOk, 0},
      {"more on a line", some.substr(0, some.size() - 1) + " avg900=x\n", Code::kOk, 0},
      {"another line", some + "most x\n" + full, Code::kOk, 7},
      {"empty", "", Code::kInvalid, 0},
      {"full alone", full, Code::kInvalid, 0},
      {"no total", "some avg10=0.18 avg60=12.00 avg300=100.00\n", Code::kInvalid, 0},
      {"no average", "some avg10=0.18 avg60=12.00 total=1\n", Code::kInvalid, 0},
      {"one decimal", "some avg10=0.1 avg60=0.00 avg300=0.00 total=1\n", Code::kInvalid, 0},
      {"not a number", "some avg10=nan avg60=0.00 avg300=0.00 total=1\n", Code::kInvalid, 0},
      {"negative", "some avg10=0.18 avg60=0.00 avg300=0.00 total=-1\n", Code::kInvalid, 0},
      {"bad full", some + "full avg10=0.18\n", Code::kInvalid, 0},
      {"NUL", "some avg10=0.1\0 avg60=0.00 avg300=0.00 total=1\n"s, Code::kInvalid, 0},
      {"cut in the total", some + full.substr(0, full.size() - 1), Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<Pressure> got = ParsePressure(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().some.average[0], 0.0018);  // The nearest double, as a literal is.
    EXPECT_EQ(got.value().some.average[1], 0.12);
    EXPECT_EQ(got.value().some.average[2], 1);
    EXPECT_EQ(got.value().some.total_us, 4120334481u);
    EXPECT_EQ(got.value().full.total_us, c.full_us);
  }
}

TEST(ParsePressure, Hosts) {
  struct Case {
    const char* host;
    uint64_t cpu_us, memory_us, io_us;  // Of the line some.
  };
  constexpr Case cases[] = {
      {"rpi4-6.6", 4120334481, 120334, 9120334811},
      {"container-lxcfs", 20334481, 0, 812033},
      {"server-128cpu-6.1", 812033448112, 40120334, 2011203344},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    std::map<std::string, std::string> texts = HostTexts(c.host);
    EXPECT_EQ(ParsePressure(texts["/proc/pressure/cpu"]).value().some.total_us, c.cpu_us);
    EXPECT_EQ(ParsePressure(texts["/proc/pressure/memory"]).value().some.total_us, c.memory_us);
    EXPECT_EQ(ParsePressure(texts["/proc/pressure/io"]).value().some.total_us, c.io_us);
  }
  for (const char* path : {"/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"}) {
    EXPECT_TRUE(ParsePressure(HostTexts("x86_64-vm-6.18")[path]).ok());
  }
}

struct Parser {
  const char* path;
  const char* last_wanted;  // How the last line begins that must be there; nullptr: none.
  bool lines_may_end;       // A cut between lines cannot be told from a shorter file.
  std::function<bool(std::string_view)> parse;
};

const Parser kParsers[] = {
    {"/proc/stat", "processes ", false, [](auto text) { return ParseProcStat(text).ok(); }},
    {"/proc/loadavg", "", false, [](auto text) { return ParseLoadAverage(text).ok(); }},
    {"/proc/meminfo", "MemFree:", false, [](auto text) { return ParseMemInfo(text).ok(); }},
    {"/proc/1/net/dev", " face", true,
     [](auto text) {
       std::vector<Interface> table(8);
       return ParseNetDev(text, "lo", table).ok();
     }},
    {"/proc/vmstat", "nr_free_pages", true, [](auto text) { return ParseVmStat(text).ok(); }},
    {"/proc/swaps", "Filename", true,
     [](auto text) {
       std::vector<Swap> table(8);
       return ParseSwaps(text, table).ok();
     }},
    {"/proc/diskstats", nullptr, true,
     [](auto text) {
       std::vector<Disk> table(8);
       return ParseDiskStats(text, "ram*", table).ok();
     }},
    {"/proc/pressure/io", "some", true, [](auto text) { return ParsePressure(text).ok(); }},
};

/// A copy in memory of exactly its size, so that a sanitizer sees each step past it.
bool ParseCopy(const Parser& parser, std::string_view text) {
  const std::vector<char> copy(text.begin(), text.end());
  return parser.parse({copy.data(), copy.size()});
}

TEST(Parsers, CutAnywhere) {
  for (const char* host : {"rpi4-6.6", "openwrt-mips-4.14"}) {
    for (const Parser& parser : kParsers) {
      SCOPED_TRACE(parser.path);
      std::map<std::string, std::string> texts = HostTexts(host);
      if (!texts.contains(parser.path)) continue;  // Its kernel has none.
      const std::string text = texts[parser.path];
      ASSERT_TRUE(ParseCopy(parser, text));
      const size_t needed = parser.last_wanted == nullptr
                                ? 0
                                : text.find('\n', text.find(parser.last_wanted)) + 1;
      for (size_t size = 0; size < text.size(); ++size) {
        const bool ok = ParseCopy(parser, std::string_view(text).substr(0, size));
        if (size < needed) { EXPECT_FALSE(ok) << size; }
        if (size >= needed && parser.lines_may_end) {
          EXPECT_EQ(ok, size == 0 || text[size - 1] == '\n') << size;
        }
      }
    }
  }
}

TEST(Parsers, AnyByteChanged) {
  std::mt19937 random(20240607);
  const std::string hostile("\0\n\t :-9x\x80\xff|", 11);
  for (const Parser& parser : kParsers) {
    SCOPED_TRACE(parser.path);
    const std::string text = HostTexts("rpi4-6.6")[parser.path];
    for (int round = 0; round < 3000; ++round) {
      std::string changed = text;
      for (int changes = 1 + round % 4; changes > 0; --changes) {
        changed[random() % changed.size()] = hostile[random() % hostile.size()];
      }
      ParseCopy(parser, changed);  // Any verdict is right: only that it comes back counts.
    }
  }
}

}  // namespace
}  // namespace limpet
