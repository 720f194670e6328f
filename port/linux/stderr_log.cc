#include "port/linux/stderr_log.h"

#include <poll.h>
#include <unistd.h>

namespace limpet {

void StderrLog::WriteLine(std::string_view line) {
  // Asked before each write instead of O_NONBLOCK, which others who share the pipe would inherit.
  while (!line.empty()) {
    pollfd ready{.fd = 2, .events = POLLOUT, .revents = 0};
    if (poll(&ready, 1, 0) <= 0) return;
    const ssize_t written = write(2, line.data(), line.size());
    if (written <= 0) return;
    line.remove_prefix(static_cast<size_t>(written));
  }
}

}  // namespace limpet
