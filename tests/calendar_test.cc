#include "base/calendar.h"

#include <gtest/gtest.h>

namespace limpet {
namespace {

TEST(Calendar, KnownDates) {
  struct Case { int64_t seconds; const char* text; };
  constexpr Case cases[] = {
      {0, "1970-01-01T00:00:00Z"},          {951782400, "2000-02-29T00:00:00Z"},
      {951868799, "2000-02-29T23:59:59Z"},  {1709164800, "2024-02-29T00:00:00Z"},
      {4107542400, "2100-03-01T00:00:00Z"}, {-1, "1969-12-31T23:59:59Z"},
      {784111777, "1994-11-06T08:49:37Z"}};
  for (const Case& c : cases) {
    TextBuffer<40> text;
    WriteRfc3339(text, UnixTime{} + Seconds(c.seconds), 0);
    EXPECT_EQ(text.text(), c.text);
  }
  TextBuffer<80> text;
  WriteRfc3339(text, UnixTime{1'001'000'009}, 9);
  text << ' ';
  WriteRfc3339(text, UnixTime{1'001'000'009}, 3);
  EXPECT_EQ(text.text(), "1970-01-01T00:00:01.001000009Z 1970-01-01T00:00:01.001Z");
}

TEST(Calendar, EveryDayRoundTrips) {
  const int64_t end = DaysSinceEpoch(2250, 1, 1);
  for (int64_t day = DaysSinceEpoch(1700, 1, 1); day < end; ++day) {
    const CivilTime civil = ToCivil(UnixTime{} + Seconds(day * 86400));
    ASSERT_EQ(DaysSinceEpoch(civil.year, civil.month, civil.day), day);
    ASSERT_EQ(civil.hour + civil.minute + civil.second, 0u);
  }
}

}  // namespace
}  // namespace limpet
