// The TLS of a listener: real handshakes over loopback, with clients of mbedTLS and of OpenSSL.
#include "port/curl/tls_sockets.h"

#include <gtest/gtest.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/pk.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509_crt.h>
#include <poll.h>
#include <psa/crypto.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "curl_world.h"
#include "port/linux/sockets.h"

namespace limpet {
namespace {

std::string Contents(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << path;
  return text.str();
}

int Random(void*, unsigned char* bytes, size_t size) { return psa_generate_random(bytes, size); }

/// Bytes that tell where they are.
std::string Pattern(size_t size) {
  std::string text(size, '\0');
  for (size_t i = 0; i < size; ++i) text[i] = static_cast<char>('a' + i * 7 % 26);
  return text;
}

class Libraries {
 public:
  explicit Libraries(size_t bytes = 1024 * kKiB) : curl_region_(256 * kKiB), tls_region_(bytes) {
    curl_.Init("curl", curl_region_);
    tls_.Init("tls", tls_region_);
    EXPECT_TRUE(EnterLibraries({&curl_, &tls_, &Faults::Refuse}).ok());
  }
  ~Libraries() {
    LeaveLibraries();
    EXPECT_EQ(tls_.use().used, 0u);
  }
  PoolUse use() const { return tls_.use(); }

 private:
  std::vector<std::byte> curl_region_, tls_region_;
  FixedHeap curl_, tls_;
};

/// Remembers the reasons.
class Reasons final : public Log {
 public:
  void Write(Level level, const char* message, std::initializer_list<LogField> fields) override {
    EXPECT_EQ(level, Level::kWarn);
    lines.emplace_back(message);
    for (const LogField& field : fields) {
      if (!field.is_number) lines.back() += ": " + std::string(field.text);
    }
  }
  std::vector<std::string> lines;
};

/// Sockets that take and give as much as a test lets them.
class Narrow final : public Sockets {
 public:
  Result<int> Listen(std::string_view address) override { return real.Listen(address); }
  Result<int> Accept(int listener) override { return real.Accept(listener); }
  Result<int> Connect(std::string_view address) override { return real.Connect(address); }
  Result<size_t> Read(int connection, std::span<char> into) override {
    const Result<size_t> got = real.Read(connection, into.first(std::min(into.size(), read_most)));
    if (got.ok()) read += got.value();
    return got;
  }
  Result<size_t> Write(int connection, std::span<const char> bytes) override {
    if (write_left == 0) return {Code::kUnavailable, 0, "narrow"};
    const Result<size_t> put = real.Write(connection, bytes.first(std::min(bytes.size(), write_left)));
    if (put.ok()) write_left -= put.value();
    return put;
  }
  void FinishWriting(int connection) override { real.FinishWriting(connection); }
  void Close(int handle) override { real.Close(handle); }

  LinuxSockets real;
  size_t read_most = SIZE_MAX, write_left = SIZE_MAX, read = 0;
};

/// A listener that answers each byte with the same byte.
class Server {
 public:
  struct Setup {
    std::string server;                ///< Its chain and key without their endings.
    std::string client_ca = {};
    size_t sessions = 4;
    UnixTime unset_before = {};
  };
  explicit Server(const Setup& setup)
      : chain_(setup.server + "-chain.pem"), key_(setup.server + ".key") {
    if (!setup.client_ca.empty()) { EXPECT_TRUE(ca_.Load(setup.client_ca).ok()); }
    tls.emplace(below,
                TlsSockets::Options{.certificate = chain_,
                                    .key = key_,
                                    .client_ca = setup.client_ca.empty() ? nullptr : &ca_,
                                    .unset_before = setup.unset_before,
                                    .sessions = setup.sessions},
                clock, log);
    status = tls->Start();
    if (!status.ok()) return;
    const Result<int> listening = tls->Listen("127.0.0.1:0");
    EXPECT_TRUE(listening.ok());
    listener = listening.value();
    address = "127.0.0.1:" + std::to_string(LinuxSockets::Port(listener));
  }
  ~Server() {
    for (const Peer& peer : peers) tls->Close(peer.handle);
    if (listener >= 0) tls->Close(listener);
  }

  /// Accepts and answers whatever is there.
  void Turn() {
    for (Result<int> got = tls->Accept(listener); got.ok(); got = tls->Accept(listener)) {
      peers.push_back({got.value(), {}});
    }
    for (Peer& peer : peers) {
      pollfd ready{peer.handle, POLLIN, 0};
      if (poll(&ready, 1, 0) > 0 || tls->HasMore(peer.handle) || !peer.unsent.empty()) Serve(peer);
    }
    std::erase_if(peers, [](const Peer& peer) { return peer.handle < 0; });
  }

