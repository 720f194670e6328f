// What each command does. This folder is the program: the only place that knows both the core and
// the outside world.
#pragma once

#include "cli/args.h"

namespace limpet {

// Each returns an exit code (cli/exit_code.h).
int RunCommand(const Args& args);
int CheckCommand(const Args& args);
int StatusCommand(const Args& args);
int HealthCommand(const Args& args);
int ReloadCommand(const Args& args);
int SpoolCommand(const Args& args);
int DeadCommand(const Args& args);
int BackupCommand(const Args& args);
int RestoreCommand(const Args& args);
int SinkCommand(const Args& args);
int VersionCommand(const Args& args);

}  // namespace limpet
