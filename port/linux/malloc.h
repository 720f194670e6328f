// The program's own malloc over one fixed pool: whatever a library does, nothing in the process can
// reach brk or mmap for memory.
#pragma once

#include "limpet/pool.h"

namespace limpet {

/// The use of the pool behind malloc. Size 0 where the build leaves malloc to a sanitizer.
PoolUse LibcPoolUse();

}  // namespace limpet
