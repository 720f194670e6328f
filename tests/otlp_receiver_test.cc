// What becomes of a request to [receive.otlp]: every answer, and where its items are then.
#include "receive/otlp_receiver.h"

#include <gtest/gtest.h>

#include "otlp/answer_body.h"
#include "otlp_points.h"
#include "sim/receive_world.h"

namespace limpet::sim {
namespace {

// Of its head; limpet's own have zeros there.
constexpr size_t kGzipTime = 4;

Bytes Text(std::string_view text) { return Bytes(text.begin(), text.end()); }

constexpr std::string_view kJsonLog =
    R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"stringValue":"hello"}}]}]}]})";

/// The numbers of the log records of a request, as LogsRequest gives them.
std::vector<int64_t> Numbers(const Bytes& request) {
  std::vector<int64_t> numbers;
  for (const SeenRecord& record : ReadRecords(request)) {
    if (const auto n = record.numbers.find("n"); n != record.numbers.end()) numbers.push_back(n->second);
  }
  return numbers;
}

/// What arrived at the destination, in order.
struct Arrived {
  explicit Arrived(ReceiveWorld& world) {
    auto before = world.respond;
    world.respond = [this, before](const SimRequest& request) {
      const SimAnswer answer = before(request);
      if (answer.sent == Sent::kAnswered && answer.status == 200 && !request.probe()) {
        bodies.push_back(request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body);
        if (request.signal == Signal::kLogs) {
          for (const int64_t n : Numbers(bodies.back())) numbers.push_back(n);
        }
      }
      return answer;
    };
  }
  std::vector<Bytes> bodies;
  std::vector<int64_t> numbers;
};

std::vector<int64_t> Range(int64_t first, int64_t last) {
  std::vector<int64_t> range;
  for (int64_t n = first; n <= last; ++n) range.push_back(n);
  return range;
}

TEST(OtlpReceiver, RequestsAreJoinedAsTheyAre) {
  ReceiveWorld world;
  Arrived arrived(world);
  world.Start();
  Bytes joined;
  for (int n = 0; n < 3; ++n) {
    const Bytes request = LogsRequest(static_cast<uint64_t>(n) * 10 + 1, 10);
    joined.insert(joined.end(), request.begin(), request.end());
    const std::optional<Reply> reply = world.Post(n == 1 ? Gzip(request) : request, "/v1/logs", 0,
                                                  "application/x-protobuf", n == 1 ? "gzip" : "");
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    EXPECT_EQ(reply->content_type, "application/x-protobuf");
    EXPECT_EQ(reply->body, "");
  }
  EXPECT_EQ(world.account(Signal::kLogs).collected, 30u);
  world.RunFor(Seconds(3));
  ASSERT_EQ(arrived.bodies.size(), 1u);
  EXPECT_EQ(arrived.bodies[0], joined);
  EXPECT_EQ(world.account(Signal::kLogs).delivered, 30u);
}

// Deflating anew what came as large as a batch of its own would cost more than a request.
TEST(OtlpReceiver, ALargePackedRequestIsPassedOnAsItCame) {
  ReceiveWorld world;
  std::vector<Bytes> sent;
  auto before = world.respond;
  world.respond = [&](const SimRequest& request) {
    sent.push_back(request.body);
    return before(request);
  };
  world.Start();
  Bytes packed = Gzip(LogsRequest(11, 100, "large", 200));
  packed[kGzipTime] = 1;
  ASSERT_EQ(world.Post(LogsRequest(1, 10, "app", 2000))->status, 200);
  ASSERT_EQ(world.Post(packed, "/v1/logs", 0, "application/x-protobuf", "gzip")->status, 200);
  ASSERT_EQ(world.Post(LogsRequest(111, 10))->status, 200);
  EXPECT_EQ(world.account(Signal::kLogs).collected, 120u);
  EXPECT_EQ(world.Look().sources[0].received->items, 120u);
  world.RunFor(Seconds(3));
  ASSERT_EQ(sent.size(), 3u);
  EXPECT_EQ(Numbers(Inflate(sent[0])), Range(1, 10));  // What was open goes first.
  EXPECT_EQ(sent[1], packed);
  EXPECT_EQ(Numbers(Inflate(sent[2])), Range(111, 120));
  EXPECT_EQ(world.account(Signal::kLogs).delivered, 120u);
}

