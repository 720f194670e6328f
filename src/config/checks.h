// What the table cannot say of one key alone: values that must fit each other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "config/config.h"
#include "config/value.h"

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

// What the checks of several sections share.

/// The open slabs and the compressor's output take a quarter of the memory then, and the queue can
/// still hold a dozen.
inline constexpr uint64_t kBatchesInMemory = 16;

/// Reports a listener that others can reach, where who they are is not asked.
/// remedy: what would ask them, e.g. "set bearer_token_file, "; or nothing.
void CheckReach(std::string_view section, std::string_view listen, std::string_view remedy,
                Problems& problems);

/// Reports a listener at the address of another one; any port (:0) is always another.
void CheckTaken(const Config& config, std::string_view section, std::string_view listen,
                Problems& problems);

/// Encoded, at most; and what may stand in front of a batch or on a record.
size_t AttributeBytes(std::span<const KeyValue> attributes);
size_t AttributeBytesMost(const Config& config);

/// Checks the log sources (log_checks.cc). patterns: nullptr: theirs are taken as they are.
void CheckLogs(const Config& config, PatternCheck* patterns, Problems& problems);

/// Checks a loaded configuration, its destinations completed.
void CheckTogether(const Config& config, PatternCheck* patterns, Problems& problems);

}  // namespace limpet
