// The least that taking OTLP in and handing it on can cost: inflate each request, copy it into a batch of
// 64 KiB, deflate the batch, with nothing decided and nothing kept. Then the same with the system calls
// that cannot be spared: one epoll_wait, recv and send for a request, one send and recv for a batch.
//
// usage: otlp_floor LOAD   the file that otlp_load.py made. Prints, for each kind, separated by tabs:
//                          what, CPU seconds, batches, bytes out
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <span>
#include <vector>

#include "batch/gzip.h"

namespace limpet {
namespace {

constexpr size_t kBatchBytes = 64 * 1024;
constexpr size_t kRequestBytesMax = 512 * 1024;
constexpr size_t kConnections = 4;

using Bytes = std::span<const uint8_t>;

void Must(bool fine, const char* what) {
  if (fine) return;
  std::perror(what);
  std::exit(1);
}

struct Request {
  uint32_t connection;
  Bytes body;
};

std::vector<uint8_t> ReadFile(const char* path) {
  std::FILE* const file = std::fopen(path, "rb");
  Must(file != nullptr, path);
  Must(std::fseek(file, 0, SEEK_END) == 0, path);
  std::vector<uint8_t> bytes(static_cast<size_t>(std::ftell(file)));
  std::rewind(file);
  Must(std::fread(bytes.data(), 1, bytes.size(), file) == bytes.size(), path);
  std::fclose(file);
  return bytes;
}

std::vector<Request> Requests(Bytes file) {
  std::vector<Request> found;
  while (!file.empty()) {
    uint32_t head[2];
    std::memcpy(head, file.data(), sizeof head);
    found.push_back({head[0], file.subspan(sizeof head, head[1])});
    file = file.subspan(sizeof head + head[1]);
  }
  return found;
}

double CpuSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](timeval t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void Report(const char* what, double cpu, uint64_t batches, uint64_t bytes_out) {
  std::printf("%s\t%.3f\t%llu\t%llu\n", what, cpu, static_cast<unsigned long long>(batches),
              static_cast<unsigned long long>(bytes_out));
}

/// Requests in, batches out; `compress` false: as they are.
class Pipe {
 public:
  explicit Pipe(bool compress) : compress_(compress) {}

  /// Returns a batch to be sent, empty when none is full yet.
  Bytes Take(Bytes body) {
    const Result<size_t> size = unpacker_.Decompress(body, plain_);
    Must(size.ok(), "inflate");
    Bytes batch;
    if (filled_ + size.value() > kBatchBytes) batch = Close();
    Must(filled_ + size.value() <= batch_.size(), "room for a request");
    std::memcpy(batch_.data() + filled_, plain_.data(), size.value());
    filled_ += size.value();
    return batch;
  }

  Bytes Close() {
    if (filled_ == 0) return {};
    if (!compress_) {
      std::memcpy(packed_.data(), batch_.data(), filled_);
      return Leave(filled_);
    }
    const Result<size_t> size = packer_.Compress(Bytes(batch_).first(filled_), packed_);
    Must(size.ok(), "deflate");
    return Leave(size.value());
  }

  uint64_t batches = 0, bytes_out = 0;

 private:
  Bytes Leave(size_t size) {
    filled_ = 0;
    ++batches;
    bytes_out += size;
    return Bytes(packed_).first(size);
  }

  const bool compress_;
  std::vector<std::byte> packer_memory_{GzipCompressor::BytesNeeded()};
  std::vector<std::byte> unpacker_memory_{GzipDecompressor::BytesNeeded()};
  GzipCompressor packer_{packer_memory_};
  GzipDecompressor unpacker_{unpacker_memory_};
  std::vector<uint8_t> plain_ = std::vector<uint8_t>(kRequestBytesMax);
  std::vector<uint8_t> batch_ = std::vector<uint8_t>(kBatchBytes + kRequestBytesMax);
  std::vector<uint8_t> packed_ = std::vector<uint8_t>(kBatchBytes + kRequestBytesMax);
  size_t filled_ = 0;
};

void InMemory(const char* what, std::span<const Request> requests, bool compress) {
  Pipe pipe(compress);
  const double before = CpuSeconds();
  for (const Request& request : requests) (void)pipe.Take(request.body);
  (void)pipe.Close();
  Report(what, CpuSeconds() - before, pipe.batches, pipe.bytes_out);
}

/// A connected pair over loopback TCP, as the real ones are.
struct Pair {
  int ours, theirs;
};

Pair Connect() {
  const int listener = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  Must(bind(listener, reinterpret_cast<sockaddr*>(&address), size) == 0 && listen(listener, 1) == 0 &&
           getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size) == 0, "listen");
  const int theirs = socket(AF_INET, SOCK_STREAM, 0);
  Must(connect(theirs, reinterpret_cast<sockaddr*>(&address), size) == 0, "connect");
  const int ours = accept(listener, nullptr, nullptr);
  Must(ours >= 0, "accept");
  close(listener);
  const int on = 1;
  for (const int one : {ours, theirs}) setsockopt(one, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return {ours, theirs};
}

void SendAll(int to, Bytes bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(to, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    Must(sent > 0, "send");
    bytes = bytes.subspan(static_cast<size_t>(sent));
  }
}

/// Reads so many bytes into `into`, at least as large. false: the end.
bool ReceiveAll(int from, std::span<uint8_t> into, size_t size) {
  for (size_t had = 0; had < size;) {
    const ssize_t got = recv(from, into.data() + had, size - had, 0);
    if (got <= 0) return false;
    had += static_cast<size_t>(got);
  }
  return true;
}

// As long as a request's and an answer's head.
constexpr size_t kHeadBytes = 160;
constexpr size_t kAnswerBytes = 80;

/// A message as it travels: its head, which begins with its length, and its body.
void SendMessage(int to, Bytes body, std::vector<uint8_t>& scratch) {
  const auto size = static_cast<uint32_t>(body.size());
  std::memcpy(scratch.data(), &size, sizeof size);
  std::memcpy(scratch.data() + kHeadBytes, body.data(), body.size());
  SendAll(to, Bytes(scratch).first(kHeadBytes + body.size()));
}

/// The clients: each sends a request and waits for its answer.
void PlayClient(std::span<const Request> requests, uint32_t connection, int socket) {
  std::vector<uint8_t> scratch(kRequestBytesMax);
  for (const Request& request : requests) {
    if (request.connection != connection) continue;
    SendMessage(socket, request.body, scratch);
    Must(ReceiveAll(socket, scratch, kAnswerBytes), "answer");
  }
}

/// The destination: answers what it has read.
void PlayDestination(int socket) {
  std::vector<uint8_t> scratch(kRequestBytesMax + kBatchBytes);
  while (ReceiveAll(socket, scratch, kHeadBytes)) {
    uint32_t size;
    std::memcpy(&size, scratch.data(), sizeof size);
    Must(ReceiveAll(socket, scratch, size), "batch");
    SendAll(socket, Bytes(scratch).first(kAnswerBytes));
  }
}

void OverSockets(const char* what, std::span<const Request> requests, bool compress) {
  Pair clients[kConnections], destination = Connect();
  for (Pair& pair : clients) pair = Connect();
  std::vector<pid_t> children;
  for (uint32_t i = 0; i <= kConnections; ++i) {
    const pid_t child = fork();
    Must(child >= 0, "fork");
    if (child == 0) {
      // What is left open here would hide from the other side that it was closed there.
      close(destination.ours);
      for (uint32_t k = 0; k < kConnections; ++k) {
        close(clients[k].ours);
        if (k != i) close(clients[k].theirs);
      }
      if (i < kConnections) PlayClient(requests, i, clients[i].theirs);
      else PlayDestination(destination.theirs);
      _exit(0);
    }
    children.push_back(child);
  }
  close(destination.theirs);
  const int poller = epoll_create1(0);
  for (uint32_t i = 0; i < kConnections; ++i) {
    close(clients[i].theirs);
    epoll_event event{.events = EPOLLIN, .data = {.u32 = i}};
    Must(epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].ours, &event) == 0, "epoll_ctl");
  }

