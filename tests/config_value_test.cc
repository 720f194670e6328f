#include "config/value.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "config/endpoint.h"
#include "config/list.h"
#include "config/suggest.h"

namespace limpet {
namespace {

struct Fake final : Variables {
  std::map<std::string, std::string, std::less<>> values = {
      {"HOST", "gateway"}, {"EMPTY", ""}, {"ODD", " a;\"b "}, {"BAD", "a\nb"}, {"DOLLAR", "${HOST}"}};
  std::optional<std::string_view> Variable(std::string_view name) override {
    const auto at = values.find(name);
    if (at == values.end()) return std::nullopt;
    return at->second;
  }
};

TEST(ExpandValue, Cases) {
  struct Case { const char* raw; const char* value; const char* problem; };
  constexpr Case cases[] = {
      {"", "", ""},
      {"plain text", "plain text", ""},
      {"a ; comment", "a", ""},
      {"a\t; comment", "a", ""},
      {"; comment", "", ""},
      {"a # b", "a # b", ""},
      {"a;b", "", "a value with ; stands in double quotes; a comment has a blank before ;"},
      {"\"a;b\"", "a;b", ""},
      {"\" a \" ; comment", " a ", ""},
      {"\"\"", "", ""},
      {"\"a\\\"b\\\\c\"", "a\"b\\c", ""},
      {"a\"b\\c", "a\"b\\c", ""},
      {"\"a\\n\"", "", "inside quotes write \\\\ for a backslash"},
      {"\"a", "", "expected a closing quote"},
      {"\"a\\", "", "expected a closing quote"},
      {"\"a\" b", "", "expected nothing behind the closing quote"},
      {"https://${HOST}:4318", "https://gateway:4318", ""},
      {"${HOST}${HOST}", "gatewaygateway", ""},
      {"\"${HOST}; b\"", "gateway; b", ""},
      {"${ODD}", " a;\"b ", ""},
      {"${DOLLAR}", "${HOST}", ""},
      {"${EMPTY}", "", ""},
      {"${EMPTY:-x}", "x", ""},
      {"${NONE:-a b}", "a b", ""},
      {"${NONE:-}", "", ""},
      {"${HOST:-x}", "gateway", ""},
      {"$$5", "$5", ""},
      {"$${HOST}", "${HOST}", ""},
      {"${NONE}", "", "${NONE} is not set in the environment and has no default"},
      {"${}", "", "${} is not set in the environment and has no default"},
      {"${A-B}", "", "expected ${NAME} or ${NAME:-default}"},
      {"${BAD}", "", "${BAD} holds control characters or bad UTF-8"},
      {"${HOST", "", "expected ${NAME}; write $$ for a dollar"},
      {"$HOST", "", "expected ${NAME}; write $$ for a dollar"},
      {"5$", "", "expected ${NAME}; write $$ for a dollar"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.raw);
    Fake variables;
    TextBuffer<128> value, problem;
    const Status status = ExpandValue(c.raw, variables, value, problem);
    EXPECT_EQ(problem.text(), c.problem);
    EXPECT_EQ(status.code, problem.size() == 0 ? Code::kOk : Code::kInvalid);
    if (status.ok()) { EXPECT_EQ(value.text(), c.value); }
  }
}

TEST(ExpandValue, TellsWhenThereIsNoRoom) {
  Fake variables;
  TextBuffer<6> value;
  TextBuffer<64> problem;
  EXPECT_EQ(ExpandValue("${HOST}", variables, value, problem).code, Code::kFull);
}

TEST(WriteValue, ExpandValueGivesItBack) {
  for (const char* const text : {"", "a", "a b", " a", "a ", "\ta", "a;b", "; a", "\"a\"", "a\"b",
                                 "a\\b", " \\\"; ", "$", "$${A}", "${A}", "#a", "a = b"}) {
    SCOPED_TRACE(text);
    Fake variables;
    TextBuffer<64> written, back, problem;
    WriteValue(written, text);
    ASSERT_TRUE(ExpandValue(written.text(), variables, back, problem).ok()) << problem.text();
    EXPECT_EQ(back.text(), text);
  }
}

TEST(ParseValue, Numbers) {
  constexpr int64_t kSecond = 1'000'000'000;
  struct Case { Kind kind; const char* text; std::optional<int64_t> value; const char* written; };
  const Case cases[] = {
      {Kind::kDuration, "250ms", 250'000'000, "250ms"},
      {Kind::kDuration, "10s", 10 * kSecond, "10s"},
      {Kind::kDuration, "5m", 300 * kSecond, "5m"},
      {Kind::kDuration, "120s", 120 * kSecond, "2m"},
      {Kind::kDuration, "2h", 7200 * kSecond, "2h"},
      {Kind::kDuration, "7d", 604800 * kSecond, "7d"},
      {Kind::kDuration, "0", 0, "0"},
      {Kind::kDuration, "10", {}, ""},
      {Kind::kDuration, "s", {}, ""},
      {Kind::kDuration, "1 s", {}, ""},
      {Kind::kDuration, "-1s", {}, ""},
      {Kind::kDuration, "1.5s", {}, ""},
      {Kind::kDuration, "1w", {}, ""},
      {Kind::kDuration, "9223372036s", 9223372036 * kSecond, "9223372036s"},
      {Kind::kDuration, "9223372037s", {}, ""},
      {Kind::kDuration, "99999999999999999999s", {}, ""},
      {Kind::kDuration, "", {}, ""},
      {Kind::kSize, "512", 512, "512"},
      {Kind::kSize, "64KiB", 65536, "64KiB"},
      {Kind::kSize, "2048KiB", 2 << 20, "2MiB"},
      {Kind::kSize, "3MiB", 3 << 20, "3MiB"},
      {Kind::kSize, "1GiB", 1 << 30, "1GiB"},
      {Kind::kSize, "64KB", {}, ""},
      {Kind::kSize, "64k", {}, ""},
      {Kind::kSize, "9999999999GiB", {}, ""},
      {Kind::kCount, "512", 512, "512"},
      {Kind::kCount, "4294967295", 4294967295, "4294967295"},
      {Kind::kCount, "4294967296", {}, ""},
      {Kind::kCount, "1e3", {}, ""},
      {Kind::kCount, "+1", {}, ""},
      {Kind::kPercent, "25%", 25, "25%"},
      {Kind::kPercent, "25", {}, ""},
      {Kind::kPercent, "%", {}, ""},
      {Kind::kBoolean, "true", 1, "true"},
      {Kind::kBoolean, "yes", 1, "true"},
      {Kind::kBoolean, "on", 1, "true"},
      {Kind::kBoolean, "false", 0, "false"},
      {Kind::kBoolean, "no", 0, "false"},
      {Kind::kBoolean, "off", 0, "false"},
      {Kind::kBoolean, "1", {}, ""},
      {Kind::kBoolean, "True", {}, ""},
      {Kind::kDate, "1970-01-01", 0, "1970-01-01"},
      {Kind::kDate, "2024-01-01", 1704067200 * kSecond, "2024-01-01"},
      {Kind::kDate, "2024-02-29", 1709164800 * kSecond, "2024-02-29"},
      {Kind::kDate, "2199-12-31", 7258032000 * kSecond, "2199-12-31"},
      {Kind::kDate, "2023-02-29", {}, ""},
      {Kind::kDate, "2024-13-01", {}, ""},
      {Kind::kDate, "2024-00-01", {}, ""},
      {Kind::kDate, "2024-01-00", {}, ""},
      {Kind::kDate, "1969-12-31", {}, ""},
      {Kind::kDate, "2200-01-01", {}, ""},
      {Kind::kDate, "2024-1-1", {}, ""},
      {Kind::kDate, "01.01.2024", {}, ""},
      {Kind::kChoice, "b", 1, "b"},
      {Kind::kChoice, "d", 2, "d"},
      {Kind::kChoice, "c", {}, ""},
      {Kind::kChoice, "", {}, ""},
      {Kind::kChoice, "a b", {}, ""},
      {Kind::kFlags, "a", 1, "a"},
      {Kind::kFlags, "d,a,", 5, "a, d"},
      {Kind::kFlags, "a, a", 1, "a"},
      {Kind::kFlags, "a, c", {}, ""},
      {Kind::kFlags, "x", {}, ""},
      {Kind::kFlags, ",", {}, ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    TextBuffer<128> problem, written;
    const Result<Value> got = ParseValue(c.kind, "a b -c d", c.text, problem);
    ASSERT_EQ(got.ok(), c.value.has_value()) << problem.text();
    EXPECT_EQ(problem.size() == 0, got.ok());
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().integer, *c.value);
    FormatValue(written, c.kind, "a b -c d", got.value());
    EXPECT_EQ(written.text(), c.written);
  }
}

TEST(ParseValue, Texts) {
  const std::string long_path(kConfigPathMax, 'p');
  struct Case { Kind kind; std::string text; bool ok; };
  const Case cases[] = {
      {Kind::kText, "", true},
      {Kind::kPath, "/var/lib/limpet", true},
      {Kind::kPath, "", false},
      {Kind::kPath, long_path, true},
      {Kind::kPath, long_path + "p", false},
      {Kind::kAddress, "", true},
      {Kind::kAddress, "127.0.0.1:13133", true},
      {Kind::kAddress, "[::1]:0", true},
      {Kind::kAddress, "[::ffff:1.2.3.4]:65535", true},
      {Kind::kAddress, "127.0.0.1", false},
      {Kind::kAddress, "127.0.0.1:", false},
      {Kind::kAddress, "127.0.0.1:65536", false},
      {Kind::kAddress, "127.0.0:1", false},
      {Kind::kAddress, "127.0.0.256:1", false},
      {Kind::kAddress, "127.0.0.1.1:1", false},
      {Kind::kAddress, "localhost:1", false},
      {Kind::kAddress, "::1:1", false},
      {Kind::kAddress, "[::1]", false},
      {Kind::kAddress, "[::1]x:1", false},
      {Kind::kAddress, "[]:1", false},
      {Kind::kAddress, "a@127.0.0.1:1", false},
      {Kind::kAddress, "@127.0.0.1:1", false},
      {Kind::kAddress, "unix:/s", false},
      {Kind::kListener, "", false},
      {Kind::kListener, "127.0.0.1:4318", true},
      {Kind::kListener, "unix:/s", true},
      {Kind::kListener, "unix:s", false},
      {Kind::kListener, "unix:", false},
      {Kind::kListener, "unix:/" + std::string(106, 's'), true},
      {Kind::kListener, "unix:/" + std::string(107, 's'), false},
      {Kind::kUrl, "http://a", true},
      {Kind::kUrl, "https://gateway.example:4318/otlp/", true},
      {Kind::kUrl, "https://user:p%40ss@[fe80::1]:4318", true},
      {Kind::kUrl, "ftp://a", false},
      {Kind::kUrl, "gateway:4318", false},
      {Kind::kUrl, "HTTP://a", false},
      {Kind::kUrl, "http://", false},
      {Kind::kUrl, "http:///x", false},
      {Kind::kUrl, "http://:80", false},
      {Kind::kUrl, "http://a:", false},
      {Kind::kUrl, "http://a:0", false},
      {Kind::kUrl, "http://a:65536", false},
      {Kind::kUrl, "http://a:b", false},
      {Kind::kUrl, "http://a b", false},
      {Kind::kUrl, "http://\xc3\xa4", false},
      {Kind::kUrl, "http://a/\"", false},
      {Kind::kUrl, "http://[::1", false},
      {Kind::kUrl, "http://[]", false},
      {Kind::kUrl, "http://[::1]a", false},
      {Kind::kUrl, "http://a/#x", false},
      {Kind::kUrl, "http://a/?x", false},
      {Kind::kWholeUrl, "http://a/v1?x=y", true},
      {Kind::kWholeUrl, "http://a/v1#x", false},
      {Kind::kProxy, "http://proxy:3128", true},
      {Kind::kProxy, "http://user:p%40ss@[fe80::1]:3128/", true},
      {Kind::kProxy, "https://proxy:3128", false},
      {Kind::kProxy, "http://proxy", false},
      {Kind::kProxy, "http://proxy:3128/x", false},
      {Kind::kProxy, "proxy:3128", false},
      {Kind::kProxy, "socks5://proxy:1080", false},
      {Kind::kHost, "gateway.example", true},
      {Kind::kHost, "2001:db8::1", true},
      {Kind::kHost, "a b", false},
      {Kind::kHost, "a:80", false},
      {Kind::kPins, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
      {Kind::kPins, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=; sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", true},
      {Kind::kPins, "sha256//abc", false},
      {Kind::kPins, "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=,", false},
      {Kind::kPins, "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAA=", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    TextBuffer<128> problem;
    const Result<Value> got = ParseValue(c.kind, "", c.text, problem);
    EXPECT_EQ(got.ok(), c.ok) << problem.text();
    EXPECT_FALSE(problem.overflowed());
    if (got.ok()) { EXPECT_EQ(got.value().text, c.text); }
  }
}

TEST(ParseValue, SaysWhatWasExpected) {
  struct Case { const char* text; Code code; const char* problem; };
  constexpr Case cases[] = {
      {"stirct", Code::kInvalid, "unknown value stirct (did you mean strict?)"},
      {"newest", Code::kInvalid, "unknown value newest (expected strict, live_first)"},
      {"live_first", Code::kUnsupported, "live_first is not available in this build"},
  };
  for (const Case& c : cases) {
    TextBuffer<128> problem;
    EXPECT_EQ(ParseValue(Kind::kChoice, "strict -live_first", c.text, problem).status().code,
              c.code);
    EXPECT_EQ(problem.text(), c.problem);
  }
}

TEST(SameValue, ListsElementByElement) {
  const auto same = [](const char* a, const char* b) {
    return SameValue(Kind::kList, Value{.text = a}, Value{.text = b});
  };
  EXPECT_TRUE(same("a, b", "a,b,"));
  EXPECT_TRUE(same("", " , "));
  EXPECT_FALSE(same("a, b", "a"));
  EXPECT_FALSE(same("a", "a, b"));
  EXPECT_FALSE(same("a, b", "b, a"));
}

TEST(ListIterator, PassesOverWhatIsEmpty) {
  ListIterator list(" a b ,, c\t,");
  std::string got;
  for (std::string_view element; list.Next(element);) got += "<" + std::string(element) + ">";
  EXPECT_EQ(got, "<a b><c>");
}

TEST(Endpoint, UserInfoAndLoopback) {
  EXPECT_EQ(UrlUserInfo("https://a:b@c:1/x@y"), "a:b");
  EXPECT_EQ(UrlUserInfo("https://c/x@y"), "");
  EXPECT_EQ(UrlUserInfo("https://a@b@c/"), "a@b");
  struct Case { const char* text; bool loopback; };
  for (const Case& c : {Case{"127.0.0.1:1", true}, {"127.9.9.9:1", true}, {"[::1]:1", true},
                        {"0.0.0.0:1", false}, {"[::]:1", false}, {"128.0.0.1:1", false}}) {
    SCOPED_TRACE(c.text);
    ASSERT_TRUE(SplitAddress(c.text));
    EXPECT_EQ(IsLoopback(*SplitAddress(c.text)), c.loopback);
  }
}

TEST(Suggestion, Cases) {
  struct Case { const char* given; const char* best; };
  constexpr Case cases[] = {
      {"intervall", "interval"}, {"intrevals", "interval"}, {"ulr", "url"}, {"xyz", ""},
      {"ur", "url"},             {"", ""},                  {"haeder.X", "header.*"},
      {"header", "header.*"},    {"headerX", "header.*"},
  };
  for (const Case& c : cases) {
    Suggestion suggestion(c.given);
    for (const char* const name : {"url", "interval", "header.*"}) suggestion.Offer(name);
    EXPECT_EQ(suggestion.best(), c.best) << c.given;
  }
  EXPECT_EQ(EditDistance("abcd", "acbd"), 1u);
  EXPECT_EQ(EditDistance("kitten", "sitting"), 3u);
  EXPECT_EQ(EditDistance("", "abc"), 3u);
  EXPECT_EQ(EditDistance(std::string(41, 'a'), "a"), SIZE_MAX);
}

}  // namespace
}  // namespace limpet
