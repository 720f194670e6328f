#include "port/linux/sockets.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include <arpa/inet.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/text.h"

namespace limpet {
namespace {

constexpr int kBacklog = 256;  // Between two turns of the loop; the kernel may allow less (somaxconn).
// A whole page and its head go out in one write; the kernel doubles it for its own overhead.
constexpr int kSendBytes = 64 * 1024;
// For datagrams that come while the loop does something else: some hundred. The kernel may allow less
// (rmem_max), and takes the memory when they come.
constexpr int kReceiveBytes = 512 * 1024;
constexpr unsigned kOwnerOnly = 0600;
constexpr unsigned kAllUsers = 0666;
constexpr std::string_view kUnixPrefix = "unix:";

Status Failure(const char* where) {
  switch (errno) {
    case EADDRINUSE:
      return {Code::kExists, errno, where};
    case EACCES:
    case EPERM:
      return {Code::kDenied, errno, where};
    case ENOENT:
    case ENOTDIR:
    case EADDRNOTAVAIL:
    case ECONNREFUSED:
      return {Code::kNotFound, errno, where};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
      return {Code::kFull, errno, where};
    case EAGAIN:
#if EWOULDBLOCK != EAGAIN
    case EWOULDBLOCK:
#endif
      return {Code::kUnavailable, errno, where};
    default:
      return {Code::kIo, errno, where};
  }
}

Result<SocketAddress> ParseUnix(std::string_view path) {
  SocketAddress address;
  sockaddr_un un{};
  if (path.empty() || path[0] != '/' || path.size() >= sizeof un.sun_path ||
      path.find('\0') != std::string_view::npos) {
    return {Code::kInvalid, 0, "unix socket path"};
  }
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  std::memcpy(&address.storage, &un, sizeof un);
  address.size = sizeof un;
  return address;
}

int NewSocket(const SocketAddress& address, int type) {
  return socket(address.storage.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
}

/// So that a whole page goes out at once.
void WidenSendBuffer(int handle) {
  int bytes = 0;
  socklen_t size = sizeof bytes;
  if (getsockopt(handle, SOL_SOCKET, SO_SNDBUF, &bytes, &size) == 0 && bytes < 2 * kSendBytes) {
    setsockopt(handle, SOL_SOCKET, SO_SNDBUF, &kSendBytes, sizeof kSendBytes);
  }
}

/// Removes a socket file that nobody listens at any more. kExists: somebody does, or the file is
/// not a socket.
Status RemoveStale(const SocketAddress& address, int type, const char* path) {
  struct stat file{};
  if (lstat(path, &file) != 0) return errno == ENOENT ? Status{} : Failure("socket file");
  if (!S_ISSOCK(file.st_mode)) return {Code::kExists, 0, "socket file"};
  const int probe = NewSocket(address, type);
  if (probe < 0) return Failure("socket");
  const bool refused = connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  close(probe);
  if (!refused) return {Code::kExists, 0, "socket file"};
  if (unlink(path) != 0 && errno != ENOENT) return Failure("socket file");
  return {};
}

}  // namespace

PeerAddress ToPeer(const sockaddr_storage& from) {
  PeerAddress peer;
  in_addr v4{};
  bool has_v4 = false;
  if (from.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &from, sizeof in);
    v4 = in.sin_addr;
    has_v4 = true;
  } else if (from.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &from, sizeof in6);
    if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr)) return peer;
    has_v4 = IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr);
    if (has_v4) std::memcpy(&v4, in6.sin6_addr.s6_addr + 12, sizeof v4);
    if (!has_v4) inet_ntop(AF_INET6, &in6.sin6_addr, peer.text, sizeof peer.text);
  }
  constexpr uint32_t kLoopbackNet = 127;
  if (has_v4 && ntohl(v4.s_addr) >> 24 != kLoopbackNet) {
    inet_ntop(AF_INET, &v4, peer.text, sizeof peer.text);
  }
  static_assert(sizeof peer.text >= INET6_ADDRSTRLEN);
  peer.size = static_cast<uint8_t>(std::strlen(peer.text));
  return peer;
}