  Pipe pipe(compress);
  struct Input {
    std::vector<uint8_t> bytes = std::vector<uint8_t>(kRequestBytesMax);
    size_t had = 0;
  } inputs[kConnections];
  std::vector<uint8_t> scratch(kRequestBytesMax + kBatchBytes), answer(kAnswerBytes);
  const auto send_batch = [&](Bytes batch) {
    if (batch.empty()) return;
    SendMessage(destination.ours, batch, scratch);
    Must(ReceiveAll(destination.ours, answer, kAnswerBytes), "answer");
  };
  const double before = CpuSeconds();
  for (size_t open = kConnections; open > 0;) {
    epoll_event events[kConnections];
    const int count = epoll_wait(poller, events, kConnections, -1);
    for (int i = 0; i < count; ++i) {
      Input& input = inputs[events[i].data.u32];
      const int from = clients[events[i].data.u32].ours;
      const ssize_t got = recv(from, input.bytes.data() + input.had, input.bytes.size() - input.had, 0);
      if (got <= 0) {
        close(from);
        --open;
        continue;
      }
      input.had += static_cast<size_t>(got);
      uint32_t size;
      std::memcpy(&size, input.bytes.data(), sizeof size);
      if (input.had < kHeadBytes + size) continue;
      input.had = 0;
      const Bytes batch = pipe.Take(Bytes(input.bytes).subspan(kHeadBytes, size));
      SendAll(from, answer);
      send_batch(batch);
    }
  }
  send_batch(pipe.Close());
  Report(what, CpuSeconds() - before, pipe.batches, pipe.bytes_out);
  close(poller);
  close(destination.ours);
  for (const pid_t child : children) waitpid(child, nullptr, 0);
}

int Run(const char* path) {
  const std::vector<uint8_t> file = ReadFile(path);
  const std::vector<Request> requests = Requests(file);
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  InMemory("inflate, copy, deflate", requests, true);
  InMemory("inflate, copy", requests, false);
  OverSockets("inflate, copy, deflate, system calls", requests, true);
  OverSockets("inflate, copy, system calls", requests, false);
  return 0;
}

}  // namespace
}  // namespace limpet

int main(int argc, char** argv) {
  if (argc != 2) return 64;
  return limpet::Run(argv[1]);
}
