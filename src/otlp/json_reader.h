// Takes one JSON text apart, token by token and strictly by RFC 8259, but for what strings hold where
// the caller wants that repaired: nothing is copied, nothing is read twice, so that what lies before
// position() may be overwritten.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "limpet/status.h"

namespace limpet {

/// Length of the JSON number at the front of `text`; 0: there is none.
size_t JsonNumberSize(std::string_view text);

/// Walks over the text:
///
///   for (in.Enter('{'); in.More('}');) {
///     if (in.Name() == "key") { in.Take('"') ... } else { in.Skip(); }
///   }
///
/// The first mistake ends the walk: status() then says kInvalid with the place as its detail, and
/// nothing more is there to be taken.
class JsonReader {
 public:
  /// Objects and arrays inside each other, as far as Skip() follows them.
  static constexpr int kSkipDepthMax = 64;

  /// What a string may not hold: a mistake, or put right. Invalid UTF-8 and lone surrogates become U+FFFD,
  /// control characters and unknown escapes stand for themselves.
  enum class Strings : bool { kStrict, kRepaired };

  explicit JsonReader(std::string_view text, Strings strings = Strings::kStrict)
      : text_(text), repairs_(strings == Strings::kRepaired) {}

  /// The first character of the next token; NUL at the end.
  char Peek() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c != ' ' && c != '\n' && c != '\r' && c != '\t') return c;
    }
    return '\0';
  }
  /// Takes the next token if it is this one: a bracket, a colon, the quote that opens a string.
  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }
  /// Takes true, false or null if it comes next.
  bool TakeWord(std::string_view word);
  /// Takes a number; a mistake when there is none.
  std::string_view Number();

  /// Takes the bracket that opens an object or array; a mistake when there is none.
  void Enter(char open);
  /// Is there another member or element? Takes the comma before it, or the closing bracket.
  bool More(char close);
  /// Takes a member's name and the colon.
  std::string_view Name();

  /// Of a string whose opening quote has been taken: the next piece of what it stands for, valid
  /// until the next call. False at its end, the closing quote taken, and after a mistake.
  bool Piece(std::string_view& piece);
  /// All of the rest of a string: where it stands if it is written plainly, else at the front of `into`.
  /// False: it does not fit there, and is passed over.
  bool Text(std::span<char> into, std::string_view& text);
  /// The rest of a string that is expected to be short: empty when longer than kShortMax and not
  /// written plainly.
  static constexpr size_t kShortMax = 64;
  std::string_view Short();

  /// Passes over a value, which must be well-formed.
  void Skip();
  /// Nothing may follow; a mistake when something does.
  void End();

  void Fail(const char* where);
  bool ok() const { return status_.ok(); }
  /// Something has become U+FFFD.
  bool repaired() const { return repaired_; }
  const Status& status() const { return status_; }
  size_t position() const { return at_; }
  /// On to a later place: for strings in texts that are no JSON.
  void Seek(size_t position) { at_ = position; }

 private:
  std::string_view Run();
  /// Takes the closing quote if it comes next.
  bool Ends() {
    if (at_ == text_.size() || text_[at_] != '"') return false;
    ++at_;
    return true;
  }
  bool Escape(std::string_view& piece);
  bool Replace(std::string_view& piece);
  std::optional<uint32_t> TakeUnit();

  std::string_view text_;
  size_t at_ = 0;
  const bool repairs_;
  bool repaired_ = false;
  bool entered_ = false;  // No comma comes before the first.
  Status status_;
  char character_[4];     // What an escape stands for, in UTF-8.
  char short_[kShortMax];
};

}  // namespace limpet
