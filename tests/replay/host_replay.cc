// `host-replay START FILE`: half an hour of a host's metrics in virtual time, through outages, errors, lost
// answers and a restart, from START on (Unix time in seconds). Writes each metrics request that reached the
// destination to FILE, in that order, as a line "ENCODING BYTES\n" and so many bytes; and on stdout
// how many points were collected.
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.h"
#include "host_files.h"
#include "sim/spool_world.h"

namespace limpet::sim {
namespace {

/// Adds to each whole number from the given column on; words between blanks are columns.
std::string Grow(std::string_view line, size_t first_column, uint64_t by) {
  std::string grown;
  size_t column = 0;
  for (size_t at = 0; at < line.size();) {
    const size_t blank = line.find(' ', at), end = std::min(blank, line.size());
    const std::string_view word = line.substr(at, end - at);
    const auto number = ParseNumber<uint64_t>(word);
    grown += number && column >= first_column ? std::to_string(*number + by) : std::string(word);
    if (!word.empty()) ++column;
    if (end < line.size()) grown += ' ';
    at = end + 1;
  }
  return grown;
}

/// A file of counters: those of lines that begin so grow, by `rate` a second.
struct Counters {
  const char* path;
  std::string_view begins;  ///< After blanks.
  size_t first_column;
  uint64_t rate;
};
constexpr Counters kCounters[] = {
    {"/proc/stat", "cpu", 1, 30},        {"/proc/stat", "processes", 1, 2},
    {"/proc/vmstat", "p", 1, 100},       {"/proc/net/dev", "eth0:", 1, 1000},
    {"/proc/diskstats", "179", 3, 8},    {"/proc/702/io", "", 1, 4096},
    {"/proc/703/io", "", 1, 512},
};

struct Host {
  std::map<std::string, std::string> texts = HostTexts("rpi4-6.6");
  std::map<std::string, std::string>& files;

  explicit Host(std::map<std::string, std::string>& f) : files(f) {
    // It is recorded as another root than the reader's own, whose network is that of process 1.
    constexpr std::string_view kFirst = "/proc/1/net/";
    for (const auto& [path, text] : std::map(texts)) {
      if (path.starts_with(kFirst)) texts["/proc/net/" + path.substr(kFirst.size())] = text;
    }
    files = texts;
  }

  /// As it is so many seconds later.
  void Advance(uint64_t seconds) {
    for (const auto& [path, text] : texts) {
      std::string now;
      std::string_view rest = text, line;
      bool grows = false;
      while (!rest.empty()) {
        line = TakeUntil(rest, '\n');
        const Counters* rule = nullptr;
        for (const Counters& each : kCounters) {
          if (path == each.path && Trim(line).starts_with(each.begins)) rule = &each;
        }
        grows = grows || rule != nullptr;
        now += rule != nullptr ? Grow(line, rule->first_column, seconds * rule->rate) : std::string(line);
        now += '\n';
      }
      if (grows) files[path] = now;
    }
    // An interface is away for five minutes.
    if (seconds >= 300 && seconds < 600) {
      std::string& dev = files["/proc/net/dev"];
      const size_t at = dev.find(" wlan0");
      dev.erase(at, dev.find('\n', at) + 1 - at);
    }
  }
};

/// What becomes of a request, by the second in which it is sent.
SimAnswer AnswerAt(int64_t second) {
  if (second >= 240 && second < 420) return {.sent = Sent::kNotSent, .error = "connection refused"};
  if (second >= 600 && second < 640) return {.status = 503, .delay = Milliseconds(50), .retry_after = "7"};
  // They arrive, but nobody hears of it.
  if (second >= 800 && second < 840) return {.sent = Sent::kUnknown, .delay = Seconds(5), .error = "reset"};
  if (second >= 1000 && second < 1300) return {.sent = Sent::kNotSent, .error = "no route"};
  return {.delay = Milliseconds(50)};
}

int Run(int64_t start, const char* path) {
  std::FILE* const out = std::fopen(path, "wb");
  if (out == nullptr) return 1;
  constexpr ResourceAttribute kResource[] = {{"service.name", "limpet"},
                                             {"service.instance.id", "replay"},
                                             {"host.name", "board"},
                                             {"os.type", "linux"}};
  SpoolWorld world(1, 0);
  Host host(world.files.contents);
  world.host_resource = kResource;
  world.clock.wall_offset = Seconds(start) - Duration{world.clock.mono.ns};
  world.config.host.groups = (Bit(HostGroup::kClock) << 1) - 1;
  world.config.host.process = "nginx";
  world.config.host.interval = Seconds(5);
  world.config.self.interval = Seconds(60);
  world.worker.latency = Milliseconds(20);
  world.transport.keep_bodies = false;
  const MonoTime begin = world.clock.mono;
  world.respond = [&](const SimRequest& request) {
    const SimAnswer answer = AnswerAt((world.clock.mono - begin).ns / Seconds(1).ns);
    const bool arrives = answer.sent == Sent::kUnknown || (answer.sent == Sent::kAnswered && answer.status == 200);
    if (arrives && !request.probe() && request.signal == Signal::kMetrics) {
      std::fprintf(out, "%s %zu\n", request.encoding == Encoding::kGzip ? "gzip" : "identity",
                   request.body.size());
      std::fwrite(request.body.data(), 1, request.body.size(), out);
    }
    return answer;
  };
  world.Start();
  for (int64_t second = 0; second < 1800 && !testing::Test::HasFatalFailure(); ++second) {
    // In the middle of an outage the program ends and begins anew.
    if (second == 1100) world.StopAndEnd(), world.Again();
    host.Advance(static_cast<uint64_t>(second));
    const MonoTime next = begin + Seconds(second + 1);
    if (next > world.clock.mono) world.RunFor(next - world.clock.mono);
  }
  world.StopAndEnd();
  ExpectNothingLost(world);
  EXPECT_EQ(world.log.Count("cannot be read"), 0u);
  std::printf("%" PRIu64 "\n", world.Total(Signal::kMetrics).produced);
  return std::fclose(out) == 0 && !testing::Test::HasFailure() ? 0 : 1;
}

}  // namespace
}  // namespace limpet::sim

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  return limpet::sim::Run(std::strtoll(argv[1], nullptr, 10), argv[2]);
}
