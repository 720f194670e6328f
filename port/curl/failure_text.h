// What went wrong with a request, in words for the person who has to mend it.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"

namespace limpet {

/// How far a request was when it failed.
enum class Phase : uint8_t { kResolving, kConnecting, kTls, kAnswer };

/// TlsTrust's flag beside mbedTLS' own: the key is none of those in tls_pin.
inline constexpr uint32_t kWrongKey = 0x8000'0000;

struct Failure {
  int curl_code = 0;           ///< CURLcode.
  int os_error = 0;            ///< errno of connect(2), 0 when unknown.
  uint32_t verify_flags = 0;   ///< MBEDTLS_X509_BADCERT_…, of the whole chain.
  int alert = 0;               ///< Description of the TLS alert that the peer sent, 0 when none.
  bool tls_just_made = false;  ///< The handshake began with this request.
  bool certificate = false;    ///< A client certificate is configured.
  std::string_view proxy = {};   ///< The proxy's host, when there is one.
  std::string_view detail = {};  ///< libcurl's own message; only numbers of it are used.
  std::string_view host = {};    ///< From the URL, without credentials.
  Phase phase = Phase::kResolving;
};

/// "connection refused", "cannot resolve host gateway.example", "certificate is for another name".
/// Never a secret: nothing of the URL but the host.
void WriteFailure(TextWriter& out, const Failure& failure);

/// The host of an absolute URL, without port, brackets, user and password; empty when there is none.
std::string_view HostOf(std::string_view url);

}  // namespace limpet
