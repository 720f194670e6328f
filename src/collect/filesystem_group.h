// The group `filesystem`: space and inodes of what is mounted.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "collect/group.h"
#include "collect/mount_pass.h"
#include "collect/mountinfo.h"
#include "limpet/filesystem_probe.h"

namespace limpet {

/// Two workers measure, since the call may never return; the loop never waits in it. One has the local
/// filesystems, the other all that could depend on somebody else: network types, FUSE, unknown ones, and
/// whatever is mounted below such.
///
/// The table of mounts is read again when the kernel says that it has changed, and when an answer shows that
/// it has without that: a kernel that finds a filesystem damaged makes it read-only, the folder above a mount
/// point can be renamed.
///
/// A cycle begins with Begin, which hands out the mounts. The points are taken when both have come back,
/// or a moment later without what is missing, and only then the cycle reads its time: no value is older
/// than that moment. What comes later is never emitted, since it would claim the time of another cycle.
///
/// While a call hangs, its worker measures nothing: the other remote filesystems are left out until it
/// has come back, the local ones go on. That is said once, with the mount point.
class FilesystemGroup final : public Group {
 public:
  static constexpr Duration kHangs = Seconds(5);  ///< A pass longer than this is said to hang.

  explicit FilesystemGroup(const FilesystemProbe& probe = {});

  /// Hands the mounts of now to the workers, those of them that are free.
  void Begin(const GroupContext& context);
  /// Have all come back that Begin has sent?
  bool Ready();

  /// Begins by itself when nobody has, and then takes what is there at once.
  Status Collect(const GroupContext& context, Points& out) override;
  void Close(Files& files) override { mountinfo_.Close(files); }

 private:
  struct Lane {
    Worker* worker = nullptr;
    MountPass pass;
    MonoTime began;
    bool busy = false;     // The pass is the worker's.
    bool current = false;  // It was begun for this cycle.
    bool stale = true;     // Its mounts are to be shared out anew.
    bool hangs = false;    // And that was said.
  };

  Status Share(const GroupContext& context);
  void TakeBack(Lane& lane);
  void WatchHang(const GroupContext& context, Lane& lane);
  void ReportFailure(const GroupContext& context);
  void CompareWithTable();
  template <typename Emit>
  void ForEach(Emit emit) const;

  static constexpr size_t kTextBytes = 16 * 1024;  // Of the buffer, for the names; the rest reads lines.
  KeptFile mountinfo_;
  std::array<Mount, MountPass::kMountsMax> mounts_{};
  Lane local_, remote_;
  bool begun_ = false;
  Status begun_status_;
  bool said_left_out_ = false, said_failure_ = false;
};

}  // namespace limpet
