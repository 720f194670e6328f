// Hears when addresses, routes or links of this host change: connections that were made before may be
// dead, and what was out of reach may be there again.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "limpet/poller.h"
#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

/// Tells news from repetition: the kernel announces an address again with every router advertisement
/// that prolongs it. It remembers the state of so many things; the oldest is forgotten for a new one.
class NetState {
 public:
  /// messages: what one read of an rtnetlink socket gave. Returns true when something has changed. What
  /// is seen for the first time counts as a change, the kernel's local and multicast routes do not.
  bool Take(std::span<const uint8_t> messages);

 private:
  struct Entry {
    uint64_t thing = 0;  // Hash of what it is: an address of an interface, a route, a link.
    uint32_t state = 0;  // 0: gone.
  };
  bool Note(uint64_t thing, uint32_t state);

  std::array<Entry, 64> entries_{};
  size_t next_ = 0;
};

class NetHandler {
 public:
  virtual void OnNetworkChange() = 0;

 protected:
  ~NetHandler() = default;
};

class NetWatch final : private PollHandler {
 public:
  static constexpr Duration kTellEvery = Seconds(1);  ///< Changes within it are told as one.

  NetWatch(Poller& poller, NetHandler& handler)
      : poller_(poller), handler_(handler) {}
  ~NetWatch();
  NetWatch(const NetWatch&) = delete;
  NetWatch& operator=(const NetWatch&) = delete;

  /// Where it fails nothing is heard, and all else goes on. kDenied, kUnsupported, kIo with the errno.
  Status Start();

  /// Tells what is due. Returns when it wants to be called next.
  MonoTime OnTime(MonoTime now);

 private:
  void OnReady(int handle, uint8_t ready) override;

  Poller& poller_;
  NetHandler& handler_;
  NetState state_;
  int socket_ = -1;
  bool changed_ = false;
  MonoTime next_tell_;
};

}  // namespace limpet
