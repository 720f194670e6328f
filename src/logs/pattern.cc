#include "logs/pattern.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "limpet/limits.h"

namespace limpet {
namespace {

// What the pool is made of. A compiled pattern is mostly smaller than 1 KiB; only repeats of groups and
// many alternatives make it large.
constexpr size_t kTextMax = 1024;
constexpr size_t kCodeBytesMax = 4 * kKiB;
constexpr size_t kBlockOverhead = 64;
constexpr size_t kCompileBytes = 20 * kTextMax  // A pattern in parts, with callouts between,
                                 + 4 * kCodeBytesMax + 8 * kKiB;  // what becomes of it; contexts, names.
// Places to go back to, 130 bytes each and 16 for each group: a repeated group leaves two at each round.
constexpr size_t kFrameBytesMax = 96 * kKiB;

// What a match may cost: a byte that is looked at is one, a step from item to item is several.
constexpr uint64_t kQuickCost = 20'000'000, kCostMax = 10'000'000;
constexpr uint64_t kStepCost = 8;
constexpr uint32_t kStepsMax = 10'000'000;
constexpr uint32_t kDepthMax = 10'000;
constexpr uint32_t kNestingMax = 50;  // Of parentheses: the compiler's functions call themselves.

/// What a match has cost so far, and where it was last.
struct Meter {
  uint64_t cost = 0;
  size_t at = 0;
};

/// Between any two items of the pattern.
int Account(pcre2_callout_block* block, void* context) {
  Meter& meter = *static_cast<Meter*>(context);
  const size_t at = block->current_position;
  meter.cost += kStepCost + (at > meter.at ? at - meter.at : meter.at - at);
  meter.at = at;
  return meter.cost > kCostMax ? PCRE2_ERROR_CALLOUT : 0;
}

bool IsContinuation(char c) { return (c & 0xc0) == 0x80; }

pcre2_code* MakeCode(std::string_view text, pcre2_compile_context* context, uint32_t options, int& error,
                     size_t& at) {
  return pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(),
                       options | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP, &error, &at, context);
}

/// Where a character of several bytes would be taken for one: 0 none, else its position from 1.
size_t BeyondAscii(std::string_view text, const char*& problem) {
  bool in_class = false;
  size_t class_begin = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      ++i;  // What follows stands for itself, or for a class of its own.
    } else if (in_class) {
      if ((c & 0x80) != 0) {
        problem = "only ASCII may stand in []: write (?:\xc3\xa4|\xc3\xb6) for [\xc3\xa4\xc3\xb6]";
        return i + 1;
      }
      in_class = c != ']' || i == class_begin;
    } else if (c == '[') {
      in_class = true;
      class_begin = i + 1 + (text.substr(i + 1).starts_with('^') ? 1 : 0);
    } else if (i > 0 && (text[i - 1] & 0x80) != 0 && std::string_view("*+?{").find(c) != std::string_view::npos) {
      problem = "put a repeated character beyond ASCII in a group: (?:\xc3\xa4)+";
      return i + 1;
    }
  }
  return 0;
}

}  // namespace

/// PCRE2 has one vector of frames. When it asks for a larger one, it gets the same again, in which what it
/// copies stands already.
struct PatternPool::Hooks {
  static void* Allocate(PCRE2_SIZE bytes, void* pool) {
    PatternPool& own = *static_cast<PatternPool*>(pool);
    if (!own.matching_) return own.codes_.Allocate(bytes);
    return bytes <= own.frames_.size() ? own.frames_.data() : nullptr;
  }
  static void Free(void* block, void* pool) {
    PatternPool& own = *static_cast<PatternPool*>(pool);
    if (block != own.frames_.data()) own.codes_.Free(block);
  }
};

bool PatternsAvailable() { return true; }

size_t PatternPool::BytesNeeded(size_t patterns) {
  if (patterns == 0) return 0;
  return kFrameBytesMax + kCompileBytes + patterns * (kCodeBytesMax + kBlockOverhead);
}

PatternPool::PatternPool(std::span<std::byte> memory, Log* log)
    : frames_(memory.first(kFrameBytesMax)), log_(log) {
  LIMPET_CHECK(memory.size() >= BytesNeeded(1));
  codes_.Init("patterns", memory.subspan(kFrameBytesMax));
  general_ = pcre2_general_context_create(Hooks::Allocate, Hooks::Free, this);
  LIMPET_CHECK(general_ != nullptr);
  compile_ = pcre2_compile_context_create(general_);
  limits_ = pcre2_match_context_create(general_);
  metered_ = pcre2_match_context_create(general_);
  match_ = pcre2_match_data_create(1, general_);  // The whole match is all that is asked for.
  LIMPET_CHECK(compile_ != nullptr && limits_ != nullptr && metered_ != nullptr && match_ != nullptr);
  pcre2_set_newline(compile_, PCRE2_NEWLINE_LF);
  pcre2_set_parens_nest_limit(compile_, kNestingMax);
  for (pcre2_match_context* const limits : {limits_, metered_}) {
    pcre2_set_heap_limit(limits, kFrameBytesMax / kKiB);
    pcre2_set_depth_limit(limits, kDepthMax);
  }
  pcre2_set_match_limit(metered_, kStepsMax);
}

