#include "serve/http_server.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace limpet {
namespace {

// In front of the page, so that head and body are one piece and go out with one write.
constexpr size_t kAnswerHeadBytes = 512;
constexpr Duration kListenPause = Seconds(1);
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

constexpr size_t Aligned(size_t bytes) {
  constexpr size_t unit = alignof(std::max_align_t);
  return (bytes + unit - 1) / unit * unit;
}

std::span<const char> Bytes(std::string_view text) { return {text.data(), text.size()}; }

void WriteHead(TextWriter& out, const HttpResponse& response, size_t body_bytes, bool keep,
               bool http_1_0) {
  out << "HTTP/1.1 " << response.status << ' ' << HttpStatusText(response.status) << "\r\n";
  if (!response.content_type.empty()) out << "Content-Type: " << response.content_type << "\r\n";
  out << "Content-Length: " << body_bytes << "\r\nCache-Control: no-store\r\n";
  if (!response.allow.empty()) out << "Allow: " << response.allow << "\r\n";
  if (response.status == 401) out << "WWW-Authenticate: Bearer\r\n";
  if (response.retry_after_seconds > 0) {
    out << "Retry-After: " << response.retry_after_seconds << "\r\n";
  }
  if (!keep) out << "Connection: close\r\n";
  if (keep && http_1_0) out << "Connection: keep-alive\r\n";
  out << "\r\n";
}

/// page: the response's.
void Check(HttpResponse& response, std::span<char> page) {
  if (!response.body.overflowed()) return;
  response = HttpResponse(page);
  response.status = 500;
  response.body << "the answer is larger than the page\n";
}

/// The answer in one piece, after which the connection closes. page: the response's.
void WriteWhole(TextWriter& out, HttpResponse& response, std::span<char> page) {
  Check(response, page);
  WriteHead(out, response, response.body.size(), /*keep=*/false, /*http_1_0=*/false);
  out << response.body.text();
  LIMPET_CHECK(!out.overflowed());  // Only literals and numbers go in.
}

}  // namespace

void HttpHandler::OnRefused(const HttpRequest*, int status, std::string_view reason,
                            HttpResponse& response) {
  response.status = status;
  if (status == 429 || status == 503) response.retry_after_seconds = 1;
  response.body << reason << '\n';
}

size_t HttpServer::BytesNeeded(const HttpServerLimits& limits) {
  return limits.connections * (Aligned(sizeof(Connection)) + Aligned(kConnectionHeadBytes)) +
         kAnswerHeadBytes + Aligned(limits.page_bytes);
}

HttpServer::HttpServer(const HttpServerLimits& limits, std::span<std::byte> memory,
                       FixedHeap* bodies, Clock& clock, Poller& poller, Sockets& sockets,
                       HttpHandler& handler)
    : limits_(limits),
      bodies_(bodies),
      clock_(clock),
      poller_(poller),
      sockets_(sockets),
      handler_(handler) {
  static_assert(sizeof(Connection) % alignof(Connection) == 0);
  LIMPET_CHECK(memory.size() >= BytesNeeded(limits));
  LIMPET_CHECK(reinterpret_cast<uintptr_t>(memory.data()) % alignof(std::max_align_t) == 0);
  const auto take = [&memory](size_t bytes) {
    const std::span<std::byte> taken = memory.first(bytes);
    memory = memory.subspan(Aligned(bytes));
    return std::span<char>(reinterpret_cast<char*>(taken.data()), bytes);
  };
  void* const storage = take(limits.connections * sizeof(Connection)).data();
  auto* const slots = static_cast<Connection*>(storage);
  for (size_t i = 0; i < limits.connections; ++i) {
    new (slots + i) Connection(*this, take(kConnectionHeadBytes), bodies ? limits.body_max : 0);
  }
  connections_ = {std::launder(slots), limits.connections};
  for (Connection& connection : connections_) Append(connection);
  page_ = take(kAnswerHeadBytes + limits.page_bytes);
}

Result<int> HttpServer::Listen(std::string_view address) {
  if (listener_count_ == std::min(kListeners, connections_.size())) {
    return {Code::kFull, 0, "listeners"};
  }
  const Result<int> handle = sockets_.Listen(address);
  if (!handle.ok()) return handle;
  Listener& listener = listeners_[listener_count_];
  if (const Status watched = poller_.Watch(handle.value(), kReadable, listener); !watched.ok()) {
    sockets_.Close(handle.value());
    return watched;
  }
  listener.server = this;
  listener.handle = handle.value();
  listener.paused = false;
  ++listener_count_;
  return handle;
}