// Each would close what a slow source has just begun.
TEST(OtlpReceiver, WhatIsOpenAndSmallTakesItIn) {
  ReceiveWorld world;
  Arrived arrived(world);
  world.Start();
  for (uint64_t n = 0; n < 10; ++n) {
    ASSERT_EQ(world.Post(LogsRequest(n * 110 + 1, 10))->status, 200);
    ASSERT_EQ(world.Post(Gzip(LogsRequest(n * 110 + 11, 100, "large", 200)), "/v1/logs", 0, "application/x-protobuf",
                         "gzip")->status, 200);
  }
  world.RunFor(Seconds(3));
  EXPECT_EQ(arrived.numbers, Range(1, 1100));
  EXPECT_LE(arrived.bodies.size(), 10u);
}

TEST(OtlpReceiver, WhatIsBetterJoinedIsNotPassedOn) {
  struct Case {
    const char* name;
    Bytes body;
    void (*change)(ReceiveWorld&);
    bool passed_on;
  };
  const Bytes large = LogsRequest(1, 100, "large", 200);
  const auto two_members = [&] {
    Bytes both = Gzip({}), second = Gzip(large);
    both.insert(both.end(), second.begin(), second.end());
    return both;
  };
  const auto hardly_packed = [&] {
    Bytes random(12'000);
    uint32_t state = 1;
    for (uint8_t& byte : random) byte = static_cast<uint8_t>('0' + (state = state * 1664525 + 1013904223) / 65536 % 64);
    Bytes buffer(20'000);
    WireWriter out(buffer);
    const size_t logs = out.Open(otlp_ExportLogsServiceRequest_resource_logs_tag);
    const size_t scope = out.Open(otlp_ResourceLogs_scope_logs_tag);
    const size_t record = out.Open(otlp_ScopeLogs_log_records_tag);
    const size_t body = out.Open(otlp_LogRecord_body_tag);
    out.String(otlp_AnyValue_string_value_tag, {reinterpret_cast<const char*>(random.data()), random.size()});
    for (const size_t open : {body, record, scope, logs}) out.Close(open);
    buffer.resize(out.size());
    return Gzip(buffer);
  };
  const auto nothing = [](ReceiveWorld&) {};
  const Case cases[] = {
      {"large", Gzip(large), nothing, true},
      {"small", Gzip(LogsRequest(1, 10)), nothing, false},
      {"two members", two_members(), nothing, false},
      {"hardly smaller than it was", hardly_packed(), nothing, false},
      {"more bytes than a batch", Gzip(large), [](ReceiveWorld& w) { w.config.queue.batch_bytes = 16 * 1024; }, false},
      {"more items than a batch", Gzip(large), [](ReceiveWorld& w) { w.config.queue.batch_items = 99; }, false},
      {"merged with the host's resource", Gzip(large),
       [](ReceiveWorld& w) {
         static const ResourceAttribute kHost[] = {{"host.name", "edge-7"}};
         w.config.receive.merge = true;
         w.host_resource = kHost;
       },
       false},
      {"nobody takes gzip", Gzip(large), [](ReceiveWorld& w) { w.config.destinations[0].gzip = false; }, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ReceiveWorld world;
    c.change(world);
    world.Start();
    Bytes body = c.body;
    body[kGzipTime] = 1;
    bool passed_on = false;
    auto before = world.respond;
    world.respond = [&](const SimRequest& request) {
      passed_on = passed_on || request.body == body;
      return before(request);
    };
    ASSERT_EQ(world.Post(body, "/v1/logs", 0, "application/x-protobuf", "gzip")->status, 200);
    world.RunFor(Seconds(3));
    EXPECT_EQ(passed_on, c.passed_on);
    EXPECT_EQ(world.account(Signal::kLogs).delivered, world.account(Signal::kLogs).collected);
    EXPECT_GT(world.account(Signal::kLogs).delivered, 0u);
  }
}

// On a slow way many small requests would wait for one another.
TEST(OtlpReceiver, WhatWouldWaitIsJoined) {
  ReceiveWorld world;
  Arrived arrived(world);
  world.up = false;
  world.flash.reset();
  world.config.spool.durability = Durability::kMemoryOnly;
  world.Start();
  for (uint64_t n = 0; n < 30; ++n) {
    ASSERT_EQ(world.Post(Gzip(LogsRequest(n * 60 + 1, 60, "app", 200)), "/v1/logs", 0, "application/x-protobuf",
                         "gzip")->status, 200);
    world.RunFor(Milliseconds(50));
  }
  world.up = true;
  world.RunFor(Seconds(60));
  EXPECT_EQ(arrived.numbers, Range(1, 1800));
  EXPECT_LT(arrived.bodies.size(), 14u);  // Two or three, then six requests to a batch.
}

// O1, O2: likewise of what is passed on.
TEST(OtlpReceiver, WhatCannotBePassedOnIsNotTaken) {
  ReceiveWorld world;
  world.flash.reset();
  world.config.spool.durability = Durability::kMemoryOnly;
  world.queue_blocks = 70;
  world.up = false;
  Arrived arrived(world);
  world.Start();
  uint64_t taken = 0;
  int full = 0;
  for (int i = 0; i < 200; ++i) {
    const Bytes request = LogsRequest(taken + 1, 60, "app", 200);
    const std::optional<Reply> reply = world.Post(Gzip(request), "/v1/logs", 0, "application/x-protobuf", "gzip");
    ASSERT_TRUE(reply);
    if (reply->status == 200) taken += 60;
    full += reply->status == 429;
    EXPECT_EQ(world.account(Signal::kLogs).collected, taken);
  }
  EXPECT_GT(full, 0);
  world.up = true;
  world.RunFor(Seconds(120));
  EXPECT_EQ(arrived.numbers, Range(1, static_cast<int64_t>(taken)));
}

TEST(OtlpReceiver, EveryAnswer) {
  struct Case {
    const char* name;
    const char* method;
    const char* path;
    const char* type;
    const char* coding;
    Bytes body;
    int status;
    const char* in_body;
  };
  const Bytes log = LogsRequest(1, 1);
  const Case cases[] = {
      {"protobuf", "POST", "/v1/logs", "application/x-protobuf", "", log, 200, ""},
      {"a parameter", "POST", "/v1/logs", "Application/X-Protobuf; v=1", "identity", log, 200, ""},
      {"json", "POST", "/v1/logs", "application/json; charset=utf-8", "", Text(kJsonLog), 200, "{}"},
      {"gzip'd json", "POST", "/v1/logs", "application/json", "gzip", Gzip(Text(kJsonLog)), 200, "{}"},
      {"nothing in it", "POST", "/v1/logs", "application/x-protobuf", "", {}, 200, ""},
      {"no items", "POST", "/v1/logs", "application/json", "", Text(R"({"resourceLogs":[]})"), 200, "{}"},
      {"another path", "POST", "/v1/profiles", "application/json", "", log, 404, "\"code\":12"},
      {"nobody takes traces", "POST", "/v1/traces", "application/json", "", Text("{}"), 404, "no destination"},
      {"another method", "GET", "/v1/logs", "application/json", "", {}, 405, "POST"},
      {"no type", "POST", "/v1/logs", "", "", log, 415, "Content-Type"},
      {"another type", "POST", "/v1/logs", "text/plain", "", log, 415, "Content-Type"},
      {"another coding", "POST", "/v1/logs", "application/x-protobuf", "zstd", log, 415, "Content-Encoding"},
      {"truncated", "POST", "/v1/logs", "application/x-protobuf", "", Bytes(log.begin(), log.end() - 1), 400,
       "protobuf"},
      {"not json", "POST", "/v1/logs", "application/json", "", Text("{"), 400, "\"code\":3"},
      {"not gzip", "POST", "/v1/logs", "application/x-protobuf", "gzip", log, 400, "gzip"},
      {"cut gzip", "POST", "/v1/logs", "application/x-protobuf", "gzip", [&] {
         Bytes cut = Gzip(log);
         cut.pop_back();
         return cut;
       }(), 400, "gzip"},
      {"too large when inflated", "POST", "/v1/logs", "application/x-protobuf", "gzip",
       Gzip(LogsRequest(1, 2000, "app", 100)), 413, "max_body"},
      {"a bomb", "POST", "/v1/logs", "application/x-protobuf", "gzip", Gzip(Bytes(120'000, 'a')), 413, "256"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    ReceiveWorld world;
    world.config.destinations[0].signals = 3;
    world.Start();
    HttpRequest request;
    request.method = c.method;
    request.path = c.path;
    request.content_type = c.type;
    request.content_encoding = c.coding;
    request.body = c.body;
    const std::optional<Reply> reply = world.Post(request);
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, c.status);
    EXPECT_NE(reply->body.find(c.in_body), std::string::npos) << reply->body;
    const bool json = std::string_view(c.type).starts_with("application/json");
    EXPECT_EQ(reply->content_type, json ? "application/json" : "application/x-protobuf");
    const bool has_items = c.status == 200 && std::string_view(c.name) != "nothing in it" &&
                           std::string_view(c.name) != "no items";
    EXPECT_EQ(world.account(Signal::kLogs).collected, has_items ? 1u : 0u);
    const ReceivedView& use = *world.Look().sources[0].received;
    EXPECT_EQ(use.requests, c.status == 200 ? 1u : 0u);
    EXPECT_EQ(use.malformed, c.status == 200 ? 0u : 1u);
  }
}

// What the HTTP server refuses by itself looks like what the receiver does, and counts.
TEST(OtlpReceiver, TheServersRefusalsAreStatusesToo) {
  struct Case {
    int status;
    uint64_t malformed, full;
    uint32_t code;
  };
  const Case cases[] = {{400, 1, 0, 3}, {408, 0, 1, 4},  {413, 1, 0, 8}, {417, 1, 0, 3},
                        {429, 0, 1, 8}, {431, 1, 0, 3}, {501, 1, 0, 12}, {503, 0, 1, 14}};
  for (const Case& c : cases) {
    for (const char* type : {"application/json", "application/x-protobuf", "text/html", ""}) {
      SCOPED_TRACE(std::to_string(c.status) + ' ' + type);
      ReceiveWorld world;
      world.Start();
      HttpRequest request;
      request.content_type = type;
      HttpResponse response(world.page);
      HttpHandler& receiver = *world.agent->receiver();
      receiver.OnRefused(*type == 0 ? nullptr : &request, c.status, "why", response);
      const Reply reply = world.Made(response);
      EXPECT_EQ(reply.status, c.status);
      EXPECT_EQ(reply.retry_after > 0, c.status == 429 || c.status == 503);
      const bool json = std::string_view(type) == "application/json";
      EXPECT_EQ(reply.content_type, json ? "application/json" : "application/x-protobuf");
      const std::string in_json = "{\"code\":" + std::to_string(c.code) + ",\"message\":\"why\"}";
      const std::string in_protobuf = std::string("\x08") + static_cast<char>(c.code) + "\x12\x03why";
      EXPECT_EQ(reply.body, json ? in_json : in_protobuf);
      const ReceivedView& use = *world.Look().sources[0].received;
      EXPECT_EQ(use.malformed, c.malformed);
      EXPECT_EQ(use.full, c.full);
    }
  }
}

TEST(OtlpReceiver, LargeRequestsAreSplitInOrder) {
  ReceiveWorld world;
  world.config.queue.batch_bytes = 8 * 1024;
  world.config.queue.batch_items = 50;
  Arrived arrived(world);
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 7))->status, 200);
  ASSERT_EQ(world.Post(world.Logs(8, 493))->status, 200);
  ASSERT_EQ(world.Post(world.Logs(501, 20))->status, 200);
  world.RunFor(Seconds(5));
  EXPECT_EQ(arrived.numbers, Range(1, 520));
  EXPECT_GE(arrived.bodies.size(), 520u / 50);
  for (const Bytes& body : arrived.bodies) {
    EXPECT_LE(body.size(), 8u * 1024);
    EXPECT_LE(Numbers(body).size(), 50u);
  }
}

TEST(OtlpReceiver, OneItemTooLargeIsRejectedAlone) {
  for (const bool json : {false, true}) {
    SCOPED_TRACE(json);
    ReceiveWorld world;
    world.config.queue.batch_bytes = 8 * 1024;
    Arrived arrived(world);
    world.Start();
    Bytes request = LogsRequest(1, 3);
    const Bytes giant = LogsRequest(4, 1, "app", 9000), more = LogsRequest(5, 3);
    request.insert(request.end(), giant.begin(), giant.end());
    request.insert(request.end(), more.begin(), more.end());
    std::optional<Reply> reply;
    if (json) {
      const std::string huge(9000, 'x');
      const std::string text =
          R"({"resourceLogs":[{"scopeLogs":[{"logRecords":[{"attributes":[{"key":"n","value":{"intValue":1}}]},{"body":{"stringValue":")" +
          huge + R"("}},{"attributes":[{"key":"n","value":{"intValue":"2"}}]}]}]}]})";
      reply = world.Post(Text(text), "/v1/logs", 0, "application/json");
    } else {
      reply = world.Post(request);
    }
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
    if (json) {
      EXPECT_NE(reply->body.find("{\"partialSuccess\":{\"rejectedLogRecords\":\"1\",\"errorMessage\":\""),
                std::string::npos)
          << reply->body;
    } else {
      const AnswerBody answer = ParseAnswerBody(
          {reinterpret_cast<const uint8_t*>(reply->body.data()), reply->body.size()}, Signal::kLogs, true);
      EXPECT_EQ(answer.rejected, 1u);
      EXPECT_NE(std::string_view(answer.message).find("batch_bytes"), std::string_view::npos);
    }
    world.RunFor(Seconds(5));
    const uint64_t kept = json ? 2 : 6;
    EXPECT_EQ(world.account(Signal::kLogs).collected, kept) << "what is rejected never enters";
    EXPECT_EQ(world.account(Signal::kLogs).delivered, kept);
    EXPECT_EQ(arrived.numbers.size(), kept);
    EXPECT_EQ(world.Look().sources[0].received->rejected, 1u);
  }
}

