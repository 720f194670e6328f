// The command line: one table of commands, one of their actions, one of options.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"

namespace limpet {

enum class Command : uint8_t {
  kRun,
  kCheck,
  kStatus,
  kHealth,
  kReload,
  kSpool,
  kDead,
  kBackup,
  kRestore,
  kSink,
  kVersion,
  kHelp,
};

/// What `spool` and `dead` are to do.
enum class Action : uint8_t { kNone, kList, kShow, kExport, kVerify, kRetry, kPurge };

struct Args {
  Command command = Command::kHelp;
  Action action = Action::kNone;            ///< Of a command that has actions: never kNone.
  bool help = false;  ///< -h: print the help of `command` and end with 0.
  std::string_view config = "/etc/limpet/limpet.ini";
  std::array<std::string_view, 64> sets{};  ///< --set section.key=value, in order.
  size_t set_count = 0;
  std::string_view state_dir;               ///< --state-dir, empty when not given.
  std::string_view listen = "127.0.0.1:4318";
  std::string_view fail;                    ///< --fail, as written; empty when not given.
  std::array<std::string_view, 64> operands{};  ///< As many as the action takes, none empty.
  size_t operand_count = 0;
  bool json = false, watch = false, online = false;
};

/// Reads the arguments after the program's name. On a mistake writes one sentence to `error` and
/// returns false.
bool ParseArgs(std::span<const char* const> arguments, Args& args, TextWriter& error);

/// The help of one command, or of all of them for kHelp.
void WriteHelp(Command command, TextWriter& out);

/// "run", "check", …
std::string_view CommandName(Command command);

/// False for commands whose feature this build does not have yet.
bool CommandIsBuilt(Command command);

}  // namespace limpet