void HttpServer::Close() {
  for (Connection& connection : connections_) {
    if (connection.state != State::kFree) Drop(connection);
  }
  for (size_t i = 0; i < listener_count_; ++i) {
    poller_.Forget(listeners_[i].handle);
    sockets_.Close(listeners_[i].handle);
  }
  listener_count_ = 0;
  listen_again_ = kNever;
}

void HttpServer::OnConnection(Connection& connection, uint8_t ready) {
  now_ = clock_.Monotonic();
  if (connection.state == State::kLingering) {
    Discard(connection);  // To the end even after a hang-up, or the answer is lost.
  } else if ((ready & kHangup) != 0) {
    Drop(connection);
  } else if (connection.state == State::kIdle || connection.state == State::kReading) {
    Read(connection);
  } else if (connection.state == State::kPending) {
    Enter(connection, State::kReading);
    Resume(connection);
  } else if (connection.state == State::kWriting) {
    Write(connection);
  } else {
    Watch(connection, 0);  // It waits. What it sends meanwhile waits too: only a hang-up counts.
  }
  ServeWaiting();
}

MonoTime HttpServer::OnTime(MonoTime now) {
  now_ = now;
  if (due_ <= now) {
    due_ = kNever;
    for (Connection& connection : connections_) {
      if (connection.state == State::kFree) continue;
      if (Due(connection) <= now) TimeOut(connection);
      if (connection.state != State::kFree) due_ = std::min(due_, Due(connection));
    }
  }
  AskDeferred();
  ServeWaiting();
  if (listen_again_ <= now) {
    listen_again_ = kNever;
    for (size_t i = 0; i < listener_count_; ++i) {
      Listener& listener = listeners_[i];
      if (!listener.paused) continue;
      listener.paused = !poller_.Watch(listener.handle, kReadable, listener).ok();
      if (listener.paused) listen_again_ = now + kListenPause;
    }
  }
  if (use_.connections == 0) due_ = kNever;
  return std::min(due_, listen_again_);
}

void HttpServer::Enter(Connection& connection, State state) {
  if (connection.state == State::kStarved) feed_again_ = true;  // The next may be content with less.
  if (connection.state == State::kDeferred && state != State::kWriting) {
    handler_.OnGone(SlotOf(connection));
  }
  List& old = InState(connection.state);
  (connection.previous == nullptr ? old.first : connection.previous->next) = connection.next;
  (connection.next == nullptr ? old.last : connection.next->previous) = connection.previous;
  connection.state = state;
  connection.since = now_;
  Append(connection);
}

void HttpServer::Append(Connection& connection) {
  List& list = InState(connection.state);
  connection.previous = list.last;
  connection.next = nullptr;
  (list.last == nullptr ? list.first : list.last->next) = &connection;
  list.last = &connection;
}

void HttpServer::SetDeadline(Connection& connection, MonoTime deadline) {
  connection.deadline = deadline;
  due_ = std::min(due_, deadline);
}

MonoTime HttpServer::Due(const Connection& connection) {
  const bool held = connection.block != nullptr && InState(State::kStarved).first != nullptr &&
                    (connection.state == State::kReading || connection.state == State::kStarved);
  return held ? std::min(connection.deadline, connection.fed + kBodyHold)  // H8.
              : connection.deadline;
}

void HttpServer::TimeOut(Connection& connection) {
  if (connection.state != State::kLingering) ++use_.timed_out;
  switch (connection.state) {
    case State::kReading:
      if (connection.parser.idle()) return Drop(connection);  // Not a byte of a request (H4).
      // Senders of OTLP give a request up that took too long, and repeat one that found no room.
      if (connection.deadline > now_) return Refuse(connection, 429, "others need the memory");
      return Refuse(connection, 408, "the request took too long");
    case State::kStarved:
      return Refuse(connection, 429, "no memory for the request");
    case State::kDeferred:
      return Refuse(connection, 503, "the answer took too long");
    default:
      return Drop(connection);
  }
}

bool HttpServer::HasRoom(size_t listener) const {
  size_t kept = 0;  // H5.
  for (size_t i = 0; i < listener_count_; ++i) {
    if (i != listener && listeners_[i].connections == 0) ++kept;
  }
  return use_.connections + kept < connections_.size();
}

