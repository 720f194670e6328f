// Turns an errno into a Status.
#pragma once

#include "limpet/status.h"

namespace limpet {

/// where: a literal naming the operation.
Status FromErrno(int error, const char* where);

}  // namespace limpet
