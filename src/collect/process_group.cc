#include "collect/process_group.h"

namespace limpet {

Status ProcessGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "process"}; }

}  // namespace limpet
