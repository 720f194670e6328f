// limpet run: gives the core its memory and its outside world, and turns the loop.
#include "main/run.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>
#include <new>
#include <optional>

#include "agent/agent.h"
#include "cli/exit_code.h"
#include "collect/identity.h"
#include "collect/resource.h"
#include "log/logger.h"
#include "logs/log_sources.h"
#include "main/commands.h"
#include "main/configuration.h"
#include "main/console.h"
#include "main/extra_source.h"
#include "main/spool_runtime.h"
#include "main/version.h"
#include "port/curl/curl_transport.h"
#include "port/curl/instance_id.h"
#include "port/curl/tls_sockets.h"
#include "port/linux/bearer_token.h"
#include "port/linux/clock.h"
#include "port/linux/directory.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/file_watch.h"
#include "port/linux/files.h"
#include "port/linux/host.h"
#include "port/linux/malloc.h"
#include "port/linux/net_watch.h"
#include "port/linux/random.h"
#include "port/linux/region.h"
#include "port/linux/run_dir.h"
#include "port/linux/signals.h"
#include "port/linux/sockets.h"
#include "port/linux/space_meter.h"
#include "port/linux/stderr_log.h"
#include "port/linux/worker_thread.h"
#include "serve/http_server.h"
#include "serve/routes.h"

namespace limpet {
namespace {

/// Connections, listeners and signals, the workers and netlink, and curl with c-ares for each destination.
size_t PollSlots(const Config& config) {
  size_t syslog = 0;
  for (const LogConfig& log : std::span(config.logs).first(config.log_count)) {
    syslog += log.type == LogType::kSyslog ? SyslogSource::kHandles : log.type == LogType::kKmsg ? 1 : 0;
  }
  const size_t received = config.receive.present ? config.receive.max_connections + 1 : 0;
  return kHealthConnections + 9 + 4 + 4 * kDestinationsMax + received + syslog;
}

constexpr size_t kStatvfsStackBytes = 6 * kKiB;  // It takes some 1.5.
constexpr size_t kDetectedBytesMax = Resource::kDetectedMax * (Resource::kValueMax + 48);  // And keys.
constexpr size_t kResourceBytes = kResourceBytesMax + kDetectedBytesMax;
constexpr Duration kMountsStop = Milliseconds(100);
constexpr Duration kInsecureReminder = Seconds(3600);  // spec.md section 3, tls_insecure.

/// "unsupported" → a text for people about a failed step; the exit code is the caller's.
void Fail(Log& log, const char* message, std::string_view what, const Status& status) {
  log.Error(message, {{"what", what}, {"error", CodeName(status.code)}, {"where", status.where}});
}

/// What a destination has of the network.
struct Wire {
  CaIndex ca_index;  // Of its tls_ca, unless one before it has the same.
  std::array<uint8_t, kAnswerBodyMax> answer_body;
  std::optional<CurlDestination> transport;
};

/// What [receive.otlp] has of its own: whom it lets in, and how it speaks to them.
struct Gate {
  Gate(Clock& clock, Log& log) : token(clock, log) {}

  BearerToken token;
  CaIndex client_ca;
  std::optional<TlsSockets> tls;
  FixedHeap bodies;
  std::optional<HttpServer> server;
};

/// Everything that lives as long as the loop. It lies in the region like all the rest.
class Runtime final : private SignalReceiver, private Reloader, private PoolReporter, private NetHandler {
 public:
  Runtime(const Config& config, const MemoryPlan& plan, std::span<EpollPoller::Slot> slots, Logger& log,
          LinuxClock& clock, RunDir& run_dir)
      : config_(config), plan_(plan), log_(log), clock_(clock), run_dir_(run_dir), poller_(slots), spool_(config) {}

  /// Takes every pool and opens every listener. kExitOk, or an exit code and a line in the log.
  int Start(Carver& carver);
  [[gnu::noinline]] int Loop();  // For profiles, which tell it from the start.
  void Finish();

 private:
  int StartTransports(Carver& carver);
  int StartWire(size_t n);
  int StartProbe(Carver& carver);
  void DetectHost();
  int StartListeners(Carver& carver);
  int StartGate(Carver& carver);
  int StartLogs(Carver& carver);
  int StartReceiver(Carver& carver);

