#include "logs/syslog_source.h"

#include <gtest/gtest.h>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "fake_net.h"
#include "log_bench.h"

namespace limpet {
namespace {

constexpr const char* kAddress = "127.0.0.1:5514";
constexpr const char* kDevLog = "unix:/dev/log";

LogConfig Config(std::string_view listen = kAddress) {
  LogConfig config;
  config.name = "net";
  config.type = LogType::kSyslog;
  config.listen = listen;
  config.max_line_bytes = 4096;
  config.time_key = "time";
  config.time_format = "auto";
  config.level_key = "level";
  config.message_key = "message";
  return config;
}

/// A source between a network of one process and a batcher.
struct Bench {
  explicit Bench(const LogConfig& c = Config(), Overflow overflow = Overflow::kDropOldest,
                 size_t queue_blocks = 8000)
      : config(c),
        slab(Batcher::SlabBytes(kBatchBytes)),
        arena(queue_blocks * kBlockBytes / sizeof(uint64_t)),
        queue(std::as_writable_bytes(std::span(arena))),
        batcher({.items_max = 512, .bytes_max = kBatchBytes, .delay = Seconds(1), .overflow = overflow, .boot = {}},
                {std::span<uint8_t>(), std::span<uint8_t>(slab), {}}, nullptr, {}, queue, ledger, log),
        logs(batcher, "1.2.3"),
        attributes(RecordPipeline::AttributeBytes(config)),
        body(config.max_line_bytes),
        pipeline(config, true, {attributes, body}),
        memory(SyslogSource::BytesNeeded(config) / sizeof(std::max_align_t) + 1),
        scratch(SyslogSource::ScratchBytes(config) / sizeof(std::max_align_t) + 1),
        source(config, {.start = 7, .started = UnixTime{1'700'000'000'000'000'000}, .resource = {}},
               std::as_writable_bytes(std::span(memory)), std::as_writable_bytes(std::span(scratch)),
               pipeline, poller, sockets, log) {
    EXPECT_TRUE(source.Start().ok());
  }

  FakeSockets::Mailbox& mailbox() { return sockets.MailboxAt(std::string(config.listen)); }
  FakeSockets::Connection& Dial(std::string peer = "") {
    FakeSockets::Connection& connection = sockets.Dial(sockets.ListenerAt(std::string(config.listen)));
    connection.peer = std::move(peer);
    return connection;
  }
  Stamp now() { return {.wall = clock.Wall(), .mono = clock.now}; }

