// What a destination says in the body of its answer: how many items of an accepted request it
// rejected, and a sentence for people. For status and logs; nothing depends on it but the count.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/batch.h"

namespace limpet {

/// A text from outside, of which the first 256 bytes are kept: cut between characters, control
/// characters turned into blanks, invalid UTF-8 into '?'. Safe to print.
class AnswerText {
 public:
  static constexpr size_t kMax = 256;

  /// False when there is no more room.
  bool Append(std::string_view text);
  void Clear() { size_ = 0; }

  bool empty() const { return size_ == 0; }
  operator std::string_view() const { return {text_.data(), size_}; }  // NOLINT: it is a text.

 private:
  std::array<char, kMax> text_{};
  size_t size_ = 0;
};

struct AnswerBody {
  uint64_t rejected = 0;  ///< Items; 0 unless accepted.
  AnswerText message;     ///< Empty when there is none.
};

/// accepted: the status was 2xx, so the body is an Export…ServiceResponse of the signal, else a
/// google.rpc.Status; either in protobuf or in JSON. For an error a line of plain text will do too,
/// as proxies and Prometheus send it. What cannot be understood gives no message and 0 rejected.
AnswerBody ParseAnswerBody(std::span<const uint8_t> body, Signal signal, bool accepted);

}  // namespace limpet
