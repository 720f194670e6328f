#include "port/curl/ca_index.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace limpet {
namespace {

using Bytes = std::span<const uint8_t>;

/// Equal for names that X.509 holds equal: letters without case, PrintableString (0x13) as
/// UTF8String (0x0c). It folds every byte, whatever it means: a few more candidates, none missed.
uint32_t NameHash(Bytes name) {
  uint32_t hash = 2166136261u;  // FNV-1a
  for (uint8_t byte : name) {
    if (byte == 0x13) byte = 0x0c;
    if (byte >= 'A' && byte <= 'Z') byte = static_cast<uint8_t>(byte + ('a' - 'A'));
    hash = (hash ^ byte) * 16777619u;
  }
  return hash;
}

/// Reads tag and length off the front of `rest`, which may end before the content does. Returns the
/// length of the content; SIZE_MAX when malformed or when the tag is another.
size_t TakeHeader(Bytes& rest, uint8_t tag) {
  if (rest.size() < 2 || rest[0] != tag) return SIZE_MAX;
  size_t length = rest[1];
  size_t header = 2;
  if (length >= 0x80) {
    const size_t digits = length - 0x80;
    if (digits == 0 || digits > 3 || rest.size() < 2 + digits) return SIZE_MAX;
    length = 0;
    for (size_t i = 0; i < digits; ++i) length = length << 8 | rest[2 + i];
    header += digits;
  }
  rest = rest.subspan(header);
  return length;
}

/// Takes a whole element off the front of `rest`; empty when malformed or cut.
Bytes TakeElement(Bytes& rest, uint8_t tag) {
  const Bytes start = rest;
  const size_t length = TakeHeader(rest, tag);
  if (length == SIZE_MAX || length > rest.size()) return {};
  rest = rest.subspan(length);
  return start.first(start.size() - rest.size());
}

constexpr uint8_t kInteger = 0x02, kSequence = 0x30, kVersion = 0xa0;

/// The subject of a certificate of which the front is known; empty when it is not there.
/// Source: RFC 5280 section 4.1.
Bytes SubjectOf(Bytes der) {
  if (TakeHeader(der, kSequence) == SIZE_MAX) return {};  // Certificate
  if (TakeHeader(der, kSequence) == SIZE_MAX) return {};  // TBSCertificate
  if (!der.empty() && der[0] == kVersion && TakeElement(der, kVersion).empty()) return {};
  for (const uint8_t tag : {kInteger, kSequence, kSequence, kSequence}) {
    // Serial number, signature algorithm, issuer, validity.
    if (TakeElement(der, tag).empty()) return {};
  }
  return TakeElement(der, kSequence);
}

/// -1 for what is not a digit of base 64.
int Base64Digit(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+') return 62;
  if (c == '/') return 63;
  return -1;
}

/// Walks the certificates of a PEM file through a small buffer.
class PemReader {
 public:
  struct Certificate {
    uint64_t offset = 0;  // Of its BEGIN line.
    size_t bytes = 0;     // In DER, whether it all fitted or not.
    bool valid = false;
  };

  PemReader(int file, uint64_t offset) : file_(file), next_(offset) {}

  /// The next certificate, its front copied to `into`. kNotFound at the end.
  Result<Certificate> Next(std::span<uint8_t> into) {
    Certificate found;
    bool inside = false;
    uint32_t bits = 0;
    int bit_count = 0;
    for (;;) {
      const Result<std::string_view> line = ReadLine();
      if (!line.ok()) return line.status();
      const std::string_view text = line.value();
      if (text == "-----BEGIN CERTIFICATE-----") {
        found = {.offset = line_offset_, .bytes = 0, .valid = true};
        inside = true;
        bits = 0, bit_count = 0;
        continue;
      }
      if (!inside) continue;
      if (text == "-----END CERTIFICATE-----") return found;
      for (const char c : text) {
        if (c == '=' || c == ' ' || c == '\t') continue;
        const int digit = Base64Digit(c);
        if (digit < 0) found.valid = false;
        bits = bits << 6 | (static_cast<uint32_t>(digit) & 63);
        bit_count += 6;
        if (bit_count < 8) continue;
        bit_count -= 8;
        if (found.bytes < into.size()) into[found.bytes] = static_cast<uint8_t>(bits >> bit_count);
        ++found.bytes;
      }
      if (cut_) found.valid = false;
    }
  }

