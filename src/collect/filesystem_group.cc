#include "collect/filesystem_group.h"

#include <algorithm>
#include <limits>

#include "base/text.h"

namespace limpet {
namespace {

constexpr Metric kUsage{"system.filesystem.usage", "By", Instrument::kUpDownCounter};
constexpr Metric kUtilization{"system.filesystem.utilization", "1", Instrument::kGauge};
constexpr Metric kLimit{"system.filesystem.limit", "By", Instrument::kUpDownCounter};
constexpr Metric kInodes{"system.filesystem.inodes.usage", "{inode}", Instrument::kUpDownCounter};

/// The attributes of a point; the state, where there is one, comes second.
class Attributes {
 public:
  explicit Attributes(const Mount& mount, std::string_view state = {})
      : all_{Attribute{"system.device", mount.source}, Attribute{"system.filesystem.state", state},
             Attribute{"system.filesystem.type", mount.type},
             Attribute{"system.filesystem.mode", mount.read_only ? "ro" : "rw"},
             Attribute{"system.filesystem.mountpoint", mount.point}} {}
  std::span<const Attribute> WithState() const { return all_; }
  std::span<const Attribute> WithoutState() {
    all_[1] = all_[0];
    return std::span(all_).subspan(1);
  }

 private:
  std::array<Attribute, 5> all_;
};

/// What is there, in blocks; the three add up to the limit.
struct Parts {
  uint64_t used, free, reserved;
};

/// A filesystem that is damaged, or lies, has no more free than there is.
Parts Divide(const FilesystemSpace& space) {
  const uint64_t free = std::min(space.blocks_free, space.blocks);
  const uint64_t available = std::min(space.blocks_available, free);
  return {.used = space.blocks - free, .free = available, .reserved = free - available};
}

/// Its bytes fit a point.
bool HasSize(const FilesystemSpace& space) {
  constexpr uint64_t kMax = std::numeric_limits<int64_t>::max();
  return space.blocks != 0 && space.block_bytes != 0 && space.blocks <= kMax / space.block_bytes;
}

bool HasInodes(const FilesystemSpace& space) {
  return space.inodes != 0 && space.inodes <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
}

}  // namespace

FilesystemGroup::FilesystemGroup(const FilesystemProbe& probe) {
  if (probe.meter == nullptr) return;
  local_.worker = probe.local;
  remote_.worker = probe.remote;
  local_.pass.Use(*probe.meter);
  remote_.pass.Use(*probe.meter);
}

void FilesystemGroup::TakeBack(Lane& lane) {
  if (lane.busy && lane.worker->TakeDone()) lane.busy = false;
}

/// Shares the mounts out among the passes that are free and stale.
Status FilesystemGroup::Share(const GroupContext& context) {
  // Below another root it is another's view: the mounts of the first process there.
  const char* const path = context.root.is_own() ? "/proc/self/mountinfo" : "/proc/1/mountinfo";
  const Result<int> file = mountinfo_.Open(context.root, {path});
  if (!file.ok()) return file.status();
  if (context.root.files().HasChanged(file.value())) local_.stale = remote_.stale = true;
  const auto wants = [](const Lane& lane) { return lane.stale && !lane.busy; };
  if (!wants(local_) && !wants(remote_)) return {};

  MountTable table(mounts_, context.buffer.first(kTextBytes), context.options.exclude_filesystems);
  LineReader lines(context.root.files(), file.value(), context.buffer.subspan(kTextBytes));
  if (const Status read = ReadMounts(lines, table); !read.ok()) {
    mountinfo_.Close(context.root.files());
    return read.code == Code::kInvalid ? read : Status{read.code, read.detail, path};
  }
  for (Lane* const lane : {&local_, &remote_}) {
    if (wants(*lane)) lane->pass.Clear();
  }
  size_t left_out = table.left_out();
  const std::span<const Mount> mounts = table.mounts();
  std::string_view root = context.options.root;
  while (root.ends_with('/')) root.remove_suffix(1);
  for (const Mount& mount : mounts) {
    const bool local = std::none_of(mounts.begin(), mounts.end(), [&](const Mount& above) {
      return !IsLocalFilesystem(above.type) && IsBelow(mount.point, above.point) && above.point != "/";
    });
    Lane& lane = local && IsLocalFilesystem(mount.type) ? local_ : remote_;
    if (wants(lane) && !lane.pass.Add(root, mount)) ++left_out;
  }
  for (Lane* const lane : {&local_, &remote_}) lane->stale = lane->stale && lane->busy;
  if (left_out != 0 && !said_left_out_) {
    said_left_out_ = true;
    context.log.Warn("filesystems are left out: too many, too long, or a name that is not UTF-8",
                     {{"left_out", left_out}, {"at_most", MountPass::kMountsMax}});
  }
  return {};
}

void FilesystemGroup::Begin(const GroupContext& context) {
  if (local_.worker == nullptr) return;
  begun_ = true;
  for (Lane* const lane : {&local_, &remote_}) {
    TakeBack(*lane);
    lane->current = false;
    if (lane->busy) continue;
    if (lane->hangs) {
      context.log.Info("a filesystem answers again",
                       {{"worker", lane == &local_ ? "local" : "remote"},
                        {"seconds", (context.clock.Monotonic() - lane->began).ns / 1'000'000'000}});
    }
    lane->hangs = false;
    lane->pass.Again();
  }
  begun_status_ = Share(context);
  if (!begun_status_.ok()) return;
  for (Lane* const lane : {&local_, &remote_}) {
    if (lane->busy) continue;
    lane->current = true;
    if (lane->pass.size() == 0) continue;
    lane->began = context.clock.Monotonic();
    lane->busy = true;
    lane->worker->Begin(lane->pass);
  }
}

bool FilesystemGroup::Ready() {
  bool ready = true;
  for (Lane* const lane : {&local_, &remote_}) {
    TakeBack(*lane);
    ready = ready && !(lane->busy && lane->current);
  }
  return ready;
}

void FilesystemGroup::WatchHang(const GroupContext& context, Lane& lane) {
  if (!lane.busy || lane.hangs || context.clock.Monotonic() - lane.began < kHangs) return;
  const size_t at = lane.pass.measured();
  if (at == lane.pass.size()) return;  // It is coming back just now.
  lane.hangs = true;
  context.log.Warn("a filesystem does not answer: it is left out until it does, and those behind it",
                   {{"mountpoint", lane.pass[at].mount.point},
                    {"type", lane.pass[at].mount.type},
                    {"device", lane.pass[at].mount.source},
                    {"left_out", lane.pass.size() - at}});
}

/// Calls emit(entry) for each that was measured in this cycle.
template <typename Emit>
void FilesystemGroup::ForEach(Emit emit) const {
  for (const Lane* const lane : {&local_, &remote_}) {
    const size_t measured = lane->current ? lane->pass.measured() : 0;
    for (size_t i = 0; i < measured; ++i) {
      if (lane->pass[i].status.ok()) emit(lane->pass[i].mount, lane->pass[i].space);
    }
  }
}

/// An answer that does not fit the table makes it stale. One that lasts (a directory that only another user
/// may enter, a mount that is read-only for this process alone) has it read in each cycle.
void FilesystemGroup::CompareWithTable() {
  for (const Lane* const lane : {&local_, &remote_}) {
    const size_t measured = lane->current ? lane->pass.measured() : 0;
    for (size_t i = 0; i < measured; ++i) {
      const MountPass::Entry& entry = lane->pass[i];
      const bool fits = entry.status.ok() && entry.space.read_only == entry.mount.read_only;
      if (!fits) local_.stale = remote_.stale = true;
    }
  }
}

/// One that cannot be asked (a directory that only another user may enter) is said once, while it lasts.
void FilesystemGroup::ReportFailure(const GroupContext& context) {
  const MountPass::Entry* failed = nullptr;
  for (const Lane* const lane : {&local_, &remote_}) {
    const size_t measured = lane->current ? lane->pass.measured() : 0;
    for (size_t i = 0; i < measured && failed == nullptr; ++i) {
      const Status& status = lane->pass[i].status;
      if (!status.ok() && status.code != Code::kNotFound) failed = &lane->pass[i];  // Not just unmounted.
    }
  }
  if (failed != nullptr && !said_failure_) {
    context.log.Warn("a filesystem cannot be measured", {{"mountpoint", failed->mount.point},
                                                         {"error", CodeName(failed->status.code)},
                                                         {"number", failed->status.detail}});
  }
  said_failure_ = failed != nullptr;
}

Status FilesystemGroup::Collect(const GroupContext& context, Points& out) {
  if (local_.worker == nullptr) return {Code::kUnsupported, 0, "filesystem"};
  if (!begun_) Begin(context);
  begun_ = false;
  for (Lane* const lane : {&local_, &remote_}) {
    TakeBack(*lane);
    WatchHang(context, *lane);
  }
  if (!begun_status_.ok()) return begun_status_;
  ReportFailure(context);
  CompareWithTable();

  out.Begin(kUsage);
  ForEach([&](const Mount& mount, const FilesystemSpace& space) {
    if (!HasSize(space)) return;
    const Parts parts = Divide(space);
    out.Int(Attributes(mount, "used").WithState(), parts.used * space.block_bytes);
    out.Int(Attributes(mount, "free").WithState(), parts.free * space.block_bytes);
    out.Int(Attributes(mount, "reserved").WithState(), parts.reserved * space.block_bytes);
  });
  out.Begin(kUtilization);
  ForEach([&](const Mount& mount, const FilesystemSpace& space) {
    if (!HasSize(space)) return;
    const Parts parts = Divide(space);
    if (context.options.names == HostNames::kCollector) {
      // One value, of what is not reserved.
      const auto all = static_cast<double>(parts.used + parts.free);
      if (all > 0) out.Double(Attributes(mount).WithoutState(), static_cast<double>(parts.used) / all);
      return;
    }
    const auto part = [&](uint64_t blocks) {
      return static_cast<double>(blocks) / static_cast<double>(space.blocks);
    };
    out.Double(Attributes(mount, "used").WithState(), part(parts.used));
    out.Double(Attributes(mount, "free").WithState(), part(parts.free));
    out.Double(Attributes(mount, "reserved").WithState(), part(parts.reserved));
  });
  out.Begin(kLimit);
  ForEach([&](const Mount& mount, const FilesystemSpace& space) {
    if (HasSize(space)) out.Int(Attributes(mount).WithoutState(), space.blocks * space.block_bytes);
  });
  out.Begin(kInodes);
  ForEach([&](const Mount& mount, const FilesystemSpace& space) {
    if (!HasSize(space) || !HasInodes(space)) return;
    const uint64_t free = std::min(space.inodes_free, space.inodes);
    out.Int(Attributes(mount, "used").WithState(), space.inodes - free);
    out.Int(Attributes(mount, "free").WithState(), free);
  });
  return {};
}

}  // namespace limpet
