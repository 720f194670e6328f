#include "port/curl/own_certificate.h"

#include <mbedtls/pk.h>
#include <mbedtls/platform.h>
#include <mbedtls/platform_util.h>
#include <mbedtls/x509_crt.h>
#include <psa/crypto.h>

namespace limpet {
namespace {

/// A file's text with a NUL behind it, as mbedTLS wants PEM; wiped at the end.
class PemText {
 public:
  ~PemText() {
    if (bytes_ == nullptr) return;
    mbedtls_platform_zeroize(bytes_, room_);
    mbedtls_free(bytes_);
  }

  Status Read(const OpenFile& file, uint64_t size) {
    if (size > OwnCertificate::kFileBytesMax) return {Code::kFull, 0, "longer than 32KiB"};
    room_ = static_cast<size_t>(size) + 1;
    bytes_ = static_cast<uint8_t*>(mbedtls_calloc(1, room_));
    if (bytes_ == nullptr) return {Code::kFull, 0, "no memory for it"};
    const Result<size_t> got = file.Read({bytes_, room_ - 1});
    if (!got.ok()) return {got.status().code, got.status().detail, "it cannot be read"};
    return {};
  }

  const uint8_t* bytes() const { return bytes_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(bytes_), room_}; }
  size_t size() const { return room_; }

 private:
  uint8_t* bytes_ = nullptr;
  size_t room_ = 0;
};

/// Against timing: parsing a key and checking it blind their computations.
int Random(void*, unsigned char* bytes, size_t size) {
  return psa_generate_random(bytes, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_PK_FEATURE_UNAVAILABLE;
}

bool NoMemory(int error) {
  return error == MBEDTLS_ERR_X509_ALLOC_FAILED || error == MBEDTLS_ERR_PK_ALLOC_FAILED;
}

const char* KeyFault(int error, std::string_view text) {
  // PKCS #8 and OpenSSL's own form.
  if (text.find("ENCRYPTED") != std::string_view::npos) return "it is encrypted: a key without a password is needed";
  return NoMemory(error) ? "no memory for it" : "no private key in PEM, or one of an unsupported kind";
}

}  // namespace

struct OwnCertificate::Pair {
  mbedtls_x509_crt chain;
  mbedtls_pk_context key;

  static Pair* Make() {
    auto* const pair = static_cast<Pair*>(mbedtls_calloc(1, sizeof(Pair)));
    if (pair == nullptr) return nullptr;
    mbedtls_x509_crt_init(&pair->chain);
    mbedtls_pk_init(&pair->key);
    return pair;
  }
  static void Free(Pair* pair) {
    if (pair == nullptr) return;
    mbedtls_x509_crt_free(&pair->chain);
    mbedtls_pk_free(&pair->key);
    mbedtls_free(pair);
  }
};

OwnCertificate::~OwnCertificate() { Pair::Free(pair_); }

void* OwnCertificate::chain() const { return &pair_->chain; }
void* OwnCertificate::key() const { return &pair_->key; }

Status OwnCertificate::Load(std::string_view certificate, std::string_view key) {
  LIMPET_TRY(certificate_file_.Name(certificate));
  LIMPET_TRY(key_file_.Name(key));
  return Refresh();
}

Status OwnCertificate::Fail(const WatchedFile& file, const char* what, Status status) {
  failed_key_ = &file == &certificate_file_ ? "tls_cert" : "tls_key";
  failed_path_ = file.path().data();
  failed_text_ = what;
  return status;
}

void OwnCertificate::Describe(TextWriter& out) const {
  out << failed_key_ << ' ' << failed_path_ << ": " << failed_text_;
}

Status OwnCertificate::Refresh() {
  bool new_certificate = false, new_key = false;
  const Result<int> certificate = certificate_file_.Open(new_certificate);
  if (!certificate.ok()) {
    return Fail(certificate_file_, CodeName(certificate.status().code), certificate.status());
  }
  const OpenFile certificate_open(certificate.value());
  const Result<int> key = key_file_.Open(new_key);
  if (!key.ok()) return Fail(key_file_, CodeName(key.status().code), key.status());
  const OpenFile key_open(key.value());
  if (!new_certificate && !new_key) return {};

  PemText certificate_text, key_text;
  if (const Status read = certificate_text.Read(certificate_open, certificate_file_.size()); !read.ok()) {
    return Fail(certificate_file_, read.where, read);
  }
  if (const Status read = key_text.Read(key_open, key_file_.size()); !read.ok()) {
    return Fail(key_file_, read.where, read);
  }
  Pair* const pair = Pair::Make();
  if (pair == nullptr) return Fail(certificate_file_, "no memory for it", {Code::kFull, 0, "own certificate"});
  const auto give_up = [&](const WatchedFile& file, int error, const char* what) {
    Pair::Free(pair);
    return Fail(file, what, {NoMemory(error) ? Code::kFull : Code::kInvalid, error, "own certificate"});
  };
  int error = mbedtls_x509_crt_parse(&pair->chain, certificate_text.bytes(), certificate_text.size());
  if (error != 0) {
    return give_up(certificate_file_, error,
                   NoMemory(error) ? "no memory for it" : "no certificate in PEM, or one of an unsupported kind");
  }
  // mbedTLS sends it in one record.
  size_t bytes = 8;
  for (const mbedtls_x509_crt* c = &pair->chain; c != nullptr; c = c->next) bytes += c->raw.len + 5;
  if (bytes > MBEDTLS_SSL_OUT_CONTENT_LEN) {
    return give_up(certificate_file_, 0, "its chain is longer than 4KiB in DER: leave the root out");
  }
  error = mbedtls_pk_parse_key(&pair->key, key_text.bytes(), key_text.size(), nullptr, 0,
                               Random, nullptr);
  if (error != 0) return give_up(key_file_, error, KeyFault(error, key_text.text()));
  error = mbedtls_pk_check_pair(&pair->chain.pk, &pair->key, Random, nullptr);
  if (error != 0) return give_up(key_file_, error, "not the key of the certificate in tls_cert");
  Pair::Free(pair_);
  pair_ = pair;
  certificate_file_.Accept();
  key_file_.Accept();
  return {};
}

}  // namespace limpet