  void OnStop() override;
  void OnReload() override;
  void OnNetworkChange() override;
  void OnReport() override { LogStatus(true); }
  Status Reload(TextWriter& verdict) override;
  std::span<const PoolUse> Report() override;
  void LogStatus(bool asked);
  void RemindOfInsecurity(MonoTime now);

  const Config& config_;
  const MemoryPlan& plan_;
  Logger& log_;
  LinuxClock& clock_;
  RunDir& run_dir_;

  EpollPollerSpan poller_;
  Signals signals_{*this};
  NetWatch net_watch_{poller_, *this};
  LinuxFiles files_;
  LinuxSockets sockets_;
  LinuxRandom random_;

  FixedHeap curl_heap_, tls_heap_;
  std::optional<CurlClient> client_;
  std::span<Wire> wires_;  // One for each destination.
  std::array<Transport*, kDestinationsMax> transports_{};
  bool entered_ = false;

  SpoolRuntime spool_;
  LinuxSpaceMeter space_meter_;
  WorkerThread local_mounts_, remote_mounts_;
  FilesystemProbe filesystems_;  // Nothing without the group `filesystem`.
  std::array<char, Resource::kArenaBytes> resource_arena_;
  Resource resource_{resource_arena_};
  std::array<uint8_t, kResourceBytes> resource_bytes_;
  TextBuffer<40> instance_;
  AgentIdentity identity_;
  std::span<char> scratch_;
  std::optional<GzipCompressor> gzip_;
  std::optional<Agent> agent_;