  /// A turn of the loop: what is ready is told, then the source is asked. False: it has nothing to do.
  bool Turn() {
    const bool ready = poller.Step();
    due = source.OnTime(now(), logs);
    return ready || due <= clock.now;
  }
  /// Until there is nothing to do any more. False: it does not come to rest, which would be a busy loop.
  bool Settle() {
    int idle = 0;  // What one turn begins to watch the next one sees.
    for (int i = 0; i < 10'000 && idle < 2; ++i) idle = Turn() ? 0 : idle + 1;
    return idle == 2;
  }
  void Pass(Duration time) { clock.now = clock.now + time; }

  /// What has come out since the last call.
  std::vector<SeenLog> Take() {
    batcher.Close(Signal::kLogs);
    std::vector<SeenLog> taken;
    while (const BatchId id = queue.Head(Signal::kLogs)) {
      const BatchQueue::Payload payload(queue, id);
      std::vector<uint8_t> raw;
      while (raw.size() < payload.size()) {
        const auto piece = payload.At(raw.size());
        raw.insert(raw.end(), piece.begin(), piece.end());
      }
      SeenRequest seen(raw);
      taken.insert(taken.end(), seen.logs.begin(), seen.logs.end());
      ledger.Deliver(Signal::kLogs, seen.logs.size());
      queue.Remove(id);
    }
    return taken;
  }
  std::vector<std::string> Bodies() {
    std::vector<std::string> bodies;
    for (const SeenLog& seen : Take()) {
      bodies.push_back(seen.body + (seen.attributes.contains("limpet.truncated") ? "..." : ""));
    }
    return bodies;
  }
  /// Those of several connections come in any order.
  std::vector<std::string> Sorted() {
    std::vector<std::string> bodies = Bodies();
    std::sort(bodies.begin(), bodies.end());
    return bodies;
  }
  uint64_t dropped(DropReason reason) {
    return ledger.account(Signal::kLogs).dropped[static_cast<size_t>(reason)];
  }
  bool Balances() {
    return ledger.account(Signal::kLogs).Balances(
        {.open = batcher.open_items(Signal::kLogs), .memory = queue.items(Signal::kLogs)});
  }

  static constexpr uint32_t kBatchBytes = 64 * 1024;
  const LogConfig config;
  std::vector<uint8_t> slab;
  std::vector<uint64_t> arena;
  Ledger ledger;
  sim::SimLog log;
  BatchQueue queue;
  Batcher batcher;
  LogEncoder logs;
  std::vector<uint8_t> attributes;
  std::vector<char> body;
  RecordPipeline pipeline;
  FakeSockets sockets;
  FakeClock clock;
  FakePoller poller{sockets, clock};
  std::vector<std::max_align_t> memory, scratch;
  SyslogSource source;
  MonoTime due;
};

using Texts = std::vector<std::string>;

TEST(SyslogSource, ADatagramIsARecord) {
  Bench bench;
  bench.mailbox().Post("<165>1 2003-10-11T22:14:15.003Z host app 42 ID47 - it is hot", "192.0.2.9");
  bench.mailbox().Post("<34>Oct 11 22:14:15 mymachine su[7]: 'su root' failed\n");
  EXPECT_TRUE(bench.Settle());
  const std::vector<SeenLog> seen = bench.Take();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].body, "it is hot");
  EXPECT_EQ(seen[0].severity, 10u);
  EXPECT_EQ(seen[0].level, "notice");
  EXPECT_EQ(seen[0].time, 1'065'910'455'003'000'000u);
  EXPECT_EQ(seen[0].observed, static_cast<uint64_t>(bench.clock.Wall().ns));
  const std::map<std::string, std::string>& attributes = seen[0].attributes;
  EXPECT_EQ(attributes.at("network.peer.address"), "192.0.2.9");
  EXPECT_EQ(attributes.at("syslog.facility"), "int 20");
  EXPECT_EQ(attributes.at("service.name"), "app");
  EXPECT_EQ(attributes.at("host.name"), "host");
  EXPECT_EQ(seen[1].body, "'su root' failed");
  EXPECT_EQ(seen[1].level, "crit");
  EXPECT_FALSE(seen[1].attributes.contains("network.peer.address"));  // It came from this host.
  EXPECT_NE(seen[0].attributes.at("log.record.uid"), seen[1].attributes.at("log.record.uid"));
  EXPECT_TRUE(bench.Balances());
}

TEST(SyslogSource, WhatDatagramsBecome) {
  const std::string nul(1, '\0');
  struct Case {
    const char* name;
    std::string datagram;
    Texts bodies;
  };
  const Case cases[] = {
      {"NUL at its end, as of Python", "<14>text" + nul, {"text"}},
      {"lines in it", "<14>one\ntwo\n", {"one\ntwo"}},
      {"no syslog", "what is this", {"what is this"}},
      {"nothing", "", {}},
      {"nothing but ends", "\n" + nul, {}},
      {"a priority alone", "<14>", {""}},
      {"as long as may be", "<14>" + std::string(4092, 'x') + "\r\n", {std::string(4092, 'x')}},
      {"too long by one", "<14>" + std::string(4093, 'x'), {std::string(4092, 'x') + "..."}},
      {"too long", "<14>" + std::string(9000, 'x'), {std::string(4092, 'x') + "..."}},
      {"no UTF-8", "<14>caf\xe9", {"caf\xef\xbf\xbd"}},
  };
  for (const std::string_view listen : {kAddress, kDevLog}) {
    Bench bench(Config(listen));
    for (const Case& c : cases) {
      SCOPED_TRACE(c.name);
      bench.mailbox().Post(c.datagram);
      EXPECT_TRUE(bench.Settle());
      EXPECT_EQ(bench.Bodies(), c.bodies);
    }
    EXPECT_TRUE(bench.Balances());
  }
}

TEST(SyslogSource, TheTextMayHaveAFormat) {
  LogConfig config = Config();
  config.format = LineFormat::kJson;
  Bench bench(config);
  bench.mailbox().Post(R"(<14>1 2003-10-11T22:14:15Z h app - - - {"message":"hot","level":"error","n":5,)"
                       R"("time":"2003-10-11T22:14:16Z"})");
  bench.mailbox().Post(R"(<14>Oct 11 22:14:15 h app: @cee: {"message":"cold"})");
  bench.mailbox().Post("<14>1 2003-10-11T22:14:15Z h app - - - {no JSON");
  EXPECT_TRUE(bench.Settle());
  const std::vector<SeenLog> seen = bench.Take();
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen[0].body, "hot");
  EXPECT_EQ(seen[0].severity, 17u);
  EXPECT_EQ(seen[0].level, "error");
  EXPECT_EQ(seen[0].time, 1'065'910'456'000'000'000u);
  EXPECT_EQ(seen[0].attributes.at("n"), "int 5");
  EXPECT_EQ(seen[0].attributes.at("service.name"), "app");
  EXPECT_EQ(seen[1].body, "cold");
  EXPECT_EQ(seen[1].level, "info");  // Of the priority.
  EXPECT_EQ(seen[2].body, "{no JSON");
  EXPECT_EQ(seen[2].attributes.at("service.name"), "app");
}

