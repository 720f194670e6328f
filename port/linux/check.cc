// The end of a process that has found a mistake of its own. Stands alone, since everything needs it.
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "limpet/status.h"

namespace limpet {

void CheckFailed(const char* expression, const char* file, int line) {
  char text[512];
  const int size = std::snprintf(text, sizeof text, "limpet: internal error: %s:%d: %s\n", file,
                                 line, expression);
  const size_t length = size < 0 ? 0 : std::strlen(text);
  [[maybe_unused]] const ssize_t written = write(2, text, length);
  abort();
}

}  // namespace limpet
