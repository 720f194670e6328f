// The end of a process that has found a mistake of its own.
#include <cstdlib>
#include <cstring>

#include <unistd.h>

#include "base/text.h"
#include "limpet/status.h"

namespace limpet {

void CheckFailed(const char* expression, const char* file, int line) {
  TextBuffer<512> text;
  text << "limpet: internal error: " << file << ':' << line << ": " << expression << '\n';
  [[maybe_unused]] const ssize_t written = write(2, text.text().data(), text.size());
  abort();
}

}  // namespace limpet
