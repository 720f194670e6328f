// The worker's thread: hand-over both ways, the wake of a real poller, and stops at any moment.
#include "port/linux/worker_thread.h"

#include <cerrno>
#include <csignal>
#include <ctime>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "limpet/limits.h"
#include "port/linux/epoll_poller.h"

namespace limpet {
namespace {

alignas(16) std::byte g_stack[2 * kMiB + 1];  // Room for what a sanitizer adds.

MonoTime BootTime() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {static_cast<int64_t>(now.tv_sec) * 1'000'000'000 + now.tv_nsec};
}

struct Adder final : Task {
  void Run() override { sum += next, ++runs; }
  int next = 0, sum = 0, runs = 0;
};

/// Stands still until the test writes into the pipe.
struct Gate final : Task {
  Gate() { EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0); }
  ~Gate() { close(ends[0]), close(ends[1]); }
  void Run() override {
    char byte = 0;
    passed = read(ends[0], &byte, 1) == 1;
  }
  void Open() const { EXPECT_EQ(write(ends[1], "x", 1), 1); }
  int ends[2] = {-1, -1};
  bool passed = false;
};

class WorkerThreadTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(poller_.Open().ok());
    // One byte off, so that the thread has to find its pages.
    ASSERT_TRUE(worker_.Start(std::span(g_stack).subspan(1), poller_).ok());
  }

  /// As the loop does it: only the poller waits.
  void TurnUntilDone() {
    while (!worker_.TakeDone()) ASSERT_TRUE(poller_.Wait(kNever).ok());
  }

  EpollPollerBuffer<4> poller_;
  WorkerThread worker_;
};

TEST_F(WorkerThreadTest, RunsTasksInTurnAndWakesThePoller) {
  Adder adder;
  int expected = 0;
  EXPECT_FALSE(worker_.TakeDone());
  for (int i = 1; i <= 2000; ++i) {
    adder.next = i;
    expected += i;
    worker_.Begin(adder);
    TurnUntilDone();
    ASSERT_EQ(adder.runs, i);
    ASSERT_EQ(adder.sum, expected);
    ASSERT_FALSE(worker_.TakeDone());  // True once.
  }
}

TEST_F(WorkerThreadTest, TheTwoWaysToWaitMayAlternate) {
  Adder adder;
  for (int i = 0; i < 1000; ++i) {
    worker_.Begin(adder);
    if (i % 3 == 0) {
      ASSERT_TRUE(worker_.WaitUntil(kNever));
      ASSERT_TRUE(worker_.TakeDone());
    } else if (i % 3 == 1) {
      while (!worker_.TakeDone()) sched_yield();  // Takes it before its event.
    } else {
      TurnUntilDone();
    }
  }
  EXPECT_EQ(adder.runs, 1000);
}

