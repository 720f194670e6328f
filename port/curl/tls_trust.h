// Whom a TLS connection trusts: mbedTLS asks for the issuers it needs, and they come out of the CA
// file one by one. libcurl would parse the whole file for every connection.
#pragma once

#include <cstdint>

#include "limpet/status.h"
#include "port/curl/ca_index.h"

namespace limpet {

class TlsTrust {
 public:
  /// index: nullptr trusts nobody. insecure: every certificate will do.
  TlsTrust(CaIndex* index, bool insecure) : index_(index), insecure_(insecure) {}

  /// Sets up the mbedtls_ssl_config of a connection that is about to be made; `this` must outlive it.
  void Apply(void* config);

  /// Forgets what the last handshake left.
  void Clear() { flags_ = 0, status_ = {}; }
  /// What is wrong with the chain, MBEDTLS_X509_BADCERT_… or'ed.
  uint32_t flags() const { return flags_; }
  /// Of the look into the CA file.
  const Status& status() const { return status_; }
  const CaIndex* index() const { return index_; }

 private:
  struct Hooks;

  CaIndex* index_;
  bool insecure_;
  uint32_t flags_ = 0;
  Status status_;
};

}  // namespace limpet
