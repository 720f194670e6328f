// EpollPoller against the kernel: pipes, short deadlines, handlers that forget one another.
#include "port/linux/epoll_poller.h"

#include <csignal>
#include <ctime>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <gtest/gtest.h>

namespace limpet {
namespace {

MonoTime BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

struct Pipe {
  Pipe() { EXPECT_EQ(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0); }
  ~Pipe() {
    close(ends[0]);
    if (ends[1] >= 0) close(ends[1]);
  }
  void Fill() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  void CloseWriter() {
    close(ends[1]);
    ends[1] = -1;
  }
  int reader() const { return ends[0]; }
  int ends[2] = {-1, -1};
};

struct Recorder final : PollHandler {
  void OnReady(int handle, uint8_t ready) override {
    ++calls;
    last_handle = handle;
    last_ready = ready;
    if (poller != nullptr) {
      for (const int other : forget) poller->Forget(other);
    }
  }
  Poller* poller = nullptr;
  std::array<int, 2> forget{-1, -1};
  int calls = 0;
  int last_handle = -1;
  uint8_t last_ready = 0;
};

TEST(EpollPoller, ReportsWhatIsReady) {
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  Pipe pipe;
  Recorder recorder;
  ASSERT_TRUE(poller.Watch(pipe.reader(), kReadable, recorder).ok());
  ASSERT_TRUE(poller.Wait(BootTime()).ok());
  EXPECT_EQ(recorder.calls, 0);

  pipe.Fill();
  ASSERT_TRUE(poller.Wait(kNever).ok());
  EXPECT_EQ(recorder.calls, 1);
  EXPECT_EQ(recorder.last_handle, pipe.reader());
  EXPECT_EQ(recorder.last_ready, kReadable);
  ASSERT_TRUE(poller.Wait(kNever).ok());  // Level triggered.
  EXPECT_EQ(recorder.calls, 2);

  ASSERT_TRUE(poller.Watch(pipe.reader(), 0, recorder).ok());  // Nothing but a hang-up.
  ASSERT_TRUE(poller.Wait(BootTime()).ok());
  EXPECT_EQ(recorder.calls, 2);
  pipe.CloseWriter();
  ASSERT_TRUE(poller.Wait(kNever).ok());
  EXPECT_EQ(recorder.last_ready, kHangup);
}

TEST(EpollPoller, ReportsWritable) {
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  Pipe pipe;
  Recorder recorder;
  ASSERT_TRUE(poller.Watch(pipe.ends[1], kWritable, recorder).ok());
  ASSERT_TRUE(poller.Wait(kNever).ok());
  EXPECT_EQ(recorder.last_ready, kWritable);
}

TEST(EpollPoller, DeadlineIsExactAndOnBootTime) {
  EpollPollerBuffer<1> poller;
  ASSERT_TRUE(poller.Open().ok());
  for (const Duration wait : {Nanoseconds(300'000), Milliseconds(2), Nanoseconds(1)}) {
    const MonoTime until = BootTime() + wait;
    for (int rounds = 0; BootTime() < until && rounds < 5; ++rounds) {
      ASSERT_TRUE(poller.Wait(until).ok());
    }
    EXPECT_GE(BootTime(), until);
  }
  ASSERT_TRUE(poller.Wait(MonoTime{0}).ok());  // Long past: at once, not never.
  ASSERT_TRUE(poller.Wait(MonoTime{-5}).ok());
}

TEST(EpollPoller, PassedDeadlineReturnsAtOnceEachTime) {
  EpollPollerBuffer<1> poller;
  ASSERT_TRUE(poller.Open().ok());
  const MonoTime until = BootTime();
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(poller.Wait(until).ok());
}

TEST(EpollPoller, ForgottenHandlersAreNotCalledForFetchedEvents) {
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  Pipe pipes[2];
  Recorder recorders[2];
  for (int i = 0; i < 2; ++i) {
    // Each forgets both: whoever is called first must be the only one.
    recorders[i].poller = &poller;
    recorders[i].forget = {pipes[0].reader(), pipes[1].reader()};
    pipes[i].Fill();
    ASSERT_TRUE(poller.Watch(pipes[i].reader(), kReadable, recorders[i]).ok());
  }
  ASSERT_TRUE(poller.Wait(kNever).ok());
  EXPECT_EQ(recorders[0].calls + recorders[1].calls, 1);
  ASSERT_TRUE(poller.Wait(BootTime()).ok());
  EXPECT_EQ(recorders[0].calls + recorders[1].calls, 1);
}

TEST(EpollPoller, FullTableAndReuse) {
  EpollPollerBuffer<1> poller;
  ASSERT_TRUE(poller.Open().ok());
  Pipe first, second;
  Recorder recorder;
  ASSERT_TRUE(poller.Watch(first.reader(), kReadable, recorder).ok());
  EXPECT_EQ(poller.Watch(second.reader(), kReadable, recorder).code, Code::kFull);
  EXPECT_TRUE(poller.Watch(first.reader(), kReadable, recorder).ok());  // A change takes no slot.
  poller.Forget(first.reader());
  poller.Forget(first.reader());  // Unknown: ignored.
  EXPECT_TRUE(poller.Watch(second.reader(), kReadable, recorder).ok());
}

TEST(EpollPoller, NumberOfAClosedHandleComesBack) {
  EpollPollerBuffer<2> poller;
  ASSERT_TRUE(poller.Open().ok());
  Recorder recorder;
  int number = -1;
  {
    Pipe pipe;
    number = pipe.reader();
    ASSERT_TRUE(poller.Watch(number, kReadable, recorder).ok());
  }  // Closed without Forget.
  Pipe again;
  ASSERT_EQ(again.reader(), number);
  ASSERT_TRUE(poller.Watch(number, kReadable, recorder).ok());
  again.Fill();
  ASSERT_TRUE(poller.Wait(kNever).ok());
  EXPECT_EQ(recorder.calls, 1);
}

TEST(EpollPoller, RefusesWhatCannotBeWaitedFor) {
  EpollPollerBuffer<2> poller;
  ASSERT_TRUE(poller.Open().ok());
  Recorder recorder;
  const int file = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
  ASSERT_GE(file, 0);
  EXPECT_EQ(poller.Watch(file, kReadable, recorder).code, Code::kUnsupported);
  close(file);
  EXPECT_EQ(poller.Watch(file, kReadable, recorder).code, Code::kIo);
}

TEST(EpollPoller, ASignalEndsTheWait) {
  EpollPollerBuffer<2> poller;
  ASSERT_TRUE(poller.Open().ok());
  struct sigaction action{};
  action.sa_handler = [](int) {};
  struct sigaction before{};
  ASSERT_EQ(sigaction(SIGALRM, &action, &before), 0);
  itimerval timer{};
  timer.it_value.tv_usec = 2000;
  timer.it_interval.tv_usec = 2000;  // The first may come before the wait has begun.
  ASSERT_EQ(setitimer(ITIMER_REAL, &timer, nullptr), 0);
  EXPECT_TRUE(poller.Wait(kNever).ok());
  timer = {};
  setitimer(ITIMER_REAL, &timer, nullptr);
  sigaction(SIGALRM, &before, nullptr);
}

}  // namespace
}  // namespace limpet