HttpServer::Connection* HttpServer::LongestIdle(size_t listener) {
  for (const State state : {State::kLingering, State::kIdle}) {
    // By H9 the list is in order, and passes over one connection for each other listener at most.
    for (Connection* c = InState(state).first; c != nullptr; c = c->next) {
      if (c->since + kIdleMin > now_) break;
      if (c->listener == listener || listeners_[c->listener].connections > 1) return c;  // H5.
    }
  }
  return nullptr;
}

HttpServer::Connection* HttpServer::FreeSlot(size_t listener) {
  if (!HasRoom(listener)) {
    Connection* const longest = LongestIdle(listener);  // H4.
    if (longest == nullptr) return nullptr;
    Drop(*longest);
  }
  return InState(State::kFree).first;
}

void HttpServer::Accept(Listener& listener) {
  now_ = clock_.Monotonic();
  for (size_t i = 0; i < kAcceptsAtOnce && AcceptOne(listener); ++i) {}  // H6.
}

/// False: there is none to accept.
bool HttpServer::AcceptOne(Listener& listener) {
  const Result<int> accepted = sockets_.Accept(listener.handle);
  if (!accepted.ok()) {
    if (accepted.status().code != Code::kFull) return false;
    // The connection stays ready to be accepted: looking away is all that keeps the loop from
    // spinning until a handle is free.
    poller_.Forget(listener.handle);
    listener.paused = true;
    listen_again_ = std::min(listen_again_, now_ + kListenPause);
    return false;
  }
  ++use_.accepted;
  const size_t index = IndexOf(listener);
  Connection* const slot = FreeSlot(index);
  if (slot == nullptr) {
    char page[kRefusalBytes], buffer[kAnswerHeadBytes + kRefusalBytes];
    HttpResponse response(page);
    handler_.OnRefused(nullptr, 503, "all connections are taken", response);
    TextWriter text(buffer);
    WriteWhole(text, response, page);
    (void)sockets_.Write(accepted.value(), Bytes(text.text()));
    sockets_.Close(accepted.value());
    ++use_.refused;
    return true;
  }
  slot->handle = accepted.value();
  slot->listener = index;
  slot->interest = kUnwatched;
  slot->admitted = false;
  slot->parser.Reset();
  Enter(*slot, State::kIdle);
  SetDeadline(*slot, now_ + limits_.idle_timeout);
  ++listener.connections;
  use_.connections_peak = std::max(use_.connections_peak, ++use_.connections);
  Watch(*slot, kReadable);
  return true;
}

void HttpServer::Read(Connection& connection) {
  HttpParser& parser = connection.parser;
  for (size_t i = 0; i < kReadsAtOnce; ++i) {  // H6.
    const std::span<char> space = parser.Space();
    const Result<size_t> got = sockets_.Read(connection.handle, space);
    const bool nothing = !got.ok() && got.status().code == Code::kUnavailable;
    if (!nothing && (!got.ok() || got.value() == 0)) return Drop(connection);
    if (connection.state == State::kIdle) {  // Something has come, for us or for the sockets (H4).
      Enter(connection, State::kReading);
      SetDeadline(connection, now_ + limits_.idle_timeout);  // H1.
    }
    if (nothing) break;
    parser.Take(got.value());
    const size_t step = std::max(kBodyStep, parser.body_block() / 8);
    if (parser.body_size() >= connection.fed_bytes + step) SetFed(connection);  // H8.
    Proceed(connection);
    if (connection.state != State::kReading) return;
    // Only a read that filled its space has left something behind.
    if (got.value() < space.size() && !sockets_.HasMore(connection.handle)) break;
  }
  WatchReadable(connection);
}

/// Takes the request at hand as far as what has come, the pool and the page allow.
void HttpServer::Proceed(Connection& connection) {
  HttpParser& parser = connection.parser;
  while (parser.state() == HttpParser::State::kWantsBody) {
    if (!connection.admitted) {
      char page[kRefusalBytes];
      HttpResponse response(page);
      if (!handler_.OnHead(RequestOf(connection), response)) {
        ++use_.requests;
        return RefuseWith(connection, response, page);
      }
      connection.admitted = true;
    }
    if (!Feed(connection)) return;
  }
  if (parser.state() == HttpParser::State::kComplete ||
      parser.state() == HttpParser::State::kRefused) {
    return Answer(connection);
  }
  if (parser.TakeContinue()) {
    const Result<size_t> put = sockets_.Write(connection.handle, Bytes(kContinue));
    if (!put.ok() || put.value() < kContinue.size()) Drop(connection);  // It reads no answers.
  }
}

