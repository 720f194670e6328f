// limpet status, health and reload: questions to the running process, over its control socket.
#include <array>

#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/configuration.h"
#include "main/console.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/host.h"
#include "port/linux/run_dir.h"
#include "port/linux/sockets.h"
#include "serve/control_client.h"

namespace limpet {
namespace {

constexpr Duration kTimeout = Seconds(5);

/// Asks at most a question a time; the answer lives until the next.
class Question {
 public:
  int Open(const Args& args) {
    if (const int code = LoadConfiguration(args, config_); code != kExitOk) return code;
    if (const Status opened = poller_.Open(); !opened.ok()) {
      Complain(opened.where);
      return kExitIo;
    }
    return kExitOk;
  }

  /// Complains and returns an exit code when there is no answer.
  int Ask(std::string_view method, std::string_view target, ControlAnswer& answer) {
    Status failed;
    // The run directory first, and where the process could not use it, its state directory.
    for (const std::string_view directory : {config_.agent.run_dir, config_.agent.state_dir}) {
      TextBuffer<kPathMax> address;
      WriteControlAddress(directory, address);
      const Result<ControlAnswer> got =
          AskControl(sockets_, poller_, clock_, address.text(), method, target, kTimeout, buffer_);
      if (got.ok()) {
        answer = got.value();
        return kExitOk;
      }
      // "Nobody there" of the second says less than what went wrong at the first.
      if (failed.ok() || got.status().code != Code::kNotFound) failed = got.status();
    }
    TextBuffer<512> text;
    switch (failed.code) {
      case Code::kNotFound:
        text << "no limpet runs with agent.run_dir = " << config_.agent.run_dir;
        Complain(text.text());
        return kExitUnavailable;
      case Code::kDenied:
        Complain("no permission to ask: the running limpet is another user's");
        return kExitPermission;
      case Code::kTimeout:
        Complain("the running limpet does not answer");
        return kExitUnavailable;
      default:
        text << "cannot ask the running limpet: " << failed.where << ": " << CodeName(failed.code);
        Complain(text.text());
        return kExitIo;
    }
  }

  /// Waits, unless a signal ends the process.
  void Pause(Duration duration) {
    const MonoTime until = clock_.Monotonic() + duration;
    while (clock_.Monotonic() < until) {
      if (!poller_.Wait(until).ok()) return;
    }
  }

 private:
  Config config_;
  LinuxClock clock_;
  LinuxSockets sockets_;
  EpollPollerBuffer<4> poller_;
  std::array<char, kPageBytes + kConnectionHeadBytes> buffer_{};
};

Question& TheQuestion() {
  static Question question;  // Too large for a small stack.
  return question;
}

}  // namespace

int StatusCommand(const Args& args) {
  Question& question = TheQuestion();
  if (const int code = question.Open(args); code != kExitOk) return code;
  const bool colour = !args.json && ColourWanted();
  const std::string_view target = args.json ? "/status" : colour ? "/status?text&colour" : "/status?text";
  const bool redraw = args.watch && StdoutIsTerminal();
  for (;;) {
    ControlAnswer answer;
    if (const int code = question.Ask("GET", target, answer); code != kExitOk) return code;
    // Home, and wipe what is left of the last picture.
    if (redraw && !args.json && !WriteStdout("\x1b[H\x1b[2J")) return kExitIo;
    if (!WriteStdout(answer.body)) return kExitIo;
    if (!args.watch) return answer.status == 200 ? kExitOk : kExitInternal;
    question.Pause(Seconds(1));
  }
}

int HealthCommand(const Args& args) {
  Question& question = TheQuestion();
  if (const int code = question.Open(args); code != kExitOk) return code;
  ControlAnswer answer;
  if (const int code = question.Ask("GET", "/health", answer); code != kExitOk) return code;
  if (!WriteStdout(answer.body)) return kExitIo;
  return answer.status == 200 ? kExitOk : kExitUnavailable;
}

int ReloadCommand(const Args& args) {
  Question& question = TheQuestion();
  if (const int code = question.Open(args); code != kExitOk) return code;
  ControlAnswer answer;
  if (const int code = question.Ask("POST", "/reload", answer); code != kExitOk) return code;
  if (!WriteStdout(answer.body)) return kExitIo;
  switch (answer.status) {
    case 200: return kExitOk;
    case 422: return kExitConfig;
    default: return kExitUnavailable;
  }
}

}  // namespace limpet
