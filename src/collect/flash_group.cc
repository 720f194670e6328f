#include "collect/flash_group.h"

namespace limpet {

Status FlashGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "flash"}; }

}  // namespace limpet
