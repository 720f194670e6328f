// Clients that send again until they are told 200, an agent that is killed and loses power under them, a
// destination that comes and goes: what was said 200 of after a commit arrives, and in order.
#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include "otlp_points.h"
#include "sim/receive_world.h"
#include "sim/slow.h"

namespace limpet::sim {
namespace {

/// A program that hands over numbered records, one request at a time, the same one again until it is taken.
struct Client {
  std::string name;
  uint64_t taken = 0;     ///< Up to this number it was told 200,
  uint64_t safe = 0;      ///< and up to this one after a commit.
  uint64_t given = 0;     ///< Up to this number was ever posted.
  uint32_t count = 0;     ///< Of the request at hand.
  bool waits = false;     ///< For a deferred answer.
  MonoTime next;
};

/// What the destination has had of a client.
struct Seen {
  uint64_t last = 0;  ///< First arrivals are in order, without a gap.
  uint64_t repeats = 0;
};

struct Checker {
  std::map<std::string, Seen> seen;
  std::map<std::string, bool> may_skip;  ///< What was in memory only died with the process.
  std::string broken;

  void OnLogs(const Bytes& body) {
    for (WireReader in(body); in.Next();) {
      std::string client;
      for (WireReader logs = in.Message(); logs.Next();) {
        if (logs.field() == otlp_ResourceLogs_resource_tag) {
          for (WireReader resource = logs.Message(); resource.Next();) {
            const KeyValueView pair = ReadKeyValue(resource.Bytes());
            const auto text = ReadAnyValue(pair.value).bytes;
            if (pair.key == "service.name") client.assign(text.begin(), text.end());
          }
        }
      }
      Bytes one(in.raw().begin(), in.raw().end());
      for (const SeenRecord& record : ReadRecords(one)) {
        const auto number = record.numbers.find("n");
        if (number == record.numbers.end()) continue;  // An event of limpet's own.
        OnNumber(client, static_cast<uint64_t>(number->second));
      }
    }
  }
  void OnNumber(const std::string& client, uint64_t n) {
    Seen& s = seen[client];
    if (n <= s.last) {
      ++s.repeats;
      return;
    }
    if (n != s.last + 1 && !may_skip[client]) broken = client + " skips to " + std::to_string(n);
    s.last = n;
  }
};

void Weather(uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto below = [&](uint64_t n) { return random() % n; };
  ReceiveWorld world(seed);
  const bool always = seed % 2 == 0;
  world.config.spool.durability = always ? Durability::kAlways : Durability::kOnDemand;
  world.config.spool.max_bytes = below(2) == 0 ? 64 * kMiB : 512 * 1024;
  world.config.queue.batch_bytes = below(2) == 0 ? 64 * 1024 : 8 * 1024;
  world.config.queue.batch_items = below(2) == 0 ? 512 : 30;
  world.config.receive.merge = below(3) == 0;
  world.queue_blocks = static_cast<size_t>(400 + below(2) * 1500);
  world.worker.latency = Milliseconds(static_cast<int64_t>(below(3) * below(200)));
  Checker checker;
  world.respond = [&](const SimRequest& request) {
    if (!world.up) return SimAnswer{.sent = Sent::kNotSent, .error = "connection refused"};
    if (below(30) == 0) return SimAnswer{.status = 503};
    if (request.signal == Signal::kLogs && !request.probe()) {
      checker.OnLogs(request.encoding == Encoding::kGzip ? Inflate(request.body) : request.body);
    }
    return SimAnswer{.delay = Milliseconds(static_cast<int64_t>(below(100)))};
  };
  std::vector<Client> clients(static_cast<size_t>(1 + below(4)));
  for (size_t c = 0; c < clients.size(); ++c) clients[c].name = "app-" + std::to_string(c);

  const auto told = [&](Client& client, const Reply& reply, bool committed) {
    client.waits = false;
    client.next = world.clock.mono + Milliseconds(static_cast<int64_t>(below(1000)));
    if (reply.status != 200) {
      ASSERT_TRUE(reply.status == 429 || reply.status == 503) << reply.status << reply.body;
      client.next = world.clock.mono + Seconds(reply.retry_after);
      return;
    }
    client.taken = client.given;
    if (committed) client.safe = client.taken;
    client.count = 0;
  };
  const auto step = [&] {
    for (size_t slot = 0; slot < clients.size(); ++slot) {
      Client& client = clients[slot];
      if (client.waits) {
        if (const std::optional<Reply> reply = world.Deferred(slot)) told(client, *reply, true);
        continue;
      }
      if (client.next > world.clock.mono) continue;
      if (client.count == 0) client.count = static_cast<uint32_t>(1 + below(below(10) == 0 ? 500 : 40));
      client.given = client.taken + client.count;
      const Bytes request = world.Logs(client.taken + 1, client.count, client.name, static_cast<size_t>(20 + below(100)));
      const bool packed = below(2) == 0;
      const std::optional<Reply> reply = world.Post(packed ? Gzip(request) : request, "/v1/logs", slot,
                                                    "application/x-protobuf", packed ? "gzip" : "");
      client.waits = !reply;
      if (reply) told(client, *reply, false);
    }
  };
  const auto run = [&](Duration length) {
    const MonoTime until = world.clock.mono + length;
    while (world.clock.mono < until && !testing::Test::HasFatalFailure()) {
      step();
      world.RunFor(Milliseconds(50));
      if (world.flash->dead()) return;
    }
  };

  world.Start();
  bool crashed = false, unsure = false;
  for (int spell = 0; spell < 6; ++spell) {
    world.up = below(2) == 0;
    const uint64_t end = below(6);
    if (end == 0) world.flash->CutPowerAfter(1 + below(100));
    run(Milliseconds(static_cast<int64_t>(below(60'000))));
    ASSERT_FALSE(testing::Test::HasFatalFailure());
    if (end > 2 && !world.flash->dead()) continue;
    if (world.flash->dead() || end <= 1) {
      crashed = true;
      world.CutPower(random());
    } else if (below(2) == 0) {
      world.StopAndEnd();
      for (Client& client : clients) client.safe = client.taken;
    } else {
      crashed = true;
      world.Kill();
    }
    // Nobody answers those that wait: they come again. Of what was only in memory nobody knows.
    for (Client& client : clients) {
      unsure = unsure || client.waits;
      client.waits = false;
      client.next = world.clock.mono;
      if (client.taken > client.safe) checker.may_skip[client.name] = true;
    }
    world.Again();
    ASSERT_FALSE(testing::Test::HasFatalFailure());
  }
  world.flash->CutPowerAfter(1'000'000'000);
  world.up = true;
  for (Client& client : clients) client.next = kNever;  // No more requests, but for the answers that are due.
  run(Seconds(5));
  world.Drain();
  world.RunFor(Seconds(10));
  ASSERT_FALSE(testing::Test::HasFatalFailure());
  world.StopAndEnd();
  ExpectNothingBroken(world);
  EXPECT_EQ(checker.broken, "");
  for (const Client& client : clients) {
    SCOPED_TRACE(client.name);
    const Seen& seen = checker.seen[client.name];
    EXPECT_GE(seen.last, crashed ? client.safe : client.taken);
    EXPECT_LE(seen.last, client.given);
    if (!crashed && !unsure) { EXPECT_EQ(seen.repeats, 0u) << "nobody had to send again what was taken"; }
  }
  EXPECT_EQ(world.Total(Signal::kLogs).dropped_total(), 0u);
}

TEST(Receive, WhatWasTakenArrivesInOrder) {
  const char* const given = std::getenv("LIMPET_SEEDS");
  const uint64_t seeds = given != nullptr ? std::strtoull(given, nullptr, 10) : kSlow ? 6 : 100;
  for (uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    Weather(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace
}  // namespace limpet::sim
