// Sending one request to one destination: what port/curl does and tests/sim plays.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "limpet/batch.h"
#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

struct Request {
  Signal signal = Signal::kMetrics;
  Encoding encoding = Encoding::kIdentity;
  std::string_view idempotency_key;  ///< Without the quotes; empty: no such header. Must live
                                     ///< until the answer.
  const Body* body = nullptr;        ///< Must live until the answer. One of no bytes, without a key,
                                     ///< is a probe: an empty export, which every receiver takes.
};

/// How far a request came.
enum class Sent : uint8_t {
  kAnswered,  ///< A complete status line came back, whatever became of the rest.
  kNotSent,   ///< Certain: no byte of the body left this host (no address, refused, TLS).
  kUnknown,   ///< The connection was lost or timed out after bytes of the request had left.
};

struct Answer {
  Sent sent = Sent::kNotSent;
  int status = 0;                  ///< HTTP status when answered.
  bool timed_out = false;          ///< No progress within `timeout`, or 10 minutes in all.
  std::string_view retry_after;    ///< Header value as received, empty when absent.
  std::string_view date;           ///< Likewise.
  std::span<const uint8_t> body;   ///< The first 64 KiB of the answer's body.
  bool body_complete = false;      ///< False: cut by the bound or by a broken connection.
  /// Nothing of what is wrong can mend itself: a file that a request needs has never held what it
  /// should (a token, a client certificate), or the proxy refuses. The data is not at fault.
  bool misconfigured = false;
  /// The server's certificate was not valid yet, by a clock that is not set, and was taken.
  bool undated = false;
  std::string_view error;          ///< For people, when not answered or misconfigured: "connection
                                   ///< refused", "bearer_token_file /run/token: not found", …
  Duration round_trip;             ///< From Send to the status line, or to the failure.
};

class AnswerHandler {
 public:
  /// Called once for each Send that returned kOk, unless cancelled; from the loop, never from within
  /// Send. The answer's views live until it returns. It may call Send again.
  virtual void OnAnswer(const Answer& answer) = 0;

 protected:
  ~AnswerHandler() = default;
};

class KnockHandler {
 public:
  /// Called once for each Knock that returned kOk, unless stopped; from the loop, never from within
  /// Knock. It may call Send or Knock.
  virtual void OnKnock(bool connected) = 0;

 protected:
  ~KnockHandler() = default;
};

/// One destination: one connection kept alive, one request or knock at a time.
class Transport {
 public:
  /// Starts a request. kFull: no memory for it now; nothing was started.
  virtual Status Send(const Request& request, AnswerHandler& handler) = 0;

  /// Abandons the request in flight, if any; its handler is not called.
  virtual void Cancel() = 0;

  /// Tries whether a TCP connection can be made to where requests go: the proxy, where there is one.
  /// It ends as soon as it is made or after `timeout`. Only while nothing is in flight.
  /// kFull: no memory for it now; nothing was started.
  virtual Status Knock(KnockHandler& handler) = 0;

  /// Abandons the knock, if any; its handler is not called.
  virtual void StopKnocking() = 0;

  /// The network has changed: closes the kept-alive connection and forgets the addresses of the name.
  /// What is in flight is left to its own time-outs, and its connection closed after its answer.
  virtual void Renew() = 0;

 protected:
  ~Transport() = default;
};

}  // namespace limpet
