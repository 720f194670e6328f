#include "agent/agent.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "clock/trust.h"
#include "config/destination.h"
#include "serve/self_metrics.h"

namespace limpet {
namespace {

constexpr std::string_view kBootSection = "boot";
constexpr Duration kClockCheck = Seconds(60);  // spec.md section 6: at least every minute.
constexpr Duration kForEver = Seconds(100LL * 365 * 86400);
constexpr Duration kMeasureTime = Milliseconds(500);  // For a filesystem to tell its space.
constexpr uint32_t kFailedCycles = 3;          // spec.md section 7: a source counts as failed.

BatcherOptions MakeBatcherOptions(const Config& config, const AgentIdentity& identity) {
  return {.items_max = config.queue.batch_items,
          .bytes_max = config.queue.batch_bytes,
          .delay = config.queue.batch_delay,
          .overflow = config.spool.overflow,
          .start = identity.start,
          .boot = identity.boot};
}

SignalSet LiveFirst(const Config& config) {
  SignalSet live_first = 0;
  for (const Signal signal : kSignals) {
    const bool set = config.queue.order_of[Index(signal)] == Order::kLiveFirst;
    if (set) live_first = static_cast<SignalSet>(live_first | 1u << Index(signal));
  }
  return live_first;
}

SpoolerOptions MakeSpoolerOptions(const Config& config, const AgentIdentity& identity,
                                  const SpoolParts& parts) {
  return {.durability = parts.store == nullptr ? Durability::kMemoryOnly : config.spool.durability,
          .commit_interval = config.spool.commit_interval,
          .overflow = config.spool.overflow,
          .max_bytes = config.spool.max_bytes,
          .batch_bytes = config.queue.batch_bytes,
          .max_age = config.queue.max_age,
          .live_first = LiveFirst(config),
          .boot = identity.boot,
          .instance = identity.instance};
}

bool Takes(const Config& config, Signal signal) {
  return (TakenSignals(config) >> Index(signal) & 1) != 0;
}

OtlpReceiverOptions MakeReceiverOptions(const Config& config, std::span<const uint8_t> resource) {
  // One that leaves no room in a batch is not merged.
  const bool merge = config.receive.merge && resource.size() <= config.queue.batch_bytes / 2;
  return {.signals = TakenSignals(config),
          .max_body = config.receive.max_body_bytes,
          .commits_first = config.spool.durability == Durability::kAlways,
          .merged = merge ? resource : std::span<const uint8_t>()};
}

std::span<uint8_t> Scratch(const AgentMemory& memory) {
  return {reinterpret_cast<uint8_t*>(memory.read_buffer.data()), memory.read_buffer.size()};
}

/// A resource that leaves no room in the open batch is left out: better a record without than none.
std::span<const uint8_t> ResourceOfEvents(const AgentIdentity& identity, const AgentMemory& memory) {
  constexpr size_t kEventBytes = 512;
  const size_t slab_bytes = memory.slabs[Index(Signal::kLogs)].size();
  const bool fits = identity.resource.size() + kEventBytes <= slab_bytes;
  return fits ? identity.resource : std::span<const uint8_t>();
}

std::string_view TrustName(ClockTrust trust) {
  constexpr std::array<std::string_view, 3> kNames = {"trusted", "unsynchronized", "unset"};
  return kNames[static_cast<size_t>(trust)];
}

HostOptions MakeHostOptions(const Config& config, const AgentIdentity& identity) {
  const auto& host = config.host;
  return {.groups = host.groups | (host.process.empty() ? 0 : Bit(HostGroup::kProcess)) |
                    (host.textfile.empty() ? 0 : Bit(HostGroup::kTextfile)),
          .root = host.root,
          .exclude_devices = host.exclude_devices,
          .exclude_interfaces = host.exclude_interfaces,
          .exclude_filesystems = host.exclude_filesystems,
          .process = host.process,
          .textfile = host.textfile,
          .textfile_max_age = host.textfile_max_age,
          .names = host.names,
          .user_hz = identity.user_hz};
}

}  // namespace

Agent::Agent(const Config& config, const AgentIdentity& identity, const AgentMemory& memory,
             const AgentPorts& ports, PoolReporter& pools)
    : config_(config),
      identity_(identity),
      clock_(ports.clock),
      log_(ports.log),
      pools_(pools),
      started_(ports.clock.Monotonic()),
      queue_(memory.queue),
      batcher_(MakeBatcherOptions(config, identity), memory.slabs, memory.gzip, memory.packed, queue_, ledger_, ports.log),
      spooler_(MakeSpoolerOptions(config, identity, ports.spool), ports.spool, queue_, ledger_,
               ports.clock, ports.log),
      delivery_(config,
                {.own = memory.delivery,
                 .raw = Scratch(memory),
                 .packed = memory.packed,
                 .gzip = memory.gzip},
                ports.transports, queue_, spooler_, ledger_, ports.clock, ports.random, ports.log),
      cycle_clock_(ports.clock),
      host_(MakeHostOptions(config, identity),
            ports.files, cycle_clock_, ports.log, memory.read_buffer, ports.filesystems),
      encoder_(batcher_, identity.resource, identity.version,
               config.host.names == HostNames::kCollector ? std::string_view() : kSchemaUrl),
      logs_(batcher_, identity.version),
      log_sources_(ports.logs),
      extra_(ports.extra),
      steps_(config.clock.step),
      losses_(ledger_, Takes(config, Signal::kLogs) && !memory.slabs[Index(Signal::kLogs)].empty() ? &logs_ : nullptr,
              ResourceOfEvents(identity, memory), ports.log) {
  if (config.receive.present) {
    const OtlpReceiverOptions options = MakeReceiverOptions(config, identity.resource);
    receiver_.emplace(options, memory.receiver, Scratch(memory), ports.tokens, batcher_,
                      spooler_, ledger_, clock_, trust_, log_);
    if (config.receive.merge && options.merged.empty()) {
      log_.Warn("receive.otlp.resource = merge: the host's resource leaves no room in a batch, it is not added",
                {{"resource_bytes", identity.resource.size()}});
    }
  }
  if (log_sources_ != nullptr) batcher_.UseTracks(log_sources_->tracks(), log_sources_->tracks().marks_room());
  if (config.host.present) host_tick_.emplace(config.host.interval, started_);
  // Own metrics that no destination takes stay local (/metrics), outside the ledger.
  if (Takes(config, Signal::kMetrics) && config.self.interval > Duration{}) self_tick_.emplace(config.self.interval, started_);
  WatchClock(ReadClocks(clock_), true);
}

void Agent::Resume(const SpoolOpened& opened, const Status& status) {
  spooler_.Resume(opened, status);
  if (status.ok()) TakeOver(opened);
  StartTracks();
}

void Agent::StartTracks() {
  if (log_sources_ != nullptr) spooler_.UseTracks(log_sources_->tracks(), log_sources_->tracks());
}

/// A boot's id as the spool keeps it: two numbers of 63 bits.
static std::array<uint64_t, 2> Numbers(const BootId& boot) {
  std::array<uint64_t, 2> numbers;
  static_assert(sizeof numbers == sizeof boot.bytes);
  std::memcpy(numbers.data(), boot.bytes.data(), sizeof numbers);
  for (uint64_t& number : numbers) number &= INT64_MAX;
  return numbers;
}

void Agent::TakeOver(const SpoolOpened& opened) {
  delivery_.Resume(opened.account);
  const auto [high, low] = Numbers(identity_.boot);
  const KeptAccount::Section* const boot = opened.account.Find(kBootSection);
  if (boot != nullptr && boot->counts[1] == high && boot->counts[2] == low && boot_wall_ == UnixTime{}) {
    boot_wall_ = UnixTime{static_cast<int64_t>(boot->counts[0])};
  }
  for (size_t n = 0; log_sources_ != nullptr && n < log_sources_->count(); ++n) {
    const KeptAccount::Section* const kept = opened.account.Find(log_sources_->name(n));
    LoggedView before;
    for (size_t i = 0; kept != nullptr && i < std::size(kKeptOfLogs); ++i) before.*kKeptOfLogs[i] = kept->counts[i];
    log_sources_->Resume(n, before);
  }
  unclean_ = opened.loss_unknown || (!opened.fresh && !opened.clean);
  last_commit_before_ = opened.last_commit;
}

/// What an earlier process had not committed when it ended, nobody can count.
void Agent::TellOfCrash(const Stamp& now) {
  unclean_ = false;
  log_.Warn("the last process ended without a stop: what it had not committed is lost");
  for (const Signal signal : kSignals) {
    const Account& account = ledger_.account(signal);
    if (account.collected > 0 || (signal == Signal::kMetrics && host_tick_)) {
      losses_.TellOfCrash(signal, last_commit_before_, now.wall, now);
    }
  }
}

MonoTime Agent::OnTime(MonoTime now) {
  if (stopped_) return now;
  MonoTime next = kNever;
  const ClockReading reading = ReadClocks(clock_);
  const Stamp stamp{.wall = reading.wall, .mono = reading.mono, .trust = trust_};
  if (unclean_) TellOfCrash(stamp);
  if (!stopping_) {
    const bool host_due = HostDue(now);
    const bool self_due = self_tick_ && self_tick_->due() <= now;
    WatchClock(reading, host_due);
    if (host_due || self_due) Cycle(reading, host_due, self_due);
    if (host_tick_) next = std::min(next, host_begun_ ? host_latest_ : host_tick_->due());
    if (self_tick_) next = std::min(next, self_tick_->due());
    next = std::min(next, next_clock_check_);
    next = std::min(next, ReadLogs(stamp));
    if (extra_ != nullptr) next = std::min(next, extra_->OnTime(stamp, logs_));
    next = std::min(next, losses_.OnTime(stamp));
  }
  // A commit takes along what is open.
  if (!spooler_.ClosesOpenBatches()) next = std::min(next, batcher_.OnTime(now));
  MonoTime changes;
  const SignalSet reachable = delivery_.Reachable(now, config_.spool.commit_interval, changes);
  next = std::min({next, changes, spooler_.OnTime(now, reachable, *this, *this)});
  if (log_sources_ != nullptr && log_sources_->tracks().TakeNews()) next = now;
  if (const SpoolOpened* const late = spooler_.TakeLateOpening()) {
    TakeOver(*late);
    next = now;  // There may be a crash to tell of.
  }
  next = std::min(next, Deliver(now));
  next = std::min(next, spooler_.AnnounceDue(now));
  if (receiver_) next = std::min(next, receiver_->Due(now));
  if (stopping_) next = std::min(next, OnStopTime(now));
  const bool holding = Holding();
  if (!holding) held_since_ = kNever;
  if (holding && held_since_ == kNever) held_since_ = now;
  return next;
}

/// What can be read again waits where it is while there is little room, in memory or on flash.
MonoTime Agent::ReadLogs(const Stamp& now) {
  if (log_sources_ == nullptr) return kNever;
  logs_.set_room(spooler_.HasRoom(Signal::kLogs, 2 * size_t{config_.queue.batch_bytes}) && !spooler_.Crowded());
  return log_sources_->OnTime(now, logs_);
}

/// With a spool, only what is in memory and can leave at once is worth waiting for; without one that
/// can be used, whatever is in memory.
bool Agent::WorthFlushing() const {
  if (!spooler_.usable()) return AnyOpen() || !queue_.empty();
  return Holding() && Reaches() && std::none_of(kSignals.begin(), kSignals.end(), [this](Signal signal) {
           return spooler_.HasBacklog(signal);
         });
}

/// Has something that is held a destination whose breaker is closed?
bool Agent::Reaches() const {
  MonoTime unused;
  // From the first failure on for ever: until the breaker opens.
  const SignalSet reachable = delivery_.Reachable(clock_.Monotonic(), kForEver, unused);
  return std::any_of(kSignals.begin(), kSignals.end(), [&](Signal signal) {
    return held(signal).total() > 0 && (reachable >> Index(signal) & 1) != 0;
  });
}

/// First what can be delivered, then the rest to the spool, and in the end what neither took is lost.
MonoTime Agent::OnStopTime(MonoTime now) {
  const bool keeps = spooler_.usable();
  const MonoTime deadline = keeps ? flush_deadline_ : stop_deadline_;
  if (!keeps) {
    flushing_ = true;  // Also where the spool fails only now.
    if (!spooler_.stopping()) spooler_.Stop(now);  // It may take the rest yet.
  }
  if (flushing_ && now < deadline && WorthFlushing()) return deadline;
  flushing_ = false;
  // An answer that is on its way spares a repeat.
  if (delivery_.in_flight() && Reaches() && now < deadline) return deadline;
  delivery_.Abandon();
  if (!spooler_.stopping()) {
    spooler_.Stop(now);
    if (keeps && now < stop_deadline_) return now;
  }
  const bool nothing_left = !spooler_.usable() && queue_.empty();
  if (spooler_.finished() || nothing_left || now >= stop_deadline_) {
    for (const Signal signal : kSignals) {
      const uint64_t items = spooler_.held(signal).memory;
      if (items == 0) continue;
      log_.Error("what was held is dropped", {{"signal", SignalName(signal)},
                                              {"items", items},
                                              {"reason", DropReasonName(DropReason::kShutdown)}});
    }
    spooler_.DropMemory(DropReason::kShutdown);
    stopped_ = true;
    return now;
  }
  return stop_deadline_;
}

/// Is it time for a host cycle? One that is due first begins what other threads measure, and is held back
/// until they have it, a moment at most; its own time is read after that.
bool Agent::HostDue(MonoTime now) {
  if (!host_tick_ || host_tick_->due() > now) return false;
  if (!host_begun_) {
    host_begun_ = true;
    host_latest_ = now + std::min(kMeasureTime, config_.host.interval / 4);
    host_.Begin();
  }
  if (!host_.Ready() && now < host_latest_) return false;
  host_begun_ = false;
  return true;
}

/// One collection: everything in it carries the same time, read once.
void Agent::Cycle(const ClockReading& reading, bool host_due, bool self_due) {
  const MonoTime now = reading.mono;
  if (host_due) host_use_.skipped += host_tick_->Take(now)->missed;
  if (self_due) self_use_.skipped += self_tick_->Take(now)->missed;
  if (batcher_.Paused()) {
    // overflow = pause_sources: nothing is measured that could not be kept.
    if (host_due) ++host_use_.skipped;
    if (self_due) ++self_use_.skipped;
    return;
  }

  // One start per boot, and one of the process, fixed when first sent: made anew after a clock step they
  // would look like a reset of every counter.
  // Where the clock has been set back to 1970 the boot lies before it, which OTLP cannot say.
  constexpr UnixTime kEarliest{1};
  if (boot_wall_ == UnixTime{}) boot_wall_ = std::max(reading.wall - Duration{now.ns}, kEarliest);
  if (start_wall_ == UnixTime{}) start_wall_ = std::max(reading.wall - (now - started_), kEarliest);
  encoder_.Start({.wall = reading.wall, .mono = now, .trust = trust_}, boot_wall_);
  if (host_due) {
    const CollectResult result = host_.Collect(encoder_, boot_wall_, now, reading.wall);
    ++host_use_.cycles;
    host_use_.failed_in_a_row = result.points > 0 ? 0 : host_use_.failed_in_a_row + 1;
    host_problem_.Clear();
    host_.DescribeProblems(host_problem_);
  }
  if (self_due) {
    ++self_use_.cycles;
    encoder_.CountSince(start_wall_);
    ReportSelf();
  }
  encoder_.Finish();
  if (!spooler_.ClosesOpenBatches()) batcher_.Close(Signal::kMetrics);
}

void Agent::ReportSelf() {
  Snapshot snapshot;
  Fill(snapshot);
  EmitSelfMetrics(snapshot, encoder_);
}

/// Steps are seen at every turn; the kernel's word is asked at each cycle and once a minute.
void Agent::WatchClock(const ClockReading& reading, bool cycle) {
  if (const std::optional<Duration> step = steps_.Observe(reading)) {
    log_.Warn("the clock was stepped", {{"milliseconds", step->ns / 1'000'000}});
  }
  if (!cycle && reading.mono < next_clock_check_) return;
  next_clock_check_ = reading.mono + kClockCheck;
  const Result<ClockDiscipline>& discipline = cycle_clock_.Ask();
  synchronized_ = discipline.ok() && discipline.value().synchronized;
  const ClockTrust trust = JudgeClock(reading.wall, config_.clock.unset_before, discipline);
  if (trust != trust_) {
    log_.Info("clock", {{"state", TrustName(trust)}});
    if (trust == ClockTrust::kUnset) {
      log_.Warn("the clock is not set: items carry its wrong time (holding and correcting them is "
                "not available in this build)");
    }
  }
  trust_ = trust;
}

void Agent::Stop(MonoTime now) {
  if (stopping_) {
    stop_deadline_ = flush_deadline_ = now;
    return;
  }
  if (unclean_) TellOfCrash({.wall = clock_.Wall(), .mono = now, .trust = trust_});
  losses_.Finish({.wall = clock_.Wall(), .mono = now, .trust = trust_});
  stopping_ = true;
  if (log_sources_ != nullptr) log_sources_->Finish({.wall = clock_.Wall(), .mono = now, .trust = trust_}, logs_);
  if (receiver_) receiver_->Stop();
  const Duration timeout = config_.agent.shutdown_timeout;
  stop_deadline_ = now + timeout;
  flush_deadline_ = spooler_.finished() ? stop_deadline_ : now + timeout / 2;
  CloseAll(now);
  flushing_ = WorthFlushing();
  delivery_.HurryUp(flush_deadline_);
}

void Agent::WriteCounts(KeptAccount& account) const {
  delivery_.WriteCounts(account);
  if (boot_wall_ != UnixTime{}) {
    const auto [high, low] = Numbers(identity_.boot);
    account.At(kBootSection)->counts = {static_cast<uint64_t>(boot_wall_.ns), high, low};
  }
  for (size_t n = 0; log_sources_ != nullptr && n < log_sources_->count(); ++n) {
    const LoggedView view = log_sources_->View(n);
    KeptAccount::Section& kept = *account.At(log_sources_->name(n));
    for (size_t i = 0; i < std::size(kKeptOfLogs); ++i) kept.counts[i] = view.*kKeptOfLogs[i];
  }
}

void Agent::CloseAll(MonoTime) {
  for (const Signal signal : kSignals) {
    if (batcher_.open_items(signal) > 0) batcher_.Close(signal);
  }
}

bool Agent::AnyOpen() const {
  return std::any_of(kSignals.begin(), kSignals.end(),
                     [this](Signal signal) { return batcher_.open_items(signal) > 0; });
}

Held Agent::held(Signal signal) const {
  Held held = spooler_.held(signal);
  held.open = batcher_.open_items(signal);
  return held;
}

bool Agent::Holding() const { return AnyOpen() || !spooler_.empty(); }

bool Agent::Balances() const {
  return std::all_of(kSignals.begin(), kSignals.end(), [this](Signal signal) {
    return ledger_.account(signal).Balances(held(signal));
  });
}

/// Of the oldest item that is held. By boot time where it is of this boot, else by wall time.
Duration Agent::OldestAge(MonoTime now) {
  Duration age;
  if (const MonoTime open = batcher_.oldest_open(); open != kNever) age = now - open;
  const UnixTime wall = clock_.Wall();
  for (const Signal signal : kSignals) {
    for (const Part part : {Part::kSpooled, Part::kLive, Part::kNew, Part::kDying}) {
      const BatchId head = queue_.Head(signal, part);
      if (!head) continue;
      const BatchHeader& header = queue_.header(head);
      age = std::max(age, header.boot == identity_.boot ? now - header.first_mono
                                                        : wall - header.first_wall);
    }
  }
  return age;
}

void Agent::OnNetworkChange(MonoTime) { delivery_.OnNetworkChange(); }

void Agent::Fill(Snapshot& snapshot) {
  const MonoTime now = clock_.Monotonic();
  snapshot.version = identity_.version;
  snapshot.instance = spooler_.instance();
  snapshot.uptime = now - started_;
  snapshot.mono = now;
  snapshot.wall = clock_.Wall();
  for (const Signal signal : kSignals) {
    snapshot.ledger[Index(signal)] = ledger_.account(signal);
    snapshot.held[Index(signal)] = held(signal);
  }
  snapshot.queue.batches = queue_.batches();
  snapshot.queue.bytes = queue_.use().used;
  snapshot.queue.capacity_bytes = queue_.use().bytes;
  snapshot.queue.oldest = OldestAge(now);
  FillSpool(snapshot);
  FillDestinations(snapshot);
  size_t sources = 0;
  if (host_tick_) sources_[sources++] = {.name = "host", .problem = host_problem_.text(), .collected = &host_use_};
  if (self_tick_) sources_[sources++] = {.name = "self", .collected = &self_use_};
  if (receiver_) sources_[sources++] = {.name = "receive.otlp", .received = &receiver_->use()};
  for (size_t n = 0; log_sources_ != nullptr && n < log_sources_->count(); ++n) {
    log_uses_[n] = log_sources_->View(n);
    sources_[sources++] = {.name = log_sources_->name(n), .problem = log_sources_->problem(n), .logged = &log_uses_[n]};
  }
  snapshot.sources = std::span(sources_).first(sources);
  snapshot.clock.state = TrustName(trust_);
  snapshot.clock.steps = steps_.steps();
  snapshot.clock.synchronized = synchronized_;
  snapshot.pools = pools_.Report();
  if (const std::optional<Ticker>& tick = host_tick_ ? host_tick_ : self_tick_) {
    snapshot.tick_delay = ViewOf(tick->delay());
  }
  FillHealth(snapshot);
}

void Agent::FillSpool(Snapshot& snapshot) {
  const SpoolView view = spooler_.View();
  snapshot.spool.state = SpoolPhaseName(view.phase);
  if (view.phase == SpoolPhase::kOff) return;
  for (const SpoolTotals& totals : view.totals) snapshot.spool.batches += totals.batches;
  snapshot.spool.bytes = view.bytes;
  snapshot.spool.max_bytes = config_.spool.max_bytes;
  snapshot.spool.written_bytes = view.written_bytes;
  snapshot.spool.syncs = view.syncs;
  snapshot.spool.damaged = view.damaged;
  snapshot.spool.slowest_commit = view.slowest_commit;
  snapshot.spool.problem = spooler_.View().problem;
  if (snapshot.spool.batches > 0) snapshot.spool.oldest = snapshot.queue.oldest;
}

void Agent::FillDestinations(Snapshot& snapshot) {
  size_t count = 0;
  for (const Destination& destination : delivery_.destinations()) {
    DestinationView& view = destination_views_[count++] = destination.View(snapshot.mono);
    for (const Signal signal : kSignals) {
      view.active[Index(signal)] = delivery_.router().Active(signal, destination, snapshot.mono);
    }
  }
  snapshot.destinations = std::span(destination_views_).first(count);
}

void Agent::FillHealth(Snapshot& snapshot) {
  HealthFacts facts;
  facts.now = snapshot.mono;
  facts.started = started_;
  for (const Held& h : snapshot.held) facts.held += h.total();
  facts.held_since = held_since_;
  for (const Destination& d : delivery_.destinations()) {
    facts.last_answer = std::max(facts.last_answer, d.last_answer());
    facts.last_accepted = std::max(facts.last_accepted, d.last_accepted());
    facts.longest_pause = std::max(facts.longest_pause, d.longest_pause());
  }
  facts.destination = config_.destinations[0].name;
  // A signal that nobody takes because of our settings, or at all for now.
  for (const Signal signal : kSignals) {
    bool taken = false, sound = false, misconfigured = true;
    const Destination* one = nullptr;
    for (const Destination& d : delivery_.destinations()) {
      if (!d.Takes(signal)) continue;
      taken = true;
      sound = sound || d.Sound(signal);
      misconfigured = misconfigured && d.Misconfigured(signal);
      if (one == nullptr || !d.Sound(signal)) one = &d;
    }
    if (!taken || sound) continue;
    facts.delivering = false;
    if (facts.misconfigured) continue;  // That comes first.
    facts.misconfigured = misconfigured;
    facts.destination = one->name();
    facts.last_error = one->last_error();
  }
  facts.dropping = losses_.dropping();
  facts.spool_problem = snapshot.spool.problem;
  // The own metrics cannot fail, so they do not count as a source here.
  facts.all_sources_failed =
      host_tick_.has_value() && host_use_.failed_in_a_row >= kFailedCycles;
  // Groups that this kernel does not have are no problem, but nothing else is left then.
  facts.source_problem =
      host_problem_.text().empty() ? "nothing of host.metrics exists on this system" : host_problem_.text();
  health_.Judge(facts);

  snapshot.health.ok = health_.ok();
  snapshot.health.delivery = health_.delivery();
  snapshot.health.reason_count = health_.reason_count();
  for (size_t i = 0; i < health_.reason_count(); ++i) {
    snapshot.health.reasons[i] = health_.reason(i);
  }
  snapshot.health.ready = !host_tick_ || host_use_.cycles > 0;
}

}  // namespace limpet
