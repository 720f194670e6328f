// The worker as a thread: asleep until a task comes, and heard by the poller when it has ended.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include <pthread.h>

#include "limpet/poller.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "limpet/worker.h"

namespace limpet {

/// All but the task itself is for the loop's thread. Nothing is allocated after Start.
///
/// Invariants:
///  W1  state_ says whose the task is: the worker's when it is kBegun, else the loop's. Only the
///      loop leaves kIdle and kEnded, only the worker leaves kBegun. Each hands over by a release
///      that the other side acquires; the events only wake, they order nothing.
///  W2  Whoever hands over raises the other side's event after it. So a side that takes its event
///      first and looks at state_ then cannot miss a change; one that looks too early is woken once
///      for nothing.
class WorkerThread final : public Worker, private PollHandler {
 public:
  WorkerThread() = default;
  WorkerThread(const WorkerThread&) = delete;
  WorkerThread& operator=(const WorkerThread&) = delete;
  ~WorkerThread() { Stop(); }

  /// A stack for tasks that need this much of it, whatever the system takes of it and wherever it begins.
  static size_t StackBytes(size_t task_bytes);

  /// Makes the thread; call it once. No signal is delivered to it: they are the loop's.
  /// stack: the whole pages in it are used, the lowest as a guard where pages are small; it and the
  /// poller must outlive the thread. kFull: no descriptor, slot or thread left, or the stack
  /// is below the system's least. kIo.
  Status Start(std::span<std::byte> stack, Poller& poller);

  /// Ends the thread, after the task that it runs; that one can still be taken back.
  void Stop();

  /// As Stop, but waits for a running task only until then. False: it still runs, and is left alone, for a
  /// process that ends now; the task, the stack and this must stay where they are.
  bool StopUntil(MonoTime until);

  void Begin(Task& task) override;
  bool TakeDone() override;

  /// Waits until no task runs, for a loop that has nothing else to do. False: `until` came first.
  bool WaitUntil(MonoTime until);

 private:
  enum State : uint32_t { kIdle, kBegun, kEnded };

  static void* Main(void* self);
  void Work();
  void OnReady(int handle, uint8_t ready) override;
  Status StartThread(std::span<std::byte> stack);
  void CloseEvents();

  std::atomic<uint32_t> state_ = kIdle;  ///< W1.
  std::atomic<bool> stop_ = false;
  Task* task_ = nullptr;                 ///< Follows state_.
  Poller* poller_ = nullptr;             ///< Set while the thread lives.
  std::span<std::byte> guard_;
  pthread_t thread_{};
  int begun_ = -1;                       ///< An event for the worker, which sleeps reading it.
  int ended_ = -1;                       ///< An event for the poller.
};

}  // namespace limpet