// Memory only, and nobody to send to: what has been taken stays, what has not can come again.
TEST(OtlpReceiver, FullMemoryAsksToComeAgain) {
  ReceiveWorld world;
  world.flash.reset();
  world.config.spool.durability = Durability::kMemoryOnly;
  world.config.queue.batch_bytes = 8 * 1024;
  world.queue_blocks = 100;
  world.up = false;
  Arrived arrived(world);
  world.Start();
  int64_t next = 1;
  Reply reply;
  for (int n = 0; n < 200; ++n) {
    reply = world.PostAndWait(world.Logs(static_cast<uint64_t>(next), 20));
    if (reply.status != 200) break;
    next += 20;
    world.RunFor(Milliseconds(1));
  }
  EXPECT_EQ(reply.status, 429);
  EXPECT_GT(reply.retry_after, 0);
  EXPECT_GT(next, 100);
  EXPECT_EQ(world.account(Signal::kLogs).collected, static_cast<uint64_t>(next - 1));
  EXPECT_EQ(world.account(Signal::kLogs).dropped_total(), 0u);
  EXPECT_GT(world.Look().sources[0].received->full, 0u);
  world.up = true;
  world.RunFor(Seconds(120));
  EXPECT_EQ(world.Post(world.Logs(static_cast<uint64_t>(next), 20))->status, 200);
  world.RunFor(Seconds(5));
  EXPECT_EQ(arrived.numbers, Range(1, next + 19));
}

