#include "collect/connections_group.h"

namespace limpet {

Status ConnectionsGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "connections"}; }

}  // namespace limpet
