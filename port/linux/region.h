// The one piece of memory that the pools are carved out of.
#pragma once

#include <cstddef>
#include <span>

#include "limpet/status.h"

namespace limpet {

/// Zeroed, private, aligned to a page; pages that are never touched cost no resident memory.
/// kFull: the system has no room for it.
Result<std::span<std::byte>> TakeRegion(size_t bytes);

/// Gives a whole region back; only before the loop starts.
void GiveBackRegion(std::span<std::byte> region);

}  // namespace limpet