/// A full spool of any policy: nothing that was said 200 of is dropped.
TEST(OtlpReceiver, FullSpoolAsksToComeAgain) {
  for (const Overflow overflow : {Overflow::kDropOldest, Overflow::kDropNewest, Overflow::kPauseSources}) {
    SCOPED_TRACE(static_cast<int>(overflow));
    ReceiveWorld world;
    world.config.spool.overflow = overflow;
    world.config.spool.max_bytes = kMiB;
    world.queue_blocks = 600;
    world.config.destinations[0].gzip = false;
    world.up = false;
    Arrived arrived(world);
    world.Start();
    int64_t next = 1;
    int full = 0;
    for (int n = 0; n < 3000 && full < 20; ++n) {
      const Reply reply = world.PostAndWait(world.Logs(static_cast<uint64_t>(next), 20, "app", 200));
      world.RunFor(Milliseconds(1));
      if (reply.status == 200) {
        next += 20;
      } else {
        ASSERT_EQ(reply.status, 429);
        ++full;
        world.RunFor(Seconds(1));
      }
    }
    EXPECT_EQ(full, 20);
    EXPECT_GT(next, 500);
    EXPECT_EQ(world.account(Signal::kLogs).dropped_total(), 0u);
    world.Drain();
    EXPECT_EQ(arrived.numbers, Range(1, next - 1));
    ExpectNothingBroken(world);
  }
}

