// Finds a certificate's possible issuers in a CA file without keeping the file in memory: 144
// certificates parsed are 395 KB, their index is 12 bytes each.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/limits.h"
#include "limpet/status.h"
#include "port/linux/watched_file.h"

namespace limpet {

class CertificateVisitor {
 public:
  /// der: one certificate, valid during the call.
  virtual Status OnCertificate(std::span<const uint8_t> der) = 0;

 protected:
  ~CertificateVisitor() = default;
};

/// Over one PEM file. What is in it besides certificates (comments, keys, OpenSSL's own "TRUSTED"
/// form) and certificates that cannot be read are passed over.
class CaIndex {
 public:
  static constexpr size_t kCertificatesMax = 512;
  static constexpr size_t kCertificateBytesMax = 16 * kKiB;  // DER; what is longer is passed over.

  /// path: shorter than kPathMax, copied. Reads the whole file once.
  /// kNotFound, kDenied, kIo: as open(2) says. kInvalid: not a regular file, or no certificate in it.
  /// kFull: more than kCertificatesMax.
  Status Load(std::string_view path);

  /// Gives `visitor` each certificate whose subject may be `name` (a DER Name, tag included): those
  /// that differ only in the case of letters or in the kind of string count too, as they do for
  /// X.509. A file that has changed on disk is indexed anew first. scratch: room for one
  /// certificate, at least largest_bytes() after a change as well: kFull when it is not.
  /// Otherwise the errors of Load, then those of the visitor.
  Status VisitSubject(std::span<const uint8_t> name, std::span<uint8_t> scratch,
                      CertificateVisitor& visitor);

  /// As Load, when the file is not the one indexed; else nothing.
  Status Refresh();

  std::string_view path() const { return file_.path(); }
  size_t count() const { return count_; }
  /// The longest certificate, in DER.
  size_t largest_bytes() const { return largest_bytes_; }

 private:
  struct Entry {
    uint32_t subject_hash;
    uint32_t offset;  // Of its BEGIN line, or before it.
    uint32_t bytes;   // In DER.
  };

  Result<int> OpenCurrent();
  Status Index(int file);

  WatchedFile file_;
  size_t count_ = 0;
  size_t largest_bytes_ = 0;
  std::array<Entry, kCertificatesMax> entries_{};
};

}  // namespace limpet
