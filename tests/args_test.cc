#include "cli/args.h"

#include <gtest/gtest.h>

#include <string>
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

TEST(Args, ActionsAndOperands) {
  struct Case {
    std::vector<const char*> arguments;
    Command command;
    Action action;
    std::vector<std::string_view> operands;
    bool json;
  };
  const std::vector<Case> cases = {
      {{"spool", "list"}, Command::kSpool, Action::kList, {}, false},
      {{"spool", "--json", "list"}, Command::kSpool, Action::kList, {}, true},
      {{"spool", "show", "17", "--json"}, Command::kSpool, Action::kShow, {"17"}, true},
      {{"spool", "export", "-"}, Command::kSpool, Action::kExport, {"-"}, false},
      {{"spool", "verify"}, Command::kSpool, Action::kVerify, {}, false},
      {{"dead", "list", "--json"}, Command::kDead, Action::kList, {}, true},
      {{"dead", "show", "3"}, Command::kDead, Action::kShow, {"3"}, false},
      {{"dead", "retry"}, Command::kDead, Action::kRetry, {}, false},
      {{"dead", "retry", "3", "5", "4"}, Command::kDead, Action::kRetry, {"3", "5", "4"}, false},
      {{"dead", "purge"}, Command::kDead, Action::kPurge, {}, false},
      {{"backup", "b.db"}, Command::kBackup, Action::kNone, {"b.db"}, false},
      {{"restore", "list"}, Command::kRestore, Action::kNone, {"list"}, false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.arguments[0]) + " " + c.arguments[1]);
    // Its configuration may be named before the action, or behind it.
    std::vector<const char*> arguments = c.arguments;
    arguments.insert(arguments.begin() + 1, {"-c", "a.ini"});
    arguments.insert(arguments.end(), {"--set=spool.sync=normal", "--state-dir", "/s"});
    Args args;
    TextBuffer<256> error;
    ASSERT_TRUE(ParseArgs(arguments, args, error)) << error.text();
    EXPECT_EQ(args.command, c.command);
    EXPECT_EQ(args.action, c.action);
    EXPECT_EQ(args.json, c.json);
    const auto operands = std::span(args.operands).first(args.operand_count);
    EXPECT_EQ(std::vector(operands.begin(), operands.end()), c.operands);
    EXPECT_EQ(args.config, "a.ini");
    EXPECT_EQ(args.sets[0], "spool.sync=normal");
    EXPECT_EQ(args.state_dir, "/s");
    EXPECT_FALSE(args.help);
  }
}

TEST(Args, MistakesInActionsAndOperands) {
  struct Case { std::vector<const char*> arguments; const char* error; };
  std::vector<Case> cases = {
      {{"spool"}, "spool: expected one of list, show, export, verify"},
      {{"dead", "--json"}, "dead: expected one of list, show, retry, purge"},
      {{"spool", "purge"}, "spool: unknown action 'purge' (expected list, show, export, verify)"},
      {{"dead", ""}, "dead: unknown action '' (expected list, show, retry, purge)"},
      {{"spool", "show"}, "spool show: expected ID"},
      {{"spool", "show", ""}, "spool show: expected ID"},
      {{"spool", "export", "--state-dir", "/s"}, "spool export: expected FILE"},
      {{"dead", "show", "--json"}, "dead show: expected ID"},
      {{"backup"}, "backup: expected FILE"},
      {{"restore", "-c", "a.ini"}, "restore: expected FILE"},
      {{"spool", "list", "3"},
       "spool list: unknown argument '3' (limpet spool --help lists them)"},
      {{"spool", "show", "3", "4"},
       "spool show: unknown argument '4' (limpet spool --help lists them)"},
      {{"dead", "purge", "3"}, "dead purge: unknown argument '3' (limpet dead --help lists them)"},
      {{"dead", "retry", "3", ""}, "dead retry: expected ID"},
      {{"restore", "a", "b"}, "restore: unknown argument 'b' (limpet restore --help lists them)"},
      {{"spool", "--json", "verify"}, "spool verify takes no --json"},
      {{"dead", "retry", "--json"}, "dead retry takes no --json"},
      {{"backup", "a", "--json"},
       "backup: unknown argument '--json' (limpet backup --help lists them)"},
      {{"spool", "list", "--watch"},
       "spool list: unknown argument '--watch' (limpet spool --help lists them)"},
      {{"run", "list"}, "run: unknown argument 'list' (limpet run --help lists them)"},
      {{"dead", "retry"}, "dead retry: more than 64 times ID"},
  };
  cases.back().arguments.resize(2 + 65, "7");
  for (const Case& c : cases) {
    Args args;
    TextBuffer<256> error;
    EXPECT_FALSE(ParseArgs(c.arguments, args, error));
    EXPECT_EQ(error.text(), c.error);
  }
  cases.back().arguments.pop_back();
  Args args;
  TextBuffer<256> error;
  EXPECT_TRUE(ParseArgs(cases.back().arguments, args, error)) << error.text();
  EXPECT_EQ(args.operand_count, 64u);
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
  EXPECT_TRUE(CommandIsBuilt(Command::kSink));
}

TEST(Args, HelpListsActionsAndOperands) {
  TextBuffer<4096> spool;
  WriteHelp(Command::kSpool, spool);
  EXPECT_TRUE(spool.text().starts_with(
      "usage: limpet spool ACTION [-c FILE] [--set S.KEY=VALUE] [--state-dir DIR] [--json]\n"))
      << spool.text();
  for (const char* line : {"\n  list    ", "\n  show ID    ", "\n  export FILE    ", "\n  verify    "}) {
    EXPECT_NE(spool.text().find(line), std::string_view::npos) << line;
  }
  TextBuffer<4096> dead;
  WriteHelp(Command::kDead, dead);
  EXPECT_NE(dead.text().find("\n  retry [ID...]    "), std::string_view::npos) << dead.text();
  EXPECT_EQ(dead.text().find("export"), std::string_view::npos);
  TextBuffer<4096> backup;
  WriteHelp(Command::kBackup, backup);
  EXPECT_TRUE(backup.text().starts_with("usage: limpet backup FILE [-c FILE]")) << backup.text();
  // -h is understood wherever it stands.
  for (const std::vector<const char*>& arguments : std::vector<std::vector<const char*>>{
           {"spool", "-h"}, {"spool", "show", "--help"}, {"dead", "retry", "3", "-h"}, {"backup", "-h"}}) {
    Args args;
    TextBuffer<256> error;
    EXPECT_TRUE(ParseArgs(arguments, args, error)) << error.text();
    EXPECT_TRUE(args.help);
  }
}

}  // namespace
}  // namespace limpet
