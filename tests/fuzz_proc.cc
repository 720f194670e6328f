// Fuzzes the parsers of /proc, /sys and /etc: the first byte chooses one, the rest is the file. What
// comes out keeps within the tables and to what OTLP can hold, and names are plain text.
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "collect/cpu_sysfs.h"
#include "collect/diskstats.h"
#include "collect/host_collector.h"
#include "collect/identity.h"
#include "collect/line_reader.h"
#include "collect/loadavg.h"
#include "collect/meminfo.h"
#include "collect/mountinfo.h"
#include "collect/net_dev.h"
#include "collect/net_sockets.h"
#include "collect/os_release.h"
#include "collect/pressure.h"
#include "collect/proc_pid.h"
#include "collect/proc_stat.h"
#include "collect/scan.h"
#include "collect/swaps.h"
#include "collect/vmstat.h"

namespace limpet {
namespace {

constexpr uint64_t kMost = std::numeric_limits<int64_t>::max();

void Within(uint64_t value) { LIMPET_CHECK(value <= kMost); }
void Within(const std::optional<uint64_t>& value) { LIMPET_CHECK(!value || *value <= kMost); }
void Part(double value) { LIMPET_CHECK(std::isfinite(value) && value >= 0); }
/// Does the view, unless empty, lie in the text?
void Inside(std::string_view view, std::string_view text) {
  LIMPET_CHECK(view.empty() || (view.data() >= text.data() &&
                                view.data() + view.size() <= text.data() + text.size()));
}

void Stat(std::string_view text) {
  const Result<ProcStat> stat = ParseProcStat(text);
  if (!stat.ok()) return;
  LIMPET_CHECK(stat.value().cpus > 0 && stat.value().online.count() <= stat.value().cpus);
  for (const uint64_t ticks : stat.value().all.column) Within(ticks);
  Within(stat.value().boot_time_s);
  Within(stat.value().processes);
}

void Memory(std::string_view text) {
  const Result<MemInfo> info = ParseMemInfo(text);
  if (!info.ok()) return;
  for (size_t i = 0; i < kMemFieldCount; ++i) Within(info.value()[static_cast<MemField>(i)]);
  const MemStates states = SplitMemory(info.value());
  LIMPET_CHECK(states.used + states.free + states.buffers + states.cached == info.value()[MemField::kTotal]);
}

void Network(std::string_view text) {
  std::array<Interface, 3> table;
  const Result<NetDev> net = ParseNetDev(text, "lo, veth*", table);
  if (!net.ok()) return;
  LIMPET_CHECK(net.value().count <= table.size());
  for (const Interface& i : std::span(table).first(net.value().count)) {
    Inside(i.name, text);
    LIMPET_CHECK(!i.name.empty() && IsPlainText(i.name) && i.name != "lo");
    for (const Traffic& t : {i.receive, i.transmit}) {
      for (const uint64_t n : {t.bytes, t.packets, t.errors, t.dropped}) Within(n);
    }
  }
}

void Disks(std::string_view text) {
  std::array<Disk, 3> table;
  const Result<DiskStats> disks = ParseDiskStats(text, "loop*", table);
  if (!disks.ok()) return;
  LIMPET_CHECK(disks.value().count <= table.size());
  for (const Disk& d : std::span(table).first(disks.value().count)) {
    Inside(d.name, text);
    LIMPET_CHECK(!d.name.empty() && IsPlainText(d.name) && !d.name.starts_with("loop"));
    for (const uint64_t n : {d.read.bytes, d.write.bytes, d.read.operations, d.write.time_ms, d.pending,
                             d.busy_ms, d.weighted_busy_ms}) {
      Within(n);
    }
  }
}

void DiskSize(std::string_view text) {
  if (const Result<uint64_t> bytes = ParseDiskSize(text); bytes.ok()) Within(bytes.value());
}

void Vm(std::string_view text) {
  const Result<VmStat> vm = ParseVmStat(text);
  if (!vm.ok()) return;
  for (const auto& n : {vm.value().pgfault, vm.value().pgmajfault, vm.value().pswpin, vm.value().pswpout,
                        vm.value().pgpgin, vm.value().pgpgout}) {
    Within(n);
  }
}

void SwapSpace(std::string_view text) {
  std::array<Swap, 2> table;
  const Result<Swaps> swaps = ParseSwaps(text, table);
  if (!swaps.ok()) return;
  LIMPET_CHECK(swaps.value().count <= table.size());
  for (const Swap& swap : std::span(table).first(swaps.value().count)) {
    Inside(swap.name, text);
    LIMPET_CHECK(!swap.name.empty() && IsPlainText(swap.name) && swap.used_bytes <= swap.size_bytes);
    Within(swap.size_bytes);
  }
}

void Load(std::string_view text) {
  const Result<LoadAverage> load = ParseLoadAverage(text);
  if (!load.ok()) return;
  for (const double n : {load.value().one, load.value().five, load.value().fifteen}) Part(n);
}

void Stalls(std::string_view text) {
  const Result<Pressure> pressure = ParsePressure(text);
  if (!pressure.ok()) return;
  for (const Stall& stall : {pressure.value().some, pressure.value().full}) {
    for (const double part : stall.average) Part(part);
    Within(stall.total_us);
  }
}

void Release(std::string_view text) {
  std::vector<char> copy(text.begin(), text.end());
  const OsRelease os = ParseOsRelease(copy);
  for (const std::string_view value : {os.name, os.version_id, os.pretty_name, os.build_id}) {
    Inside(value, {copy.data(), copy.size()});
    LIMPET_CHECK(value.find('\n') == std::string_view::npos);
  }
}

void Names(std::string_view text) {
  const Result<std::string_view> id = ParseMachineId(text);
  LIMPET_CHECK(!id.ok() || (id.value().size() == 32 && IsPlainText(id.value())));
  (void)ParseBootId(text).ok();
  const BoardName board = ParseCompatible(text);
  Inside(board.vendor, text);
  Inside(board.name, text);
  LIMPET_CHECK(board.name.starts_with(board.vendor));
  Inside(ParseModel(text), text);
}

void Cpu(std::string_view text) {
  (void)ParseCpuLine(text).ok();
  (void)ParseFirstCpu(text).ok();
  if (const Result<uint64_t> hz = ParseFrequency(text); hz.ok()) Within(hz.value());
}

void Sockets(std::string_view text) {
  (void)ParseSocketHeading(text).ok();
  const Result<size_t> state = ParseSocketState(text);
  LIMPET_CHECK(!state.ok() || (state.value() > 0 && state.value() <= kTcpStates));
}

void OneProcess(std::string_view text) {
  if (const Result<PidStat> got = ParsePidStat(text); got.ok()) {
    const PidStat& s = got.value();
    Inside(s.name, text);
    for (const uint64_t n : {s.parent, s.minor_faults, s.major_faults, s.user_ticks, s.system_ticks,
                             s.threads, s.start_ticks}) {
      Within(n);
    }
  }
  if (const Result<PidStatus> got = ParsePidStatus(text); got.ok()) {
    const PidStatus& s = got.value();
    for (const auto& n : {s.user, s.virtual_bytes, s.resident_bytes, s.voluntary, s.involuntary}) Within(n);
  }
  if (const Result<PidIo> got = ParsePidIo(text); got.ok()) {
    const PidIo& io = got.value();
    for (const uint64_t n : {io.read_bytes, io.written_bytes, io.reads, io.writes}) Within(n);
  }
  const std::string_view cgroup = ParsePidCgroup(text);
  Inside(cgroup, text);
  LIMPET_CHECK(cgroup.find('\n') == std::string_view::npos);
  if (const auto user = ParseUser(text, 33)) LIMPET_CHECK(!user->empty() && text.starts_with(*user));
}

/// Every file has the same text, every link leads to it, and there is one process.
class OneFile final : public Files {
 public:
  explicit OneFile(std::string_view text) : text_(text) {}
  Result<int> Open(std::string_view) override { return ++open_; }
  Result<size_t> ReadAt(int, uint64_t offset, std::span<char> into) override {
    if (offset >= text_.size()) return size_t{0};
    const std::string_view rest = text_.substr(static_cast<size_t>(offset)).substr(0, into.size());
    std::memcpy(into.data(), rest.data(), rest.size());
    return rest.size();
  }
  void Close(int) override { --open_; }
  Result<UnixTime> ModifiedAt(int) override { return UnixTime{}; }
  Status ListNames(std::string_view, NameSink& sink) override {
    for (const char* name : {"self", "7", "99999999999"}) sink.OnName(name);
    return {};
  }
  Result<std::string_view> ReadLink(std::string_view, std::span<char> into) override {
    return std::string_view(into.data(), ReadAt(0, 0, into).value());
  }
  int open() const { return open_; }

