#include "collect/power_group.h"

namespace limpet {

Status PowerGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "power"}; }

}  // namespace limpet
