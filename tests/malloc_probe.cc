// The program's malloc, alone in a process: what fits is served, what does not is refused with
// ENOMEM, and all of it comes back. GoogleTest would need more than the pool has, so that this is a
// plain program which ends with 1 at the first thing that is wrong.
#include <dirent.h>
#include <malloc.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "port/linux/malloc.h"

namespace {

void Expect(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "malloc_probe: %s\n", what);
  std::exit(1);
}

}  // namespace

int main() {
  static void* blocks[4096];
  const size_t before = limpet::LibcPoolUse().used;

  size_t count = 0;
  while (count < 4096) {
    void* const block = std::malloc(100);
    if (block == nullptr) break;
    std::memset(block, 0x5a, 100);
    blocks[count++] = block;
  }
  Expect(count > 200 && count < 4096, "the pool has its size");
  Expect(malloc_usable_size(blocks[0]) >= 100, "a block is as large as was asked");
  Expect(errno == ENOMEM, "a full pool says ENOMEM");
  Expect(opendir("/") == nullptr, "libc without memory fails as it should");
  // Volatile: a compiler may take an allocation whose block nobody uses for one that succeeds.
  void* volatile cleared = std::calloc(1, 1000);
  void* volatile grown = std::realloc(blocks[0], 5000);
  Expect(cleared == nullptr && grown == nullptr, "calloc and realloc are refused as well");
  Expect(limpet::LibcPoolUse().refused >= 4, "refusals are counted");

  errno = 77;
  for (size_t i = 0; i < count; ++i) std::free(blocks[i]);
  std::free(nullptr);
  Expect(errno == 77, "free keeps errno");
  Expect(limpet::LibcPoolUse().used == before, "all of it came back");

  DIR* const root = opendir("/");
  Expect(root != nullptr && readdir(root) != nullptr, "libc works again");
  closedir(root);

  void* aligned = nullptr;
  Expect(posix_memalign(&aligned, 256, 1000) == 0 && reinterpret_cast<uintptr_t>(aligned) % 256 == 0,
         "posix_memalign aligns");
  std::free(aligned);
  auto* const zeros = static_cast<unsigned char*>(std::calloc(10, 10));
  for (int i = 0; i < 100; ++i) Expect(zeros[i] == 0, "calloc clears");
  std::free(zeros);
  Expect(limpet::LibcPoolUse().used == before, "nothing is left");
  std::puts("malloc_probe: ok");
  return 0;
}
