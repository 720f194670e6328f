// What this binary is.
#pragma once

#include <string_view>

namespace limpet {

inline constexpr std::string_view kVersion = LIMPET_VERSION;  ///< "0.1.0"
inline constexpr std::string_view kTarget = LIMPET_TARGET;    ///< "armv7-linux-musleabihf"
inline constexpr std::string_view kUserAgent = "limpet/" LIMPET_VERSION;

}  // namespace limpet
