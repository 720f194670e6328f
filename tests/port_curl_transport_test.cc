// The transport against a real peer on loopback: tests/integration/endpoint.py, over HTTP and HTTPS.
#include "port/curl/curl_transport.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string>

#include "curl_world.h"

namespace limpet {
namespace {

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

// There is no way to a broadcast address, which connect(2) says at once. Whoever else has a turn has had it by then.
TEST(CurlTransport, AnAnswerWithinATurnAsksForAnother) {
  World world("http://255.255.255.255:9");
  ASSERT_TRUE(world.Start().ok());
  const PiecedBody body(10);
  Keep keep;
  Heard heard;
  const auto told = [&] { return keep.kept.size() + heard.answers.size(); };
  for (const bool knock : {false, true}) {
    const size_t before = told();
    ASSERT_TRUE(knock ? world.destination().Knock(heard).ok()
                      : world.destination().Send({Signal::kLogs, Encoding::kGzip, "k", &body}, keep).ok());
    for (int turns = 0; told() == before; ++turns) {
      ASSERT_LT(turns, 100);
      const MonoTime now = world.clock().Monotonic();
      const MonoTime next = world.client().OnTime(now);
      EXPECT_LE(next, now + Milliseconds(5));
      if (told() > before) { EXPECT_LE(next, now); }
    }
  }
  EXPECT_EQ(keep.kept.at(0).answer.sent, Sent::kNotSent);
  EXPECT_EQ(heard.answers, std::vector<bool>{false});
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
    size_t curl_least[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX}, tls_least[3] = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < 90; ++i) {  // A connection that is on its way out may come on top.
      EXPECT_EQ(world.Exchange(PiecedBody(10)).answer.sent, Sent::kNotSent);
      curl_least[i / 30] = std::min(curl_least[i / 30], world.curl_use().used);
      tls_least[i / 30] = std::min(tls_least[i / 30], world.tls_use().used);
    }
    // libcurl makes its table of sockets once, when one is waited for first: that is when an answer is late.
    const auto grows = [](const size_t(&least)[3]) { return least[1] > least[0] && least[2] > least[1]; };
    EXPECT_FALSE(grows(curl_least)) << curl_least[0] << ' ' << curl_least[1] << ' ' << curl_least[2];
    EXPECT_FALSE(grows(tls_least)) << tls_least[0] << ' ' << tls_least[1] << ' ' << tls_least[2];
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
