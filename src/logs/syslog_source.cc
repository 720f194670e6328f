#include "logs/syslog_source.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "base/hash.h"
#include "base/text.h"
#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

constexpr size_t kDatagramMax = 64 * kKiB;   // No datagram is longer.
constexpr size_t kLineEndBytes = 2;          // What senders put behind a message is no part of it.
constexpr size_t kHeadBytes = 2 * kKiB;      // Attributes of a usual message; of a long one as many more.
constexpr size_t kRoundsAtEnd = 64;
constexpr std::string_view kUnixPrefix = "unix:";
constexpr std::string_view kCookie = "@cee:";  // Some senders put it in front of JSON.

constexpr size_t Aligned(size_t bytes) {
  constexpr size_t unit = alignof(std::max_align_t);
  return (bytes + unit - 1) / unit * unit;
}

bool IsUnix(const LogConfig& config) { return config.listen.starts_with(kUnixPrefix); }

bool ParsesText(const LogConfig& config) {
  return config.format == LineFormat::kJson || config.format == LineFormat::kLogfmt;
}

size_t DatagramBytes(const LogConfig& config) {
  return std::min<size_t>(config.max_line_bytes, kDatagramMax) + kLineEndBytes;
}
size_t HeadBytes(const LogConfig& config) { return kHeadBytes + config.max_line_bytes; }
size_t TextBytes(const LogConfig& config) {
  return ParsesText(config) ? 2 * size_t{config.max_line_bytes} : 0;  // As LineParser wants it.
}

LineParserOptions TextOptions(const LogConfig& config) {
  return {.format = ParsesText(config) ? config.format : LineFormat::kPlain,
          .time_key = config.time_key,
          .level_key = config.level_key,
          .message_key = config.message_key,
          .time_format = config.time_format};
}

std::string_view WithoutLineEnd(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == '\0')) {
    text.remove_suffix(1);
  }
  return text;
}

template <typename T>
std::span<T> Take(std::span<std::byte>& memory, size_t bytes) {
  const std::span<std::byte> taken = memory.first(bytes);
  memory = memory.subspan(std::min(memory.size(), Aligned(bytes)));
  return {reinterpret_cast<T*>(taken.data()), bytes};
}

}  // namespace

size_t SyslogSource::BytesNeeded(const LogConfig& config) {
  if (IsUnix(config)) return 0;
  return kConnections * (Aligned(sizeof(Connection)) + kOwnBytes) +
         Aligned(SyslogFramer::Room(config.max_line_bytes));
}

size_t SyslogSource::ScratchBytes(const LogConfig& config) {
  return Aligned(DatagramBytes(config)) + Aligned(HeadBytes(config)) + Aligned(TextBytes(config));
}

SyslogSource::SyslogSource(const LogConfig& config, const Options& options, std::span<std::byte> memory,
                           std::span<std::byte> scratch, RecordPipeline& pipeline, Poller& poller,
                           Sockets& sockets, Log& log)
    : config_(config),
      options_(options),
      max_line_(config.max_line_bytes),
      pipeline_(pipeline),
      poller_(poller),
      sockets_(sockets),
      log_(log),
      datagram_(Take<char>(scratch, DatagramBytes(config))),
      head_room_(Take<uint8_t>(scratch, HeadBytes(config))),
      parser_(TextOptions(config), Take<uint8_t>(scratch, TextBytes(config))),
      parses_text_(ParsesText(config)) {
  uid_.origin_ms = static_cast<uint64_t>(std::max<int64_t>(options.started.ns / 1'000'000, 0));
  const uint64_t hash = Hash64(config.name, Hash64(options.start, Hash64("syslog")));
  uid_.stream = static_cast<uint32_t>(hash ^ hash >> 32);
  if (IsUnix(config)) return;
  static_assert(sizeof(Connection) % alignof(Connection) == 0);
  LIMPET_CHECK(memory.size() >= BytesNeeded(config));
  auto* const slots = Take<Connection>(memory, kConnections * sizeof(Connection)).data();
  for (size_t i = 0; i < kConnections; ++i) {
    (new (slots + i) Connection)->own = Take<char>(memory, kOwnBytes);
  }
  connections_ = {std::launder(slots), kConnections};
  long_ = Take<char>(memory, SyslogFramer::Room(max_line_));
}

Status SyslogSource::Start() {
  const auto open = [this](const Result<int>& handle, int& kept) -> Status {
    if (!handle.ok()) return handle.status();
    kept = handle.value();
    return poller_.Watch(kept, kReadable, *this);
  };
  Status status = open(sockets_.BindDatagrams(config_.listen), datagrams_);
  if (status.ok() && !IsUnix(config_)) status = open(sockets_.Listen(config_.listen), listener_);
  if (!status.ok()) Close();
  return status;
}

