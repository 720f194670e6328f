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

/// A whole short answer after which the connection closes.
void WriteRefusal(TextWriter& out, int status, const char* reason) {
  char page[128];
  HttpResponse response(page);
  response.status = status;
  if (status == 503) response.retry_after_seconds = 1;
  response.body << reason << '\n';
  WriteHead(out, response, response.body.size(), /*keep=*/false, /*http_1_0=*/false);
  out << response.body.text();
}

}  // namespace

size_t HttpServer::BytesNeeded(const HttpServerLimits& limits) {
  return limits.connections * (Aligned(sizeof(Connection)) + Aligned(kConnectionHeadBytes) +
                               Aligned(limits.body_bytes)) +
         kAnswerHeadBytes + Aligned(limits.page_bytes);
}

HttpServer::HttpServer(const HttpServerLimits& limits, std::span<std::byte> memory, Clock& clock,
                       Poller& poller, Sockets& sockets, HttpHandler& handler)
    : limits_(limits), clock_(clock), poller_(poller), sockets_(sockets), handler_(handler) {
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
    const std::span<char> head = take(kConnectionHeadBytes);
    new (slots + i) Connection(head, take(limits.body_bytes));
  }
  connections_ = {std::launder(slots), limits.connections};
  page_ = take(kAnswerHeadBytes + limits.page_bytes);
}

