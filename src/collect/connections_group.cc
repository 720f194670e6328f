#include "collect/connections_group.h"

#include <cstdint>
#include <string_view>

#include "collect/line_reader.h"
#include "collect/net_sockets.h"

namespace limpet {
namespace {

constexpr Metric kConnections{"system.network.connection.count", "{connection}",
                              Instrument::kUpDownCounter};

constexpr std::string_view kTransport = "network.transport";
constexpr std::string_view kState = "network.connection.state";

// By the kernel's number less one.
constexpr std::array<std::string_view, kTcpStates> kStates = {
    "established", "syn_sent", "syn_received", "fin_wait_1", "fin_wait_2", "time_wait",
    "closed",      "close_wait", "last_ack",   "listen",     "closing"};

using Counts = std::array<uint64_t, kTcpStates>;

/// Adds the sockets of the file. They are counted as they come by: a table of sockets may be megabytes.
Status Count(Files& files, int file, std::span<char> buffer, Counts& counts) {
  LineReader reader(files, file, buffer);
  std::string_view line;
  if (reader.Next(line)) LIMPET_TRY(ParseSocketHeading(line));
  while (reader.Next(line)) {
    const Result<size_t> state = ParseSocketState(line);
    if (!state.ok()) return state.status();
    ++counts[state.value() - 1];
  }
  if (reader.status().ok() && !reader.rest().empty()) {
    return {Code::kInvalid, 0, "net: last line is cut"};
  }
  return reader.status();
}

}  // namespace

Status ConnectionsGroup::Collect(const GroupContext& context, Points& out) {
  // /proc/net leads to the reader's own network namespace: below another root it is that of the
  // host's first process that is wanted.
  struct File {
    const char *of_first, *own;
    bool udp;
  };
  static constexpr std::array<File, kFiles> kPaths = {{
      {"/proc/1/net/tcp", "/proc/net/tcp", false},
      {"/proc/1/net/tcp6", "/proc/net/tcp6", false},
      {"/proc/1/net/udp", "/proc/net/udp", true},
      {"/proc/1/net/udp6", "/proc/net/udp6", true},
  }};
  Counts tcp{}, udp{};
  bool any = false;
  for (size_t i = 0; i < kFiles; ++i) {
    const File& path = kPaths[i];
    const Result<int> file = context.root.is_own()
                                 ? files_[i].Open(context.root, {path.own})
                                 : files_[i].Open(context.root, {path.of_first, path.own});
    // A kernel may be without IPv6, or have it off.
    if (file.status().code == Code::kNotFound) continue;
    if (!file.ok()) return file.status();
    const Status counted =
        Count(context.root.files(), file.value(), context.buffer, path.udp ? udp : tcp);
    if (!counted.ok()) {
      files_[i].Close(context.root.files());
      return counted;
    }
    any = true;
  }
  if (!any) return {Code::kUnsupported, 0, "/proc/net/tcp"};

  out.Begin(kConnections);
  // All states, for a series that ends at its last connection leaves its last value standing.
  for (size_t i = 0; i < kTcpStates; ++i) {
    out.Int({kTransport, "tcp"}, {kState, kStates[i]}, tcp[i]);
  }
  uint64_t sockets = 0;
  for (const uint64_t count : udp) sockets += count;
  out.Int({kTransport, "udp"}, sockets);  // It has no states.
  return {};
}

void ConnectionsGroup::Close(Files& files) {
  for (KeptFile& file : files_) file.Close(files);
}

}  // namespace limpet
