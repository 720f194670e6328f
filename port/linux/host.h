// What the process is told about its host, and its standard output.
#pragma once

#include <cstdint>
#include <string_view>

namespace limpet {

struct SystemFacts {
  char machine[65] = {};  ///< uname: "x86_64", "armv7l", …
  char release[65] = {};  ///< uname: the kernel's release.
  char name[65] = {};     ///< uname: the host's name.
  uint32_t user_hz = 100;     ///< Ticks of /proc/stat in a second.
};
SystemFacts ReadSystemFacts();

/// Opens /dev/null for those of the three standard handles that are closed: the next file opened
/// would get their number, and the log would go into it.
void FillStandardHandles();

/// Writes all of it to standard output, waiting where it must: TERM and INT, which a loop may have
/// blocked for itself, end the process while it waits. False: the other end is gone or the disk is
/// full.
bool WriteStdout(std::string_view text);

bool StdoutIsTerminal();

}  // namespace limpet
