// The one place where the loop thread waits.
#pragma once

#include <cstdint>

#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

inline constexpr uint8_t kReadable = 1;
inline constexpr uint8_t kWritable = 2;
inline constexpr uint8_t kHangup = 4;  ///< Only reported, always watched for.

class PollHandler {
 public:
  /// ready: kReadable, kWritable, kHangup or'ed. Does a bounded share of work and returns.
  virtual void OnReady(int handle, uint8_t ready) = 0;

 protected:
  ~PollHandler() = default;
};

/// Level triggered: what is not consumed is reported again.
class Poller {
 public:
  /// Watches the handle for `interest`, or changes what it is watched for.
  /// kFull: the table of handles is full.
  virtual Status Watch(int handle, uint8_t interest, PollHandler& handler) = 0;

  /// Stops watching; call it before the handle is closed. Unknown handles are ignored.
  /// After it returns the handler is not called again, not even for events already fetched.
  virtual void Forget(int handle) = 0;

  /// Waits until a handle is ready or boot time reaches `until` (kNever: only for handles), calls
  /// the handlers of what is ready, and returns.
  virtual Status Wait(MonoTime until) = 0;

 protected:
  ~Poller() = default;
};

}  // namespace limpet