/// Likewise, for one that was not read just now.
void HttpServer::Resume(Connection& connection) {
  Proceed(connection);
  if (connection.state == State::kReading) WatchReadable(connection);
}

/// Gives the body its block, or a larger one. False: it waits for that (H8), or was refused.
bool HttpServer::Feed(Connection& connection) {
  const size_t wanted = connection.parser.body_wanted();
  const bool has_one = connection.block != nullptr;
  const Connection* const oldest = InState(State::kStarved).first;
  const bool in_turn = oldest == nullptr || oldest == &connection;
  void* const block = in_turn ? bodies_->Resize(connection.block, wanted) : nullptr;
  if (block == nullptr) {
    // By H7 whatever may come back is the server's own.
    const bool alone = in_turn && use_.bodies == (has_one ? 1 : 0);
    if (alone || wanted > bodies_->use().bytes) {
      Refuse(connection, 413, "the body is larger than the memory for bodies");
    } else if (connection.state != State::kStarved) {
      Enter(connection, State::kStarved);
      SetFed(connection);  // What it waits for is not its fault.
      due_ = now_;  // Bodies that stand still are due earlier now.
      Watch(connection, 0);
    }
    return false;
  }
  if (!has_one) ++use_.bodies;
  connection.block = block;
  SetFed(connection);
  if (connection.state == State::kStarved) Enter(connection, State::kReading);
  connection.parser.GiveBody({static_cast<char*>(block), wanted});
  return true;
}

void HttpServer::SetFed(Connection& connection) {
  connection.fed = now_;
  connection.fed_bytes = connection.parser.body_size();
}

void HttpServer::FreeBody(Connection& connection) {
  if (connection.block == nullptr) return;
  connection.parser.DropBody();
  bodies_->Free(connection.block);
  connection.block = nullptr;
  --use_.bodies;
  feed_again_ = true;
}

HttpRequest HttpServer::RequestOf(const Connection& connection) const {
  HttpRequest request = connection.parser.request();
  request.listener = static_cast<int>(connection.listener);
  request.slot = SlotOf(connection);
  return request;
}

void HttpServer::Answer(Connection& connection) {
  if (connection.parser.state() == HttpParser::State::kRefused) {
    ++use_.requests;
    return Refuse(connection, connection.parser.refusal(), connection.parser.refusal_reason());
  }
  if (writer_ == nullptr) return Respond(connection);
  Enter(connection, State::kWaiting);  // H2.
  SetDeadline(connection, kNever);     // The wait is not the client's fault, and has its own bound.
}

void HttpServer::Respond(Connection& connection) {
  ++use_.requests;
  HttpResponse response(page_.subspan(kAnswerHeadBytes));
  handler_.OnRequest(RequestOf(connection), response);
  FreeBody(connection);  // H7.
  if (!response.deferred) return Send(connection, response);
  Enter(connection, State::kDeferred);
  SetDeadline(connection, now_ + limits_.defer_timeout);  // H1.
}

/// The page holds the body of the response.
void HttpServer::Send(Connection& connection, HttpResponse& response) {
  const HttpParser& parser = connection.parser;
  Check(response, page_.subspan(kAnswerHeadBytes));
  connection.keep = parser.keep_alive();
  const size_t body_bytes = response.body.size();
  char buffer[kAnswerHeadBytes];
  TextWriter head(buffer);
  WriteHead(head, response, body_bytes, connection.keep, parser.http_1_0());
  LIMPET_CHECK(!head.overflowed());  // Likewise.
  const std::span<char> whole =
      page_.subspan(kAnswerHeadBytes - head.size(), head.size() + body_bytes);
  std::memcpy(whole.data(), head.text().data(), head.size());

  writer_ = &connection;
  unwritten_ = parser.is_head() ? whole.first(head.size()) : whole;
  Enter(connection, State::kWriting);
  SetDeadline(connection, now_ + limits_.idle_timeout);
  Write(connection);
}

