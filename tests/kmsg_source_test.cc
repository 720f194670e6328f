#include <gtest/gtest.h>
#include <string>

#include "logs/kmsg_record.h"

namespace limpet {
namespace {

TEST(ParseKmsg, Cases) {
  const std::string real =
      "6,339,5140900,-,caller=T1;pci 0000:00:1f.2: reg 0x10\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:1f.2\n";
  struct Case {
    const char* name;
    std::string record;
    bool good;
    uint32_t facility;
    uint8_t level;
    uint64_t sequence;
    int64_t microseconds;
    std::string text, subsystem, device;
  };
  const Case cases[] = {
      {"real", real, true, 0, 6, 339, 5140900, "pci 0000:00:1f.2: reg 0x10", "pci", "+pci:0000:00:1f.2"},
      {"plain", "4,0,0,-;text\n", true, 0, 4, 0, 0, "text", "", ""},
      {"of a program", "30,7,15,-;systemd[1]: Started.\n", true, 3, 6, 7, 15, "systemd[1]: Started.", "", ""},
      {"a fragment", "4,1,2,c;text\n", true, 0, 4, 1, 2, "text", "", ""},
      {"no flags", "4,1,2;text\n", true, 0, 4, 1, 2, "text", "", ""},
      {"empty text", "4,1,2,-;\n", true, 0, 4, 1, 2, "", "", ""},
      {"no newline", "4,1,2,-;text", true, 0, 4, 1, 2, "text", "", ""},
      {"separators in the text", "4,1,2,-;a,b;c=d\n", true, 0, 4, 1, 2, "a,b;c=d", "", ""},
      {"escapes", R"(4,1,2,-;a\x0ab\x5cc \xc3\xa9)" "\n", true, 0, 4, 1, 2, "a\nb\\c \xc3\xa9", "", ""},
      {"an escape that is none", R"(4,1,2,-;\xg0 \x4 \q \)" "\n", true, 0, 4, 1, 2, R"(\xg0 \x4 \q \)", "", ""},
      {"an escaped value", "4,1,2,-;t\n DEVICE=a\\x20b\n", true, 0, 4, 1, 2, "t", "", "a b"},
      {"unknown keys", "4,1,2,-;t\n X=1\n DEVICEX=2\n DEVICE\n=\n", true, 0, 4, 1, 2, "t", "", ""},
      {"largest", "4294967295,18446744073709551615,9223372036854775,-;t\n", true, 536870911, 7,
       UINT64_MAX, 9223372036854775, "t", "", ""},
      {"empty", "", false, 0, 0, 0, 0, "", "", ""},
      {"no prefix", "text\n", false, 0, 0, 0, 0, "", "", ""},
      {"two fields", "4,1;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"no number", "4,x,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"signed", "4,-1,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"too late", "4,1,9223372036854776,-;text\n", false, 0, 0, 0, 0, "", "", ""},
      {"too large", "4,18446744073709551616,2,-;text\n", false, 0, 0, 0, 0, "", "", ""},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.name);
    std::string bytes = c.record;
    const Result<KmsgRecord> got = ParseKmsg(bytes);
    ASSERT_EQ(got.ok(), c.good);
    if (!got.ok()) {
      EXPECT_EQ(got.status().code, Code::kInvalid);
      continue;
    }
    const KmsgRecord& record = got.value();
    EXPECT_EQ(record.facility, c.facility);
    EXPECT_EQ(record.level, c.level);
    EXPECT_EQ(record.sequence, c.sequence);
    EXPECT_EQ(record.since_boot.ns, c.microseconds * 1000);
    EXPECT_EQ(record.text, c.text);
    EXPECT_EQ(record.subsystem, c.subsystem);
    EXPECT_EQ(record.device, c.device);
  }
}

}  // namespace
}  // namespace limpet