  struct Peer {
    int handle;
    std::string unsent;
  };
  void Serve(Peer& peer) {
    char buffer[16384];
    const Result<size_t> got = tls->Read(peer.handle, std::span(buffer).first(read_size));
    if (got.ok()) peer.unsent.append(buffer, got.value());
    const bool over = got.ok() ? got.value() == 0 : got.status().code != Code::kUnavailable;
    while (!over && !peer.unsent.empty()) {
      const Result<size_t> put = tls->Write(peer.handle, peer.unsent);
      if (!put.ok()) break;
      peer.unsent.erase(0, put.value());
    }
    if (!over) return;
    last = got.status();
    tls->Close(peer.handle);
    peer.handle = -1;
  }

  Narrow below;
  LinuxClock clock;
  Reasons log;
  std::optional<TlsSockets> tls;
  Status status, last;
  int listener = -1;
  std::string address;
  std::vector<Peer> peers;
  size_t read_size = 16384;

 private:
  std::string chain_, key_;
  CaIndex ca_;
};

/// A client of mbedTLS, one step at a time.
class Client {
 public:
  struct Setup {
    std::string ca = Certificates() + "/root.pem";
    std::string certificate = {};  ///< Without its endings.
    mbedtls_ssl_protocol_version version = MBEDTLS_SSL_VERSION_TLS1_3;
  };
  Client(const std::string& address, const Setup& setup) {
    mbedtls_ssl_config_init(&config_);
    mbedtls_ssl_init(&tls_);
    mbedtls_x509_crt_init(&ca_);
    mbedtls_x509_crt_init(&chain_);
    mbedtls_pk_init(&key_);
    mbedtls_ssl_config_defaults(&config_, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                MBEDTLS_SSL_PRESET_DEFAULT);
    mbedtls_ssl_conf_rng(&config_, Random, nullptr);
    mbedtls_ssl_conf_min_tls_version(&config_, MBEDTLS_SSL_VERSION_TLS1_2);
    mbedtls_ssl_conf_max_tls_version(&config_, setup.version);
    Parse(ca_, setup.ca);
    mbedtls_ssl_conf_ca_chain(&config_, &ca_, nullptr);
    if (!setup.certificate.empty()) {
      Parse(chain_, setup.certificate + "-chain.pem");
      const std::string text = Contents(setup.certificate + ".key");
      const auto* const bytes = reinterpret_cast<const unsigned char*>(text.c_str());
      EXPECT_EQ(mbedtls_pk_parse_key(&key_, bytes, text.size() + 1, nullptr, 0, Random, nullptr), 0);
      mbedtls_ssl_conf_own_cert(&config_, &chain_, &key_);
    }
    EXPECT_EQ(mbedtls_ssl_setup(&tls_, &config_), 0);
    EXPECT_EQ(mbedtls_ssl_set_hostname(&tls_, "localhost"), 0);
    handle_ = sockets_.Connect(address).value();
    mbedtls_ssl_set_bio(&tls_, this, OnSend, OnReceive, nullptr);
  }
  ~Client() {
    sockets_.Close(handle_);
    mbedtls_ssl_free(&tls_);
    mbedtls_ssl_config_free(&config_);
    mbedtls_x509_crt_free(&ca_);
    mbedtls_x509_crt_free(&chain_);
    mbedtls_pk_free(&key_);
  }

  /// mbedTLS' error, or 0 when nothing is wrong.
  int Turn() {
    int error = mbedtls_ssl_is_handshake_over(&tls_) ? 0 : mbedtls_ssl_handshake(&tls_);
    while (error == 0 && !unsent.empty()) {
      const auto* const bytes = reinterpret_cast<const unsigned char*>(unsent.data());
      const int put = mbedtls_ssl_write(&tls_, bytes, unsent.size());
      if (put > 0) unsent.erase(0, static_cast<size_t>(put));
      if (put < 0) error = put;
    }
    if (error != 0 && error != MBEDTLS_ERR_SSL_WANT_READ && error != MBEDTLS_ERR_SSL_WANT_WRITE) return error;
    if (!mbedtls_ssl_is_handshake_over(&tls_)) return 0;
    unsigned char buffer[4096];
    const int got = mbedtls_ssl_read(&tls_, buffer, sizeof buffer);
    if (got > 0) received.append(reinterpret_cast<char*>(buffer), static_cast<size_t>(got));
    return got >= 0 || got == MBEDTLS_ERR_SSL_WANT_READ || got == MBEDTLS_ERR_SSL_WANT_WRITE ? 0 : got;
  }

