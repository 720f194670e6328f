// The sizes of what `limpet run` takes, for the memory plan.
#pragma once

#include "agent/memory_plan.h"

namespace limpet {

ForeignSizes RunSizes(const Config& config);

}  // namespace limpet
