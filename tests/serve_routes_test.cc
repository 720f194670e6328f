// Routes behind a real HttpServer, asked by the real control client over a fake network.
#include "serve/routes.h"

#include <cstddef>
#include <gtest/gtest.h>
#include <optional>
#include <string>
#include <vector>

#include "fake_net.h"
#include "serve/control_client.h"
#include "serve_sample.h"

namespace limpet {
namespace {

struct Program final : SnapshotSource, Reloader {
  void Fill(Snapshot& snapshot) override {
    snapshot = sample.snapshot;
    snapshot.health.ok = well;
    snapshot.health.ready = well;
  }
  Status Reload(TextWriter& out) override {
    ++reloads;
    out << "nothing changed\n";
    return {verdict, 0, "test"};
  }
  Sample sample;
  bool well = true;
  Code verdict = Code::kOk;
  int reloads = 0;
};

class RoutesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const HttpServerLimits limits;
    memory_.resize(HttpServer::BytesNeeded(limits) / sizeof(std::max_align_t) + 1);
    server_.emplace(limits, std::as_writable_bytes(std::span(memory_)), nullptr, clock_, poller_, sockets_,
                    routes_);
    ASSERT_TRUE(server_->Listen("health").ok());
    ASSERT_TRUE(server_->Listen("unix:/control").ok());
  }
  void TearDown() override { server_->Close(); }

  /// Status and body of the answer; -1 and the failure when there is none.
  std::pair<int, std::string> Ask(const char* address, const char* method, const char* target) {
    const Result<ControlAnswer> got = AskControl(sockets_, poller_, clock_, address, method, target,
                                                 Seconds(5), buffer_);
    if (!got.ok()) return {-1, CodeName(got.status().code)};
    return {got.value().status, std::string(got.value().body)};
  }

  FakeClock clock_;
  FakeSockets sockets_;
  FakePoller poller_{sockets_, clock_};
  Program program_;
  Routes routes_{program_, program_, 1};
  std::vector<std::max_align_t> memory_;
  std::optional<HttpServer> server_;
  char buffer_[32 * 1024];
};

