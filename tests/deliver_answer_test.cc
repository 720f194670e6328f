// The answer table of spec.md section 5, Retry-After, back-off and the Idempotency-Key.
#include <gtest/gtest.h>

#include <map>

#include "deliver/answer_class.h"
#include "deliver/backoff.h"
#include "deliver/http_date.h"
#include "deliver/idempotency_key.h"
#include "limpet/limits.h"
#include "sim/world.h"

namespace limpet {
namespace {

TEST(AnswerClass, EveryStatusAsTheSpecificationSays) {
  // From spec.md, independently of the table in code: what is not named is its hundred's rule.
  const std::map<int, AnswerClass> named = {
      {429, AnswerClass::kRetryable}, {502, AnswerClass::kRetryable},
      {503, AnswerClass::kRetryable}, {504, AnswerClass::kRetryable},
      {400, AnswerClass::kRefused},   {413, AnswerClass::kRefused},
      {422, AnswerClass::kRefused}};
  for (int status = 0; status <= 700; ++status) {
    AnswerClass expected = AnswerClass::kFaulty;
    if (status >= 200 && status <= 299) expected = AnswerClass::kAccepted;
    if (status >= 300 && status <= 499) expected = AnswerClass::kMisconfigured;
    if (const auto it = named.find(status); it != named.end()) expected = it->second;
    EXPECT_EQ(Classify({.sent = Sent::kAnswered, .status = status}), expected) << status;
  }
  EXPECT_EQ(Classify({.sent = Sent::kNotSent}), AnswerClass::kRetryable);
  EXPECT_EQ(Classify({.sent = Sent::kUnknown, .timed_out = true}), AnswerClass::kRetryable);
  // The status line of a lost connection does not count: there was none.
  EXPECT_EQ(Classify({.sent = Sent::kUnknown, .status = 200}), AnswerClass::kRetryable);
}

TEST(AnswerClass, EveryClassAndHintHasAText) {
  EXPECT_EQ(AnswerClassName(AnswerClass::kMisconfigured), "misconfigured");
  for (const int status : {301, 400, 401, 403, 404, 405, 407, 413, 415, 418, 429, 500}) {
    EXPECT_FALSE(AnswerHint(status).empty()) << status;
  }
  EXPECT_FALSE(AnswerHint(42).empty());
}

TEST(HttpDate, Cases) {
  struct Case { const char* name; const char* text; int64_t seconds; };
  constexpr Case cases[] = {
      {"example of RFC 9110", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
      {"leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
      {"obsolete form", "Sunday, 06-Nov-94 08:49:37 GMT", -1},
      {"asctime", "Sun Nov  6 08:49:37 1994", -1},
      {"other zone", "Sun, 06 Nov 1994 08:49:37 CET", -1},
      {"month", "Sun, 06 Foo 1994 08:49:37 GMT", -1},
      {"hour", "Sun, 06 Nov 1994 24:49:37 GMT", -1},
      {"letters", "Sun, 06 Nov 199x 08:49:37 GMT", -1},
      {"empty", "", -1},
      {"1969", "Wed, 31 Dec 1969 23:59:59 GMT", -1}};
  for (const Case& c : cases) {
    const std::optional<UnixTime> got = ParseHttpDate(c.text);
    EXPECT_EQ(got ? got->ns / 1'000'000'000 : -1, c.seconds) << c.name;
  }
}

TEST(RetryAfter, Cases) {
  const UnixTime now = UnixTime{} + Seconds(784111777);
  const Duration max = Seconds(3600);
  struct Case { const char* name; const char* retry_after; const char* date; int64_t seconds; };
  constexpr Case cases[] = {
      {"absent", "", "", -1},
      {"seconds", "120", "", 120},
      {"blanks", " 7 ", "", 7},
      {"cut at the maximum", "999999", "", 3600},
      {"beyond any number", "99999999999999999999", "", 3600},
      {"date by our clock", "Sun, 06 Nov 1994 08:50:37 GMT", "", 60},
      {"date by theirs", "Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT", 30},
      {"past", "Sun, 06 Nov 1994 08:00:00 GMT", "", 0},
      {"negative", "-5", "", -1},
      {"garbage", "soon", "", -1}};
  for (const Case& c : cases) {
    const std::optional<Duration> got = ParseRetryAfter(c.retry_after, c.date, now, max);
    EXPECT_EQ(got ? got->ns / 1'000'000'000 : -1, c.seconds) << c.name;
  }
}

TEST(Backoff, GrowsSpreadsAndEnds) {
  sim::SimRandom random(1);
  Backoff backoff({.initial = Seconds(1), .max = Seconds(30), .multiplier = 2, .jitter = 0.5,
                   .least = Milliseconds(800)}, random);
  for (int round = 0; round < 200; ++round) {
    int64_t middle = 1000;
    for (int step = 0; step < 8; ++step, middle *= 2) {
      const int64_t center = std::min<int64_t>(middle, 30000);
      const int64_t pause = backoff.Next().ns / 1'000'000;
      EXPECT_GE(pause, std::max<int64_t>(center / 2, 800));
      EXPECT_LE(pause, std::min<int64_t>(center * 3 / 2, 30000));
    }
    backoff.Reset();
  }
  Backoff constant({.initial = Seconds(1), .max = Seconds(2), .multiplier = 1, .jitter = 0,
                    .least = {}}, random);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(constant.Next(), Seconds(1));
}

TEST(IdempotencyKey, NamesInstanceStartSignalSequenceAndPath) {
  BatchHeader header;
  header.signal = Signal::kLogs;
  header.start = 0xabc;
  header.sequence = 42;
  TextBuffer<kIdempotencyKeyMax> key;
  WriteIdempotencyKey(key, "inst", header);
  EXPECT_EQ(key.text(), "inst-0000000000000abc-logs-42");
  header.path = {.bits = 0b10, .length = 3};
  key.Clear();
  WriteIdempotencyKey(key, "inst", header);
  EXPECT_EQ(key.text(), "inst-0000000000000abc-logs-42.010");
  // The longest there can be fits.
  header = {.signal = Signal::kMetrics, .start = UINT64_MAX, .sequence = UINT64_MAX,
            .path = {.bits = UINT32_MAX, .length = 32}};
  key.Clear();
  WriteIdempotencyKey(key, "00000000-0000-0000-0000-000000000000", header);
  EXPECT_FALSE(key.overflowed());
}

}  // namespace
}  // namespace limpet
