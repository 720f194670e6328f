#include "port/linux/worker_thread.h"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "port/linux/error.h"

namespace limpet {
namespace {

constexpr size_t kGuardShare = 8;  // A page of guard must not take more of the stack than 1/8.

/// The whole pages of the span.
std::span<std::byte> Pages(std::span<std::byte> memory, size_t page) {
  const size_t begins = reinterpret_cast<uintptr_t>(memory.data()) % page;
  const size_t skipped = begins == 0 ? 0 : page - begins;
  if (memory.size() < skipped) return {};
  memory = memory.subspan(skipped);
  return memory.first(memory.size() / page * page);
}

/// Adds to the event; it cannot come near the count at which that would block.
void Raise(int event) {
  const uint64_t one = 1;
  ssize_t done = 0;
  do {
    done = write(event, &one, sizeof one);
  } while (done < 0 && errno == EINTR);
  LIMPET_CHECK(done == sizeof one);
}

/// Sets the event back; waits for it first if it is a blocking one.
void TakeEvent(int event) {
  uint64_t count = 0;
  ssize_t done = 0;
  do {
    done = read(event, &count, sizeof count);
  } while (done < 0 && errno == EINTR);
  LIMPET_CHECK(done == sizeof count || errno == EAGAIN);
}

MonoTime BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

}  // namespace

size_t WorkerThread::StackBytes(size_t task_bytes) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  const long least = sysconf(_SC_THREAD_STACK_MIN);  // -1: there is none.
  const size_t bytes = task_bytes + (least > 0 ? static_cast<size_t>(least) : 0);
  return (bytes + page - 1) / page * page + page;  // It may begin anywhere in a page.
}

Status WorkerThread::Start(std::span<std::byte> stack, Poller& poller) {
  LIMPET_CHECK(poller_ == nullptr);
  begun_ = eventfd(0, EFD_CLOEXEC);
  ended_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  Status status;
  if (begun_ < 0 || ended_ < 0) status = FromErrno(errno, "eventfd");
  if (status.ok()) status = poller.Watch(ended_, kReadable, *this);
  if (status.ok()) {
    status = StartThread(stack);
    if (!status.ok()) poller.Forget(ended_);
  }
  if (!status.ok()) {
    CloseEvents();
    return status;
  }
  poller_ = &poller;
  return {};
}

Status WorkerThread::StartThread(std::span<std::byte> stack) {
  const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  stack = Pages(stack, page);
  if (page <= stack.size() / kGuardShare) {
    // A stack that runs over must end the process, not write into the pool that lies below.
    guard_ = stack.first(page);
    stack = stack.subspan(page);
    if (mprotect(guard_.data(), guard_.size(), PROT_NONE) != 0) guard_ = {};
  }
  pthread_attr_t attributes;
  int failed = pthread_attr_init(&attributes);
  if (failed == 0) {
    failed = pthread_attr_setstack(&attributes, stack.data(), stack.size());
    if (failed == 0) {
      sigset_t all, before;  // The thread inherits what is blocked when it is made.
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      failed = pthread_create(&thread_, &attributes, Main, this);
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }
    pthread_attr_destroy(&attributes);
  }
  if (failed == 0) return {};
  if (!guard_.empty()) mprotect(guard_.data(), guard_.size(), PROT_READ | PROT_WRITE);
  guard_ = {};
  if (failed == EINVAL || failed == EAGAIN) return {Code::kFull, failed, "worker thread"};
  return FromErrno(failed, "worker thread");
}

void WorkerThread::CloseEvents() {
  if (begun_ >= 0) close(begun_);
  if (ended_ >= 0) close(ended_);
  begun_ = ended_ = -1;
}

void WorkerThread::Stop() {
  if (poller_ == nullptr) return;
  stop_.store(true, std::memory_order_release);
  Raise(begun_);
  LIMPET_CHECK(pthread_join(thread_, nullptr) == 0);
  poller_->Forget(ended_);
  poller_ = nullptr;
  CloseEvents();
  // The memory goes back as it came.
  if (!guard_.empty()) mprotect(guard_.data(), guard_.size(), PROT_READ | PROT_WRITE);
  guard_ = {};
}

bool WorkerThread::StopUntil(MonoTime until) {
  if (poller_ != nullptr && !WaitUntil(until)) {
    pthread_detach(thread_);
    poller_->Forget(ended_);
    poller_ = nullptr;  // The events stay open: the thread may yet come back and raise one.
    return false;
  }
  Stop();
  return true;
}

void WorkerThread::Begin(Task& task) {
  LIMPET_CHECK(poller_ != nullptr);
  LIMPET_CHECK(state_.load(std::memory_order_relaxed) == kIdle);  // W1.
  task_ = &task;
  state_.store(kBegun, std::memory_order_release);
  Raise(begun_);  // W2.
}

bool WorkerThread::TakeDone() {
  if (state_.load(std::memory_order_acquire) != kEnded) return false;
  state_.store(kIdle, std::memory_order_relaxed);  // Read by this thread alone.
  return true;
}

bool WorkerThread::WaitUntil(MonoTime until) {
  while (state_.load(std::memory_order_acquire) == kBegun) {
    timespec left{};
    if (until != kNever) {
      const int64_t ns = (until - BootTime()).ns;
      if (ns <= 0) return false;
      left.tv_sec = static_cast<time_t>(ns / 1'000'000'000);
      left.tv_nsec = static_cast<decltype(left.tv_nsec)>(ns % 1'000'000'000);
    }
    pollfd event = {ended_, POLLIN, 0};
    if (ppoll(&event, 1, until == kNever ? nullptr : &left, nullptr) > 0) TakeEvent(ended_);
  }
  return true;
}

// The event alone is what the loop wakes for; TakeDone tells the rest.
void WorkerThread::OnReady(int handle, uint8_t) { TakeEvent(handle); }

void* WorkerThread::Main(void* self) {
  static_cast<WorkerThread*>(self)->Work();
  return nullptr;
}

void WorkerThread::Work() {
  while (true) {
    TakeEvent(begun_);
    // One look at the event may have taken two: for a task, and for the stop behind it.
    const bool stop = stop_.load(std::memory_order_acquire);
    if (state_.load(std::memory_order_acquire) == kBegun) {
      task_->Run();
      state_.store(kEnded, std::memory_order_release);
      Raise(ended_);  // W2.
    }
    if (stop) return;
  }
}

}  // namespace limpet
