// Writes the effective configuration as a file that means the same.
#pragma once

#include "base/text.h"
#include "config/config.h"

namespace limpet {

/// What keeps a value from those who may read the output.
inline constexpr std::string_view kMask = "***";

/// INI with every built key, defaults included. Values of headers and what stands before the @ of
/// a URL become `***`: the text stays valid, and means the same but for these.
void PrintConfig(TextWriter& out, const Config& config);

}  // namespace limpet
