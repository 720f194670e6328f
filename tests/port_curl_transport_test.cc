// The transport against a real peer on loopback: tests/integration/endpoint.py, over HTTP and HTTPS.
#include "port/curl/curl_transport.h"

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
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"

extern char** environ;

namespace limpet {
namespace {

const std::string kScripts = LIMPET_SOURCE_DIR "/tests/integration/";

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
                    bool quiet = true)
      : child(Arguments(answers, server, quiet)), url(child.Line()) {}

  static std::vector<std::string> Arguments(const std::vector<std::string>& answers,
                                            const std::string& server, bool quiet) {
    std::vector<std::string> all = {"python3", "-B", kScripts + "endpoint.py"};
    if (quiet) all.push_back("--quiet");  // Else its lines have to be read.
    for (const std::string& a : answers) all.insert(all.end(), {"--answer", a});
    if (!server.empty()) {
      all.insert(all.end(), {"--chain", server + "-chain.pem", "--key", server + ".key"});
    }
    return all;
  }

  Child child;
  std::string url;
};

/// Certificates for all tests, made once.
const std::string& Certificates(const std::string& key = "ec") {
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
[[maybe_unused]] const auto* const kRemove =
    testing::AddGlobalTestEnvironment(new RemoveCertificates);

/// A name server: an address for gateway.test, "no such name" for others, silence for silent.test.
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
      const bool known = name.starts_with("\7gateway"), v4 = query[name_end + 1] == 1;
      std::string answer(query, name_end + 4);
      answer[2] = '\x81', answer[3] = static_cast<char>(known ? 0x80 : 0x83);
      answer[7] = known && v4;                        // Answers.
      answer[9] = answer[10] = answer[11] = 0;        // Neither authority nor additional.
      if (known && v4) answer += std::string("\xc0\x0c\0\1\0\1\0\0\1\0\0\4\x7f\0\0\1", 16);
      sendto(socket_, answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }

  int socket_;
  std::string address_;
  std::atomic<int> queries_{0};
  std::thread thread_;
};

/// The URL with a name instead of the address.
std::string ByName(std::string url) {
  return url.replace(url.find("127.0.0.1"), 9, "gateway.test");
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
    options_ = {"limpet/test", answer_body_, &ca_index_, settings.limits,
                name_server_.empty() ? nullptr : name_server_.c_str()};
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
    destination_ = std::make_unique<CurlDestination>(*client_, config, options_);
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
  Clock& clock() { return clock_; }

  DestinationConfig config;
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
  CurlDestination::Options options_;
  bool entered_ = false;
  std::unique_ptr<CurlClient> client_;
  std::unique_ptr<CurlDestination> destination_;
};

