// What produces records of its own accord. The agent asks each source at every turn of the loop.
#pragma once

#include "batch/log_encoder.h"

namespace limpet {

class Source {
 public:
  /// Writes what has come since the last call, a bounded share of it, in whole rows. While
  /// logs.paused(), it waits with what cannot be read again. Returns when it wants to be called
  /// next; it may be called earlier.
  virtual MonoTime OnTime(const Stamp& now, LogEncoder& logs) = 0;

 protected:
  ~Source() = default;
};

}  // namespace limpet