// O3: while it spills, the answer waits for the commit, which does not wait for commit_interval.
TEST(OtlpReceiver, AnswersAfterTheCommitWhileSpilling) {
  ReceiveWorld world;
  world.up = false;
  world.worker.latency = Milliseconds(30);
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 5))->status, 200) << "calm: once it is queued";
  world.RunFor(Seconds(60));
  ASSERT_EQ(world.phase(), SpoolPhase::kSpilling);
  const size_t commits = world.commits;
  const MonoTime begin = world.clock.mono;
  EXPECT_FALSE(world.Post(world.Logs(6, 5), "/v1/logs", 0));
  EXPECT_FALSE(world.Post(world.Logs(11, 5), "/v1/logs", 1)) << "they share a commit";
  EXPECT_FALSE(world.Deferred(0));
  std::optional<Reply> first, second;
  while (!(first && second) && world.clock.mono - begin < Seconds(5)) {
    world.RunFor(Milliseconds(10));
    if (!first) first = world.Deferred(0);
    if (!second) second = world.Deferred(1);
  }
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->status, 200);
  EXPECT_LE(world.clock.mono - begin, Milliseconds(100));
  EXPECT_LE(world.commits - commits, 2u);
  EXPECT_EQ(world.agent->held(Signal::kLogs).spool, 15u);
  world.CutPower(7);
  world.Again();
  world.Drain();
  EXPECT_EQ(world.checker.items(Signal::kLogs) >= 15, true);
  ExpectNothingBroken(world);
}

