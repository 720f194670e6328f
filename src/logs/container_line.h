// Lines of the files in which container runtimes keep what their containers write.
#pragma once

#include <span>
#include <string_view>

#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

struct ContainerLine {
  UnixTime time;            ///< When the runtime took it; 0: not said.
  std::string_view stream;  ///< "stdout", "stderr".
  std::string_view text;    ///< What the container has written, without its line end. Any bytes.
  bool partial = false;     ///< The line of the container goes on in the next one of its stream.
};

/// Kubernetes' format, of containerd and CRI-O:
/// "2024-01-01T00:00:00.000000000Z stdout F text"; P instead of F: partial. Tags may follow after colons.
/// kInvalid: it is none. `into` is then as it was.
Status ParseCri(std::string_view line, ContainerLine& into);

/// The json-file driver of Docker: {"log":"text\n","stream":"stdout","time":"2024-01-01T00:00:00Z"}, partial
/// when no \n ends the text; other members ("attrs") are passed over. The text lies in `scratch` unless
/// it is written plainly: as long as the line is always enough for one that is valid UTF-8, three times
/// as long for any.
/// kInvalid: it is none; kFull: `scratch` is too small. `into` is then as it was.
Status ParseDocker(std::string_view line, std::span<char> scratch, ContainerLine& into);

}  // namespace limpet
