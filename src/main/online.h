// What a look at the configuration alone cannot tell: whether its files are there, and its destinations.
#pragma once

#include "config/config.h"

namespace limpet {

/// Looks at the files that destinations and listeners name. A certificate that cannot be used is an error
/// (kExitConfig), as it is for `run`; a token that is not there yet is only told.
int CheckFiles(const Config& config);

/// Tries each destination with an empty export of each signal it takes, and prints what came of it, as
/// comments of an INI file. kExitOk: each answered with a 2xx. kExitUnavailable: one did not.
int TryDestinations(const Config& config);

}  // namespace limpet
