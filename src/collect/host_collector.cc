#include "collect/host_collector.h"

#include "collect/collector_names.h"

namespace limpet {
namespace {

/// What a kernel does not have is no problem that anybody could solve.
bool Fails(const Status& status) { return !status.ok() && status.code != Code::kUnsupported; }

}  // namespace

std::string_view HostGroupName(HostGroup group) {
  static constexpr std::array<std::string_view, kHostGroupCount> kNames = {
      "cpu",         "load",      "memory", "paging",   "disk",    "filesystem", "network",
      "connections", "processes", "system", "pressure", "thermal", "hwmon",      "power",
      "flash",       "clock",     "process", "textfile"};
  return kNames[static_cast<size_t>(group)];
}

HostCollector::HostCollector(const HostOptions& options, Files& files, Clock& clock, Log& log,
                             std::span<char> buffer, const FilesystemProbe& filesystems)
    : options_(options),
      root_(files, options.root),
      clock_(clock),
      log_(log),
      buffer_(buffer),
      filesystem_(filesystems) {
  LIMPET_CHECK(options.user_hz > 0);
}

HostCollector::~HostCollector() {
  for (Group* const group : groups_) group->Close(root_.files());
}

void HostCollector::Begin() {
  if ((options_.groups & Bit(HostGroup::kFilesystem)) != 0) filesystem_.Begin(Context({}, clock_.Monotonic(), clock_.Wall()));
}

CollectResult HostCollector::Collect(MetricSink& sink, UnixTime boot, MonoTime mono, UnixTime wall) {
  CollectResult result;
  CollectorNames renaming(sink);
  const bool rename = options_.names == HostNames::kCollector;
  Points out(rename ? static_cast<MetricSink&>(renaming) : sink);
  const GroupContext context = Context(boot, mono, wall);
  for (size_t i = 0; i < kHostGroupCount; ++i) {
    const auto group = static_cast<HostGroup>(i);
    if ((options_.groups & Bit(group)) == 0) continue;
    const Status status = groups_[i]->Collect(context, out);
    if (Fails(status)) result.failed |= Bit(group);
    Report(group, status);
  }
  result.points = out.count();
  return result;
}

void HostCollector::Report(HostGroup group, const Status& status) {
  Health& health = health_[static_cast<size_t>(group)];
  if (Fails(status) && !Fails(health.problem)) {
    log_.Warn("a group of host metrics cannot be read", {{"group", HostGroupName(group)},
                                                         {"where", status.where},
                                                         {"error", CodeName(status.code)},
                                                         {"number", status.detail}});
  }
  if (status.code == Code::kUnsupported && health.problem.code != Code::kUnsupported) {
    log_.Info("a group of host metrics is not available on this kernel",
              {{"group", HostGroupName(group)}, {"where", status.where}});
  }
  if (status.ok() && !health.problem.ok()) {
    log_.Info("a group of host metrics can be read again",
              {{"group", HostGroupName(group)}, {"cycles_missed", health.cycles}});
  }
  health.problem = status;
  health.cycles = status.ok() ? 0 : health.cycles + 1;
}

void HostCollector::DescribeProblems(TextWriter& out) const {
  for (size_t i = 0; i < kHostGroupCount; ++i) {
    const Status& problem = health_[i].problem;
    if (!Fails(problem)) continue;
    if (out.size() != 0) out << "; ";
    out << HostGroupName(static_cast<HostGroup>(i)) << ": " << problem.where << ": "
        << CodeName(problem.code);
  }
}

}  // namespace limpet
