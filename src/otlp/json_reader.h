// Takes one JSON text apart, token by token and strictly by RFC 8259: nothing is copied, nothing is
// read twice, so that what lies before position() may be overwritten.
#pragma once

#include <cstddef>
#include <cstdint>
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

  explicit JsonReader(std::string_view text) : text_(text) {}

  /// The first character of the next token; NUL at the end.
  char Peek();
  /// Takes the next token if it is this one: a bracket, a colon, the quote that opens a string.
  bool Take(char c);
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
  const Status& status() const { return status_; }
  size_t position() const { return at_; }

 private:
  bool Escape(std::string_view& piece);
  uint32_t Unit();

  std::string_view text_;
  size_t at_ = 0;
  bool entered_ = false;  // No comma comes before the first.
  Status status_;
  char character_[4];     // What an escape stands for, in UTF-8.
  char short_[kShortMax];
};

}  // namespace limpet