TEST(CurlTransport, Answers) {
  struct Case {
    const char* name;
    const char* answer;
    Sent sent;
    int status;
    bool body_complete;
    size_t body_bytes;
    bool timed_out;
    const char* error;
  };
  constexpr const char* kLost = "connection lost before the answer";
  const Case cases[] = {
      {"accepted", "{}", Sent::kAnswered, 200, true, 0, false, ""},
      {"body", R"({"body": "hello"})", Sent::kAnswered, 200, true, 5, false, ""},
      {"after two interim answers", R"({"interim": 2})", Sent::kAnswered, 200, true, 0, false, ""},
      {"unavailable", R"({"status": 503})", Sent::kAnswered, 503, true, 0, false, ""},
      {"redirect is not followed", R"({"status": 307, "headers": {"Location": "/v1/logs"}})",
       Sent::kAnswered, 307, true, 0, false, ""},
      {"64 KiB", R"({"body": 65536})", Sent::kAnswered, 200, true, 65536, false, ""},
      {"64 KiB and a byte", R"({"body": 65537})", Sent::kAnswered, 200, false, 65536, false, ""},
      {"10 MB", R"({"body": 10000000})", Sent::kAnswered, 200, false, 65536, false, ""},
      {"cut in the body", R"({"body": 100, "cut": 180})", Sent::kAnswered, 200, false, 0, false, ""},
      {"cut after the status line", R"({"cut": 22})", Sent::kAnswered, 200, false, 0, false, ""},
      {"cut in the status line", R"({"cut": 9})", Sent::kUnknown, 0, false, 0, false, nullptr},
      {"early refusal", R"({"status": 413, "early": true})", Sent::kAnswered, 413, true, 0, false,
       ""},
      {"garbage", R"({"raw": "220 mail.example ESMTP\r\n"})", Sent::kUnknown, 0, false, 0, false,
       "the answer is not HTTP"},
      {"binary garbage", R"({"raw": "\u0001\u0002\u0003\u0004\u0005\u0006\u0007\u0008"})",
       Sent::kUnknown, 0, false, 0, false, "the answer is not HTTP"},
      {"endless head", R"({"headers": {"X": "A"}, "raw": 1000000})", Sent::kUnknown, 0, false, 0,
       false, "the answer is not HTTP"},
      {"garbage after the status line", R"({"raw": "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n"})",
       Sent::kAnswered, 200, false, 0, false, ""},
      {"reset", R"({"reset": true})", Sent::kUnknown, 0, false, 0, false, kLost},
      {"closed", R"({"cut": 0})", Sent::kUnknown, 0, false, 0, false,
       "connection closed without an answer"},
      {"never", R"({"never": true})", Sent::kUnknown, 0, false, 0, true,
       "timed out waiting for the answer"},
      {"never the rest", R"({"body": "x", "headers": {"Content-Length": "2"}})", Sent::kAnswered,
       200, false, 1, true, ""},
  };
  const PiecedBody body(3000);
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Endpoint endpoint({c.answer});
    World world(endpoint.url, {.timeout = Milliseconds(400)});
    ASSERT_TRUE(world.Start().ok());
    const Kept got = world.Exchange(body);
    EXPECT_EQ(got.answer.sent, c.sent);
    EXPECT_EQ(got.answer.status, c.status);
    EXPECT_EQ(got.answer.body_complete, c.body_complete);
    if (c.body_complete || c.body_bytes > 0) {
      EXPECT_EQ(got.answer.body.size(), c.body_bytes);
    }
    EXPECT_EQ(got.answer.timed_out, c.timed_out);
    if (c.error != nullptr) {
      EXPECT_EQ(got.error, c.error);
    }
    EXPECT_EQ(got.error.empty(), c.sent == Sent::kAnswered);

    const Kept next = world.Exchange(body);  // Whatever was, the next request finds its way.
    EXPECT_EQ(next.answer.sent, Sent::kAnswered) << next.error;
    EXPECT_EQ(next.answer.status, 200);
  }
}

TEST(CurlTransport, HeadersOfTheAnswer) {
  Endpoint endpoint({R"({"status": 429, "headers": {"Retry-After": " 7 ", "date": "Tue"}})",
                     R"({"headers": {"Retry-After": ")" + std::string(70, '1') +
                         R"(", "Date": null}})"});
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  const Kept first = world.Exchange(PiecedBody(10));
  EXPECT_EQ(first.retry_after, "7");
  EXPECT_FALSE(first.date.empty());
  EXPECT_GT(first.answer.round_trip, Duration{});
  const Kept second = world.Exchange(PiecedBody(10));
  EXPECT_EQ(second.retry_after, "") << "Longer than any real one.";
  EXPECT_EQ(second.date, "");
}

