// libcurl's multi interface inside our loop: its sockets in the poller, its one timer, its results.
#pragma once

#include <cstddef>

#include "limpet/poller.h"
#include "limpet/time.h"
#include "port/curl/library_heaps.h"

namespace limpet {

class CurlDestination;

/// What all destinations share. EnterLibraries comes before it, LeaveLibraries after it.
class CurlClient final : private PollHandler {
 public:
  CurlClient(Poller& poller, Clock& clock) : poller_(poller), clock_(clock) {}
  ~CurlClient();
  CurlClient(const CurlClient&) = delete;
  CurlClient& operator=(const CurlClient&) = delete;

  /// destinations: how many connections there may be, those that are closing included.
  /// kFull: no memory for it.
  Status Start(size_t destinations);

  /// Does what is due by `now`; answers may be delivered from here. Returns when it wants to be
  /// called next: after each wait of the loop, since a Send or a ready socket may bring it forward; at once
  /// when there was an answer, since whoever has named a time before did not know of it.
  MonoTime OnTime(MonoTime now);

 private:
  friend class CurlDestination;
  struct Hooks;

  void OnReady(int handle, uint8_t ready) override;
  void Drive(int handle, int events);

  Poller& poller_;
  Clock& clock_;
  void* multi_ = nullptr;             // CURLM.
  MonoTime timer_ = kNever;           // When libcurl wants to be called.
  bool broken_ = false;               // Something failed that no transfer will hear of.
  bool told_ = false;                 // An answer was delivered.
  CurlDestination* first_ = nullptr;  // All of them, linked by next_.
};

}  // namespace limpet
