#include "collect/process_group.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/calendar.h"
#include "collect/line_reader.h"
#include "collect/scan.h"

namespace limpet {
namespace {

constexpr Metric kCpuTime{"process.cpu.time", "s", Instrument::kCounter};
constexpr Metric kMemoryUsage{"process.memory.usage", "By", Instrument::kUpDownCounter};
constexpr Metric kMemoryVirtual{"process.memory.virtual", "By", Instrument::kUpDownCounter};
constexpr Metric kDiskIo{"process.disk.io", "By", Instrument::kCounter};
constexpr Metric kDiskOperations{"process.disk.operations", "{operation}", Instrument::kCounter};
constexpr Metric kThreads{"process.thread.count", "{thread}", Instrument::kUpDownCounter};
constexpr Metric kFileDescriptors{"process.unix.file_descriptor.count", "{file_descriptor}",
                                  Instrument::kUpDownCounter};
constexpr Metric kSwitches{"process.context_switches", "{context_switch}", Instrument::kCounter};
constexpr Metric kFaults{"process.paging.faults", "{fault}", Instrument::kCounter};
constexpr Metric kUptime{"process.uptime", "s", Instrument::kGauge};

constexpr std::string_view kMode = "cpu.mode";
constexpr std::string_view kDirection = "disk.io.direction";
constexpr std::string_view kSwitchType = "process.context_switch.type";
constexpr std::string_view kFaultType = "system.paging.fault.type";

constexpr size_t kTextMax = 511;       // Of an attribute; a longer one is left out.
constexpr size_t kTextsBytes = 1536;   // Of all of a process together.

/// Names of users by id, found in the host's /etc/passwd. It lives for one cycle: they may change.
class UserNames {
 public:
  /// Its number where it has no name, or one that is no text.
  std::string_view Find(const GroupContext& context, uint64_t user) {
    for (const Entry& entry : std::span(entries_).first(std::min(count_, entries_.size()))) {
      if (entry.user == user) return entry.name.text();
    }
    Entry& entry = entries_[count_++ % entries_.size()];
    entry.user = user;
    entry.name.Clear();
    Look(context, entry);
    if (entry.name.size() == 0) entry.name << user;
    return entry.name.text();
  }

 private:
  struct Entry {
    uint64_t user = 0;
    TextBuffer<32> name;
  };

  static void Look(const GroupContext& context, Entry& entry) {
    const Result<int> file = context.root.Open("/etc/passwd");
    if (!file.ok()) return;
    LineReader reader(context.root.files(), file.value(), context.buffer);
    std::string_view line;
    std::optional<std::string_view> name;
    while (!name && reader.Next(line)) name = ParseUser(line, entry.user);
    if (!name) name = ParseUser(reader.rest(), entry.user);  // An editor may leave it so.
    if (name && IsPlainText(*name)) entry.name << *name;
    if (entry.name.overflowed()) entry.name.Clear();
    context.root.files().Close(file.value());
  }

  std::array<Entry, 8> entries_;
  size_t count_ = 0;  // Ever made: the oldest is replaced.
};

/// The attributes of a process' resource, and the texts that they point to.
class Identity {
 public:
  void Add(const Attribute& attribute) { list_[count_++] = attribute; }
  /// Keeps a text, unless it is empty, too long or not UTF-8.
  void Keep(std::string_view key, std::string_view value) {
    if (value.empty() || value.size() > kTextMax || !IsPlainText(value)) return;
    if (value.size() > texts_.size() - used_) return;
    char* const copy = texts_.data() + used_;
    std::memcpy(copy, value.data(), value.size());
    used_ += value.size();
    Add({key, std::string_view(copy, value.size())});
  }
  std::span<const Attribute> attributes() const { return std::span(list_).first(count_); }

 private:
  std::array<Attribute, 7> list_;
  std::array<char, kTextsBytes> texts_;
  size_t count_ = 0, used_ = 0;
};

class NameCounter final : public NameSink {
 public:
  void OnName(std::string_view) override { ++count; }
  uint64_t count = 0;
};

/// Since boot, which is no later than now: what is later is no time.
Duration SinceBoot(uint64_t ticks, uint32_t user_hz, MonoTime now) {
  if (ticks / user_hz >= static_cast<uint64_t>(now.ns / Seconds(1).ns) + 1) return {now.ns};
  const Duration seconds = Seconds(static_cast<int64_t>(ticks / user_hz));
  return std::min(seconds + Seconds(static_cast<int64_t>(ticks % user_hz)) / user_hz, Duration{now.ns});
}

/// One of the processes, in one cycle.
class Reporter {
 public:
  Reporter(const GroupContext& context, Points& out) : context_(context), out_(out) {}

