// Regular expressions over records: a wrapper of PCRE2 in fixed memory and bounded time.
//
// Patterns and texts are bytes. A character beyond ASCII is several of them: it matches itself, but stands
// for one byte in [] and before a quantifier, so that Compile refuses it there; `.` and \w know nothing of
// it, and (?i) neither. PCRE2's Unicode would double the matcher and bring 120 KB of tables.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "limpet/log.h"
#include "limpet/status.h"
#include "memory/fixed_heap.h"

struct pcre2_real_code_8;
struct pcre2_real_general_context_8;
struct pcre2_real_compile_context_8;
struct pcre2_real_match_context_8;
struct pcre2_real_match_data_8;

namespace limpet {

/// Has this build regular expressions (LIMPET_PATTERNS)? If not, each is refused.
bool PatternsAvailable();

/// Where patterns live when compiled, and the memory of a match, which all of them share: one thread.
class PatternPool {
 public:
  /// 0 for none.
  static size_t BytesNeeded(size_t patterns);

  /// memory: BytesNeeded, aligned to 64; outlives the pool, as the pool does its patterns.
  PatternPool(std::span<std::byte> memory, Log* log = nullptr);
  PatternPool(const PatternPool&) = delete;
  PatternPool& operator=(const PatternPool&) = delete;

  /// Matches that were given up.
  uint64_t given_up() const { return given_up_; }

 private:
  friend class Pattern;

  struct Hooks;  // Of PCRE2.

  FixedHeap codes_;
  const std::span<std::byte> frames_;  // Of a match.
  bool matching_ = false;
  Log* const log_;
  uint64_t given_up_ = 0;
  pcre2_real_general_context_8* general_ = nullptr;
  pcre2_real_compile_context_8* compile_ = nullptr;
  pcre2_real_match_context_8* limits_ = nullptr;
  pcre2_real_match_context_8* metered_ = nullptr;
  pcre2_real_match_data_8* match_ = nullptr;
};

class Pattern {
 public:
  enum class Found : uint8_t {
    kNo,
    kYes,
    kGivenUp,  ///< It takes more time, or more memory, than a match is allowed: some 50 ms, 96 KiB.
  };

  /// problem: on failure, what is wrong, for people: "missing closing parenthesis (at character 5)".
  /// kInvalid: it is no pattern, or too large when compiled; kUnsupported: this build has none.
  Status Compile(std::string_view text, PatternPool& pool, TextWriter& problem);
  bool compiled() const { return code_ != nullptr; }
  /// Gives its memory back. Patterns that last need not.
  void Free();

  Found Matches(std::string_view subject);

  struct Place {
    size_t begin = 0, end = 0;  ///< Whole characters: a match inside of one takes all of it.
  };
  /// The first match from `from` on that is not empty.
  Found Find(std::string_view subject, size_t from, Place& place);

 private:
  Found Run(std::string_view subject, size_t from, uint32_t options);

  PatternPool* pool_ = nullptr;
  pcre2_real_code_8* code_ = nullptr;
  std::string_view text_;
  bool anchored_ = false;  ///< It matches at the front of a line only.
  bool told_ = false;
};

}  // namespace limpet
