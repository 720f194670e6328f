// /proc/net/dev: traffic of the network interfaces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Counted since the interface was made.
struct Traffic {
  uint64_t bytes = 0, packets = 0, errors = 0, dropped = 0;
};

struct Interface {
  std::string_view name;  ///< Points into the text that was parsed.
  Traffic receive, transmit;
};

struct NetDev {
  size_t count = 0;     ///< Interfaces in the table.
  size_t left_out = 0;  ///< Not excluded, but the table is full, the name is not UTF-8, or a counter is none.
};

/// Parses the text of /proc/net/dev into the table.
/// exclude: comma separated patterns of names to pass over.
/// kInvalid: the heading is missing, a line is cut, a name is longer than the kernel allows, or of no
/// interface there are 16 columns of numbers. Those of excluded interfaces are not looked at.
/// Source: proc_pid_net(5); net/core/net-procfs.c in the Linux tree.
Result<NetDev> ParseNetDev(std::string_view text, std::string_view exclude,
                           std::span<Interface> table);

}  // namespace limpet
