#include "port/curl/instance_id.h"

#include <array>
#include <cstdint>

#include <mbedtls/sha1.h>

#include "limpet/status.h"

namespace limpet {

void WriteInstanceId(TextWriter& out, std::string_view host_id) {
  // 4d63009a-8d0f-11ee-aad7-4c796ed8e320
  constexpr std::array<uint8_t, 16> kNamespace = {0x4d, 0x63, 0x00, 0x9a, 0x8d, 0x0f, 0x11, 0xee,
                                                  0xaa, 0xd7, 0x4c, 0x79, 0x6e, 0xd8, 0xe3, 0x20};
  std::array<uint8_t, 20> digest{};
  mbedtls_sha1_context sha1;
  mbedtls_sha1_init(&sha1);
  int failed = mbedtls_sha1_starts(&sha1);
  failed |= mbedtls_sha1_update(&sha1, kNamespace.data(), kNamespace.size());
  failed |= mbedtls_sha1_update(&sha1, reinterpret_cast<const unsigned char*>(host_id.data()),
                                host_id.size());
  failed |= mbedtls_sha1_finish(&sha1, digest.data());
  mbedtls_sha1_free(&sha1);
  LIMPET_CHECK(failed == 0);  // Software SHA-1 over memory cannot fail.
  digest[6] = static_cast<uint8_t>((digest[6] & 0x0f) | 0x50);  // Version 5.
  digest[8] = static_cast<uint8_t>((digest[8] & 0x3f) | 0x80);  // The RFC's variant.
  const std::span<const uint8_t> id(digest.data(), 16);
  out.Hex(id.subspan(0, 4)) << '-';
  out.Hex(id.subspan(4, 2)) << '-';
  out.Hex(id.subspan(6, 2)) << '-';
  out.Hex(id.subspan(8, 2)) << '-';
  out.Hex(id.subspan(10, 6));
}

}  // namespace limpet
