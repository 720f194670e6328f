// What an answer means: the table of spec.md section 5, in one place.
#pragma once

#include <cstdint>
#include <string_view>

#include "limpet/transport.h"

namespace limpet {

enum class AnswerClass : uint8_t {
  kAccepted,       ///< Never sent again.
  kRetryable,      ///< Retried with backoff; counts for the breaker.
  kRefused,        ///< The destination does not want these bytes.
  kMisconfigured,  ///< Held: wrong credentials or a wrong path never cost data.
  kFaulty,         ///< Held likewise.
};

/// "accepted", "retryable", …
std::string_view AnswerClassName(AnswerClass answer_class);

/// Classifies by the status line alone, unless the transport knows better. No answer (lost, refused, timed out) is retryable; a number
/// outside 200…599 is faulty.
AnswerClass Classify(const Answer& answer);

/// What to look at, for people; empty when the number says it all.
std::string_view AnswerHint(int status);

}  // namespace limpet
