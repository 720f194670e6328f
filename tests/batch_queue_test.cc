#include "queue/batch_queue.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <string>
#include <vector>

namespace limpet {
namespace {

BatchHeader Header(Signal signal, uint64_t sequence, std::string_view payload, uint32_t items = 1) {
  BatchHeader header;
  header.signal = signal;
  header.sequence = sequence;
  header.items = items;
  header.stored_bytes = static_cast<uint32_t>(payload.size());
  header.first_mono = MonoTime{static_cast<int64_t>(sequence)};
  return header;
}

std::span<const uint8_t> Bytes(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::string Read(const BatchQueue& queue, BatchId id) {
  const BatchQueue::Payload payload(queue, id);
  std::string text;
  while (text.size() < payload.size()) {
    const std::span<const uint8_t> piece = payload.At(text.size());
    if (piece.empty()) break;
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  EXPECT_TRUE(payload.At(payload.size()).empty());
  return text;
}

TEST(BatchQueue, KeepsBytesOfEverySizeOverBlockBorders) {
  std::vector<std::byte> arena(64 * kBlockBytes);
  BatchQueue queue(arena);
  for (size_t size = 0; size < 3 * kBlockBytes; ++size) {
    const std::string payload(size, static_cast<char>('a' + size % 26));
    const std::string checkpoints(size % 50, '!');
    BatchHeader header = Header(Signal::kLogs, size, payload);
    header.checkpoint_bytes = static_cast<uint32_t>(checkpoints.size());
    const Result<BatchId> id = queue.Push(header, Bytes(checkpoints), Bytes(payload));
    ASSERT_TRUE(id.ok());
    EXPECT_EQ(Read(queue, id.value()), payload);
    queue.Remove(id.value());
  }
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.use().used, 0u);
}

TEST(BatchQueue, RefusesWhenFullAndChangesNothing) {
  std::vector<std::byte> arena(4 * kBlockBytes);
  BatchQueue queue(arena);
  const std::string large(3 * kBlockBytes - 200, 'x');
  EXPECT_TRUE(queue.CanEverHold(large.size()));
  EXPECT_FALSE(queue.CanEverHold(4 * kBlockBytes));
  ASSERT_TRUE(queue.Push(Header(Signal::kLogs, 1, large), {}, Bytes(large)).ok());
  const size_t used = queue.use().used;
  EXPECT_EQ(queue.Push(Header(Signal::kLogs, 2, large), {}, Bytes(large)).status().code, Code::kFull);
  EXPECT_EQ(queue.use().used, used);
  EXPECT_EQ(queue.use().refused, 1u);
  EXPECT_EQ(queue.batches(), 1u);
  EXPECT_EQ(queue.items(Signal::kLogs), 1u);
}

TEST(BatchQueue, OldestAtRestLeavesOutWhatIsInFlight) {
  std::vector<std::byte> arena(16 * kBlockBytes);
  BatchQueue queue(arena);
  EXPECT_FALSE(queue.OldestAtRest());
  EXPECT_EQ(queue.oldest(), kNever);
  const BatchId metrics = queue.Push(Header(Signal::kMetrics, 1, "m"), {}, Bytes("m")).value();
  const BatchId logs = queue.Push(Header(Signal::kLogs, 2, "l"), {}, Bytes("l")).value();
  const BatchId later = queue.Push(Header(Signal::kMetrics, 3, "n"), {}, Bytes("n")).value();
  EXPECT_EQ(queue.OldestAtRest(), metrics);
  queue.Launch(metrics, UnixTime{77});
  EXPECT_EQ(queue.OldestAtRest(), logs);
  EXPECT_EQ(queue.oldest(), MonoTime{1});
  queue.Remove(logs);
  EXPECT_EQ(queue.OldestAtRest(), later);
  queue.Land(metrics);
  queue.Launch(metrics, UnixTime{99});
  EXPECT_EQ(queue.header(metrics).attempts, 2u);
  EXPECT_EQ(queue.header(metrics).first_attempt, UnixTime{77});
  EXPECT_TRUE(queue.header(metrics).may_be_sent);
}

TEST(BatchQueueDeathTest, ABatchInFlightIsNotRemoved) {
  std::vector<std::byte> arena(16 * kBlockBytes);
  BatchQueue queue(arena);
  const BatchId id = queue.Push(Header(Signal::kLogs, 1, "x"), {}, Bytes("x")).value();
  queue.Launch(id, UnixTime{});
  EXPECT_DEATH(queue.Remove(id), "in_flight");
}

// ---- Lines, pins and copies ------------------------------------------------------------------------

struct LinesTest : testing::Test {
  BatchId Push(Signal signal, std::string_view payload, Part part = Part::kNew, uint64_t row = 0) {
    return queue.Push(Header(signal, ++sequence, payload, 3), {}, Bytes(payload), part, row).value();
  }
  std::vector<std::byte> arena = std::vector<std::byte>(16 * kBlockBytes);
  BatchQueue queue{arena};
  uint64_t sequence = 0;
  const std::string large = std::string(3 * kBlockBytes - 200, 'x');  // Three blocks.
};

TEST_F(LinesTest, EachPartHasItsLine) {
  const BatchId fresh = Push(Signal::kLogs, "a");
  const BatchId copy = Push(Signal::kLogs, "b", Part::kSpooled, 7);
  const BatchId dying = Push(Signal::kLogs, "c", Part::kDying);
  EXPECT_EQ(queue.Head(Signal::kLogs), fresh);
  EXPECT_EQ(queue.Head(Signal::kLogs, Part::kSpooled), copy);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kDying), dying);
  EXPECT_EQ(queue.row(copy), 7u);
  EXPECT_EQ(queue.batches(), 3u);
  EXPECT_EQ(queue.own_bytes(), 2 * kBlockBytes);  // A copy is nobody's loss.
  EXPECT_EQ(queue.OldestAtRest(), fresh);
}

TEST_F(LinesTest, AMoveGoesToTheEndOfTheOtherLine) {
  const BatchId copy = Push(Signal::kLogs, "a", Part::kSpooled, 1);
  const BatchId first = Push(Signal::kLogs, "b"), second = Push(Signal::kLogs, "c");
  queue.SetRow(first, 2);
  queue.Launch(first, UnixTime{5});  // In flight or not.
  queue.Move(first, Part::kSpooled);
  EXPECT_EQ(queue.Head(Signal::kLogs), second);
  EXPECT_EQ(queue.Next(copy), first);
  EXPECT_EQ(queue.part(first), Part::kSpooled);
  EXPECT_EQ(queue.items(Signal::kLogs, Part::kSpooled), 6u);
  EXPECT_EQ(queue.items(Signal::kLogs), 3u);
  EXPECT_EQ(queue.own_bytes(), kBlockBytes);
  EXPECT_TRUE(queue.in_flight(first));
  EXPECT_EQ(Read(queue, first), "b");
}

TEST_F(LinesTest, APinnedBatchKeepsItsBytesUntilItIsLetGo) {
  const std::string text(2000, 'p');
  BatchHeader header = Header(Signal::kLogs, 1, text);
  header.checkpoint_bytes = 4;
  const BatchId id = queue.Push(header, Bytes("chk!"), Bytes(text)).value();
  const size_t used = queue.use().used;
  queue.Pin(id);
  const BatchQueue::Payload record(queue, id, BatchQueue::Payload::Scope::kRecord);
  queue.Remove(id);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.stored_bytes(), 0u);
  EXPECT_EQ(queue.own_bytes(), 0u);
  EXPECT_EQ(queue.use().used, used);
  // What comes meanwhile takes other blocks.
  while (queue.HasRoom(100)) (void)Push(Signal::kMetrics, std::string(100, 'm'));
  std::string read;
  while (read.size() < record.size()) {
    const std::span<const uint8_t> piece = record.At(read.size());
    read.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
  EXPECT_EQ(read, "chk!" + text);
  EXPECT_FALSE(queue.Unpin(id));  // It names nothing any more.
  EXPECT_EQ(queue.use().used, arena.size() - used);
}

TEST_F(LinesTest, WhatIsPinnedIsNotAtRest) {
  const BatchId first = Push(Signal::kLogs, "a"), second = Push(Signal::kLogs, "b");
  queue.Pin(first);
  EXPECT_TRUE(queue.pinned(first));
  EXPECT_EQ(queue.OldestAtRest(), second);
  EXPECT_TRUE(queue.Unpin(first));
  EXPECT_EQ(queue.OldestAtRest(), first);
}

TEST_F(LinesTest, RoomIsMadeOfTheLastCopiesOfAll) {
  // 15 blocks of 16; rows over all signals.
  (void)Push(Signal::kLogs, large, Part::kSpooled, 1);
  const BatchId metrics = Push(Signal::kMetrics, large, Part::kSpooled, 2);
  const BatchId logs = Push(Signal::kLogs, large, Part::kSpooled, 3);
  (void)Push(Signal::kMetrics, large, Part::kSpooled, 4);
  (void)Push(Signal::kTraces, large);
  EXPECT_FALSE(queue.HasRoom(large.size()));
  EXPECT_TRUE(queue.CouldHold(large.size()));
  EXPECT_EQ(queue.batches(), 5u);  // Asking forgets nothing.
  EXPECT_TRUE(queue.MakeRoom(large.size()));
  EXPECT_EQ(queue.Last(Signal::kMetrics, Part::kSpooled), metrics);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kSpooled), logs);
  EXPECT_TRUE(queue.MakeRoom(2 * large.size()));
  EXPECT_EQ(queue.row(queue.Last(Signal::kLogs, Part::kSpooled)), 1u);
  // What is nowhere else stays.
  EXPECT_FALSE(queue.CouldHold(5 * large.size()));
  EXPECT_FALSE(queue.MakeRoom(5 * large.size()));
  EXPECT_EQ(queue.batches(), 1u);
  EXPECT_EQ(queue.items(Signal::kTraces), 3u);
}

