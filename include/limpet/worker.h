// The one thread beside the loop, for work that may stand still for seconds: flash.
#pragma once

namespace limpet {

class Task {
 public:
  /// Does one piece of work, in the worker's thread. It shares nothing with the loop until it ends.
  virtual void Run() = 0;

 protected:
  ~Task() = default;
};

/// One task at a time: between Begin and TakeDone the task and all it points to are the worker's.
class Worker {
 public:
  /// Hands the task over; only after the one before has been taken back.
  virtual void Begin(Task& task) = 0;

  /// True once, after the task has ended; what it wrote is the loop's again. The poller wakes for it.
  virtual bool TakeDone() = 0;

 protected:
  ~Worker() = default;
};

}  // namespace limpet
