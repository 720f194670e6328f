// /proc/swaps: the partitions and files that memory is swapped to.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

struct Swap {
  std::string_view name;  ///< Its path, blanks as \040; points into the text that was parsed.
  uint64_t size_bytes = 0, used_bytes = 0;  ///< used_bytes <= size_bytes.
};

struct Swaps {
  size_t count = 0;     ///< In the table.
  size_t left_out = 0;  ///< The table is full or the name is not UTF-8.
};

/// Parses the text of /proc/swaps into the table. Returns bytes (the file counts KiB).
/// kInvalid: the heading is missing, a line is cut or has fewer than four columns, or a malformed
/// number.
/// Source: proc_swaps(5); swap_show() in mm/swapfile.c of the Linux tree.
Result<Swaps> ParseSwaps(std::string_view text, std::span<Swap> table);

}  // namespace limpet