TEST_F(LinesTest, NoCopyIsForgottenInFrontOfOneThatStays) {
  // A gap would let a batch be overtaken.
  (void)Push(Signal::kLogs, large, Part::kSpooled, 1);
  const BatchId second = Push(Signal::kLogs, large, Part::kSpooled, 2);
  (void)Push(Signal::kLogs, large, Part::kSpooled, 3);
  queue.Launch(second, UnixTime{});
  EXPECT_FALSE(queue.CouldHold(arena.size()));
  queue.ForgetCopies(Signal::kLogs);
  EXPECT_EQ(queue.batches(Signal::kLogs, Part::kSpooled), 2u);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kSpooled), second);
  EXPECT_FALSE(queue.MakeRoom(13 * kBlockBytes));
  EXPECT_EQ(queue.batches(), 2u);
  queue.Land(second);
  queue.Pin(second);
  EXPECT_FALSE(queue.CouldHold(13 * kBlockBytes));
  queue.ForgetCopies(Signal::kLogs);
  EXPECT_EQ(queue.batches(), 2u);
  EXPECT_TRUE(queue.Unpin(second));
  EXPECT_TRUE(queue.CouldHold(13 * kBlockBytes));
  queue.ForgetCopies(Signal::kMetrics);
  EXPECT_EQ(queue.batches(), 2u);
  queue.ForgetCopies(Signal::kLogs);
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.use().used, 0u);
}