  bool open() const { return mbedtls_ssl_is_handshake_over(const_cast<mbedtls_ssl_context*>(&tls_)) != 0; }
  std::string version() const { return mbedtls_ssl_get_version(&tls_); }
  int alert() const { return TlsAlert(&tls_); }
  std::string serial() const {
    const mbedtls_x509_crt* const peer = mbedtls_ssl_get_peer_cert(&tls_);
    return peer == nullptr ? "" : std::string(reinterpret_cast<char*>(peer->serial.p), peer->serial.len);
  }
  void Goodbye() { mbedtls_ssl_close_notify(&tls_); }

  std::string unsent, received;

 private:
  static void Parse(mbedtls_x509_crt& into, const std::string& path) {
    const std::string text = Contents(path);
    const auto* const bytes = reinterpret_cast<const unsigned char*>(text.c_str());
    EXPECT_EQ(mbedtls_x509_crt_parse(&into, bytes, text.size() + 1), 0);
  }
  static int Outcome(const Result<size_t>& result, int want) {
    if (result.ok()) return static_cast<int>(result.value());
    return result.status().code == Code::kUnavailable ? want : MBEDTLS_ERR_NET_RECV_FAILED;
  }
  static int OnSend(void* self, const unsigned char* bytes, size_t size) {
    auto& client = *static_cast<Client*>(self);
    return Outcome(client.sockets_.Write(client.handle_, {reinterpret_cast<const char*>(bytes), size}),
                   MBEDTLS_ERR_SSL_WANT_WRITE);
  }
  static int OnReceive(void* self, unsigned char* bytes, size_t size) {
    auto& client = *static_cast<Client*>(self);
    return Outcome(client.sockets_.Read(client.handle_, {reinterpret_cast<char*>(bytes), size}),
                   MBEDTLS_ERR_SSL_WANT_READ);
  }

