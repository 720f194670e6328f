// The small files that name CPUs, machine, boot, board and distribution.
#include <string>

#include <gtest/gtest.h>

#include "collect/cpu_sysfs.h"
#include "collect/identity.h"
#include "collect/os_release.h"
#include "collect_fixture.h"

namespace limpet {
namespace {

using namespace std::string_literals;

TEST(ParseFirstCpu, Cases) {
  struct Case {
    const char* text;
    Code code;
    uint32_t first;
  };
  constexpr Case cases[] = {
      {"0\n", Code::kOk, 0},       {"3", Code::kOk, 3},         {"0-1\n", Code::kOk, 0},
      {"2,66\n", Code::kOk, 2},    {"", Code::kInvalid, 0},     {"\n", Code::kInvalid, 0},
      {"-1\n", Code::kInvalid, 0}, {"x\n", Code::kInvalid, 0},  {",1\n", Code::kInvalid, 0},
      {"1 2", Code::kInvalid, 0},  {"99999999999", Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<uint32_t> got = ParseFirstCpu(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value(), c.first); }
  }
}

TEST(ParseFrequency, Cases) {
  struct Case {
    const char* text;
    Code code;
    uint64_t hz;
  };
  constexpr Case cases[] = {
      {"1800000\n", Code::kOk, 1'800'000'000},
      {"600000", Code::kOk, 600'000'000},
      {"0\n", Code::kOk, 0},
      {"<unknown>\n", Code::kInvalid, 0},
      {"", Code::kInvalid, 0},
      {"-1\n", Code::kInvalid, 0},
      {"1800000\n1\n", Code::kInvalid, 0},
      {"9999999999999999999\n", Code::kInvalid, 0},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const Result<uint64_t> got = ParseFrequency(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value(), c.hz); }
  }
}

TEST(ParseMachineId, Cases) {
  const std::string id = "3d1219c7c4c5404aaa1f6d2a48adfda4";
  struct Case {
    const char* name;
    std::string text;
    Code code;
  };
  const Case cases[] = {
      {"usual", id + "\n", Code::kOk},
      {"no newline", id, Code::kOk},
      {"first boot", "uninitialized\n", Code::kInvalid},
      {"empty, as images ship it", "", Code::kInvalid},
      {"zeros", std::string(32, '0') + "\n", Code::kInvalid},
      {"cut", id.substr(1) + "\n", Code::kInvalid},
      {"too long", id + "0\n", Code::kInvalid},
      {"two lines", id + "\n\n", Code::kInvalid},
      {"upper case", "3D1219C7C4C5404AAA1F6D2A48ADFDA4\n", Code::kInvalid},
      {"NUL", id.substr(0, 31) + "\0"s, Code::kInvalid},
      {"a UUID", "3d1219c7-c4c5-404a-aa1f-6d2a48adfda4\n", Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<std::string_view> got = ParseMachineId(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (got.ok()) { EXPECT_EQ(got.value(), id); }
  }
}

TEST(ParseBootId, Cases) {
  struct Case {
    const char* name;
    const char* text;
    Code code;
  };
  constexpr Case cases[] = {
      {"usual", "0d489532-80ba-4da4-9af7-55e71963951f\n", Code::kOk},
      {"no newline", "0d489532-80ba-4da4-9af7-55e71963951f", Code::kOk},
      {"no dashes", "0d48953280ba4da49af755e71963951f\n", Code::kInvalid},
      {"dashes elsewhere", "0d489532-80ba4-da4-9af7-55e71963951f\n", Code::kInvalid},
      {"a dash too many", "0d489532-80ba-4da4-9af7-55e7196395-f\n", Code::kInvalid},
      {"no hex", "0d489532-80ba-4da4-9af7-55e71963951g\n", Code::kInvalid},
      {"cut", "0d489532-80ba-4da4-9af7\n", Code::kInvalid},
      {"empty", "", Code::kInvalid},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const Result<BootId> got = ParseBootId(c.text);
    ASSERT_EQ(got.status().code, c.code);
    if (!got.ok()) continue;
    EXPECT_EQ(got.value().bytes[0], 0x0d);
    EXPECT_EQ(got.value().bytes[15], 0x1f);
  }
}

TEST(ParseCompatible, Cases) {
  struct Case {
    const char* name;
    std::string text;
    const char* vendor;
    const char* board;
  };
  const Case cases[] = {
      {"two names", "raspberrypi,4-model-b\0brcm,bcm2711\0"s, "raspberrypi",
       "raspberrypi,4-model-b"},
      {"no vendor", "qemu-virt\0"s, "", "qemu-virt"},
      {"no NUL", "linux,dummy-virt", "linux", "linux,dummy-virt"},
      {"empty", "", "", ""},
      {"only NULs", "\0\0"s, "", ""},
      {"only a comma", ",", "", ","},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    const BoardName got = ParseCompatible(c.text);
    EXPECT_EQ(got.vendor, c.vendor);
    EXPECT_EQ(got.name, c.board);
  }
  EXPECT_EQ(ParseModel("Raspberry Pi 4 Model B Rev 1.4\0"s), "Raspberry Pi 4 Model B Rev 1.4");
  EXPECT_EQ(ParseModel(""), "");
}

TEST(ParseOsRelease, Cases) {
  struct Case {
    const char* name;
    std::string text;
    const char* os_name;
    const char* version;
    const char* pretty;
    const char* build;
  };
  const Case cases[] = {
      {"Debian", HostTexts("rpi4-6.6")["/etc/os-release"], "Debian GNU/Linux", "12",
       "Debian GNU/Linux 12 (bookworm)", ""},
      {"OpenWrt", HostTexts("openwrt-mips-4.14")["/etc/os-release"], "OpenWrt", "19.07.10",
       "OpenWrt 19.07.10", "r11427-9ce6aa9d8d"},
      {"quotes of each kind", "NAME='It''s'\nVERSION_ID=1\\ 2\nPRETTY_NAME=\"a \\\"b\\\" \\$c\"\n",
       "Its", "1 2", "a \"b\" $c", ""},
      {"a backslash in single quotes", "NAME='a\\b'\n", "a\\b", "", "", ""},
      {"no last newline", "NAME=Alpine", "Alpine", "", "", ""},
      {"blanks and comments", "# NAME=No\n\n  NAME=Yes  \n", "Yes", "", "", ""},
      {"the last one counts", "NAME=a\nNAME=b\n", "b", "", "", ""},
      {"open quote", "NAME=\"a\nVERSION_ID=2\n", "a", "2", "", ""},
      {"backslash at the end", "NAME=a\\\n", "a\\", "", "", ""},
      {"other keys", "VERSION_ID_LIKE=3\nXNAME=x\nname=n\n", "", "", "", ""},
      {"no value", "NAME=\nNAME\n", "", "", "", ""},
      {"equals signs in a value", "NAME=a=b\n", "a=b", "", "", ""},
      {"empty", "", "", "", "", ""},
      {"bytes", "\0\xff=\n=\n"s, "", "", "", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string text = c.text;
    const OsRelease got = ParseOsRelease(text);
    EXPECT_EQ(got.name, c.os_name);
    EXPECT_EQ(got.version_id, c.version);
    EXPECT_EQ(got.pretty_name, c.pretty);
    EXPECT_EQ(got.build_id, c.build);
  }
}

}  // namespace
}  // namespace limpet
