// Questions to the running process, over its control socket.
#pragma once

#include <array>
#include <string_view>

#include "cli/args.h"
#include "config/config.h"
#include "limpet/limits.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/sockets.h"
#include "serve/control_client.h"

namespace limpet {

/// Asks at most a question a time; the answer lives until the next. Too large for a small stack.
class Question {
 public:
  /// Loads the configuration that says where to ask. An exit code; what is wrong has been said.
  int Open(const Args& args);

  const Config& config() const { return config_; }
  MonoTime now() { return clock_.Monotonic(); }

  /// kNotFound: nobody is there. Else as AskControl.
  Result<ControlAnswer> Try(std::string_view method, std::string_view target);

  /// Complains and returns an exit code when there is no answer.
  int Ask(std::string_view method, std::string_view target, ControlAnswer& answer);
  /// What Ask says and returns of a failed Try.
  int Complaint(const Status& failed) const;

  /// Waits, unless a signal ends the process.
  void Pause(Duration duration);

 private:
  Config config_;
  LinuxClock clock_;
  LinuxSockets sockets_;
  EpollPollerBuffer<4> poller_;
  std::array<char, PageBytes(kDestinationsMax, kLogSourcesMax) + kConnectionHeadBytes> buffer_{};
};

/// The one of this process.
Question& TheQuestion();

}  // namespace limpet