  LinuxSockets sockets_;
  int handle_ = -1;
  mbedtls_ssl_config config_;
  mbedtls_ssl_context tls_;
  mbedtls_x509_crt ca_, chain_;
  mbedtls_pk_context key_;
};

/// Both ends in turn until `done`, or the client has an error, which is returned.
int Alternate(Server& server, Client& client, const std::function<bool()>& done) {
  for (int i = 0; i < 20'000 && !done(); ++i) {
    if (const int error = client.Turn(); error != 0) return error;
    server.Turn();
    if (i > 100) usleep(100);
  }
  EXPECT_TRUE(done()) << "it took too long";
  return 0;
}

/// Sends, and waits for the echo. 0, or mbedTLS' error.
int Echo(Server& server, Client& client, const std::string& text) {
  client.unsent = text;
  client.received.clear();
  const int error = Alternate(server, client, [&] { return client.received.size() >= text.size(); });
  if (error == 0) { EXPECT_EQ(client.received, text); }
  return error;
}

TEST(TlsSockets, Exchanges) {
  Libraries libraries;
  for (const char* const kind : {"ec", "rsa"}) {
    for (const bool mutual : {false, true}) {
      for (const auto version : {MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3}) {
        const std::string& folder = Certificates(kind);
        Server server({.server = folder + "/server", .client_ca = mutual ? folder + "/root.pem" : ""});
        ASSERT_TRUE(server.status.ok());
        const size_t own = server.tls->use().bytes;
        {
          Client client(server.address, {.ca = folder + "/root.pem",
                                         .certificate = mutual ? folder + "/client" : "",
                                         .version = version});
          EXPECT_EQ(Echo(server, client, Pattern(100'000)), 0);
          EXPECT_EQ(Echo(server, client, "x"), 0);
          EXPECT_EQ(client.version(), version == MBEDTLS_SSL_VERSION_TLS1_2 ? "TLSv1.2" : "TLSv1.3");
          const TlsSockets::Use use = server.tls->use();
          RecordProperty(std::string("bytes_") + kind + (mutual ? "_mutual_" : "_") + client.version(),
                         std::to_string(own) + " " + std::to_string(use.bytes - own) + " " +
                             std::to_string(use.bytes_peak - own));
          EXPECT_LE(use.bytes - own, kTlsServerSessionBytes);
          EXPECT_LE(use.bytes_peak, kTlsServerSessionBytes + kTlsServerOwnBytes / 2);
          EXPECT_EQ(use.handshakes, 1u);
          EXPECT_EQ(use.sessions, 1u);
          client.Goodbye();
          server.Turn();
          EXPECT_EQ(server.tls->use().sessions, 0u);
          EXPECT_TRUE(server.last.ok()) << "the client said goodbye";
        }
        EXPECT_LE(server.tls->use().bytes, own + 2 * kKiB) << "RSA keeps its blinding values";
        EXPECT_EQ(server.log.lines.size(), 0u);
      }
    }
  }
}

/// What OpenSSL makes of it: versions, tickets, protocols it would like to speak, 1 MiB both ways.
TEST(TlsSockets, OfOpenSsl) {
  constexpr const char* kScript = R"(
import socket, ssl, sys, threading
for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
    context = ssl.create_default_context(cafile=sys.argv[2])
    context.minimum_version = context.maximum_version = version
    context.set_alpn_protocols(["h2", "http/1.1"])
    session = None
    for _ in range(2):
        raw = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
        with context.wrap_socket(raw, server_hostname="localhost", session=session) as tls:
            sent, got = bytes(range(256)) * 4096, bytearray()
            threading.Thread(target=tls.sendall, args=(sent,)).start()
            while len(got) < len(sent):
                got += tls.recv(65536)
            assert got == sent
            session = tls.session
            print(tls.version(), flush=True)
)";
  Libraries libraries;
  Server server({.server = Certificates() + "/server"});
  ASSERT_TRUE(server.status.ok());
  const std::string port = server.address.substr(server.address.rfind(':') + 1);
  Child child({"python3", "-B", "-c", kScript, port, Certificates() + "/root.pem"});
  std::atomic<bool> over = false;
  std::vector<std::string> lines;
  std::thread reader([&] {
    for (std::string line = child.Line(); !line.empty(); line = child.Line()) lines.push_back(line);
    over = true;
  });
  for (int i = 0; i < 200'000 && !over; ++i) {
    server.Turn();
    usleep(50);
  }
  reader.join();
  EXPECT_EQ(lines, (std::vector<std::string>{"TLSv1.2", "TLSv1.2", "TLSv1.3", "TLSv1.3"}));
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(server.tls->use().handshakes, 4u);
  EXPECT_EQ(server.log.lines, std::vector<std::string>());
}

/// A record is decrypted whole: what a read leaves of it the poller does not know of.
TEST(TlsSockets, HasMore) {
  Libraries libraries;
  Server server({.server = Certificates() + "/server"});
  Client client(server.address, {});
  ASSERT_EQ(Echo(server, client, "x"), 0);
  const int handle = server.peers.at(0).handle;
  EXPECT_FALSE(server.tls->HasMore(handle));
  EXPECT_FALSE(server.tls->HasMore(handle + 1));
  const std::string text = Pattern(1000);
  client.unsent = text;
  ASSERT_EQ(client.Turn(), 0);
  std::string got;
  char part[300];
  for (int i = 0; i < 4; ++i) {
    const Result<size_t> size = server.tls->Read(handle, part);
    ASSERT_TRUE(size.ok());
    EXPECT_EQ(size.value(), i < 3 ? 300u : 100u);
    got.append(part, size.value());
    EXPECT_EQ(server.tls->HasMore(handle), i < 3);
  }
  EXPECT_EQ(got, text);
  EXPECT_EQ(server.tls->Read(handle, part).status().code, Code::kUnavailable);
}

/// A byte at a time from below, then little room to send: nothing is lost, sent twice or out of order.
TEST(TlsSockets, NarrowSockets) {
  Libraries libraries;
  Server server({.server = Certificates() + "/server"});
  server.below.read_most = 1;
  server.read_size = 7;
  Client client(server.address, {});
  EXPECT_EQ(Echo(server, client, Pattern(1000)), 0);

  server.below.read_most = SIZE_MAX;
  server.read_size = 16384;
  const std::string text = Pattern(20'000);
  client.unsent = text;
  client.received.clear();
  for (int i = 0; i < 20'000 && client.received.size() < text.size(); ++i) {
    server.below.write_left = static_cast<size_t>(i % 5 == 0 ? 1 + i % 97 : 0);
    ASSERT_EQ(client.Turn(), 0);
    server.Turn();
  }
  EXPECT_EQ(client.received, text);
}

/// T3. However much a client sends, a call ends.
TEST(TlsSockets, ReadsABoundedShare) {
  Libraries libraries;
  Server server({.server = Certificates() + "/server"});
  Client client(server.address, {});
  ASSERT_EQ(Echo(server, client, "x"), 0);
  client.unsent = Pattern(100'000);
  ASSERT_EQ(client.Turn(), 0);
  usleep(50'000);
  std::string room(200'000, 0);
  for (size_t got = 0; got < 100'000;) {
    server.below.read = 0;
    const Result<size_t> read = server.tls->Read(server.peers.at(0).handle, room);
    if (!read.ok()) { ASSERT_EQ(read.status().code, Code::kUnavailable); }
    if (read.ok()) got += read.value();
    EXPECT_LE(server.below.read, TlsSockets::kReadMax);
    ASSERT_EQ(client.Turn(), 0);
  }
}

TEST(TlsSockets, ClientCertificates) {
  const std::string& folder = Certificates();
  struct Case { const char* name; std::string certificate; const char* reason; };
  const Case cases[] = {
      {"its own", folder + "/client", ""},
      {"none", "", "it showed no certificate"},
      {"of another authority", Certificates("rsa") + "/client",
       "its certificate is of no authority in tls_client_ca"},
      {"expired", folder + "/client-expired", "its certificate has expired"},
      {"from the future", folder + "/client-future",
       "its certificate is not valid yet (or the clock is wrong)"},
      {"a server's", folder + "/server", "its certificate is not meant for a client"},
  };
  Libraries libraries;
  Server server({.server = folder + "/server", .client_ca = folder + "/root.pem"});
  ASSERT_TRUE(server.status.ok());
  for (const Case& c : cases) {
    for (const auto version : {MBEDTLS_SSL_VERSION_TLS1_2, MBEDTLS_SSL_VERSION_TLS1_3}) {
      SCOPED_TRACE(c.name);
      server.log.lines.clear();
      Client client(server.address, {.certificate = c.certificate, .version = version});
      const int error = Echo(server, client, Pattern(3000));
      if (c.reason[0] == '\0') {
        EXPECT_EQ(error, 0);
        EXPECT_TRUE(server.log.lines.empty());
        continue;
      }
      // mbedTLS (3.6.6) encrypts the alert of a TLS 1.3 server with the keys of the handshake, which the
      // client has done with: it sees that it was refused, not why.
      EXPECT_EQ(error, version == MBEDTLS_SSL_VERSION_TLS1_2 ? MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE
                                                             : MBEDTLS_ERR_SSL_INVALID_MAC);
      EXPECT_EQ(server.log.lines,
                std::vector{std::string("a client's TLS handshake failed: ") + c.reason});
    }
  }
  EXPECT_EQ(server.tls->use().failed, 10u);
  EXPECT_EQ(server.tls->use().handshakes, 2u);
}

/// A certificate that is not valid yet is taken while the clock is not set, and one that has expired not.
TEST(TlsSockets, WhileTheClockIsNotSet) {
  const std::string& folder = Certificates();
  Libraries libraries;
  Server server({.server = folder + "/server", .client_ca = folder + "/root.pem", .unset_before = {INT64_MAX}});
  for (int i = 0; i < 2; ++i) {
    Client future(server.address, {.certificate = folder + "/client-future"});
    EXPECT_EQ(Echo(server, future, "x"), 0);
  }
  EXPECT_EQ(server.log.lines, std::vector<std::string>{
      "the clock is not set: a client's certificate that is not valid yet was taken"});
  Client expired(server.address, {.certificate = folder + "/client-expired"});
  EXPECT_NE(Echo(server, expired, "x"), 0);
  EXPECT_EQ(server.log.lines.back(), "a client's TLS handshake failed: its certificate has expired");
}

/// What is no TLS, or too old a one, is told so where it can be, and leaves nothing behind.
TEST(TlsSockets, OtherProtocols) {
  // A TLS 1.1 ClientHello: record 3.1; version 3.2, random, no session, two suites, no compression.
  const std::string body = std::string("\x03\x02", 2) + std::string(32, 'r') +
                           std::string("\0\0\4\xc0\x13\xc0\x14\1\0", 9);
  const std::string old = std::string("\x16\3\1\0", 4) + static_cast<char>(body.size() + 4) +
                          std::string("\1\0\0", 3) + static_cast<char>(body.size()) + body;
  struct Case { const char* name; std::string bytes; std::string answer; const char* reason; };
  const Case cases[] = {
      {"TLS 1.1", old, std::string("\x15\3\3\0\2\2\x46", 7), "no TLS version in common (1.2 or newer is needed)"},
      {"HTTP", "POST /v1/logs HTTP/1.1\r\nHost: a\r\n\r\n", "", "it does not speak TLS"},
      {"zeros", std::string(1000, '\0'), "", "it does not speak TLS"},
      {"data before the handshake", std::string("\x17\3\3\0\3abc", 8), "", "it does not speak TLS"},
      {"a record that is too long", std::string("\x16\3\1\xff\xff\1\0\0\0", 9) + std::string(70'000, 'x'), "",
       "it broke the protocol"},
      {"a hello of noise", std::string("\x16\3\1\0\x20\1\0\0\x1c\3\3", 11) + std::string(26, '\xff'), "",
       "it broke the protocol"},
  };
  Libraries libraries;
  Server server({.server = Certificates() + "/server"});
  const size_t own = server.tls->use().bytes;
  LinuxSockets sockets;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    server.log.lines.clear();
    const int handle = sockets.Connect(server.address).value();
    (void)sockets.Write(handle, c.bytes);
    for (int i = 0; i < 1000 && (i < 10 || !server.peers.empty()); ++i) {
      server.Turn();
      usleep(1000);
    }
    EXPECT_TRUE(server.peers.empty());
    EXPECT_EQ(server.log.lines, std::vector{std::string("a client's TLS handshake failed: ") + c.reason});
    if (!c.answer.empty()) {
      char got[100];
      const Result<size_t> size = sockets.Read(handle, got);
      ASSERT_TRUE(size.ok());
      EXPECT_EQ(std::string(got, size.value()), c.answer);
    }
    sockets.Close(handle);
    EXPECT_EQ(server.tls->use().bytes, own);
  }
  EXPECT_EQ(server.tls->use().failed, std::size(cases));
}

/// Whoever connects and is silent has no session; whoever stops half-way has one until Close. Others are
/// not kept waiting by either.
TEST(TlsSockets, HalfAHandshake) {
  Libraries libraries;
  Server server({.server = Certificates("rsa") + "/server", .client_ca = Certificates("rsa") + "/root.pem"});
  const size_t own = server.tls->use().bytes;
  const std::string ca = Certificates("rsa") + "/root.pem", certificate = Certificates("rsa") + "/client";
  LinuxSockets sockets;
  const int silent = sockets.Connect(server.address).value();
  for (int i = 0; i < 20; ++i) server.Turn();
  EXPECT_EQ(server.tls->use().sessions, 0u);
  EXPECT_EQ(server.tls->use().bytes, own);

  Client half(server.address, {.ca = ca, .certificate = certificate});
  ASSERT_EQ(half.Turn(), 0);  // Its hello.
  for (int i = 0; i < 20; ++i) server.Turn();
  EXPECT_EQ(server.tls->use().sessions, 1u);
  EXPECT_LE(server.tls->use().bytes, own + kTlsServerSessionBytes);

  Client whole(server.address, {.ca = ca, .certificate = certificate});
  EXPECT_EQ(Echo(server, whole, Pattern(1000)), 0);
  EXPECT_EQ(Echo(server, half, Pattern(1000)), 0) << "late, and in order";

  Client again(server.address, {.ca = ca, .certificate = certificate});
  ASSERT_EQ(again.Turn(), 0);
  for (int i = 0; i < 20; ++i) server.Turn();
  for (Server::Peer& peer : server.peers) server.tls->Close(peer.handle);  // As after idle_timeout.
  server.peers.clear();
  EXPECT_EQ(server.tls->use().sessions, 0u);
  EXPECT_LE(server.tls->use().bytes, own + 2 * kKiB);
  EXPECT_TRUE(server.log.lines.empty());
  sockets.Close(silent);
}

/// T1. One more than there is room for is refused, and can come again.
TEST(TlsSockets, SessionsAreBounded) {
  Libraries libraries;
  Server server({.server = Certificates() + "/server", .sessions = 2});
  Client first(server.address, {});
  ASSERT_EQ(Echo(server, first, "x"), 0);
  {
    Client second(server.address, {});
    ASSERT_EQ(Echo(server, second, "x"), 0);
    Client third(server.address, {});
    EXPECT_NE(Echo(server, third, "x"), 0);
    EXPECT_EQ(server.last.code, Code::kFull);
    EXPECT_EQ(server.log.lines, std::vector<std::string>{"a TLS client was refused: no session left"});
    EXPECT_EQ(server.tls->use().refused, 1u);
    EXPECT_EQ(Echo(server, second, "y"), 0);
    second.Goodbye();
    server.Turn();
  }
  Client fourth(server.address, {});
  EXPECT_EQ(Echo(server, fourth, "x"), 0);
  EXPECT_EQ(Echo(server, first, "z"), 0);
  EXPECT_EQ(server.tls->use().sessions_peak, 2u);
}

/// T2. What a share holds is counted over all that is allocated and freed under it, and nothing else.
TEST(TlsSockets, AShareIsABound) {
  Libraries libraries;
  TlsShare share(10'000);
  void* first = nullptr;
  {
    const TlsShareScope scope(share);
    first = mbedtls_calloc(1, 6000);
    ASSERT_NE(first, nullptr);
    const size_t refusals = LibraryRefusals();
    EXPECT_EQ(mbedtls_calloc(1, 6000), nullptr);
    EXPECT_EQ(mbedtls_calloc(SIZE_MAX / 2, 3), nullptr);
    EXPECT_EQ(LibraryRefusals(), refusals + 2);
  }
  const size_t held = share.used();
  EXPECT_GE(held, 6000u);
  EXPECT_LE(held, 6100u);
  void* const other = mbedtls_calloc(1, 20'000);  // Of somebody else: there is room.
  ASSERT_NE(other, nullptr);
  {
    const TlsShareScope scope(share);
    EXPECT_EQ(mbedtls_calloc(1, 6000), nullptr);
    void* const second = mbedtls_calloc(1, 3000);
    ASSERT_NE(second, nullptr);
    mbedtls_free(first);
    mbedtls_free(second);
  }
  mbedtls_free(other);
  EXPECT_EQ(share.used(), 0u);
  EXPECT_GE(share.peak(), held + 3000);
  EXPECT_LE(share.peak(), 10'000u);
}

/// All sessions that the plan counts on find room at the same time, also beside a new certificate.
TEST(TlsSockets, TheShareIsEnough) {
  const std::string& folder = Certificates("rsa");
  Libraries libraries;
  Server server({.server = folder + "/server", .client_ca = folder + "/root.pem", .sessions = kTlsServerSessionsMax});
  std::vector<std::unique_ptr<Client>> clients;
  for (size_t i = 0; i < kTlsServerSessionsMax; ++i) {
    clients.push_back(std::make_unique<Client>(
        server.address, Client::Setup{.ca = folder + "/root.pem", .certificate = folder + "/client"}));
    ASSERT_EQ(clients.back()->Turn(), 0);
    server.Turn();
  }
  for (auto& client : clients) EXPECT_EQ(Echo(server, *client, Pattern(5000)), 0);
  EXPECT_EQ(server.tls->use().sessions, kTlsServerSessionsMax);
  EXPECT_EQ(server.tls->use().refused, 0u);
  EXPECT_LE(server.tls->use().bytes_peak, TlsServerPoolBytes(kTlsServerSessionsMax));
  RecordProperty("peak_of_all", std::to_string(server.tls->use().bytes_peak));
}

/// T2. Every allocation fails in turn, once and from then on: a client is refused, nothing is lost, and
/// the next one is served.
TEST(TlsSockets, OutOfMemory) {
  const std::string& folder = Certificates();
  for (const bool from_then_on : {false, true}) {
    Libraries libraries;
    Server server({.server = folder + "/server", .client_ca = folder + "/root.pem"});
    const size_t own = server.tls->use().bytes;
    int refused = 0;
    for (int nth = 1, served = 0; served == 0 && nth < 2000; nth += from_then_on ? 7 : 3) {
      Client client(server.address, {.certificate = folder + "/client"});
      Faults::fail_at = 0;
      int allocations = 0;  // Of the server alone.
      int error = 0;
      const uint64_t before = server.tls->use().handshakes;
      for (int i = 0; i < 200 && error == 0 && server.tls->use().handshakes == before; ++i) {
        error = client.Turn();
        Faults::allocations = allocations;
        Faults::from_then_on = from_then_on;
        Faults::fail_at = nth;
        server.Turn();
        Faults::fail_at = 0;
        allocations = Faults::allocations;
        if (server.tls->use().refused + server.tls->use().failed > static_cast<uint64_t>(refused)) break;
      }
      refused = static_cast<int>(server.tls->use().refused + server.tls->use().failed);
      served = server.tls->use().handshakes > before && allocations < nth;
      for (Server::Peer& peer : server.peers) server.tls->Close(peer.handle);
      server.peers.clear();
      ASSERT_LE(server.tls->use().bytes, own + kKiB);
    }
    EXPECT_GT(refused, 10);
    EXPECT_LE(server.tls->use().failed, server.tls->use().refused / 10) << "want of memory is told as such";
    Client client(server.address, {.certificate = folder + "/client"});
    EXPECT_EQ(Echo(server, client, "x"), 0);
  }
}

/// The files are replaced: connections go on, handshakes under way end, whoever comes gets the new one.
TEST(TlsSockets, ANewCertificate) {
  char name[] = "/tmp/limpet-reload-XXXXXX";
  const std::string folder = mkdtemp(name);
  const auto install = [&](const std::string& from, const std::string& suffix) {
    std::ofstream(folder + "/new") << Contents(Certificates() + "/" + from + suffix);
    ASSERT_EQ(rename((folder + "/new").c_str(), (folder + "/server" + suffix).c_str()), 0);
  };
  install("server", "-chain.pem");
  install("server", ".key");
  Libraries libraries;
  Server server({.server = folder + "/server"});
  Client open(server.address, {});
  ASSERT_EQ(Echo(server, open, "x"), 0);
  const std::string serial = open.serial();
  Client under_way(server.address, {});
  ASSERT_EQ(under_way.Turn(), 0);
  for (int i = 0; i < 10; ++i) server.Turn();
  EXPECT_EQ(server.tls->use().sessions, 2u);

  install("other", "-chain.pem");  // Its key is not there yet: what was good stays in force.
  {
    Client next(server.address, {});
    EXPECT_EQ(Echo(server, next, "x"), 0);
    EXPECT_EQ(next.serial(), serial);
  }
  install("other", ".key");
  Client next(server.address, {});
  EXPECT_EQ(Echo(server, next, "x"), MBEDTLS_ERR_X509_CERT_VERIFY_FAILED) << "for other.example";
  EXPECT_NE(Echo(server, under_way, "x"), 0);
  EXPECT_EQ(Echo(server, open, Pattern(10'000)), 0);
  EXPECT_EQ(std::system(("rm -r " + folder).c_str()), 0);
}

TEST(TlsSockets, BadFiles) {
  char name[] = "/tmp/limpet-files-XXXXXX";
  const std::string folder = mkdtemp(name);
  const std::string chain = Contents(Certificates() + "/server-chain.pem");
  const std::string key = Contents(Certificates() + "/server.key");
  std::string encrypted;
  {
    const std::string command = "openssl pkey -aes128 -passout pass:x -in " + Certificates() + "/server.key -out " +
                                folder + "/encrypted";
    ASSERT_EQ(std::system(command.c_str()), 0);
    encrypted = Contents(folder + "/encrypted");
  }
  std::string many;
  for (int i = 0; i < 6; ++i) many += chain;
  struct Case { const char* name; std::string chain, key; Code code; const char* text; };
  const Case cases[] = {
      {"no certificate", "x", key, Code::kInvalid,
       "tls_cert /server-chain.pem: no certificate in PEM, or one of an unsupported kind"},
      {"no key", chain, "x", Code::kInvalid,
       "tls_key /server.key: no private key in PEM, or one of an unsupported kind"},
      {"another's key", chain, Contents(Certificates() + "/client.key"), Code::kInvalid,
       "tls_key /server.key: not the key of the certificate in tls_cert"},
      {"an encrypted key", chain, encrypted, Code::kInvalid,
       "tls_key /server.key: it is encrypted: a key without a password is needed"},
      {"too long a chain", many, key, Code::kInvalid,
       "tls_cert /server-chain.pem: its chain is longer than 4KiB in DER: leave the root out"},
  };
  Libraries libraries;
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::ofstream(folder + "/server-chain.pem") << c.chain;
    std::ofstream(folder + "/server.key") << c.key;
    Server server({.server = folder + "/server"});
    EXPECT_EQ(server.status.code, c.code);
    TextBuffer<512> text;
    server.tls->WriteProblem(text);
    std::string got(text.text());
    if (const size_t at = got.find(folder); at != std::string::npos) got.erase(at, folder.size());
    EXPECT_EQ(got, c.text);
  }
  EXPECT_EQ(std::system(("rm -r " + folder).c_str()), 0);
}

/// The end is said in TLS too, so that nobody can cut an answer short unnoticed.
TEST(TlsSockets, Goodbye) {
  for (const bool finish : {false, true}) {
    Libraries libraries;
    Server server({.server = Certificates() + "/server"});
    Client client(server.address, {});
    ASSERT_EQ(Echo(server, client, "x"), 0);
    const int handle = server.peers.at(0).handle;
    if (finish) {
      server.tls->FinishWriting(handle);
      client.unsent = "y";
      EXPECT_EQ(client.Turn(), MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
      char byte = 0;
      EXPECT_TRUE(server.tls->Read(handle, {&byte, 1}).ok());
      EXPECT_EQ(byte, 'y');
      continue;
    }
    server.tls->Close(handle);
    server.peers.clear();
    EXPECT_EQ(client.Turn(), MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY);
  }
}

}  // namespace
}  // namespace limpet