TEST(SyslogSource, ConnectionsOfBothFramings) {
  Bench bench;
  FakeSockets::Connection& lines = bench.Dial("2001:db8::7");
  FakeSockets::Connection& counted = bench.Dial();
  lines.to_server = "<14>one\n<14>two\n<14>thr";
  counted.to_server = "7 <14>uno8 <14>d";
  EXPECT_TRUE(bench.Settle());
  std::map<std::string, SeenLog> seen;
  for (const SeenLog& log : bench.Take()) seen[log.body] = log;
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_EQ(seen.at("one").attributes.at("network.peer.address"), "2001:db8::7");
  EXPECT_EQ(seen.at("two").attributes.at("network.peer.address"), "2001:db8::7");
  EXPECT_FALSE(seen.at("uno").attributes.contains("network.peer.address"));
  lines.to_server = "ee\n";
  counted.to_server = "osx10 <14>";
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Sorted(), (Texts{"dosx", "three"}));
  EXPECT_EQ(bench.source.use().connections, 2u);

  // The end in the middle of a message: what is there is a record.
  lines.to_server = "<14>four";
  lines.client_finished = true;
  counted.to_server = "abc";
  counted.client_gone = true;
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Sorted(), (Texts{"abc...", "four"}));
  EXPECT_TRUE(lines.server_closed && counted.server_closed);
  EXPECT_EQ(bench.source.use().connections, 0u);
  EXPECT_EQ(bench.source.use().messages, 7u);
  EXPECT_TRUE(bench.Balances());
}

/// Whatever a sender writes and however it is cut into pieces, in the company of others.
TEST(SyslogSource, PiecesDoNotMatter) {
  for (uint32_t seed = 1; seed <= 40; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    Bench bench;
    constexpr size_t kSenders = 5;
    std::vector<FakeSockets::Connection*> senders;
    std::vector<std::string> streams(kSenders);
    std::vector<Texts> sent(kSenders), got(kSenders);
    for (size_t s = 0; s < kSenders; ++s) {
      senders.push_back(&bench.Dial());
      for (int m = 0; m < 30; ++m) {
        const size_t size = random() % 10 == 0 ? random() % 5000 : random() % 60;
        std::string text = "s" + std::to_string(s) + " m" + std::to_string(m) + " ";
        text += std::string(size, 'x');
        const std::string message = "<14>app: " + text;
        const bool truncated = message.size() > bench.config.max_line_bytes;
        streams[s] += s % 2 == 0 ? message + "\n" : std::to_string(message.size()) + " " + message;
        sent[s].push_back(truncated ? text.substr(0, bench.config.max_line_bytes - 9) + "..." : text);
      }
    }
    for (bool any = true; any;) {
      any = false;
      for (size_t s = 0; s < kSenders; ++s) {
        const size_t piece = random() % 3 == 0 ? 1 + random() % 3000 : 1 + random() % 40;
        senders[s]->to_server += streams[s].substr(0, piece);
        streams[s].erase(0, piece);
        any = any || !streams[s].empty();
      }
      ASSERT_TRUE(bench.Settle());
      bench.Pass(Milliseconds(1));
    }
    for (const std::string& body : bench.Bodies()) got[static_cast<size_t>(body[1] - '0')].push_back(body);
    for (size_t s = 0; s < kSenders; ++s) EXPECT_EQ(got[s], sent[s]) << s;
    EXPECT_TRUE(bench.Balances());
  }
}

