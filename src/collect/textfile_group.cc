#include "collect/textfile_group.h"

namespace limpet {

Status TextfileGroup::Collect(const GroupContext&, Points&) { return {Code::kUnsupported, 0, "textfile"}; }

}  // namespace limpet