TEST(OtlpReceiver, AlwaysAnswersAfterTheCommit) {
  ReceiveWorld world;
  world.config.spool.durability = Durability::kAlways;
  Arrived arrived(world);
  world.Start();
  for (int64_t n = 0; n < 20; ++n) {
    ASSERT_FALSE(world.Post(world.Logs(static_cast<uint64_t>(n * 10 + 1), 10)));
    std::optional<Reply> reply;
    for (int wait = 0; !reply && wait < 20; ++wait) {
      world.RunFor(Milliseconds(10));
      reply = world.Deferred();
    }
    ASSERT_TRUE(reply);
    EXPECT_EQ(reply->status, 200);
  }
  world.RunFor(Seconds(5));
  EXPECT_EQ(arrived.numbers, Range(1, 200));
  ExpectNothingBroken(world);
}

// always means it: without a spool nothing is taken, and who waits is not told 200.
TEST(OtlpReceiver, AlwaysTakesNothingWithoutASpool) {
  ReceiveWorld world;
  world.config.spool.durability = Durability::kAlways;
  world.up = false;
  world.Start();
  world.RunFor(Seconds(2));
  world.flash->FailAfter(SimFlash::kWrite, 1, Fault::kFromThenOn);
  ASSERT_FALSE(world.Post(world.Logs(1, 5)));
  std::optional<Reply> reply;
  for (int wait = 0; !reply && wait < 100; ++wait) {
    world.RunFor(Milliseconds(10));
    reply = world.Deferred();
  }
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(world.Post(world.Logs(6, 5))->status, 503);
  EXPECT_GT(world.Post(world.Logs(6, 5))->retry_after, 0);
  world.flash->Heal();
  world.RunFor(Seconds(70));
  EXPECT_FALSE(world.Post(world.Logs(6, 5)));
}

