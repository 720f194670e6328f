// limpet sink: an endpoint to look at.
#include "sink/sink.h"

#include <new>
#include <optional>

#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"
#include "main/stdout_lines.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/random.h"
#include "port/linux/region.h"
#include "port/linux/signals.h"
#include "port/linux/sockets.h"
#include "agent/memory_plan.h"
#include "serve/http_server.h"

namespace limpet {
namespace {

constexpr HttpServerLimits kLimits{.connections = kSinkConnections, .body_max = kSinkBodyMax};
constexpr size_t kPoolBytes = HttpServer::PoolBytes(kSinkBodyMax, 2);

class StopOnSignal final : public SignalReceiver {
 public:
  bool stopped = false;
  void OnStop() override { stopped = true; }
  void OnReload() override {}
  void OnReport() override {}
};

int FailWith(std::string_view what, const Status& status, int code) {
  TextBuffer<256> text;
  text << "sink: " << what << ": " << CodeName(status.code) << " (" << status.where << ')';
  Complain(text.text());
  return code;
}

}  // namespace

int SinkCommand(const Args& args) {
  SinkOptions options{.json = args.json, .colour = !args.json && ColourWanted()};
  if (!args.fail.empty()) {
    const Result<uint32_t> rate = ParseFailRate(args.fail);
    if (!rate.ok()) {
      Complain("sink: --fail: expected a share such as 0.1 or 10%");
      return kExitUsage;
    }
    options.fail_per_million = rate.value();
  }
  const auto region =
      TakeRegion(Sink::BytesNeeded() + HttpServer::BytesNeeded(kLimits) + kPoolBytes + 4096);
  if (!region.ok()) return FailWith("memory", region.status(), kExitTryAgain);
  Carver carver(region.value());

  LinuxClock clock;
  LinuxRandom random;
  LinuxSockets sockets;
  EpollPollerBuffer<kSinkConnections + 4> poller;
  StopOnSignal receiver;
  Signals signals(receiver);
  if (const Status opened = poller.Open(); !opened.ok()) {
    return FailWith("poller", opened, kExitIo);
  }
  if (const Status started = signals.Start(poller); !started.ok()) {
    return FailWith("signals", started, kExitIo);
  }
  tzset();
  StdoutLines lines;
  LocalTime zone;
  Sink sink(options, carver.Take(Sink::BytesNeeded()), random, zone, lines);
  FixedHeap bodies;
  bodies.Init("bodies", carver.Take(kPoolBytes));
  HttpServer server(kLimits, carver.Take(HttpServer::BytesNeeded(kLimits)), &bodies, clock, poller,
                    sockets, sink);
  const Result<int> listening = server.Listen(args.listen);
  if (!listening.ok()) return FailWith(args.listen, listening.status(), kExitUnavailable);
  TextBuffer<128> hello;
  hello << "sink: listening at " << args.listen;
  if (args.listen.ends_with(":0")) hello << " (port " << LinuxSockets::Port(listening.value()) << ')';
  Complain(hello.text());
  while (!receiver.stopped && !lines.broken()) {
    if (const Status waited = poller.Wait(server.OnTime(clock.Monotonic())); !waited.ok()) {
      return FailWith("wait", waited, kExitIo);
    }
  }
  server.Close();
  return lines.broken() ? kExitIo : kExitOk;
}

}  // namespace limpet
