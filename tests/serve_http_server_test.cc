// HttpServer over a fake network: what goes over the wire, and each of its bounds H1 to H8.
#include "serve/http_server.h"

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "fake_net.h"

namespace limpet {
namespace {

using Far = FakeSockets::Connection;

struct Echo final : HttpHandler {
  bool OnHead(const HttpRequest& request, HttpResponse& response) override {
    ++heads;
    EXPECT_TRUE(request.body.empty());
    if (request.path == "/full") {
      response.status = 429;
      response.retry_after_seconds = 2;
      response.content_type = "";
    }
    if (request.path == "/wordy") {
      response.status = 400;
      for (size_t i = 0; i <= HttpServer::kRefusalBytes; ++i) response.body << 'x';
    }
    return response.status == 200;
  }
  bool OnDeferred(size_t slot, HttpResponse& response) override {
    if (!deferred.contains(slot)) ADD_FAILURE() << "nothing was deferred for " << slot;
    if (deferred[slot].empty()) return false;
    response.body << deferred[slot];
    deferred.erase(slot);
    return true;
  }
  void OnGone(size_t slot) override {
    EXPECT_EQ(deferred.erase(slot), 1u);
    ++gone;
  }
  void OnRefused(const HttpRequest* request, int status, std::string_view reason,
                 HttpResponse& response) override {
    HttpHandler::OnRefused(request, status, reason, response);
    refused += ' ' + std::to_string(status);
    if (request == nullptr) return;
    EXPECT_TRUE(request->body.empty());
    refused += request->path;
    response.content_type = request->content_type;
  }
  void OnRequest(const HttpRequest& request, HttpResponse& response) override {
    ++calls;
    paths += request.path;
    if (request.path == "/later") {
      EXPECT_FALSE(deferred.contains(request.slot));
      deferred[request.slot] = "";
      return response.Defer();
    }
    if (request.path == "/size") {
      response.body << request.body.size();
      sum = 0;
      for (const uint8_t byte : request.body) sum = sum * 31 + byte;
      return;
    }
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
  int calls = 0, heads = 0, gone = 0;
  uint32_t sum = 0;
  std::string paths;                        ///< In the order of their requests.
  std::string refused;                      ///< " status" and path of each that the server refused.
  std::map<size_t, std::string> deferred;   ///< The answers by slot; empty: not there yet.
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
  std::max_align_t pool_[16 * kKiB];
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

std::string StatusOf(const Far& client) { return client.to_client.substr(0, 12); }

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

// H3.
TEST_F(HttpServerTest, TheHandlerPutsRefusalsIntoWords) {
  struct Case {
    const char* name;
    std::string request;
    const char* refused;
    Duration after{};
  };
  const std::string typed = " HTTP/1.1\r\nHost: h\r\nContent-Type: a/b\r\n";
  const std::string chunked = "POST /c" + typed + "Transfer-Encoding: chunked\r\n\r\n";
  const Case cases[] = {
      {"large length", "POST /a" + typed + "Content-Length: 65\r\n\r\n", " 413/a"},
      {"large chunks", chunked + "41\r\n" + std::string(65, 'x'), " 413/c"},
      {"bad chunk", chunked + "x\r\n", " 400/c"},
      {"slow body", "POST /b" + typed + "Content-Length: 5\r\n\r\nx", " 408/b", Seconds(10)},
      {"deferred too long", "GET /later" + typed + "\r\n", " 503/later", Seconds(30)},
      {"coding", "POST /d" + typed + "Transfer-Encoding: gzip\r\n\r\n", " 501/d"},
      {"expectation", "POST /e" + typed + "Expect: tea\r\n\r\n", " 417/e"},
      {"large head", "POST /f" + typed + std::string(9000, 'x'), " 431"},
      {"slow head", "POST /g" + typed, " 408", Seconds(10)},
      {"grammar", "what is this", " 400"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    handler_.refused.clear();
    Far& client = Send(c.request);
    Pass(c.after);
    EXPECT_EQ(handler_.refused, c.refused);
    const bool head_known = handler_.refused.size() > 4;
    EXPECT_NE(client.to_client.find(head_known ? "Content-Type: a/b\r\n" : "Content-Type: text/plain;"),
              std::string::npos)
        << client.to_client;
    client.client_finished = true;
    Settle();
    EXPECT_TRUE(client.server_closed);
  }
  handler_.refused.clear();
  for (int i = 0; i < 4; ++i) Send("GET /");
  EXPECT_EQ(handler_.refused, " 503");
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

TEST_F(HttpServerTest, AHandshakeIsNotIdle) {
  std::vector<Far*> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(&sockets_.Dial(listener_));
    clients.back()->handshake = 1000;
    clients.back()->to_server = std::string(500, 'h');
  }
  Settle();
  Pass(Seconds(5));
  EXPECT_EQ(StatusOf(Send("")), "HTTP/1.1 503");  // H4.
  clients[0]->to_server = std::string(500, 'h') + Get("/a");
  Settle();
  EXPECT_EQ(clients[0]->to_client, Ok("GET /a"));
  clients[1]->to_server = std::string(500, 'h') + "GET /";
  Settle();
  Pass(Seconds(5));  // H1: with its handshake.
  EXPECT_EQ(StatusOf(*clients[1]), "HTTP/1.1 408");
  EXPECT_EQ(clients[2]->to_client, "");
  EXPECT_TRUE(clients[2]->server_closed);
  EXPECT_EQ(handler_.refused, " 503 408");
  EXPECT_FALSE(clients[0]->server_closed);
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

std::string Post(const std::string& path, size_t length, const std::string& more = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(length) +
         "\r\n" + more + "\r\n";
}

std::string Chunk(const std::string& bytes) {
  char size[20];
  std::snprintf(size, sizeof size, "%zx", bytes.size());
  return std::string(size) + "\r\n" + bytes + "\r\n";
}

std::string Chunked(const std::string& path) {
  return "POST " + path + " HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
}

uint32_t Sum(const std::string& bytes) {
  uint32_t sum = 0;
  for (const char c : bytes) sum = sum * 31 + static_cast<uint8_t>(c);
  return sum;
}

std::string Noise(size_t bytes) {
  std::string noise;
  for (uint32_t i = 1; noise.size() < bytes; ++i) {
    noise += static_cast<char>((i * 2654435761u) >> 24);
  }
  return noise;
}

/// Room for one body of 600 bytes.
class PoolTest : public HttpServerTest {
 protected:
  void SetUp() override {
    Start({.connections = 4, .body_max = 600, .page_bytes = 32 * kKiB},
          HttpServer::PoolBytes(600, 1));
  }
  const std::string body_ = std::string(600, 'b');
};

TEST_F(PoolTest, BlockLivesFromTheHeadToTheRequest) {
  Far& client = Send(Post("/size", 600));
  EXPECT_EQ(server_->use().bodies, 1u);
  client.to_server = body_.substr(1);
  Settle();
  EXPECT_EQ(server_->use().bodies, 1u);
  client.room = 20;  // The answer does not get away.
  client.to_server = "b";
  Settle();
  EXPECT_EQ(server_->use().bodies, 0u);  // H7.
  EXPECT_EQ(bodies_->use().used, 0u);
  client.room = SIZE_MAX;
  Settle();
  EXPECT_EQ(client.to_client, Ok("600"));
  client.to_client.clear();
  client.to_server = Post("/size", 0) + Post("/size", 1) + "x";
  Settle();
  EXPECT_EQ(client.to_client, Ok("0") + Ok("1"));
  EXPECT_EQ(handler_.heads, 2);
}

TEST_F(PoolTest, OthersWaitUnreadOldestFirst) {
  Far& first = Send(Post("/1", 600));
  Far& second = Send(Post("/2", 600));
  second.to_server = body_;
  Far& third = Send(Post("/3", 1));  // Would fit, but it is not its turn.
  third.to_server = "c";
  Settle();
  EXPECT_EQ(server_->use().bodies, 1u);
  EXPECT_EQ(second.to_server.size(), 600u);  // H8.
  EXPECT_EQ(third.to_server, "c");
  EXPECT_EQ(Send(Get("/get")).to_client, Ok("GET /get"));
  first.to_server = body_;
  Settle();
  EXPECT_EQ(handler_.paths, "/get/1/2/3");
  EXPECT_EQ(handler_.heads, 3);
  EXPECT_EQ(server_->use().timed_out, 0u);
}

TEST_F(PoolTest, NextInLineGoesOnWhenOneThatWaitsLeaves) {
  Far& first = Send(Post("/1", 400));
  Far& second = Send(Post("/2", 600));
  Far& third = Send(Post("/3", 10, "X: y\r\n") + "0123456789");
  EXPECT_EQ(third.to_client, "");
  second.client_gone = true;
  Settle();
  EXPECT_EQ(third.to_client, Ok("POST /3 0123456789"));
  first.client_gone = true;
  Settle();
  EXPECT_EQ(server_->use().bodies, 0u);
}

TEST_F(PoolTest, BodyThatStandsStillLosesItsBlockToOneThatWaits) {
  Far& slow = Send(Post("/slow", 600) + "x");
  Pass(Seconds(3));  // Nobody minds.
  Far& next = Send(Post("/next", 600) + body_);
  EXPECT_EQ(StatusOf(slow), "");
  Pass(Nanoseconds(0));  // H8: it has had its second, and more.
  EXPECT_EQ(StatusOf(slow), "HTTP/1.1 429");
  EXPECT_NE(slow.to_client.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  EXPECT_EQ(StatusOf(next), "HTTP/1.1 200");
}

/// Room for one body, of which an eighth is more than kBodyStep.
class StepTest : public HttpServerTest {
 protected:
  static constexpr size_t kBodyMax = 200'000, kStep = kBodyMax / 8;
  static_assert(kStep > HttpServer::kBodyStep);
  void SetUp() override {
    Start({.connections = 4, .body_max = kBodyMax, .page_bytes = 32 * kKiB},
          HttpServer::PoolBytes(kBodyMax, 1));
  }
  void PassAndSend(Far& client, size_t bytes) {
    Pass(Milliseconds(900));
    EXPECT_GT(server_->OnTime(clock_.now), clock_.now);
    client.to_server = std::string(bytes, 'x');
    Settle();
  }
};

TEST_F(StepTest, BodyThatTricklesInLosesItsBlockToOneThatWaits) {
  const std::string chunks = Chunked("/size") + "30d40\r\n" + std::string(100'001, 'x');  // Grown whole.
  for (const std::string& begin : {Post("/size", kBodyMax), chunks}) {
    for (const size_t bytes : {size_t{1}, kStep - 1}) {
      Far& slow = Send(begin);
      PassAndSend(slow, bytes);
      Pass(Milliseconds(900));  // Nobody minds.
      EXPECT_EQ(StatusOf(slow), "");
      Far& next = Send(Post("/size", kBodyMax) + std::string(kBodyMax, 'n'));
      PassAndSend(slow, bytes);
      EXPECT_EQ(StatusOf(slow), "HTTP/1.1 429");  // H8.
      EXPECT_EQ(StatusOf(next), "HTTP/1.1 200");
      slow.client_gone = next.client_gone = true;
      Settle();
    }
  }
}

TEST_F(StepTest, BodyThatComesOnKeepsItsBlock) {
  Far& first = Send(Post("/size", kBodyMax));
  Far& second = Send(Post("/size", kBodyMax));
  Far& third = Send(Post("/size", kBodyMax));
  for (int i = 0; i < 8; ++i) PassAndSend(first, kStep);
  EXPECT_EQ(StatusOf(first), "HTTP/1.1 200");
  for (int i = 0; i < 3; ++i) PassAndSend(second, kStep);
  EXPECT_EQ(StatusOf(second) + StatusOf(third), "");
  Pass(Milliseconds(100));  // H1.
  EXPECT_EQ(StatusOf(second), "HTTP/1.1 408");
  EXPECT_EQ(StatusOf(third), "HTTP/1.1 429");  // H8.
  EXPECT_NE(third.to_client.find("\r\nRetry-After: 1\r\n"), std::string::npos);
}

TEST_F(PoolTest, LargerThanTheWholePoolIs413AtOnce) {
  server_->Close();
  Start({.connections = 4, .body_max = 5000, .page_bytes = 32 * kKiB},
        HttpServer::PoolBytes(600, 1));
  EXPECT_EQ(StatusOf(Send(Post("/", 500) + std::string(500, 'x'))), "HTTP/1.1 200");
  EXPECT_EQ(StatusOf(Send(Post("/", 760))), "HTTP/1.1 413");
  Far& holder = Send(Post("/", 600));
  EXPECT_EQ(server_->use().bodies, 1u);
  EXPECT_EQ(StatusOf(Send(Post("/", 5000))), "HTTP/1.1 413");
  holder.to_server = body_;
  Settle();
  EXPECT_EQ(StatusOf(holder), "HTTP/1.1 200");
}

TEST_F(PoolTest, ContinueIsSentWhenTheBlockIsThere) {
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  Far& first = Send(Post("/1", 600));
  Far& second = Send(Post("/2", 300, "Expect: 100-continue\r\n"));
  Far& third = Send(Post("/full", 3, "Expect: 100-continue\r\n"));
  EXPECT_EQ(second.to_client, "");
  EXPECT_EQ(StatusOf(third), "HTTP/1.1 429");
  first.to_server = body_;
  Settle();
  EXPECT_EQ(second.to_client, go_on);
  second.to_server = std::string(300, 'c');
  Settle();
  EXPECT_EQ(second.to_client, go_on + Ok("POST /2 " + std::string(300, 'c')));
}

TEST_F(PoolTest, HandlerRefusesBeforeTheBody) {
  Far& first = Send(Post("/1", 600));  // Nobody waits for the pool to be refused.
  Far& full = Send(Post("/full", 500) + std::string(10, 'x'));
  EXPECT_EQ(full.to_client,
            "HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\nCache-Control: no-store\r\n"
            "Retry-After: 2\r\nConnection: close\r\n\r\n");
  EXPECT_TRUE(full.server_finished);
  full.to_server = std::string(490, 'x');
  Settle();
  EXPECT_EQ(full.to_server, "");
  full.client_finished = true;
  Settle();
  EXPECT_TRUE(full.server_closed);
  EXPECT_EQ(StatusOf(Send(Chunked("/full"))), "HTTP/1.1 429");
  EXPECT_EQ(StatusOf(Send(Post("/wordy", 5))), "HTTP/1.1 500");
  EXPECT_EQ(handler_.calls, 0);
  EXPECT_EQ(server_->use().bodies, 1u);
  first.client_gone = true;
  Settle();
}

TEST_F(PoolTest, PipelinedHeadWaitsAsWell) {
  Far& holder = Send(Post("/1", 600));
  Far& client = Send(Get("/a") + Post("/b", 400) + std::string(400, 'y') + Get("/c"));
  EXPECT_EQ(client.to_client, Ok("GET /a"));
  holder.to_server = body_;
  Settle();
  EXPECT_EQ(client.to_client,
            Ok("GET /a") + Ok("POST /b " + std::string(400, 'y')) + Ok("GET /c"));
}

class ChunkTest : public HttpServerTest {
 protected:
  static constexpr size_t kBodyMax = 20'000;
  void SetUp() override { Start(kLimits, HttpServer::PoolBytes(kBodyMax, 2)); }
  static constexpr HttpServerLimits kLimits{
      .connections = 4, .body_max = kBodyMax, .page_bytes = 32 * kKiB};
};

TEST_F(ChunkTest, BlocksGrowByDoubling) {
  const std::string body = Noise(kBodyMax);
  for (const size_t size : {size_t{1}, size_t{4096}, size_t{4097}, size_t{9000}, kBodyMax}) {
    for (const size_t chunk : {size_t{1}, size_t{7}, size_t{1000}, size_t{4096}, kBodyMax}) {
      SCOPED_TRACE(std::to_string(size) + " in chunks of " + std::to_string(chunk));
      const std::string part = body.substr(0, size);
      std::string text = Chunked("/size");
      for (size_t at = 0; at < size; at += chunk) text += Chunk(part.substr(at, chunk));
      Far& client = Send(text);
      EXPECT_EQ(server_->use().bodies, 1u);
      EXPECT_LE(bodies_->use().used, std::min(kBodyMax, std::max(size_t{4096}, 2 * size)) + 64);
      client.to_server = "0\r\nTrailer: x\r\n\r\n" + Get("/b");
      Settle();
      EXPECT_EQ(client.to_client, Ok(std::to_string(size)) + Ok("GET /b"));
      EXPECT_EQ(handler_.sum, Sum(part));
      client.client_gone = true;
      Settle();
    }
  }
  EXPECT_EQ(StatusOf(Send(Chunked("/size") + Chunk(body) + Chunk("x"))), "HTTP/1.1 413");
}

TEST_F(ChunkTest, GrowingBodiesDoNotLockEachOtherOut) {
  server_->Close();
  Start(kLimits, HttpServer::PoolBytes(kBodyMax, 1));
  const std::string body = Noise(kBodyMax);
  std::vector<Far*> clients;
  for (int i = 0; i < 3; ++i) clients.push_back(&Send(Chunked("/size") + Chunk(body.substr(0, 4000))));
  EXPECT_EQ(server_->use().bodies, 3u);
  for (Far* client : clients) client->to_server = Chunk(body.substr(4000)) + "0\r\n\r\n";
  Settle();
  size_t served = 0, refused = 0;
  for (int i = 0; i < 10 && served + refused < 3; ++i) {
    Pass(HttpServer::kBodyHold);
    served = refused = 0;
    for (const Far* client : clients) {
      served += StatusOf(*client) == "HTTP/1.1 200" ? 1 : 0;
      refused += StatusOf(*client) == "HTTP/1.1 429" ? 1 : 0;  // H8: not its fault.
    }
  }
  EXPECT_EQ(served + refused, 3u);
  EXPECT_EQ(server_->use().bodies, 0u);
  EXPECT_EQ(StatusOf(Send(Chunked("/size") + Chunk(body) + "0\r\n\r\n")), "HTTP/1.1 200");
}

TEST_F(ChunkTest, ALoneBodyDoesNotWaitForItself) {
  server_->Close();
  Start(kLimits, HttpServer::PoolBytes(kBodyMax, 1));
  const std::string body = Noise(kBodyMax);
  Far& first = Send(Post("/size", 7000));
  Far& second = Send(Chunked("/size") + Chunk(body.substr(0, 4096)));  // Behind the first.
  first.to_server = std::string(7000, 'x');
  Settle();
  ASSERT_EQ(server_->use().bodies, 1u);
  second.to_server = Chunk(body.substr(4096)) + "0\r\n\r\n";
  Settle();
  EXPECT_EQ(second.to_client, Ok(std::to_string(kBodyMax)));
  EXPECT_EQ(handler_.sum, Sum(body));
}

TEST_F(ChunkTest, ALoneBodyThatThePoolCannotHoldIs413AtOnce) {
  server_->Close();
  Start(kLimits, 16 * kKiB);  // A little less than the third block needs.
  EXPECT_EQ(StatusOf(Send(Chunked("/size") + Chunk(std::string(9000, 'x')))), "HTTP/1.1 413");
}

TEST_F(ChunkTest, HeadAndBodyAreReadAndAnsweredWithFewCalls) {
  const std::string small = Post("/size", 3000) + std::string(3000, 'x');
  const std::string large = Post("/size", 5000) + std::string(5000, 'x');
  Far& client = Send(small);
  const MonoTime next = server_->OnTime(clock_.now);
  const int watched = poller_.calls;
  for (const auto& [request, reads] : {std::pair{small, 1}, {large, 2}, {Get("/a"), 1}}) {
    sockets_.reads = sockets_.writes = 0;
    clock_.now = clock_.now + Seconds(1);
    client.to_server = request;
    EXPECT_TRUE(poller_.Step());
    EXPECT_FALSE(poller_.Step());
    EXPECT_EQ(sockets_.reads, reads);
    EXPECT_EQ(sockets_.writes, 1);
    EXPECT_EQ(server_->OnTime(clock_.now), next);  // No timer is moved.
  }
  EXPECT_EQ(poller_.calls, watched);
  Pass(Seconds(7));
  EXPECT_EQ(server_->OnTime(clock_.now), clock_.now + Seconds(3));
  EXPECT_FALSE(client.server_closed);
}

TEST_F(ChunkTest, BytesThatLieInTheProgramAreNotForgotten) {
  const std::string body = Noise(kBodyMax);
  for (const size_t record : {1, 100, 5000, 100'000}) {
    SCOPED_TRACE(record);
    Far& client = sockets_.Dial(listener_);
    client.record = record;
    client.to_server = Get("/1") + Post("/size", kBodyMax) + body + Get("/2") + Chunked("/size");
    for (size_t at = 0; at < body.size(); at += 10) client.to_server += Chunk(body.substr(at, 10));
    client.to_server += "0\r\n\r\n" + Get("/3");
    Settle();
    const std::string size = std::to_string(kBodyMax);
    EXPECT_EQ(client.to_client, Ok("GET /1") + Ok(size) + Ok("GET /2") + Ok(size) + Ok("GET /3"));
    EXPECT_EQ(handler_.sum, Sum(body));
    client.client_gone = true;
    Settle();
  }
}

TEST_F(HttpServerTest, DeferredAnswersComeLater) {
  Far& client = Send(Post("/later", 5) + "12345" + Get("/after"));
  EXPECT_EQ(server_->use().bodies, 0u);  // H7.
  ASSERT_EQ(handler_.deferred.size(), 1u);
  client.to_server = Get("/more");
  Settle();  // No busy loop.
  EXPECT_EQ(client.to_server, Get("/more"));
  Pass(Seconds(9));
  EXPECT_EQ(Send(Get("/b")).to_client, Ok("GET /b"));
  EXPECT_EQ(client.to_client, "");
  handler_.deferred.begin()->second = "now";
  Pass(Seconds(9));
  EXPECT_EQ(client.to_client, Ok("now") + Ok("GET /after") + Ok("GET /more"));
  EXPECT_EQ(handler_.gone, 0);
}

TEST_F(HttpServerTest, DeferredAnswersEnd) {
  Far& late = Send(Get("/later"));
  Far& gone = Send(Get("/later"));
  EXPECT_EQ(handler_.deferred.size(), 2u);
  gone.client_gone = true;
  Settle();
  EXPECT_EQ(handler_.gone, 1);
  EXPECT_TRUE(gone.server_closed);
  Pass(Seconds(30) - Nanoseconds(1));
  EXPECT_EQ(late.to_client, "");
  Pass(Nanoseconds(1));
  EXPECT_EQ(handler_.gone, 2);
  EXPECT_EQ(StatusOf(late), "HTTP/1.1 503");  // H1.
  EXPECT_NE(late.to_client.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  Far& stuffed = sockets_.Dial(listener_);
  stuffed.room = 0;
  stuffed.to_server = Get("/later");
  Settle();
  Pass(Seconds(30));
  EXPECT_TRUE(stuffed.server_closed);
  EXPECT_EQ(handler_.gone, 3);
  Send(Get("/later"));
  server_->Close();
  EXPECT_EQ(handler_.gone, 4);
  EXPECT_TRUE(handler_.deferred.empty());
}

TEST_F(HttpServerTest, DeferredAnswersWaitForThePageNotForLong) {
  Far& deferred = Send(Get("/later"));
  Far& slow = sockets_.Dial(listener_);
  slow.room = 100;
  slow.to_server = Get("/large");
  Settle();
  handler_.deferred.begin()->second = "now";
  Pass(HttpServer::kPageHold - Nanoseconds(1));
  EXPECT_EQ(deferred.to_client, "");
  Pass(Nanoseconds(1));  // H2.
  EXPECT_TRUE(slow.server_closed);
  EXPECT_EQ(deferred.to_client, Ok("now"));
}

TEST_F(HttpServerTest, ThousandsOfAttemptsLeaveTimeForTheRest) {
  Far& kept = Send(Get("/"));
  std::vector<Far*> crowd;
  for (int i = 0; i < 3000; ++i) {
    crowd.push_back(&sockets_.Dial(listener_));
    crowd.back()->to_server = "GET /";  // H1: never more than that.
  }
  for (size_t turn = 1; turn <= 3000 / HttpServer::kAcceptsAtOnce; ++turn) {
    kept.to_client.clear();
    kept.to_server = Get("/kept");
    EXPECT_TRUE(poller_.Step());
    EXPECT_EQ(server_->use().accepted, 1 + turn * HttpServer::kAcceptsAtOnce);  // H6.
    EXPECT_EQ(kept.to_client, Ok("GET /kept"));
  }
  Settle();
  size_t refused = 0;
  for (const Far* client : crowd) {
    if (!client->server_closed) continue;
    ++refused;
    EXPECT_EQ(StatusOf(*client), "HTTP/1.1 503");
    EXPECT_NE(client->to_client.find("\r\nRetry-After: 1\r\n"), std::string::npos);
  }
  EXPECT_EQ(refused, 2998u);
  EXPECT_EQ(server_->use().refused, 2998u);
  EXPECT_FALSE(kept.server_closed);
  Pass(HttpServer::kIdleMin);
  EXPECT_EQ(Send(Get("/new")).to_client, Ok("GET /new"));  // H4, at the cost of the one kept.
}

}  // namespace
}  // namespace limpet
