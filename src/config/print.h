// Writes the effective configuration as a file that means the same.
#pragma once

#include "base/text.h"
#include "config/config.h"

namespace limpet {

/// INI with every built key, defaults included. Values of headers and what stands before the @ of
/// a URL become `***`: the text stays valid, and means the same but for these.
void PrintConfig(TextWriter& out, const Config& config);

}  // namespace limpet
