// Sockets for the listeners and the control socket: streams, and datagrams. Nothing here waits.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Of another host, without its port: "192.0.2.1", "2001:db8::1". Empty: this host, or not known.
struct PeerAddress {
  char text[46] = {};
  uint8_t size = 0;
  std::string_view view() const { return {text, size}; }
};

struct Datagram {
  size_t size = 0;         ///< Bytes of it in the buffer.
  bool truncated = false;  ///< It was longer.
  PeerAddress from;
};

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

  /// Who is at the other end.
  virtual PeerAddress Peer(int /*connection*/) { return {}; }

  /// A socket for datagrams, at the same forms of address. The file of a Unix one is open to all
  /// users (mode 0666). kNotFound: there is no such folder or address. Otherwise as Listen.
  virtual Result<int> BindDatagrams(std::string_view /*address*/) {
    return {Code::kUnsupported, 0, "datagrams"};
  }

  /// The next datagram: one call takes one, however much of it fits. kUnavailable: none.
  virtual Result<Datagram> Receive(int /*socket*/, std::span<char> /*into*/) {
    return {Code::kUnsupported, 0, "datagrams"};
  }

  /// Datagrams that came since the socket was bound and found no room: nobody received in time.
  virtual uint64_t Lost(int /*socket*/) { return 0; }

  virtual void Close(int handle) = 0;

 protected:
  ~Sockets() = default;
};

}  // namespace limpet