Status Pattern::Compile(std::string_view text, PatternPool& pool, TextWriter& problem) {
  const char* beyond = nullptr;
  if (const size_t at = BeyondAscii(text, beyond); at != 0) {
    problem << beyond << " (at character " << at << ')';
    return {Code::kInvalid, static_cast<int32_t>(at), "pattern"};
  }
  if (text.size() > kTextMax) {
    problem << "longer than " << kTextMax << " characters";
    return {Code::kInvalid, 0, "pattern"};
  }
  int error = 0;
  size_t at = 0;
  code_ = MakeCode(text, pool.compile_, 0, error, at);
  size_t bytes = 0;
  if (code_ != nullptr) pcre2_pattern_info(code_, PCRE2_INFO_SIZE, &bytes);
  if (bytes > kCodeBytesMax || (code_ == nullptr && error == PCRE2_ERROR_HEAP_FAILED)) {
    Free();
    problem << "too large: compiled it has at most " << kCodeBytesMax << " bytes";
    return {Code::kInvalid, 0, "pattern"};
  }
  if (code_ == nullptr) {
    PCRE2_UCHAR message[160];
    pcre2_get_error_message(error, message, sizeof message);
    problem << reinterpret_cast<const char*>(message) << " (at character " << at << ')';
    return {Code::kInvalid, static_cast<int32_t>(at), "pattern"};
  }
  pool_ = &pool;
  text_ = text;
  uint32_t options = 0, first = 0;
  pcre2_pattern_info(code_, PCRE2_INFO_ALLOPTIONS, &options);
  pcre2_pattern_info(code_, PCRE2_INFO_FIRSTCODETYPE, &first);
  anchored_ = (options & PCRE2_ANCHORED) != 0 || first == 2;
  return {};
}

void Pattern::Free() {
  pcre2_code_free(code_);
  code_ = nullptr;
}

// PCRE2 counts steps, anew at each place where a match may begin, and a step may look at all of the text.
// Where so few are allowed that this takes no time, nearly every match is decided. What is not is matched
// again by a code that is made for it, with a callout between any two items: slower, but what it costs
// is known.
Pattern::Found Pattern::Run(std::string_view subject, size_t from, uint32_t options) {
  const size_t places = anchored_ ? 1 + static_cast<size_t>(std::count(subject.begin(), subject.end(), '\n'))
                                  : 1 + subject.size();
  const uint64_t steps = kQuickCost / (uint64_t{places} * (kStepCost + subject.size()));
  pcre2_set_match_limit(pool_->limits_, static_cast<uint32_t>(std::clamp<uint64_t>(steps, 1, kStepsMax)));
  const auto match = [&](const pcre2_code* code, pcre2_match_context* limits) {
    pool_->matching_ = true;
    const int result = pcre2_match(code, reinterpret_cast<PCRE2_SPTR>(subject.data()), subject.size(), from,
                                   options, pool_->match_, limits);
    pool_->matching_ = false;
    return result;
  };
  int result = match(code_, pool_->limits_);
  if (result == PCRE2_ERROR_MATCHLIMIT) {
    Meter meter;
    int error = 0;
    size_t at = 0;
    pcre2_set_callout(pool_->metered_, Account, &meter);
    pcre2_code* const code = MakeCode(text_, pool_->compile_, PCRE2_AUTO_CALLOUT, error, at);
    if (code != nullptr) result = match(code, pool_->metered_);
    pcre2_code_free(code);
  }
  if (result >= 0) return Found::kYes;  // 0: there was room for the whole match only.
  if (result == PCRE2_ERROR_NOMATCH) return Found::kNo;
  ++pool_->given_up_;
  if (!told_ && pool_->log_ != nullptr) {
    pool_->log_->Warn("a pattern was given up on a record: it takes too much time or memory",
                      {{"pattern", text_}, {"bytes", subject.size()}});
  }
  told_ = true;
  return Found::kGivenUp;
}

Pattern::Found Pattern::Matches(std::string_view subject) { return Run(subject, 0, 0); }

Pattern::Found Pattern::Find(std::string_view subject, size_t from, Place& place) {
  const Found found = Run(subject, from, PCRE2_NOTEMPTY);
  if (found != Found::kYes) return found;
  const PCRE2_SIZE* const ends = pcre2_get_ovector_pointer(pool_->match_);
  // \K in a lookahead may set the begin behind the end.
  place.begin = std::clamp<size_t>(std::min(ends[0], ends[1]), from, subject.size());
  place.end = std::max(ends[0], ends[1]);
  for (int i = 0; i < 3 && place.begin > from && IsContinuation(subject[place.begin]); ++i) --place.begin;
  for (int i = 0; i < 3 && place.end < subject.size() && IsContinuation(subject[place.end]); ++i) ++place.end;
  return found;
}

}  // namespace limpet
