// limpet spool, dead, backup and restore: what is kept on flash, looked at and copied.
#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"

namespace limpet {
namespace {

int NotAvailable(const Args& args) {
  TextBuffer<64> text;
  text << CommandName(args.command) << ": not available in this build";
  Complain(text.text());
  return kExitUnavailable;
}

}  // namespace

int SpoolCommand(const Args& args) { return NotAvailable(args); }
int DeadCommand(const Args& args) { return NotAvailable(args); }
int BackupCommand(const Args& args) { return NotAvailable(args); }
int RestoreCommand(const Args& args) { return NotAvailable(args); }

}  // namespace limpet