void SyslogSource::Close() {
  for (int* const handle : {&datagrams_, &listener_}) {
    if (*handle < 0) continue;
    poller_.Forget(*handle);
    sockets_.Close(*handle);
    *handle = -1;
  }
}

void SyslogSource::OnReady(int handle, uint8_t) {
  if (handle == datagrams_) datagrams_ready_ = true;
  if (handle == listener_) listener_ready_ = true;
  for (Connection& connection : connections_) {
    if (connection.handle == handle) connection.ready = true;
  }
}

MonoTime SyslogSource::OnTime(const Stamp& now, LogEncoder& logs) {
  logs.Begin(options_.resource, now);
  const Turn turn{now, logs};
  SetPaused(logs.paused(), turn);
  bool more = false;
  if (datagrams_ready_) more = paused_ ? DiscardDatagrams(turn) : TakeDatagrams(turn);
  MonoTime next = paused_ ? now.mono + kPause : kNever;
  if (!paused_) {
    more |= ReadConnections(turn);
    next = HurryHolder(turn);
  }
  if (listen_again_ <= now.mono) ListenAgain();
  if (listener_ready_) Accept(turn);
  logs.Finish();
  return more ? now.mono : std::min(next, listen_again_);
}

void SyslogSource::Finish(const Stamp& now, LogEncoder& logs) {
  datagrams_ready_ = datagrams_ >= 0;
  for (Connection& connection : connections_) connection.ready = connection.handle >= 0;
  for (size_t i = 0; i < kRoundsAtEnd && OnTime(now, logs) == now.mono; ++i) {}
  logs.Begin(options_.resource, now);
  for (Connection& connection : connections_) {
    if (connection.handle >= 0) End(connection, {now, logs});
  }
  logs.Finish();
  Close();
}

void SyslogSource::SetPaused(bool paused, const Turn& turn) {
  if (paused_ == paused) return;
  paused_ = paused;
  held_since_ = turn.now.mono;  // It could not go on meanwhile.
  for (Connection& connection : connections_) {
    if (connection.handle < 0 || connection.waiting) continue;
    if (paused) Unwatch(connection);
    if (!paused) Watch(connection, turn);
  }
}

// Datagrams.

/// True: there may be more.
bool SyslogSource::TakeDatagrams(const Turn& turn) {
  size_t bytes = 0;
  for (size_t i = 0; i < kDatagramsAtOnce && bytes < kBytesAtOnce && !turn.logs.paused(); ++i) {  // Y1
    const Result<Datagram> got = sockets_.Receive(datagrams_, datagram_);
    if (!got.ok()) {
      datagrams_ready_ = false;
      break;
    }
    bytes += got.value().size;
    const std::string_view message = WithoutLineEnd({datagram_.data(), got.value().size});
    const bool truncated = got.value().truncated || message.size() > max_line_;
    if (!message.empty()) Write(message.substr(0, max_line_), truncated, got.value().from, turn);
  }
  CountLost(turn);
  return datagrams_ready_;
}

/// Likewise (Y2).
bool SyslogSource::DiscardDatagrams(const Turn& turn) {
  uint32_t count = 0;
  while (count < kDatagramsAtOnce && datagrams_ready_) {
    datagrams_ready_ = sockets_.Receive(datagrams_, datagram_.first(1)).ok();
    if (datagrams_ready_) ++count;
  }
  if (count > 0) turn.logs.Drop(DropReason::kSourceFull, count);
  use_.lost += count;
  CountLost(turn);
  return datagrams_ready_;
}

void SyslogSource::CountLost(const Turn& turn) {
  const uint64_t lost = sockets_.Lost(datagrams_);
  if (lost == lost_before_) return;
  use_.lost += lost - lost_before_;
  turn.logs.Drop(DropReason::kSourceFull, static_cast<uint32_t>(lost - lost_before_));
  lost_before_ = lost;
}

// Connections.

/// True: one may have more.
bool SyslogSource::ReadConnections(const Turn& turn) {
  bool more = false;
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection& connection = connections_[(first_ + i) % connections_.size()];
    if (connection.ready && !turn.logs.paused()) ReadConnection(connection, turn);
    more |= connection.ready;
  }
  if (!connections_.empty()) first_ = (first_ + 1) % connections_.size();
  return more;
}

