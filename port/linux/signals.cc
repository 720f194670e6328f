#include "port/linux/signals.h"

#include <cerrno>
#include <csignal>

#include <sys/signalfd.h>
#include <unistd.h>

#include "port/linux/error.h"

namespace limpet {

Signals::~Signals() {
  if (handle_ >= 0) close(handle_);
}

Status Signals::Start(Poller& poller) {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, number);
  if (sigprocmask(SIG_BLOCK, &set, nullptr) != 0) return FromErrno(errno, "sigprocmask");
  signal(SIGPIPE, SIG_IGN);
  handle_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (handle_ < 0) return FromErrno(errno, "signalfd");
  return poller.Watch(handle_, kReadable, *this);
}

void Signals::OnReady(int handle, uint8_t) {
  signalfd_siginfo info{};
  while (read(handle, &info, sizeof info) == sizeof info) {
    switch (info.ssi_signo) {
      case SIGTERM:
      case SIGINT: receiver_.OnStop(); break;
      case SIGHUP: receiver_.OnReload(); break;
      case SIGUSR1: receiver_.OnReport(); break;
      default: break;
    }
  }
}

}  // namespace limpet
