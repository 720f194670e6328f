// A bounded HTTP/1.x server on top of the sockets and poller interfaces: a fixed number of
// connections, heads of at most kConnectionHeadBytes, bodies in blocks of one shared pool, one shared
// page for the answer. The grammar is http_parser.h's; the bounds on time and connections are here.
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
#include "memory/fixed_heap.h"
#include "serve/http_parser.h"

namespace limpet {

/// The answer being made; `body` writes straight into the page. One that does not fit the page
/// becomes a 500. The other texts are literals: they are read later, and never a client's words.
struct HttpResponse {
  explicit HttpResponse(std::span<char> page) : body(page) {}

  int status = 200;                   ///< 401 asks for a bearer token.
  std::string_view content_type = "text/plain; charset=utf-8";  ///< Empty: no such header.
  std::string_view allow;             ///< For 405.
  int retry_after_seconds = 0;        ///< 0: no such header.
  TextWriter body;
  bool deferred = false;

  /// There is no answer yet: HttpHandler::OnDeferred will give it.
  void Defer() { deferred = true; }
};

class HttpHandler {
 public:
  /// The request is complete. Its views live until this returns.
  virtual void OnRequest(const HttpRequest& request, HttpResponse& response) = 0;

  /// The head of a request with a body is complete: nothing was spent on the body yet. False: the
  /// response, of at most kRefusalBytes, is sent at once and the connection closes. True promises
  /// nothing: OnRequest may never come. A request without a body comes to OnRequest alone.
  virtual bool OnHead(const HttpRequest& /*request*/, HttpResponse& /*response*/) { return true; }

  /// Asked again at each OnTime for what was deferred. True: the response is complete.
  virtual bool OnDeferred(size_t /*slot*/, HttpResponse& /*response*/) { return false; }

  /// The server refuses by itself: its bounds or the grammar. request: without a body; nullptr: there is
  /// no head yet. reason: a literal. The response, of at most kRefusalBytes, is sent at once and the
  /// connection closes. By default it is the reason as text.
  virtual void OnRefused(const HttpRequest* request, int status, std::string_view reason,
                         HttpResponse& response);

  /// Nobody waits any longer for what was deferred: the client went, or its time was over.
  virtual void OnGone(size_t /*slot*/) {}

 protected:
  ~HttpHandler() = default;
};

struct HttpServerLimits {
  size_t connections = kHealthConnections;
  size_t body_max = 0;                ///< Of one request; 0: no bodies.
  size_t page_bytes = PageBytes(1, 0);   ///< The largest answer.
  Duration idle_timeout = Seconds(10);
  Duration defer_timeout = Seconds(30);
};

/// Invariants:
///  H1  A client holds a slot for at most `idle_timeout` in each of: before the first byte of a
///      request, until its last byte, taking the answer. Bytes that trickle in do not prolong it.
///      A deferred answer has `defer_timeout`; then it is 503. A client that closes meanwhile looks
///      like one that only sends no more, and keeps its slot as long.
///  H2  At most one answer is being written from the page; others wait for it, oldest first, and
///      while one waits the writer has kPageHold to finish.
///  H3  What the server refuses by itself the handler puts into words (OnRefused), once for each.
///      A request with both Content-Length and Transfer-Encoding is refused (400), a head beyond its
///      bound is 431, a body beyond its bound 413, an unknown grammar 400; the connection closes.
///  H4  When all slots are taken the connection longest idle between requests, but no less than
///      kIdleMin, is closed for the new one; when none is the new one gets 503 and is closed. What
///      the sockets keep for themselves of what a client sends, as in a TLS handshake, is the first
///      byte of its request here and in H1.
///  H5  A listener without a connection has a slot kept for it, so that a crowd on one listener does
///      not shut out the others.
///  H6  One event takes at most kAcceptsAtOnce connections, or makes at most kReadsAtOnce reads and
///      one answer for a connection. What is left is found by the next turn, all others in between.
///  H7  A body has a block of the pool from when its head was accepted until OnRequest returns, and
///      no longer than its connection. Chunked ones grow by doubling, and one that is alone in the
///      pool moves within it where it has to. All blocks are the server's.
///  H8  Where the pool has no room the connection waits unread, those that wait going on oldest
///      first as blocks come back. While one waits, a body that did not come on by kBodyStep, or an
///      eighth of its block where that is more, within kBodyHold loses its block: bytes that trickle
///      in do not keep it. It may come again (429), and so may one that waits until its time is over
///      (H1). One that the empty pool cannot hold is 413.
///  H9  A connection is in the list of its state, in the order in which it came there.
class HttpServer final {
 public:
  static constexpr size_t kListeners = 4;
  static constexpr size_t kAcceptsAtOnce = 16;
  static constexpr size_t kReadsAtOnce = 4;
  static constexpr size_t kRefusalBytes = 256;
  static constexpr Duration kPageHold = Seconds(1);
  static constexpr Duration kBodyHold = Seconds(1);
  static constexpr size_t kBodyStep = 16 * kKiB;
  static constexpr Duration kIdleMin = Milliseconds(100);
  static constexpr Duration kLinger = Seconds(1);  ///< For a refused client to read why.

  /// memory: BytesNeeded(limits) bytes aligned as for any object, the caller's, for the server's
  /// life. bodies: the pool for them, which nobody else uses; nullptr: no bodies.
  static size_t BytesNeeded(const HttpServerLimits& limits);
  HttpServer(const HttpServerLimits& limits, std::span<std::byte> memory, FixedHeap* bodies,
             Clock& clock, Poller& poller, Sockets& sockets, HttpHandler& handler);
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  /// A region for FixedHeap::Init that holds `count` bodies of `body_max` bytes at the same time.
  static constexpr size_t PoolBytes(size_t body_max, size_t count) {
    // The heap looks for a block that is larger by up to a 16th than it has to be.
    constexpr size_t unit = FixedHeap::kAlignment;
    return count * (body_max + 2 * unit) + body_max / 16 + 4 * unit;
  }