TEST(SyslogSource, SplitAtEveryByte) {
  const std::string stream = "<14>one\n7 <14>two\r\n8 <14>four<14>end";
  for (size_t at = 0; at <= stream.size(); ++at) {
    Bench bench;
    FakeSockets::Connection& sender = bench.Dial();
    sender.to_server = stream.substr(0, at);
    EXPECT_TRUE(bench.Settle());
    sender.to_server += stream.substr(at);
    sender.client_finished = true;
    EXPECT_TRUE(bench.Settle());
    EXPECT_EQ(bench.Bodies(), (Texts{"one", "two", "four", "end"})) << at;
  }
}

TEST(SyslogSource, ABrokenFramingClosesItsConnection) {
  Bench bench;
  FakeSockets::Connection& broken = bench.Dial("192.0.2.1");
  FakeSockets::Connection& other = bench.Dial();
  broken.to_server = "5 <14>one7 <14>two";
  other.to_server = "<14>fine\n";
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Sorted(), (Texts{"fine", "ne7 <14>two...", "o"}));  // Nothing of it is lost.
  EXPECT_TRUE(broken.server_closed);
  EXPECT_FALSE(other.server_closed);
  EXPECT_EQ(bench.source.use().broken, 1u);
  EXPECT_EQ(bench.log.Count("framing"), 1u);
  EXPECT_EQ(bench.log.Count("192.0.2.1"), 1u);
}

TEST(SyslogSource, AFloodOfDatagramsTakesAShare) {
  Bench bench;
  FakeSockets::Connection& quiet = bench.Dial();
  ASSERT_TRUE(bench.Settle());
  for (int i = 0; i < 5000; ++i) bench.mailbox().Post("<14>flood");
  quiet.to_server = "<14>quiet\n";
  EXPECT_TRUE(bench.Turn());
  EXPECT_EQ(bench.mailbox().letters.size(), 5000 - SyslogSource::kDatagramsAtOnce);
  EXPECT_LE(bench.due, bench.clock.now);  // It wants to go on,
  const Texts bodies = bench.Bodies();
  EXPECT_EQ(std::count(bodies.begin(), bodies.end(), "quiet"), 1);  // and has seen to the other one.
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, 5001u);

  // Large ones count by their bytes.
  for (int i = 0; i < 100; ++i) bench.mailbox().Post("<14>" + std::string(4000, 'x'));
  EXPECT_TRUE(bench.Turn());
  EXPECT_EQ(bench.mailbox().letters.size(), 100u - (SyslogSource::kBytesAtOnce + 4003) / 4004);
}

