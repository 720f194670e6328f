// A build without regular expressions.
#include "logs/pattern.h"

namespace limpet {

bool PatternsAvailable() { return false; }
size_t PatternPool::BytesNeeded(size_t) { return 0; }
PatternPool::PatternPool(std::span<std::byte> memory, Log* log) : frames_(memory), log_(log) {}

Status Pattern::Compile(std::string_view, PatternPool&, TextWriter& problem) {
  problem << "regular expressions are not available in this build";
  return {Code::kUnsupported, 0, "pattern"};
}
void Pattern::Free() {}
Pattern::Found Pattern::Matches(std::string_view) { return Found::kNo; }
Pattern::Found Pattern::Find(std::string_view, size_t, Place&) { return Found::kNo; }

}  // namespace limpet
