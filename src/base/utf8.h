// UTF-8: no overlong sequences, no surrogates, nothing beyond U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace limpet {

/// Length of the valid UTF-8 sequence at the front of `text`, 0 when it is invalid.
size_t Utf8Length(std::string_view text);

/// Is all of it valid? Fast where it is ASCII.
bool IsUtf8(std::string_view text);

}  // namespace limpet
