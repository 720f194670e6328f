#include "port/linux/region.h"

#include <cerrno>

#include <sys/mman.h>

namespace limpet {

Result<std::span<std::byte>> TakeRegion(size_t bytes) {
  void* const memory =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return {Code::kFull, errno, "cannot take the memory of agent.memory"};
  return std::span<std::byte>(static_cast<std::byte*>(memory), bytes);
}

void GiveBackRegion(std::span<std::byte> region) { munmap(region.data(), region.size()); }

}  // namespace limpet