TEST(CurlTransport, OneConnectionForAll) {
  Endpoint endpoint({}, {}, /*quiet=*/false);
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  for (const Signal signal : {Signal::kMetrics, Signal::kLogs, Signal::kMetrics}) {
    EXPECT_EQ(world.Exchange(PiecedBody(100'000), signal).answer.status, 200);
    EXPECT_EQ(endpoint.child.Line(), "POST /v1/" + std::string(SignalName(signal)) +
                                         " connection=1 body=100000 complete=1 answer=200");
  }
}

TEST(CurlTransport, KeptConnectionGoneBefore) {
  Endpoint endpoint({R"({"hang_up": true})"});
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  const Kept second = world.Exchange(PiecedBody(10));
  EXPECT_EQ(second.answer.status, 200) << second.error;
}

TEST(CurlTransport, NotSent) {
  struct Case {
    const char* name;
    const char* url;
    bool timed_out;
    const char* error;
  };
  constexpr Case cases[] = {
      {"nobody listens", "http://127.0.0.1:1", false, "connection refused"},
      {"nobody listens, TLS", "https://gateway.test:1", false, "connection refused"},
      {"no such name", "http://user:secret@other.test", false, "cannot resolve host other.test"},
      {"no answer from the name server", "http://silent.test", true,
       "timed out resolving host silent.test"},
  };
  NameServer names;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    World world(c.url, {.timeout = Milliseconds(500), .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 2; ++i) {
      const Kept got = world.Exchange(PiecedBody(10));
      EXPECT_EQ(got.answer.sent, Sent::kNotSent);
      EXPECT_EQ(got.answer.timed_out, c.timed_out);
      EXPECT_EQ(got.error, c.error);
    }
  }
}

/// A day of failures must not use up the heaps.
TEST(CurlTransport, FailuresLeaveNothingBehind) {
  NameServer names;
  Endpoint stranger({}, Certificates() + "/server");
  for (const std::string& url : {std::string("http://other.test"), std::string("http://127.0.0.1:1"),
                                 stranger.url}) {
    SCOPED_TRACE(url);
    World world(url, {.ca = Certificates("rsa") + "/root.pem", .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    size_t curl_least[2] = {SIZE_MAX, SIZE_MAX}, tls_least[2] = {SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < 60; ++i) {  // A connection that is on its way out may come on top.
      EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.sent, Sent::kNotSent);
      curl_least[i / 30] = std::min(curl_least[i / 30], world.curl_use().used);
      tls_least[i / 30] = std::min(tls_least[i / 30], world.tls_use().used);
    }
    EXPECT_LE(curl_least[1], curl_least[0]);
    EXPECT_LE(tls_least[1], tls_least[0]);
  }
}

TEST(CurlTransport, NamesAreKeptForTheirTime) {
  NameServer names;
  Endpoint endpoint({R"({"close": true})", R"({"close": true})"});
  World world(ByName(endpoint.url), {.name_server = names.address()});
  ASSERT_TRUE(world.Start().ok());
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  const int queries = names.queries();
  EXPECT_GT(queries, 0);
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  EXPECT_EQ(names.queries(), queries);
}

TEST(CurlTransport, TimeOutGoesByProgress) {
  const PiecedBody large(8'000'000);  // More than the kernel takes on both sides.
  {
    SCOPED_TRACE("an answer that comes in drops is progress");
    Endpoint endpoint({R"({"trickle": 0.02})"});
    World world(endpoint.url, {.timeout = Milliseconds(400)});
    ASSERT_TRUE(world.Start().ok());
    const MonoTime start = world.clock().Monotonic();
    EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
    EXPECT_GT(world.clock().Monotonic() - start, Seconds(2));
  }
  {
    SCOPED_TRACE("a peer that does not read is none");
    Endpoint endpoint({R"({"deaf": true})"});
    World world(endpoint.url, {.timeout = Milliseconds(400)});
    ASSERT_TRUE(world.Start().ok());
    const Kept got = world.Exchange(large);
    EXPECT_EQ(got.answer.sent, Sent::kUnknown);
    EXPECT_TRUE(got.answer.timed_out);
  }
  {
    SCOPED_TRACE("all of it takes too long");
    Endpoint endpoint({R"({"trickle": 0.05})"});
    World world(endpoint.url, {.timeout = Milliseconds(400), .limits = {.total = Seconds(1)}});
    ASSERT_TRUE(world.Start().ok());
    const Kept got = world.Exchange(PiecedBody(10));
    EXPECT_TRUE(got.answer.timed_out);
  }
}

TEST(CurlTransport, Cancel) {
  Endpoint endpoint({R"({"never": true})"});
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  Keep keep;
  const PiecedBody body(1000);
  ASSERT_TRUE(world.destination().Send({Signal::kLogs, Encoding::kIdentity, "", &body}, keep).ok());
  world.Run([] { return false; }, Milliseconds(200));
  world.destination().Cancel();
  world.destination().Cancel();
  world.Run([] { return false; }, Milliseconds(50));
  EXPECT_TRUE(keep.kept.empty());
  EXPECT_EQ(world.Exchange(body).answer.status, 200);
}

TEST(CurlTransport, Configuration) {
  struct Case {
    const char* name;
    const char* url;
    KeyValue header;
    Code code;
  };
  constexpr Case cases[] = {
      {"plain", "http://h", {"X-Scope-OrgID", "edge"}, Code::kOk},
      {"empty value", "http://h", {"X-Empty", ""}, Code::kOk},
      {"no scheme", "h:4318", {"X", "y"}, Code::kInvalid},
      {"another scheme", "ftp://h", {"X", "y"}, Code::kInvalid},
      {"port", "http://h:99999", {"X", "y"}, Code::kInvalid},
      {"blank in URL", "http://a b", {"X", "y"}, Code::kInvalid},
      {"second line in a value", "http://h", {"X", "y\r\nZ: 1"}, Code::kInvalid},
      {"colon in a name", "http://h", {"X: a\r\nY", "y"}, Code::kInvalid},
      {"no name", "http://h", {"", "y"}, Code::kInvalid},
      {"one of ours", "http://h", {"content-length", "1"}, Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    World world(c.url);
    world.config.headers[0] = c.header;
    world.config.header_count = 1;
    EXPECT_EQ(world.Start().code, c.code);
  }
}

TEST(CurlTransport, Tls) {
  const std::string ca = Certificates() + "/root.pem";
  struct Case {
    const char* name;
    const char* server;
    std::string ca;
    bool insecure;
    int status;
    const char* error;
  };
  const Case cases[] = {
      {"valid", "server", ca, false, 200, ""},
      {"RSA", "rsa", Certificates("rsa") + "/root.pem", false, 200, ""},
      {"another name", "other", ca, false, 0, "certificate is for another name"},
      {"expired", "expired", ca, false, 0, "certificate expired"},
      {"not yet", "future", ca, false, 0, "certificate is not valid yet (or the clock is wrong)"},
      {"unknown", "server", Certificates("rsa") + "/root.pem", false, 0,
       "unknown certificate authority"},
      {"unknown, insecure", "server", Certificates("rsa") + "/root.pem", true, 200, ""},
      {"another name, insecure", "other", ca, true, 200, ""},
      {"no TLS there", "", ca, false, 0, "the server does not speak TLS"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string server = Certificates() + "/" + c.server;
    if (std::string(c.server) == "rsa") server = Certificates("rsa") + "/server";
    if (*c.server == '\0') server.clear();
    Endpoint endpoint({}, server);
    std::string url = endpoint.url;
    if (server.empty()) url.insert(4, "s");
    World world(url, {.ca = c.ca, .insecure = c.insecure});
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 2; ++i) {
      const Kept got = world.Exchange(PiecedBody(40'000));
      EXPECT_EQ(got.answer.status, c.status);
      EXPECT_EQ(got.error, c.error);
      if (c.status == 0) {
        EXPECT_EQ(got.answer.sent, Sent::kNotSent);
      }
    }
  }
}

/// What a connection costs, with the distribution's CA file and a chain of three. The numbers are
/// those that the memory plan stands on.
TEST(CurlTransport, Memory) {
  NameServer names;
  for (const char* key : {"ec", "rsa"}) {
    SCOPED_TRACE(key);
    const std::string bundle = Certificates(key) + "/bundle.pem";
    std::ofstream(bundle) << std::ifstream("/etc/ssl/certs/ca-certificates.crt").rdbuf()
                          << std::ifstream(Certificates(key) + "/root.pem").rdbuf();
    Endpoint endpoint({R"({"close": true})", R"({"body": 70000})"}, Certificates(key) + "/server");
    World world(ByName(endpoint.url), {.ca = bundle, .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(world.Exchange(PiecedBody(64 * kKiB)).answer.status, 200);
    }
    const PoolUse curl = world.curl_use(), tls = world.tls_use();
    printf("%s: curl %zu used %zu peak, tls %zu used %zu peak\n", key, curl.used, curl.peak,
           tls.used, tls.peak);
    EXPECT_LE(curl.peak, 80 * kKiB);
    EXPECT_LE(tls.peak, 64 * kKiB);
  }
}

/// Each allocation of a start and two requests fails in turn: every one has a defined outcome, and as
/// soon as there is memory again a request succeeds. A TLS handshake makes tens of thousands, nearly
/// all of them numbers of one and the same computation: there the steps grow.
TEST(CurlTransport, OutOfMemory) {
  NameServer names;
  for (const bool tls : {false, true}) {
    for (const bool stays : {false, true}) {
      Endpoint endpoint({}, tls ? Certificates() + "/server" : "");
      int not_sent = 0;
      for (int nth = 1;; nth += 1 + nth / 64) {
        SCOPED_TRACE(testing::Message() << "tls " << tls << ", stays " << stays << ", allocation " << nth);
        Faults::allocations = 0;
        Faults::fail_at = nth;
        Faults::from_then_on = stays;
        World world(ByName(endpoint.url), {.timeout = Seconds(2),
                                           .ca = Certificates() + "/root.pem",
                                           .name_server = names.address()});
        if (world.status.ok() && world.Start().ok()) {
          const PiecedBody body(20'000);
          for (int i = 0; i < 2; ++i) {
            const Kept got = world.Exchange(body);
            if (!world.send_status.ok()) {
              EXPECT_EQ(world.send_status.code, Code::kFull);
            } else if (got.answer.sent != Sent::kAnswered) {
              EXPECT_EQ(got.error, "out of memory");
              not_sent += got.answer.sent == Sent::kNotSent;
            } else {
              EXPECT_EQ(got.answer.status, 200);
            }
          }
          const bool over = Faults::allocations < nth;
          Faults::fail_at = 0;
          const Kept last = world.Exchange(body);
          EXPECT_EQ(last.answer.status, 200) << last.error;
          if (over) break;
        } else {
          EXPECT_EQ(world.status.code, Code::kFull);
        }
        Faults::fail_at = 0;
        if (testing::Test::HasFailure()) return;
      }
      Faults::fail_at = 0;
      EXPECT_GT(not_sent, 0);
    }
  }
}

/// Pools of any size too small: the same, with the heaps themselves.
TEST(CurlTransport, SmallPools) {
  NameServer names;
  Endpoint endpoint({}, Certificates() + "/server");
  int refused = 0;
  for (size_t bytes = 4 * kKiB; bytes <= 128 * kKiB; bytes += 4 * kKiB) {
    for (const bool small_curl : {false, true}) {
      SCOPED_TRACE(bytes);
      World world(ByName(endpoint.url), {.ca = Certificates() + "/root.pem",
                                         .curl_bytes = small_curl ? bytes : 256 * kKiB,
                                         .tls_bytes = small_curl ? 256 * kKiB : bytes,
                                         .name_server = names.address()});
      if (!world.Start().ok()) {
        EXPECT_EQ(world.status.code, Code::kFull);
        ++refused;
        continue;
      }
      const Kept got = world.Exchange(PiecedBody(20'000));
      const bool full = !world.send_status.ok() || got.error == "out of memory";
      refused += full;
      EXPECT_TRUE(full || got.answer.status == 200) << got.error;
    }
  }
  EXPECT_GT(refused, 0);
}

TEST(CurlTransport, NoHandleToWatch) {
  Endpoint endpoint({});
  World world(endpoint.url, {.handles = 0});
  ASSERT_TRUE(world.Start().ok());
  const Kept got = world.Exchange(PiecedBody(10));
  EXPECT_EQ(got.answer.sent, Sent::kNotSent);
  EXPECT_FALSE(got.error.empty());
}

}  // namespace
}  // namespace limpet