Result<SocketAddress> ParseSocketAddress(std::string_view text) {
  constexpr const char* kWhere = "socket address";
  if (text.starts_with(kUnixPrefix)) return ParseUnix(text.substr(kUnixPrefix.size()));

  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return {Code::kInvalid, 0, kWhere};
  const std::optional<uint16_t> port = ParseNumber<uint16_t>(text.substr(colon + 1));
  std::string_view host = text.substr(0, colon);
  const bool six = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (six) host = host.substr(1, host.size() - 2);
  if (host == "localhost") host = "127.0.0.1";
  if (host.empty() && !six) host = "0.0.0.0";
  char name[INET6_ADDRSTRLEN] = {};
  if (!port || host.size() >= sizeof name) return {Code::kInvalid, 0, kWhere};
  std::memcpy(name, host.data(), host.size());

  SocketAddress address;
  if (six) {
    sockaddr_in6 in6{};
    in6.sin6_family = AF_INET6;
    in6.sin6_port = htons(*port);
    if (inet_pton(AF_INET6, name, &in6.sin6_addr) != 1) return {Code::kInvalid, 0, kWhere};
    std::memcpy(&address.storage, &in6, sizeof in6);
    address.size = sizeof in6;
    return address;
  }
  sockaddr_in in{};
  in.sin_family = AF_INET;
  in.sin_port = htons(*port);
  if (inet_pton(AF_INET, name, &in.sin_addr) != 1) return {Code::kInvalid, 0, kWhere};
  std::memcpy(&address.storage, &in, sizeof in);
  address.size = sizeof in;
  return address;
}

/// An entry for the Unix socket, which is not there yet: without a handle the entry is free.
Result<LinuxSockets::UnixListener*> LinuxSockets::Reserve(const SocketAddress& address, int type,
                                                          std::string_view path) {
  const auto free = std::find_if(unix_listeners_.begin(), unix_listeners_.end(),
                                 [](const UnixListener& l) { return l.handle < 0; });
  if (free == unix_listeners_.end()) return {Code::kFull, 0, "unix listeners"};
  *free = {};
  std::memcpy(free->path, path.data(), path.size());
  LIMPET_TRY(RemoveStale(address, type, free->path));
  return &*free;
}

