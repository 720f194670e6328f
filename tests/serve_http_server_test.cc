// HttpServer over a fake network: what goes over the wire, and each of its bounds H1 to H6.
#include "serve/http_server.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "fake_net.h"

namespace limpet {
namespace {

using Far = FakeSockets::Connection;

struct Echo final : HttpHandler {
  void OnRequest(const HttpRequest& request, HttpResponse& response) override {
    ++calls;
    if (request.path == "/large") {
      for (int i = 0; i < 3000; ++i) response.body << "0123456789";
      return;
    }
    if (request.path == "/too-large") {
      for (int i = 0; i < 5000; ++i) response.body << "0123456789";
      return;
    }
    if (request.path == "/405") {
      response.status = 405;
      response.allow = "GET";
    }
    if (request.path == "/401") response.status = 401;
    if (request.path == "/429") {
      response.status = 429;
      response.retry_after_seconds = 7;
    }
    response.body << request.method << ' ' << request.path;
    if (request.listener != 0) response.body << " at " << request.listener;
    if (!request.body.empty()) {
      response.body << ' '
                    << std::string_view(reinterpret_cast<const char*>(request.body.data()),
                                        request.body.size());
    }
  }
  int calls = 0;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServerLimits limits, size_t pool_bytes = HttpServer::PoolBytes(64, 3)) {
    memory_.resize(HttpServer::BytesNeeded(limits) / sizeof(std::max_align_t) + 1);
    bodies_.emplace().Init("bodies", std::as_writable_bytes(std::span(pool_)).first(pool_bytes));
    server_.emplace(limits, std::as_writable_bytes(std::span(memory_)), &*bodies_, clock_, poller_,
                    sockets_, handler_);
    const Result<int> listener = server_->Listen("here");
    ASSERT_TRUE(listener.ok());
    listener_ = listener.value();
  }
  void SetUp() override { Start({.connections = 3, .body_max = 64, .page_bytes = 32 * kKiB}); }
  void TearDown() override {
    server_->Close();
    EXPECT_EQ(poller_.watched(), 0u);
    EXPECT_EQ(server_->use().connections, 0u);
    EXPECT_EQ(server_->use().bodies, 0u);
    EXPECT_EQ(bodies_->use().used, 0u);
  }

  void Settle() { ASSERT_TRUE(poller_.Settle()) << "a busy loop"; }
  void Pass(Duration time) {
    clock_.now = clock_.now + time;
    server_->OnTime(clock_.now);
    Settle();
  }
  /// A new client sends `text`. Returns its end when all is quiet.
  Far& Send(std::string_view text) {
    Far& client = sockets_.Dial(listener_);
    client.to_server = text;
    Settle();
    return client;
  }