  /// Nothing where it has ended meanwhile, or where another one has its id now.
  void Report(uint32_t pid) {
    if (!process_.Read(context_.root, pid)) return;
    if (!process_.Matches(context_.root, context_.options.process)) return;
    const PidStat& stat = process_.stat();
    const PidStatus status = Parse(ParsePidStatus, pid, "status");
    // One that began while they were read counts from the cycle on.
    const Duration started = SinceBoot(stat.start_ticks, context_.options.user_hz, context_.mono);
    const UnixTime begin = std::min(context_.boot + started, context_.wall);

    Identity identity;
    identity.Add({"process.pid", pid});
    identity.Add({"process.parent_pid", stat.parent});
    identity.Keep("process.executable.name", process_.FullName(context_.root));
    identity.Keep("process.executable.path", ReadExecutable(context_.root, pid, context_.buffer));
    if (status.user) identity.Keep("process.owner", users_.Find(context_, *status.user));
    TextBuffer<32> time;
    WriteRfc3339(time, begin);
    identity.Keep("process.creation.time", time.text());
    if (const Result<std::string_view> text = Read(pid, "cgroup"); text.ok()) {
      identity.Keep("process.linux.cgroup", ParsePidCgroup(text.value()));
    }

    out_.BeginEntity(identity.attributes(), begin);
    EmitStat(stat, ToSeconds(context_.mono - (MonoTime{} + started)));
    EmitStatus(status);
    EmitIo(pid);
    EmitFileDescriptors(pid);
    out_.EndEntity();
  }

  /// Was there something that only another user may read?
  bool denied() const { return denied_; }

 private:
  Result<std::string_view> Read(uint32_t pid, std::string_view file) {
    return context_.root.ReadValue(PidPath(pid, file).text(), context_.buffer);
  }

  /// What the parser makes of the file; nothing when it cannot be read, or makes no sense.
  template <typename T>
  T Parse(Result<T> (*parse)(std::string_view), uint32_t pid, std::string_view file) {
    const Result<std::string_view> text = Read(pid, file);
    denied_ = denied_ || text.status().code == Code::kDenied;
    if (!text.ok()) return {};
    const Result<T> parsed = parse(text.value());
    return parsed.ok() ? parsed.value() : T{};
  }

  double Ticks(uint64_t ticks) const {
    return static_cast<double>(ticks) / context_.options.user_hz;
  }

  void EmitStat(const PidStat& stat, double uptime) {
    out_.Begin(kCpuTime);
    out_.Double({kMode, "user"}, Ticks(stat.user_ticks));
    out_.Double({kMode, "system"}, Ticks(stat.system_ticks));
    out_.Begin(kFaults);
    out_.Int({kFaultType, "major"}, stat.major_faults);
    out_.Int({kFaultType, "minor"}, stat.minor_faults);
    out_.Single(kThreads, stat.threads);
    out_.Single(kUptime, uptime);
  }

  void EmitStatus(const PidStatus& status) {
    if (status.resident_bytes) out_.Single(kMemoryUsage, *status.resident_bytes);
    if (status.virtual_bytes) out_.Single(kMemoryVirtual, *status.virtual_bytes);
    out_.Begin(kSwitches);
    if (status.voluntary) out_.Int({kSwitchType, "voluntary"}, *status.voluntary);
    if (status.involuntary) out_.Int({kSwitchType, "involuntary"}, *status.involuntary);
  }

  void EmitIo(uint32_t pid) {
    const std::optional<PidIo> io = Parse(ParseIo, pid, "io");
    if (!io) return;
    out_.Begin(kDiskIo);
    out_.Int({kDirection, "read"}, io->read_bytes);
    out_.Int({kDirection, "write"}, io->written_bytes);
    out_.Begin(kDiskOperations);
    out_.Int({kDirection, "read"}, io->reads);
    out_.Int({kDirection, "write"}, io->writes);
  }

  static Result<std::optional<PidIo>> ParseIo(std::string_view text) {
    const Result<PidIo> io = ParsePidIo(text);
    if (!io.ok()) return io.status();
    return std::optional(io.value());
  }

  void EmitFileDescriptors(uint32_t pid) {
    NameCounter names;
    const Status listed = context_.root.ListNames(PidPath(pid, "fd").text(), names);
    denied_ = denied_ || listed.code == Code::kDenied;
    if (listed.ok()) out_.Single(kFileDescriptors, names.count);
  }

  const GroupContext& context_;
  Points& out_;
  ProcessReader process_;
  UserNames users_;
  bool denied_ = false;
};

}  // namespace

Status ProcessGroup::Collect(const GroupContext& context, Points& out) {
  // The group `processes` comes first, and has walked already.
  const bool walked = (context.options.groups & Bit(HostGroup::kProcesses)) != 0;
  LIMPET_TRY(walked ? walk_.status() : walk_.Run(context));
  if (walk_.left_out() != 0 && !said_left_out_) {
    said_left_out_ = true;
    context.log.Warn("processes are left out: more match [host] process than are reported",
                     {{"left_out", walk_.left_out()}, {"at_most", ProcessWalk::kMatchesMax}});
  }
  Reporter reporter(context, out);
  for (const uint32_t pid : walk_.matches()) reporter.Report(pid);
  if (reporter.denied() && !said_denied_) {
    said_denied_ = true;
    context.log.Info("some metrics of processes are left out: they are those of other users, which takes "
                     "CAP_SYS_PTRACE");
  }
  return {};
}

}  // namespace limpet
