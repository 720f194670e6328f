#include "batch/gzip.h"

#include <gtest/gtest.h>

#include <random>
#include <string>
#include <vector>

namespace limpet {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes ToBytes(std::string_view text) { return Bytes(text.begin(), text.end()); }

class GzipTest : public testing::Test {
 protected:
  Bytes Pack(const Bytes& in) {
    Bytes out(in.size() + 64);
    const Result<size_t> size = compressor_.Compress(in, out);
    EXPECT_TRUE(size.ok());
    out.resize(size.value());
    return out;
  }

  std::vector<std::byte> compressor_memory_{GzipCompressor::BytesNeeded()};
  std::vector<std::byte> decompressor_memory_{GzipDecompressor::BytesNeeded()};
  GzipCompressor compressor_{compressor_memory_};
  GzipDecompressor decompressor_{decompressor_memory_};
};

// The memory plan stands on these: a newer libdeflate that wants more is to be noticed.
TEST_F(GzipTest, MemoryStaysWithinThePlan) {
  RecordProperty("compressor_bytes", static_cast<int>(GzipCompressor::BytesNeeded()));
  RecordProperty("decompressor_bytes", static_cast<int>(GzipDecompressor::BytesNeeded()));
  EXPECT_LE(GzipCompressor::BytesNeeded(), 200u * 1024);
  EXPECT_LE(GzipDecompressor::BytesNeeded(), 12u * 1024);
}

TEST_F(GzipTest, NeedsNoMoreThanItSaysAtAnyAlignment) {
  for (size_t offset = 0; offset < 16; ++offset) {
    std::vector<std::byte> memory(GzipCompressor::BytesNeeded() + offset);
    GzipCompressor compressor{std::span(memory).subspan(offset)};
    std::vector<std::byte> other(GzipDecompressor::BytesNeeded() + offset);
    GzipDecompressor decompressor{std::span(other).subspan(offset)};
    uint8_t out[64];
    EXPECT_TRUE(compressor.Compress(ToBytes("limpet"), out).ok());
  }
}

TEST(GzipDeathTest, TooLittleMemoryIsAMistakeOfOurs) {
  std::vector<std::byte> memory(GzipDecompressor::BytesNeeded() / 2);
  EXPECT_DEATH(GzipDecompressor{memory}, "decompressor_ != nullptr");
  EXPECT_DEATH(GzipCompressor{memory}, "compressor_ != nullptr");
}

TEST_F(GzipTest, RoundTrips) {
  std::mt19937 random(1);
  for (const size_t size : {size_t{0}, size_t{1}, size_t{50}, size_t{1000}, size_t{65536}}) {
    for (const unsigned symbols : {1u, 4u, 256u}) {
      SCOPED_TRACE(testing::Message() << size << " bytes of " << symbols << " symbols");
      Bytes in(size);
      for (uint8_t& byte : in) byte = static_cast<uint8_t>(random() % symbols);
      const Bytes packed = Pack(in);
      EXPECT_EQ(packed, Pack(in));
      Bytes out(size);
      const Result<size_t> got = decompressor_.Decompress(packed, out);
      ASSERT_TRUE(got.ok());
      EXPECT_EQ(got.value(), size);
      EXPECT_EQ(out, in);
      if (size > 0) {
        EXPECT_EQ(decompressor_.Decompress(packed, std::span(out).first(size - 1)).status().code,
                  Code::kFull);
      }
    }
  }
}

TEST_F(GzipTest, OutputThatDoesNotFitIsFull) {
  const Bytes in = ToBytes("it was the best of times, it was the worst of times");
  const Bytes whole = Pack(in);
  for (size_t size = 0; size < whole.size(); ++size) {
    Bytes out(size);
    EXPECT_EQ(compressor_.Compress(in, out).status().code, Code::kFull) << size;
  }
}

TEST_F(GzipTest, InflatesMembersInARow) {
  Bytes both = Pack(ToBytes("lim"));
  const Bytes second = Pack(ToBytes("pet"));
  both.insert(both.end(), second.begin(), second.end());
  Bytes out(6);
  size_t members = 0;
  ASSERT_TRUE(decompressor_.Decompress(both, out, &members).ok());
  EXPECT_EQ(out, ToBytes("limpet"));
  EXPECT_EQ(members, 2u);
}

TEST_F(GzipTest, DamageIsInvalid) {
  const Bytes good = Pack(ToBytes("limpets hold on to their rock through every tide, every tide"));
  Bytes out(1000);
  for (size_t cut = 0; cut < good.size(); ++cut) {
    EXPECT_EQ(decompressor_.Decompress(std::span(good).first(cut), out).status().code,
              Code::kInvalid)
        << cut;
  }
  Bytes trailing = good;
  trailing.push_back('x');
  EXPECT_EQ(decompressor_.Decompress(trailing, out).status().code, Code::kInvalid);
  // Every bit but those of the header that say nothing of the contents (time, flags, system).
  for (size_t byte = 0; byte < good.size(); ++byte) {
    if (byte >= 3 && byte < 10) continue;
    for (int bit = 0; bit < 8; ++bit) {
      Bytes bad = good;
      bad[byte] = static_cast<uint8_t>(bad[byte] ^ (1 << bit));
      EXPECT_FALSE(decompressor_.Decompress(bad, out).ok()) << byte << '.' << bit;
    }
  }
}

}  // namespace
}  // namespace limpet
