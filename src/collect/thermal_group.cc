#include "collect/thermal_group.h"

namespace limpet {

Status ThermalGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "thermal"}; }

}  // namespace limpet
