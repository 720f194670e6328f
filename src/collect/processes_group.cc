#include "collect/processes_group.h"

namespace limpet {

Status ProcessesGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "processes"}; }

}  // namespace limpet
