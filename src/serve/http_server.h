// A bounded HTTP/1.x server on top of the sockets and poller interfaces: a fixed number of
// connections, heads of at most kConnectionHeadBytes, bodies in fixed buffers, one shared page for
// the answer. The grammar is http_parser.h's; the bounds on time and connections are here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/poller.h"
#include "limpet/sockets.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "serve/http_parser.h"

namespace limpet {

/// The answer being made; `body` writes straight into the page. One that does not fit the page
/// becomes a 500.
struct HttpResponse {
  explicit HttpResponse(std::span<char> page) : body(page) {}

  int status = 200;                   ///< 401 asks for a bearer token.
  std::string_view content_type = "text/plain; charset=utf-8";
  std::string_view allow;             ///< For 405.
  int retry_after_seconds = 0;        ///< 0: no such header.
  TextWriter body;
};

class HttpHandler {
 public:
  /// The request is complete. Views live until it returns.
  virtual void OnRequest(const HttpRequest& request, HttpResponse& response) = 0;

 protected:
  ~HttpHandler() = default;
};

struct HttpServerLimits {
  size_t connections = kConnections;
  size_t body_bytes = 0;              ///< Of one request; 0: no bodies.
  size_t page_bytes = PageBytes(1);   ///< The largest answer.
  Duration idle_timeout = Seconds(10);
};

/// Invariants:
///  H1  A client holds a slot for at most `idle_timeout` in each of: before the first byte of a
///      request, until its last byte, taking the answer. Bytes that trickle in do not prolong it.
///  H2  At most one answer is being written from the page; others wait for it, oldest first, and
///      while one waits the writer has kPageHold to finish.
///  H3  A request with both Content-Length and Transfer-Encoding is refused (400), a head beyond its
///      bound is 431, a body beyond its bound 413, an unknown grammar 400; the connection closes.
///  H4  When all slots are taken the connection longest idle between requests is closed for the new
///      one; when none is idle the new one gets 503 and is closed.
///  H5  A listener without a connection has a slot kept for it, so that a crowd on one listener does
///      not shut out the others.
///  H6  One event makes at most one connection, or one read and one answer for each connection.
class HttpServer final : public PollHandler {
 public:
  static constexpr size_t kListeners = 4;
  static constexpr Duration kPageHold = Seconds(1);
  static constexpr Duration kLinger = Seconds(1);  ///< For a refused client to read why.

  /// memory: BytesNeeded(limits) bytes aligned as for any object, the caller's, for the server's
  /// life.
  static size_t BytesNeeded(const HttpServerLimits& limits);
  HttpServer(const HttpServerLimits& limits, std::span<std::byte> memory, Clock& clock,
             Poller& poller, Sockets& sockets, HttpHandler& handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// Adds a listener. Returns its handle. Errors as Sockets::Listen and Poller::Watch; kFull: more
  /// than kListeners, or than connections.
  Result<int> Listen(std::string_view address);

  void OnReady(int handle, uint8_t ready) override;

  /// Closes what took too long. Returns when it wants to be called next (kNever: no connection); ask
  /// again after each event.
  MonoTime OnTime(MonoTime now);

  /// Closes every connection and listener.
  void Close();

  struct Use {
    size_t connections = 0, connections_peak = 0;
    uint64_t accepted = 0, refused = 0, requests = 0, timed_out = 0;
  };
  const Use& use() const { return use_; }

 private:
  enum class State : uint8_t {
    kFree,
    kReading,   ///< A request, or between two.
    kComplete,  ///< A request lies here, and the next event answers it.
    kWaiting,   ///< Likewise, as soon as the page is free (H2).
    kWriting,   ///< Its answer is in the page.
    kLingering, ///< It was refused: what it still sends is read and thrown away.
  };
  static constexpr uint8_t kUnwatched = 0xff;
  struct Connection {
    Connection(std::span<char> head, std::span<char> body) : head_bytes(head), parser(head, body) {}
    State state = State::kFree;
    uint8_t interest = kUnwatched;
    bool keep = false;         ///< After the answer.
    size_t listener = 0;
    int handle = -1;
    uint64_t turn = 0;         ///< Of those that wait, the lowest is the oldest.
    MonoTime deadline = kNever;
    std::span<char> head_bytes;
    HttpParser parser;
  };
  struct Listener {
    int handle = -1;
    bool paused = false;       ///< No handle was left for a connection.
    size_t connections = 0;
  };

  Connection* Find(int handle);
  Connection* FreeSlot(size_t listener);
  bool HasRoom(size_t listener) const;
  void Accept(size_t index);
  void Read(Connection& connection);
  void Answer(Connection& connection);
  void Respond(Connection& connection);
  void Write(Connection& connection);
  void Discard(Connection& connection);
  void Settle(Connection& connection);
  void Refuse(Connection& connection, int status, const char* reason);
  void ServeWaiting();
  void HurryWriter();
  void Watch(Connection& connection, uint8_t interest);
  void Drop(Connection& connection);

  const HttpServerLimits limits_;
  Clock& clock_;
  Poller& poller_;
  Sockets& sockets_;
  HttpHandler& handler_;
  std::span<Connection> connections_;
  std::span<char> page_;
  std::array<Listener, kListeners> listeners_{};
  size_t listener_count_ = 0;
  MonoTime listen_again_ = kNever;      // When paused listeners are tried again.
  Connection* writer_ = nullptr;        // Whose answer the page holds (H2).
  std::span<const char> unwritten_;     // What is left of it.
  uint64_t turns_ = 0;
  Use use_;
};

}  // namespace limpet
