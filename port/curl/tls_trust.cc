#include "port/curl/tls_trust.h"

#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>

namespace limpet {
namespace {

/// Parses certificates into a list as mbedTLS frees it.
class Parser final : public CertificateVisitor {
 public:
  Status OnCertificate(std::span<const uint8_t> der) override {
    if (list_ == nullptr) {
      list_ = static_cast<mbedtls_x509_crt*>(mbedtls_calloc(1, sizeof *list_));
      if (list_ == nullptr) return {Code::kFull, 0, "certificate"};
      mbedtls_x509_crt_init(list_);
    }
    const int error = mbedtls_x509_crt_parse_der(list_, der.data(), der.size());
    if (error == MBEDTLS_ERR_X509_ALLOC_FAILED) return {Code::kFull, 0, "certificate"};
    return {};  // A root of a kind that this build does not know is one that it does not trust.
  }

  /// The list, which may be empty; with a failure always so.
  mbedtls_x509_crt* Take(const Status& status) {
    if (list_ != nullptr && (!status.ok() || list_->raw.p == nullptr)) {
      mbedtls_x509_crt_free(list_);
      mbedtls_free(list_);
      list_ = nullptr;
    }
    return list_;
  }

 private:
  mbedtls_x509_crt* list_ = nullptr;
};

Status ParseIssuers(CaIndex& index, const mbedtls_x509_buf& issuer, Parser& parser) {
  LIMPET_TRY(index.Refresh());
  const size_t bytes = index.largest_bytes();
  auto* const scratch = static_cast<uint8_t*>(mbedtls_calloc(1, bytes));
  if (scratch == nullptr) return {Code::kFull, 0, "certificate"};
  const Status status = index.VisitSubject({issuer.p, issuer.len}, {scratch, bytes}, parser);
  mbedtls_free(scratch);
  return status;
}

}  // namespace

struct TlsTrust::Hooks {
  static int OnVerify(void* self, mbedtls_x509_crt*, int, uint32_t* flags) {
    TlsTrust& trust = *static_cast<TlsTrust*>(self);
    if (trust.insecure_) *flags = 0;
    trust.flags_ |= *flags;
    return 0;
  }

  static int OnIssuerWanted(void* self, const mbedtls_x509_crt* child, mbedtls_x509_crt** found) {
    TlsTrust& trust = *static_cast<TlsTrust*>(self);
    *found = nullptr;
    if (trust.index_ == nullptr) return 0;
    Parser parser;
    trust.status_ = ParseIssuers(*trust.index_, child->issuer_raw, parser);
    *found = parser.Take(trust.status_);
    return trust.status_.ok() ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
  }
};

void TlsTrust::Apply(void* config) {
  auto* const tls = static_cast<mbedtls_ssl_config*>(config);
  // libcurl would allow SHA-1 signatures and RSA keys of 1024 bits.
  mbedtls_ssl_conf_cert_profile(tls, &mbedtls_x509_crt_profile_default);
  mbedtls_ssl_conf_verify(tls, Hooks::OnVerify, this);
  if (!insecure_) mbedtls_ssl_conf_ca_cb(tls, Hooks::OnIssuerWanted, this);
  // Without a cache of sessions tickets are of no use.
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      tls, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
}

}  // namespace limpet
