#include "port/linux/malloc.h"


#if !LIMPET_OWN_MALLOC

namespace limpet {
PoolUse LibcPoolUse() { return {"libc", 0, 0, 0, 0}; }
}  // namespace limpet

#else

#include <cerrno>
#include <cstring>

#include <pthread.h>

#include "memory/fixed_heap.h"

namespace {

// Pages of it that are never touched cost nothing: it lies in .bss.
alignas(64) std::byte g_region[limpet::kLibcPoolBytes];
constinit limpet::FixedHeap g_heap;

// The one pool that threads share.
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;

class Locked {
 public:
  Locked() {
    pthread_mutex_lock(&g_mutex);
    if (!g_heap.ready()) g_heap.Init("libc", g_region);  // Before main: the first caller is libc.
  }
  ~Locked() { pthread_mutex_unlock(&g_mutex); }
  Locked(const Locked&) = delete;
  Locked& operator=(const Locked&) = delete;
};

void* OrNoMemory(void* block) {
  if (block == nullptr) errno = ENOMEM;
  return block;
}

}  // namespace

namespace limpet {

PoolUse LibcPoolUse() {
  const Locked locked;
  return g_heap.use();
}

}  // namespace limpet

extern "C" {

void* malloc(size_t size) {
  const Locked locked;
  return OrNoMemory(g_heap.Allocate(size));
}

void free(void* block) {
  if (block == nullptr) return;
  const int saved = errno;  // free(3) keeps it.
  {
    const Locked locked;
    g_heap.Free(block);
  }
  errno = saved;
}

void* calloc(size_t count, size_t size) {
  const Locked locked;
  return OrNoMemory(g_heap.AllocateZeroed(count, size));
}

void* realloc(void* block, size_t size) {
  const Locked locked;
  return OrNoMemory(g_heap.Resize(block, size));
}

void* reallocarray(void* block, size_t count, size_t size) {
  if (size != 0 && count > SIZE_MAX / size) return OrNoMemory(nullptr);
  return realloc(block, count * size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  const Locked locked;
  return OrNoMemory(g_heap.AllocateAligned(alignment, size));
}

void* memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

int posix_memalign(void** block, size_t alignment, size_t size) {
  const Locked locked;
  *block = g_heap.AllocateAligned(alignment, size);
  return *block == nullptr ? ENOMEM : 0;
}

size_t malloc_usable_size(void* block) {
  if (block == nullptr) return 0;
  const Locked locked;
  return g_heap.SizeOf(block);
}

}  // extern "C"

#endif  // LIMPET_OWN_MALLOC
