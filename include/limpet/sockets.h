// Stream sockets for the listeners and the control socket. Nothing here waits.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

class Sockets {
 public:
  /// Listens at "127.0.0.1:13133", "[::1]:13133" (port 0: any) or "unix:/path" (mode 0600; a stale
  /// socket file is replaced). Returns a handle for Poller::Watch.
  /// kExists: the address is in use. kInvalid: malformed. kDenied, kIo.
  virtual Result<int> Listen(std::string_view address) = 0;

  /// The next waiting connection. kUnavailable: none. kFull: no handle left.
  virtual Result<int> Accept(int listener) = 0;

  /// Connects to a listener at the same forms of address, for the commands that ask a running
  /// process. kNotFound: nobody listens there. kDenied, kIo.
  virtual Result<int> Connect(std::string_view address) = 0;

  /// Bytes read; 0: the peer has finished. kUnavailable: nothing yet.
  virtual Result<size_t> Read(int connection, std::span<char> into) = 0;

  /// More can be read without waiting, though the poller will not tell: it lies in the program.
  virtual bool HasMore(int /*connection*/) { return false; }

  /// Bytes taken. kUnavailable: none can be taken now.
  virtual Result<size_t> Write(int connection, std::span<const char> bytes) = 0;

  /// Says that nothing more will be written; reading goes on. An answer to a request that was not
  /// read to its end is lost with a plain Close, since the peer's unread bytes turn it into a reset.
  virtual void FinishWriting(int /*connection*/) {}

  virtual void Close(int handle) = 0;

 protected:
  ~Sockets() = default;
};

}  // namespace limpet
