#include "main/extra_source.h"

namespace limpet {

ExtraSource FindExtraSource() { return {}; }

}  // namespace limpet
