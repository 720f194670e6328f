#include "port/curl/tls_trust.h"

#include <mbedtls/base64.h>
#include <mbedtls/platform.h>
#include <mbedtls/sha256.h>
#include <mbedtls/ssl.h>

#include <algorithm>

#include "base/calendar.h"
#include "base/text.h"

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
  static int OnVerify(void* self, mbedtls_x509_crt* certificate, int depth, uint32_t* flags) {
    TlsTrust& trust = *static_cast<TlsTrust*>(self);
    // A device that wakes up in 1970 must not be locked out for ever: its time may come over this very
    // network. What has expired by such a clock has expired by any.
    if ((*flags & MBEDTLS_X509_BADCERT_FUTURE) != 0 && trust.clock_.Wall() < trust.options_.unset_before) {
      *flags &= ~static_cast<uint32_t>(MBEDTLS_X509_BADCERT_FUTURE);
      trust.undated_ = true;
    }
    if (trust.options_.insecure) *flags = 0;
    if (depth == 0 && !trust.Pinned(certificate)) *flags |= kWrongKey;
    if (depth == 0 && trust.options_.facts != nullptr) Note(*certificate, *trust.options_.facts);
    trust.flags_ |= *flags;
    return 0;
  }

  static int OnIssuerWanted(void* self, const mbedtls_x509_crt* child, mbedtls_x509_crt** found) {
    TlsTrust& trust = *static_cast<TlsTrust*>(self);
    *found = nullptr;
    if (trust.options_.ca_index == nullptr) return 0;
    Parser parser;
    trust.status_ = ParseIssuers(*trust.options_.ca_index, child->issuer_raw, parser);
    *found = parser.Take(trust.status_);
    return trust.status_.ok() ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
  }

  static void Note(const mbedtls_x509_crt& certificate, ConnectionFacts& facts) {
    char name[256];
    const int length = mbedtls_x509_dn_gets(name, sizeof name, &certificate.subject);
    facts.subject.Clear();
    if (length > 0) facts.subject << std::string_view(name, static_cast<size_t>(length));
    facts.not_before = TimeOf(certificate.valid_from);
    facts.not_after = TimeOf(certificate.valid_to);
  }

  static UnixTime TimeOf(const mbedtls_x509_time& time) {
    const int year = std::min(time.year, 2261);  // Beyond, nanoseconds end: "for ever" is 9999.
    const int64_t days = DaysSinceEpoch(year, static_cast<unsigned>(time.mon), static_cast<unsigned>(time.day));
    return {((days * 24 + time.hour) * 60 + time.min) * 60'000'000'000 + time.sec * int64_t{1'000'000'000}};
  }
};

TlsTrust::TlsTrust(const Options& options, Clock& clock) : options_(options), clock_(clock) {
  for (std::string_view rest = options.pins; !rest.empty() && pin_count_ < kPinsMax;) {
    std::string_view pin = Trim(TakeUntil(rest, ';'));
    pin.remove_prefix(std::min(pin.size(), std::string_view("sha256//").size()));
    size_t bytes = 0;
    const int error = mbedtls_base64_decode(pins_[pin_count_].data(), sizeof(Digest), &bytes,
                                            reinterpret_cast<const unsigned char*>(pin.data()), pin.size());
    LIMPET_CHECK(error == 0 && bytes == sizeof(Digest));  // The configuration has checked it.
    ++pin_count_;
  }
}

Status TlsTrust::Start() {
  if (options_.certificate.empty()) return {};
  status_ = client_.Load(options_.certificate, options_.key);
  client_failed_ = !status_.ok();
  return status_;
}

bool TlsTrust::Pinned(const void* certificate) const {
  if (pin_count_ == 0) return true;
  const mbedtls_x509_buf& key = static_cast<const mbedtls_x509_crt*>(certificate)->pk_raw;
  Digest digest;
  if (mbedtls_sha256(key.p, key.len, digest.data(), 0) != 0) return false;
  return std::find(pins_.begin(), pins_.begin() + static_cast<std::ptrdiff_t>(pin_count_), digest) !=
         pins_.begin() + static_cast<std::ptrdiff_t>(pin_count_);
}

void TlsTrust::Clear() {
  flags_ = 0;
  undated_ = client_failed_ = false;
  status_ = {};
}

void TlsTrust::WriteProblem(TextWriter& out) const {
  if (client_failed_) return client_.Describe(out);
  out << "tls_ca " << options_.ca_index->path() << ": " << CodeName(status_.code);
}

bool TlsTrust::Apply(void* config, void* context) {
  auto* const tls = static_cast<mbedtls_ssl_config*>(config);
  auto* const connection = static_cast<mbedtls_ssl_context*>(context);
  // libcurl would allow SHA-1 signatures and RSA keys of 1024 bits.
  mbedtls_ssl_conf_cert_profile(tls, &mbedtls_x509_crt_profile_default);
  mbedtls_ssl_conf_verify(tls, Hooks::OnVerify, this);
  if (!options_.insecure) mbedtls_ssl_conf_ca_cb(tls, Hooks::OnIssuerWanted, this);
  // Without a cache of sessions tickets are of no use.
  mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
      tls, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
  if (!options_.server_name.empty()) {
    TextBuffer<256> name;
    name << options_.server_name << '\0';
    if (mbedtls_ssl_set_hostname(connection, name.text().data()) != 0) return false;
  }
  if (options_.certificate.empty()) return true;
  const Status refreshed = client_.Refresh();
  if (!client_.loaded()) {
    status_ = refreshed;
    client_failed_ = true;
    return false;
  }
  return mbedtls_ssl_conf_own_cert(tls, static_cast<mbedtls_x509_crt*>(client_.chain()),
                                   static_cast<mbedtls_pk_context*>(client_.key())) == 0;
}

int TlsAlert(const void* context) {
  const auto& tls = *static_cast<const mbedtls_ssl_context*>(context);
  if (tls.MBEDTLS_PRIVATE(in_msgtype) != MBEDTLS_SSL_MSG_ALERT || tls.MBEDTLS_PRIVATE(in_msg) == nullptr) return 0;
  return tls.MBEDTLS_PRIVATE(in_msg)[1];
}

}  // namespace limpet
