// What every group of host metrics works with. A group is a class of its own with
//   Status Collect(const GroupContext&, Points&)   one cycle; kUnsupported: this kernel has none
//   void Close(Files&)                             of the files that it keeps open
#pragma once

#include <span>

#include "collect/root_files.h"
#include "limpet/log.h"

namespace limpet {

struct GroupContext {
  RootFiles& root;
  Log& log;
  std::span<char> buffer;  ///< One file at a time, kProcFileBytes.
};

}  // namespace limpet