// on_demand degrades to memory, and says so elsewhere (health).
TEST(OtlpReceiver, OnDemandGoesOnInMemory) {
  ReceiveWorld world;
  world.up = false;
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 5))->status, 200);
  world.RunFor(Seconds(60));
  world.flash->FailAfter(SimFlash::kWrite, 1, Fault::kFromThenOn);
  ASSERT_FALSE(world.Post(world.Logs(6, 5)));
  std::optional<Reply> reply;
  for (int wait = 0; !reply && wait < 100; ++wait) {
    world.RunFor(Milliseconds(10));
    reply = world.Deferred();
  }
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(world.agent->held(Signal::kLogs).total(), 10u);
}

// O1: parts of a request are in the queue already when there turns out to be no room for the rest.
TEST(OtlpReceiver, WhatDoesNotFitWholeIsNotTaken) {
  ReceiveWorld world;
  world.flash.reset();
  world.config.spool.durability = Durability::kMemoryOnly;
  world.config.destinations[0].gzip = false;
  world.config.queue.batch_bytes = 4 * 1024;
  world.queue_blocks = 60;
  world.up = false;
  Arrived arrived(world);
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 10))->status, 200);
  const std::optional<Reply> reply = world.Post(world.Logs(11, 330));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 429) << "it would fit into an empty queue";
  EXPECT_EQ(world.account(Signal::kLogs).collected, 10u);
  ASSERT_EQ(world.Post(world.Logs(11, 10))->status, 200);
  EXPECT_EQ(world.Post(world.Logs(21, 400))->status, 413) << "it would never fit";
  EXPECT_EQ(world.account(Signal::kLogs).collected, 20u);
  world.up = true;
  world.RunFor(Seconds(120));
  EXPECT_EQ(arrived.numbers, Range(1, 20));
  ExpectNothingBroken(world);
}

TEST(OtlpReceiver, TheHostsResourceIsMerged) {
  ReceiveWorld world;
  world.config.receive.merge = true;
  Arrived arrived(world);
  const ResourceAttribute host[] = {{"service.name", "limpet"}, {"host.name", "edge-7"}, {"site", "plant-7"}};
  world.host_resource = host;
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 2))->status, 200);
  ASSERT_EQ(world.Post(world.Logs(3, 200, "other", 100))->status, 200);
  world.RunFor(Seconds(3));
  EXPECT_EQ(arrived.numbers, Range(1, 202));
  for (const Bytes& body : arrived.bodies) {
    for (WireReader in(body); in.Next();) {
      std::map<std::string, std::string> found;
      for (WireReader logs = in.Message(); logs.Next();) {
        if (logs.field() != otlp_ResourceLogs_resource_tag) continue;
        for (WireReader resource = logs.Message(); resource.Next();) {
          const KeyValueView pair = ReadKeyValue(resource.Bytes());
          const auto text = ReadAnyValue(pair.value).bytes;
          EXPECT_TRUE(found.try_emplace(std::string(pair.key), text.begin(), text.end()).second);
        }
      }
      EXPECT_TRUE(found["service.name"] == "app" || found["service.name"] == "other");
      EXPECT_EQ(found["host.name"], "edge-7");
      EXPECT_EQ(found["site"], "plant-7");
      EXPECT_EQ(found.size(), 3u);
    }
  }
}

// O4: a burst that memory could not hold is slowed down in place of being written to flash.
TEST(OtlpReceiver, ABurstWaitsAndSparesTheFlash) {
  ReceiveWorld world;
  world.config.queue.batch_bytes = 8 * 1024;
  world.config.destinations[0].gzip = false;
  world.queue_blocks = 200;
  auto before = world.respond;
  world.respond = [&](const SimRequest& request) {
    SimAnswer answer = before(request);
    answer.delay = Milliseconds(50);
    return answer;
  };
  Arrived arrived(world);
  world.Start();
  world.RunFor(Seconds(10));
  const uint64_t written = world.written();
  for (int64_t n = 0; n < 100; ++n) {
    EXPECT_EQ(world.PostAndWait(world.Logs(static_cast<uint64_t>(n * 40 + 1), 40)).status, 200);
  }
  world.RunFor(Seconds(10));
  EXPECT_EQ(arrived.numbers, Range(1, 4000));
  EXPECT_EQ(world.written(), written);
}

