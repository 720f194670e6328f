// Values fall into the bucket whose upper bound is the first that is not below them.
#include "base/histogram.h"

#include <gtest/gtest.h>

namespace limpet {
namespace {

TEST(Histogram, Cases) {
  struct Case {
    const char* name;
    double value;
    size_t bucket;
  };
  constexpr Case cases[] = {
      {"below all", -1, 0},  {"zero", 0, 0},         {"on the first bound", 1, 0},
      {"just above", 1.5, 1}, {"on the last bound", 10, 1}, {"above all", 11, 2},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Histogram<2> histogram({1, 10});
    histogram.Add(c.value);
    for (size_t i = 0; i < 3; ++i) EXPECT_EQ(histogram.buckets()[i], i == c.bucket ? 1u : 0u);
    EXPECT_EQ(histogram.sum(), c.value);
  }
}

TEST(Histogram, AddsUp) {
  Histogram<2> histogram({1, 10});
  for (const double value : {0.5, 2.0, 3.0, 20.0}) histogram.Add(value);
  EXPECT_EQ(histogram.buckets()[0], 1u);
  EXPECT_EQ(histogram.buckets()[1], 2u);
  EXPECT_EQ(histogram.buckets()[2], 1u);
  EXPECT_EQ(histogram.sum(), 25.5);
}

}  // namespace
}  // namespace limpet