TEST_F(LinesTest, ABatchWithPartsGoneIsNotForgotten) {
  const BatchId first = Push(Signal::kLogs, large, Part::kSpooled, 1);
  (void)Push(Signal::kLogs, large, Part::kSpooled, 2);
  const BatchId own = Push(Signal::kMetrics, "own");
  queue.Shed(first, 2);
  queue.Shed(own, 1);
  EXPECT_EQ(queue.left(first), 1u);
  EXPECT_FALSE(queue.whole(first));
  EXPECT_EQ(queue.items(Signal::kLogs, Part::kSpooled), 1u + 3u);
  EXPECT_EQ(queue.gone(Signal::kLogs, Part::kSpooled), 2u);
  EXPECT_FALSE(queue.OldestAtRest());  // Nor dropped.
  queue.ForgetCopies(Signal::kLogs);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kSpooled), first);
  EXPECT_FALSE(queue.MakeRoom(13 * kBlockBytes));
  // What is gone goes along from line to line.
  queue.Move(first, Part::kLive);
  EXPECT_EQ(queue.gone(Signal::kLogs, Part::kSpooled), 0u);
  EXPECT_EQ(queue.gone(Signal::kLogs, Part::kLive), 2u);
  queue.Shed(first, 1);
  EXPECT_EQ(queue.left(first), 0u);
  queue.Remove(first);
  EXPECT_EQ(queue.gone(Signal::kLogs, Part::kLive), 0u);
}