Result<int> HttpServer::Listen(std::string_view address) {
  if (listener_count_ == std::min(kListeners, connections_.size())) {
    return {Code::kFull, 0, "listeners"};
  }
  const Result<int> handle = sockets_.Listen(address);
  if (!handle.ok()) return handle;
  if (const Status watched = poller_.Watch(handle.value(), kReadable, *this); !watched.ok()) {
    sockets_.Close(handle.value());
    return watched;
  }
  listeners_[listener_count_++].handle = handle.value();
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

void HttpServer::OnReady(int handle, uint8_t ready) {
  for (size_t i = 0; i < listener_count_; ++i) {
    if (listeners_[i].handle == handle) return Accept(i);
  }
  Connection* const connection = Find(handle);
  if (connection == nullptr) return;
  if (connection->state == State::kLingering) {
    Discard(*connection);  // To the end even after a hang-up, or the answer is lost.
  } else if ((ready & kHangup) != 0) {
    Drop(*connection);
  } else if (connection->state == State::kReading) {
    Read(*connection);
  } else if (connection->state == State::kComplete) {
    Answer(*connection);
  } else if (connection->state == State::kWriting) {
    Write(*connection);
  }
  ServeWaiting();
}

MonoTime HttpServer::OnTime(MonoTime now) {
  for (Connection& connection : connections_) {
    if (connection.state == State::kFree || connection.deadline > now) continue;
    const bool asked = connection.state == State::kReading && !connection.parser.idle();
    if (connection.state != State::kLingering) ++use_.timed_out;
    if (asked) {
      Refuse(connection, 408, "the request took too long");
    } else {
      Drop(connection);
    }
  }
  ServeWaiting();
  if (listen_again_ <= now) {
    listen_again_ = kNever;
    for (size_t i = 0; i < listener_count_; ++i) {
      if (!listeners_[i].paused) continue;
      listeners_[i].paused = !poller_.Watch(listeners_[i].handle, kReadable, *this).ok();
      if (listeners_[i].paused) listen_again_ = now + kListenPause;
    }
  }
  MonoTime next = listen_again_;
  for (const Connection& connection : connections_) {
    if (connection.state != State::kFree) next = std::min(next, connection.deadline);
  }
  return next;
}

HttpServer::Connection* HttpServer::Find(int handle) {
  for (Connection& connection : connections_) {
    if (connection.state != State::kFree && connection.handle == handle) return &connection;
  }
  return nullptr;
}

bool HttpServer::HasRoom(size_t listener) const {
  size_t kept = 0;  // H5.
  for (size_t i = 0; i < listener_count_; ++i) {
    if (i != listener && listeners_[i].connections == 0) ++kept;
  }
  return use_.connections + kept < connections_.size();
}

HttpServer::Connection* HttpServer::FreeSlot(size_t listener) {
  if (!HasRoom(listener)) {  // H4. The earliest deadline is the longest idle.
    Connection* longest = nullptr;
    for (Connection& c : connections_) {
      const bool idle = (c.state == State::kReading && c.parser.idle()) ||
                        c.state == State::kLingering;
      const bool spare = c.listener == listener || listeners_[c.listener].connections > 1;  // H5.
      if (!idle || !spare) continue;
      if (longest == nullptr || c.deadline < longest->deadline) longest = &c;
    }
    if (longest == nullptr) return nullptr;
    Drop(*longest);
  }
  for (Connection& connection : connections_) {
    if (connection.state == State::kFree) return &connection;
  }
  return nullptr;
}

void HttpServer::Accept(size_t index) {
  Listener& listener = listeners_[index];
  const Result<int> accepted = sockets_.Accept(listener.handle);
  if (!accepted.ok()) {
    if (accepted.status().code != Code::kFull) return;
    // The connection stays ready to be accepted: looking away is all that keeps the loop from
    // spinning until a handle is free.
    poller_.Forget(listener.handle);
    listener.paused = true;
    listen_again_ = std::min(listen_again_, clock_.Monotonic() + kListenPause);
    return;
  }
  ++use_.accepted;
  Connection* const slot = FreeSlot(index);
  if (slot == nullptr) {
    char buffer[kAnswerHeadBytes];
    TextWriter text(buffer);
    WriteRefusal(text, 503, "all connections are taken");
    (void)sockets_.Write(accepted.value(), Bytes(text.text()));
    sockets_.Close(accepted.value());
    ++use_.refused;
    return;
  }
  slot->handle = accepted.value();
  slot->listener = index;
  slot->state = State::kReading;
  slot->interest = kUnwatched;
  slot->deadline = clock_.Monotonic() + limits_.idle_timeout;
  slot->parser.Reset();
  ++listener.connections;
  use_.connections_peak = std::max(use_.connections_peak, ++use_.connections);
  Watch(*slot, kReadable);
}

void HttpServer::Read(Connection& connection) {
  HttpParser& parser = connection.parser;
  const Result<size_t> got = sockets_.Read(connection.handle, parser.Space());
  if (!got.ok() && got.status().code == Code::kUnavailable) return;
  if (!got.ok() || got.value() == 0) return Drop(connection);
  if (parser.idle()) connection.deadline = clock_.Monotonic() + limits_.idle_timeout;  // H1.
  switch (parser.Take(got.value())) {
    case HttpParser::State::kComplete:
    case HttpParser::State::kRefused:
      return Answer(connection);
    case HttpParser::State::kHead:
      return;
    case HttpParser::State::kBody:
      if (!parser.TakeContinue()) return;
      const Result<size_t> put = sockets_.Write(connection.handle, Bytes(kContinue));
      if (!put.ok() || put.value() < kContinue.size()) Drop(connection);  // It reads no answers.
      return;
  }
}

void HttpServer::Answer(Connection& connection) {
  if (connection.parser.state() == HttpParser::State::kRefused) {
    ++use_.requests;
    return Refuse(connection, connection.parser.refusal(), connection.parser.refusal_reason());
  }
  if (writer_ == nullptr) return Respond(connection);
  connection.state = State::kWaiting;  // H2.
  connection.turn = ++turns_;
  connection.deadline = kNever;        // The wait is not the client's fault, and has its own bound.
  Watch(connection, 0);                // For nothing but a hang-up.
  HurryWriter();
}

void HttpServer::Respond(Connection& connection) {
  ++use_.requests;
  const HttpParser& parser = connection.parser;
  HttpRequest request = parser.request();
  request.listener = static_cast<int>(connection.listener);
  HttpResponse response(page_.subspan(kAnswerHeadBytes));
  handler_.OnRequest(request, response);
  if (response.body.overflowed()) {
    response = HttpResponse(page_.subspan(kAnswerHeadBytes));
    response.status = 500;
    response.body << "the answer is larger than the page\n";
  }
  connection.keep = parser.keep_alive();
  const size_t body_bytes = response.body.size();
  char buffer[kAnswerHeadBytes];
  TextWriter head(buffer);
  WriteHead(head, response, body_bytes, connection.keep, parser.http_1_0());
  LIMPET_CHECK(!head.overflowed());  // Only literals and numbers go in.
  const std::span<char> whole =
      page_.subspan(kAnswerHeadBytes - head.size(), head.size() + body_bytes);
  std::memcpy(whole.data(), head.text().data(), head.size());

  writer_ = &connection;
  unwritten_ = parser.is_head() ? whole.first(head.size()) : whole;
  connection.state = State::kWriting;
  connection.deadline = clock_.Monotonic() + limits_.idle_timeout;
  Write(connection);
}

void HttpServer::Write(Connection& connection) {
  const Result<size_t> put = sockets_.Write(connection.handle, unwritten_);
  if (!put.ok() && put.status().code != Code::kUnavailable) return Drop(connection);
  if (put.ok()) unwritten_ = unwritten_.subspan(put.value());
  if (!unwritten_.empty()) return Watch(connection, kWritable);
  writer_ = nullptr;
  if (!connection.keep) return Drop(connection);
  connection.parser.Next();
  connection.deadline = clock_.Monotonic() + limits_.idle_timeout;
  Settle(connection);
}

/// After an answer: the next request may be here already. It waits for its turn as all others do,
/// by way of the poller, which finds the connection writable (H6).
void HttpServer::Settle(Connection& connection) {
  const HttpParser::State state = connection.parser.state();
  const bool whole = state == HttpParser::State::kComplete || state == HttpParser::State::kRefused;
  connection.state = whole ? State::kComplete : State::kReading;
  Watch(connection, whole ? kWritable : kReadable);
}

/// Says why, in one write or not at all, and lingers: a plain close would take the answer back from
/// a client that is still sending.
void HttpServer::Refuse(Connection& connection, int status, const char* reason) {
  char buffer[kAnswerHeadBytes];
  TextWriter text(buffer);
  WriteRefusal(text, status, reason);
  const Result<size_t> put = sockets_.Write(connection.handle, Bytes(text.text()));
  if (!put.ok() || put.value() < text.size()) return Drop(connection);
  sockets_.FinishWriting(connection.handle);
  connection.state = State::kLingering;
  connection.deadline = clock_.Monotonic() + kLinger;
  Watch(connection, kReadable);
}

void HttpServer::Discard(Connection& connection) {
  const Result<size_t> got = sockets_.Read(connection.handle, connection.head_bytes);
  if (!got.ok() && got.status().code == Code::kUnavailable) return;
  if (!got.ok() || got.value() == 0) Drop(connection);
}

void HttpServer::ServeWaiting() {
  while (writer_ == nullptr) {  // Each waits once: it ends.
    Connection* oldest = nullptr;
    for (Connection& c : connections_) {
      if (c.state != State::kWaiting) continue;
      if (oldest == nullptr || c.turn < oldest->turn) oldest = &c;
    }
    if (oldest == nullptr) return;
    Respond(*oldest);
  }
  HurryWriter();
}

void HttpServer::HurryWriter() {
  const bool awaited = std::any_of(connections_.begin(), connections_.end(), [](const auto& c) {
    return c.state == State::kWaiting;
  });
  if (!awaited || writer_ == nullptr) return;
  writer_->deadline = std::min(writer_->deadline, clock_.Monotonic() + kPageHold);
}

void HttpServer::Watch(Connection& connection, uint8_t interest) {
  if (connection.interest == interest) return;
  connection.interest = interest;
  if (!poller_.Watch(connection.handle, interest, *this).ok()) Drop(connection);
}

void HttpServer::Drop(Connection& connection) {
  poller_.Forget(connection.handle);
  sockets_.Close(connection.handle);
  if (writer_ == &connection) writer_ = nullptr;
  --use_.connections;
  --listeners_[connection.listener].connections;
  connection.state = State::kFree;
  connection.handle = -1;
}

}  // namespace limpet
