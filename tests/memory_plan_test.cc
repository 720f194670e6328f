// The memory plan adds up, fits what it must, and says what to change when it does not.
#include "agent/memory_plan.h"

#include <gtest/gtest.h>

#include <vector>

#include "batch/batcher.h"
#include "deliver/destination.h"
#include "limpet/limits.h"
#include "spool/spool_memory.h"

namespace limpet {
namespace {

Config Configured(uint64_t memory, uint32_t batch_bytes, bool gzip = true,
                  Durability durability = Durability::kMemoryOnly) {
  Config config;
  config.agent.memory_bytes = memory;
  config.queue.batch_bytes = batch_bytes;
  config.destination_count = 1;
  config.destinations[0].gzip = gzip;
  config.spool.durability = durability;
  return config;
}

Config WithSpool(uint64_t memory, uint32_t batch_bytes) {
  return Configured(memory, batch_bytes, true, Durability::kOnDemand);
}

constexpr ForeignSizes kForeign{.libc = 64 * kKiB,
                                .config = 42 * kKiB,
                                .curl = kCurlPoolBytes,
                                .tls = kTlsPoolBytes,
                                .transport = 66 * kKiB,
                                .program = 90 * kKiB};

TEST(MemoryPlan, SharesAddUpToTheBudget) {
  for (const uint64_t memory : {kMemoryMin, 3 * kMiB, 64 * kMiB}) {
    TextBuffer<256> error;
    const Result<MemoryPlan> plan =
        MemoryPlan::Make(Configured(memory, static_cast<uint32_t>(memory / 16)), kForeign, error);
    ASSERT_TRUE(plan.ok()) << error.text();
    size_t sum = 0;
    for (const Share& share : plan.value().shares()) sum += share.bytes;
    EXPECT_EQ(sum, plan.value().total());
    EXPECT_LE(sum, memory);
    EXPECT_GT(sum, memory - 2 * kBlockBytes) << "nothing is left unused";
    EXPECT_LT(plan.value().region_bytes(), memory);
    EXPECT_GE(plan.value().of(Holder::kQueue).bytes, 2 * memory / 16);
  }
}

TEST(MemoryPlan, SaysWhenAQueueIsSmallerThanARequestMayBe) {
  for (const uint64_t memory : {3 * kMiB, 6 * kMiB}) {
    Config config = Configured(memory, 64 * kKiB);
    config.receive.present = true;
    TextBuffer<256> error;
    const Result<MemoryPlan> plan = MemoryPlan::Make(config, kForeign, error);
    ASSERT_TRUE(plan.ok()) << error.text();
    TextBuffer<4096> out;
    plan.value().Write(out);
    const bool smaller = plan.value().of(Holder::kQueue).bytes < Config().receive.max_body_bytes;
    EXPECT_EQ(out.text().find("413") != std::string_view::npos, smaller);
  }
}

TEST(MemoryPlan, TooLittleNamesTheKeysToChange) {
  TextBuffer<256> error;
  const Result<MemoryPlan> plan = MemoryPlan::Make(Configured(kMemoryMin, 256 * kKiB), kForeign, error);
  EXPECT_EQ(plan.status().code, Code::kFull);
  EXPECT_NE(error.text().find("agent.memory"), std::string_view::npos);
  EXPECT_NE(error.text().find("or lower queue.batch_bytes (now 256.0 KiB, taken 4 times over)"),
            std::string_view::npos);
  EXPECT_EQ(error.text().find("never"), std::string_view::npos) << "there is no spool to give up";
}

TEST(MemoryPlan, TooLittleForTheSpoolSaysSo) {
  TextBuffer<256> error;
  EXPECT_FALSE(MemoryPlan::Make(WithSpool(kMemoryMin, 64 * kKiB), kForeign, error).ok());
  EXPECT_NE(error.text().find("raise it, lower queue.batch_bytes (now 64.0 KiB, taken 7 times "
                              "over), or set spool.durability = never (the spool takes "),
            std::string_view::npos)
      << error.text();
  error.Clear();
  EXPECT_FALSE(MemoryPlan::Make(WithSpool(kMemoryMin, 256 * kKiB), kForeign, error).ok());
  EXPECT_EQ(error.text().find("never"), std::string_view::npos) << "that alone would not do";
}

// What the smallest `memory` has to do: with the default batches, 1 MiB without the spool and half
// as much again with it.
TEST(MemoryPlan, TheLeastMemory) {
  TextBuffer<256> error;
  EXPECT_TRUE(MemoryPlan::Make(Configured(kMemoryMin, 64 * kKiB), kForeign, error).ok())
      << error.text();
  for (const auto durability : {Durability::kOnDemand, Durability::kAlways}) {
    const Config config = Configured(3 * kMiB / 2, 64 * kKiB, true, durability);
    EXPECT_TRUE(MemoryPlan::Make(config, kForeign, error).ok()) << error.text();
  }
  EXPECT_TRUE(MemoryPlan::Make(WithSpool(kMemoryMin + 128 * kKiB, 4 * kKiB), kForeign, error).ok())
      << "with the smallest batches: " << error.text();
}

// The example of the specification: two destinations in the default memory, with hours of outage left
// for the queue; and each further one takes what a connection takes.
TEST(MemoryPlan, SeveralDestinationsFitTheDefault) {
  size_t before = 0;
  for (const size_t count : {1u, 2u, 3u, 4u}) {
    Config config = WithSpool(3 * kMiB, 64 * kKiB);
    config.destination_count = count;
    TextBuffer<256> error;
    const auto plan = MemoryPlan::Make(config, kForeign, error);
    ASSERT_TRUE(plan.ok()) << error.text();
    const size_t queue = plan.value().of(Holder::kQueue).bytes;
    if (count == 2) { EXPECT_GE(queue, kMiB); }
    if (count > 1) {
      const size_t each = kForeign.curl + kForeign.tls + kForeign.transport + sizeof(Destination) +
                          PageBytes(2, 0) - PageBytes(1, 0);
      EXPECT_NEAR(static_cast<double>(before - queue), static_cast<double>(each), 2.0 * kBlockBytes);
    }
    before = queue;
  }
  Config config = WithSpool(4 * kMiB, 64 * kKiB);
  config.destination_count = kDestinationsMax;
  TextBuffer<256> error;
  EXPECT_TRUE(MemoryPlan::Make(config, kForeign, error).ok()) << error.text();
}

TEST(MemoryPlan, TheSpoolsPiecesFitIntoItsShare) {
  for (const uint32_t batch : {4096u, 100001u, 64u << 20}) {
    TextBuffer<256> error;
    const auto plan = MemoryPlan::Make(WithSpool(uint64_t{1} << 30, batch), kForeign, error);
    ASSERT_TRUE(plan.ok()) << error.text();
    std::vector<std::byte> region(plan.value().of(Holder::kSpool).bytes + 64);
    Carver carver(region);
    for (const size_t bytes : {SpoolMemory::HeapBytes(batch), SpoolMemory::StackBytes(),
                               SpoolMemory::BufferBytes(batch), SpoolMemory::FileBytes(),
                               SpoolMemory::JobBytes(), SpoolMemory::StoreBytes()}) {
      EXPECT_EQ(carver.Take(bytes).size(), bytes);
    }
  }
  TextBuffer<256> error;
  const auto without = MemoryPlan::Make(Configured(3 * kMiB, 64 * kKiB), kForeign, error);
  EXPECT_EQ(without.value().of(Holder::kSpool).bytes, 0u);
}

TEST(MemoryPlan, TheLeastQueueHoldsTwoBatchesAsTheyAre) {
  // Sources pause while two batches do not fit: less would pause them for ever.
  constexpr uint32_t kBatch = 64 * kKiB;
  uint64_t memory = kMemoryMin;
  TextBuffer<256> error;
  while (!MemoryPlan::Make(Configured(memory, kBatch), kForeign, error).ok()) memory += 64;
  const auto plan = MemoryPlan::Make(Configured(memory, kBatch), kForeign, error);
  std::vector<uint64_t> arena(plan.value().of(Holder::kQueue).bytes / sizeof(uint64_t));
  const BatchQueue queue(std::as_writable_bytes(std::span(arena)));
  EXPECT_TRUE(queue.HasRoom(2 * kBatch));
}

TEST(MemoryPlan, WithoutGzipItsMemoryGoesToTheQueue) {
  TextBuffer<256> error;
  const auto with = MemoryPlan::Make(Configured(3 * kMiB, 64 * kKiB, true), kForeign, error);
  const auto without = MemoryPlan::Make(Configured(3 * kMiB, 64 * kKiB, false), kForeign, error);
  ASSERT_TRUE(with.ok() && without.ok());
  EXPECT_EQ(without.value().of(Holder::kGzip).bytes, 0u);
  EXPECT_GT(without.value().of(Holder::kQueue).bytes, with.value().of(Holder::kQueue).bytes + 190 * kKiB);
}

TEST(MemoryPlan, TheCarverAlignsAndNeverRunsOver) {
  TextBuffer<256> error;
  const auto plan = MemoryPlan::Make(WithSpool(3 * kMiB, 64 * kKiB), kForeign, error);
  ASSERT_TRUE(plan.ok());
  std::vector<std::byte> region(plan.value().region_bytes());
  Carver carver(region);
  std::byte* end = region.data();
  for (const Share& share : plan.value().shares()) {
    if (!share.in_region) continue;
    const std::span<std::byte> piece = carver.Take(share.bytes);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(piece.data()) % 64, 0u);
    EXPECT_GE(piece.data(), end);
    end = piece.data() + piece.size();
  }
  EXPECT_LE(end, region.data() + region.size());
}

TEST(MemoryPlan, IsPrintedAsCommentsOfAnIniFile) {
  TextBuffer<256> error;
  const auto plan = MemoryPlan::Make(Configured(3 * kMiB, 64 * kKiB), kForeign, error);
  TextBuffer<2048> out;
  plan.value().Write(out);
  std::string_view text = out.text();
  size_t lines = 0;
  while (!text.empty()) {
    EXPECT_EQ(TakeUntil(text, '\n')[0], ';');
    ++lines;
  }
  EXPECT_EQ(lines, kHolderCount + 2);
}

}  // namespace
}  // namespace limpet
