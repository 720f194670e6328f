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

// Random traffic against a model, until the blocks have been shuffled thoroughly.
TEST(BatchQueue, MatchesAModelUnderRandomTraffic) {
  std::vector<std::byte> arena(40 * kBlockBytes);
  BatchQueue queue(arena);
  struct Model { BatchId id; std::string payload; uint64_t sequence; uint32_t items; };
  std::array<std::deque<Model>, kSignalCount> lines;
  std::mt19937 random(7);
  uint64_t sequence = 0;
  for (int step = 0; step < 100000; ++step) {
    const Signal signal = kSignals[random() % kSignalCount];
    std::deque<Model>& line = lines[Index(signal)];
    if (random() % 2 == 0) {
      const std::string payload(random() % 1500, static_cast<char>(random()));
      const auto items = static_cast<uint32_t>(random() % 100);
      const Result<BatchId> id =
          queue.Push(Header(signal, ++sequence, payload, items), {}, Bytes(payload));
      if (id.ok()) line.push_back({id.value(), payload, sequence, items});
    } else if (!line.empty()) {
      const size_t at = random() % 4 == 0 ? random() % line.size() : 0;
      ASSERT_EQ(queue.header(line[at].id).sequence, line[at].sequence);
      ASSERT_EQ(Read(queue, line[at].id), line[at].payload);
      queue.Remove(line[at].id);
      line.erase(line.begin() + static_cast<std::ptrdiff_t>(at));
    }
    uint64_t items = 0;
    for (const Model& m : line) items += m.items;
    ASSERT_EQ(queue.items(signal), items);
    ASSERT_EQ(bool(queue.Head(signal)), !line.empty());
    if (!line.empty()) { ASSERT_EQ(queue.Head(signal), line.front().id); }
  }
  for (std::deque<Model>& line : lines) {
    for (const Model& m : line) queue.Remove(m.id);
  }
  EXPECT_EQ(queue.use().used, 0u);
  EXPECT_EQ(queue.stored_bytes(), 0u);
}

}  // namespace
}  // namespace limpet
