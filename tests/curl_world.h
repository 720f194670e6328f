// What tests of the transport share: a real peer (tests/integration/endpoint.py) and a name server on
// loopback, the libraries over heaps of their own, a loop, one destination.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "port/curl/curl_transport.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "source_dir.h"

extern char** environ;

namespace limpet {

inline const std::string kScripts = std::string(kSourceDir) + "/tests/integration/";

/// A child process whose standard output can be read by lines; it ends with its standard input.
class Child {
 public:
  explicit Child(std::vector<std::string> arguments) {
    int in[2], out[2];
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    std::vector<char*> argv;
    for (std::string& a : arguments) argv.push_back(a.data());
    argv.push_back(nullptr);
    if (posix_spawnp(&pid_, argv[0], &actions, nullptr, argv.data(), environ) != 0) pid_ = -1;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    in_ = in[1];
    out_ = fdopen(out[0], "r");
  }
  ~Child() { Wait(); }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  std::string Line() {
    char line[512];
    if (fgets(line, sizeof line, out_) == nullptr) return {};
    std::string text = line;
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
  }

  /// Ends it, and returns its exit code.
  int Wait() {
    if (pid_ <= 0) return -1;
    close(in_);
    int status = 0;
    waitpid(pid_, &status, 0);
    pid_ = -1;
    fclose(out_);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

 private:
  pid_t pid_ = -1;
  int in_ = -1;
  FILE* out_ = nullptr;
};

/// endpoint.py, told what to answer (see its Answer).
struct Endpoint {
  explicit Endpoint(const std::vector<std::string>& answers, const std::string& server = {},
                    bool quiet = true, const std::vector<std::string>& more = {})
      : child(Arguments(answers, server, quiet, more)), url(child.Line()) {}

  static std::vector<std::string> Arguments(const std::vector<std::string>& answers,
                                            const std::string& server, bool quiet,
                                            const std::vector<std::string>& more) {
    std::vector<std::string> all = {"python3", "-B", kScripts + "endpoint.py"};
    if (quiet) all.push_back("--quiet");  // Else its lines have to be read.
    for (const std::string& a : answers) all.insert(all.end(), {"--answer", a});
    if (!server.empty()) {
      all.insert(all.end(), {"--chain", server + "-chain.pem", "--key", server + ".key"});
    }
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  uint16_t port() const { return static_cast<uint16_t>(std::stoi(url.substr(url.rfind(':') + 1))); }

  Child child;
  std::string url;
};

/// Certificates for all tests, made once.
inline const std::string& Certificates(const std::string& key = "ec") {
  static std::string folders[2];
  std::string& folder = folders[key == "rsa"];
  if (folder.empty()) {
    char name[] = "/tmp/limpet-tls-XXXXXX";
    folder = mkdtemp(name);
    Child child({"python3", "-B", kScripts + "certificates.py", folder, key});
    if (child.Wait() != 0) std::abort();
  }
  return folder;
}

class RemoveCertificates : public testing::Environment {
  void TearDown() override {
    for (const char* key : {"ec", "rsa"}) {
      const std::string command = "rm -r " + Certificates(key);
      if (std::system(command.c_str()) != 0) std::abort();
    }
  }
};
[[maybe_unused]] inline const auto* const kRemove =
    testing::AddGlobalTestEnvironment(new RemoveCertificates);

/// A name server: 127.0.0.1 for gateway.test and, for a second only, for brief.test; ::1 besides for
/// dual.test; "no such name" for others, silence for silent.test.
class NameServer {
 public:
  NameServer() : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, any, size) != 0 || getsockname(socket_, any, &size) != 0) std::abort();
    address_ = "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
    thread_ = std::thread([this] { Serve(); });
  }
  ~NameServer() {
    shutdown(socket_, SHUT_RDWR);
    thread_.join();
    close(socket_);
  }
  const std::string& address() const { return address_; }
  int queries() const { return queries_; }

