// limpet check: the configuration as it takes effect, and what it costs.
#include "cli/exit_code.h"
#include "config/print.h"
#include "main/commands.h"
#include "main/configuration.h"
#include "main/console.h"
#include "main/online.h"
#include "port/linux/host.h"

namespace limpet {

int CheckCommand(const Args& args) {
  Config& config = TheConfiguration();
  if (const int code = LoadConfiguration(args, config); code != kExitOk) return code;
  MemoryPlan plan;
  if (const int code = PlanConfiguration(config, plan); code != kExitOk) return code;
  static char page[64 * kKiB];
  TextWriter out{std::span<char>(page)};
  PrintConfig(out, config);
  out << '\n';
  plan.Write(out);
  LIMPET_CHECK(!out.overflowed());  // The arena that the texts come from is smaller.
  if (!WriteStdout(out.text())) return kExitIo;
  if (const int code = CheckFiles(config); code != kExitOk) return code;
  return args.online ? TryDestinations(config) : kExitOk;
}

}  // namespace limpet