// The answer that waits is not held up for longer than its time.
TEST(OtlpReceiver, ACrowdedAnswerComesInTime) {
  ReceiveWorld world;
  world.flash.reset();
  world.config.spool.durability = Durability::kMemoryOnly;
  world.config.queue.batch_bytes = 8 * 1024;
  world.config.destinations[0].gzip = false;
  world.queue_blocks = 100;
  world.up = false;
  world.Start();
  int64_t next = 1;
  while (world.Post(world.Logs(static_cast<uint64_t>(next), 20))) next += 20;
  const MonoTime begin = world.clock.mono;
  EXPECT_FALSE(world.Deferred());
  std::optional<Reply> reply;
  while (!(reply = world.Deferred())) world.RunFor(Seconds(100));
  EXPECT_EQ(reply->status, 200);
  EXPECT_EQ(world.clock.mono - begin, Seconds(100)) << "one call at its time";
}

// O3: what is dropped while its answer waits is not said to be kept.
TEST(OtlpReceiver, DroppedAtTheStopIsNotTaken) {
  ReceiveWorld world;
  world.config.spool.durability = Durability::kAlways;
  world.config.agent.shutdown_timeout = Seconds(1);
  world.up = false;
  world.Start();
  world.RunFor(Seconds(2));
  world.worker.latency = Seconds(60);
  ASSERT_FALSE(world.Post(world.Logs(1, 5)));
  world.StopAndDrain();
  const std::optional<Reply> reply = world.Deferred();
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_EQ(world.account(Signal::kLogs).dropped[static_cast<size_t>(DropReason::kShutdown)], 5u);
}

// Nothing is committed for a request without items, and its answer does not wait.
TEST(OtlpReceiver, EmptyRequestsCostNoCommit) {
  ReceiveWorld world;
  world.config.spool.durability = Durability::kAlways;
  world.Start();
  world.RunFor(Seconds(2));
  const size_t commits = world.commits;
  EXPECT_EQ(world.Post(Bytes())->status, 200);
  world.RunFor(Seconds(2));
  EXPECT_EQ(world.commits, commits);
}

// A filesystem that leaves the spool no room is no reason to refuse what can leave from memory; room that
// is made outside is found without a transaction.
TEST(OtlpReceiver, RoomOnFlashMattersOnceItIsNeeded) {
  ReceiveWorld world;
  world.config.spool.min_free_bytes = 16 * kMiB;
  world.config.destinations[0].gzip = false;
  world.flash->capacity = 19 * kMiB;
  world.Start();
  world.RunFor(Seconds(10));
  EXPECT_EQ(world.PostAndWait(world.Logs(1, 5)).status, 200);
  world.RunFor(Seconds(5));
  EXPECT_EQ(world.account(Signal::kLogs).delivered, 5u);
  world.up = false;
  world.RunFor(Seconds(60));
  uint64_t next = 6;
  while (world.PostAndWait(world.Logs(next, 50, "app", 300)).status == 200) next += 50;
  ASSERT_EQ(world.phase(), SpoolPhase::kSpilling);
  EXPECT_GT(next, 500u);
  const size_t commits = world.commits;
  world.RunFor(Seconds(30));
  EXPECT_EQ(world.PostAndWait(world.Logs(next, 50, "app", 300)).status, 429);
  EXPECT_LE(world.commits - commits, 1u) << "nothing is written to find out";
  world.flash->capacity = 64 * kMiB;
  world.RunFor(Seconds(6));
  EXPECT_EQ(world.PostAndWait(world.Logs(next, 50, "app", 300)).status, 200);
  EXPECT_EQ(world.account(Signal::kLogs).dropped_total(), 0u);
}

TEST(OtlpReceiver, StoppingSendsAway) {
  ReceiveWorld world;
  world.Start();
  ASSERT_EQ(world.Post(world.Logs(1, 5))->status, 200);
  world.agent->Stop(world.clock.mono);
  const std::optional<Reply> reply = world.Post(world.Logs(6, 5));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->status, 503);
  EXPECT_GT(reply->retry_after, 0);
}

}  // namespace
}  // namespace limpet::sim
