// Sockets over the kernel's: TCP on IPv4 and IPv6 literals, and Unix sockets. No names are looked up
// here, since that could wait.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string_view>

#include <sys/socket.h>
#include <sys/un.h>

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
  void Close(int handle) override;

  /// The TCP port a listener has got, 0 for a Unix socket.
  static int Port(int listener);

  static constexpr size_t kUnixListeners = 4;

 private:
  struct UnixListener {
    int handle = -1;
    char path[sizeof(sockaddr_un::sun_path)] = {};
  };

  std::array<UnixListener, kUnixListeners> unix_listeners_{};
};

}  // namespace limpet