TEST_F(RoutesTest, Pages) {
  struct Case {
    const char* address;
    const char* method;
    const char* target;
    int status;
    const char* begin;
  };
  constexpr Case cases[] = {
      {"health", "GET", "/health", 200, "{\"ok\":true,"},
      {"health", "GET", "/ready", 200, "{\"ready\":true}"},
      {"health", "GET", "/metrics", 200, "# TYPE limpet_items_collected_total counter\n"},
      {"health", "GET", "/status", 200, "{\"version\":\"1.2.3\","},
      {"health", "GET", "/status?text", 200, "limpet 1.2.3  up"},
      {"health", "GET", "/status?text=1&colour", 200, "limpet 1.2.3  up 1 d 2 h  \x1b[32mhealthy"},
      {"health", "GET", "/", 404, "nothing here; there are /health /ready /metrics /status\n"},
      {"health", "GET", "/healthy", 404, "nothing here"},
      {"health", "POST", "/health", 405, "only GET, HEAD is answered here\n"},
      {"health", "POST", "/reload", 404, "nothing here"},
      {"unix:/control", "GET", "/health", 200, "{\"ok\":true,"},
      {"unix:/control", "GET", "/status", 200, "{\"version\":\"1.2.3\","},
      {"unix:/control", "GET", "/reload", 405, "only POST is answered here\n"},
      {"unix:/control", "POST", "/reload", 200, "nothing changed\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.address) + ' ' + c.method + ' ' + c.target);
    const auto [status, body] = Ask(c.address, c.method, c.target);
    EXPECT_EQ(status, c.status);
    EXPECT_EQ(body.substr(0, std::string(c.begin).size()), c.begin);
  }
  EXPECT_EQ(program_.reloads, 1);
}

TEST_F(RoutesTest, NotWell) {
  program_.well = false;
  EXPECT_EQ(Ask("health", "GET", "/health").first, 503);
  EXPECT_EQ(Ask("health", "GET", "/ready").first, 503);
  EXPECT_EQ(Ask("health", "GET", "/status").first, 200);
}

TEST_F(RoutesTest, ReloadVerdicts) {
  struct Case {
    Code code;
    int status;
  };
  for (const Case& c : {Case{Code::kOk, 200}, Case{Code::kInvalid, 422},
                        Case{Code::kUnsupported, 501}, Case{Code::kIo, 500}}) {
    program_.verdict = c.code;
    EXPECT_EQ(Ask("unix:/control", "POST", "/reload").first, c.status);
  }
}

TEST_F(RoutesTest, Token) {
  routes_.RequireToken("s3cret");
  EXPECT_EQ(Ask("health", "GET", "/health").first, 401);
  EXPECT_EQ(Ask("unix:/control", "GET", "/health").first, 200);
  char page[256];
  for (const auto& [given, status] : {std::pair{"Bearer s3cret", 200}, {"bearer  s3cret", 200},
                                      {"Bearer s3creT", 401}, {"Bearer s3cret2", 401},
                                      {"Bearer ", 401}, {"s3cret", 401}, {"Basic s3cret", 401}}) {
    HttpRequest request;
    request.method = "GET";
    request.path = "/health";
    request.authorization = given;
    HttpResponse response(page);
    routes_.OnRequest(request, response);
    EXPECT_EQ(response.status, status) << given;
  }
}

TEST_F(RoutesTest, OpenMetricsOnRequest) {
  char page[8192];
  HttpRequest request;
  request.method = "GET";
  request.path = "/metrics";
  request.accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
  HttpResponse response(page);
  routes_.OnRequest(request, response);
  EXPECT_EQ(response.content_type, "application/openmetrics-text; version=1.0.0; charset=utf-8");
  EXPECT_TRUE(response.body.text().ends_with("# EOF\n"));
}

TEST_F(RoutesTest, ClientFailures) {
  EXPECT_EQ(Ask("unix:/nobody", "GET", "/health").second, CodeName(Code::kNotFound));
  const std::string target = "/" + std::string(300, 'x');
  EXPECT_EQ(Ask("health", "GET", target.c_str()).second, CodeName(Code::kInvalid));
  const Result<ControlAnswer> small =
      AskControl(sockets_, poller_, clock_, "health", "GET", "/status", Seconds(5),
                 std::span(buffer_).first(500));
  EXPECT_EQ(small.status().code, Code::kFull);
  server_->Close();
  ASSERT_TRUE(sockets_.Listen("mute").ok());
  const MonoTime before = clock_.now;
  EXPECT_EQ(Ask("mute", "GET", "/health").second, CodeName(Code::kTimeout));
  EXPECT_EQ(clock_.now, before + Seconds(5));
  EXPECT_EQ(poller_.watched(), 0u);
}

/// A peer that answers every connection with the same bytes and closes.
class Parrot final : public PollHandler {
 public:
  Parrot(FakeSockets& sockets, std::string text) : sockets_(sockets), text_(std::move(text)) {}
  void OnReady(int handle, uint8_t) override {
    const Result<int> connection = sockets_.Accept(handle);
    ASSERT_TRUE(connection.ok());
    EXPECT_TRUE(sockets_.Write(connection.value(), {text_.data(), text_.size()}).ok());
    sockets_.Close(connection.value());
  }

 private:
  FakeSockets& sockets_;
  std::string text_;
};

TEST(ControlClient, Answers) {
  struct Case {
    const char* name;
    const char* text;
    Code code;
    int status;
    const char* body;
  };
  constexpr Case cases[] = {
      {"good", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", Code::kOk, 200, "hi"},
      {"no length", "HTTP/1.0 503 No\r\n\r\nhi", Code::kOk, 503, "hi"},
      {"cut body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhi", Code::kIo, 0, ""},
      {"cut head", "HTTP/1.1 200 OK\r\nContent-Le", Code::kIo, 0, ""},
      {"nothing", " ", Code::kIo, 0, ""},
      {"other protocol", "SSH-2.0-x\r\n\r\n", Code::kInvalid, 0, ""},
      {"no status", "HTTP/1.1 \r\n\r\n", Code::kInvalid, 0, ""},
      {"bad length", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", Code::kInvalid, 0, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    FakeClock clock;
    FakeSockets sockets;
    FakePoller poller(sockets, clock);
    const Result<int> listener = sockets.Listen("there");
    ASSERT_TRUE(listener.ok());
    Parrot parrot(sockets, c.text);
    ASSERT_TRUE(poller.Watch(listener.value(), kReadable, parrot).ok());
    char buffer[128];
    const Result<ControlAnswer> got = AskControl(sockets, poller, clock, "there", "GET", "/",
                                                 Seconds(5), buffer);
    ASSERT_EQ(got.status().code, c.code);
    EXPECT_EQ(got.value().status, c.status);
    EXPECT_EQ(got.value().body, c.body);
  }
}

}  // namespace
}  // namespace limpet
