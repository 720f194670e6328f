// A process by its files in /proc: what it does, and what it is called.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "collect/proc_pid.h"
#include "collect/root_files.h"
#include "limpet/limits.h"

namespace limpet {

/// The path of a file of a process, "/proc/4321/stat".
class PidPath {
 public:
  PidPath(uint32_t pid, std::string_view file) { path_ << "/proc/" << pid << '/' << file; }
  std::string_view text() const { return path_.text(); }

 private:
  TextBuffer<32> path_;
};

class ProcessReader {
 public:
  /// False: it has ended meanwhile, or may not be looked at.
  bool Read(RootFiles& root, uint32_t pid);

  /// Its name is cut where the kernel cuts it.
  const PidStat& stat() const { return stat_; }

  /// The whole name, also where the kernel has cut it: then the file that it executes or its first
  /// argument tells the rest, if that begins alike. Good until the next Read.
  std::string_view FullName(RootFiles& root);

  /// Does one of the patterns match its name, cut or whole?
  bool Matches(RootFiles& root, std::string_view patterns);

 private:
  uint32_t pid_ = 0;
  PidStat stat_;
  std::string_view full_name_;  // Empty: not looked for yet.
  char text_[1024];             // The beginning of its stat.
  char path_[kPathMax];         // Holds the whole name.
};

/// The file that the process executes, also when it was deleted since.
/// Empty: there is none, it may not be seen, or its path does not fit.
std::string_view ReadExecutable(RootFiles& root, uint32_t pid, std::span<char> into);

}  // namespace limpet