TEST(SyslogSource, AFloodOnAConnectionTakesAShare) {
  Bench bench;
  FakeSockets::Connection& flood = bench.Dial();
  FakeSockets::Connection& quiet = bench.Dial();
  ASSERT_TRUE(bench.Settle());
  for (int i = 0; i < 100'000; ++i) flood.to_server += "<14>flood\n";
  const size_t before = flood.to_server.size();
  quiet.to_server = "<14>quiet\n";
  EXPECT_TRUE(bench.Turn());
  EXPECT_LE(before - flood.to_server.size(), SyslogSource::kReadAtOnce);
  EXPECT_TRUE(quiet.to_server.empty());
  EXPECT_LE(bench.due, bench.clock.now);
  bench.poller.limit = 0;  // It needs no event to go on.
  for (int i = 0; i < 400 && !flood.to_server.empty(); ++i) {
    bench.due = bench.source.OnTime(bench.now(), bench.logs);
  }
  EXPECT_TRUE(flood.to_server.empty());
  EXPECT_EQ(bench.source.use().messages, 100'001u);
}

TEST(SyslogSource, WhilePausedDatagramsAreDroppedAndConnectionsWait) {
  Bench bench(Config(), Overflow::kPauseSources, 400);  // Room for three batches.
  FakeSockets::Connection& sender = bench.Dial();
  ASSERT_TRUE(bench.Settle());
  uint64_t sent = 0;
  for (; !bench.logs.paused() && sent < 10'000; ++sent) {
    bench.mailbox().Post("<14>" + std::string(1000, 'x'));
    ASSERT_TRUE(bench.Settle());
  }
  ASSERT_TRUE(bench.logs.paused());
  EXPECT_EQ(bench.dropped(DropReason::kOverflow), 0u);
  EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 0u);

  for (int i = 0; i < 600; ++i) bench.mailbox().Post("<14>too much");
  for (int i = 0; i < 10; ++i) sender.to_server += "<14>waits\n";
  FakeSockets::Connection& late = bench.Dial();
  late.to_server = "<14>late\n";
  EXPECT_TRUE(bench.Settle());  // No busy loop either.
  EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 600u);
  EXPECT_EQ(bench.source.use().lost, 600u);
  EXPECT_EQ(sender.to_server.size(), 100u);
  EXPECT_LE(bench.due, bench.clock.now + SyslogSource::kPause);
  EXPECT_TRUE(bench.Balances());

  bench.Take();
  EXPECT_FALSE(bench.logs.paused());
  EXPECT_TRUE(bench.Settle());
  Texts want(11, "waits");
  want[0] = "late";
  EXPECT_EQ(bench.Sorted(), want);
  EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 600u);
  EXPECT_TRUE(bench.Balances());
}

TEST(SyslogSource, OtherPoliciesDoNotPause) {
  for (const Overflow overflow : {Overflow::kDropOldest, Overflow::kDropNewest}) {
    Bench bench(Config(), overflow, 400);
    for (int i = 0; i < 1000; ++i) {
      bench.mailbox().Post("<14>" + std::string(1000, 'x'));
      ASSERT_TRUE(bench.Settle());
    }
    EXPECT_GT(bench.dropped(DropReason::kOverflow), 0u);
    EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 0u);
    EXPECT_TRUE(bench.Balances());
  }
}

TEST(SyslogSource, WhatTheKernelDropsIsCounted) {
  Bench bench;
  bench.mailbox().room = 10;
  for (int i = 0; i < 25; ++i) bench.mailbox().Post("<14>x");
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies().size(), 10u);
  EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 15u);
  for (int i = 0; i < 11; ++i) bench.mailbox().Post("<14>x");
  EXPECT_TRUE(bench.Settle());
  EXPECT_EQ(bench.dropped(DropReason::kSourceFull), 16u);
  EXPECT_EQ(bench.source.use().lost, 16u);
  EXPECT_TRUE(bench.Balances());
}

/// Bytes of a message that needs more than a connection's own buffer.
std::string Long(char c, size_t size = 3000) { return "<14>" + std::string(size, c); }

TEST(SyslogSource, LongMessagesTakeTurns) {
  Bench bench;
  FakeSockets::Connection& first = bench.Dial();
  FakeSockets::Connection& second = bench.Dial();
  FakeSockets::Connection& third = bench.Dial();
  FakeSockets::Connection& brief = bench.Dial();
  first.to_server = Long('a');
  ASSERT_TRUE(bench.Settle());  // It holds the long buffer.
  bench.Pass(Milliseconds(1));
  second.to_server = Long('b');
  ASSERT_TRUE(bench.Settle());
  bench.Pass(Milliseconds(1));
  third.to_server = Long('c');
  brief.to_server = "<14>brief\n";
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), Texts{"brief"});  // Who needs less goes on.
  EXPECT_GT(second.to_server.size(), 0u);
  EXPECT_GT(third.to_server.size(), 0u);

  // The holder finishes, and goes on to write: the others come first.
  bench.Pass(Milliseconds(1));
  first.to_server = "\n" + Long('A') + "\n";
  second.to_server += "\n";
  third.to_server += "\n";
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), (Texts{std::string(3000, 'a'), std::string(3000, 'b'), std::string(3000, 'c'),
                                   std::string(3000, 'A')}));
}

