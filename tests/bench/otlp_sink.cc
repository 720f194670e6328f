// The endpoint of otlp_load.py: keeps what it is sent and answers at once, so that the program in front
// of it is what is measured. Prints its port. A line on standard input asks: `state` prints the requests
// so far and the seconds since the last; `dump FILE` writes them, each as one byte (1: gzip), its length in
// 32 bits, and its body.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

std::mutex mutex;
std::vector<std::pair<bool, std::string>> bodies;
Clock::time_point last = Clock::now();

constexpr char kAnswer[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\nContent-Length: 0\r\n\r\n";

/// A header's value in a head; nullptr: it has none. Its end is the line's.
const char* Header(const std::string& head, const char* name) {
  const char* const found = strcasestr(head.c_str(), name);
  return found == nullptr ? nullptr : found + std::strlen(name);
}

void Serve(int connection) {
  std::string head;
  char piece[64 * 1024];
  for (;;) {
    size_t end;
    while ((end = head.find("\r\n\r\n")) == std::string::npos) {
      const ssize_t got = recv(connection, piece, sizeof piece, 0);
      if (got <= 0) {
        close(connection);
        return;
      }
      head.append(piece, static_cast<size_t>(got));
    }
    std::string body = head.substr(end + 4);
    head.resize(end);
    if (Header(head, "\r\nTransfer-Encoding:") != nullptr) {
      std::fprintf(stderr, "a chunked request: not foreseen\n");
      std::_Exit(1);
    }
    if (Header(head, "\r\nExpect:") != nullptr) {
      (void)!write(connection, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    }
    const char* const length = Header(head, "\r\nContent-Length:");
    const size_t size = length == nullptr ? 0 : std::strtoul(length, nullptr, 10);
    size_t had = body.size();
    if (had < size) body.resize(size);
    while (had < size) {
      const ssize_t got = recv(connection, body.data() + had, size - had, 0);
      if (got <= 0) {
        close(connection);
        return;
      }
      had += static_cast<size_t>(got);
    }
    (void)!write(connection, kAnswer, sizeof kAnswer - 1);
    const char* const encoding = Header(head, "\r\nContent-Encoding:");
    const bool gzip = encoding != nullptr && strncasecmp(encoding + strspn(encoding, " "), "gzip", 4) == 0;
    head = body.substr(size);
    body.resize(size);
    if (size == 0) continue;  // A probe.
    const std::lock_guard lock(mutex);
    bodies.emplace_back(gzip, std::move(body));
    last = Clock::now();
  }
}

void Dump(const char* path) {
  std::FILE* const file = std::fopen(path, "wb");
  if (file == nullptr) std::_Exit(1);
  for (const auto& [gzip, body] : bodies) {
    const auto size = static_cast<uint32_t>(body.size());
    std::fputc(gzip, file);
    std::fwrite(&size, sizeof size, 1, file);
    std::fwrite(body.data(), 1, body.size(), file);
  }
  std::fclose(file);
}

}  // namespace

int main() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  if (bind(listener, any, size) != 0 || listen(listener, 64) != 0) return 1;
  if (getsockname(listener, any, &size) != 0) return 1;
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  std::thread([listener] {
    for (;;) {
      const int connection = accept(listener, nullptr, nullptr);
      if (connection < 0) continue;
      const int on = 1;
      setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      std::thread(Serve, connection).detach();
    }
  }).detach();
  char line[4096];
  while (std::fgets(line, sizeof line, stdin) != nullptr) {
    line[std::strcspn(line, "\n")] = '\0';
    const std::lock_guard lock(mutex);
    if (std::strncmp(line, "dump ", 5) == 0) Dump(line + 5);
    const std::chrono::duration<double> quiet = Clock::now() - last;
    std::printf("%zu %.3f\n", bodies.size(), quiet.count());
    std::fflush(stdout);
  }
  std::_Exit(0);
}
