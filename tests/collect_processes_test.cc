// Sockets and processes: their parsers, and the groups that count them, over the files of real hosts.
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "collect/host_collector.h"
#include "collect/line_reader.h"
#include "collect/net_sockets.h"
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

std::string Tcp(std::string_view state) { return "network.transport=tcp,network.connection.state=" + std::string(state); }
constexpr const char* kUdp = "network.transport=udp";
constexpr const char* kConnections = "system.network.connection.count";

TEST_F(ProcessesTest, ConnectionsOfHosts) {
  struct Case {
    const char* host;
    std::map<std::string, double> tcp;  // What is not 0.
    double udp;
  };
  const Case cases[] = {
      {"rpi4-6.6", {{"listen", 3}, {"established", 3}, {"close_wait", 1}, {"fin_wait_2", 1}, {"time_wait", 2}}, 4},
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
      {"our own where the first process has none", {{"/proc/1/net/tcp", "-"}, {"/proc/net/tcp", heading}}, 12, ""},
      {"empty", {{"/proc/1/net/tcp", ""}}, 12, ""},
      {"another heading", {{"/proc/1/net/tcp", "Inter-| Receive\n"}}, 0, "where=net: heading of the sockets error=invalid"},
      {"cut line", {{"/proc/1/net/tcp", heading + line + "\n" + line}}, 0, "where=net: last line is cut"},
      {"cut heading", {{"/proc/1/net/udp", heading.substr(0, 100)}}, 0, "where=net: last line is cut"},
      {"hostile", {{"/proc/1/net/udp6", heading + std::string("\0\xff\x80 :::: \n", 10)}}, 0, "where=net: number of a socket"},
      {"huge line", {{"/proc/1/net/tcp6", heading + std::string(100'000, '7') + "\n"}}, 0, "error=full"},
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

}  // namespace
}  // namespace limpet
