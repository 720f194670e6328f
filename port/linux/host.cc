#include "port/linux/host.h"

#include <algorithm>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstring>

#include <fcntl.h>
#include <poll.h>
#include <sys/utsname.h>
#include <unistd.h>

namespace limpet {

SystemFacts ReadSystemFacts() {
  SystemFacts facts;
  utsname names{};
  if (uname(&names) == 0) {
    std::memcpy(facts.machine, names.machine, strnlen(names.machine, sizeof facts.machine - 1));
    std::memcpy(facts.release, names.release, strnlen(names.release, sizeof facts.release - 1));
    std::memcpy(facts.name, names.nodename, strnlen(names.nodename, sizeof facts.name - 1));
  }
  if (const long hz = sysconf(_SC_CLK_TCK); hz > 0) facts.user_hz = static_cast<uint32_t>(hz);
  return facts;
}

void FillStandardHandles() {
  for (int handle = 0; handle < 3; ++handle) {
    // The lowest free number is given out, so it is this one.
    if (fcntl(handle, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0) return;
  }
}

bool WriteStdout(std::string_view text) {
  sigset_t mask;
  sigprocmask(SIG_BLOCK, nullptr, &mask);
  sigdelset(&mask, SIGTERM);
  sigdelset(&mask, SIGINT);
  while (!text.empty()) {
    pollfd ready{.fd = 1, .events = POLLOUT, .revents = 0};
    if (ppoll(&ready, 1, nullptr, &mask) < 0) {
      if (errno == EINTR) continue;
      return false;
    }
    // A pipe that is ready takes this much without waiting.
    const ssize_t written = write(1, text.data(), std::min<size_t>(text.size(), PIPE_BUF));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool StdoutIsTerminal() { return isatty(1) == 1; }

}  // namespace limpet