 private:
  /// A line without its end, cut to what the buffer holds. kNotFound at the end of the file.
  Result<std::string_view> ReadLine() {
    size_t size = 0;
    line_offset_ = next_ - (end_ - at_);
    cut_ = false;
    for (;;) {
      if (at_ == end_) {
        const ssize_t got = pread(file_, buffer_, sizeof buffer_, static_cast<off_t>(next_));
        if (got < 0) return {Code::kIo, errno, "read CA file"};
        if (got == 0 && size == 0) return {Code::kNotFound, 0, "CA file"};
        if (got == 0) break;
        at_ = 0, end_ = static_cast<size_t>(got);
        next_ += end_;
      }
      const char c = buffer_[at_++];
      if (c == '\n') break;
      if (size < sizeof line_) {
        line_[size++] = c;
      } else {
        cut_ = true;
      }
    }
    while (size > 0 && (line_[size - 1] == '\r' || line_[size - 1] == ' ')) --size;
    return std::string_view(line_, size);
  }

  int file_;
  uint64_t next_;  // The offset behind the buffer.
  uint64_t line_offset_ = 0;
  size_t at_ = 0, end_ = 0;
  bool cut_ = false;
  char line_[128];  // PEM has lines of 64, some tools make 76.
  char buffer_[2048];
};

}  // namespace

Status CaIndex::Load(std::string_view path) {
  LIMPET_TRY(file_.Name(path));
  return Refresh();
}

Status CaIndex::Refresh() {
  const Result<int> file = OpenCurrent();
  if (!file.ok()) return file.status();
  close(file.value());
  return {};
}

/// Opens the file and makes sure that the index is of what was opened.
Result<int> CaIndex::OpenCurrent() {
  bool changed = false;
  const Result<int> file = file_.Open(changed);
  if (!file.ok() || !changed) return file;
  file_.Forget();
  const Status status = Index(file.value());
  if (!status.ok()) {
    close(file.value());
    return status;
  }
  file_.Accept();
  return file;
}

Status CaIndex::Index(int file) {
  count_ = 0;
  largest_bytes_ = 0;
  PemReader reader(file, 0);
  uint8_t front[2048];  // Issuer and subject of real roots are far below that.
  for (;;) {
    const Result<PemReader::Certificate> next = reader.Next(front);
    if (next.status().code == Code::kNotFound) break;
    if (!next.ok()) return next.status();
    const PemReader::Certificate& found = next.value();
    if (!found.valid || found.bytes > kCertificateBytesMax || found.offset > UINT32_MAX) continue;
    const Bytes subject = SubjectOf(Bytes(front, std::min(found.bytes, sizeof front)));
    if (subject.empty()) continue;
    if (count_ == entries_.size()) return {Code::kFull, 0, "CA file: more than 512 certificates"};
    entries_[count_++] = {NameHash(subject), static_cast<uint32_t>(found.offset),
                          static_cast<uint32_t>(found.bytes)};
    largest_bytes_ = std::max(largest_bytes_, found.bytes);
  }
  if (count_ == 0) return {Code::kInvalid, 0, "CA file: no certificate in it"};
  return {};
}

Status CaIndex::VisitSubject(Bytes name, std::span<uint8_t> scratch, CertificateVisitor& visitor) {
  const Result<int> file = OpenCurrent();
  if (!file.ok()) return file.status();
  const OpenFile closer(file.value());
  const uint32_t hash = NameHash(name);
  for (const Entry& entry : std::span(entries_).first(count_)) {
    if (entry.subject_hash != hash) continue;
    if (entry.bytes > scratch.size()) return {Code::kFull, 0, "CA certificate"};
    PemReader reader(file.value(), entry.offset);
    const Result<PemReader::Certificate> found = reader.Next(scratch);
    if (!found.ok()) return found.status();
    if (!found.value().valid || found.value().bytes != entry.bytes) continue;  // Just rewritten.
    LIMPET_TRY(visitor.OnCertificate(scratch.first(entry.bytes)));
  }
  return {};
}

}  // namespace limpet
