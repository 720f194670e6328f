// Poller over epoll, with a timerfd for the deadline: exact to the clock's own grain, where
// epoll_wait's milliseconds would make every tick late, and on boot time, so that it counts suspend.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/poller.h"

namespace limpet {

/// Invariants:
///  P1  A slot in use has handler != nullptr, and its handle is in no other slot.
///  P2  An event carries the slot and its generation. Forget raises the generation, so an event that
///      was fetched before meets a slot that is no longer its own and is passed over.
class EpollPoller : public Poller {
 public:
  struct Slot {
    PollHandler* handler = nullptr;
    int handle = -1;
    uint32_t generation = 0;
  };

  /// slots: one for each handle that is watched at the same time.
  explicit EpollPoller(std::span<Slot> slots) : slots_(slots) {}
  EpollPoller(const EpollPoller&) = delete;
  EpollPoller& operator=(const EpollPoller&) = delete;

  /// Makes the kernel's side; call it once, before anything else. kFull: no descriptor left. kIo.
  Status Open();

  /// kUnsupported: the handle is of a kind that cannot be waited for (a regular file).
  Status Watch(int handle, uint8_t interest, PollHandler& handler) override;
  void Forget(int handle) override;
  /// May return early, without an event, when a signal came.
  Status Wait(MonoTime until) override;

 protected:
  ~EpollPoller();

 private:
  Slot* Find(int handle);
  Status Arm(MonoTime until);

  std::span<Slot> slots_;
  int epoll_ = -1;
  int timer_ = -1;
  bool boot_timer_ = true;     ///< The timer runs on CLOCK_BOOTTIME; else on CLOCK_MONOTONIC.
  MonoTime armed_ = kNever;    ///< What the timer is set to.
};

/// An EpollPoller over slots of the caller's.
class EpollPollerSpan final : public EpollPoller {
 public:
  using EpollPoller::EpollPoller;
};

/// An EpollPoller for up to N handles.
template <size_t N>
class EpollPollerBuffer final : public EpollPoller {
 public:
  EpollPollerBuffer() : EpollPoller(storage_) {}

 private:
  std::array<Slot, N> storage_{};
};

}  // namespace limpet
