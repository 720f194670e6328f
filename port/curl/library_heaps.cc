#include "port/curl/library_heaps.h"

#include <ares.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <mbedtls/entropy.h>
#include <mbedtls/platform.h>
#include <psa/crypto.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#ifndef GRND_NONBLOCK
#define GRND_NONBLOCK 1
#endif

// mbedTLS declares it in a header of its own sources only, and calls it for every seed.
extern "C" int mbedtls_hardware_poll(void*, unsigned char* output, size_t size, size_t* filled);

/// A fresh device whose kernel has no randomness yet fails the handshake, and a later attempt finds
/// some: the loop must not stand still for it.
int mbedtls_hardware_poll(void*, unsigned char* output, size_t size, size_t* filled) {
  *filled = 0;
  long got = syscall(SYS_getrandom, output, size, GRND_NONBLOCK);
  if (got < 0 && errno == ENOSYS) {  // Linux before 3.17.
    const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (file < 0) return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
    got = read(file, output, size);
    close(file);
  }
  if (got <= 0) return MBEDTLS_ERR_ENTROPY_SOURCE_FAILED;
  *filled = static_cast<size_t>(got);
  return 0;
}

namespace limpet {
namespace {

LibraryHeaps heaps;
size_t refusals = 0;
TlsShareScope* share = nullptr;

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
  if (Refused() || (share != nullptr && !share->Admits(count, bytes))) return Count(nullptr);
  void* const block = heaps.tls->AllocateZeroed(count, bytes);
  if (share != nullptr) share->Note();
  return Count(block);
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
  } else if (psa_crypto_init() == PSA_ERROR_INSUFFICIENT_MEMORY) {
    // Now, so that no connection has to; but each tries again when it failed for want of a seed.
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

TlsShareScope::TlsShareScope(TlsShare& s) : share_(s), before_(heaps.tls->use().used - s.used_) {
  LIMPET_CHECK(share == nullptr);
  share = this;
}

TlsShareScope::~TlsShareScope() {
  Note();
  share = nullptr;
}

size_t TlsShareScope::Used() const { return heaps.tls->use().used - before_; }

bool TlsShareScope::Admits(size_t count, size_t bytes) const {
  const size_t left = share_.bytes_ - std::min(share_.bytes_, Used());
  return bytes == 0 || count <= left / bytes;
}

void TlsShareScope::Note() {
  share_.used_ = Used();
  share_.peak_ = std::max(share_.peak_, share_.used_);
}

size_t LibraryRefusals() { return refusals; }

void* AllocateForLibraries(size_t bytes) { return Malloc(bytes); }

void FreeForLibraries(void* block) { Free(block); }

}  // namespace limpet
