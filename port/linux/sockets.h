// Sockets over the kernel's: TCP and UDP on IPv4 and IPv6 literals, and Unix sockets. No names are looked
// up here, since that could wait.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

#include "limpet/limits.h"
#include "limpet/sockets.h"

namespace limpet {

/// An address as the kernel wants it.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

/// text: "1.2.3.4:80", "[::1]:80", "localhost:80" (127.0.0.1), ":80" (every IPv4 address) or
/// "unix:/path". kInvalid: anything else, or a path too long for a Unix socket.
Result<SocketAddress> ParseSocketAddress(std::string_view text);

/// Empty for a Unix socket and for loopback. IPv4 is told as such also where IPv6 carries it.
PeerAddress ToPeer(const sockaddr_storage& from);

class LinuxSockets final : public Sockets {
 public:
  LinuxSockets() = default;
  LinuxSockets(const LinuxSockets&) = delete;
  LinuxSockets& operator=(const LinuxSockets&) = delete;

  /// A Unix socket's file is removed again by Close. kFull also beyond kUnixListeners of them.
  Result<int> Listen(std::string_view address) override;
  Result<int> Accept(int listener) override;
  Result<int> Connect(std::string_view address) override;
  Result<size_t> Read(int connection, std::span<char> into) override;
  Result<size_t> Write(int connection, std::span<const char> bytes) override;
  void FinishWriting(int connection) override;
  PeerAddress Peer(int connection) override;
  Result<int> BindDatagrams(std::string_view address) override;
  Result<Datagram> Receive(int socket, std::span<char> into) override;
  /// Linux before 4.12 tells of a loss with the next datagram that finds room, and not before.
  uint64_t Lost(int socket) override;
  void Close(int handle) override;

  /// The TCP or UDP port a listener has got, 0 for a Unix socket.
  static int Port(int listener);

  static constexpr size_t kUnixListeners = 4 + kLogSourcesMax;

 private:
  struct UnixListener {
    int handle = -1;
    char path[sizeof(sockaddr_un::sun_path)] = {};
  };
  struct DatagramSocket {
    int handle = -1;
    uint64_t lost = 0;  // The kernel tells the lower half, with a datagram as it was when that came.
    void Hear(uint32_t count) {
      const auto more = static_cast<int32_t>(count - static_cast<uint32_t>(lost));
      if (more > 0) lost += static_cast<uint32_t>(more);
    }
  };

  Result<UnixListener*> Reserve(const SocketAddress& address, int type, std::string_view path);
  DatagramSocket* FindDatagrams(int handle);

  std::array<UnixListener, kUnixListeners> unix_listeners_{};
  std::array<DatagramSocket, kLogSourcesMax> datagram_sockets_{};
};

}  // namespace limpet
