// Asking mounted filesystems for their space, which may take for ever: a network mount whose server is
// gone does not answer.
#pragma once

#include <cstdint>

#include "limpet/status.h"
#include "limpet/worker.h"

namespace limpet {

struct FilesystemSpace {
  uint64_t block_bytes = 0;       ///< Of the blocks below.
  uint64_t blocks = 0;
  uint64_t blocks_free = 0;       ///< Those reserved for root included.
  uint64_t blocks_available = 0;  ///< To everybody.
  uint64_t inodes = 0;            ///< 0: made as they are needed.
  uint64_t inodes_free = 0;
  bool read_only = false;         ///< As this process sees the mount.
};

class SpaceMeter {
 public:
  /// path: of a mount point. May never return. kNotFound, kDenied, kIo with the errno.
  virtual Result<FilesystemSpace> Measure(const char* path) = 0;

 protected:
  ~SpaceMeter() = default;
};

/// What measures. Local filesystems have a worker of their own, which no dead server can hold up.
struct FilesystemProbe {
  SpaceMeter* meter = nullptr;  ///< nullptr: nothing is measured. Called by both workers.
  Worker* local = nullptr;
  Worker* remote = nullptr;     ///< Network filesystems, and all whose type is not known to be local.
};

}  // namespace limpet
