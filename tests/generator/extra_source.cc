// The environment variable LIMPET_GENERATE=LINES_PER_SECOND[:FIRST_NUMBER] switches the generator on.
#include "main/extra_source.h"

#include <cstdio>
#include <cstdlib>
#include <optional>

#include "cli/exit_code.h"
#include "generator/line_generator.h"
#include "limpet/limits.h"

namespace limpet {
namespace {

constexpr uint64_t kLinesPerSecondMax = 1'000'000;

/// Takes the digits at the front of `text`; nothing when there are none.
std::optional<uint64_t> ReadNumber(const char*& text) {
  uint64_t number = 0;
  const char* const begin = text;
  for (; *text >= '0' && *text <= '9' && text - begin < 16; ++text) {
    number = number * 10 + static_cast<uint64_t>(*text - '0');
  }
  return text == begin ? std::nullopt : std::optional(number);
}

}  // namespace

ExtraSource FindExtraSource() {
  static std::optional<LineGenerator> generator;
  const char* text = std::getenv("LIMPET_GENERATE");
  if (text == nullptr || *text == '\0') return {};
  if (!generator) {
    const std::optional<uint64_t> rate = ReadNumber(text);
    std::optional<uint64_t> first = 1;
    if (*text == ':') first = ReadNumber(++text);
    if (!rate || *rate == 0 || *rate > kLinesPerSecondMax || !first || *text != '\0') {
      std::fputs("LIMPET_GENERATE is not LINES_PER_SECOND[:FIRST_NUMBER]\n", stderr);
      std::_Exit(kExitUsage);
    }
    generator.emplace(static_cast<uint32_t>(*rate), *first);
  }
  return {.source = &*generator, .logs_slab_bytes = Batcher::SlabBytes(64 * kKiB)};
}

}  // namespace limpet
