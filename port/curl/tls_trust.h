// Whom a TLS connection trusts, and who it says we are. mbedTLS asks for the issuers it needs, and they
// come out of the CA file one by one: libcurl would parse the whole file for every connection.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "limpet/limits.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "port/curl/ca_index.h"
#include "port/curl/own_certificate.h"
#include "port/curl/connection_facts.h"
#include "port/curl/failure_text.h"

namespace limpet {

class TlsTrust {
 public:
  struct Options {
    CaIndex* ca_index = nullptr;           ///< nullptr trusts nobody.
    bool insecure = false;                 ///< Every certificate will do; a pin holds nevertheless.
    std::string_view pins;                 ///< "sha256//…;…" as the configuration has checked it.
    std::string_view server_name;          ///< Shorter than 256; empty: the URL's host.
    std::string_view certificate, key;     ///< Files; empty: none.
    UnixTime unset_before;                 ///< Wall time before this: the clock is not set.
    ConnectionFacts* facts = nullptr;      ///< Gets what is known of the peer.
  };

  TlsTrust(const Options& options, Clock& clock);

  /// Reads the client's certificate. The errors of OwnCertificate, told by WriteProblem.
  Status Start();

  /// Sets up the mbedtls_ssl_config and the mbedtls_ssl_context of a connection that is about to be
  /// made; `this` must outlive them. False: status() says why it cannot.
  bool Apply(void* config, void* context);

  /// Forgets what the last handshake left.
  void Clear();
  /// What is wrong with the chain, MBEDTLS_X509_BADCERT_… and kWrongKey or'ed.
  uint32_t flags() const { return flags_; }
  /// Of the files that the handshake needs.
  const Status& status() const { return status_; }
  /// What is wrong with them: "tls_ca /x: not found".
  void WriteProblem(TextWriter& out) const;
  /// The certificate that is shown, another pointer when another one is in force; nullptr: none.
  const void* chain() const { return client_.loaded() ? client_.chain() : nullptr; }
  /// A certificate was not valid yet by a clock that is not set, and was taken.
  bool undated() const { return undated_; }

 private:
  struct Hooks;
  static constexpr size_t kPinsMax = 8;
  using Digest = std::array<uint8_t, 32>;

  bool Pinned(const void* certificate) const;

  const Options options_;
  Clock& clock_;
  OwnCertificate client_;
  std::array<Digest, kPinsMax> pins_{};
  size_t pin_count_ = 0;
  uint32_t flags_ = 0;
  bool undated_ = false;
  bool client_failed_ = false;  // status_ is about client_, not about the CA file.
  Status status_;
};

/// The description of the alert that ended a handshake or a connection; 0 when there was none.
/// context: mbedtls_ssl_context.
int TlsAlert(const void* context);

}  // namespace limpet
