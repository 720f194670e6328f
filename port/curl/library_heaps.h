// Where libcurl, c-ares and mbedTLS get their memory: two fixed heaps, "curl" for the first two and
// "tls" for the third. Their hooks carry no context, so this is the one place with a global. The
// seed of mbedTLS' random generators comes from here too.
#pragma once

#include <cstddef>

#include "limpet/status.h"
#include "memory/fixed_heap.h"

namespace limpet {

struct LibraryHeaps {
  FixedHeap* curl = nullptr;
  FixedHeap* tls = nullptr;
  bool (*refuse)() = nullptr;  ///< For tests: asked before each allocation, true makes it fail.
};

/// Initializes the three libraries over the heaps, which must outlive LeaveLibraries.
/// kFull: a heap is too small even for that.
Status EnterLibraries(const LibraryHeaps& heaps);

/// Gives back what the libraries hold for the process. Call it once for each EnterLibraries that
/// succeeded, after the last of their objects is gone.
void LeaveLibraries();

/// Allocations that were refused since the start: tells "out of memory" from what libraries make
/// of it.
size_t LibraryRefusals();

/// A bound on what some of the users of the heap "tls" hold together, so that their peers cannot take
/// what the others need.
class TlsShare {
 public:
  explicit TlsShare(size_t bytes) : bytes_(bytes) {}
  size_t used() const { return used_; }
  size_t peak() const { return peak_; }

 private:
  friend class TlsShareScope;
  size_t bytes_, used_ = 0, peak_ = 0;
};

/// While it lives, what mbedTLS allocates and frees is counted in the share, and refused beyond it.
/// Blocks are freed under the share that they were allocated under. One at a time.
class TlsShareScope {
 public:
  explicit TlsShareScope(TlsShare& share);
  ~TlsShareScope();
  TlsShareScope(const TlsShareScope&) = delete;
  TlsShareScope& operator=(const TlsShareScope&) = delete;

  /// Does a block of `count` times `bytes` still fit?
  bool Admits(size_t count, size_t bytes) const;
  /// Brings the share up to date.
  void Note();

 private:
  size_t Used() const;

  TlsShare& share_;
  size_t before_;  // What the heap had handed out beyond the share.
};

/// A block out of the heap "curl" for what goes with the libraries' own objects; nullptr when full.
void* AllocateForLibraries(size_t bytes);
void FreeForLibraries(void* block);

}  // namespace limpet
