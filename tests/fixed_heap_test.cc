#include "memory/fixed_heap.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

namespace limpet {
namespace {

struct HeapTest : testing::Test {
  alignas(64) std::byte region[64 * 1024];
  FixedHeap heap;
  void SetUp() override { heap.Init("test", region); }
};

TEST_F(HeapTest, ServesEverySizeAndGivesAllBack) {
  for (size_t bytes : {0u, 1u, 15u, 16u, 17u, 255u, 256u, 257u, 4096u, 60000u}) {
    SCOPED_TRACE(bytes);
    void* const block = heap.Allocate(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % FixedHeap::kAlignment, 0u);
    EXPECT_GE(heap.SizeOf(block), bytes);
    std::memset(block, 0x5a, bytes);
    heap.Free(block);
    EXPECT_EQ(heap.use().used, 0u);
  }
  EXPECT_NE(heap.Allocate(64 * 1024 - 4 * FixedHeap::kAlignment - 2048), nullptr);
}

TEST_F(HeapTest, RefusesWhatDoesNotFit) {
  EXPECT_EQ(heap.Allocate(64 * 1024), nullptr);
  EXPECT_EQ(heap.Allocate(SIZE_MAX), nullptr);
  EXPECT_EQ(heap.Allocate(SIZE_MAX - 15), nullptr);
  EXPECT_EQ(heap.AllocateZeroed(SIZE_MAX / 2, 3), nullptr);
  EXPECT_EQ(heap.AllocateAligned(1 << 20, 16), nullptr);
  EXPECT_EQ(heap.use().refused, 5u);
  void* const block = heap.Allocate(100);
  EXPECT_EQ(heap.Resize(block, 1 << 20), nullptr);
  heap.Free(block);
}

TEST_F(HeapTest, ResizeKeepsTheContents) {
  auto* block = static_cast<char*>(heap.Allocate(10));
  std::memcpy(block, "123456789", 10);
  block = static_cast<char*>(heap.Resize(block, 1000));  // In place: its neighbour is free.
  EXPECT_STREQ(block, "123456789");
  void* const wall = heap.Allocate(10);
  auto* const moved = static_cast<char*>(heap.Resize(block, 2000));
  EXPECT_NE(moved, block);
  EXPECT_STREQ(moved, "123456789");
  EXPECT_EQ(heap.Resize(moved, 4), moved);
  heap.Free(moved);
  heap.Free(wall);
  EXPECT_EQ(heap.use().used, 0u);
}

TEST_F(HeapTest, ResizeTakesTheRoomOnBothSides) {
  void* const before = heap.Allocate(10'000);
  auto* block = static_cast<char*>(heap.Allocate(20'000));
  for (int i = 0; i < 20'000; ++i) block[i] = static_cast<char>(i * 7 + i / 256);
  void* const after = heap.Allocate(10'000);
  void* const wall = heap.Allocate(20'000);
  heap.Free(before);
  heap.Free(after);
  EXPECT_EQ(heap.Resize(block, 41'000), nullptr);
  void* const place = block;
  for (const size_t bytes : {29'000u, 39'000u}) {  // In place, and then down over what it holds.
    block = static_cast<char*>(heap.Resize(block, bytes));
    ASSERT_EQ(block, bytes == 29'000 ? place : before);
    std::memset(block + 20'000, 1, bytes - 20'000);
    for (int i = 0; i < 20'000; ++i) ASSERT_EQ(block[i], static_cast<char>(i * 7 + i / 256)) << i;
  }
  heap.Free(wall);
  EXPECT_EQ(heap.use().refused, 1u);
  EXPECT_GE(heap.use().peak, 59'000u);
  EXPECT_LT(heap.use().peak, 61'000u);
  heap.Free(block);
  EXPECT_EQ(heap.use().used, 0u);
  EXPECT_NE(heap.Allocate(60'000), nullptr);
}

TEST_F(HeapTest, AlignsToPowersOfTwo) {
  for (size_t alignment : {8u, 32u, 64u, 256u, 4096u}) {
    void* const block = heap.AllocateAligned(alignment, 100);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(block) % alignment, 0u);
    std::memset(block, 1, 100);
    heap.Free(block);
  }
  EXPECT_EQ(heap.use().used, 0u);
}

using HeapDeathTest = HeapTest;

TEST_F(HeapDeathTest, StopsOnDoubleFreeForeignBlockAndOverrun) {
  EXPECT_DEATH({ heap.Free(heap.Allocate(8)); int x; heap.Free(&x); }, "");
  EXPECT_DEATH({ void* b = heap.Allocate(8); heap.Free(b); heap.Free(b); }, "");
  EXPECT_DEATH({ auto* b = static_cast<char*>(heap.Allocate(8));
                 std::memset(b, 0xff, heap.SizeOf(b) + 8); heap.Free(b); }, "");
}

// A model check: random operations, each block filled with its own byte, which must still be there.
TEST_F(HeapTest, RandomOperationsKeepEveryBlockApart) {
  struct Held { char* block; size_t bytes; char fill; };
  std::vector<Held> held;
  std::mt19937 random(20261121);
  for (int step = 0; step < 200000; ++step) {
    const unsigned what = random() % 8;
    if (what < 4) {
      const size_t bytes = random() % (random() % 16 == 0 ? 8000 : 300);
      const size_t alignment = random() % 8 == 0 ? size_t{1} << (random() % 9) : 1;
      auto* const block = static_cast<char*>(heap.AllocateAligned(alignment, bytes));
      if (block == nullptr) continue;
      const auto fill = static_cast<char>(random());
      std::memset(block, fill, bytes);
      held.push_back({block, bytes, fill});
    } else if (!held.empty()) {
      Held& one = held[random() % held.size()];
      for (size_t i = 0; i < one.bytes; ++i) ASSERT_EQ(one.block[i], one.fill) << "step " << step;
      if (what == 4) {
        const size_t bytes = random() % 600;
        auto* const moved = static_cast<char*>(heap.Resize(one.block, bytes));
        if (moved == nullptr) continue;
        for (size_t i = 0; i < std::min(bytes, one.bytes); ++i) ASSERT_EQ(moved[i], one.fill);
        std::memset(moved, one.fill, bytes);
        one.block = moved, one.bytes = bytes;
      } else {
        heap.Free(one.block);
        one = held.back();
        held.pop_back();
      }
    }
  }
  for (const Held& one : held) heap.Free(one.block);
  EXPECT_EQ(heap.use().used, 0u);
  EXPECT_GT(heap.use().peak, sizeof region / 2);
  EXPECT_NE(heap.Allocate(60000), nullptr) << "all neighbours were joined again";
}

}  // namespace
}  // namespace limpet
