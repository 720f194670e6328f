#include "port/linux/random.h"

#include <ctime>

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

namespace limpet {

LinuxRandom::LinuxRandom() {
  // A device that has just booted may have no entropy yet: never wait for it.
  if (getrandom(&state_, sizeof state_, GRND_NONBLOCK) == sizeof state_) return;
  // Linux before 3.17 has no getrandom; urandom never waits either.
  if (const int file = open("/dev/urandom", O_RDONLY | O_CLOEXEC); file >= 0) {
    const bool filled = read(file, &state_, sizeof state_) == sizeof state_;
    close(file);
    if (filled) return;
  }
  timespec boot{}, wall{};
  clock_gettime(CLOCK_BOOTTIME, &boot);
  clock_gettime(CLOCK_REALTIME, &wall);
  state_ = static_cast<uint64_t>(boot.tv_nsec) << 32 ^ static_cast<uint64_t>(wall.tv_nsec) ^
           static_cast<uint64_t>(wall.tv_sec) << 20 ^ static_cast<uint64_t>(getpid());
}

uint64_t LinuxRandom::Next() {
  state_ += 0x9e3779b97f4a7c15;
  uint64_t z = state_;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace limpet
