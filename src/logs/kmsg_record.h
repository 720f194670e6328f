// One record of /dev/kmsg as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

struct KmsgRecord {
  uint32_t facility = 0;       ///< Of syslog: 0 is the kernel.
  uint8_t level = 0;           ///< 0 (emergency) to 7 (debug).
  uint64_t sequence = 0;       ///< Grows by one per record since boot.
  Duration since_boot;         ///< By the kernel's log clock, which stands still in suspend.
  std::string_view text;       ///< Escapes undone: any bytes.
  std::string_view subsystem;  ///< "pci", as a driver says it; empty: none.
  std::string_view device;     ///< "+pci:0000:00:1f.2", "b8:0", "n3".
};

/// Reads what one read of /dev/kmsg gives, and undoes its escapes in place:
///
///     prio,sequence,microseconds,flags[,more...];text
///      SUBSYSTEM=pci
///      DEVICE=+pci:0000:00:1f.2
///
/// Bytes that are no printable ASCII, and backslashes, are there as \xNN. Unknown fields and keys are
/// passed over. Views lead into `bytes`.
/// kInvalid: it does not begin like that.
/// Source: Documentation/ABI/testing/dev-kmsg in the Linux tree.
Result<KmsgRecord> ParseKmsg(std::span<char> bytes);

}  // namespace limpet
