// limpet: the entry point.
#include <span>

#include "cli/args.h"
#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"
#include "port/linux/host.h"

namespace limpet {
namespace {

int PrintHelp(Command command) {
  TextBuffer<4096> help;
  WriteHelp(command, help);
  return WriteStdout(help.text()) ? kExitOk : kExitIo;
}

int Main(std::span<const char* const> arguments) {
  FillStandardHandles();
  Args args;
  TextBuffer<512> mistake;
  if (!ParseArgs(arguments, args, mistake)) {
    Complain(mistake.text());
    return kExitUsage;
  }
  if (args.help) return PrintHelp(args.command);
  if (!CommandIsBuilt(args.command)) {
    TextBuffer<128> text;
    text << CommandName(args.command) << ": not available in this build";
    Complain(text.text());
    return kExitUnavailable;
  }
  switch (args.command) {
    case Command::kRun: return RunCommand(args);
    case Command::kCheck: return CheckCommand(args);
    case Command::kStatus: return StatusCommand(args);
    case Command::kHealth: return HealthCommand(args);
    case Command::kReload: return ReloadCommand(args);
    case Command::kSpool: return SpoolCommand(args);
    case Command::kDead: return DeadCommand(args);
    case Command::kBackup: return BackupCommand(args);
    case Command::kRestore: return RestoreCommand(args);
    case Command::kSink: return SinkCommand(args);
    case Command::kVersion: return VersionCommand(args);
    default: break;
  }
  const int printed = PrintHelp(Command::kHelp);
  return arguments.empty() ? kExitUsage : printed;
}

}  // namespace
}  // namespace limpet

int main(int argc, char** argv) {
  return limpet::Main(std::span<const char* const>(argv + 1, static_cast<size_t>(argc > 0 ? argc - 1 : 0)));
}