TEST(SyslogSource, WhoWaitsForALongMessageIsNotHeldUpForEver) {
  Bench bench;
  FakeSockets::Connection& stalled = bench.Dial();
  FakeSockets::Connection& other = bench.Dial();
  stalled.to_server = Long('a');
  ASSERT_TRUE(bench.Settle());
  bench.Pass(Seconds(3600));  // Alone it may take its time.
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), Texts{});
  other.to_server = Long('b') + "\n";
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.due, bench.clock.now + SyslogSource::kHold);
  for (int i = 0; i < 19; ++i) {  // Bytes that trickle in do not prolong it.
    bench.Pass(Milliseconds(100));
    stalled.to_server += "a";
    ASSERT_TRUE(bench.Settle());
    EXPECT_EQ(bench.Bodies(), Texts{});
  }
  bench.Pass(Milliseconds(100));
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), (Texts{std::string(3019, 'a') + "...", std::string(3000, 'b')}));
  stalled.to_server = "rest\n<14>next\n";  // Its rest is no message.
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), Texts{"next"});
}

TEST(SyslogSource, AHolderThatGoesPassesOn) {
  Bench bench;
  FakeSockets::Connection& holder = bench.Dial();
  FakeSockets::Connection& other = bench.Dial();
  holder.to_server = Long('a');
  ASSERT_TRUE(bench.Settle());
  other.to_server = Long('b') + "\n";
  ASSERT_TRUE(bench.Settle());
  holder.client_gone = true;
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), (Texts{std::string(3000, 'a'), std::string(3000, 'b')}));
  EXPECT_TRUE(holder.server_closed);
}

TEST(SyslogSource, ACrowdClosesTheLongestSilent) {
  Bench bench;
  std::vector<FakeSockets::Connection*> senders;
  for (size_t i = 0; i < SyslogSource::kConnections; ++i) {
    senders.push_back(&bench.Dial());
    ASSERT_TRUE(bench.Settle());
    bench.Pass(Milliseconds(10));
  }
  bench.Pass(Seconds(7 * 86400));  // Silence is no reason by itself.
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.source.use().connections, SyslogSource::kConnections);

  senders[0]->to_server = "<14>here\n<14>and h";
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), Texts{"here"});
  senders[1]->to_server = "<14>unfin";
  ASSERT_TRUE(bench.Settle());
  bench.Pass(Seconds(2));
  // What nobody has told of yet counts as well.
  senders[2]->to_server = "<14>just now\n";
  FakeSockets::Connection& late = bench.Dial();
  late.to_server = "<14>late\n";
  ASSERT_TRUE(bench.Settle());
  EXPECT_FALSE(senders[0]->server_closed || senders[1]->server_closed || senders[2]->server_closed);
  EXPECT_TRUE(senders[3]->server_closed);
  EXPECT_FALSE(late.server_closed);
  EXPECT_EQ(bench.source.use().displaced, 1u);
  EXPECT_EQ(bench.Sorted(), (Texts{"just now", "late"}));
  EXPECT_EQ(bench.source.use().connections, SyslogSource::kConnections);

  // The unfinished message of one that is closed is kept.
  for (int i = 0; i < 14; ++i) {
    bench.Dial();
    ASSERT_TRUE(bench.Settle());
  }
  EXPECT_EQ(bench.source.use().displaced, 15u);
  EXPECT_TRUE(senders[0]->server_closed && senders[1]->server_closed);
  EXPECT_FALSE(senders[2]->server_closed);
  EXPECT_EQ(bench.Bodies(), (Texts{"and h", "unfin"}));
}