/// One read, and the messages that it completes.
void SyslogSource::ReadConnection(Connection& connection, const Turn& turn) {
  // Without a holder everybody reads into the long buffer, and only takes out what is left over.
  const bool in_long = holder_ == nullptr || holder_ == &connection;
  const std::span<char> buffer = in_long ? long_ : connection.own;
  if (connection.size == buffer.size()) return Wait(connection, turn);
  if (holder_ == nullptr) std::memcpy(long_.data(), connection.own.data(), connection.size);

  // With its message the holder ends within what fits its own buffer, so that it can pass on this one.
  const size_t most = in_long && LongestWaiting() != nullptr ? kOwnBytes : kReadAtOnce;
  const std::span<char> room = buffer.subspan(connection.size);
  const std::span<char> space = room.first(std::min(room.size(), most));
  const Result<size_t> got = sockets_.Read(connection.handle, space);
  if (!got.ok() && got.status().code == Code::kUnavailable) {
    connection.ready = false;
    return;
  }
  const bool end = !got.ok() || got.value() == 0;
  const size_t count = end ? 0 : got.value();
  if (count < space.size()) connection.ready = false;  // The poller tells of more.
  connection.heard = turn.now.mono;
  connection.size += count;

  std::string_view rest(buffer.data(), connection.size);
  SyslogFramer::Step step;
  do {
    step = connection.framer.Next(rest, max_line_, /*end=*/false);
    rest.remove_prefix(step.used);
    if (step.outcome == SyslogFramer::Outcome::kMessage) {
      Write(step.message, step.truncated, connection.peer, turn);
    }
  } while (step.outcome == SyslogFramer::Outcome::kMessage);
  if (rest.size() < connection.size) std::memmove(buffer.data(), rest.data(), rest.size());
  connection.size = rest.size();
  Keep(connection, in_long, turn);

  if (step.outcome == SyslogFramer::Outcome::kBroken) {
    ++use_.broken;
    log_.Warn("the framing of syslog messages is broken: the connection is closed",
              {{"source", config_.name}, {"peer", connection.peer.view()}});
    return End(connection, turn);
  }
  if (end) End(connection, turn);
}

/// Puts what is left over where it can stay (Y3).
void SyslogSource::Keep(Connection& connection, bool in_long, const Turn& turn) {
  if (!in_long) return;
  if (connection.size <= connection.own.size()) {
    std::memcpy(connection.own.data(), long_.data(), connection.size);
    if (holder_ == &connection) PassOn(turn);
  } else if (holder_ == nullptr) {
    holder_ = &connection;
    held_since_ = turn.now.mono;
  }
}

void SyslogSource::Wait(Connection& connection, const Turn& turn) {
  connection.waiting = true;
  connection.waiting_since = turn.now.mono;
  Unwatch(connection);
}

/// The long buffer is free: it goes to who has waited longest.
void SyslogSource::PassOn(const Turn& turn) {
  holder_ = LongestWaiting();
  if (holder_ == nullptr) return;
  std::memcpy(long_.data(), holder_->own.data(), holder_->size);
  held_since_ = turn.now.mono;
  holder_->waiting = false;
  Watch(*holder_, turn);
}

SyslogSource::Connection* SyslogSource::LongestWaiting() {
  Connection* longest = nullptr;
  for (Connection& connection : connections_) {
    if (!connection.waiting) continue;
    if (longest == nullptr || connection.waiting_since < longest->waiting_since) longest = &connection;
  }
  return longest;
}

/// Cuts the holder's message when others have waited for long enough. Returns when to look again.
MonoTime SyslogSource::HurryHolder(const Turn& turn) {
  const Connection* const waiting = LongestWaiting();
  if (waiting == nullptr) return kNever;
  const MonoTime due = std::max(held_since_, waiting->waiting_since) + kHold;
  if (due > turn.now.mono) return due;
  Connection& holder = *holder_;
  const SyslogFramer::Step step = holder.framer.Cut({long_.data(), holder.size}, max_line_);
  if (step.outcome == SyslogFramer::Outcome::kMessage) Write(step.message, step.truncated, holder.peer, turn);
  holder.size = 0;
  PassOn(turn);
  return turn.now.mono + kHold;
}

void SyslogSource::Accept(const Turn& turn) {
  for (size_t i = 0; i < kConnections; ++i) {
    // That the listener is ready is only known of the first: nobody makes room for more.
    Connection* slot = FreeSlot();
    if (slot == nullptr && i > 0) break;
    if (slot == nullptr) slot = Displace(turn);
    const Result<int> accepted =
        slot == nullptr ? Result<int>(Code::kFull, 0, "syslog connections") : sockets_.Accept(listener_);
    if (accepted.ok()) {
      *slot = {.handle = accepted.value(), .heard = turn.now.mono, .own = slot->own};
      slot->peer = sockets_.Peer(slot->handle);
      ++use_.accepted;
      use_.connections_peak = std::max(use_.connections_peak, ++use_.connections);
      if (!paused_) Watch(*slot, turn);
      continue;
    }
    if (accepted.status().code == Code::kFull) {
      // What waits stays ready: looking away is all that keeps the loop from spinning.
      poller_.Forget(listener_);
      listen_again_ = turn.now.mono + kPause;
    }
    break;
  }
  listener_ready_ = false;  // The poller tells again of those that are left.
}

