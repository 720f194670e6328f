#include "port/curl/library_versions.h"

#include <ares.h>
#include <curl/curl.h>
#include <mbedtls/version.h>

namespace limpet {

LibraryVersions ReadLibraryVersions() {
  return {curl_version_info(CURLVERSION_NOW)->version, MBEDTLS_VERSION_STRING, ares_version(nullptr)};
}

}  // namespace limpet
