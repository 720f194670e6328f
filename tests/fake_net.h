// A network of one process for tests of listeners and their clients: a test holds the far end of
// each connection, says how many bytes fit into it, and turns the clock.
#pragma once

#include <algorithm>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "limpet/poller.h"
#include "limpet/sockets.h"
#include "limpet/time.h"

namespace limpet {

class FakeClock final : public Clock {
 public:
  MonoTime Monotonic() override { return now; }
  UnixTime Wall() override { return {now.ns + 1'700'000'000'000'000'000}; }
  Result<ClockDiscipline> Discipline() override { return {Code::kUnsupported, 0, "fake clock"}; }

  MonoTime now{1'000'000'000};
};

class FakeSockets final : public Sockets {
 public:
  struct Connection {
    std::string to_server, to_client;
    size_t room = SIZE_MAX;         ///< Bytes to_client may hold.
    bool client_finished = false;   ///< Sends nothing more.
    bool client_gone = false;       ///< Closed altogether.
    bool server_finished = false, server_closed = false;
    int client = -1;                ///< Handle of a client made by Connect.
    size_t record = 0;              ///< As under TLS: the server takes so many bytes off the line at
                                    ///< once, and no event tells of what it has not read of them.
    std::string in_program;
    size_t handshake = 0;           ///< Likewise: bytes that the server takes off the line for itself.
    std::string peer;               ///< Address of the client; empty: this host.
  };

  /// What waits at a socket for datagrams. Its far end is the test's.
  struct Mailbox {
    struct Letter {
      std::string text, from;
    };
    std::deque<Letter> letters;
    size_t room = SIZE_MAX;         ///< Letters that may wait; more are lost.
    uint64_t lost = 0;

    void Post(std::string text, std::string from = "") {
      if (letters.size() < room) {
        letters.push_back({std::move(text), std::move(from)});
      } else {
        ++lost;
      }
    }
  };
  Mailbox& MailboxAt(const std::string& address) { return mailboxes.at(bound.at(address)); }
  void CloseMailbox(const std::string& address) { Close(bound.at(address)); }
  int ListenerAt(const std::string& address) const { return listeners.at(address); }

  static PeerAddress ToAddress(std::string_view text) {
    PeerAddress peer;
    peer.size = static_cast<uint8_t>(text.copy(peer.text, sizeof peer.text));
    return peer;
  }

  /// A client appears at the listener. The connection stays the test's to look at.
  Connection& Dial(int listener) {
    connections.push_back(std::make_unique<Connection>());
    waiting[listener].push_back(connections.back().get());
    return *connections.back();
  }

  Result<int> Listen(std::string_view address) override {
    if (listeners.contains(std::string(address))) return {Code::kExists, 0, "fake listen"};
    listeners[std::string(address)] = next_handle;
    waiting[next_handle] = {};
    return next_handle++;
  }
  Result<int> Accept(int listener) override {
    if (waiting[listener].empty()) return {Code::kUnavailable, 0, "fake accept"};
    if (no_handles) return {Code::kFull, 0, "fake accept"};
    servers[next_handle] = waiting[listener].front();
    waiting[listener].erase(waiting[listener].begin());
    return next_handle++;
  }
  Result<int> Connect(std::string_view address) override {
    const auto found = listeners.find(std::string(address));
    if (found == listeners.end()) return {Code::kNotFound, 0, "fake connect"};
    Connection& connection = Dial(found->second);
    connection.client = next_handle;
    clients[next_handle] = &connection;
    return next_handle++;
  }
  Result<size_t> Read(int handle, std::span<char> into) override {
    const bool server = servers.contains(handle);
    Connection& c = *(server ? servers : clients).at(handle);
    if (server) ++reads;
    if (server && c.handshake > 0) {
      const size_t taken = std::min(c.handshake, c.to_server.size());
      c.to_server.erase(0, taken);
      c.handshake -= taken;
    }
    if (server && c.record > 0 && c.in_program.empty()) {
      c.in_program = c.to_server.substr(0, c.record);
      c.to_server.erase(0, c.record);
    }
    const bool record = server && !c.in_program.empty();
    std::string& bytes = record ? c.in_program : server ? c.to_server : c.to_client;
    if (bytes.empty()) {
      if (server ? c.client_finished || c.client_gone : c.server_finished || c.server_closed) {
        return size_t{0};
      }
      return {Code::kUnavailable, 0, "fake read"};
    }
    const size_t count = std::min(bytes.size(), into.size());
    std::memcpy(into.data(), bytes.data(), count);
    bytes.erase(0, count);
    return count;
  }
  bool HasMore(int handle) override { return !servers.at(handle)->in_program.empty(); }
  Result<size_t> Write(int handle, std::span<const char> bytes) override {
    ++writes;
    if (const auto client = clients.find(handle); client != clients.end()) {
      client->second->to_server.append(bytes.data(), bytes.size());
      return bytes.size();
    }
    Connection& c = *servers.at(handle);
    if (c.client_gone) return {Code::kIo, 0, "fake write"};
    const size_t count = std::min(bytes.size(), c.room - std::min(c.room, c.to_client.size()));
    if (count == 0) return {Code::kUnavailable, 0, "fake write"};
    c.to_client.append(bytes.data(), count);
    return count;
  }
  PeerAddress Peer(int handle) override { return ToAddress(servers.at(handle)->peer); }
  Result<int> BindDatagrams(std::string_view address) override {
    if (bound.contains(std::string(address))) return {Code::kExists, 0, "fake bind"};
    bound[std::string(address)] = next_handle;
    mailboxes[next_handle] = {};
    return next_handle++;
  }
  Result<Datagram> Receive(int handle, std::span<char> into) override {
    Mailbox& mailbox = mailboxes.at(handle);
    if (mailbox.letters.empty()) return {Code::kUnavailable, 0, "fake receive"};
    const Mailbox::Letter letter = std::move(mailbox.letters.front());
    mailbox.letters.pop_front();
    Datagram datagram{.size = letter.text.copy(into.data(), into.size()), .from = ToAddress(letter.from)};
    datagram.truncated = datagram.size < letter.text.size();
    return datagram;
  }
  uint64_t Lost(int handle) override { return mailboxes.at(handle).lost; }
  void FinishWriting(int handle) override { servers.at(handle)->server_finished = true; }
  void Close(int handle) override {
    if (const auto server = servers.find(handle); server != servers.end()) {
      server->second->server_closed = true;
      servers.erase(server);
    } else if (const auto client = clients.find(handle); client != clients.end()) {
      client->second->client_gone = true;
      clients.erase(client);
    } else if (mailboxes.erase(handle) > 0) {
      std::erase_if(bound, [handle](const auto& entry) { return entry.second == handle; });
    } else {
      waiting.erase(handle);
      std::erase_if(listeners, [handle](const auto& entry) { return entry.second == handle; });
    }
  }

