#include "port/linux/epoll_poller.h"

#include <cerrno>
#include <ctime>

#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

namespace limpet {
namespace {

constexpr uint64_t kTimerTag = UINT64_MAX;  // No slot has this number.
constexpr size_t kEventsAtOnce = 16;        // What is left over comes first at the next Wait.

int64_t Now(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec;
}

Status Failure(const char* where) {
  const bool full = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOSPC;
  return {full ? Code::kFull : Code::kIo, errno, where};
}

}  // namespace

EpollPoller::~EpollPoller() {
  if (timer_ >= 0) close(timer_);
  if (epoll_ >= 0) close(epoll_);
}

Status EpollPoller::Open() {
  epoll_ = epoll_create1(EPOLL_CLOEXEC);
  if (epoll_ < 0) return Failure("epoll_create1");
  timer_ = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  if (timer_ < 0 && errno == EINVAL) {  // Linux before 3.15.
    boot_timer_ = false;
    timer_ = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  }
  if (timer_ < 0) return Failure("timerfd_create");
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kTimerTag;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, timer_, &event) != 0) return Failure("epoll_ctl");
  return {};
}

EpollPoller::Slot* EpollPoller::Find(int handle) {
  for (Slot& slot : slots_) {
    if (slot.handler != nullptr && slot.handle == handle) return &slot;
  }
  return nullptr;
}

Status EpollPoller::Watch(int handle, uint8_t interest, PollHandler& handler) {
  Slot* slot = Find(handle);
  const bool known = slot != nullptr;
  for (size_t i = 0; slot == nullptr && i < slots_.size(); ++i) {
    if (slots_[i].handler == nullptr) slot = &slots_[i];
  }
  if (slot == nullptr) return {Code::kFull, 0, "poller table"};

  epoll_event event{};
  if ((interest & kReadable) != 0) event.events |= EPOLLIN;
  if ((interest & kWritable) != 0) event.events |= EPOLLOUT;
  const auto index = static_cast<uint32_t>(slot - slots_.data());
  event.data.u64 = (static_cast<uint64_t>(slot->generation) << 32) | index;
  int failed = epoll_ctl(epoll_, known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, handle, &event);
  if (failed != 0 && known && errno == ENOENT) {
    // A library closed the handle without a word, and the number has come back.
    failed = epoll_ctl(epoll_, EPOLL_CTL_ADD, handle, &event);
  }
  if (failed != 0) {
    if (known) Forget(handle);
    if (errno == EPERM) return {Code::kUnsupported, EPERM, "epoll_ctl"};
    return Failure("epoll_ctl");
  }
  slot->handle = handle;
  slot->handler = &handler;
  return {};
}

void EpollPoller::Forget(int handle) {
  Slot* const slot = Find(handle);
  if (slot == nullptr) return;
  const int saved = errno;
  epoll_event unused{};  // Linux before 2.6.9 wants a pointer; valgrind too.
  epoll_ctl(epoll_, EPOLL_CTL_DEL, handle, &unused);
  errno = saved;
  slot->handler = nullptr;
  slot->handle = -1;
  ++slot->generation;  // P2.
}

Status EpollPoller::Arm(MonoTime until) {
  // An expired timer stays readable until it is set anew, so it need never be read.
  if (until == armed_ && (boot_timer_ || until == kNever)) return {};
  int64_t ns = until.ns;
  if (!boot_timer_ && until != kNever) {
    ns -= Now(CLOCK_BOOTTIME) - Now(CLOCK_MONOTONIC);  // Grows with each suspend: set it every time.
  }
  itimerspec spec{};  // All zero: disarmed.
  if (until != kNever) {
    if (ns < 1) ns = 1;
    spec.it_value.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
    spec.it_value.tv_nsec = static_cast<decltype(spec.it_value.tv_nsec)>(ns % 1'000'000'000);
  }
  if (timerfd_settime(timer_, TFD_TIMER_ABSTIME, &spec, nullptr) != 0) {
    return Failure("timerfd_settime");
  }
  armed_ = until;
  return {};
}

Status EpollPoller::Wait(MonoTime until) {
  // What is due takes no timer.
  const bool due = until.ns <= Now(CLOCK_BOOTTIME);
  if (!due) LIMPET_TRY(Arm(until));
  epoll_event events[kEventsAtOnce];
  const int count = epoll_wait(epoll_, events, kEventsAtOnce, due ? 0 : -1);
  if (count < 0) {
    if (errno == EINTR) return {};
    return Failure("epoll_wait");
  }
  for (int i = 0; i < count; ++i) {
    const uint64_t tag = events[i].data.u64;
    if (tag == kTimerTag) continue;
    const Slot& slot = slots_[static_cast<uint32_t>(tag)];
    if (slot.handler == nullptr || slot.generation != tag >> 32) continue;  // P2.
    uint8_t ready = 0;
    if ((events[i].events & EPOLLIN) != 0) ready |= kReadable;
    if ((events[i].events & EPOLLOUT) != 0) ready |= kWritable;
    if ((events[i].events & (EPOLLHUP | EPOLLERR)) != 0) ready |= kHangup;
    slot.handler->OnReady(slot.handle, ready);
  }
  return {};
}

}  // namespace limpet
