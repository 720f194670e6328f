// What every group of host metrics is, and what it works with.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "collect/points.h"
#include "collect/root_files.h"
#include "config/config.h"
#include "limpet/log.h"
#include "limpet/time.h"

namespace limpet {

struct HostOptions {
  uint32_t groups = 0;                       ///< Bit(HostGroup) or'ed.
  std::string_view root = "/";               ///< `[host] root`.
  std::string_view exclude_devices = {};     ///< Comma separated patterns of block devices.
  std::string_view exclude_interfaces = {};  ///< The same of network interfaces.
  std::string_view exclude_filesystems = {};  ///< The same of types of filesystems.
  std::string_view process = {};             ///< The same of the processes to report one by one.
  std::string_view textfile = {};            ///< Pattern of the paths of files to merge in.
  Duration textfile_max_age;
  HostNames names = HostNames::kSemconv144;
  uint32_t user_hz = 100;                    ///< sysconf(_SC_CLK_TCK), > 0.
};

struct GroupContext {
  const HostOptions& options;
  RootFiles& root;
  Clock& clock;
  Log& log;
  UnixTime boot;           ///< When the host began to count; always the same.
  MonoTime mono;           ///< Of the cycle: all its points have
  UnixTime wall;           ///< this time, and none begins later.
  std::span<char> buffer;  ///< One file at a time, kProcFileBytes.
};

class Group {
 public:
  /// Emits the points of one cycle. kUnsupported: this kernel has nothing of the kind.
  virtual Status Collect(const GroupContext& context, Points& out) = 0;

  /// Closes the files that it keeps open.
  virtual void Close(Files& files) { (void)files; }

 protected:
  ~Group() = default;
};

}  // namespace limpet