TEST_F(LinesTest, WhatIsLiveIsForgottenLastAndOnlyBehindTheCopies) {
  (void)Push(Signal::kLogs, large, Part::kSpooled, 1);
  const BatchId copy = Push(Signal::kLogs, large, Part::kSpooled, 5);
  const BatchId before = Push(Signal::kLogs, large, Part::kLive, 4);
  (void)Push(Signal::kLogs, large, Part::kLive, 6);
  queue.ForgetCopies(Signal::kLogs, Part::kLive);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kLive), before);  // A gap in front of row 5.
  queue.Launch(copy, UnixTime{});
  EXPECT_FALSE(queue.CouldHold(arena.size()));
  queue.ForgetCopies(Signal::kLogs, Part::kLive);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kLive), before);
  queue.Land(copy);
  EXPECT_TRUE(queue.CouldHold(13 * kBlockBytes));
  EXPECT_EQ(queue.own_bytes(), 0u);
  EXPECT_TRUE(queue.MakeRoom(11 * kBlockBytes));
  EXPECT_EQ(queue.batches(Signal::kLogs, Part::kSpooled), 0u);
  EXPECT_EQ(queue.Last(Signal::kLogs, Part::kLive), before);
  EXPECT_TRUE(queue.MakeRoom(13 * kBlockBytes));
  EXPECT_TRUE(queue.empty());
}

using LinesDeathTest = LinesTest;
TEST_F(LinesDeathTest, ABatchIsRemovedAndPinnedOnce) {
  const BatchId id = Push(Signal::kLogs, "a");
  queue.Pin(id);
  EXPECT_DEATH(queue.Pin(id), "pinned");
  queue.Remove(id);
  EXPECT_DEATH(queue.Remove(id), "removed");
}

