// The program's own malloc over one fixed pool: whatever a library does, nothing in the process can
// reach brk or mmap for memory.
#pragma once

#include <cstddef>

#include "limpet/limits.h"
#include "limpet/pool.h"

namespace limpet {

/// musl takes buffers for files and directories; with glibc libstdc++ sets 71 KiB aside at start, and
/// a directory takes 32 KiB.
#ifdef __GLIBC__
inline constexpr size_t kLibcPoolBytes = 128 * kKiB;
#else
inline constexpr size_t kLibcPoolBytes = 48 * kKiB;
#endif

/// The use of the pool behind malloc. Size 0 where the build leaves malloc to a sanitizer.
PoolUse LibcPoolUse();

}  // namespace limpet