void SyslogSource::ListenAgain() {
  listen_again_ = kNever;
  (void)poller_.Watch(listener_, kReadable, *this);  // Its slot was given back by Forget.
}

SyslogSource::Connection* SyslogSource::FreeSlot() {
  const auto free = std::find_if(connections_.begin(), connections_.end(),
                                 [](const Connection& c) { return c.handle < 0; });
  return free == connections_.end() ? nullptr : &*free;
}

/// Makes one free (Y4); nullptr: there is none for that.
SyslogSource::Connection* SyslogSource::Displace(const Turn& turn) {
  if (paused_) return nullptr;  // Nobody can tell who is silent.
  for (size_t i = 0; i < connections_.size(); ++i) {
    Connection* longest = nullptr;
    for (Connection& connection : connections_) {
      if (connection.waiting || connection.heard + kSilentMin > turn.now.mono) continue;
      if (longest == nullptr || connection.heard < longest->heard) longest = &connection;
    }
    if (longest == nullptr) return nullptr;
    ReadConnection(*longest, turn);
    if (longest->handle >= 0 && longest->heard + kSilentMin > turn.now.mono) continue;  // It was not silent.
    if (longest->handle >= 0) {
      ++use_.displaced;
      log_.Warn("all connections of a syslog source are taken: the longest silent is closed for another",
                {{"source", config_.name}, {"connections", kConnections}});
      End(*longest, turn);
    }
    return longest;
  }
  return nullptr;
}

void SyslogSource::Watch(Connection& connection, const Turn& turn) {
  if (!poller_.Watch(connection.handle, kReadable, *this).ok()) End(connection, turn);
}

void SyslogSource::Unwatch(Connection& connection) {
  poller_.Forget(connection.handle);
  connection.ready = false;
}

/// Closes it, and makes a record of what is there (Y5).
void SyslogSource::End(Connection& connection, const Turn& turn) {
  const bool holds = holder_ == &connection;
  std::string_view rest(holds ? long_.data() : connection.own.data(), connection.size);
  const SyslogFramer::Step step = connection.framer.Next(rest, max_line_, /*end=*/true);
  if (step.outcome == SyslogFramer::Outcome::kMessage) {
    Write(step.message, step.truncated, connection.peer, turn);
  } else if (step.outcome == SyslogFramer::Outcome::kBroken) {
    const std::string_view text = WithoutLineEnd(rest.substr(step.used)).substr(0, max_line_);
    if (!text.empty()) Write(text, /*truncated=*/true, connection.peer, turn);
  }
  poller_.Forget(connection.handle);
  sockets_.Close(connection.handle);
  connection = {.own = connection.own};
  --use_.connections;
  if (holds) PassOn(turn);
  if (listen_again_ != kNever) ListenAgain();
}

// Records.

void SyslogSource::Write(std::string_view message, bool truncated, const PeerAddress& peer, const Turn& turn) {
  constexpr uint32_t kAttributes = otlp_LogRecord_attributes_tag;
  WireWriter head(head_room_);
  if (peer.size > 0) {
    const Attribute address("network.peer.address", peer.view());
    WriteAttributes(head, kAttributes, {&address, 1});
  }
  ReadRecord record;
  (void)ParseSyslog(message, turn.now.wall, head, record);  // What is no syslog is the body as it is.
  record.truncated = truncated;
  ++uid_.position;
  record.uid = uid_;
  ++use_.messages;
  if (parses_text_) ParseText(record, turn.now.wall);
  pipeline_.Write(record, turn.now, turn.logs);
}

/// What the text says of time and level goes before what is in front of it.
void SyslogSource::ParseText(ReadRecord& record, UnixTime now) {
  std::string_view text = record.body;
  if (text.starts_with(kCookie)) text = Trim(text.substr(kCookie.size()));
  ReadRecord inner;
  if (!parser_.Parse(text, now, inner).ok()) return;
  if (inner.time != UnixTime{}) record.time = inner.time;
  if (inner.severity != Severity::kUnspecified) {
    record.severity = inner.severity;
    record.severity_text = inner.severity_text;
  }
  record.body = inner.body;
  record.origin_attributes = record.attributes;
  record.attributes = inner.attributes;
  record.invalid_utf8 |= inner.invalid_utf8;
}

}  // namespace limpet
