#include "config/ini.h"

#include <gtest/gtest.h>

#include <string>

namespace limpet {
namespace {

/// What was called, one line each: "1 [a]", "2 k=v", "3 !fault".
struct Calls final : IniHandler {
  std::string text;
  void OnSection(int line, std::string_view name) override {
    text += std::to_string(line) + " [" + std::string(name) + "]\n";
  }
  void OnKey(int line, std::string_view key, std::string_view value) override {
    text += std::to_string(line) + " " + std::string(key) + "=" + std::string(value) + "\n";
  }
  void OnFault(int line, std::string_view what) override {
    text += std::to_string(line) + " !" + std::string(what) + "\n";
  }
};

TEST(ParseIni, Cases) {
  using namespace std::string_view_literals;
  struct Case { const char* name; std::string_view text; const char* calls; };
  constexpr Case cases[] = {
      {"nothing", "", ""},
      {"blank lines and comments", "\n ; a\n\t# b\n", ""},
      {"a section and keys", "[a]\nk = v\n  l=w x  \n", "1 [a]\n2 k=v\n3 l=w x\n"},
      {"no line end at the end", "[a]\nk = v", "1 [a]\n2 k=v\n"},
      {"CR LF", "[a]\r\nk = v\r\n", "1 [a]\n2 k=v\n"},
      {"byte order mark", "\xef\xbb\xbf[a]\n", "1 [a]\n"},
      {"an empty value", "k =\n", "1 k=\n"},
      {"the value is left as it is", "k = \"a;\\\"\" ; c\n", "1 k=\"a;\\\"\" ; c\n"},
      {"= and : in the value", "k = a=b:c\n", "1 k=a=b:c\n"},
      {"no continuation", "k = a\n  l = b\n", "1 k=a\n2 l=b\n"},
      {"a comment behind a section", "[a] ; c\n[ b ]\n", "1 [a]\n2 [b]\n"},
      {"text behind a section", "[a] b\nk = v\n",
       "1 !expected nothing behind the section's name\n2 k=v\n"},
      {"unclosed section", "[a\nk = v\n", "1 !expected ] at the end of the section's name\n2 k=v\n"},
      {"section without a name", "[]\n", "1 !expected a name between [ and ]\n"},
      {"no =", "[a]\nkey\nk = v\n", "1 [a]\n2 !expected key = value\n3 k=v\n"},
      {": instead of =", "k: v\n", "1 !expected key = value\n"},
      {"no key", " = v\n", "1 !expected a key before =\n"},
      {"NUL", "a = b\0c\nk = v\n"sv, "1 !there is a NUL byte in this line\n2 k=v\n"},
      {"control character", "a = b\x1b[0m\n", "1 !there is a control character in this line\n"},
      {"bad UTF-8", "a = \xc3\nb = \xc3\xa4\n", "1 !this line is not valid UTF-8\n2 b=\xc3\xa4\n"},
      {"bad UTF-8 in a comment", "; \xff\n", "1 !this line is not valid UTF-8\n"},
      {"every fault is told", "x\ny\n[z\n",
       "1 !expected key = value\n2 !expected key = value\n"
       "3 !expected ] at the end of the section's name\n"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    Calls calls;
    ParseIni(c.text, calls);
    EXPECT_EQ(calls.text, c.calls);
  }
}

TEST(ParseIni, LongLines) {
  for (const size_t size : {kIniLineMax - 1, kIniLineMax, kIniLineMax + 1, 3 * kIniLineMax}) {
    SCOPED_TRACE(size);
    const std::string line = "k=" + std::string(size - 2, 'x');
    Calls calls;
    ParseIni("  " + line + "  \r\nl=w\n", calls);
    const std::string first = size <= kIniLineMax ? line : "!this line is longer than 4094 bytes";
    EXPECT_EQ(calls.text, "1 " + first + "\n2 l=w\n");
  }
}

TEST(ParseIni, LongSections) {
  const std::string name(49, 's');
  Calls calls;
  ParseIni("[" + name + "]\n[" + name + "s]\n", calls);
  EXPECT_EQ(calls.text,
            "1 [" + name + "]\n2 !the section's name is longer than 49 bytes\n");
}

}  // namespace
}  // namespace limpet
