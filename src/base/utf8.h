// Is a text UTF-8? For whatever comes from outside in bulk.
#pragma once

#include <string_view>

namespace limpet {

/// No overlong sequences, no surrogates, nothing beyond U+10FFFF.
bool IsUtf8(std::string_view text);

}  // namespace limpet
