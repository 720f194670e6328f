#include "collect/filesystem_group.h"

namespace limpet {

Status FilesystemGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "filesystem"}; }

}  // namespace limpet