TEST(SyslogSource, ABusyCrowdIsLeftAlone) {
  Bench bench;
  std::vector<FakeSockets::Connection*> senders;
  for (size_t i = 0; i < SyslogSource::kConnections; ++i) senders.push_back(&bench.Dial());
  ASSERT_TRUE(bench.Settle());
  FakeSockets::Connection& late = bench.Dial();
  late.to_server = "<14>late\n";
  for (int i = 0; i < 50; ++i) {
    for (FakeSockets::Connection* const sender : senders) sender->to_server = "<14>busy\n";
    ASSERT_TRUE(bench.Settle());  // No busy loop while it waits.
    EXPECT_LE(bench.due, bench.clock.now + SyslogSource::kPause);
    bench.Pass(Milliseconds(100));
  }
  EXPECT_EQ(bench.source.use().displaced, 0u);
  EXPECT_EQ(late.to_server.size(), 9u);
  senders[5]->client_finished = true;  // One goes: its place is taken at once.
  ASSERT_TRUE(bench.Settle());
  const Texts bodies = bench.Bodies();
  EXPECT_EQ(std::count(bodies.begin(), bodies.end(), "late"), 1);
}

TEST(SyslogSource, NoHandleLeft) {
  Bench bench;
  bench.sockets.no_handles = true;
  FakeSockets::Connection& sender = bench.Dial();
  sender.to_server = "<14>x\n";
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.due, bench.clock.now + SyslogSource::kPause);
  bench.sockets.no_handles = false;
  bench.Pass(SyslogSource::kPause);
  ASSERT_TRUE(bench.Settle());
  EXPECT_EQ(bench.Bodies(), Texts{"x"});
}

TEST(SyslogSource, WhatCannotBeOpenedIsAnError) {
  Bench first;
  struct Case {
    const char* name;
    bool datagrams_taken, listener_taken;
  };
  for (const Case& c : {Case{"UDP", true, false}, Case{"TCP", false, true}}) {
    SCOPED_TRACE(c.name);
    FakeSockets& sockets = first.sockets;
    const LogConfig other = Config("127.0.0.1:1");
    const Result<int> taken =
        c.datagrams_taken ? sockets.BindDatagrams("127.0.0.1:1") : sockets.Listen("127.0.0.1:1");
    SyslogSource source(other, {}, std::as_writable_bytes(std::span(first.memory)),
                        std::as_writable_bytes(std::span(first.scratch)), first.pipeline, first.poller, sockets,
                        first.log);
    EXPECT_EQ(source.Start().code, Code::kExists);
    sockets.Close(taken.value());
    EXPECT_TRUE(sockets.BindDatagrams("127.0.0.1:1").ok());  // Nothing was left open.
    EXPECT_TRUE(sockets.Listen("127.0.0.1:1").ok());
    sockets.Close(sockets.ListenerAt("127.0.0.1:1"));
    sockets.CloseMailbox("127.0.0.1:1");
  }
}

TEST(SyslogSource, AStopTakesWhatIsThere) {
  Bench bench;
  FakeSockets::Connection& sender = bench.Dial();
  FakeSockets::Connection& slow = bench.Dial();
  ASSERT_TRUE(bench.Settle());
  sender.to_server = "<14>one\n<14>unfin";
  slow.to_server = Long('x');
  for (int i = 0; i < 1000; ++i) bench.mailbox().Post("<14>datagram");
  bench.source.Finish(bench.now(), bench.logs);
  EXPECT_EQ(bench.ledger.account(Signal::kLogs).collected, 1003u);
  EXPECT_TRUE(sender.server_closed && slow.server_closed);
  EXPECT_EQ(bench.poller.watched(), 0u);
  EXPECT_TRUE(bench.Balances());
}

TEST(SyslogSource, UidsBelongToStartAndSource) {
  std::set<std::string> uids;
  size_t records = 0;
  for (const std::string_view name : {"a", "b"}) {
    LogConfig config = Config();
    config.name = name;
    Bench bench(config);
    for (int i = 0; i < 3; ++i) bench.mailbox().Post("<14>x");
    ASSERT_TRUE(bench.Settle());
    for (const SeenLog& log : bench.Take()) uids.insert(log.attributes.at("log.record.uid")), ++records;
  }
  EXPECT_EQ(records, 6u);
  EXPECT_EQ(uids.size(), 6u);
}

}  // namespace
}  // namespace limpet
