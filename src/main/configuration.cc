#include "main/configuration.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "cli/exit_code.h"
#include "config/load.h"
#include "logs/pattern_check.h"
#include "main/console.h"
#include "main/run.h"
#include "port/linux/files.h"
#include "port/linux/region.h"
#include "port/linux/stderr_log.h"

namespace limpet {
namespace {

alignas(64) char g_arena[kConfigArenaBytes];

class Environment final : public Variables {
 public:
  std::optional<std::string_view> Variable(std::string_view name) override {
    char text[256];
    if (name.size() >= sizeof text) return std::nullopt;
    std::memcpy(text, name.data(), name.size());
    text[name.size()] = '\0';
    const char* const value = std::getenv(text);
    if (value == nullptr) return std::nullopt;
    return value;
  }
};

class PrintedErrors final : public ErrorSink {
 public:
  void OnError(std::string_view file, int line, std::string_view text) override {
    TextBuffer<1024> out;
    WriteError(out, file, line, text);
    out << '\n';
    StderrLog().WriteLine(out.text());
  }
};

int ExitCodeFor(const Status& status) {
  switch (status.code) {
    case Code::kOk: return kExitOk;
    case Code::kNotFound: return kExitNoInput;
    case Code::kDenied: return kExitPermission;
    case Code::kIo: return kExitIo;
    default: return kExitConfig;
  }
}

}  // namespace

/// Made when it is asked for: as a variable its defaults would stand in the binary.
Config& TheConfiguration() {
  static std::optional<Config> config;
  if (!config) config.emplace();
  return *config;
}

int LoadConfiguration(const Args& args, Config& config) {
  std::array<std::string_view, std::tuple_size_v<decltype(args.sets)> + 1> sets;
  size_t set_count = args.set_count;
  std::copy_n(args.sets.begin(), set_count, sets.begin());
  TextBuffer<kPathMax + 32> state_dir;
  if (!args.state_dir.empty()) {
    state_dir << "agent.state_dir=" << args.state_dir;
    sets[set_count++] = state_dir.text();
  }
  // The files' text is needed only now: given back before anything else is taken.
  const Result<std::span<std::byte>> scratch = TakeRegion(kConfigBytesMax);
  if (!scratch.ok()) {
    Complain("no memory to read the configuration");
    return kExitIo;
  }
  LinuxFiles files;
  Environment environment;
  PrintedErrors errors;
  // One pattern at a time, in memory that is given back as well.
  const Result<std::span<std::byte>> region = TakeRegion(std::max<size_t>(PatternPool::BytesNeeded(1), 1));
  if (!region.ok()) {
    Complain("no memory to read the configuration");
    return kExitIo;
  }
  CompiledPatterns patterns(region.value());
  const Status loaded = LoadConfig(
      {.path = args.config,
       .settings = std::span(sets).first(set_count),
       .files = files,
       .variables = environment,
       .patterns = &patterns,
       .scratch = {reinterpret_cast<char*>(scratch.value().data()), scratch.value().size()},
       .arena = g_arena},
      config, errors);
  GiveBackRegion(region.value());
  GiveBackRegion(scratch.value());
  return ExitCodeFor(loaded);
}

int PlanConfiguration(const Config& config, MemoryPlan& plan) {
  TextBuffer<512> error;
  const Result<MemoryPlan> made = MemoryPlan::Make(config, RunSizes(config), error);
  if (!made.ok()) {
    Complain(error.text());
    return kExitConfig;
  }
  plan = made.value();
  return kExitOk;
}

bool NeedsCertificates(const DestinationConfig& destination) {
  return !destination.tls_insecure &&
         std::any_of(destination.signal_url.begin(), destination.signal_url.end(),
                     [](std::string_view url) { return url.starts_with("https:"); });
}

}  // namespace limpet