  FakeClock clock_;
  FakeSockets sockets_;
  FakePoller poller_{sockets_, clock_};
  Echo handler_;
  std::vector<std::max_align_t> memory_;
  std::max_align_t pool_[4096];
  std::optional<FixedHeap> bodies_;
  std::optional<HttpServer> server_;
  int listener_ = -1;
};

std::string Ok(const std::string& body, const std::string& more = "") {
  return "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\nCache-Control: no-store\r\n" + more + "\r\n" + body;
}

std::string Get(const std::string& path) {
  return "GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n";
}

TEST_F(HttpServerTest, AnswersInOneWriteAndKeepsTheConnection) {
  Far& client = Send(Get("/a"));
  EXPECT_EQ(client.to_client, Ok("GET /a"));
  EXPECT_EQ(sockets_.writes, 1);
  EXPECT_FALSE(client.server_closed);
  client.to_client.clear();
  client.to_server = Get("/b");
  Settle();
  EXPECT_EQ(client.to_client, Ok("GET /b"));
  client.client_finished = true;
  Settle();
  EXPECT_TRUE(client.server_closed);
  EXPECT_EQ(server_->use().requests, 2u);
}

TEST_F(HttpServerTest, Answers) {
  struct Case {
    const char* name;
    std::string request;
    std::string answer;
    bool closed;
  };
  const std::string plain = "Content-Type: text/plain; charset=utf-8\r\n";
  const std::string no_store = "Cache-Control: no-store\r\n";
  const Case cases[] = {
      {"http 1.0", "GET /a HTTP/1.0\r\n\r\n", Ok("GET /a", "Connection: close\r\n"), true},
      {"http 1.0 kept", "GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
       Ok("GET /a", "Connection: keep-alive\r\n"), false},
      {"close", "GET /a HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
       Ok("GET /a", "Connection: close\r\n"), true},
      {"head", "HEAD /a HTTP/1.1\r\nHost: h\r\n\r\n",
       "HTTP/1.1 200 OK\r\n" + plain + "Content-Length: 6\r\n" + no_store + "\r\n", false},
      {"post", "POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nxyz", Ok("POST /a xyz"),
       false},
      {"chunked",
       "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n2\r\nyz\r\n"
       "0\r\n\r\n",
       Ok("POST /a xyz"), false},
      {"continue",
       "POST /a HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n",
       "HTTP/1.1 100 Continue\r\n\r\n", false},
      {"405", Get("/405"),
       "HTTP/1.1 405 Method Not Allowed\r\n" + plain + "Content-Length: 8\r\n" + no_store +
           "Allow: GET\r\n\r\nGET /405",
       false},
      {"401", Get("/401"),
       "HTTP/1.1 401 Unauthorized\r\n" + plain + "Content-Length: 8\r\n" + no_store +
           "WWW-Authenticate: Bearer\r\n\r\nGET /401",
       false},
      {"429", Get("/429"),
       "HTTP/1.1 429 Too Many Requests\r\n" + plain + "Content-Length: 8\r\n" + no_store +
           "Retry-After: 7\r\n\r\nGET /429",
       false},
      {"beyond the page", Get("/too-large"),
       "HTTP/1.1 500 Internal Server Error\r\n" + plain + "Content-Length: 35\r\n" + no_store +
           "\r\nthe answer is larger than the page\n",
       false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Far& client = Send(c.request);
    EXPECT_EQ(client.to_client, c.answer);
    EXPECT_EQ(client.server_closed, c.closed);
    client.client_gone = true;
    Settle();
    EXPECT_TRUE(client.server_closed);
  }
}

TEST_F(HttpServerTest, RefusalsReachAClientThatStillSends) {
  struct Case {
    const char* name;
    std::string request;
    const char* status;
  };
  const std::string post = "POST / HTTP/1.1\r\nHost: h\r\n";
  const Case cases[] = {
      {"H3 both lengths", post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "400"},
      {"H3 large body", post + "Content-Length: 65\r\n\r\n" + std::string(65, 'x'), "413"},
      {"H3 large body announced",
       post + "Expect: 100-continue\r\nContent-Length: 65\r\n\r\n", "413"},
      {"H3 large head", post + "X: " + std::string(9000, 'x'), "431"},
      {"H3 grammar", "what is this", "400"},
      {"expectation", post + "Expect: tea\r\n\r\n", "417"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Far& client = Send(c.request);
    EXPECT_EQ(client.to_client.substr(0, 12), std::string("HTTP/1.1 ") + c.status);
    EXPECT_NE(client.to_client.find("\r\nConnection: close\r\n"), std::string::npos);
    EXPECT_TRUE(client.server_finished);
    EXPECT_FALSE(client.server_closed);
    client.to_server = std::string(100'000, 'y');
    Settle();
    EXPECT_EQ(client.to_server, "");
    client.client_finished = true;
    Settle();
    EXPECT_TRUE(client.server_closed);
  }
  Far& client = Send("garbage\r\n");
  Pass(HttpServer::kLinger);
  EXPECT_TRUE(client.server_closed);  // However long it would go on.
  EXPECT_EQ(handler_.calls, 0);
}

TEST_F(HttpServerTest, ByteByByte) {
  Far& client = Send("");
  for (const char c : Get("/slowly")) {
    EXPECT_EQ(client.to_client, "");
    client.to_server = c;
    Settle();
  }
  EXPECT_EQ(client.to_client, Ok("GET /slowly"));
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrderAndShareTheLoop) {
  Far& greedy = sockets_.Dial(listener_);
  for (int i = 0; i < 4; ++i) greedy.to_server += Get("/" + std::to_string(i));
  Far& other = sockets_.Dial(listener_);
  other.to_server = Get("/other");
  poller_.Step();  // Accepts both.
  poller_.Step();  // Answers one of the four.
  EXPECT_EQ(greedy.to_client, Ok("GET /0"));
  EXPECT_EQ(other.to_client, Ok("GET /other"));
  poller_.Step();  // H6.
  EXPECT_EQ(greedy.to_client, Ok("GET /0") + Ok("GET /1"));
  Settle();
  EXPECT_EQ(greedy.to_client, Ok("GET /0") + Ok("GET /1") + Ok("GET /2") + Ok("GET /3"));
}

TEST_F(HttpServerTest, SlowHeadIs408) {
  Far& client = Send("GET /");
  for (int i = 0; i < 9; ++i) {  // H1: bytes that trickle in do not help.
    Pass(Seconds(1));
    client.to_server = "x";
    Settle();
    EXPECT_EQ(client.to_client, "");
  }
  Pass(Seconds(1));
  EXPECT_EQ(client.to_client.substr(0, 12), "HTTP/1.1 408");
  Pass(HttpServer::kLinger);
  EXPECT_TRUE(client.server_closed);
  EXPECT_EQ(server_->use().timed_out, 1u);
}

TEST_F(HttpServerTest, SlowBodyIs408) {
  Far& client = Send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 60\r\n\r\n");
  for (int i = 0; i < 9; ++i) {
    Pass(Seconds(1));
    client.to_server = "x";
    Settle();
  }
  Pass(Seconds(1));
  EXPECT_EQ(client.to_client.substr(0, 12), "HTTP/1.1 408");
}

TEST_F(HttpServerTest, IdleConnectionsCloseInSilence) {
  Far& silent = Send("");
  Far& kept = Send(Get("/"));
  Pass(Seconds(9));
  EXPECT_FALSE(kept.server_closed);
  kept.to_client.clear();
  kept.to_server = Get("/again");
  Settle();
  Pass(Seconds(1));
  EXPECT_TRUE(silent.server_closed);
  EXPECT_EQ(silent.to_client, "");
  EXPECT_FALSE(kept.server_closed);
  Pass(Seconds(9));
  EXPECT_TRUE(kept.server_closed);
}

TEST_F(HttpServerTest, SlowReaderIsClosed) {
  Far& client = sockets_.Dial(listener_);
  client.room = 100;
  client.to_server = Get("/large");
  Settle();
  for (int i = 0; i < 9; ++i) {
    Pass(Seconds(1));
    client.room += 10;
    Settle();
    EXPECT_FALSE(client.server_closed);
  }
  Pass(Seconds(1));  // H1.
  EXPECT_TRUE(client.server_closed);
}

TEST_F(HttpServerTest, BackPressureLosesNothing) {
  Far& client = sockets_.Dial(listener_);
  client.room = 1;
  client.to_server = Get("/large") + Get("/after");
  Settle();
  std::string got;
  while (got.size() < 1000) {
    got += client.to_client;
    client.to_client.clear();
    Settle();
  }
  client.room = SIZE_MAX;
  Settle();
  got += client.to_client;
  std::string large;
  for (int i = 0; i < 3000; ++i) large += "0123456789";
  EXPECT_EQ(got, Ok(large) + Ok("GET /after"));
}

TEST_F(HttpServerTest, OthersWaitForThePageOldestFirstAndNotForLong) {
  Far& slow = sockets_.Dial(listener_);
  slow.room = 100;
  slow.to_server = Get("/large");
  Settle();
  Far& first = sockets_.Dial(listener_);
  Far& second = sockets_.Dial(listener_);
  Settle();
  second.to_server = Get("/second");
  Settle();
  first.to_server = Get("/first");
  Settle();
  EXPECT_EQ(handler_.calls, 1);  // H2.
  EXPECT_EQ(server_->OnTime(clock_.now), clock_.now + HttpServer::kPageHold);
  Pass(HttpServer::kPageHold - Nanoseconds(1));
  EXPECT_FALSE(slow.server_closed);
  second.room = 20;  // The next in line is slow as well.
  Pass(Nanoseconds(1));
  EXPECT_TRUE(slow.server_closed);
  EXPECT_EQ(second.to_client, "HTTP/1.1 200 OK\r\nCon");
  EXPECT_EQ(first.to_client, "");
  second.room = SIZE_MAX;
  Settle();
  EXPECT_EQ(second.to_client, Ok("GET /second"));
  EXPECT_EQ(first.to_client, Ok("GET /first"));
}

TEST_F(HttpServerTest, WaitingClientMayLeave) {
  Far& slow = sockets_.Dial(listener_);
  slow.room = 100;
  slow.to_server = Get("/large");
  Settle();
  Far& waiting = Send(Get("/"));
  waiting.client_gone = true;
  Settle();
  EXPECT_TRUE(waiting.server_closed);
  slow.client_gone = true;
  Settle();
  EXPECT_TRUE(slow.server_closed);
  EXPECT_EQ(Send(Get("/")).to_client, Ok("GET /"));  // The page is free again.
}

TEST_F(HttpServerTest, FullSlotsCloseTheLongestIdle) {
  Far& first = Send("");
  Pass(Seconds(1));
  Far& second = Send(Get("/"));
  Far& third = Send("GET /");
  EXPECT_EQ(server_->use().connections_peak, 3u);
  Pass(Seconds(1));
  Far& fourth = Send(Get("/4"));  // H4.
  EXPECT_TRUE(first.server_closed);
  EXPECT_EQ(fourth.to_client, Ok("GET /4"));
  Far& fifth = Send("GET /");
  EXPECT_TRUE(second.server_closed);
  Pass(HttpServer::kIdleMin);
  Far& sixth = Send("GET /");
  EXPECT_TRUE(fourth.server_closed);
  Far& seventh = Send(Get("/7"));  // All three are busy.
  EXPECT_EQ(seventh.to_client.substr(0, 12), "HTTP/1.1 503");
  EXPECT_TRUE(seventh.server_closed);
  EXPECT_FALSE(third.server_closed || fifth.server_closed || sixth.server_closed);
  EXPECT_EQ(server_->use().refused, 1u);
}

TEST_F(HttpServerTest, ACrowdOnOneListenerLeavesRoomOnTheOther) {
  const Result<int> other = server_->Listen("there");
  ASSERT_TRUE(other.ok());
  Far& first = Send("GET /");
  Far& second = Send("GET /");
  EXPECT_EQ(Send("").to_client.substr(0, 12), "HTTP/1.1 503");  // H5.
  Far& control = sockets_.Dial(other.value());
  control.to_server = Get("/x");
  Settle();
  EXPECT_EQ(control.to_client, Ok("GET /x at 1"));
  EXPECT_EQ(Send("").to_client.substr(0, 12), "HTTP/1.1 503");  // Not at the other's cost either.
  EXPECT_FALSE(first.server_closed || second.server_closed || control.server_closed);
}

TEST_F(HttpServerTest, WithoutHandlesTheListenerRests) {
  Far& client = sockets_.Dial(listener_);
  client.to_server = Get("/");
  sockets_.no_handles = true;
  Settle();  // No busy loop.
  EXPECT_EQ(server_->OnTime(clock_.now), clock_.now + Seconds(1));
  sockets_.no_handles = false;
  Pass(Seconds(1));
  EXPECT_EQ(client.to_client, Ok("GET /"));
}

TEST_F(HttpServerTest, FullPollerClosesTheConnection) {
  poller_.limit = 1;
  Far& client = Send(Get("/"));
  EXPECT_TRUE(client.server_closed);
  EXPECT_EQ(server_->OnTime(clock_.now), kNever);
}

TEST_F(HttpServerTest, ListenersAreBounded) {
  EXPECT_EQ(server_->Listen("here").status().code, Code::kExists);
  EXPECT_TRUE(server_->Listen("b").ok());
  EXPECT_TRUE(server_->Listen("c").ok());
  EXPECT_EQ(server_->Listen("d").status().code, Code::kFull);  // Three connections: H5.
}

}  // namespace
}  // namespace limpet
