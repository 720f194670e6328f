// Who we are to a TLS server that asks, and to the clients of a listener: a certificate with its chain, and the key to it.
#pragma once

#include <string_view>

#include "base/text.h"
#include "limpet/status.h"
#include "port/linux/watched_file.h"

namespace limpet {

/// Over two PEM files. A pair that was good stays in force until the files hold a better one: the two
/// cannot be replaced in the same moment.
class OwnCertificate {
 public:
  static constexpr size_t kFileBytesMax = 32 * kKiB;

  OwnCertificate() = default;
  ~OwnCertificate();
  OwnCertificate(const OwnCertificate&) = delete;
  OwnCertificate& operator=(const OwnCertificate&) = delete;

  /// Reads both. A failure is told by Describe as well.
  /// kNotFound, kDenied, kIo: as open(2) says. kInvalid: not what it should be, or the key is another
  /// certificate's. kFull: too long, or no memory for it.
  Status Load(std::string_view certificate, std::string_view key);

  /// As Load, when one of the files has changed; else nothing.
  Status Refresh();

  /// "tls_key /etc/limpet/key.pem: not the key of this certificate"
  void Describe(TextWriter& out) const;

  bool loaded() const { return pair_ != nullptr; }
  /// mbedtls_x509_crt and mbedtls_pk_context, as long as nothing is loaded anew.
  void* chain() const;
  void* key() const;

 private:
  struct Pair;
  Status Fail(const WatchedFile& file, const char* what, Status status);

  WatchedFile certificate_file_, key_file_;
  Pair* pair_ = nullptr;  // In mbedTLS' heap.
  const char* failed_key_ = "";   // "tls_cert" or "tls_key"; what is wrong with it:
  const char* failed_path_ = "";
  const char* failed_text_ = "";
};

}  // namespace limpet
