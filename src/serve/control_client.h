// The other end of the control socket, for the commands that ask a running process: one request,
// one answer, then the connection ends.
#pragma once

#include <span>
#include <string_view>

#include "limpet/poller.h"
#include "limpet/sockets.h"
#include "limpet/status.h"
#include "limpet/time.h"

namespace limpet {

struct ControlAnswer {
  int status = 0;         ///< HTTP.
  std::string_view body;  ///< Inside the caller's buffer.
};

/// Sends `method` `target` ("GET", "/status?text") to the listener at `address` ("unix:/path") and
/// waits for the whole answer, head included, in `buffer`.
/// kNotFound: no process listens there. kDenied: it is another user's. kTimeout: no whole answer in
/// time. kFull: it is larger than the buffer. kInvalid: it is not HTTP. kIo: it ended too early.
Result<ControlAnswer> AskControl(Sockets& sockets, Poller& poller, Clock& clock,
                                 std::string_view address, std::string_view method,
                                 std::string_view target, Duration timeout,
                                 std::span<char> buffer);

}  // namespace limpet
