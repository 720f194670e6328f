// Connections of the transport: whom it trusts, who it says it is, which way it takes, how fast.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "curl_world.h"
#include "port/linux/secret_file.h"

namespace limpet {
namespace {

/// A socket bound to a port of ::1; -1 where there is no IPv6.
class Sixth {
 public:
  Sixth(uint16_t port, int backlog) : socket_(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    address_.sin6_family = AF_INET6;
    address_.sin6_addr = in6addr_loopback;
    address_.sin6_port = htons(port);
    bound_ = socket_ >= 0 && bind(socket_, any(), sizeof address_) == 0 && listen(socket_, backlog) == 0;
  }
  ~Sixth() {
    if (socket_ >= 0) close(socket_);
    for (const int s : waiting_) close(s);
  }
  bool bound() const { return bound_; }

  /// Fills the queue of connections that nobody accepts: whoever comes now is not answered.
  void Fill() {
    for (int& s : waiting_) {
      s = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
      (void)!connect(s, any(), sizeof address_);
    }
    usleep(50'000);
  }

 private:
  sockaddr* any() { return reinterpret_cast<sockaddr*>(&address_); }
  int socket_;
  int waiting_[4] = {-1, -1, -1, -1};
  bool bound_ = false;
  sockaddr_in6 address_{};
};

bool KnockAndWait(World& world, Duration at_most = Seconds(5)) {
  Heard heard;
  EXPECT_TRUE(world.destination().Knock(heard).ok());
  world.Run([&] { return !heard.answers.empty(); }, at_most);
  EXPECT_EQ(heard.answers.size(), 1u);
  return !heard.answers.empty() && heard.answers[0];
}

TEST(Connection, Probe) {
  Endpoint endpoint({R"({"status": 401})", "{}"}, {}, /*quiet=*/false);
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  EXPECT_EQ(world.Exchange(PiecedBody(0), Signal::kLogs, "").answer.status, 401);
  EXPECT_EQ(endpoint.child.Line(), "POST /v1/logs connection=1 body=0 complete=1 answer=401");
  EXPECT_EQ(world.Exchange(PiecedBody(0)).answer.status, 200);
}

TEST(Connection, FailedProbesSayWhere) {
  NameServer names;
  struct Case {
    std::string url;
    const char* error;
  };
  Endpoint plain({});
  const Case cases[] = {
      {"http://other.test", "cannot resolve host other.test"},
      {"http://127.0.0.1:1", "connection refused"},
      {"http://silent.test", "timed out resolving host silent.test"},
      {"https" + plain.url.substr(4), "the server does not speak TLS"},
  };
  for (const Case& c : cases) {
    World world(c.url, {.timeout = Milliseconds(500), .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    const Kept got = world.Exchange(PiecedBody(0));
    EXPECT_EQ(got.error, c.error);
    EXPECT_EQ(got.answer.sent, Sent::kNotSent);
  }
}

/// A knock is a TCP connection and nothing else, to the port of the URL.
TEST(Connection, Knock) {
  NameServer names;
  for (const bool tls : {false, true}) {
    Endpoint endpoint({}, tls ? Certificates() + "/server" : "", /*quiet=*/false);
    World world(ByName(endpoint.url), {.ca = Certificates() + "/root.pem", .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(KnockAndWait(world));
    EXPECT_EQ(world.tls_use().used, world.tls_use().peak) << "no handshake";
    const int queries = names.queries();
    EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
    EXPECT_EQ(endpoint.child.Line(), "POST /v1/metrics connection=4 body=10 complete=1 answer=200");
    EXPECT_EQ(names.queries(), queries) << "the same addresses";
    EXPECT_TRUE(KnockAndWait(world));  // With a connection kept alive.
    EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  }
  for (const char* const url : {"http://127.0.0.1:1", "https://other.test", "http://silent.test"}) {
    World world(url, {.timeout = Milliseconds(300), .name_server = names.address()});
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 2; ++i) EXPECT_FALSE(KnockAndWait(world)) << url;
    EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.sent, Sent::kNotSent);
  }
}

/// Who goes to a proxy knocks there, and nowhere as long as it is not known.
TEST(Connection, KnocksAtTheProxy) {
  char name[] = "/tmp/limpet-knock-XXXXXX";
  const std::string folder = mkdtemp(name), file = folder + "/proxy";
  World world("http://127.0.0.1:1");
  world.config.proxy_file = file;
  ASSERT_TRUE(world.Start().ok());
  EXPECT_FALSE(KnockAndWait(world));
  EXPECT_TRUE(world.Exchange(PiecedBody(10)).answer.misconfigured);
  Child proxy({"python3", "-B", kScripts + "proxy.py"});
  std::ofstream(file) << proxy.Line();
  world.Run([] { return false; }, Milliseconds(1100));
  EXPECT_TRUE(KnockAndWait(world));
  Heard heard;
  ASSERT_TRUE(world.destination().Knock(heard).ok());
  world.destination().StopKnocking();
  EXPECT_EQ(std::system(("rm -r " + folder).c_str()), 0);
}

TEST(Connection, StopKnocking) {
  NameServer names;
  World world("http://silent.test", {.name_server = names.address()});
  ASSERT_TRUE(world.Start().ok());
  Heard heard;
  ASSERT_TRUE(world.destination().Knock(heard).ok());
  world.Run([] { return false; }, Milliseconds(100));
  world.destination().StopKnocking();
  world.destination().StopKnocking();
  world.Run([] { return false; }, Milliseconds(50));
  EXPECT_TRUE(heard.answers.empty());
  ASSERT_TRUE(world.destination().Knock(heard).ok());  // Left open: the destination goes first.
}

TEST(Connection, RenewBeginsANewConnectionAndLooksUpAnew) {
  NameServer names;
  Endpoint endpoint({}, Certificates() + "/server", /*quiet=*/false);
  World world(ByName(endpoint.url), {.ca = Certificates() + "/root.pem", .name_server = names.address()});
  ASSERT_TRUE(world.Start().ok());
  size_t used = 0;
  for (int i = 1; i <= 5; ++i) {
    const int queries = names.queries();
    const Kept got = world.Exchange(PiecedBody(10));
    EXPECT_EQ(got.answer.status, 200) << got.error;
    EXPECT_EQ(endpoint.child.Line(),
              "POST /v1/metrics connection=" + std::to_string(i) + " body=10 complete=1 answer=200");
    EXPECT_GT(names.queries(), queries);
    world.Run([] { return false; }, Milliseconds(1100));  // libcurl looks for the dead once a second.
    if (i == 2) used = world.tls_use().used;
    world.destination().Renew();
    world.destination().Renew();
  }
  EXPECT_LE(world.tls_use().used, used + 1024);
}

TEST(Connection, RenewLeavesARequestAlone) {
  Endpoint endpoint({R"({"delay": 0.5})"}, {}, /*quiet=*/false);
  World world(endpoint.url);
  ASSERT_TRUE(world.Start().ok());
  Keep keep;
  const PiecedBody body(10);
  ASSERT_TRUE(world.destination().Send({.body = &body}, keep).ok());
  world.Run([] { return false; }, Milliseconds(100));
  world.destination().Renew();
  world.Run([&] { return !keep.kept.empty(); });
  ASSERT_EQ(keep.kept.size(), 1u);
  EXPECT_EQ(keep.kept[0].answer.status, 200);
  // After it its connection is left, once.
  for (const int connection : {1, 2, 2}) {
    EXPECT_EQ(endpoint.child.Line(),
              "POST /v1/metrics connection=" + std::to_string(connection) + " body=10 complete=1 answer=200");
    EXPECT_EQ(world.Exchange(body).answer.status, 200);
  }
}

// Names and addresses.

/// The first address answers nothing, or nobody is there: the second is tried soon, long before a
/// time-out.
TEST(Connection, HappyEyeballs) {
  NameServer names;
  for (const bool silent : {false, true}) {
    SCOPED_TRACE(silent);
    Endpoint endpoint({});
    std::optional<Sixth> six(std::in_place, endpoint.port(), 0);
    if (!six->bound()) GTEST_SKIP() << "no IPv6 here";
    silent ? six->Fill() : six.reset();
    World world(ByName(endpoint.url, "dual.test"), {.timeout = Seconds(10), .name_server = names.address()});
    ConnectionFacts facts;
    world.options.facts = &facts;
    ASSERT_TRUE(world.Start().ok());
    const MonoTime start = world.clock().Monotonic();
    const Kept got = world.Exchange(PiecedBody(10));
    EXPECT_EQ(got.answer.status, 200) << got.error;
    EXPECT_EQ(facts.address.text(), "127.0.0.1:" + std::to_string(endpoint.port()));
    EXPECT_LT(world.clock().Monotonic() - start, Seconds(2));
    EXPECT_GT(world.clock().Monotonic() - start, Milliseconds(silent ? 150 : 0));
  }
}

TEST(Connection, NamesAreForgottenWhenTheirTimeIsUp) {
  NameServer names;
  Endpoint endpoint({R"({"close": true})", R"({"close": true})", R"({"close": true})"});
  World world(ByName(endpoint.url, "brief.test"), {.name_server = names.address()});
  ASSERT_TRUE(world.Start().ok());
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  const int queries = names.queries();
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  EXPECT_EQ(names.queries(), queries) << "within its second";
  world.Run([] { return false; }, Milliseconds(2100));
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  EXPECT_GT(names.queries(), queries) << "after it";
}

// TLS.

struct TlsCase {
  const char* name;
  std::vector<std::string> server_options;
  void (*prepare)(DestinationConfig& config);
  int status;
  const char* error;
  const char* or_lost = nullptr;  // What it says at its end when the alert is lost behind a reset.
};

std::string g_certificate, g_key, g_other_key, g_pin;

TEST(Connection, ClientCertificateNameAndPin) {
  const std::string folder = Certificates();
  const std::string ca = folder + "/root.pem";
  g_certificate = folder + "/client-chain.pem", g_key = folder + "/client.key";
  g_other_key = folder + "/other.key";
  std::getline(std::ifstream(folder + "/server.pin") >> std::ws, g_pin);
  static const std::string wrong_pin = "sha256//" + std::string(43, 'A') + "=";
  static const std::string two_pins = wrong_pin + "; " + g_pin;
  const auto client = [](DestinationConfig& c) { c.tls_cert = g_certificate, c.tls_key = g_key; };
  const auto nothing = [](DestinationConfig&) {};
  const std::vector<std::string> mutual = {"--client-ca", ca};
  const std::vector<std::string> mutual_12 = {"--client-ca", ca, "--tls-versions", "1.2", "1.2"};
  const std::vector<std::string> stranger = {"--client-ca", Certificates("rsa") + "/root.pem"};
  const std::vector<std::string> stranger_12 = {"--client-ca", Certificates("rsa") + "/root.pem",
                                                "--tls-versions", "1.2", "1.2"};
  const TlsCase cases[] = {
      {"1.3, client certificate", mutual, client, 200, ""},
      {"1.2, client certificate", mutual_12, client, 200, ""},
      {"1.3, none", mutual, nothing, 0, "the server wants a client certificate (tls_cert)",
       " (the server may want a client certificate, tls_cert)"},
      {"1.2, none", mutual_12, nothing, 0,
       "the server refused the TLS handshake: no cipher in common, or it wants a client certificate (tls_cert)",
       " (the server may want a client certificate, tls_cert)"},
      {"1.3, another authority's", stranger, client, 0,
       "the server does not know the authority of the client certificate (tls_cert)",
       " (the server may have refused the client certificate, tls_cert)"},
      {"1.2, another authority's", stranger_12, client, 0,
       "the server does not know the authority of the client certificate (tls_cert)",
       " (the server may have refused the client certificate, tls_cert)"},
      {"TLS too old", {"--tls-versions", "1", "1.1"}, nothing, 0,
       "no TLS version in common (1.2 or newer is needed)"},
      {"TLS 1.2", {"--tls-versions", "1.2", "1.2"}, nothing, 200, ""},
      {"server name", {}, [](DestinationConfig& c) { c.tls_server_name = "gateway.test"; }, 200, ""},
      {"another server name", {}, [](DestinationConfig& c) { c.tls_server_name = "other.test"; }, 0,
       "certificate is for another name"},
      {"pin", {}, [](DestinationConfig& c) { c.tls_pin = g_pin; }, 200, ""},
      {"one of two pins", {}, [](DestinationConfig& c) { c.tls_pin = two_pins; }, 200, ""},
      {"wrong pin", {}, [](DestinationConfig& c) { c.tls_pin = wrong_pin; }, 0,
       "the server's key is none of tls_pin"},
      {"wrong pin, insecure", {}, [](DestinationConfig& c) { c.tls_pin = wrong_pin, c.tls_insecure = true; },
       0, "the server's key is none of tls_pin"},
  };
  for (const TlsCase& c : cases) {
    SCOPED_TRACE(c.name);
    Endpoint endpoint({}, folder + "/server", true, c.server_options);
    World world(endpoint.url, {.ca = ca});
    c.prepare(world.config);
    ASSERT_TRUE(world.Start().ok());
    for (int i = 0; i < 2; ++i) {
      const Kept got = world.Exchange(PiecedBody(20'000));
      EXPECT_EQ(got.answer.status, c.status);
      if (c.or_lost == nullptr || !got.error.ends_with(c.or_lost)) {
        EXPECT_EQ(got.error, c.error);
      }
      EXPECT_FALSE(got.answer.misconfigured);
    }
  }
}

TEST(Connection, BadClientCertificates) {
  const std::string folder = Certificates();
  g_certificate = folder + "/client-chain.pem", g_key = folder + "/client.key";
  const std::string request = folder + "/client.csr", none = folder + "/none.pem";
  struct Case {
    const char* name;
    std::string certificate, key;
    Code code;
    std::string problem;
  };
  const Case cases[] = {
      {"good", g_certificate, g_key, Code::kOk, ""},
      {"no certificate", none, g_key, Code::kNotFound, "tls_cert " + none + ": not found"},
      {"no key", g_certificate, none, Code::kNotFound, "tls_key " + none + ": not found"},
      {"not a certificate", request, g_key, Code::kInvalid,
       "tls_cert " + request + ": no certificate in PEM, or one of an unsupported kind"},
      {"not a key", g_certificate, request, Code::kInvalid,
       "tls_key " + request + ": no private key in PEM, or one of an unsupported kind"},
      {"another's key", g_certificate, folder + "/other.key", Code::kInvalid,
       "tls_key " + folder + "/other.key: not the key of the certificate in tls_cert"},
      {"a directory", folder, g_key, Code::kInvalid, "tls_cert " + folder + ": invalid"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    World world("https://127.0.0.1:1");
    world.config.tls_cert = c.certificate, world.config.tls_key = c.key;
    EXPECT_EQ(world.Start().code, c.code);
    TextBuffer<512> text;
    world.destination().WriteProblem(text);
    EXPECT_EQ(text.text(), c.problem);
  }
}

/// The files are exchanged while it runs: the next connection takes the new ones, and a pair that does
/// not match leaves the old one in force.
TEST(Connection, ClientCertificateIsExchanged) {
  const std::string folder = Certificates();
  char name[] = "/tmp/limpet-client-XXXXXX";
  const std::string mine = mkdtemp(name);
  const auto copy = [](const std::string& from, const std::string& to) {
    std::ofstream(to + ".new") << std::ifstream(from).rdbuf();
    ASSERT_EQ(rename((to + ".new").c_str(), to.c_str()), 0);
  };
  copy(folder + "/server-chain.pem", mine + "/c");  // A certificate that a client has no use for.
  copy(folder + "/server.key", mine + "/k");
  Endpoint endpoint({}, folder + "/server", true, {"--client-ca", folder + "/root.pem", "--default", R"({"close": true})"});
  World world(endpoint.url, {.ca = folder + "/root.pem"});
  const std::string certificate = mine + "/c", key = mine + "/k";
  world.config.tls_cert = certificate, world.config.tls_key = key;
  ASSERT_TRUE(world.Start().ok());
  EXPECT_NE(world.Exchange(PiecedBody(10)).answer.status, 200);
  copy(folder + "/client-chain.pem", mine + "/c");
  EXPECT_NE(world.Exchange(PiecedBody(10)).answer.status, 200) << "not a pair yet";
  copy(folder + "/client.key", mine + "/k");
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  copy(folder + "/other.key", mine + "/k");
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  unlink(key.c_str());
  EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.status, 200);
  EXPECT_EQ(std::system(("rm -r " + mine).c_str()), 0);
}

/// While the clock is not set a certificate from the future will do, if nothing else is wrong with it.
TEST(Connection, UnsetClock) {
  const std::string folder = Certificates();
  struct Case {
    const char* name;
    const char* server;
    const char* authority;
    Duration unset_before;  // From now.
    bool taken;
    const char* error;
  };
  constexpr Duration kDay = Seconds(86400);
  const Case cases[] = {
      {"set", "future", "ec", kDay * -1, false, "certificate is not valid yet (or the clock is wrong)"},
      {"unset", "future", "ec", kDay, true, ""},
      {"unset, expired", "expired", "ec", kDay, false, "certificate expired"},
      {"unset, another name", "other", "ec", kDay, false, "certificate is for another name"},
      {"unset, unknown", "future", "rsa", kDay, false, "unknown certificate authority"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Endpoint endpoint({}, folder + "/" + c.server);
    World world(endpoint.url, {.ca = Certificates(c.authority) + "/root.pem"});
    world.options.unset_before = world.clock().Wall() + c.unset_before;
    ASSERT_TRUE(world.Start().ok());
    const Kept got = world.Exchange(PiecedBody(10));
    EXPECT_EQ(got.answer.status, c.taken ? 200 : 0);
    EXPECT_EQ(got.error, c.error);
    if (c.taken) {
      EXPECT_TRUE(got.answer.undated);
    }
  }
}

// Memory.

/// What the dearest connection costs: RSA, mutual TLS, the distribution's CA file, a chain of three, a
/// token, through a proxy; and 200 of them, one after the other, cost no more than twenty.
TEST(Connection, Memory) {
  NameServer names;
  const std::string folder = Certificates("rsa"), bundle = folder + "/bundle.pem";
  std::ofstream(bundle) << std::ifstream("/etc/ssl/certs/ca-certificates.crt").rdbuf()
                        << std::ifstream(folder + "/root.pem").rdbuf();
  std::ofstream(folder + "/token") << std::string(SecretFile::kBytesMax, 'x');
  Child proxy({"python3", "-B", kScripts + "proxy.py", "user:password"});
  const std::string way = proxy.Line(), certificate = folder + "/client-chain.pem", key = folder + "/client.key";
  const std::string token = folder + "/token";
  Endpoint endpoint({}, folder + "/server", true,
                    {"--client-ca", folder + "/root.pem", "--default", R"({"close": true, "body": 5000})"});
  World world(endpoint.url, {.ca = bundle});
  world.config.proxy = way;
  world.config.tls_cert = certificate, world.config.tls_key = key;
  world.config.bearer_token_file = token;
  ASSERT_TRUE(world.Start().ok());
  PoolUse curl, tls;
  for (int i = 0; i < 200; ++i) {
    const Kept got = world.Exchange(PiecedBody(64 * kKiB));
    ASSERT_EQ(got.answer.status, 200) << got.error;
    if (i == 20) curl = world.curl_use(), tls = world.tls_use();
  }
  printf("curl %zu used %zu peak, tls %zu used %zu peak\n", curl.used, curl.peak, tls.used, tls.peak);
  EXPECT_LE(world.curl_use().peak, curl.peak + 256);
  EXPECT_LE(world.tls_use().peak, tls.peak + 256);
  EXPECT_LE(curl.peak, kCurlPoolBytes * 7 / 8);
  EXPECT_LE(tls.peak, 64 * kKiB);
}

// Pace.

/// A peer that reads 1250 bytes a second, and whose window is small, acknowledges some every two seconds:
/// progress enough. One that stops reading makes none.
TEST(Connection, SlowLink) {
  Endpoint endpoint({R"({"read_rate": 1250})", R"({"deaf": true})"}, {}, true, {"--narrow"});
  World world(endpoint.url, {.timeout = Seconds(3)});
  ASSERT_TRUE(world.Start().ok());
  const MonoTime start = world.clock().Monotonic();
  Keep keep;
  const PiecedBody body(16 * kKiB);
  ASSERT_TRUE(world.destination().Send({.body = &body}, keep).ok());
  world.Run([&] { return !keep.kept.empty(); }, Seconds(40));
  ASSERT_EQ(keep.kept.size(), 1u);
  EXPECT_EQ(keep.kept[0].answer.status, 200) << keep.kept[0].error;
  EXPECT_GT(world.clock().Monotonic() - start, Seconds(6));
  const Kept stalled = world.Exchange(body);
  EXPECT_TRUE(stalled.answer.timed_out);
  EXPECT_EQ(stalled.answer.sent, Sent::kUnknown);
}

TEST(Connection, BytesPerSecond) {
  Endpoint endpoint({});
  World world(endpoint.url, {.timeout = Milliseconds(300)});
  world.config.max_bytes_per_second = 2000;
  ASSERT_TRUE(world.Start().ok());
  const MonoTime start = world.clock().Monotonic();
  constexpr size_t kRequests = 3, kBytes = 4000;
  for (size_t i = 0; i < kRequests; ++i) {
    EXPECT_EQ(world.Exchange(PiecedBody(kBytes)).answer.status, 200);
  }
  const double seconds = ToSeconds(world.clock().Monotonic() - start);
  const double least = (kRequests * kBytes - 2000) / 2000.0;
  EXPECT_GT(seconds, least);
  EXPECT_LT(seconds, least + 2) << "nor slower than need be";
}

TEST(RateLimit, HoldsOnAverage) {
  for (const uint32_t rate : {100u, 5000u, 4'000'000'000u}) {
    RateLimit limit(rate);
    MonoTime now{Seconds(7).ns};
    double sent = 0;
    while (now.ns < Seconds(67).ns) {
      size_t allowed = limit.Allowed(now);
      if (allowed == 0) {
        ASSERT_GT(limit.next(), now);
        now = limit.next();
        continue;
      }
      allowed = std::min<size_t>(allowed, 16384);
      sent += static_cast<double>(allowed);
      limit.Spend(allowed + 300);  // Headers.
      sent += 300;
      now = now + Milliseconds(rate > 1'000'000 ? 10 : 1);
    }
    EXPECT_LE(sent, rate * 61.0 + 16384);
    if (rate < 1'000'000) {
      EXPECT_GE(sent, rate * 58.0);
    }
  }
  EXPECT_EQ(RateLimit(0).Allowed({}), SIZE_MAX);
}

}  // namespace
}  // namespace limpet
