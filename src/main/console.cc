#include "main/console.h"

#include <cstdlib>

#include "base/text.h"
#include "port/linux/host.h"
#include "port/linux/stderr_log.h"

namespace limpet {

void Complain(std::string_view text) {
  TextBuffer<2048> line;
  line << "limpet: " << text << '\n';
  StderrLog().WriteLine(line.text());
}

bool ColourWanted() {
  const char* const no_color = std::getenv("NO_COLOR");
  return StdoutIsTerminal() && (no_color == nullptr || *no_color == '\0');
}

}  // namespace limpet
