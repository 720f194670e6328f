// Regular expressions: what is one, and that memory and time of a match are bounded.
#include "logs/pattern.h"

#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sim/world.h"

namespace limpet {
namespace {

struct Patterns {
  explicit Patterns(size_t count = 1)
      : memory(PatternPool::BytesNeeded(count) / sizeof(std::max_align_t) + 1),
        pool(std::as_writable_bytes(std::span(memory)).first(PatternPool::BytesNeeded(count)), &log) {}

  /// What is wrong with it; "" when nothing is.
  std::string Problem(std::string_view text) {
    TextBuffer<256> problem;
    Pattern pattern;
    const Status status = pattern.Compile(text, pool, problem);
    EXPECT_EQ(status.ok(), problem.size() == 0);
    EXPECT_EQ(status.ok(), pattern.compiled());
    pattern.Free();
    return std::string(problem.text());
  }

  std::vector<std::max_align_t> memory;
  sim::SimLog log;
  PatternPool pool;
};

TEST(Pattern, WhatIsNoneIsSaid) {
  struct Case {
    std::string text;
    const char* problem;  // Its beginning; nullptr: some.
  };
  const Case cases[] = {
      {"", ""},
      {"^(error|warn)\\b", ""},
      {"(a)\\1", ""},
      {"stra\xc3\x9f" "e", ""},
      {"(?:\xc3\xa4|\xc3\xb6)+", ""},
      {"[a-z\\[\\]]\xc3\xa4", ""},
      {"[]a]\xc3\xa4", ""},
      {"\\[\xc3\xa4", ""},
      {"(a", "missing closing parenthesis (at character 2)"},
      {"a)b", "unmatched closing parenthesis (at character 1)"},
      {"[a", "missing terminating ] for character class (at character 2)"},
      {"a{2}{3}+*", "quantifier does not follow a repeatable item (at character 6)"},
      {"*", "quantifier does not follow a repeatable item (at character 0)"},
      {"\\", "\\ at end of pattern (at character 1)"},
      {"(a)\\2", "reference to non-existent subpattern (at character 4)"},
      {"(?<n", "syntax error in subpattern name"},
      {"(*UTF)a", nullptr},
      {"(*UCP)a", nullptr},
      {"\\x{20ac}", "character code point value in \\x{} or \\o{} is too large"},
      {"a[\xc3\xa4]", "only ASCII may stand in []: write (?:"},
      {"[^]\xc3\xa4]", "only ASCII may stand in []: write (?:"},
      {"\xc3\xa4+", "put a repeated character beyond ASCII in a group: (?:"},
      {std::string(60, '(') + std::string(60, ')'), "parentheses are too deeply nested"},
      {"(?:a{1000}){60}", ""},
      {std::string(1024, 'a'), ""},
      {std::string(1025, 'a'), "longer than 1024 characters"},
      {"(?:(a)b{1000}){600}", "too large: compiled it has at most 4096 bytes"},
      {"((a{100}){100}){100}", "regular expression is too large"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    Patterns patterns;
    const std::string problem = patterns.Problem(c.text);
    const std::string_view expected = c.problem == nullptr ? "" : c.problem;
    EXPECT_TRUE(problem.starts_with(expected)) << problem;
    EXPECT_EQ(problem.empty(), c.problem != nullptr && expected.empty()) << problem;
  }
}

TEST(Pattern, FindsWholeCharacters) {
  struct Case {
    const char *pattern, *subject;
    size_t from;
    std::optional<Pattern::Place> place;
  };
  const Case cases[] = {
      {"b+", "abba", 0, Pattern::Place{1, 3}},
      {"b+", "abba", 2, Pattern::Place{2, 3}},
      {"b+", "abba", 3, {}},
      {"b*", "abba", 0, Pattern::Place{1, 3}},
      {"", "abba", 0, {}},
      {"", "", 0, {}},
      {"a.", "a\xf0\x9f\x92\xa9z", 0, Pattern::Place{0, 5}},
      {"\\x92", "a\xf0\x9f\x92\xa9z", 0, Pattern::Place{1, 5}},
      {"\\x80", "\x80\x80\x80\x80\x80\x80\x80\x80\x80", 4, Pattern::Place{4, 8}},
      {"(?<=a)b", "ab", 1, Pattern::Place{1, 2}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(testing::Message() << c.pattern << " / " << c.subject);
    Patterns patterns;
    Pattern pattern;
    TextBuffer<256> problem;
    ASSERT_TRUE(pattern.Compile(c.pattern, patterns.pool, problem).ok()) << problem.text();
    Pattern::Place place;
    ASSERT_EQ(pattern.Find(c.subject, c.from, place) == Pattern::Found::kYes, c.place.has_value());
    if (!c.place) continue;
    EXPECT_EQ(place.begin, c.place->begin);
    EXPECT_EQ(place.end, c.place->end);
  }
}

// One after the other gives its memory back; and as many as it was made for fit at once.
TEST(Pattern, ThePoolHoldsWhatItWasMadeFor) {
  constexpr size_t kCount = 20;
  Patterns patterns(kCount);
  std::string largest;  // Nearly all that one may have.
  for (int i = 0; largest.size() < 1000; ++i) largest += "abcdefghijklmnopqrstuvwxyz"[i % 26];
  for (int i = 0; i < 100; ++i) ASSERT_EQ(patterns.Problem("(?:" + largest + ")"), "");
  std::vector<std::unique_ptr<Pattern>> all;
  for (size_t i = 0; i < kCount; ++i) {
    const std::string_view text = i % 2 == 0 ? std::string_view("short") : largest;
    TextBuffer<256> problem;
    all.push_back(std::make_unique<Pattern>());
    ASSERT_TRUE(all.back()->Compile(text, patterns.pool, problem).ok()) << problem.text();
    if (i % 3 == 0) { EXPECT_NE(patterns.Problem("(" + largest), ""); }
  }
  EXPECT_EQ(all[0]->Matches("a short one"), Pattern::Found::kYes);
  EXPECT_EQ(all[1]->Matches(largest), Pattern::Found::kYes);
}

TEST(Pattern, AMatchIsGivenUpInTheEnd) {
  struct Case {
    const char* pattern;
    std::string subject;
    Pattern::Found found;
  };
  const Case cases[] = {
      // Steps.
      {"(a+)+$", std::string(200, 'a') + "b", Pattern::Found::kGivenUp},
      {"(x+x+)+[yz]", std::string(16'000, 'x'), Pattern::Found::kGivenUp},
      {"(.*)(.*)(.*)(.*)[yz]", std::string(16'000, 'x'), Pattern::Found::kGivenUp},
      // Memory: each round of the group is a place to go back to.
      {"^(?:a|b)*c", std::string(16'000, 'a') + 'c', Pattern::Found::kGivenUp},
      // What is usual is found, on long lines as well.
      {"^(?:a|b)*c", std::string(250, 'a') + 'c', Pattern::Found::kYes},
      {"foo.*bar", std::string(16'000, 'x') + "foo and bar", Pattern::Found::kYes},
      {"^.*foo", "foo" + std::string(16'000, 'x'), Pattern::Found::kYes},
      {".*foo", "foo" + std::string(32'000, 'x'), Pattern::Found::kYes},
      {"[0-9]+-[0-9]+", std::string(32'000, '-'), Pattern::Found::kNo},
      {"(?i)ERROR", std::string(1'000'000, 'x') + "error", Pattern::Found::kYes},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.pattern);
    Patterns patterns;
    Pattern pattern;
    TextBuffer<256> problem;
    ASSERT_TRUE(pattern.Compile(c.pattern, patterns.pool, problem).ok()) << problem.text();
    for (int i = 0; i < 3; ++i) { EXPECT_EQ(pattern.Matches(c.subject), c.found); }
    const bool given_up = c.found == Pattern::Found::kGivenUp;
    EXPECT_EQ(patterns.pool.given_up(), given_up ? 3u : 0u);
    EXPECT_EQ(patterns.log.Count("given up"), given_up ? 1u : 0u);
    // The memory is there for the next.
    EXPECT_NE(pattern.Matches("aac"), Pattern::Found::kGivenUp);
  }
}

}  // namespace
}  // namespace limpet