// Random traffic against a model, until the blocks have been shuffled thoroughly.
TEST(BatchQueue, MatchesAModelUnderRandomTraffic) {
  std::vector<std::byte> arena(40 * kBlockBytes);
  BatchQueue queue(arena);
  struct Model { BatchId id; std::string payload; uint64_t sequence; uint32_t items, gone = 0; bool pinned = false; };
  using Line = std::deque<Model>;
  std::array<std::array<Line, kPartCount>, kSignalCount> lines;
  std::vector<Model> ghosts;  // Removed while they were pinned.
  std::mt19937 random(7);
  uint64_t sequence = 0;
  const auto take = [&](Line& line, size_t at) {
    Model model = line[at];
    line.erase(line.begin() + static_cast<std::ptrdiff_t>(at));
    return model;
  };
  for (int step = 0; step < 100000; ++step) {
    const Signal signal = kSignals[random() % kSignalCount];
    const auto part = static_cast<Part>(random() % kPartCount);
    Line& line = lines[Index(signal)][static_cast<size_t>(part)];
    const auto action = static_cast<uint32_t>(random() % 17);
    if (action < 7) {
      const std::string payload(random() % 1500, static_cast<char>(random()));
      const auto items = static_cast<uint32_t>(random() % 100);
      ++sequence;
      const Result<BatchId> id = queue.Push(Header(signal, sequence, payload, items), {},
                                            Bytes(payload), part, sequence);
      if (id.ok()) line.push_back({id.value(), payload, sequence, items});
    } else if (action == 15 && !ghosts.empty()) {
      const Model ghost = ghosts.back();
      ghosts.pop_back();
      ASSERT_EQ(Read(queue, ghost.id), ghost.payload);
      ASSERT_FALSE(queue.Unpin(ghost.id));
    } else if (!line.empty()) {
      const size_t at = random() % 4 == 0 ? random() % line.size() : 0;
      ASSERT_EQ(queue.header(line[at].id).sequence, line[at].sequence);
      ASSERT_EQ(Read(queue, line[at].id), line[at].payload);
      if (action < 10) {
        const Model model = take(line, at);
        queue.Remove(model.id);
        if (model.pinned) ghosts.push_back(model);
      } else if (action < 12) {
        const auto other = static_cast<Part>(random() % kPartCount);
        const Model model = take(line, at);
        queue.Move(model.id, other);
        lines[Index(signal)][static_cast<size_t>(other)].push_back(model);
      } else if (action < 14) {
        Model& model = line[at];
        if (model.pinned) {
          ASSERT_TRUE(queue.Unpin(model.id));
        } else {
          queue.Pin(model.id);
        }
        model.pinned = !model.pinned;
      } else if (action == 16) {
        Model& model = line[at];
        const auto part_items = static_cast<uint32_t>(random() % (model.items - model.gone + 1));
        queue.Shed(model.id, part_items);
        model.gone += part_items;
        ASSERT_EQ(queue.left(model.id), model.items - model.gone);
      } else {
        const size_t bytes = random() % 4000;
        const bool could = queue.CouldHold(bytes);
        ASSERT_EQ(queue.MakeRoom(bytes), could);
        ASSERT_EQ(queue.HasRoom(bytes), could);
        for (auto& parts : lines) {
          const Signal s = kSignals[static_cast<size_t>(&parts - lines.data())];
          for (const Part copied : {Part::kSpooled, Part::kLive}) {
            Line& copies = parts[static_cast<size_t>(copied)];
            while (copies.size() > queue.batches(s, copied)) {
              ASSERT_FALSE(copies.back().pinned || copies.back().gone > 0);
              copies.pop_back();
            }
          }
        }
      }
    }
    uint64_t items = 0, gone = 0;
    for (const Model& m : line) items += m.items - m.gone, gone += m.gone;
    ASSERT_EQ(queue.items(signal, part), items);
    ASSERT_EQ(queue.gone(signal, part), gone);
    ASSERT_EQ(queue.batches(signal, part), line.size());
    ASSERT_EQ(bool(queue.Head(signal, part)), !line.empty());
    if (!line.empty()) {
      ASSERT_EQ(queue.Head(signal, part), line.front().id);
      ASSERT_EQ(queue.Last(signal, part), line.back().id);
    }
  }
  for (auto& parts : lines) {
    for (Line& line : parts) {
      for (const Model& m : line) {
        queue.Remove(m.id);
        if (m.pinned) ghosts.push_back(m);
      }
    }
  }
  for (const Model& ghost : ghosts) EXPECT_FALSE(queue.Unpin(ghost.id));
  EXPECT_TRUE(queue.empty());
  EXPECT_EQ(queue.use().used, 0u);
  EXPECT_EQ(queue.own_bytes(), 0u);
  EXPECT_EQ(queue.stored_bytes(), 0u);
}

}  // namespace
}  // namespace limpet
