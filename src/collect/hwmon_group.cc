#include "collect/hwmon_group.h"

namespace limpet {

Status HwmonGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "hwmon"}; }

}  // namespace limpet
