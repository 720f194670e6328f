#include "port/linux/space_meter.h"

#include <cerrno>

#include <sys/statvfs.h>

#include "port/linux/error.h"

namespace limpet {

Result<FilesystemSpace> LinuxSpaceMeter::Measure(const char* path) {
  struct statvfs found {};
  while (statvfs(path, &found) != 0) {
    if (errno != EINTR) return FromErrno(errno, "statvfs");
  }
  return FilesystemSpace{.block_bytes = found.f_frsize,
                         .blocks = found.f_blocks,
                         .blocks_free = found.f_bfree,
                         .blocks_available = found.f_bavail,
                         .inodes = found.f_files,
                         .inodes_free = found.f_ffree,
                         .read_only = (found.f_flag & ST_RDONLY) != 0};
}

}  // namespace limpet
