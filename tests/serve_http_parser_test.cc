// HttpParser: every request is fed whole and byte by byte, which must come to the same.
#include "serve/http_parser.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <string>

namespace limpet {
namespace {

constexpr size_t kHeadBytes = 1024;
constexpr size_t kBodyBytes = 600;
using State = HttpParser::State;

struct Buffers {
  char head[kHeadBytes];
  char body[kBodyBytes];
};

/// Gives the parser `text` in pieces of up to `step` bytes until it wants no more. Returns the rest.
std::string_view Feed(HttpParser& parser, Buffers& buffers, std::string_view text, size_t step) {
  for (;;) {
    while (parser.state() == State::kWantsBody) parser.GiveBody(buffers.body);
    if (text.empty() || (parser.state() != State::kHead && parser.state() != State::kBody)) break;
    const std::span<char> space = parser.Space();
    EXPECT_FALSE(space.empty());
    if (space.empty()) break;
    const size_t count = std::min({step, space.size(), text.size()});
    std::memcpy(space.data(), text.data(), count);
    text.remove_prefix(count);
    parser.Take(count);
  }
  return text;
}

std::string BodyOf(const HttpParser& parser) {
  const std::span<const uint8_t> body = parser.request().body;
  return std::string(body.begin(), body.end());
}

TEST(HttpParser, Accepts) {
  const std::string large(kBodyBytes, 'b');
  struct Case {
    const char* name;
    std::string text;
    const char* method;
    const char* path;
    const char* query;
    std::string body;
    bool keep_alive;
  };
  const Case cases[] = {
      {"plain", "GET /health HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/health", "", "", true},
      {"old", "GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", false},
      {"old, kept", "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET", "/", "", "", true},
      {"closing", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET", "/", "", "", false},
      {"query", "GET /status?text&x=1#top HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/status", "text&x=1",
       "", true},
      {"absolute", "GET http://host:1/ready?q HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/ready", "q", "",
       true},
      {"absolute, no path", "GET http://host HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", "", true},
      {"head", "HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/x", "", "", true},
      {"empty body", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST", "/x", "", "",
       true},
      {"sized", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST", "/x", "",
       "hello", true},
      {"largest", "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 600\r\n\r\n" + large, "POST", "/x",
       "", large, true},
      {"chunked",
       "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n"
       "3\r\nabc\r\n1;ext=1\r\nd\r\n0\r\nTrailer: yes\r\n\r\n",
       "POST", "/x", "", "abcd", true},
      {"largest chunk",
       "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n258\r\n" + large +
           "\r\n0\r\n\r\n",
       "POST", "/x", "", large, true},
      {"chunked by an old client",
       "POST /x HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
       "1\r\na\r\n0\r\n\r\n",
       "POST", "/x", "", "a", false},
      {"no chunks", "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
       "POST", "/x", "", "", true},
      {"empty lines before", "\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", "", true},
      {"upgrade is passed over",
       "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "GET", "/", "", "",
       true},
      {"connect", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "CONNECT", "a:1", "", "", true},
  };
  for (const Case& c : cases) {
    for (const size_t step : {size_t{1}, size_t{2}, size_t{7}, c.text.size()}) {
      SCOPED_TRACE(std::string(c.name) + " in steps of " + std::to_string(step));
      Buffers b;
      HttpParser parser(b.head, kBodyBytes);
      EXPECT_TRUE(parser.idle());
      EXPECT_EQ(Feed(parser, b, c.text, step), "");
      ASSERT_EQ(parser.state(), State::kComplete) << parser.refusal_reason();
      EXPECT_EQ(parser.request().method, c.method);
      EXPECT_EQ(parser.request().path, c.path);
      EXPECT_EQ(parser.request().query, c.query);
      EXPECT_EQ(BodyOf(parser), c.body);
      EXPECT_EQ(parser.keep_alive(), c.keep_alive);
      EXPECT_EQ(parser.is_head(), c.text.starts_with("HEAD"));
      EXPECT_EQ(parser.Next(), State::kHead);
      EXPECT_TRUE(parser.idle());
    }
  }
}

TEST(HttpParser, Refuses) {
  const std::string host = "GET / HTTP/1.1\r\nHost: a\r\n";
  const std::string post = "POST / HTTP/1.1\r\nHost: a\r\n";
  struct Case {
    const char* name;
    std::string text;
    int status;
  };
  const Case cases[] = {
      {"both lengths", post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"both lengths, other order",
       post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n", 400},
      {"two lengths", post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400},
      {"different lengths", post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400},
      {"list of lengths", post + "Content-Length: 5, 5\r\n\r\n", 400},
      {"no length", post + "Content-Length:\r\n\r\n", 400},
      {"chunked twice",
       post + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 501},
      {"signed length", post + "Content-Length: +5\r\n\r\n", 400},
      {"endless length", post + "Content-Length: 99999999999999999999999\r\n\r\n", 400},
      {"large length", post + "Content-Length: 601\r\n\r\n", 413},
      {"huge length", post + "Content-Length: 4294967296\r\n\r\n", 413},
      {"large chunks",
       post + "Transfer-Encoding: chunked\r\n\r\n200\r\n" + std::string(512, 'x') + "\r\n59\r\n" +
           std::string(89, 'x') + "\r\n0\r\n\r\n",
       413},
      {"bad chunk size", post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"coded", post + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"not chunked", post + "Transfer-Encoding: identity\r\n\r\n", 501},
      {"folded", host + "Accept: a,\r\n b\r\n\r\n", 400},
      {"no host", "GET / HTTP/1.1\r\n\r\n", 400},
      {"two hosts", host + "Host: b\r\n\r\n", 400},
      {"version 2", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", 505},
      {"version 0.9", "GET /\r\n\r\n", 505},
      {"http/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
      {"tls hello", "\x16\x03\x01\x02\x00\x01", 400},
      {"garbage", "hello there\r\n\r\n", 400},
      {"blank in a name", host + "Bad Name: 1\r\n\r\n", 400},
      {"nul in a value", host + std::string("X: a\0b\r\n\r\n", 10), 400},
      {"expectation", host + "Expect: cake\r\n\r\n", 417},
      {"large head", host + "X: " + std::string(kHeadBytes, 'x') + "\r\n\r\n", 431},
      {"large target", "GET /" + std::string(kHeadBytes, 'x') + " HTTP/1.1\r\n\r\n", 431},
      {"chunks after a large head",
       post + "X: " + std::string(500, 'x') + "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 431},
  };
  for (const Case& c : cases) {
    for (const size_t step : {size_t{1}, size_t{7}, c.text.size()}) {
      SCOPED_TRACE(std::string(c.name) + " in steps of " + std::to_string(step));
      Buffers b;
      HttpParser parser(b.head, kBodyBytes);
      Feed(parser, b, c.text, step);
      ASSERT_EQ(parser.state(), State::kRefused);
      EXPECT_EQ(parser.refusal(), c.status) << parser.refusal_reason();
      EXPECT_STRNE(parser.refusal_reason(), "");
    }
  }
}

TEST(HttpParser, Headers) {
  Buffers b;
  HttpParser parser(b.head, kBodyBytes);
  Feed(parser, b,
       "GET / HTTP/1.1\r\nhOsT:a\r\nACCEPT:  text/plain , a/b \t\r\nContent-Type: x\r\n"
       "Content-Encoding: gzip\r\nAuthorization: Bearer t\r\nX-Empty:\r\nAccept: second\r\n\r\n",
       1);
  ASSERT_EQ(parser.state(), State::kComplete);
  EXPECT_EQ(parser.request().accept, "text/plain , a/b");
  EXPECT_EQ(parser.request().content_type, "x");
  EXPECT_EQ(parser.request().content_encoding, "gzip");
  EXPECT_EQ(parser.request().authorization, "Bearer t");
}

TEST(HttpParser, NoBodyBuffer) {
  Buffers b;
  for (const char* header : {"Content-Length: 1", "Transfer-Encoding: chunked"}) {
    HttpParser parser(b.head, 0);
    Feed(parser, b, std::string("POST / HTTP/1.1\r\nHost: a\r\n") + header + "\r\n\r\n", 1);
    EXPECT_EQ(parser.state(), State::kRefused);
    EXPECT_EQ(parser.refusal(), 413);
  }
}

TEST(HttpParser, Pipelined) {
  const std::string text =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"
      "POST /2 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /3 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
      "GET /4 HTTP/1.0\r\n\r\n"
      "GET /rest";
  const char* const paths[] = {"/1", "/2", "/3", "/4"};
  const char* const bodies[] = {"", "abc", "de", ""};
  for (size_t step = 1; step < text.size(); ++step) {
    SCOPED_TRACE(step);
    Buffers b;
    HttpParser parser(b.head, kBodyBytes);
    std::string_view rest = text;
    for (int i = 0; i < 4; ++i) {
      rest = Feed(parser, b, rest, step);
      ASSERT_EQ(parser.state(), State::kComplete);
      EXPECT_EQ(parser.request().path, paths[i]);
      EXPECT_EQ(BodyOf(parser), bodies[i]);
      parser.Next();
    }
    EXPECT_EQ(Feed(parser, b, rest, step), "");
    EXPECT_EQ(parser.state(), State::kHead);
    EXPECT_FALSE(parser.idle());
  }
}

TEST(HttpParser, Continue) {
  Buffers b;
  HttpParser parser(b.head, kBodyBytes);
  const std::string head =
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 3\r\n\r\n";
  Feed(parser, b, head, 1);
  EXPECT_EQ(parser.state(), State::kBody);
  EXPECT_TRUE(parser.TakeContinue());
  EXPECT_FALSE(parser.TakeContinue());
  Feed(parser, b, "abc", 1);
  EXPECT_EQ(parser.state(), State::kComplete);
  parser.Next();
  Feed(parser, b, head + "a", 1000);  // The body has begun: nobody waits.
  EXPECT_FALSE(parser.TakeContinue());
}

TEST(HttpParser, ReadsNoFurtherThanTheLength) {
  Buffers b;
  HttpParser parser(b.head, kBodyBytes);
  Feed(parser, b, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n\r\nab", 1000);
  EXPECT_EQ(parser.Space().size(), 498u);
  EXPECT_EQ(parser.Space().data(), b.body + 2);
}

TEST(HttpParser, WantsBlocks) {
  std::string head(kHeadBytes, 0), small(4096, 0), large(8192, 0);
  HttpParser parser(head, 9000);
  const auto feed = [&parser](const std::string& text) {
    std::memcpy(parser.Space().data(), text.data(), text.size());
    return parser.Take(text.size());
  };
  EXPECT_EQ(feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nfff\r\n01"),
            State::kWantsBody);
  EXPECT_EQ(parser.body_wanted(), 4096u);
  EXPECT_EQ(parser.request().path, "/");
  EXPECT_EQ(parser.GiveBody(small), State::kBody);
  EXPECT_TRUE(small.starts_with("01"));
  size_t sent = 2;
  while (sent + 500 <= 4095) {
    EXPECT_EQ(feed(std::string(500, 'x')), State::kBody);
    sent += 500;
  }
  EXPECT_EQ(feed(std::string(4095 - sent, 'x')), State::kBody);
  EXPECT_EQ(feed("\r\n3\r\n"), State::kWantsBody);  // R4: it may all be body.
  EXPECT_EQ(parser.body_wanted(), 8192u);
  large.replace(0, 4096, small);
  EXPECT_EQ(parser.GiveBody(large), State::kBody);
  EXPECT_EQ(feed("abc\r\n0\r\n\r\n"), State::kComplete);
  EXPECT_EQ(BodyOf(parser), "01" + std::string(4093, 'x') + "abc");
  parser.DropBody();
  EXPECT_TRUE(parser.request().body.empty());
  EXPECT_EQ(parser.request().path, "/");
  EXPECT_EQ(parser.Next(), State::kHead);
  EXPECT_EQ(feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000\r\n\r\n"), State::kWantsBody);
  EXPECT_EQ(parser.body_wanted(), 9000u);
}

/// What became of `text`, as one comparable line for each request in it.
std::string Outcome(std::string_view text, uint64_t step_bits) {
  Buffers b;
  HttpParser parser(b.head, kBodyBytes);
  std::string outcome;
  while (true) {
    Feed(parser, b, "", 1);
    while (!text.empty() && (parser.state() == State::kHead || parser.state() == State::kBody)) {
      const std::string_view piece = text.substr(0, 1 + step_bits % 97);
      text.remove_prefix(piece.size() - Feed(parser, b, piece, piece.size()).size());
      step_bits = step_bits * 6364136223846793005u + 1442695040888963407u;
    }
    if (parser.state() == State::kRefused) return outcome + std::to_string(parser.refusal());
    if (parser.state() != State::kComplete) return outcome + "more";
    outcome += std::string(parser.request().method) + ' ' + std::string(parser.request().path) +
               ' ' + BodyOf(parser) + '\n';
    parser.Next();
  }
}

TEST(HttpParser, DamagedRequestsComeToTheSameInAnyPieces) {
  const std::string good =
      "POST /a?b=c HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
      "POST /d HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
      "GET /e HTTP/1.0\r\nConnection: keep-alive\r\nAccept: x\r\n\r\n";
  constexpr uint64_t kSeed = 20240101;
  uint64_t random = kSeed;
  const auto below = [&random](size_t bound) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    return static_cast<size_t>((random >> 33) % bound);
  };
  for (int round = 0; round < 20'000; ++round) {
    SCOPED_TRACE("seed " + std::to_string(kSeed) + " round " + std::to_string(round));
    std::string text = good;
    for (size_t damages = 1 + below(3); damages > 0; --damages) {
      const size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(256));
          break;
        case 1:
          text.erase(at, 1 + below(8));
          break;
        case 2:
          text.insert(at, good.substr(below(good.size()), below(24)));
          break;
        default:
          text.insert(at, below(1200), good[below(good.size())]);
          break;
      }
      if (text.empty()) text = "x";
    }
    ASSERT_EQ(Outcome(text, round), Outcome(text, random));
  }
}

TEST(HttpStatusText, Cases) {
  EXPECT_STREQ(HttpStatusText(200), "OK");
  EXPECT_STREQ(HttpStatusText(503), "Service Unavailable");
  EXPECT_STREQ(HttpStatusText(299), "Unknown");
}

}  // namespace
}  // namespace limpet