 private:
  std::string_view text_;
  int open_ = 0;
};

/// The lines are those of the whole text, in a buffer that need not hold it.
void Lines(std::string_view text) {
  OneFile files(text);
  std::array<char, 64> buffer;
  LineReader reader(files, 1, buffer);
  std::string_view line, expected;
  while (reader.Next(line)) LIMPET_CHECK(TakeLine(text, expected) && line == expected);
  if (reader.status().ok()) {
    LIMPET_CHECK(reader.rest() == text);
  } else {
    LIMPET_CHECK(reader.status().code == Code::kFull && text.find('\n') >= buffer.size());
  }
}

/// Of what is mounted; the table and its texts are small, so that both fill up.
void MountsOf(std::string_view text) {
  OneFile files(text);
  std::array<char, 512> buffer;
  std::array<char, MountTable::kPointMax + 64> texts;
  std::array<Mount, 3> table;
  MountTable mounts(table, texts, "tmpfs, fuse.*");
  LineReader lines(files, 1, buffer);
  (void)ReadMounts(lines, mounts).ok();
  LIMPET_CHECK(mounts.mounts().size() <= table.size());
  for (const Mount& mount : mounts.mounts()) {
    for (const std::string_view name : {mount.source, mount.type, mount.point}) {
      Inside(name, {texts.data(), 64});
      LIMPET_CHECK(IsPlainText(name));
    }
    LIMPET_CHECK(mount.point.starts_with('/') && !mount.type.empty() && mount.type != "tmpfs" &&
                 mount.type != "proc");
    for (const Mount& other : mounts.mounts()) {
      LIMPET_CHECK(&other == &mount || other.point != mount.point);
    }
    LIMPET_CHECK(IsBelow(mount.point, "/") && IsBelow(mount.point, mount.point));
  }
}

class StillClock final : public Clock {
 public:
  MonoTime Monotonic() override { return MonoTime{} + Seconds(1000); }
  UnixTime Wall() override { return UnixTime{} + Seconds(1'750'000'000); }
  Result<ClockDiscipline> Discipline() override { return ClockDiscipline{}; }
};

class NoLog final : public Log {
 public:
  void Write(Level, const char*, std::initializer_list<LogField>) override {}
};

class CheckingSink final : public MetricSink {
 public:
  void BeginEntity(std::span<const Attribute> attributes, UnixTime start) override {
    LIMPET_CHECK(!entity_ && start >= UnixTime{} + Seconds(1) && start <= UnixTime{} + Seconds(1001));
    entity_ = true;
    Check(attributes);
  }
  void EndEntity() override { entity_ = false; }
  void Begin(const Metric&) override {}
  void Int(std::span<const Attribute> attributes, int64_t value) override {
    LIMPET_CHECK(value >= 0);
    Check(attributes);
  }
  void Double(std::span<const Attribute> attributes, double value) override {
    Part(value);
    Check(attributes);
  }
  void Histogram(std::span<const Attribute>, std::span<const double>, std::span<const uint64_t>,
                 double) override {}

 private:
  static void Check(std::span<const Attribute> attributes) {
    for (const Attribute& a : attributes) LIMPET_CHECK(a.is_number || IsPlainText(a.text));
  }
  bool entity_ = false;
};

/// The groups that read the files of processes and sockets.
void Groups(std::string_view text) {
  OneFile files(text);
  StillClock clock;
  NoLog log;
  CheckingSink sink;
  static char buffer[kProcFileBytes];
  {
    const auto collector = std::make_unique<HostCollector>(
        HostOptions{.groups = Bit(HostGroup::kConnections) | Bit(HostGroup::kProcesses) |
                              Bit(HostGroup::kProcess),
                    .process = "a*, *z"},
        files, clock, log, buffer);
    for (int cycle = 0; cycle < 2; ++cycle) collector->Collect(sink, UnixTime{} + Seconds(1));
  }
  LIMPET_CHECK(files.open() == 0);
}

constexpr void (*kParsers[])(std::string_view) = {
    Stat, Memory, Network, Disks, DiskSize, Vm, SwapSpace, Load, Stalls, Release, Names, Cpu, Sockets,
    OneProcess, Lines, Groups, MountsOf};

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  if (size == 0) return 0;
  // A copy of its own, so that a read behind the end is seen.
  const std::vector<char> text(data + 1, data + size);
  kParsers[data[0] % std::size(kParsers)]({text.data(), text.size()});
  return 0;
}
