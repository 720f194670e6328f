#include "port/linux/host.h"

#include <cerrno>
#include <cstring>

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

bool WriteStdout(std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(1, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

bool StdoutIsTerminal() { return isatty(1) == 1; }

}  // namespace limpet
