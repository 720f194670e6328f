// The other world: the port's interfaces with virtual time. Everything that happens is decided by
// one seed, and a day passes in a second.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "limpet/files.h"
#include "limpet/log.h"
#include "limpet/poller.h"
#include "limpet/random.h"
#include "limpet/time.h"
#include "limpet/transport.h"
#include "limpet/worker.h"

namespace limpet::sim {

/// Both clocks, turned by hand. Wall time is boot time plus an offset that tests may step.
class SimClock final : public Clock {
 public:
  static constexpr UnixTime kStart{1'750'000'000'000'000'000};
  MonoTime mono{Seconds(100).ns};
  Duration wall_offset{kStart.ns - Seconds(100).ns};
  ClockDiscipline discipline{.synchronized = true, .offset = {}, .max_error = {}};

  MonoTime Monotonic() override { return mono; }
  UnixTime Wall() override { return {mono.ns + wall_offset.ns}; }
  Result<ClockDiscipline> Discipline() override { return discipline; }
};

class SimRandom final : public Random {
 public:
  explicit SimRandom(uint64_t seed) : generator_(seed) {}
  uint64_t Next() override { return generator_(); }

 private:
  std::mt19937_64 generator_;
};

/// Files by path; a file may be absent, or fail when it is read.
class SimFiles final : public Files {
 public:
  std::map<std::string, std::string> contents;
  std::map<std::string, Code> failing;  ///< Opening and reading of this path fail.
  std::map<std::string, std::string> links;   ///< Symbolic links: they are not followed.
  std::map<std::string, UnixTime> modified;
  size_t reads = 0;
  bool tells_changes = false;  ///< HasChanged says once that `changed` was set; or else always.
  bool changed = false;

  bool HasChanged(int) override { return !tells_changes || std::exchange(changed, false); }
  Result<int> Open(std::string_view path) override;
  Result<size_t> ReadAt(int file, uint64_t offset, std::span<char> into) override;
  void Close(int file) override { open_.erase(file); }
  Result<UnixTime> ModifiedAt(int file) override { return modified[open_.at(file)]; }
  /// The next part of each path below, whether a file, a directory or a link.
  Status ListNames(std::string_view path, NameSink& sink) override;
  Result<std::string_view> ReadLink(std::string_view path, std::span<char> into) override;
  size_t open_files() const { return open_.size(); }

 private:
  std::map<int, std::string> open_;
  int next_ = 3;
};

/// Remembers what was logged.
class SimLog final : public Log {
 public:
  std::vector<std::string> lines;  ///< "warn message key=value …"
  void Write(Level level, const char* message, std::initializer_list<LogField> fields) override;
  /// How many lines contain the text.
  size_t Count(std::string_view text) const;
};

/// A request as the destination saw it.
struct SimRequest {
  MonoTime at;
  Signal signal;
  Encoding encoding;
  std::string key;
  std::vector<uint8_t> body;
  bool probe() const { return key.empty(); }
};

/// What the destination does with it.
struct SimAnswer {
  Sent sent = Sent::kAnswered;
  int status = 200;
  Duration delay = Milliseconds(5);
  std::string retry_after, date, error;
  std::vector<uint8_t> body;
  bool refuse_memory = false;  ///< Send itself fails with kFull.
};

/// One destination whose answers a function decides.
class SimTransport final : public Transport {
 public:
  explicit SimTransport(SimClock& clock) : clock_(clock) {}

  std::function<SimAnswer(const SimRequest&)> answer = [](const SimRequest&) {
    return SimAnswer{};
  };
  std::vector<SimRequest> requests;
  bool keep_bodies = true;

  Status Send(const Request& request, AnswerHandler& handler) override;
  std::function<void()> lost = [] {};  ///< An answer is on its way when the request is cancelled.
  void Cancel() override {
    if (due_) lost();
    due_.reset();
  }

  /// Does a knock find someone?
  std::function<bool()> open = [] { return true; };
  Duration knock_delay = Milliseconds(2);
  size_t knocks = 0, renewals = 0;

  Status Knock(KnockHandler& handler) override;
  void StopKnocking() override { knock_due_.reset(); }
  void Renew() override { ++renewals; }

  /// When the answer in flight, or that to a knock, arrives; kNever when there is none.
  MonoTime next() const { return std::min(due_.value_or(kNever), knock_due_.value_or(kNever)); }
  bool data_in_flight() const { return due_ && !probe_; }
  void OnTime(MonoTime now);

 private:
  SimClock& clock_;
  bool probe_ = false;
  std::optional<MonoTime> due_;
  SimAnswer pending_;
  AnswerHandler* handler_ = nullptr;
  MonoTime sent_at_;
  std::optional<MonoTime> knock_due_;
  bool connected_ = false;  // What the knock will hear.
  KnockHandler* knock_handler_ = nullptr;
};

/// The worker, whose tasks take as long as they are told to. Without a latency a task has ended
/// before Begin returns.
class SimWorker final : public Worker {
 public:
  explicit SimWorker(SimClock& clock) : clock_(clock) {}

  Duration latency;          ///< Of the tasks that begin from now on.
  bool work_at_end = false;  ///< What a task does is done at its end, not at once.
  /// Called in front of a task's work, and behind it.
  std::function<void()> before = [] {}, after = [] {};
  size_t tasks = 0;          ///< That have begun.

  void Begin(Task& task) override;
  bool TakeDone() override;

  bool busy() const { return task_ != nullptr; }
  /// When the running task ends; kNever when there is none.
  MonoTime next() const { return busy() ? ends_ : kNever; }
  /// The process ends: whatever was running is left as it is.
  void Forget() { task_ = nullptr; }

 private:
  void Work();

  SimClock& clock_;
  Task* task_ = nullptr;
  bool worked_ = false;
  MonoTime ends_;
};

/// Waits by turning the clock to what comes first.
class SimPoller final : public Poller {
 public:
  SimPoller(SimClock& clock, SimTransport& transport, const SimWorker* worker = nullptr)
      : transports{&transport}, clock_(clock), worker_(worker) {}
  Status Watch(int, uint8_t, PollHandler&) override { return {}; }
  void Forget(int) override {}
  Status Wait(MonoTime until) override;

  /// A tick comes this much late.
  std::function<Duration()> lateness = [] { return Duration{}; };
  /// Never past this: a loop with nothing to do ends here.
  MonoTime horizon = kNever;
  std::vector<SimTransport*> transports;

 private:
  SimClock& clock_;
  const SimWorker* const worker_;
};

}  // namespace limpet::sim