  std::optional<SpoolRoutes> spool_routes_;
  std::optional<Routes> routes_;
  std::optional<HttpServer> server_;
  Inotify file_watch_;
  LogSources* logs_ = nullptr;  // nullptr: no [log.*].
  Gate* gate_ = nullptr;  // nullptr: no [receive.otlp].
  std::array<PoolUse, kHolderCount + 2> pools_{};  // The spool's heap is a pool of its own.
  MonoTime next_reminder_;
};

int Runtime::Start(Carver& carver) {
  if (const Status opened = poller_.Open(); !opened.ok()) {
    Fail(log_, "cannot start", "epoll", opened);
    return kExitIo;
  }
  if (const Status started = signals_.Start(poller_); !started.ok()) {
    Fail(log_, "cannot start", "signals", started);
    return kExitIo;
  }
  if (const Status started = net_watch_.Start(); !started.ok()) {
    log_.Info("changes of the network are not heard of", {{"error", CodeName(started.code)}});
  }
  if (const int code = StartTransports(carver); code != kExitOk) return code;
  const std::span<std::byte> spool = carver.Take(plan_.of(Holder::kSpool).bytes);
  if (const int code = spool_.Start(spool, clock_, poller_, log_); code != kExitOk) return code;
  const std::span<std::byte> scratch = carver.Take(plan_.of(Holder::kScratch).bytes);
  scratch_ = {reinterpret_cast<char*>(scratch.data()), scratch.size()};
  DetectHost();
  if (const int code = StartProbe(carver); code != kExitOk) return code;
  if (const int code = StartGate(carver); code != kExitOk) return code;
  if (const int code = StartLogs(carver); code != kExitOk) return code;

  AgentMemory memory;
  const auto bytes = [&](Holder holder) {
    const std::span<std::byte> taken = carver.Take(plan_.of(holder).bytes);
    return std::span<uint8_t>(reinterpret_cast<uint8_t*>(taken.data()), taken.size());
  };
  const ExtraSource extra = FindExtraSource();
  const std::span<uint8_t> slabs = bytes(Holder::kSlab);
  for (size_t at = 0; const Signal signal : kSignals) {
    memory.slabs[Index(signal)] = slabs.subspan(at, plan_.slab_bytes(signal));
    at += plan_.slab_bytes(signal);
  }
  if (plan_.of(Holder::kGzip).bytes > 0) {
    const std::span<std::byte> all = carver.Take(plan_.of(Holder::kGzip).bytes);
    const size_t state = GzipCompressor::BytesNeeded();
    memory.gzip = &gzip_.emplace(all.first(state));
    memory.packed = {reinterpret_cast<uint8_t*>(all.data()) + state, config_.queue.batch_bytes};
  }
  memory.queue = carver.Take(plan_.of(Holder::kQueue).bytes);
  memory.delivery = carver.Take(Delivery::BytesNeeded(config_));
  memory.read_buffer = scratch_;
  if (config_.receive.present) {
    memory.receiver = carver.Take(OtlpReceiver::BytesNeeded(config_.receive.max_connections));
  }
  TokenCheck* const token = config_.receive.bearer_token_file.empty() ? nullptr : &gate_->token;
  agent_.emplace(config_, identity_, memory,
                 AgentPorts{clock_, files_, random_, std::span(transports_).first(wires_.size()), log_, logs_, extra.source,
                            spool_.parts(), filesystems_, token},
                 static_cast<PoolReporter&>(*this));
  if (spool_.parts().store != nullptr) {
    agent_->Resume(spool_.opened(), spool_.status());
  } else {
    agent_->StartTracks();
  }
  return StartListeners(carver);
}

int Runtime::StartTransports(Carver& carver) {
  curl_heap_.Init("curl", carver.Take(plan_.of(Holder::kCurl).bytes));
  tls_heap_.Init("tls", carver.Take(plan_.of(Holder::kTls).bytes));
  if (const Status entered = EnterLibraries({.curl = &curl_heap_, .tls = &tls_heap_});
      !entered.ok()) {
    Fail(log_, "cannot start", "the HTTP client", entered);
    return kExitInternal;
  }
  entered_ = true;
  if (const Status started = client_.emplace(poller_, clock_).Start(config_.destination_count);
      !started.ok()) {
    Fail(log_, "cannot start", "the HTTP client", started);
    return kExitInternal;
  }
  const std::span<std::byte> room = carver.Take(sizeof(Wire) * config_.destination_count);
  wires_ = {reinterpret_cast<Wire*>(room.data()), config_.destination_count};
  for (size_t n = 0; n < wires_.size(); ++n) {
    new (&wires_[n]) Wire;
    if (const int code = StartWire(n); code != kExitOk) return code;
  }
  return kExitOk;
}

int Runtime::StartWire(size_t n) {
  const DestinationConfig& destination = config_.destinations[n];
  CaIndex* index = nullptr;
  if (NeedsCertificates(destination)) {
    for (size_t before = 0; before < n && index == nullptr; ++before) {
      CaIndex& other = wires_[before].ca_index;
      if (other.count() > 0 && other.path() == destination.tls_ca) index = &other;
    }
    const Status loaded = index != nullptr ? Status{} : wires_[n].ca_index.Load(destination.tls_ca);
    if (!loaded.ok()) {
      log_.Error("cannot use the certificates of tls_ca",
                 {{"destination", destination.name},
                  {"tls_ca", destination.tls_ca},
                  {"error", CodeName(loaded.code)},
                  {"where", loaded.where}});
      return kExitConfig;
    }
    if (index == nullptr) index = &wires_[n].ca_index;
  }
  const CurlDestination::Options options{.user_agent = kUserAgent,
                                         .answer_body = wires_[n].answer_body,
                                         .ca_index = index,
                                         .unset_before = config_.clock.unset_before,
                                         .log = &log_};
  CurlDestination& transport = wires_[n].transport.emplace(*client_, destination, options);
  if (const Status started = transport.Start(); !started.ok()) {
    TextBuffer<kPathMax + 128> problem;
    transport.WriteProblem(problem);
    log_.Error("cannot use the destination", {{"destination", destination.name},
                                              {"error", CodeName(started.code)},
                                              {"where", problem.size() > 0 ? problem.text() : started.where}});
    return kExitConfig;
  }
  transports_[n] = &transport;
  return kExitOk;
}

/// Who this is: resource attributes, instance id, boot id.
void Runtime::DetectHost() {
  const SystemFacts system = ReadSystemFacts();
  const char* container = std::getenv("container");
  if (container == nullptr) container = std::getenv("KUBERNETES_SERVICE_HOST");
  Resource& resource = resource_;
  resource.Detect({.machine = system.machine,
                   .release = system.release,
                   .hostname = system.name,
                   .container = container == nullptr ? "" : container,
                   .instance = "",
                   .version = kVersion,
                   .root = config_.host.present ? config_.host.root : "/"},
                  files_, scratch_, log_);
  // The spool keeps the id that its batches have, so that a restart sends them under the same keys.
  // Else it follows from host.id.
  const auto attributes = resource.attributes();
  const auto host_id = std::find_if(attributes.begin(), attributes.end(),
                                    [](const ResourceAttribute& a) { return a.key == "host.id"; });
  const std::string_view kept = spool_.instance();
  if (!kept.empty()) {
    instance_ << kept;
  } else if (host_id != attributes.end()) {
    WriteInstanceId(instance_, host_id->value);
  } else {
    TextBuffer<16> random;
    random.Hex64(random_.Next());
    WriteInstanceId(instance_, random.text());
    if (config_.spool.durability == Durability::kMemoryOnly || !spool_.status().ok()) {
      log_.Warn("no host.id to derive service.instance.id from (no /etc/machine-id, or a container): "
                "it changes with every start");
    }
  }
  const KeyValue instance{"service.instance.id", instance_.text()};
  resource.Override(std::span(&instance, 1));
  resource.Override(std::span(config_.resource).first(config_.resource_count));

  identity_.version = kVersion;
  identity_.instance = instance_.text();
  identity_.start = random_.Next();
  identity_.user_hz = system.user_hz;
  const Result<std::string_view> boot =
      ReadWhole(files_, "/proc/sys/kernel/random/boot_id", scratch_);
  if (boot.ok()) {
    if (const Result<BootId> id = ParseBootId(boot.value()); id.ok()) identity_.boot = id.value();
  }
  const auto encoded = EncodeResource(resource.attributes(), resource_bytes_);
  LIMPET_CHECK(encoded.ok());  // kResourceBytes holds the most there can be.
  identity_.resource = encoded.value();
}

/// The threads that ask filesystems for their space.
int Runtime::StartProbe(Carver& carver) {
  const std::span<std::byte> stacks = carver.Take(plan_.of(Holder::kMounts).bytes);
  if (stacks.empty()) return kExitOk;
  const size_t half = stacks.size() / 2;
  Status started = local_mounts_.Start(stacks.first(half), poller_);
  if (started.ok()) started = remote_mounts_.Start(stacks.subspan(half), poller_);
  if (!started.ok()) {
    Fail(log_, "cannot start", "the threads for filesystems", started);
    return kExitInternal;
  }
  filesystems_ = {&space_meter_, &local_mounts_, &remote_mounts_};
  return kExitOk;
}

int Runtime::StartListeners(Carver& carver) {
  // The control socket, where there is one, is the first listener.
  const bool control = !run_dir_.path().empty();
  routes_.emplace(*agent_, static_cast<Reloader&>(*this), control ? 0 : Routes::kNoControl);
  if (!spool_.file_buffer().empty()) {
    routes_->ServeSpool(
        spool_routes_.emplace(agent_->spooler(), clock_, spool_.file_buffer()));
  }
  const HttpServerLimits limits{.page_bytes = PageBytes(config_.destination_count, config_.log_count)};
  server_.emplace(limits, carver.Take(HttpServer::BytesNeeded(limits)), nullptr, clock_, poller_, sockets_, *routes_);
  if (control) {
    TextBuffer<kPathMax> address;
    WriteControlAddress(run_dir_.path(), address);
    if (const Result<int> listening = server_->Listen(address.text()); !listening.ok()) {
      Fail(log_, "cannot open the control socket", address.text(), listening.status());
      return kExitCannotCreate;
    }
  }
  if (!config_.health.listen.empty()) {
    if (const Result<int> listening = server_->Listen(config_.health.listen); !listening.ok()) {
      Fail(log_, "cannot listen", config_.health.listen, listening.status());
      return kExitUnavailable;
    }
  }
  return config_.receive.present ? StartReceiver(carver) : kExitOk;
}

int Runtime::StartLogs(Carver& carver) {
  if (config_.log_count == 0) return kExitOk;
  const Status opened = file_watch_.Open();
  if (!opened.ok()) log_.Info("files are asked for changes", {{"error", CodeName(opened.code)}});
  std::span<std::byte> memory = carver.Take(plan_.of(Holder::kLogs).bytes);
  constexpr size_t kOwn = (sizeof(LogSources) + 63) / 64 * 64;
  logs_ = new (memory.data()) LogSources(config_, memory.subspan(kOwn), scratch_,
                                         {files_, opened.ok() ? &file_watch_ : nullptr, &poller_, &sockets_, log_},
                                         {identity_.instance, identity_.start, clock_.Wall(), identity_.boot});
  if (const Status started = logs_->Start(resource_.attributes()); !started.ok()) {
    Fail(log_, "cannot start a log source", logs_->failed(), started);
    return started.code == Code::kFull || started.code == Code::kUnsupported ? kExitConfig : kExitUnavailable;
  }
  return kExitOk;
}

/// Before the agent, which asks the token.
int Runtime::StartGate(Carver& carver) {
  const ReceiveConfig& receive = config_.receive;
  if (!receive.present) return kExitOk;
  gate_ = new (carver.Take(sizeof(Gate)).data()) Gate(clock_, log_);
  if (!receive.bearer_token_file.empty()) {
    if (const Status started = gate_->token.Start(receive.bearer_token_file); !started.ok()) {
      Fail(log_, "cannot use the token of [receive.otlp]", receive.bearer_token_file, started);
      return kExitConfig;
    }
  }
  if (receive.tls_cert.empty()) return kExitOk;
  if (!receive.tls_client_ca.empty()) {
    if (const Status loaded = gate_->client_ca.Load(receive.tls_client_ca); !loaded.ok()) {
      Fail(log_, "cannot use the certificates of tls_client_ca", receive.tls_client_ca, loaded);
      return kExitConfig;
    }
  }
  gate_->tls.emplace(static_cast<Sockets&>(sockets_),
                     TlsSockets::Options{.certificate = receive.tls_cert,
                                         .key = receive.tls_key,
                                         .client_ca = receive.tls_client_ca.empty() ? nullptr : &gate_->client_ca,
                                         .unset_before = config_.clock.unset_before,
                                         .sessions = TlsServerSessions(receive.max_connections)},
                     clock_, log_);
  if (const Status started = gate_->tls->Start(); !started.ok()) {
    TextBuffer<kPathMax + 128> problem;
    gate_->tls->WriteProblem(problem);
    Fail(log_, "cannot use the certificate of [receive.otlp]", problem.text(), started);
    return kExitConfig;
  }
  return kExitOk;
}

int Runtime::StartReceiver(Carver& carver) {
  const HttpServerLimits limits = ReceiverLimits(config_);
  gate_->bodies.Init("bodies", carver.Take(plan_.of(Holder::kBodies).bytes));
  Sockets& sockets = gate_->tls ? static_cast<Sockets&>(*gate_->tls) : sockets_;
  gate_->server.emplace(limits, carver.Take(HttpServer::BytesNeeded(limits)), &gate_->bodies, clock_, poller_,
                        sockets, *agent_->receiver());
  if (const Result<int> listening = gate_->server->Listen(config_.receive.listen); !listening.ok()) {
    Fail(log_, "cannot listen", config_.receive.listen, listening.status());
    return kExitUnavailable;
  }
  return kExitOk;
}

int Runtime::Loop() {
  int code = kExitOk;
  log_.Info("running", {{"destinations", config_.destination_count},
                        {"health", config_.health.listen},
                        {"control", run_dir_.path()}});
  while (!agent_->stopped()) {
    const MonoTime now = clock_.Monotonic();
    RemindOfInsecurity(now);
    client_->OnTime(now);  // Answers that have come.
    if (agent_->delivery().answered()) {
      agent_->Deliver(now);
      client_->OnTime(now);
    }
    MonoTime next = agent_->OnTime(now);
    next = std::min({next, client_->OnTime(now), server_->OnTime(now), net_watch_.OnTime(now)});
    if (gate_ != nullptr) next = std::min(next, gate_->server->OnTime(now));
    if (const Status waited = poller_.Wait(next); !waited.ok()) {
      Fail(log_, "cannot wait", "poller", waited);
      code = kExitIo;
      break;
    }
  }
  if (gate_ != nullptr) gate_->server->OnTime(clock_.Monotonic());  // Who waited for the last commit.
  LogStatus(false);
  log_.Info("stopped");
  return code;
}

void Runtime::Finish() {
  if (gate_ != nullptr) {
    if (gate_->server) gate_->server->Close();
    gate_->~Gate();  // Before the libraries are left.
  }
  if (server_) server_->Close();
  spool_.Stop();
  // A filesystem that does not answer keeps nobody from leaving.
  const MonoTime soon = clock_.Monotonic() + kMountsStop;
  local_mounts_.StopUntil(soon);
  remote_mounts_.StopUntil(soon);
  agent_.reset();
  for (Wire& wire : wires_) wire.transport.reset();
  client_.reset();
  if (entered_) LeaveLibraries();
}

void Runtime::OnStop() {
  log_.Info("stopping", {{"held_items", agent_->held(Signal::kMetrics).total()}});
  agent_->Stop(clock_.Monotonic());
}

void Runtime::OnNetworkChange() {
  log_.Info("the network has changed: connections begin anew");
  agent_->OnNetworkChange(clock_.Monotonic());
}

void Runtime::OnReload() {
  TextBuffer<128> verdict;
  const Status status = Reload(verdict);
  log_.Warn("reload", {{"verdict", verdict.text()}, {"result", CodeName(status.code)}});
}

Status Runtime::Reload(TextWriter& verdict) {
  verdict << "reload is not available in this build: nothing was changed, restart instead\n";
  return {Code::kUnsupported, 0, "reload"};
}

/// The status as a few log lines: for USR1, which asks for them whatever the log level is, and at
/// the end.
void Runtime::LogStatus(bool asked) {
  const auto log = [&](const char* message, std::initializer_list<LogField> fields) {
    asked ? log_.Report(message, fields) : log_.Info(message, fields);
  };
  Snapshot snapshot;
  agent_->Fill(snapshot);
  for (const Signal signal : kSignals) {
    const Account& account = snapshot.ledger[Index(signal)];
    if (account.collected == 0) continue;
    log("ledger", {{"signal", SignalName(signal)},
                   {"collected", account.collected},
                   {"delivered", account.delivered},
                   {"rejected", account.rejected},
                   {"dropped", account.dropped_total()},
                   {"dead", account.dead},
                   {"held", snapshot.held[Index(signal)].total()}});
  }
  log("queue", {{"batches", snapshot.queue.batches},
                {"bytes", snapshot.queue.bytes},
                {"capacity_bytes", snapshot.queue.capacity_bytes},
                {"oldest_seconds", snapshot.queue.oldest.ns / 1'000'000'000}});
  for (const DestinationView& destination : snapshot.destinations) {
    TextBuffer<32> active;
    for (const Signal signal : kSignals) {
      if (!destination.active[Index(signal)]) continue;
      active << (active.size() > 0 ? "," : "") << SignalName(signal);
    }
    log("destination", {{"name", destination.name},
                        {"priority", destination.priority},
                        {"active", active.text()},
                        {"breaker", BreakerStateName(destination.breaker)},
                        {"next_attempt_seconds", destination.next_attempt_in.ns / 1'000'000'000},
                        {"last_error", destination.last_error}});
  }
  log("health", {{"ok", snapshot.health.ok ? "true" : "false"},
                 {"delivery", snapshot.health.delivery},
                 {"clock", snapshot.clock.state}});
}

std::span<const PoolUse> Runtime::Report() {
  size_t count = 0;
  pools_[count++] = agent_->queue().use();
  pools_[count++] = curl_heap_.use();
  pools_[count++] = tls_heap_.use();
  if (config_.spool.durability != Durability::kMemoryOnly) {
    pools_[count++] = agent_->spooler().View().heap;
  }
  if (gate_ != nullptr) pools_[count++] = gate_->bodies.use();
  if (const PoolUse libc = LibcPoolUse(); libc.bytes > 0) pools_[count++] = libc;
  // The others are handed out whole at start.
  for (const Holder holder : {Holder::kConfig, Holder::kMounts, Holder::kSlab, Holder::kGzip, Holder::kDelivery, Holder::kScratch,
                              Holder::kListener, Holder::kLogs, Holder::kProgram}) {
    const Share& share = plan_.of(holder);
    if (share.bytes > 0) pools_[count++] = {share.name, share.bytes, share.bytes, share.bytes, 0};
  }
  return std::span(pools_).first(count);
}

void Runtime::RemindOfInsecurity(MonoTime now) {
  if (now < next_reminder_) return;
  next_reminder_ = now + kInsecureReminder;
  for (const DestinationConfig& destination : std::span(config_.destinations).first(config_.destination_count)) {
    if (!destination.tls_insecure) continue;
    log_.Warn("tls_insecure = true: anybody on the way can read and change what is sent",
              {{"destination", destination.name}});
  }
}

/// The directory of lock and control socket. kExitOk also when none can be had.
int TakeRunDir(const Config& config, RunDir& run_dir, Log& log) {
  const Status taken = run_dir.Take(config.agent.run_dir, config.agent.state_dir);
  if (taken.code == Code::kExists) {
    log.Error("another limpet is running", {{"run_dir", config.agent.run_dir},
                                            {"pid", taken.detail}});
    return kExitTryAgain;
  }
  if (!taken.ok()) {
    log.Warn("neither run_dir nor state_dir can be written: running without a control socket",
             {{"run_dir", config.agent.run_dir},
              {"state_dir", config.agent.state_dir},
              {"error", CodeName(taken.code)}});
  }
  return kExitOk;
}

}  // namespace

ForeignSizes RunSizes(const Config& config) {
  const size_t sessions = config.receive.tls_cert.empty() ? 0 : TlsServerSessions(config.receive.max_connections);
  return {.libc = kLibcPoolBytes,
          .config = kConfigArenaBytes + sizeof(Config),
          .curl = kCurlPoolBytes,
          .tls = kTlsPoolBytes,
          .transport = sizeof(Wire),
          .tls_server = sessions > 0 ? TlsServerPoolBytes(sessions) : 0,
          .program = sizeof(Runtime) + PollSlots(config) * sizeof(EpollPoller::Slot),
          .mounts = 2 * WorkerThread::StackBytes(kStatvfsStackBytes),
          .gate = config.receive.present ? sizeof(Gate) : 0,
          .logs_slab = FindExtraSource().logs_slab_bytes};
}

int RunCommand(const Args& args) {
  Config& config = TheConfiguration();
  if (const int code = LoadConfiguration(args, config); code != kExitOk) return code;
  MemoryPlan plan;
  if (const int code = PlanConfiguration(config, plan); code != kExitOk) return code;

  LinuxClock clock;
  StderrLog output;
  Logger log(output, clock);
  log.Configure(config.agent.log_level, config.agent.log_format);
  log.Info("limpet starts", {{"version", kVersion},
                             {"target", kTarget},
                             {"config", args.config},
                             {"memory_bytes", plan.total()}});
  RunDir run_dir;
  if (const int code = TakeRunDir(config, run_dir, log); code != kExitOk) return code;

  const Result<std::span<std::byte>> region = TakeRegion(plan.region_bytes());
  if (!region.ok()) {
    log.Error("cannot take the memory of agent.memory", {{"bytes", plan.region_bytes()}});
    return kExitTryAgain;
  }
  Carver carver(region.value());
  const std::span<std::byte> place = carver.Take(plan.of(Holder::kProgram).bytes);
  auto* const slots = reinterpret_cast<EpollPoller::Slot*>(place.data() + sizeof(Runtime));
  std::uninitialized_default_construct_n(slots, PollSlots(config));
  Runtime* const runtime = new (place.data())
      Runtime(config, plan, {slots, PollSlots(config)}, log, clock, run_dir);
  int code = runtime->Start(carver);
  if (code == kExitOk) code = runtime->Loop();
  runtime->Finish();
  runtime->~Runtime();
  return code;
}

}  // namespace limpet
