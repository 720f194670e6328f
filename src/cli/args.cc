#include "cli/args.h"

#include <algorithm>

namespace limpet {
namespace {

// Options, one bit each: which command takes which.
enum Option : uint32_t {
  kConfig = 1,
  kSet = 2,
  kStateDir = 4,
  kOnline = 8,
  kJson = 16,
  kWatch = 32,
  kListen = 64,
  kFail = 128,
};

struct OptionRow {
  Option option;
  std::string_view name, short_name;
  std::string_view argument;  // Empty: a flag.
  std::string_view help;
};

constexpr OptionRow kOptions[] = {
    {kConfig, "--config", "-c", "FILE", "configuration (default /etc/limpet/limpet.ini)"},
    {kSet, "--set", "", "S.KEY=VALUE", "override a key of the configuration; repeatable"},
    {kStateDir, "--state-dir", "", "DIR", "override agent.state_dir"},
    {kOnline, "--online", "", "", "also try each destination"},
    {kJson, "--json", "", "", "print JSON"},
    {kWatch, "--watch", "", "", "again every second, until interrupted"},
    {kListen, "--listen", "", "ADDR", "address (default 127.0.0.1:4318)"},
    {kFail, "--fail", "", "RATE", "answer 503 to this share of requests: 0.1 or 10%"},
};

struct CommandRow {
  Command command;
  std::string_view name;
  uint32_t options;
  bool built;
  std::string_view help;
};

constexpr uint32_t kConfigured = kConfig | kSet;

constexpr CommandRow kCommands[] = {
    {Command::kRun, "run", kConfigured | kStateDir, true, "collect and forward, in the foreground"},
    {Command::kCheck, "check", kConfigured | kOnline, true,
     "validate; print the effective configuration and the memory plan"},
    {Command::kStatus, "status", kConfigured | kJson | kWatch, true, "ask the running process"},
    {Command::kHealth, "health", kConfigured, true,
     "one line; exit 0 when healthy, 69 when not"},
    {Command::kReload, "reload", kConfigured, true,
     "read the configuration again, and say what came of it"},
    {Command::kSpool, "spool", kConfigured, false, "look at the spool"},
    {Command::kDead, "dead", kConfigured, false, "dead letters"},
    {Command::kBackup, "backup", kConfigured, false, "copy the state of the running process"},
    {Command::kRestore, "restore", kConfigured, false, "put a backup back"},
    {Command::kSink, "sink", kListen | kJson | kFail, true,
     "a local OTLP/HTTP endpoint that prints what arrives"},
    {Command::kVersion, "version", kJson, true, "version, target and libraries"},
};

const CommandRow* Find(Command command) {
  for (const CommandRow& row : kCommands) {
    if (row.command == command) return &row;
  }
  return nullptr;
}

bool Apply(const OptionRow& row, std::string_view value, Args& args, TextWriter& error) {
  switch (row.option) {
    case kConfig: args.config = value; return true;
    case kStateDir: args.state_dir = value; return true;
    case kListen: args.listen = value; return true;
    case kFail: args.fail = value; return true;
    case kOnline: args.online = true; return true;
    case kJson: args.json = true; return true;
    case kWatch: args.watch = true; return true;
    case kSet:
      if (args.set_count == args.sets.size()) {
        error << "more than " << args.sets.size() << " times --set";
        return false;
      }
      args.sets[args.set_count++] = value;
      return true;
  }
  return false;
}

}  // namespace

std::string_view CommandName(Command command) {
  const CommandRow* const row = Find(command);
  return row == nullptr ? "help" : row->name;
}

bool CommandIsBuilt(Command command) {
  const CommandRow* const row = Find(command);
  return row == nullptr || row->built;
}

bool ParseArgs(std::span<const char* const> arguments, Args& args, TextWriter& error) {
  if (arguments.empty()) return true;
  const std::string_view name = arguments[0];
  if (name == "-h" || name == "--help" || name == "help") return true;
  const CommandRow* command = nullptr;
  for (const CommandRow& row : kCommands) {
    if (row.name == name || (name == "--version" && row.command == Command::kVersion)) {
      command = &row;
    }
  }
  if (command == nullptr) {
    error << "unknown command '" << name << "' (limpet --help lists them)";
    return false;
  }
  args.command = command->command;
  // Whatever follows a command of a later version is that version's to judge.
  if (!command->built) {
    for (const char* const argument : arguments) {
      const std::string_view text = argument;
      if (text == "-h" || text == "--help") args.help = true;
    }
    return true;
  }
  for (size_t i = 1; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (text == "-h" || text == "--help") {
      args.help = true;
      return true;
    }
    // "--name value", "--name=value", "-c value".
    std::string_view value;
    bool has_value = false;
    if (const size_t equal = text.find('='); text.starts_with("--") && equal != text.npos) {
      value = text.substr(equal + 1);
      text = text.substr(0, equal);
      has_value = true;
    }
    const OptionRow* option = nullptr;
    for (const OptionRow& row : kOptions) {
      if ((text == row.name || (!row.short_name.empty() && text == row.short_name)) &&
          (command->options & row.option) != 0) {
        option = &row;
      }
    }
    if (option == nullptr) {
      error << CommandName(args.command) << ": unknown argument '" << arguments[i] << "' (limpet "
            << CommandName(args.command) << " --help lists them)";
      return false;
    }
    if (option->argument.empty()) {
      if (has_value) {
        error << option->name << " takes no value";
        return false;
      }
    } else if (!has_value) {
      if (i + 1 == arguments.size()) {
        error << option->name << ": expected " << option->argument;
        return false;
      }
      value = arguments[++i];
    }
    if (!Apply(*option, value, args, error)) return false;
  }
  return true;
}

void WriteHelp(Command command, TextWriter& out) {
  const auto pad = [&out](std::string_view text, size_t width) {
    out << text;
    for (size_t i = text.size(); i < width; ++i) out << ' ';
  };
  const CommandRow* const row = Find(command);
  if (row == nullptr) {
    out << "usage: limpet COMMAND [OPTION…]\n\n";
    for (const CommandRow& r : kCommands) {
      out << "  ";
      pad(r.name, 10);
      out << r.help << (r.built ? "" : " (not available in this build)") << '\n';
    }
    out << "\nlimpet COMMAND --help lists a command's options.\n";
    return;
  }
  out << "usage: limpet " << row->name;
  for (const OptionRow& o : kOptions) {
    if ((row->options & o.option) == 0) continue;
    out << " [" << (o.short_name.empty() ? o.name : o.short_name);
    if (!o.argument.empty()) out << ' ' << o.argument;
    out << ']';
  }
  out << "\n\n" << row->help << (row->built ? "" : " (not available in this build)") << "\n\n";
  for (const OptionRow& o : kOptions) {
    if ((row->options & o.option) == 0) continue;
    TextBuffer<64> left;
    left << "  ";
    if (!o.short_name.empty()) left << o.short_name << ", ";
    left << o.name;
    if (!o.argument.empty()) left << ' ' << o.argument;
    pad(left.text(), 26);
    out << ' ' << o.help << '\n';
  }
  out << "  -h, --help               this text\n";
}

}  // namespace limpet
