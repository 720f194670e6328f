// Fuzzes the HTTP side: what comes off the line, in pieces of any size, at any time, from several
// clients at once, through a server whose pool is far too small; and that a parser comes to the same
// whatever the pieces. For libFuzzer, or any driver that calls its entry point.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "fake_net.h"
#include "memory/fixed_heap.h"
#include "serve/http_server.h"

namespace limpet {
namespace {

constexpr size_t kSlots = 4;
constexpr size_t kBodyMax = 10'000;
constexpr HttpServerLimits kLimits{
    .connections = kSlots, .body_max = kBodyMax, .page_bytes = 1024};
constexpr size_t kPoolBytes = HttpServer::PoolBytes(kBodyMax, 1);

/// Touches all that it is given, and does with it what the path says.
class Handler final : public HttpHandler {
 public:
  bool OnHead(const HttpRequest& request, HttpResponse& response) override {
    Look(request);
    LIMPET_CHECK(request.body.empty());
    if (request.path != "/no") return true;
    response.status = 429;
    response.body << request.content_type;
    return false;
  }
  void OnRequest(const HttpRequest& request, HttpResponse& response) override {
    Look(request);
    LIMPET_CHECK(request.body.size() <= kBodyMax);
    if (request.path == "/later") {
      LIMPET_CHECK(!owed_[request.slot]);
      owed_[request.slot] = true;
      return response.Defer();
    }
    response.body << request.path << request.query << sum_;
  }
  bool OnDeferred(size_t slot, HttpResponse& response) override {
    LIMPET_CHECK(owed_[slot]);
    if (!answering_) return false;
    owed_[slot] = false;
    response.body << "later";
    return true;
  }
  void OnGone(size_t slot) override {
    LIMPET_CHECK(owed_[slot]);
    owed_[slot] = false;
  }
  void Answer(bool answering) { answering_ = answering; }
  bool owes() const { return std::find(owed_.begin(), owed_.end(), true) != owed_.end(); }

 private:
  void Look(const HttpRequest& request) {
    LIMPET_CHECK(request.slot < kSlots);
    for (const std::string_view text : {request.method, request.path, request.query, request.accept,
                                        request.content_type, request.content_encoding,
                                        request.authorization}) {
      for (const char c : text) sum_ += static_cast<uint8_t>(c);
    }
    for (const uint8_t c : request.body) sum_ += c;
  }

  std::array<bool, kSlots> owed_{};
  bool answering_ = false;
  uint32_t sum_ = 0;
};

alignas(std::max_align_t) std::byte memory[64 * 1024];
alignas(std::max_align_t) std::byte pool[kPoolBytes];

/// One script: a byte says what happens, and the next, where needed, with how much.
class Run {
 public:
  explicit Run(std::string_view script) : script_(script) {
    LIMPET_CHECK(sizeof memory >= HttpServer::BytesNeeded(kLimits));
    bodies_.Init("bodies", pool);
    const Result<int> listener = server_.Listen("here");
    LIMPET_CHECK(listener.ok());
    listener_ = listener.value();
  }

  void Go() {
    while (!script_.empty()) {
      Step(Byte());
      Check();
    }
    handler_.Answer(true);
    for (int i = 0; i < 100 && server_.use().connections > 0; ++i) Pass(Seconds(1));
    LIMPET_CHECK(server_.use().connections == 0);  // H1.
    Check();
    server_.Close();
    LIMPET_CHECK(poller_.watched() == 0 && !handler_.owes());
    LIMPET_CHECK(bodies_.use().used == 0);
  }

 private:
  uint8_t Byte() {
    if (script_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(script_.front());
    script_.remove_prefix(1);
    return byte;
  }
  void Step(uint8_t what) {
    FakeSockets::Connection*& client = clients_[what % clients_.size()];
    switch (what / clients_.size() % 10) {
      case 0:
        client = &sockets_.Dial(listener_);
        client->record = Byte();
        client->handshake = client->record / 16;
        break;
      case 1:
        if (client != nullptr) client->client_gone = true;
        client = nullptr;
        break;
      case 2:
        if (client != nullptr) client->client_finished = true;
        break;
      case 3:
        if (client != nullptr) client->room = client->to_client.size() + Byte();
        break;
      case 4:
        Pass(Milliseconds(Byte() * 20));
        break;
      case 5:
        handler_.Answer(Byte() % 2 == 0);
        break;
      case 6:
        poller_.Step();
        break;
      default: {
        const size_t wanted = Byte() * size_t{what >= 128 ? 16u : 1u};
        const size_t count = std::min(wanted, script_.size());  // After Byte, which takes one.
        if (client == nullptr) client = &sockets_.Dial(listener_);
        if (!client->client_finished) client->to_server += script_.substr(0, count);
        script_.remove_prefix(count);
        if (what % 2 == 0) poller_.Step();
        break;
      }
    }
  }
  void Pass(Duration time) {
    LIMPET_CHECK(poller_.Settle());  // No busy loop.
    clock_.now = clock_.now + time;
    server_.OnTime(clock_.now);
    LIMPET_CHECK(server_.OnTime(clock_.now) > clock_.now);  // All that was due is done.
  }
  void Check() {
    const HttpServer::Use& use = server_.use();
    LIMPET_CHECK(use.connections <= kSlots && use.bodies <= use.connections);
    LIMPET_CHECK((use.bodies == 0) == (bodies_.use().used == 0));  // H7.
    LIMPET_CHECK(use.connections_peak <= kSlots && use.refused <= use.accepted);
  }

  std::string_view script_;
  FakeClock clock_;
  FakeSockets sockets_;
  FakePoller poller_{sockets_, clock_};
  Handler handler_;
  FixedHeap bodies_;
  HttpServer server_{kLimits, memory, &bodies_, clock_, poller_, sockets_, handler_};
  int listener_ = -1;
  std::array<FakeSockets::Connection*, 6> clients_{};  // More than there are slots.
};

/// What a parser makes of `text` in pieces of up to `step` bytes.
std::string Outcome(std::string_view text, size_t step) {
  using State = HttpParser::State;
  static char head[kConnectionHeadBytes], body[kBodyMax];
  HttpParser parser(head, kBodyMax);
  std::string outcome;
  for (;;) {
    if (parser.state() == State::kRefused) return outcome + std::to_string(parser.refusal());
    if (parser.state() == State::kWantsBody) {
      parser.GiveBody(body);
    } else if (parser.state() == State::kComplete) {
      const HttpRequest& request = parser.request();
      outcome.append(request.method).append(request.path).append(request.query);
      outcome.append(reinterpret_cast<const char*>(request.body.data()), request.body.size());
      outcome += parser.keep_alive() ? '+' : '-';
      parser.Next();
    } else {
      if (text.empty()) return outcome + "more";
      const std::span<char> space = parser.Space();
      const size_t count = std::min({step, space.size(), text.size()});
      LIMPET_CHECK(count > 0);
      std::memcpy(space.data(), text.data(), count);
      text.remove_prefix(count);
      parser.Take(count);
    }
  }
}

}  // namespace
}  // namespace limpet

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace limpet;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Run(text).Go();
  if (size < 2) return 0;
  const std::string_view line = text.substr(1);  // The first byte says how fast.
  LIMPET_CHECK(Outcome(line, 1 + data[0]) == Outcome(line, SIZE_MAX));
  return 0;
}
