// Sockets and processes: their parsers, and the groups that count them, over the files of real hosts.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect/line_reader.h"
#include "collect/net_sockets.h"
#include "collect/proc_pid.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

class ProcessesTest : public testing::Test {
 protected:
  HostCollector Make(HostOptions options) {
    return HostCollector(options, files_, clock_, log_, buffer_);
  }

  sim::SimFiles files_;
  sim::SimClock clock_;
  sim::SimLog log_;
  std::vector<char> buffer_ = std::vector<char>(kProcFileBytes);
};

// ---- Lines -------------------------------------------------------------------------------------------

TEST(LineReader, LinesOfAnyFileInAnyBuffer) {
  struct Case {
    const char* name;
    std::string text;
    std::vector<std::string> lines;
    std::string rest;
  };
  const Case cases[] = {
      {"empty", "", {}, ""},
      {"one", "a\n", {"a"}, ""},
      {"empty lines", "\n\nb\n", {"", "", "b"}, ""},
      {"cut", "abc\nde", {"abc"}, "de"},
      {"no newline", "abcdefg", {}, "abcdefg"},
      {"long", "0123456\n89\n0123456\n", {"0123456", "89", "0123456"}, ""},
  };
  for (const Case& c : cases) {
    for (const size_t size : {8u, 9u, 13u, 100u}) {
      SCOPED_TRACE(c.name + std::string(" ") + std::to_string(size));
      sim::SimFiles files;
      files.contents["/f"] = c.text;
      const int file = files.Open("/f").value();
      std::vector<char> buffer(size);
      LineReader reader(files, file, buffer);
      std::vector<std::string> lines;
      for (std::string_view line; reader.Next(line);) lines.emplace_back(line);
      EXPECT_EQ(lines, c.lines);
      EXPECT_EQ(reader.rest(), c.rest);
      EXPECT_TRUE(reader.status().ok());
    }
  }
}

TEST(LineReader, ALineThatIsTooLongAndAFileThatFails) {
  sim::SimFiles files;
  files.contents["/f"] = "ab\n01234567\n";
  const int file = files.Open("/f").value();
  std::vector<char> buffer(8);
  LineReader reader(files, file, buffer);
  std::string_view line;
  EXPECT_TRUE(reader.Next(line));
  EXPECT_FALSE(reader.Next(line));
  EXPECT_EQ(reader.status().code, Code::kFull);
  files.failing["/f"] = Code::kIo;
  LineReader failing(files, file, buffer);
  EXPECT_FALSE(failing.Next(line));
  EXPECT_EQ(failing.status().code, Code::kIo);
}

// ---- Sockets -----------------------------------------------------------------------------------------

