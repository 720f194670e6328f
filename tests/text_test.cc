#include "base/text.h"

#include <gtest/gtest.h>

#include <cmath>

namespace limpet {
namespace {

TEST(TextWriter, CutsAtTheEndOfItsBuffer) {
  TextBuffer<8> text;
  text << "12345" << 678 << 'x';
  EXPECT_EQ(text.text(), "12345678");
  EXPECT_TRUE(text.overflowed());
  text.Clear();
  text << -5 << ' ' << uint64_t{7};
  EXPECT_EQ(text.text(), "-5 7");
  EXPECT_FALSE(text.overflowed());
}

TEST(TextWriter, Doubles) {
  struct Case { double value; const char* text; };
  constexpr Case cases[] = {{0, "0"},           {0.1, "0.1"},       {-2.5, "-2.5"},
                            {1e300, "1e+300"},  {1.0 / 3, "0.33333333333333331"},
                            {123456789, "123456789"}, {NAN, "NaN"}, {INFINITY, "+Inf"},
                            {-INFINITY, "-Inf"}};
  for (const Case& c : cases) {
    TextBuffer<40> text;
    text.Double(c.value);
    EXPECT_EQ(text.text(), c.text);
  }
  TextBuffer<400> text;
  text.Fixed(2.345, 1) << ' ';
  text.Fixed(-1e300, 0);
  EXPECT_EQ(text.text().substr(0, 8), "2.3 -100");
}

TEST(TextWriter, JsonEscapesWhatMustBe) {
  struct Case { const char* name; std::string_view value; const char* json; };
  const Case cases[] = {{"plain", "abc", "\"abc\""},
                        {"quotes", "a\"b\\c", "\"a\\\"b\\\\c\""},
                        {"control", std::string_view("\n\t\r\x01\x7f", 5), "\"\\n\\t\\r\\u0001\\u007f\""},
                        {"NUL", std::string_view("a\0b", 3), "\"a\\u0000b\""},
                        {"UTF-8", "gr\xc3\xbc\xc3\x9f", "\"gr\xc3\xbc\xc3\x9f\""},
                        {"cut UTF-8", "a\xc3", "\"a\\ufffd\""},
                        {"overlong", "\xc0\xaf", "\"\\ufffd\\ufffd\""},
                        {"surrogate", "\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""},
                        {"empty", "", "\"\""}};
  for (const Case& c : cases) {
    TextBuffer<80> text;
    text.Json(c.value);
    EXPECT_EQ(text.text(), c.json) << c.name;
  }
}

TEST(Text, Words) {
  std::string_view rest = "  eth0:\t12  3 ";
  EXPECT_EQ(TakeWord(rest), "eth0:");
  EXPECT_EQ(TakeWord(rest), "12");
  EXPECT_EQ(TakeWord(rest), "3");
  EXPECT_EQ(TakeWord(rest), "");
  rest = "a,,b";
  EXPECT_EQ(TakeUntil(rest, ','), "a");
  EXPECT_EQ(TakeUntil(rest, ','), "");
  EXPECT_EQ(TakeUntil(rest, ','), "b");
  EXPECT_EQ(TakeUntil(rest, ','), "");
  EXPECT_EQ(Trim("\t x y  "), "x y");
}

TEST(Text, Numbers) {
  EXPECT_EQ(ParseNumber<uint8_t>("255"), 255);
  for (const char* bad : {"", "256", "-1", "+1", " 1", "1 ", "0x1", "1.0"}) {
    EXPECT_FALSE(ParseNumber<uint8_t>(bad)) << bad;
  }
  EXPECT_EQ(ParseDouble("-1.5e3"), -1500.0);
  for (const char* bad : {"", "nan", "inf", "0x10", "1e999", "1,5", " 1", "--1", "1-"}) {
    EXPECT_FALSE(ParseDouble(bad)) << bad;
  }
}

TEST(Text, EqualsIgnoringCase) {
  EXPECT_TRUE(EqualsIgnoringCase("", ""));
  EXPECT_TRUE(EqualsIgnoringCase("Content-Length", "content-LENGTH"));
  EXPECT_FALSE(EqualsIgnoringCase("content", "content-length"));
  EXPECT_FALSE(EqualsIgnoringCase("a@", "a`"));  // Apart by the bit that tells cases apart.
  EXPECT_FALSE(EqualsIgnoringCase("\xc3\x84", "\xc3\xa4"));  // Only ASCII has cases here.
}

TEST(Text, Globs) {
  struct Case { const char* pattern; const char* text; bool matches; };
  constexpr Case cases[] = {
      {"", "", true},           {"", "a", false},          {"*", "", true},
      {"lo", "lo", true},       {"lo", "lo0", false},      {"veth*", "veth1a", true},
      {"*.log", "a.log", true}, {"*.log", "a.logs", false}, {"a*b*c", "axxbxxbxc", true},
      {"a?c", "abc", true},     {"a?c", "ac", false},      {"[a-c]x", "bx", true},
      {"[!a-c]x", "bx", false}, {"[]]", "]", true},        {"[a", "[a", true},
      {"***", "anything", true},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(GlobMatches(c.pattern, c.text), c.matches) << c.pattern << " on " << c.text;
  }
  EXPECT_TRUE(AnyGlobMatches("lo, veth*", "veth0"));
  EXPECT_FALSE(AnyGlobMatches("lo, veth*", "eth0"));
  EXPECT_FALSE(AnyGlobMatches("", "eth0"));
  // Linear: a pattern that makes recursive matchers explode.
  EXPECT_FALSE(GlobMatches("*a*a*a*a*a*a*a*a*b", std::string(5000, 'a')));
}

}  // namespace
}  // namespace limpet
