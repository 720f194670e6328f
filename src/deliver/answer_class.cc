#include "deliver/answer_class.h"

#include <array>

namespace limpet {
namespace {

struct Row {
  int from, to;  // HTTP status, both ends included; the first row that matches counts.
  AnswerClass answer_class;
  std::string_view hint;
};

// Beside each row: what OTLP 1.11 (OTLP/HTTP response) or HTTP says. Where we deviate to protect
// data, the row says so.
constexpr Row kRows[] = {
    // "On success, the server MUST respond with HTTP 200 OK"; any 2xx is a success in HTTP.
    {200, 299, AnswerClass::kAccepted, ""},
    // OTLP: 429, 502, 503, 504 are retryable, all others "MUST NOT be retried".
    {429, 429, AnswerClass::kRetryable, "the destination limits the rate"},
    {502, 504, AnswerClass::kRetryable, ""},
    // OTLP: 400 is "malformed", dropped by the sender. 413 and 422 mean these bytes as well.
    {400, 400, AnswerClass::kRefused, "the destination refuses the data"},
    {413, 413, AnswerClass::kRefused, "the request is too large for the destination"},
    {422, 422, AnswerClass::kRefused, "the destination refuses the data"},
    // Deviation: OTLP would drop these too. They speak of the connection, not of the data.
    {401, 401, AnswerClass::kMisconfigured, "credentials are missing or wrong: check header.* and "
                                            "bearer_token_file"},
    {403, 403, AnswerClass::kMisconfigured, "the credentials do not permit this"},
    {404, 404, AnswerClass::kMisconfigured, "no such path: check url"},
    {405, 405, AnswerClass::kMisconfigured, "not an OTLP/HTTP endpoint: check url"},
    {407, 407, AnswerClass::kMisconfigured, "the proxy wants credentials"},
    {415, 415, AnswerClass::kMisconfigured, "the content type or encoding is not taken: check "
                                            "compression"},
    {300, 399, AnswerClass::kMisconfigured, "redirects are not followed: check url"},
    {400, 499, AnswerClass::kMisconfigured, "check url and header.*"},
    // Deviation: OTLP would drop on 500 and others. The fault is the destination's until proven.
    {500, 599, AnswerClass::kFaulty, "the destination failed"},
};

const Row* Find(int status) {
  for (const Row& row : kRows) {
    if (row.from <= status && status <= row.to) return &row;
  }
  return nullptr;
}

}  // namespace

std::string_view AnswerClassName(AnswerClass answer_class) {
  constexpr std::array<std::string_view, 5> kNames = {"accepted", "retryable", "refused",
                                                      "misconfigured", "faulty"};
  return kNames[static_cast<size_t>(answer_class)];
}

AnswerClass Classify(const Answer& answer) {
  if (answer.misconfigured) return AnswerClass::kMisconfigured;
  if (answer.sent != Sent::kAnswered) return AnswerClass::kRetryable;
  const Row* const row = Find(answer.status);
  return row == nullptr ? AnswerClass::kFaulty : row->answer_class;
}

std::string_view AnswerHint(int status) {
  const Row* const row = Find(status);
  return row == nullptr ? "not an HTTP status" : row->hint;
}

}  // namespace limpet
