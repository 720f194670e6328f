#include "main/question.h"

#include "cli/exit_code.h"
#include "main/configuration.h"
#include "main/console.h"
#include "port/linux/run_dir.h"

namespace limpet {
namespace {

constexpr Duration kTimeout = Seconds(5);

}  // namespace

int Question::Open(const Args& args) {
  if (const int code = LoadConfiguration(args, config_); code != kExitOk) return code;
  if (const Status opened = poller_.Open(); !opened.ok()) {
    Complain(opened.where);
    return kExitIo;
  }
  return kExitOk;
}

Result<ControlAnswer> Question::Try(std::string_view method, std::string_view target) {
  Status failed;
  // The run directory first, and where the process could not use it, its state directory.
  for (const std::string_view directory : {config_.agent.run_dir, config_.agent.state_dir}) {
    TextBuffer<kPathMax> address;
    WriteControlAddress(directory, address);
    const Result<ControlAnswer> got =
        AskControl(sockets_, poller_, clock_, address.text(), method, target, kTimeout, buffer_);
    if (got.ok()) return got;
    // "Nobody there" of the second says less than what went wrong at the first.
    if (failed.ok() || got.status().code != Code::kNotFound) failed = got.status();
  }
  return failed;
}

int Question::Ask(std::string_view method, std::string_view target, ControlAnswer& answer) {
  const Result<ControlAnswer> got = Try(method, target);
  if (!got.ok()) return Complaint(got.status());
  answer = got.value();
  return kExitOk;
}

int Question::Complaint(const Status& failed) const {
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

void Question::Pause(Duration duration) {
  const MonoTime until = clock_.Monotonic() + duration;
  while (clock_.Monotonic() < until) {
    if (!poller_.Wait(until).ok()) return;
  }
}

Question& TheQuestion() {
  static Question question;
  return question;
}

}  // namespace limpet