TEST_F(WorkerThreadTest, SleepsWhileThereIsNothingToDo) {
  Gate gate;
  worker_.Begin(gate);
  const auto used = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1'000'000 + usage.ru_utime.tv_usec +
           usage.ru_stime.tv_usec;
  };
  const auto before = used();
  EXPECT_FALSE(worker_.WaitUntil(BootTime() + Milliseconds(200)));
  EXPECT_LT(used() - before, 100'000);
  EXPECT_FALSE(worker_.TakeDone());
  gate.Open();
  EXPECT_TRUE(worker_.WaitUntil(BootTime() + Seconds(60)));
  EXPECT_TRUE(worker_.TakeDone());

  // With all taken the poller is quiet, too.
  ASSERT_TRUE(poller_.Wait(BootTime() + Milliseconds(1)).ok());
  const MonoTime until = BootTime() + Milliseconds(20);
  while (BootTime() < until) ASSERT_TRUE(poller_.Wait(until).ok());
  EXPECT_LT(used() - before, 150'000);
}

TEST_F(WorkerThreadTest, WaitUntilKnowsThePast) {
  Gate gate;
  EXPECT_TRUE(worker_.WaitUntil({0}));  // No task at all.
  worker_.Begin(gate);
  EXPECT_FALSE(worker_.WaitUntil({0}));
  gate.Open();
  EXPECT_TRUE(worker_.WaitUntil(kNever));
  EXPECT_TRUE(worker_.WaitUntil({0}));
  EXPECT_TRUE(worker_.TakeDone());
}

TEST_F(WorkerThreadTest, AStopWaitsForTheTask) {
  Gate gate;
  worker_.Begin(gate);
  gate.Open();
  worker_.Stop();
  EXPECT_TRUE(gate.passed);
  EXPECT_TRUE(worker_.TakeDone());
  EXPECT_FALSE(worker_.TakeDone());
  worker_.Stop();  // The second has nothing left to do.
  for (std::byte& byte : g_stack) byte = std::byte{0};  // It is the test's again, guard and all.
}

TEST_F(WorkerThreadTest, SignalsAreTheLoops) {
  struct Mask final : Task {
    void Run() override { pthread_sigmask(SIG_BLOCK, nullptr, &blocked); }
    sigset_t blocked{};
  } mask;
  worker_.Begin(mask);
  ASSERT_TRUE(worker_.WaitUntil(kNever));
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGALRM, SIGCHLD}) {
    EXPECT_EQ(sigismember(&mask.blocked, number), 1) << number;
  }
  sigset_t ours;
  pthread_sigmask(SIG_BLOCK, nullptr, &ours);
  EXPECT_EQ(sigismember(&ours, SIGTERM), 0);
}

TEST_F(WorkerThreadTest, RunsOnTheStackThatItWasGiven) {
  struct Where final : Task {
    void Run() override {
      const int here = 0;
      address = reinterpret_cast<uintptr_t>(&here);
    }
    uintptr_t address = 0;
  } where;
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the sanitizer may keep variables elsewhere";
#endif
  worker_.Begin(where);
  ASSERT_TRUE(worker_.WaitUntil(kNever));
  EXPECT_GE(where.address, reinterpret_cast<uintptr_t>(g_stack));
  EXPECT_LT(where.address, reinterpret_cast<uintptr_t>(g_stack) + sizeof g_stack);
}

TEST(WorkerThread, EndsAtOnceWithoutATask) {
  EpollPollerBuffer<4> poller;
  ASSERT_TRUE(poller.Open().ok());
  for (int i = 0; i < 100; ++i) {
    WorkerThread worker;
    ASSERT_TRUE(worker.Start(g_stack, poller).ok());
    Adder adder;
    if (i % 2 == 0) worker.Begin(adder);
    worker.Stop();  // A task that was handed over runs.
    EXPECT_EQ(adder.runs, i % 2 == 0 ? 1 : 0);
  }
}

TEST(WorkerThread, NeedsPlaceAndASlot) {
  EpollPollerBuffer<1> poller;
  ASSERT_TRUE(poller.Open().ok());
  for (const size_t bytes : {size_t{0}, size_t{1}, size_t{1000}}) {
    WorkerThread worker;
    EXPECT_EQ(worker.Start(std::span(g_stack).first(bytes), poller).code, Code::kFull);
  }
  WorkerThread first, second;  // What failed before has left its slot.
  EXPECT_TRUE(first.Start(std::span(g_stack).first(kMiB), poller).ok());
  EXPECT_EQ(second.Start(std::span(g_stack).subspan(kMiB), poller).code, Code::kFull);
}

// Death tests run first, before there is a thread that a fork would leave behind.
TEST(WorkerThreadDeathTest, AMistakeOfOursEndsTheProcess) {
  EXPECT_DEATH(
      {
        WorkerThread worker;
        Adder adder;
        worker.Begin(adder);  // Before Start.
      },
      "poller_");
  EXPECT_DEATH(
      {
        EpollPollerBuffer<4> poller;
        WorkerThread worker;
        Adder adder;
        if (poller.Open().ok() && worker.Start(g_stack, poller).ok()) {
          worker.Begin(adder);
          worker.Begin(adder);
        }
      },
      "kIdle");
}

}  // namespace
}  // namespace limpet
