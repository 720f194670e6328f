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
    {Command::kSpool, "spool", kConfigured | kStateDir | kJson, true, "look at the spool"},
    {Command::kDead, "dead", kConfigured | kStateDir | kJson, true,
     "dead letters: what was refused and set aside"},
    {Command::kBackup, "backup", kConfigured | kStateDir, true,
     "copy the state, also of a running process"},
    {Command::kRestore, "restore", kConfigured | kStateDir, true, "put a backup back"},
    {Command::kSink, "sink", kListen | kJson | kFail, true,
     "a local OTLP/HTTP endpoint that prints what arrives"},
    {Command::kVersion, "version", kJson, true, "version, target and libraries"},
};

/// What a command can be told to do, and on what: its operands.
struct ActionRow {
  Command command;
  Action action;
  std::string_view name;     // Empty: the command has but this one.
  size_t min, max;           // So many operands.
  std::string_view operand;  // What each is.
  bool json;                 // Takes --json, of those that its command lists.
  std::string_view help;
};

constexpr size_t kOperandsMax = std::tuple_size_v<decltype(Args::operands)>;

constexpr ActionRow kActions[] = {
    {Command::kSpool, Action::kList, "list", 0, 0, "", true, "a line for each batch, in order"},
    {Command::kSpool, Action::kShow, "show", 1, 1, "ID", true, "one batch, with its items"},
    {Command::kSpool, Action::kExport, "export", 1, 1, "FILE", false,
     "write all of it as OTLP JSON, one request a line"},
    {Command::kSpool, Action::kVerify, "verify", 0, 0, "", false, "read all of it and check it"},
    {Command::kDead, Action::kList, "list", 0, 0, "", true, "a line for each dead letter"},
    {Command::kDead, Action::kShow, "show", 1, 1, "ID", true, "one of them, with its items"},
    {Command::kDead, Action::kRetry, "retry", 0, kOperandsMax, "ID", false,
     "send these once more, or all of them"},
    {Command::kDead, Action::kPurge, "purge", 0, 0, "", false, "delete all of them"},
    {Command::kBackup, Action::kNone, "", 1, 1, "FILE", false, ""},
    {Command::kRestore, Action::kNone, "", 1, 1, "FILE", false, ""},
};

const CommandRow* Find(Command command) {
  for (const CommandRow& row : kCommands) {
    if (row.command == command) return &row;
  }
  return nullptr;
}

/// Null for a command that takes neither actions nor operands.
const ActionRow* FirstAction(Command command) {
  for (const ActionRow& row : kActions) {
    if (row.command == command) return &row;
  }
  return nullptr;
}

const ActionRow* FindAction(Command command, std::string_view name) {
  for (const ActionRow& row : kActions) {
    if (row.command == command && row.name == name) return &row;
  }
  return nullptr;
}

/// "list, show, export, verify"
void WriteActions(Command command, TextWriter& out) {
  const char* between = "";
  for (const ActionRow& row : kActions) {
    if (row.command != command) continue;
    out << between << row.name;
    between = ", ";
  }
}

/// "spool show", "backup"
void WriteName(const CommandRow& command, const ActionRow* action, TextWriter& out) {
  out << command.name;
  if (action != nullptr && !action->name.empty()) out << ' ' << action->name;
}

/// "show ID", "retry [ID...]", "FILE"
void WriteUsage(const ActionRow& row, TextWriter& out) {
  out << row.name;
  if (row.max == 0) return;
  if (!row.name.empty()) out << ' ';
  out << (row.min == 0 ? "[" : "") << row.operand << (row.max > 1 ? "..." : "")
      << (row.min == 0 ? "]" : "");
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

/// Sorts the words of a command line that are no options: the action first, then its operands.
class Words {
 public:
  Words(const CommandRow& command, Args& args, TextWriter& error)
      : command_(command), args_(args), error_(error), action_(FirstAction(command.command)) {
    wanted_ = action_ != nullptr && !action_->name.empty();
    if (wanted_) action_ = nullptr;
  }

  bool Take(std::string_view word) {
    if (wanted_) return TakeAction(word);
    if (action_ == nullptr || args_.operand_count == action_->max) return TooMany(word);
    if (word.empty()) return Missing();
    args_.operands[args_.operand_count++] = word;
    return true;
  }

  /// All words and options have been taken.
  bool Finish() {
    if (wanted_) {
      error_ << command_.name << ": expected one of ";
      WriteActions(command_.command, error_);
      return false;
    }
    if (action_ == nullptr) return true;
    if (args_.operand_count < action_->min) return Missing();
    if (!args_.json || action_->json) return true;
    WriteName(command_, action_, error_);
    error_ << " takes no --json";
    return false;
  }

  bool Unknown(std::string_view word) {
    WriteName(command_, action_, error_);
    error_ << ": unknown argument '" << word << "' (limpet " << command_.name
           << " --help lists them)";
    return false;
  }

 private:
  bool TakeAction(std::string_view word) {
    action_ = FindAction(command_.command, word);
    if (action_ == nullptr) {
      error_ << command_.name << ": unknown action '" << word << "' (expected ";
      WriteActions(command_.command, error_);
      error_ << ')';
      return false;
    }
    args_.action = action_->action;
    wanted_ = false;
    return true;
  }

  bool TooMany(std::string_view word) {
    if (action_ == nullptr || action_->max < 2) return Unknown(word);
    WriteName(command_, action_, error_);
    error_ << ": more than " << action_->max << " times " << action_->operand;
    return false;
  }

  bool Missing() {
    WriteName(command_, action_, error_);
    error_ << ": expected " << action_->operand;
    return false;
  }

  const CommandRow& command_;
  Args& args_;
  TextWriter& error_;
  const ActionRow* action_;
  bool wanted_ = false;  // An action is still to come.
};

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
  Words words(*command, args, error);
  for (size_t i = 1; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (text == "-h" || text == "--help") {
      args.help = true;
      return true;
    }
    if (!text.starts_with('-') || text == "-") {
      if (!words.Take(text)) return false;
      continue;
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
    if (option == nullptr) return words.Unknown(arguments[i]);
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
  return words.Finish();
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
  const ActionRow* const only = FirstAction(command);
  const bool actions = only != nullptr && !only->name.empty();
  if (actions) {
    out << " ACTION";
  } else if (only != nullptr) {
    out << ' ';
    WriteUsage(*only, out);
  }
  for (const OptionRow& o : kOptions) {
    if ((row->options & o.option) == 0) continue;
    out << " [" << (o.short_name.empty() ? o.name : o.short_name);
    if (!o.argument.empty()) out << ' ' << o.argument;
    out << ']';
  }
  out << "\n\n" << row->help << (row->built ? "" : " (not available in this build)") << "\n\n";
  for (const ActionRow& action : kActions) {
    if (!actions || action.command != command) continue;
    TextBuffer<64> left;
    left << "  ";
    WriteUsage(action, left);
    pad(left.text(), 26);
    out << ' ' << action.help << '\n';
  }
  if (actions) out << '\n';
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
