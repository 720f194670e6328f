// The log goes to stderr; the service manager keeps it.
#pragma once

#include "log/logger.h"

namespace limpet {

class StderrLog final : public LogOutput {
 public:
  /// A full pipe must not stop the loop: what cannot be written at once is left out.
  void WriteLine(std::string_view line) override;
};

}  // namespace limpet