Result<int> LinuxSockets::Listen(std::string_view text) {
  const Result<SocketAddress> parsed = ParseSocketAddress(text);
  if (!parsed.ok()) return parsed.status();
  const SocketAddress& address = parsed.value();
  const bool local = address.storage.ss_family == AF_UNIX;

  UnixListener* entry = nullptr;
  if (local) {
    const Result<UnixListener*> reserved = Reserve(address, SOCK_STREAM, text.substr(kUnixPrefix.size()));
    if (!reserved.ok()) return reserved.status();
    entry = reserved.value();
  }

  const int handle = NewSocket(address, SOCK_STREAM);
  if (handle < 0) return Failure("socket");
  const int on = 1;
  bool good = true;
  if (local) {
    // Linux makes the file with the mode of the socket itself: there is no moment at which it is
    // open to others, whatever the umask.
    good = fchmod(handle, kOwnerOnly) == 0;
  } else {
    good = setsockopt(handle, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) == 0;
    // Accepted sockets inherit these.
    setsockopt(handle, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    WidenSendBuffer(handle);
  }
  good = good && bind(handle, address.get(), address.size) == 0 && listen(handle, kBacklog) == 0;
  if (!good) {
    const Status status = Failure(local ? "unix listener" : "listener");
    close(handle);
    return status;
  }
  if (entry != nullptr) entry->handle = handle;
  return handle;
}

Result<int> LinuxSockets::Accept(int listener) {
  const int handle = accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (handle < 0) {
    const Status status = Failure("accept");
    // The rest is about the one connection that has just gone (accept(2)): the next may be good.
    return status.code == Code::kFull ? status : Status{Code::kUnavailable, errno, "accept"};
  }
  const bool local = std::any_of(unix_listeners_.begin(), unix_listeners_.end(),
                                 [listener](const UnixListener& l) { return l.handle == listener; });
  if (local) WidenSendBuffer(handle);  // Which has nothing of its listener.
  return handle;
}

Result<int> LinuxSockets::Connect(std::string_view text) {
  const Result<SocketAddress> parsed = ParseSocketAddress(text);
  if (!parsed.ok()) return parsed.status();
  const int handle = NewSocket(parsed.value(), SOCK_STREAM);
  if (handle < 0) return Failure("socket");
  if (connect(handle, parsed.value().get(), parsed.value().size) != 0 && errno != EINPROGRESS) {
    const Status status = Failure("connect");
    close(handle);
    return status;
  }
  return handle;
}

Result<size_t> LinuxSockets::Read(int connection, std::span<char> into) {
  ssize_t count = 0;
  do {
    count = recv(connection, into.data(), into.size(), 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Failure("read");
  return static_cast<size_t>(count);
}

Result<size_t> LinuxSockets::Write(int connection, std::span<const char> bytes) {
  ssize_t count = 0;
  do {
    count = send(connection, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Failure("write");
  return static_cast<size_t>(count);
}

void LinuxSockets::FinishWriting(int connection) { shutdown(connection, SHUT_WR); }

PeerAddress LinuxSockets::Peer(int connection) {
  sockaddr_storage from{};
  socklen_t size = sizeof from;
  if (getpeername(connection, reinterpret_cast<sockaddr*>(&from), &size) != 0) return {};
  return ToPeer(from);
}

Result<int> LinuxSockets::BindDatagrams(std::string_view text) {
  const Result<SocketAddress> parsed = ParseSocketAddress(text);
  if (!parsed.ok()) return parsed.status();
  const SocketAddress& address = parsed.value();
  const bool local = address.storage.ss_family == AF_UNIX;
  DatagramSocket* const entry = FindDatagrams(-1);
  if (entry == nullptr) return {Code::kFull, 0, "datagram sockets"};

  UnixListener* file = nullptr;
  if (local) {
    const Result<UnixListener*> reserved = Reserve(address, SOCK_DGRAM, text.substr(kUnixPrefix.size()));
    if (!reserved.ok()) return reserved.status();
    file = reserved.value();
  }
  const int handle = NewSocket(address, SOCK_DGRAM);
  if (handle < 0) return Failure("socket");
  if (!local) {
    const int on = 1;
    setsockopt(handle, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
    setsockopt(handle, SOL_SOCKET, SO_RCVBUF, &kReceiveBytes, sizeof kReceiveBytes);
  }
  bool good = bind(handle, address.get(), address.size) == 0;
  // By itself the file would have what the umask leaves of its mode.
  if (good && local && chmod(file->path, kAllUsers) != 0) {
    unlink(file->path);
    good = false;
  }
  if (!good) {
    const Status status = Failure(local ? "unix socket" : "datagram socket");
    close(handle);
    return status;
  }
  if (file != nullptr) file->handle = handle;
  *entry = {.handle = handle};
  return handle;
}

Result<Datagram> LinuxSockets::Receive(int socket, std::span<char> into) {
  sockaddr_storage from{};
  iovec buffer{into.data(), into.size()};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(uint32_t))];
  msghdr message{};
  message.msg_name = &from;
  message.msg_namelen = sizeof from;
  message.msg_iov = &buffer;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t count = 0;
  do {
    count = recvmsg(socket, &message, 0);
  } while (count < 0 && errno == EINTR);
  if (count < 0) return Failure("receive");

  for (const cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = nullptr) {  // There is one at most.
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SO_RXQ_OVFL) continue;
    uint32_t lost = 0;
    std::memcpy(&lost, CMSG_DATA(c), sizeof lost);
    if (DatagramSocket* const entry = FindDatagrams(socket)) entry->Hear(lost);
  }
  return Datagram{.size = static_cast<size_t>(count),
                  .truncated = (message.msg_flags & MSG_TRUNC) != 0,
                  .from = ToPeer(from)};
}

uint64_t LinuxSockets::Lost(int socket) {
  DatagramSocket* const entry = FindDatagrams(socket);
  if (entry == nullptr) return 0;
  uint32_t now[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof now;
  const bool told = getsockopt(socket, SOL_SOCKET, SO_MEMINFO, now, &size) == 0 &&
                    size >= (SK_MEMINFO_DROPS + 1) * sizeof now[0];
  if (told) entry->Hear(now[SK_MEMINFO_DROPS]);
  return entry->lost;
}

/// handle: -1 finds a free entry.
LinuxSockets::DatagramSocket* LinuxSockets::FindDatagrams(int handle) {
  const auto found = std::find_if(datagram_sockets_.begin(), datagram_sockets_.end(),
                                  [handle](const DatagramSocket& s) { return s.handle == handle; });
  return found == datagram_sockets_.end() ? nullptr : &*found;
}

void LinuxSockets::Close(int handle) {
  if (DatagramSocket* const entry = FindDatagrams(handle); entry != nullptr && handle >= 0) *entry = {};
  for (UnixListener& listener : unix_listeners_) {
    if (listener.handle != handle) continue;
    unlink(listener.path);
    listener.handle = -1;
  }
  close(handle);
}

int LinuxSockets::Port(int listener) {
  SocketAddress address;
  address.size = sizeof address.storage;
  auto* const raw = reinterpret_cast<sockaddr*>(&address.storage);
  if (getsockname(listener, raw, &address.size) != 0) return 0;
  if (address.storage.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address.storage, sizeof in);
    return ntohs(in.sin_port);
  }
  if (address.storage.ss_family == AF_INET6) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &address.storage, sizeof in6);
    return ntohs(in6.sin6_port);
  }
  return 0;
}

}  // namespace limpet
