// Versions of the libraries behind the transport, as linked.
#pragma once

#include <string_view>

namespace limpet {

struct LibraryVersions {
  std::string_view curl, mbedtls, cares;
};
LibraryVersions ReadLibraryVersions();

}  // namespace limpet
