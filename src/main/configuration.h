// Loads the configuration that a command was pointed to, and plans the memory for it.
#pragma once

#include "agent/memory_plan.h"
#include "cli/args.h"
#include "config/config.h"
#include "limpet/limits.h"

namespace limpet {

inline constexpr size_t kConfigArenaBytes = 32 * kKiB;

/// The configuration of the process, which LoadConfiguration fills in.
Config& TheConfiguration();

/// Fills in the configuration; its texts live as long as the process. On a mistake every error has
/// been printed, and the result is an exit code other than kExitOk.
int LoadConfiguration(const Args& args, Config& config);

/// The plan for it; a mistake has been printed (kExitConfig).
int PlanConfiguration(const Config& config, MemoryPlan& plan);

/// Does a destination need the CA index?
bool NeedsCertificates(const DestinationConfig& destination);

}  // namespace limpet
