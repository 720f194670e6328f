// The files of /proc/PID, and the names of users.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// What the kernel keeps of a name; a longer one is cut. Kernel threads may say more.
inline constexpr size_t kCommMax = 15;

/// Of all threads of the process together. Ticks are 1/USER_HZ s.
struct PidStat {
  std::string_view name;  ///< Of its main thread; any bytes. Points into the text that was parsed.
  char state = '?';
  uint64_t parent = 0;        ///< Its process id; 0 where there is none, or not in our namespace.
  uint64_t minor_faults = 0;  ///< Without the major ones.
  uint64_t major_faults = 0;
  uint64_t user_ticks = 0, system_ticks = 0;
  uint64_t threads = 0;
  uint64_t start_ticks = 0;  ///< Since boot.
};

/// Parses the text of /proc/PID/stat, `4321 (name) S 1 …`, of which the first 22 fields are enough.
/// kInvalid: fewer, or a malformed number.
/// Source: proc_pid_stat(5); do_task_stat() in fs/proc/array.c of the Linux tree.
Result<PidStat> ParsePidStat(std::string_view text);

/// Nothing where there is no such line: kernel threads and defunct processes have no memory, kernels
/// before 2.6.23 do not count switches.
struct PidStatus {
  std::optional<uint64_t> user;  ///< The effective user id.
  std::optional<uint64_t> virtual_bytes, resident_bytes;
  std::optional<uint64_t> voluntary, involuntary;  ///< Context switches of the main thread alone.
};

/// Parses the text of /proc/PID/status: lines of `Key:\t<values>`; other keys are skipped.
/// kInvalid: a cut line, or a malformed number of a known key.
/// Source: proc_pid_status(5).
Result<PidStatus> ParsePidStatus(std::string_view text);

struct PidIo {
  uint64_t read_bytes = 0, written_bytes = 0;  ///< From and to storage.
  uint64_t reads = 0, writes = 0;              ///< System calls, of sockets and pipes too.
};

/// Parses the text of /proc/PID/io (CONFIG_TASK_IO_ACCOUNTING): lines of `key: <n>`.
/// kInvalid: one of the four is missing, a cut line, or a malformed number.
/// Source: proc_pid_io(5).
Result<PidIo> ParsePidIo(std::string_view text);

/// Finds the one line of /proc/PID/cgroup, `0::/system.slice/x.service`, that says most: that of the
/// unified hierarchy unless all it says is "/", then that of systemd, then the first. Empty: none.
/// Source: cgroups(7).
std::string_view ParsePidCgroup(std::string_view text);

/// Parses a line of /etc/passwd, `name:x:1000:…`. Returns the name when it is that of the user.
std::optional<std::string_view> ParseUser(std::string_view line, uint64_t user);

}  // namespace limpet