  /// Adds a listener. Returns its handle. Errors as Sockets::Listen and Poller::Watch; kFull: more
  /// than kListeners, or than connections.
  Result<int> Listen(std::string_view address);

  /// Closes what took too long and asks for what is deferred. Returns when it wants to be called
  /// next (kNever: no connection), which may be earlier than there is something to do; ask again
  /// after each event.
  MonoTime OnTime(MonoTime now);

  /// Closes every connection and listener.
  void Close();

  struct Use {
    size_t connections = 0, connections_peak = 0;
    size_t bodies = 0;         ///< Blocks of the pool.
    uint64_t accepted = 0, refused = 0, requests = 0, timed_out = 0;
  };
  const Use& use() const { return use_; }

 private:
  enum class State : uint8_t {
    kFree,
    kIdle,      ///< Between two requests, or before the first.
    kReading,   ///< A request, or what comes before it (H4).
    kStarved,   ///< Its body waits for the pool (H8).
    kPending,   ///< What came behind the request before is looked at by the next event.
    kWaiting,   ///< A request lies here, for when the page is free (H2).
    kDeferred,  ///< The handler owes the answer.
    kWriting,   ///< Its answer is in the page.
    kLingering, ///< It was refused: what it still sends is read and thrown away.
    kCount,
  };
  static constexpr uint8_t kUnwatched = 0xff;
  struct Connection final : PollHandler {
    Connection(HttpServer& owner, std::span<char> head, size_t body_max)
        : server(owner), head_bytes(head), parser(head, body_max) {}
    void OnReady(int, uint8_t ready) override { server.OnConnection(*this, ready); }
    HttpServer& server;
    State state = State::kFree;
    uint8_t interest = kUnwatched;
    bool keep = false;         ///< After the answer.
    bool admitted = false;     ///< OnHead has said yes to the request at hand.
    size_t listener = 0;
    int handle = -1;
    MonoTime since{};          ///< In its state.
    MonoTime deadline = kNever;
    MonoTime fed = kNever;     ///< When the block was given, or the body last came on by a step (H8),
    size_t fed_bytes = 0;      ///< and what there was of it then.
    void* block = nullptr;     ///< Of the pool (H7).
    Connection* next = nullptr;  ///< In the list of its state.
    Connection* previous = nullptr;
    std::span<char> head_bytes;
    HttpParser parser;
  };
  struct List {
    Connection* first = nullptr;
    Connection* last = nullptr;
  };
  struct Listener final : PollHandler {
    void OnReady(int, uint8_t) override { server->Accept(*this); }
    HttpServer* server = nullptr;
    int handle = -1;
    bool paused = false;       ///< No handle was left for a connection.
    size_t connections = 0;
  };

  List& InState(State state) { return lists_[static_cast<size_t>(state)]; }
  size_t SlotOf(const Connection& c) const { return static_cast<size_t>(&c - connections_.data()); }
  size_t IndexOf(const Listener& l) const { return static_cast<size_t>(&l - listeners_.data()); }
  HttpRequest RequestOf(const Connection& connection) const;
  void OnConnection(Connection& connection, uint8_t ready);
  void Enter(Connection& connection, State state);
  void Append(Connection& connection);
  void SetDeadline(Connection& connection, MonoTime deadline);
  MonoTime Due(const Connection& connection);
  void TimeOut(Connection& connection);

  Connection* LongestIdle(size_t listener);
  Connection* FreeSlot(size_t listener);
  bool HasRoom(size_t listener) const;
  void Accept(Listener& listener);
  bool AcceptOne(Listener& listener);
  void Read(Connection& connection);
  void Proceed(Connection& connection);
  void Resume(Connection& connection);
  bool Feed(Connection& connection);
  void SetFed(Connection& connection);
  void FreeBody(Connection& connection);
  void Answer(Connection& connection);
  void Respond(Connection& connection);
  void Send(Connection& connection, HttpResponse& response);
  void Write(Connection& connection);
  void Discard(Connection& connection);
  void Settle(Connection& connection);
  void Refuse(Connection& connection, int status, const char* reason);
  void RefuseWith(Connection& connection, HttpResponse& response, std::span<char> page);
  void AskDeferred();
  void ServeWaiting();
  void HurryWriter();
  void Watch(Connection& connection, uint8_t interest);
  void WatchReadable(Connection& connection);
  void Drop(Connection& connection);

  const HttpServerLimits limits_;
  FixedHeap* const bodies_;
  Clock& clock_;
  Poller& poller_;
  Sockets& sockets_;
  HttpHandler& handler_;
  std::span<Connection> connections_;
  std::span<char> page_;
  std::array<List, static_cast<size_t>(State::kCount)> lists_{};
  std::array<Listener, kListeners> listeners_{};
  size_t listener_count_ = 0;
  MonoTime now_{};                      // Of the event at hand.
  MonoTime due_ = kNever;               // No connection is due before.
  MonoTime listen_again_ = kNever;      // When paused listeners are tried again.
  bool feed_again_ = false;             // The oldest that waits for the pool may find room now.
  Connection* writer_ = nullptr;        // Whose answer the page holds (H2).
  std::span<const char> unwritten_;     // What is left of it.
  Use use_;
};

}  // namespace limpet
