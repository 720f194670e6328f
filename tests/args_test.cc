#include "cli/args.h"

#include <gtest/gtest.h>

#include <vector>

namespace limpet {
namespace {

TEST(Args, Good) {
  Args args;
  TextBuffer<256> error;
  const char* const run[] = {"run", "-c", "a.ini", "--set", "host.interval=1s", "--set=self.interval=0",
                             "--state-dir", "/s"};
  ASSERT_TRUE(ParseArgs(run, args, error)) << error.text();
  EXPECT_EQ(args.command, Command::kRun);
  EXPECT_EQ(args.config, "a.ini");
  EXPECT_EQ(args.set_count, 2u);
  EXPECT_EQ(args.sets[1], "self.interval=0");
  EXPECT_EQ(args.state_dir, "/s");

  args = {};
  const char* const sink[] = {"sink", "--listen=127.0.0.1:0", "--json", "--fail", "25%"};
  ASSERT_TRUE(ParseArgs(sink, args, error));
  EXPECT_TRUE(args.json);
  EXPECT_EQ(args.fail, "25%");

  args = {};
  ASSERT_TRUE(ParseArgs({}, args, error));
  EXPECT_EQ(args.command, Command::kHelp);
  const char* const help[] = {"status", "--help"};
  ASSERT_TRUE(ParseArgs(help, args, error));
  EXPECT_TRUE(args.help);
}

TEST(Args, EveryMistakeIsASentence) {
  const std::vector<std::vector<const char*>> cases = {
      {"walk"},           {"run", "--json"},       {"run", "file.ini"},   {"run", "-c"},
      {"sink", "--fail"}, {"sink", "--fail="  "1", "-x"}, {"status", "--json=yes"}};
  for (const std::vector<const char*>& c : cases) {
    Args args;
    TextBuffer<256> error;
    EXPECT_FALSE(ParseArgs(c, args, error)) << c.back();
    EXPECT_GT(error.size(), 10u);
  }
}

TEST(Args, HelpNamesEveryCommandAndOption) {
  TextBuffer<4096> all;
  WriteHelp(Command::kHelp, all);
  for (const char* name : {"run", "check", "status", "health", "reload", "spool", "dead", "backup",
                           "restore", "sink", "version"}) {
    EXPECT_NE(all.text().find(name), std::string_view::npos) << name;
  }
  TextBuffer<4096> run;
  WriteHelp(Command::kRun, run);
  EXPECT_NE(run.text().find("--state-dir DIR"), std::string_view::npos);
  EXPECT_FALSE(CommandIsBuilt(Command::kSpool));
  EXPECT_TRUE(CommandIsBuilt(Command::kSink));
}

}  // namespace
}  // namespace limpet
