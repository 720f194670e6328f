// limpet status, health and reload: questions to the running process, over its control socket.
#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"
#include "main/question.h"
#include "port/linux/host.h"

namespace limpet {

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
