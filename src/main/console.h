// What commands say to the person or script that started them.
#pragma once

#include <string_view>

namespace limpet {

/// One line on stderr: "limpet: TEXT".
void Complain(std::string_view text);

/// May output be coloured? Only on a terminal, and not with NO_COLOR.
bool ColourWanted();

}  // namespace limpet
