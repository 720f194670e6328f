// The space of filesystems, by statvfs.
#pragma once

#include "limpet/filesystem_probe.h"

namespace limpet {

class LinuxSpaceMeter final : public SpaceMeter {
 public:
  Result<FilesystemSpace> Measure(const char* path) override;
};

}  // namespace limpet
