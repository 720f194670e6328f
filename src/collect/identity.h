// Small files that name the machine, this boot of it, and the board it is built on.
#pragma once

#include <string_view>

#include "limpet/batch.h"
#include "limpet/status.h"

namespace limpet {

/// /etc/machine-id: 32 lower-case hex digits and perhaps a newline.
/// kInvalid: anything else; all zeros; "uninitialized", which systemd writes during a first boot.
/// Source: machine-id(5).
Result<std::string_view> ParseMachineId(std::string_view text);

/// /proc/sys/kernel/random/boot_id: a UUID in its usual form.
/// kInvalid: anything else.
Result<BootId> ParseBootId(std::string_view text);

/// /proc/device-tree/compatible: NUL-terminated names "vendor,model", the most exact first.
struct BoardName {
  std::string_view vendor;  ///< Of the first name; empty when it has no comma.
  std::string_view name;    ///< The whole first name: its part behind the comma is not unique.
};
BoardName ParseCompatible(std::string_view text);

/// /proc/device-tree/model: text for people, NUL-terminated.
std::string_view ParseModel(std::string_view text);

}  // namespace limpet