 private:
  void Serve() {
    char query[512];
    for (;;) {
      sockaddr_in from{};
      socklen_t size = sizeof from;
      const ssize_t got = recvfrom(socket_, query, sizeof query, 0,
                                   reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17) return;
      ++queries_;
      // Header, then the name as labels, then type and class; what follows (EDNS) is not repeated.
      const size_t name_end = 12 + std::strlen(query + 12) + 1;
      std::string name(query + 12, name_end - 12);
      for (char& c : name) c = static_cast<char>(tolower(c));
      if (name.starts_with("\6silent")) continue;
      const bool dual = name.starts_with("\4dual"), brief = name.starts_with("\5brief");
      const bool known = name.starts_with("\7gateway") || dual || brief, v4 = query[name_end + 1] == 1;
      std::string answer(query, name_end + 4);
      answer[2] = '\x81', answer[3] = static_cast<char>(known ? 0x80 : 0x83);
      answer[7] = known && (v4 || dual);              // Answers.
      answer[9] = answer[10] = answer[11] = 0;        // Neither authority nor additional.
      if (answer[7] != 0) {  // The name, type, class IN, time to live, an address.
        answer += std::string("\xc0\x0c\0", 3) + static_cast<char>(v4 ? 1 : 28) + std::string("\0\1\0\0", 4);
        answer += brief ? std::string("\0\1", 2) : std::string("\1\0", 2);
        answer += v4 ? std::string("\0\4\x7f\0\0\1", 6) : std::string("\0\x10", 2) + std::string(15, '\0') + '\1';
      }
      sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  int socket_;
  std::string address_;
  std::atomic<int> queries_{0};
  std::thread thread_;
};

/// The URL with a name instead of the address.
inline std::string ByName(std::string url, const char* name = "gateway.test") {
  return url.replace(url.find("127.0.0.1"), 9, name);
}

/// In pieces, as the queue's blocks are.
class PiecedBody final : public Body {
 public:
  explicit PiecedBody(size_t size) : bytes_(size) {
    for (size_t i = 0; i < size; ++i) bytes_[i] = static_cast<uint8_t>(i * 7);
  }
  size_t size() const override { return bytes_.size(); }
  std::span<const uint8_t> At(size_t offset) const override {
    const std::span<const uint8_t> rest = std::span(bytes_).subspan(offset);
    return rest.first(std::min(rest.size(), 512 - offset % 512));
  }

 private:
  std::vector<uint8_t> bytes_;
};

/// An Answer that outlives the call.
struct Kept {
  Answer answer;
  std::string error, retry_after, date, body;
};

class Keep final : public AnswerHandler {
 public:
  void OnAnswer(const Answer& a) override {
    kept.push_back({a, std::string(a.error), std::string(a.retry_after), std::string(a.date),
                    std::string(reinterpret_cast<const char*>(a.body.data()), a.body.size())});
  }
  std::vector<Kept> kept;
};

class Heard final : public KnockHandler {
 public:
  void OnKnock(bool connected) override { answers.push_back(connected); }
  std::vector<bool> answers;
};

struct Faults {
  static inline int allocations = 0;
  static inline int fail_at = 0;   // 0: none.
  static inline bool from_then_on = false;
  static bool Refuse() {
    ++allocations;
    return fail_at != 0 && (from_then_on ? allocations >= fail_at : allocations == fail_at);
  }
};

struct Settings {
  Duration timeout = Seconds(5);
  std::string ca = {};
  bool insecure = false;
  CurlLimits limits = {};
  size_t curl_bytes = 256 * kKiB, tls_bytes = 256 * kKiB;
  size_t handles = 16;
  std::string name_server = {};
};

/// The libraries, a loop, one destination.
class World {
 public:
  World(const std::string& url, const Settings& settings = {})
      : curl_region_(settings.curl_bytes), tls_region_(settings.tls_bytes), url_(url) {
    curl_heap_.Init("curl", curl_region_);
    tls_heap_.Init("tls", tls_region_);
    slots_.resize(settings.handles);
    poller_ = std::make_unique<Poller_>(slots_);
    if (!poller_->Open().ok()) std::abort();
    status = EnterLibraries({&curl_heap_, &tls_heap_, &Faults::Refuse});
    if (!status.ok()) return;
    entered_ = true;
    client_ = std::make_unique<CurlClient>(*poller_, clock_);
    status = client_->Start(1);
    if (!status.ok()) return;
    config.timeout = settings.timeout;
    config.tls_insecure = settings.insecure;
    for (const Signal s : kSignals) {
      paths_[Index(s)] = url_ + "/v1/" + std::string(SignalName(s));
      config.signal_url[Index(s)] = paths_[Index(s)];
    }
    if (!settings.ca.empty()) {
      status = ca_index_.Load(settings.ca);
      if (!status.ok()) return;
    }
    name_server_ = settings.name_server;
    options = {.user_agent = "limpet/test",
               .answer_body = answer_body_,
               .ca_index = &ca_index_,
               .limits = settings.limits,
               .name_servers = name_server_.empty() ? nullptr : name_server_.c_str()};
  }

  ~World() {
    destination_.reset();
    client_.reset();
    if (!entered_) return;
    LeaveLibraries();
    EXPECT_EQ(curl_heap_.use().used, 0u);
    EXPECT_EQ(tls_heap_.use().used, 0u);
  }

  Status Start() {
    LIMPET_TRY(status);
    destination_ = std::make_unique<CurlDestination>(*client_, config, options);
    status = destination_->Start();
    return status;
  }

  /// Sends and lets the loop run until the answer.
  Kept Exchange(const Body& body, Signal signal = Signal::kMetrics, std::string_view key = "k-1") {
    Keep keep;
    send_status = destination_->Send({signal, Encoding::kGzip, key, &body}, keep);
    if (!send_status.ok()) return {};
    Run([&] { return !keep.kept.empty(); });
    EXPECT_EQ(keep.kept.size(), 1u);
    return keep.kept.empty() ? Kept{} : keep.kept[0];
  }

  template <typename Done>
  void Run(Done done, Duration at_most = Seconds(20)) {
    const MonoTime end = clock_.Monotonic() + at_most;
    while (!done() && clock_.Monotonic() < end) {
      const MonoTime next = client_->OnTime(clock_.Monotonic());
      if (done()) return;
      if (!poller_->Wait(std::min(next, end)).ok()) std::abort();
    }
  }

  PoolUse curl_use() const { return curl_heap_.use(); }
  PoolUse tls_use() const { return tls_heap_.use(); }
  CurlDestination& destination() { return *destination_; }
  CurlClient& client() { return *client_; }
  Clock& clock() { return clock_; }

  DestinationConfig config;            ///< May be changed until Start, as may these:
  CurlDestination::Options options;
  Status status, send_status;

 private:
  class Poller_ final : public EpollPoller {
   public:
    using EpollPoller::EpollPoller;
  };
  std::vector<std::byte> curl_region_, tls_region_;
  FixedHeap curl_heap_, tls_heap_;
  std::vector<EpollPoller::Slot> slots_;
  std::unique_ptr<Poller_> poller_;
  LinuxClock clock_;
  std::string url_, name_server_;
  std::array<std::string, kSignalCount> paths_;
  std::array<uint8_t, kAnswerBodyMax> answer_body_;
  CaIndex ca_index_;
  bool entered_ = false;
  std::unique_ptr<CurlClient> client_;
  std::unique_ptr<CurlDestination> destination_;
};

}  // namespace limpet
