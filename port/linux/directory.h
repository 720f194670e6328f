// Directories of ours: made with all above them, checked, and synced, since a name is on flash only
// when its directory is.
#pragma once

#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Makes the directory (mode `mode`) and the missing ones above it (0755).
Status MakeDirectories(std::string_view directory, unsigned mode);

/// Can files be made in the directory (which is made, 0700, when it is missing), and is it ours or
/// root's? kInvalid: it is not a directory. kDenied: also on a filesystem that is read-only by now.
Status CheckWritable(std::string_view directory);

/// Returns when what was made, renamed or removed in the directory is on flash.
Status SyncDirectory(std::string_view directory);

}  // namespace limpet
