#include "port/curl/library_heaps.h"

#include <ares.h>
#include <curl/curl.h>
#include <mbedtls/platform.h>
#include <psa/crypto.h>

#include <cstring>

namespace limpet {
namespace {

LibraryHeaps heaps;
size_t refusals = 0;

void* Count(void* block) {
  if (block == nullptr) ++refusals;
  return block;
}

bool Refused() { return heaps.refuse != nullptr && heaps.refuse(); }

void* Malloc(size_t bytes) { return Count(Refused() ? nullptr : heaps.curl->Allocate(bytes)); }

void* Calloc(size_t count, size_t bytes) {
  return Count(Refused() ? nullptr : heaps.curl->AllocateZeroed(count, bytes));
}

void Free(void* block) { heaps.curl->Free(block); }

void* Realloc(void* block, size_t bytes) {
  return Count(Refused() ? nullptr : heaps.curl->Resize(block, bytes));
}

char* Strdup(const char* text) {
  const size_t bytes = std::strlen(text) + 1;
  void* const copy = Malloc(bytes);
  return copy == nullptr ? nullptr : static_cast<char*>(std::memcpy(copy, text, bytes));
}

void* TlsCalloc(size_t count, size_t bytes) {
  return Count(Refused() ? nullptr : heaps.tls->AllocateZeroed(count, bytes));
}

void TlsFree(void* block) { heaps.tls->Free(block); }

}  // namespace

Status EnterLibraries(const LibraryHeaps& given) {
  LIMPET_CHECK(heaps.curl == nullptr);
  LIMPET_CHECK(given.curl != nullptr && given.tls != nullptr);
  heaps = given;
  Status status;
  // Each before its user: curl initializes c-ares again (it only counts) and mbedTLS.
  if (mbedtls_platform_set_calloc_free(TlsCalloc, TlsFree) != 0) {
    status = {Code::kUnsupported, 0, "mbedtls allocator"};
  } else if (ares_library_init_mem(ARES_LIB_INIT_ALL, Malloc, Free, Realloc) != ARES_SUCCESS) {
    status = {Code::kFull, 0, "c-ares"};
  } else if (curl_global_init_mem(CURL_GLOBAL_DEFAULT, Malloc, Free, Realloc, Strdup, Calloc) !=
             CURLE_OK) {
    ares_library_cleanup();
    status = {Code::kFull, 0, "libcurl"};
  } else if (psa_crypto_init() != PSA_SUCCESS) {  // Now, so that no connection has to.
    curl_global_cleanup();
    ares_library_cleanup();
    status = {Code::kFull, 0, "mbedtls"};
  }
  if (!status.ok()) heaps = {};
  return status;
}

void LeaveLibraries() {
  curl_global_cleanup();
  ares_library_cleanup();
  mbedtls_psa_crypto_free();
  heaps = {};
}

size_t LibraryRefusals() { return refusals; }

void* AllocateForLibraries(size_t bytes) { return Malloc(bytes); }

void FreeForLibraries(void* block) { Free(block); }

}  // namespace limpet
