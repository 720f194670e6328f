// Signals as events of the loop.
#pragma once

#include "limpet/poller.h"

namespace limpet {

class SignalReceiver {
 public:
  virtual void OnStop() = 0;    ///< TERM, INT.
  virtual void OnReload() = 0;  ///< HUP.
  virtual void OnReport() = 0;  ///< USR1.

 protected:
  ~SignalReceiver() = default;
};

/// Blocks TERM, INT, HUP and USR1 for the whole process, ignores PIPE, and hands the first four on
/// from the poller.
class Signals final : private PollHandler {
 public:
  explicit Signals(SignalReceiver& receiver) : receiver_(receiver) {}
  ~Signals();
  Status Start(Poller& poller);

 private:
  void OnReady(int handle, uint8_t ready) override;

  SignalReceiver& receiver_;
  int handle_ = -1;
};

}  // namespace limpet
