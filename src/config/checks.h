// What the table cannot say of one key alone: values that must fit each other.
#pragma once

#include <string_view>

#include "config/config.h"

namespace limpet {

/// Who collects what is wrong and knows where each key was written.
class Problems {
 public:
  /// section: "destination.primary". key: empty when it is about the whole section.
  virtual void Report(std::string_view section, std::string_view key, std::string_view text) = 0;

  /// False when the section has had an error: its values may be defaults then, so that a check of
  /// them would only confuse.
  virtual bool Sound(std::string_view section) const = 0;

 protected:
  ~Problems() = default;
};

/// What is wrong with header.NAME; null when nothing is.
const char* HeaderNameFault(std::string_view name);

/// Checks a loaded configuration, its destinations completed.
void CheckTogether(const Config& config, Problems& problems);

}  // namespace limpet