  uint8_t Ready(int handle) const {
    if (const auto found = mailboxes.find(handle); found != mailboxes.end()) {
      return found->second.letters.empty() ? 0 : kReadable;
    }
    if (const auto found = waiting.find(handle); found != waiting.end()) {
      return found->second.empty() ? 0 : kReadable;
    }
    uint8_t ready = 0;
    if (const auto found = servers.find(handle); found != servers.end()) {
      const Connection& c = *found->second;
      if (!c.to_server.empty() || c.client_finished || c.client_gone) ready |= kReadable;
      if (c.to_client.size() < c.room) ready |= kWritable;
      if (c.client_gone || (c.client_finished && c.server_finished)) ready |= kHangup;
    } else if (const auto client = clients.find(handle); client != clients.end()) {
      const Connection& c = *client->second;
      if (!c.to_client.empty() || c.server_finished || c.server_closed) ready |= kReadable;
      ready |= kWritable;
    }
    return ready;
  }

  bool no_handles = false;
  int reads = 0, writes = 0;

 private:
  int next_handle = 3;
  std::vector<std::unique_ptr<Connection>> connections;
  std::map<std::string, int> listeners;
  std::map<int, std::vector<Connection*>> waiting;
  std::map<int, Connection*> servers, clients;
  std::map<std::string, int> bound;
  std::map<int, Mailbox> mailboxes;
};

class FakePoller final : public Poller {
 public:
  FakePoller(FakeSockets& sockets, FakeClock& clock) : sockets_(sockets), clock_(clock) {}

  Status Watch(int handle, uint8_t interest, PollHandler& handler) override {
    if (!watched_.contains(handle) && watched_.size() >= limit) return {Code::kFull, 0, "fake"};
    watched_[handle] = {interest, &handler};
    ++calls;
    return {};
  }
  void Forget(int handle) override { watched_.erase(handle); }
  Status Wait(MonoTime until) override {
    if (!Step()) clock_.now = std::max(clock_.now, until);
    return {};
  }

  /// Tells each handle that is ready so, once. False: none was.
  bool Step() {
    bool any = false;
    std::vector<int> handles;
    for (const auto& [handle, watch] : watched_) handles.push_back(handle);
    for (const int handle : handles) {
      const auto found = watched_.find(handle);
      if (found == watched_.end()) continue;
      const Watched watch = found->second;
      const auto wanted = static_cast<uint8_t>(watch.interest | kHangup);
      const auto ready = static_cast<uint8_t>(sockets_.Ready(handle) & wanted);
      if (ready == 0) continue;
      any = true;
      watch.handler->OnReady(handle, ready);
    }
    return any;
  }

  /// Until nothing is ready. False: it does not come to rest, which would be a busy loop.
  bool Settle() {
    for (int i = 0; i < 100'000; ++i) {
      if (!Step()) return true;
    }
    return false;
  }
  size_t watched() const { return watched_.size(); }

  size_t limit = SIZE_MAX;
  int calls = 0;                    ///< Of Watch.

 private:
  struct Watched {
    uint8_t interest;
    PollHandler* handler;
  };
  FakeSockets& sockets_;
  FakeClock& clock_;
  std::map<int, Watched> watched_;
};

}  // namespace limpet