void HttpServer::Write(Connection& connection) {
  const Result<size_t> put = sockets_.Write(connection.handle, unwritten_);
  if (!put.ok() && put.status().code != Code::kUnavailable) return Drop(connection);
  if (put.ok()) unwritten_ = unwritten_.subspan(put.value());
  if (!unwritten_.empty()) return Watch(connection, kWritable);
  writer_ = nullptr;
  if (!connection.keep) return Drop(connection);
  Settle(connection);
}

/// After an answer: the next request may be here already. It waits for its turn as all others do,
/// by way of the poller, which finds the connection writable (H6).
void HttpServer::Settle(Connection& connection) {
  HttpParser& parser = connection.parser;
  const bool partial = parser.Next() == HttpParser::State::kHead;
  connection.admitted = false;
  Enter(connection, !partial        ? State::kPending
                    : parser.idle() ? State::kIdle
                                    : State::kReading);
  SetDeadline(connection, now_ + limits_.idle_timeout);
  if (!partial) return Watch(connection, kWritable);
  WatchReadable(connection);
}

void HttpServer::Refuse(Connection& connection, int status, const char* reason) {
  char page[kRefusalBytes];
  HttpResponse response(page);
  const HttpRequest request = RequestOf(connection);
  handler_.OnRefused(connection.parser.has_head() ? &request : nullptr, status, reason, response);
  RefuseWith(connection, response, page);
}

/// Says why, in one write or not at all, and lingers: a plain close would take the answer back from
/// a client that is still sending. page: the response's.
void HttpServer::RefuseWith(Connection& connection, HttpResponse& response, std::span<char> page) {
  FreeBody(connection);
  char buffer[kAnswerHeadBytes + kRefusalBytes];
  TextWriter text(buffer);
  WriteWhole(text, response, page);
  const Result<size_t> put = sockets_.Write(connection.handle, Bytes(text.text()));
  if (!put.ok() || put.value() < text.size()) return Drop(connection);
  sockets_.FinishWriting(connection.handle);
  Enter(connection, State::kLingering);
  SetDeadline(connection, now_ + kLinger);
  Watch(connection, kReadable);
}

void HttpServer::Discard(Connection& connection) {
  const Result<size_t> got = sockets_.Read(connection.handle, connection.head_bytes);
  if (!got.ok() && got.status().code == Code::kUnavailable) return;
  if (!got.ok() || got.value() == 0) Drop(connection);
}

void HttpServer::AskDeferred() {
  Connection* next = nullptr;
  for (Connection* c = InState(State::kDeferred).first; c != nullptr; c = next) {
    if (writer_ != nullptr) return;  // H2.
    next = c->next;
    HttpResponse response(page_.subspan(kAnswerHeadBytes));
    if (handler_.OnDeferred(SlotOf(*c), response)) Send(*c, response);
  }
}

void HttpServer::ServeWaiting() {
  for (;;) {  // Each waits once for either: it ends.
    Connection* const reader = InState(State::kStarved).first;
    Connection* const answered = InState(State::kWaiting).first;
    if (feed_again_ && reader != nullptr) {
      feed_again_ = false;
      if (Feed(*reader)) Resume(*reader);
    } else if (writer_ == nullptr && answered != nullptr) {
      Respond(*answered);
    } else {
      break;
    }
  }
  HurryWriter();
}

void HttpServer::HurryWriter() {
  const bool awaited = InState(State::kWaiting).first != nullptr ||
                       InState(State::kDeferred).first != nullptr;
  if (!awaited || writer_ == nullptr) return;
  SetDeadline(*writer_, std::min(writer_->deadline, now_ + kPageHold));
}

void HttpServer::Watch(Connection& connection, uint8_t interest) {
  if (connection.interest == interest) return;
  connection.interest = interest;
  if (!poller_.Watch(connection.handle, interest, connection).ok()) Drop(connection);
}

/// What lies in the program is found at the next turn as well, since the connection is writable.
void HttpServer::WatchReadable(Connection& connection) {
  Watch(connection, sockets_.HasMore(connection.handle) ? kReadable | kWritable : kReadable);
}

void HttpServer::Drop(Connection& connection) {
  FreeBody(connection);
  poller_.Forget(connection.handle);
  sockets_.Close(connection.handle);
  if (writer_ == &connection) writer_ = nullptr;
  --use_.connections;
  --listeners_[connection.listener].connections;
  connection.handle = -1;
  Enter(connection, State::kFree);
}

}  // namespace limpet
