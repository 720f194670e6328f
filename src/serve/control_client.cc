#include "serve/control_client.h"

#include <optional>

#include "base/text.h"
#include "serve/http_parser.h"

namespace limpet {
namespace {

constexpr const char* kWhere = "control socket";

/// Takes a line without its end off the front of `rest`.
std::string_view TakeLine(std::string_view& rest) {
  std::string_view line = TakeUntil(rest, '\n');
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

/// Reads an answer that has ended. Ours always tell their length.
Result<ControlAnswer> Parse(std::string_view text) {
  constexpr std::string_view kHeadEnd = "\r\n\r\n";
  const size_t head_end = text.find(kHeadEnd);
  if (head_end == std::string_view::npos) return {Code::kIo, 0, kWhere};
  ControlAnswer answer;
  answer.body = text.substr(head_end + kHeadEnd.size());
  std::string_view head = text.substr(0, head_end);
  std::string_view line = TakeLine(head);
  if (!TakeWord(line).starts_with("HTTP/1.")) return {Code::kInvalid, 0, kWhere};
  const std::optional<uint16_t> status = ParseNumber<uint16_t>(TakeWord(line));
  if (!status) return {Code::kInvalid, 0, kWhere};
  answer.status = *status;
  while (!head.empty()) {
    std::string_view value = TakeLine(head);
    if (!EqualsIgnoringCase(TakeUntil(value, ':'), "content-length")) continue;
    const std::optional<uint32_t> length = ParseNumber<uint32_t>(Trim(value));
    if (!length) return {Code::kInvalid, 0, kWhere};
    if (*length != answer.body.size()) return {Code::kIo, 0, kWhere};
  }
  return answer;
}

/// Sends what is left of the request, then reads until the other side has finished.
class Exchange final : public PollHandler {
 public:
  Exchange(Sockets& sockets, Poller& poller, std::string_view request, std::span<char> buffer)
      : sockets_(sockets), poller_(poller), request_(request), buffer_(buffer) {}

  void OnReady(int handle, uint8_t) override {
    if (!request_.empty()) {
      const Result<size_t> put = sockets_.Write(handle, {request_.data(), request_.size()});
      if (!put.ok()) return Fail(put.status());
      request_.remove_prefix(put.value());
      if (!request_.empty()) return;
      const Status watched = poller_.Watch(handle, kReadable, *this);
      if (!watched.ok()) Fail(watched);
      return;
    }
    if (size_ == buffer_.size()) return Fail({Code::kFull, 0, kWhere});
    const Result<size_t> got = sockets_.Read(handle, buffer_.subspan(size_));
    if (!got.ok()) return Fail(got.status());
    size_ += got.value();
    if (got.value() == 0) done_ = true;
  }

  bool done() const { return done_; }
  const Status& status() const { return status_; }
  std::string_view answer() const { return {buffer_.data(), size_}; }

 private:
  void Fail(const Status& status) {
    if (status.code == Code::kUnavailable) return;  // Not yet.
    status_ = status;
    done_ = true;
  }

  Sockets& sockets_;
  Poller& poller_;
  std::string_view request_;
  std::span<char> buffer_;
  size_t size_ = 0;
  bool done_ = false;
  Status status_;
};

}  // namespace

Result<ControlAnswer> AskControl(Sockets& sockets, Poller& poller, Clock& clock,
                                 std::string_view address, std::string_view method,
                                 std::string_view target, Duration timeout,
                                 std::span<char> buffer) {
  TextBuffer<256> request;
  request << method << ' ' << target << " HTTP/1.0\r\n\r\n";
  if (request.overflowed()) return {Code::kInvalid, 0, kWhere};
  const Result<int> connection = sockets.Connect(address);
  if (!connection.ok()) return connection.status();

  Exchange exchange(sockets, poller, request.text(), buffer);
  const MonoTime deadline = clock.Monotonic() + timeout;
  Status status = poller.Watch(connection.value(), kWritable, exchange);
  while (status.ok() && !exchange.done()) {
    status = poller.Wait(deadline);
    if (status.ok() && !exchange.done() && clock.Monotonic() >= deadline) {
      status = {Code::kTimeout, 0, kWhere};
    }
  }
  poller.Forget(connection.value());
  sockets.Close(connection.value());
  LIMPET_TRY(status);
  LIMPET_TRY(exchange.status());
  return Parse(exchange.answer());
}

}  // namespace limpet