TEST(ParseSocketState, Cases) {
  struct Case {
    const char* name;
    const char* line;
    size_t state;  // 0: kInvalid.
  };
  constexpr Case cases[] = {
      {"listening", "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000", 10},
      {"version 6", "   1: 00000000000000000000000001000000:0016 "
                    "00000000000000000000000000000000:0000 01 00000000:00000000", 1},
      {"large number", "12345: 0100007F:1F90 0100007F:0001 06", 6},
      {"a request", "   0: 0100007F:1F90 0100007F:0001 0C", 3},
      {"lower case", "   0: 0100007F:1F90 0100007F:0001 0b", 11},
      {"no state 0", "   0: 0100007F:1F90 0100007F:0001 00", 0},
      {"no state 13", "   0: 0100007F:1F90 0100007F:0001 0D", 0},
      {"no state 255", "   0: 0100007F:1F90 0100007F:0001 FF", 0},
      {"one digit", "   0: 0100007F:1F90 0100007F:0001 1", 0},
      {"three digits", "   0: 0100007F:1F90 0100007F:0001 001", 0},
      {"no digits", "   0: 0100007F:1F90 0100007F:0001 zz", 0},
      {"negative", "   0: 0100007F:1F90 0100007F:0001 -1", 0},
      {"cut before the state", "   0: 0100007F:1F90 0100007F:0001", 0},
      {"no port", "   0: 0100007F 0100007F:0001 01", 0},
      {"no number", "0100007F:1F90 0100007F:0001 01", 0},
      {"empty", "", 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<size_t> state = ParseSocketState(c.line);
    ASSERT_EQ(state.status().code, c.state == 0 ? Code::kInvalid : Code::kOk);
    if (state.ok()) { EXPECT_EQ(state.value(), c.state); }
  }
}

std::string Tcp(std::string_view state) {
  return "network.transport=tcp,network.connection.state=" + std::string(state);
}
constexpr const char* kUdp = "network.transport=udp";
constexpr const char* kConnections = "system.network.connection.count";

TEST_F(ProcessesTest, ConnectionsOfHosts) {
  struct Case {
    const char* host;
    std::map<std::string, double> tcp;  // What is not 0.
    double udp;
  };
  const Case cases[] = {
      {"rpi4-6.6",
       {{"listen", 3}, {"established", 3}, {"close_wait", 1}, {"fin_wait_2", 1}, {"time_wait", 2}}, 4},
      {"openwrt-mips-4.14", {{"listen", 3}, {"established", 1}, {"syn_sent", 1}}, 2},
      {"x86_64-vm-6.18", {{"listen", 1}, {"established", 1}, {"last_ack", 1}}, 0},
      {"server-2.6.32", {{"listen", 1}, {"closing", 1}}, 1},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    files_ = HostFiles(c.host, "/host");
    HostCollector collector = Make({.groups = Bit(HostGroup::kConnections), .root = "/host"});
    for (int cycle = 0; cycle < 2; ++cycle) {
      SeenPoints sink;
      const CollectResult result = collector.Collect(sink);
      EXPECT_EQ(result.failed, 0u);
      EXPECT_EQ(result.points, 12u);
      EXPECT_EQ(sink.Value(kConnections, kUdp), c.udp);
      for (const SeenPoint& point : sink.points) {
        EXPECT_EQ(point.name, kConnections);
        EXPECT_EQ(point.unit, "{connection}");
        EXPECT_EQ(point.instrument, Instrument::kUpDownCounter);
        EXPECT_TRUE(point.is_int);
      }
      for (const char* state : {"closed", "close_wait", "closing", "established", "fin_wait_1", "fin_wait_2",
                                "last_ack", "listen", "syn_received", "syn_sent", "time_wait"}) {
        SCOPED_TRACE(state);
        const auto it = c.tcp.find(state);
        EXPECT_EQ(sink.Value(kConnections, Tcp(state)), it == c.tcp.end() ? 0 : it->second);
      }
    }
  }
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ProcessesTest, ManyConnectionsPassThroughTheBuffer) {
  files_ = HostFiles("x86_64-vm-6.18", "");
  std::string& tcp = files_.contents["/proc/net/tcp"];
  tcp.resize(tcp.find('\n') + 1);
  for (int i = 0; i < 20'000; ++i) {
    char line[160];
    std::snprintf(line, sizeof line, "%4d: 0100007F:1F90 0100007F:%04X %02X 00000000:00000000 02:000AF1B4 "
                  "00000000 %5d        0 %d 1 0000000000000000 20 4 30 10 -1", i, i, i % 11 + 1, i % 7, i);
    tcp += line;
    tcp.append(149 - std::min<size_t>(149, std::string_view(line).size()), ' ');
    tcp += '\n';
  }
  ASSERT_GT(tcp.size(), 40 * kProcFileBytes);
  HostCollector collector = Make({.groups = Bit(HostGroup::kConnections)});
  SeenPoints sink;
  EXPECT_EQ(collector.Collect(sink).failed, 0u);
  EXPECT_EQ(sink.Value(kConnections, Tcp("established")), 1819);
  EXPECT_EQ(sink.Value(kConnections, Tcp("closing")), 1818);
}

TEST_F(ProcessesTest, ConnectionsThatCannotBeRead) {
  struct Case {
    const char* name;
    std::map<std::string, std::string> changes;  // "-": there is no such file.
    size_t points;
    const char* said;
  };
  const std::string heading = HostTexts("rpi4-6.6").at("/proc/1/net/tcp").substr(0, 150);
  const std::string line = "   0: 0100007F:1F90 00000000:0000 0A ";
  const Case cases[] = {
      {"no version 6", {{"/proc/1/net/tcp6", "-"}, {"/proc/1/net/udp6", "-"}}, 12, ""},
      {"nothing at all", {{"/proc/1/net/tcp6", "-"}, {"/proc/1/net/udp6", "-"},
                          {"/proc/1/net/tcp", "-"}, {"/proc/1/net/udp", "-"}}, 0, "info a group"},
      {"our own where the first process has none",
       {{"/proc/1/net/tcp", "-"}, {"/proc/net/tcp", heading}}, 12, ""},
      {"empty", {{"/proc/1/net/tcp", ""}}, 12, ""},
      {"another heading",
       {{"/proc/1/net/tcp", "Inter-| Receive\n"}}, 0, "where=net: heading of the sockets error=invalid"},
      {"cut line", {{"/proc/1/net/tcp", heading + line + "\n" + line}}, 0, "where=net: last line is cut"},
      {"cut heading", {{"/proc/1/net/udp", heading.substr(0, 100)}}, 0, "where=net: last line is cut"},
      {"hostile",
       {{"/proc/1/net/udp6", heading + std::string("\0\xff\x80 :::: \n", 10)}}, 0,
       "where=net: number of a socket"},
      {"huge line",
       {{"/proc/1/net/tcp6", heading + std::string(100'000, '7') + "\n"}}, 0, "error=full"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    files_ = HostFiles("rpi4-6.6", "/host");
    log_.lines.clear();
    HostCollector collector = Make({.groups = Bit(HostGroup::kConnections), .root = "/host"});
    const auto healthy = files_.contents;
    for (const auto& [path, text] : c.changes) {
      if (text == "-") files_.contents.erase("/host" + path);
      else files_.contents["/host" + path] = text;
    }
    for (int cycle = 0; cycle < 3; ++cycle) {
      SeenPoints sink;
      EXPECT_EQ(collector.Collect(sink).points, c.points);
    }
    EXPECT_EQ(log_.lines.size(), *c.said == '\0' ? 0u : 1u);
    EXPECT_EQ(log_.Count(c.said), log_.lines.size());
    for (const auto& [path, text] : healthy) files_.contents[path] = text;
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).points, 12u);
    EXPECT_EQ(log_.Count("can be read again"), *c.said == '\0' ? 0u : 1u);
  }
  EXPECT_EQ(files_.open_files(), 0u);
}

// ---- Files of a process ------------------------------------------------------------------------------

TEST(ParsePidStat, Cases) {
  const std::string rest =
      " 1 2 3 0 -1 4194560 10 0 12 0 14 15 0 0 20 -5 4 0 22 4096 1 18446744073709551615 1\n";
  struct Case {
    const char* name;
    std::string text;
    const char* process;  // Empty: kInvalid.
  };
  const Case cases[] = {
      {"plain", "4321 (sh) S" + rest, "sh"},
      {"blanks and parentheses", "1 (a) S (b) 1) R" + rest, "a) S (b) 1"},
      {"newline in the name", "1 (a\nb) S" + rest, "a\nb"},
      {"no bytes", "1 () S" + rest, "-"},
      {"not UTF-8", "1 (\xff\x80) S" + rest, "\xff\x80"},
      {"a kernel thread's long name", "9 (kworker/u8:2-events_unbound) I" + rest,
       "kworker/u8:2-events_unbound"},
      {"nothing behind the field", "1 (a) S 1 2 3 0 -1 5 10 0 12 0 14 15 0 0 20 0 4 0 22", ""},
      {"cut", "1 (a) S 1 2 3 0 -1 5 10 0 12 0 14", ""},
      {"no state", "1 (a) ", ""},
      {"a word as state", "1 (a) SS" + rest, ""},
      {"no name", "1 a S" + rest, ""},
      {"parentheses the wrong way round", "1 )a( S" + rest, ""},
      {"negative time", "1 (a) S 1 2 3 0 -1 5 10 0 12 0 -14 15 0 0 20 0 4 0 22 1\n", ""},
      {"too large", "1 (a) S 1 2 3 0 -1 5 10 0 12 0 14 15 0 0 20 0 4 0 9223372036854775808 1\n", ""},
      {"empty", "", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<PidStat> got = ParsePidStat(c.text);
    ASSERT_EQ(got.status().code, *c.process == '\0' ? Code::kInvalid : Code::kOk);
    if (!got.ok()) continue;
    const PidStat& stat = got.value();
    EXPECT_EQ(stat.name, c.process == std::string("-") ? "" : c.process);
    EXPECT_EQ(stat.parent, 1u);
    EXPECT_EQ(stat.minor_faults, 10u);
    EXPECT_EQ(stat.major_faults, 12u);
    EXPECT_EQ(stat.user_ticks, 14u);
    EXPECT_EQ(stat.system_ticks, 15u);
    EXPECT_EQ(stat.threads, 4u);
    EXPECT_EQ(stat.start_ticks, 22u);
  }
}

TEST(ParsePidStatus, Cases) {
  const PidStatus whole = ParsePidStatus("Name:\tVmRSS: 7 kB\nUid:\t1000\t33\t1\t2\nVmSize:\t    2048 kB\n"
                                         "VmRSSx:\t9 kB\nVmRSS:\t      12 kB\nvoluntary_ctxt_switches:\t5\n"
                                         "nonvoluntary_ctxt_switches:\t6\n").value();
  EXPECT_EQ(whole.user, 33u);
  EXPECT_EQ(whole.virtual_bytes, 2048u * 1024);
  EXPECT_EQ(whole.resident_bytes, 12u * 1024);
  EXPECT_EQ(whole.voluntary, 5u);
  EXPECT_EQ(whole.involuntary, 6u);
  const PidStatus none = ParsePidStatus("Name:\tkthreadd\nState:\tS (sleeping)\n").value();
  EXPECT_FALSE(none.user || none.virtual_bytes || none.resident_bytes || none.voluntary || none.involuntary);
  for (const char* bad : {"VmRSS:\t 12 kB", "VmRSS:\tx kB\n", "VmRSS:\n", "VmRSS:\t18014398509481984 kB\n",
                          "Uid:\t1\n", "Uid:\t1\t-1\n", "voluntary_ctxt_switches:\t-5\n"}) {
    SCOPED_TRACE(bad);
    EXPECT_EQ(ParsePidStatus(bad).status().code, Code::kInvalid);
  }
}

TEST(ParsePidIo, Cases) {
  const std::string text = "rchar: 1\nwchar: 2\nsyscr: 3\nsyscw: 4\nread_bytes: 5\nwrite_bytes: 6\n"
                           "cancelled_write_bytes: 7\n";
  const PidIo io = ParsePidIo(text).value();
  EXPECT_EQ(io.reads, 3u);
  EXPECT_EQ(io.writes, 4u);
  EXPECT_EQ(io.read_bytes, 5u);
  EXPECT_EQ(io.written_bytes, 6u);
  for (size_t size = 0; size < text.size(); ++size) {
    const bool whole_lines = text[size - (size > 0 ? 1 : 0)] == '\n';
    const bool all_four = size >= text.find("cancelled");
    EXPECT_EQ(ParsePidIo(std::string_view(text).substr(0, size)).ok(), whole_lines && all_four) << size;
  }
  EXPECT_EQ(ParsePidIo("syscr: 3\nsyscw: x\nread_bytes: 5\nwrite_bytes: 6\n").status().code, Code::kInvalid);
}

TEST(ParsePidCgroup, Cases) {
  struct Case {
    const char* text;
    const char* line;
  };
  constexpr Case cases[] = {
      {"0::/system.slice/nginx.service\n", "0::/system.slice/nginx.service"},
      {"0::/\n", "0::/"},
      {"12:pids:/\n1:name=systemd:/system.slice/x.service\n0::/system.slice/x.service\n",
       "0::/system.slice/x.service"},
      {"12:pids:/\n1:name=systemd:/system.slice/x.service\n0::/\n",
       "1:name=systemd:/system.slice/x.service"},
      {"4:memory:/a\n2:cpu:/\n", "4:memory:/a"},
      {"0::/cut", ""},
      {"", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(ParsePidCgroup(c.text), c.line) << c.text;
}

TEST(ParseUser, Cases) {
  EXPECT_EQ(ParseUser("www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin", 33), "www-data");
  EXPECT_EQ(ParseUser("a:x:33", 33), "a");
  for (const char* other : {"a:x:34:33", "a:x:33x:1", "a:33", "", "::33:", "a:x:-33:", "+::::::"}) {
    SCOPED_TRACE(other);
    EXPECT_FALSE(ParseUser(other, 33));
  }
}

// ---- Processes ---------------------------------------------------------------------------------------

TEST(StateOfLetter, EachIsOneOfFour) {
  for (const char letter : {'S', 'D', 'I', 'K', 'W', 'P', '?'}) {
    EXPECT_EQ(StateOfLetter(letter), ProcessState::kSleeping) << letter;
  }
  for (const char letter : {'T', 't'}) EXPECT_EQ(StateOfLetter(letter), ProcessState::kStopped);
  for (const char letter : {'Z', 'X', 'x'}) EXPECT_EQ(StateOfLetter(letter), ProcessState::kDefunct);
  EXPECT_EQ(StateOfLetter('R'), ProcessState::kRunning);
}

TEST_F(ProcessesTest, ProcessesOfHosts) {
  struct Case {
    const char* host;
    double running, sleeping, stopped, defunct, created, limit;
  };
  constexpr Case cases[] = {
      {"rpi4-6.6", 1, 6, 1, 1, 1208834, 27724},
      {"openwrt-mips-4.14", 0, 2, 0, 0, 88731, 958},
      {"server-2.6.32", 0, 2, 0, 0, 31002294, 32768},
  };
  using enum Instrument;
  const std::vector<Convention> conventions = {
      {"system.process.count", kUpDownCounter, true, "{process}", {"process.state"}},
      {"system.process.created", kCounter, true, "{process}", {}},
      {"system.process.limit", kUpDownCounter, true, "{thread}", {}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.host);
    files_ = HostFiles(c.host, "/host");
    HostCollector collector = Make({.groups = Bit(HostGroup::kProcesses), .root = "/host"});
    for (int cycle = 0; cycle < 2; ++cycle) {
      SeenPoints sink;
      EXPECT_EQ(collector.Collect(sink).points, 6u);
      ExpectConventions(sink.points, conventions);
      EXPECT_EQ(sink.Value("system.process.count", "process.state=running"), c.running);
      EXPECT_EQ(sink.Value("system.process.count", "process.state=sleeping"), c.sleeping);
      EXPECT_EQ(sink.Value("system.process.count", "process.state=stopped"), c.stopped);
      EXPECT_EQ(sink.Value("system.process.count", "process.state=defunct"), c.defunct);
      EXPECT_EQ(sink.Value("system.process.created"), c.created);
      EXPECT_EQ(sink.Value("system.process.limit"), c.limit);
    }
  }
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ProcessesTest, ProcessesComeAndGo) {
  files_ = HostFiles("rpi4-6.6", "");
  HostCollector collector = Make({.groups = Bit(HostGroup::kProcesses)});
  const auto sleeping = [&] {
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).failed, 0u);
    return sink.Value("system.process.count", "process.state=sleeping");
  };
  EXPECT_EQ(sleeping(), 6);
  files_.failing["/proc/702/stat"] = Code::kIo;  // It ends while it is read: ESRCH.
  EXPECT_EQ(sleeping(), 5);
  files_.failing.clear();
  files_.contents["/proc/702/stat"] = "702 (nginx) S 1";
  files_.contents["/proc/703/stat"] = "";
  EXPECT_EQ(sleeping(), 5);
  files_.contents.erase("/proc/702/stat");
  files_.contents["/proc/99999/stat"] = files_.contents["/proc/1/stat"];
  files_.contents["/proc/4294967296/stat"] = files_.contents["/proc/1/stat"];  // No process has this id.
  files_.contents["/proc/1x/stat"] = files_.contents["/proc/1/stat"];
  EXPECT_EQ(sleeping(), 6);
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(ProcessesTest, ProcessesThatCannotBeRead) {
  files_ = HostFiles("rpi4-6.6", "");
  HostCollector collector =
      Make({.groups = Bit(HostGroup::kProcesses) | Bit(HostGroup::kProcess), .process = "nginx"});
  SeenPoints before;
  EXPECT_EQ(collector.Collect(before).failed, 0u);
  log_.lines.clear();
  files_.failing["/proc"] = Code::kDenied;
  for (int cycle = 0; cycle < 3; ++cycle) {
    SeenPoints sink;
    EXPECT_EQ(collector.Collect(sink).points, 0u);
  }
  for (const std::string group : {"processes", "process"}) {
    EXPECT_EQ(log_.Count("warn a group of host metrics cannot be read group=" + group +
                         " where=/proc error=permission denied"), 1u);
  }
  EXPECT_EQ(log_.lines.size(), 2u);
  files_.failing.clear();
  // hidepid=1: the folders are there.
  log_.lines.clear();
  for (const auto& [path, text] : files_.contents) {
    if (path.ends_with("/stat") && path != "/proc/stat") files_.failing[path] = Code::kDenied;
  }
  SeenPoints hidden;
  EXPECT_EQ(collector.Collect(hidden).points, 0u);
  EXPECT_EQ(log_.lines.size(), 0u) << "it still fails";
  files_.failing = {{"/proc/stat", Code::kIo}};
  SeenPoints half;
  collector.Collect(half);
  EXPECT_EQ(half.Count("system.process.count"), 0u);
  EXPECT_GT(half.Count("process.thread.count"), 0u);
  files_.failing.clear();
  files_.contents.erase("/proc/sys/kernel/pid_max");
  files_.contents["/proc/sys/kernel/threads-max"] = "27724x\n";
  SeenPoints unlimited;
  EXPECT_EQ(collector.Collect(unlimited).failed, 0u);
  EXPECT_EQ(unlimited.Count("system.process.limit"), 0u);
}

// ---- Named processes ---------------------------------------------------------------------------------

/// Remembers the points of each entity, and of the host under "".
class Entities final : public MetricSink {
 public:
  struct Entity {
    std::map<std::string, std::string> attributes;
    UnixTime start;
    SeenPoints points;
  };
  std::map<std::string, Entity> by_pid;

  void BeginEntity(std::span<const Attribute> attributes, UnixTime start) override {
    EXPECT_EQ(current_, &host_) << "no entity within an entity";
    Entity entity{{}, start, {}};
    for (const Attribute& a : attributes) {
      const std::string value = a.is_number ? std::to_string(a.number) : std::string(a.text);
      EXPECT_TRUE(entity.attributes.emplace(a.key, value).second) << a.key;
      EXPECT_TRUE(a.is_number || IsUtf8(a.text));
    }
    const std::string pid = entity.attributes["process.pid"];
    const auto [it, added] = by_pid.emplace(pid, std::move(entity));
    EXPECT_TRUE(added) << pid;
    current_ = &it->second.points;
  }
  void EndEntity() override { current_ = &host_; }
  void Begin(const Metric& metric) override { current_->Begin(metric); }
  void Int(std::span<const Attribute> a, int64_t value) override { current_->Int(a, value); }
  void Double(std::span<const Attribute> a, double value) override { current_->Double(a, value); }
  void Histogram(std::span<const Attribute>, std::span<const double>, std::span<const uint64_t>,
                 double) override {}

  const SeenPoints& host() const { return host_; }
  std::string pids() const {
    std::string all;
    for (const auto& [pid, entity] : by_pid) all += (all.empty() ? "" : " ") + pid;
    return all;
  }

 private:
  SeenPoints host_;
  SeenPoints* current_ = &host_;
};

const std::vector<Convention>& ProcessConventions() {
  using enum Instrument;
  static const std::vector<Convention> rows = {
      {"process.cpu.time", kCounter, false, "s", {"cpu.mode"}},
      {"process.memory.usage", kUpDownCounter, true, "By", {}},
      {"process.memory.virtual", kUpDownCounter, true, "By", {}},
      {"process.disk.io", kCounter, true, "By", {"disk.io.direction"}},
      {"process.disk.operations", kCounter, true, "{operation}", {"disk.io.direction"}},
      {"process.thread.count", kUpDownCounter, true, "{thread}", {}},
      {"process.unix.file_descriptor.count", kUpDownCounter, true, "{file_descriptor}", {}},
      {"process.context_switches", kCounter, true, "{context_switch}", {"process.context_switch.type"}},
      {"process.paging.faults", kCounter, true, "{fault}", {"system.paging.fault.type"}},
      {"process.uptime", kGauge, false, "s", {}},
  };
  return rows;
}

constexpr UnixTime kBoot{1'750'000'000'000'000'000};

/// The file stat of a process that began a second after boot.
std::string StatOf(int pid, std::string_view name) {
  return std::to_string(pid) + " (" + std::string(name) +
         ") S 1 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 100 0 0\n";
}

class NamedProcessesTest : public ProcessesTest {
 protected:
  NamedProcessesTest() { clock_.mono = MonoTime{} + Seconds(5000); }

  /// One cycle of a collector made for it.
  Entities Cycle(std::string_view patterns, std::string_view root = "/host") {
    HostCollector collector =
        Make({.groups = Bit(HostGroup::kProcess), .root = root, .process = patterns});
    Entities seen;
    const CollectResult result = collector.Collect(seen, kBoot);
    EXPECT_EQ(result.failed, 0u);
    size_t points = seen.host().points.size();
    for (const auto& [pid, entity] : seen.by_pid) points += entity.points.points.size();
    EXPECT_EQ(result.points, points);
    return seen;
  }
};

TEST_F(NamedProcessesTest, EveryValueOfAProcess) {
  files_ = HostFiles("rpi4-6.6", "/host");
  files_.links["/host/proc/703/exe"] = "/usr/sbin/nginx";
  const Entities seen = Cycle("nothing, nginx");
  EXPECT_EQ(seen.pids(), "702 703");
  EXPECT_TRUE(seen.host().points.empty());
  const Entities::Entity& worker = seen.by_pid.at("703");
  const std::map<std::string, std::string> attributes = {
      {"process.pid", "703"},
      {"process.parent_pid", "702"},
      {"process.executable.name", "nginx"},
      {"process.executable.path", "/usr/sbin/nginx"},
      {"process.owner", "www-data"},
      {"process.creation.time", "2025-06-15T15:06:58.920Z"},
      {"process.linux.cgroup", "0::/system.slice/nginx.service"}};
  EXPECT_EQ(worker.attributes, attributes);
  EXPECT_EQ(worker.start, kBoot + Milliseconds(18'920));
  ExpectConventions(worker.points.points, ProcessConventions());
  struct Row {
    const char* name;
    const char* attributes;
    double value;
  };
  constexpr Row rows[] = {
      {"process.cpu.time", "cpu.mode=user", 45.21},
      {"process.cpu.time", "cpu.mode=system", 33.10},
      {"process.memory.usage", "", 3244 * 1024},
      {"process.memory.virtual", "", 12056 * 1024},
      {"process.disk.io", "disk.io.direction=read", 409600},
      {"process.disk.io", "disk.io.direction=write", 9125888},
      {"process.disk.operations", "disk.io.direction=read", 50221},
      {"process.disk.operations", "disk.io.direction=write", 77210},
      {"process.thread.count", "", 4},
      {"process.unix.file_descriptor.count", "", 11},
      {"process.context_switches", "process.context_switch.type=voluntary", 882100},
      {"process.context_switches", "process.context_switch.type=involuntary", 1203},
      {"process.paging.faults", "system.paging.fault.type=major", 3},
      {"process.paging.faults", "system.paging.fault.type=minor", 920},
      {"process.uptime", "", 5000 - 18.92},
  };
  EXPECT_EQ(worker.points.points.size(), std::size(rows));
  for (const Row& row : rows) {
    EXPECT_DOUBLE_EQ(worker.points.Value(row.name, row.attributes), row.value) << row.name << row.attributes;
  }
  const Entities::Entity& master = seen.by_pid.at("702");
  EXPECT_EQ(master.attributes.at("process.owner"), "root");
  EXPECT_FALSE(master.attributes.contains("process.executable.path"));
  for (const auto& [key, value] : master.attributes) {
    EXPECT_EQ(value.find("daemon on"), std::string::npos) << "a command line in " << key;
  }
  EXPECT_TRUE(log_.lines.empty());
}

TEST_F(NamedProcessesTest, WhatMatches) {
  struct Case {
    const char* host;
    const char* patterns;
    const char* pids;
  };
  constexpr Case cases[] = {
      {"rpi4-6.6", "nginx", "702 703"},
      {"rpi4-6.6", "ngin?, systemd", "1 702 703"},
      {"rpi4-6.6", "NGINX", ""},
      {"rpi4-6.6", "ngin", ""},
      {"rpi4-6.6", "systemd-journal", "231"},         // As the kernel cuts it.
      {"rpi4-6.6", "systemd-journald", "231"},        // As it is called.
      {"rpi4-6.6", "systemd-j*ld", "231"},
      {"rpi4-6.6", "systemd-journald?", ""},
      {"rpi4-6.6", "my (odd)*", "911"},
      {"rpi4-6.6", "kworker/*", "38"},
      {"rpi4-6.6", "*", "1 2 231 38 702 703 911 940 955"},
      {"rpi4-6.6", " , ,", ""},
      {"openwrt-mips-4.14", "crond", "1102"},
      {"server-2.6.32", "httpd, init", "1 2291"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.host) + ": " + c.patterns);
    files_ = HostFiles(c.host, "/host");
    EXPECT_EQ(Cycle(c.patterns).pids(), c.pids);
  }
}

TEST_F(NamedProcessesTest, WholeNames) {
  struct Case {
    const char* name;
    const char* comm;
    std::string exe, cmdline;  // Empty: there is none.
    const char* told;
  };
  const std::string null(1, '\0');
  const Case cases[] = {
      {"short enough", "cut-name-of-14", "/bin/other", "other" + null, "cut-name-of-14"},
      {"of the executable", "a-long-name-is-", "/opt/a-long-name-is-cut", "", "a-long-name-is-cut"},
      {"of one that was deleted", "a-long-name-is-",
       "/opt/a-long-name-is-cut (deleted)", "", "a-long-name-is-cut"},
      {"a script", "a-long-name-is-",
       "/usr/bin/python3.11", "/opt/a-long-name-is-mine" + null +
           "--password=x" + null, "a-long-name-is-mine"},
      {"another first argument", "a-long-name-is-",
       "/usr/bin/python3.11", "python3" + null + "/opt/a-long-name-is-mine" + null, "a-long-name-is-"},
      {"a title", "a-long-name-is-",
       "", "a-long-name-is-titled --password=x" + null, "a-long-name-is-titled"},
      {"an argument without end", "a-long-name-is-",
       "", "a-long-name-is-" + std::string(1000, 'x'), "a-long-name-is-"},
      {"nothing to be seen", "a-long-name-is-", "", "", "a-long-name-is-"},
      {"a path without a name", "a-long-name-is-", "/", "/" + null, "a-long-name-is-"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    files_ = {};
    files_.contents["/proc/7/stat"] = StatOf(7, c.comm);
    if (!c.exe.empty()) files_.links["/proc/7/exe"] = c.exe;
    if (!c.cmdline.empty()) files_.contents["/proc/7/cmdline"] = c.cmdline;
    EXPECT_EQ(Cycle(c.told, "/").by_pid["7"].attributes["process.executable.name"], c.told);
    EXPECT_EQ(Cycle(c.comm, "/").by_pid["7"].attributes["process.executable.name"], c.told);
  }
}

TEST_F(NamedProcessesTest, WhatIsMissingIsLeftOut) {
  files_.contents["/proc/7/stat"] = StatOf(7, "a");
  Entities bare = Cycle("a", "/");
  EXPECT_EQ(bare.by_pid["7"].attributes.size(), 4u);
  EXPECT_EQ(bare.by_pid["7"].points.points.size(), 6u);  // Times, faults, threads, uptime.

  // Denied, as those of other users are: said once.
  files_.contents["/proc/7/status"] = "Uid:\t7\t4294967294\t7\t7\nVmRSS:\t 5 kB\n";
  files_.contents["/proc/7/io"] = "";
  files_.contents["/proc/7/cgroup"] = std::string("0::/\xff\n");
  files_.failing = {{"/proc/7/io", Code::kDenied}, {"/proc/7/fd", Code::kDenied}};
  HostCollector collector = Make({.groups = Bit(HostGroup::kProcess), .process = "a"});
  for (int cycle = 0; cycle < 3; ++cycle) {
    Entities seen;
    EXPECT_EQ(collector.Collect(seen, kBoot).failed, 0u);
    EXPECT_EQ(seen.by_pid["7"].attributes["process.owner"], "4294967294");
    EXPECT_FALSE(seen.by_pid["7"].attributes.contains("process.linux.cgroup"));
    EXPECT_EQ(seen.by_pid["7"].points.points.size(), 7u);
  }
  EXPECT_EQ(log_.Count("CAP_SYS_PTRACE"), 1u);
  EXPECT_EQ(log_.lines.size(), 1u);

  // Hostile ones: what makes no sense is left out, and nothing else.
  files_.failing.clear();
  files_.contents["/proc/7/status"] = std::string(70'000, '\xfe');
  files_.contents["/proc/7/io"] = std::string("\0read_bytes: -1\n", 16);
  files_.contents["/proc/7/cgroup"] = std::string(70'000, 'x') + "\n";
  files_.contents["/proc/8/stat"] = 
      "8 (a\xff) S 1 7 7 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 9223372036854775807 0 0\n";
  files_.links["/proc/8/exe"] = std::string(600, '/');
  Entities hostile = Cycle("a*", "/");
  EXPECT_EQ(hostile.by_pid["7"].attributes.size(), 4u);
  EXPECT_EQ(hostile.by_pid["7"].points.points.size(), 6u);
  EXPECT_EQ(hostile.by_pid["8"].attributes.size(), 3u);
  EXPECT_EQ(hostile.by_pid["8"].points.Value("process.uptime"), 0) << "started in the future";
  EXPECT_EQ(hostile.by_pid["8"].start, std::min(kBoot + Seconds(5000), clock_.Wall())) << "no later than the cycle";
}

TEST_F(NamedProcessesTest, OwnersAreThoseOfTheRoot) {
  files_ = HostFiles("rpi4-6.6", "/host");
  files_.contents["/etc/passwd"] = "wrong:x:33:33::/:\n";
  EXPECT_EQ(Cycle("nginx").by_pid["703"].attributes["process.owner"], "www-data");
  std::string& users = files_.contents["/host/etc/passwd"];
  users = "";
  for (int i = 100; i < 10'000; ++i) {
    users += "user" + std::to_string(i) + ":x:" + std::to_string(i) + ":1::/home:/bin/sh\n";
  }
  ASSERT_GT(users.size(), 4 * kProcFileBytes);
  EXPECT_EQ(Cycle("nginx").by_pid["703"].attributes["process.owner"], "33");
  users += "web:x:33:";  // The last line has no end.
  EXPECT_EQ(Cycle("nginx").by_pid["703"].attributes["process.owner"], "web");
  for (const char* bad : {"a\xff:x:33:", "a-name-that-is-longer-than-32-bytes:x:33:"}) {
    users = bad;
    EXPECT_EQ(Cycle("nginx").by_pid["703"].attributes["process.owner"], "33") << bad;
  }
  // More users than are remembered within a cycle.
  users = "u5:x:5:\n";
  for (int pid = 2000; pid < 2040; ++pid) {
    const std::string path = "/host/proc/" + std::to_string(pid);
    files_.contents[path + "/stat"] = StatOf(pid, "many");
    files_.contents[path + "/status"] = "Uid:\t0\t" + std::to_string(pid % 20) + "\t0\t0\n";
  }
  for (const auto& [pid, entity] : Cycle("many").by_pid) {
    const int user = std::stoi(pid) % 20;
    EXPECT_EQ(entity.attributes.at("process.owner"), user == 5 ? "u5" : std::to_string(user));
  }
  EXPECT_EQ(files_.open_files(), 0u);
}

TEST_F(NamedProcessesTest, AnIdThatIsUsedAgainIsAnotherProcess) {
  files_ = HostFiles("rpi4-6.6", "/host");
  HostCollector collector =
      Make({.groups = Bit(HostGroup::kProcess) | Bit(HostGroup::kProcesses),
            .root = "/host",
            .process = "nginx"});
  Entities first, same, next, gone;
  collector.Collect(first, kBoot);
  clock_.mono = clock_.mono + Seconds(10);
  clock_.wall_offset = clock_.wall_offset + Seconds(3600);  // The clock is set.
  collector.Collect(same, kBoot);
  EXPECT_EQ(first.by_pid["703"].attributes, same.by_pid["703"].attributes);
  EXPECT_EQ(first.by_pid["703"].start, same.by_pid["703"].start);
  EXPECT_EQ(same.host().Count("system.process.count"), 4u);
  files_.contents["/host/proc/703/stat"] =
      "703 (nginx) S 702 703 703 0 -1 0 1 0 2 0 3 4 0 0 20 0 1 0 500712 0 0\n";
  collector.Collect(next, kBoot);
  EXPECT_EQ(next.by_pid["703"].attributes["process.creation.time"], "2025-06-15T16:30:07.120Z");
  EXPECT_EQ(next.by_pid["703"].start, kBoot + Milliseconds(5'007'120));
  EXPECT_EQ(next.by_pid["703"].points.Value("process.cpu.time", "cpu.mode=user"), 0.03);
  files_.contents.erase("/host/proc/703/stat");
  collector.Collect(gone, kBoot);
  EXPECT_EQ(gone.pids(), "702");
}

TEST_F(NamedProcessesTest, MoreThanAreReported) {
  for (int pid = 100; pid < 200; ++pid) {
    files_.contents["/proc/" + std::to_string(pid) + "/stat"] = StatOf(pid, "a");
  }
  HostCollector collector = Make({.groups = Bit(HostGroup::kProcess), .process = "a"});
  for (int cycle = 0; cycle < 2; ++cycle) {
    Entities seen;
    EXPECT_EQ(collector.Collect(seen).failed, 0u);
    EXPECT_EQ(seen.by_pid.size(), ProcessWalk::kMatchesMax);
    EXPECT_TRUE(seen.by_pid.contains("163"));
  }
  EXPECT_EQ(log_.Count("warn processes are left out"), 1u);
  EXPECT_EQ(log_.Count("left_out=36 at_most=64"), 1u);
}

}  // namespace
}  // namespace limpet
