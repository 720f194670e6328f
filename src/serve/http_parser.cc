#include "serve/http_parser.h"

#include <algorithm>
#include <cstring>
#include <new>

#include <http_parser.h>

#include "base/text.h"
#include "limpet/status.h"

namespace limpet {
namespace {

// What a chunked body keeps of the head's buffer, so that it gets on by more than a few bytes.
constexpr size_t kChunkSpace = 512;
constexpr size_t kChunkedBody = 4096;  // The first block of a chunked body.

http_parser& Library(std::byte* storage) {
  return *std::launder(static_cast<http_parser*>(static_cast<void*>(storage)));
}

struct Known {
  std::string_view name;
  std::string_view HttpRequest::* field;
};
constexpr Known kKnown[] = {
    {"accept", &HttpRequest::accept},
    {"content-type", &HttpRequest::content_type},
    {"content-encoding", &HttpRequest::content_encoding},
    {"authorization", &HttpRequest::authorization},
};

/// Grows `text` by a piece that lies behind it. False: it lies elsewhere, since the line was folded,
/// which RFC 9112 section 5.2 tells servers to refuse.
bool Extend(std::string_view& text, const char* at, size_t count) {
  if (text.data() == nullptr) {
    text = {at, count};
    return true;
  }
  if (text.data() + text.size() != at) return false;
  text = {text.data(), text.size() + count};
  return true;
}

}  // namespace

struct HttpParser::Grammar {
  static HttpParser& Self(http_parser* library) { return *static_cast<HttpParser*>(library->data); }

  static int OnUrl(http_parser* library, const char* at, size_t count) {
    return Extend(Self(library).target_, at, count) ? 0 : 1;
  }
  static int OnField(http_parser* library, const char* at, size_t count) {
    HttpParser& self = Self(library);
    if (self.state_ != State::kHead) return 0;  // A trailer: nobody asks for one.
    if (self.in_value_) self.OnHeader();
    return Extend(self.field_, at, count) ? 0 : 1;
  }
  static int OnValue(http_parser* library, const char* at, size_t count) {
    HttpParser& self = Self(library);
    if (self.state_ != State::kHead) return 0;
    self.in_value_ = true;
    return Extend(self.value_, at, count) ? 0 : 1;
  }
  static int OnHeadersComplete(http_parser* library) {
    HttpParser& self = Self(library);
    if (self.in_value_) self.OnHeader();
    http_parser_pause(library, 1);  // So that Run learns where the head ends.
    return 0;
  }
  static int OnBody(http_parser* library, const char* at, size_t count) {
    return Self(library).OnBody(at, count) ? 0 : 1;
  }
  static int OnComplete(http_parser* library) {
    HttpParser& self = Self(library);
    // RFC 9112 section 6.1: chunks are not of HTTP/1.0, and who is wrong there may be so elsewhere.
    self.keep_alive_ = http_should_keep_alive(library) != 0 && !(self.http_1_0_ && self.chunked_);
    self.request_.body = {reinterpret_cast<const uint8_t*>(self.body_.data()), self.body_size_};
    self.state_ = State::kComplete;
    http_parser_pause(library, 1);  // What follows is the next request.
    return 0;
  }
  static const http_parser_settings& Settings() {
    static constexpr http_parser_settings settings = {
        .on_message_begin = nullptr,
        .on_url = OnUrl,
        .on_status = nullptr,
        .on_header_field = OnField,
        .on_header_value = OnValue,
        .on_headers_complete = OnHeadersComplete,
        .on_body = OnBody,
        .on_message_complete = OnComplete,
        .on_chunk_header = nullptr,
        .on_chunk_complete = nullptr,
    };
    return settings;
  }
};

HttpParser::HttpParser(std::span<char> head, size_t body_max) : head_(head), body_max_(body_max) {
  static_assert(sizeof(http_parser) <= sizeof library_ && alignof(http_parser) <= 8);
  LIMPET_CHECK(head_.size() > kChunkSpace);
  Reset();
}

void HttpParser::Reset() {
  http_parser* const library = new (library_) http_parser;
  http_parser_init(library, HTTP_REQUEST);
  library->data = this;
  end_ = parsed_ = head_end_ = body_size_ = body_length_ = 0;
  state_ = State::kHead;
  has_head_ = chunked_ = coded_ = unsized_ = expects_ = in_value_ = is_head_ = keep_alive_ = http_1_0_ = false;
  hosts_ = refusal_ = 0;
  refusal_reason_ = "";
  target_ = field_ = value_ = expect_ = {};
  request_ = {};
  body_ = {};
}

std::span<char> HttpParser::Space() {
  if (state_ == State::kHead || chunked_) return head_.subspan(end_);
  return body_.subspan(body_size_, body_length_ - body_size_);
}

HttpParser::State HttpParser::Take(size_t count) {
  if (state_ == State::kBody && !chunked_) {
    Execute(body_.data() + body_size_, count);
    return state_;
  }
  end_ += count;
  Run();
  return state_;
}

size_t HttpParser::body_wanted() const {
  if (!chunked_) return body_length_;
  return std::min(body_max_, std::max(kChunkedBody, 2 * body_.size()));
}

HttpParser::State HttpParser::GiveBody(std::span<char> block) {
  LIMPET_CHECK(state_ == State::kWantsBody && block.size() >= body_wanted());
  body_ = block.first(body_wanted());
  state_ = State::kBody;
  Run();
  return state_;
}

HttpParser::State HttpParser::Next() {
  const size_t rest = end_ - parsed_;
  std::memmove(head_.data(), head_.data() + parsed_, rest);
  Reset();
  end_ = rest;
  Run();
  return state_;
}

bool HttpParser::TakeContinue() {
  const bool waits = expects_ && state_ == State::kBody && body_size_ == 0;
  expects_ = false;
  return waits;
}

void HttpParser::Run() {
  while (parsed_ < end_ && (state_ == State::kHead || state_ == State::kBody)) {
    const size_t count = end_ - parsed_;
    const bool was_head = state_ == State::kHead;
    if (!was_head && chunked_ && count > body_.size() - body_size_ && body_.size() < body_max_) {
      state_ = State::kWantsBody;  // They may all be the body's.
      return;
    }
    parsed_ += Execute(head_.data() + parsed_, count);
    if (was_head && state_ == State::kWantsBody) {
      head_end_ = parsed_ + 1;  // It stops at the last LF.
      if (chunked_ && head_.size() - head_end_ < kChunkSpace) {
        Refuse(431, "the head leaves no room for chunks");
      }
    }
  }
  if (state_ == State::kHead && end_ == head_.size()) Refuse(431, "the head is too large");
  if (state_ == State::kBody) parsed_ = end_ = head_end_;  // Seen and copied: room for more (R2).
}

size_t HttpParser::Execute(const char* data, size_t count) {
  http_parser& library = Library(library_);
  const size_t used = http_parser_execute(&library, &Grammar::Settings(), data, count);
  const auto error = static_cast<http_errno>(library.http_errno);
  if (error == HPE_PAUSED) {
    http_parser_pause(&library, 0);
    if (state_ == State::kHead) OnHead();
  } else if (error == HPE_HEADER_OVERFLOW) {
    Refuse(431, http_errno_description(error));
  } else if (error != HPE_OK && state_ != State::kRefused) {
    Refuse(400, http_errno_description(error));
  }
  return used;
}

void HttpParser::OnHeader() {
  value_ = Trim(value_);
  for (const Known& known : kKnown) {
    std::string_view& into = request_.*known.field;
    if (into.empty() && EqualsIgnoringCase(field_, known.name)) into = value_;
  }
  if (EqualsIgnoringCase(field_, "expect")) expect_ = value_;
  if (EqualsIgnoringCase(field_, "host")) ++hosts_;
  if (EqualsIgnoringCase(field_, "transfer-encoding")) {
    coded_ = coded_ || chunked_ || !EqualsIgnoringCase(value_, "chunked");
    chunked_ = true;
  }
  // The library takes one without a number for none.
  if (EqualsIgnoringCase(field_, "content-length") && value_.empty()) unsized_ = true;
  field_ = value_ = {};
  in_value_ = false;
}

void HttpParser::OnTarget() {
  std::string_view target = target_;
  if (!target.starts_with('/')) {  // "http://host/path", which a server has to take as well.
    const size_t scheme = target.find("://");
    if (scheme != std::string_view::npos) {
      const size_t slash = target.find('/', scheme + 3);
      target = slash == std::string_view::npos ? "/" : target.substr(slash);
    }
  }
  target = TakeUntil(target, '#');
  request_.path = TakeUntil(target, '?');
  request_.query = target;
}

void HttpParser::OnHead() {
  const http_parser& library = Library(library_);
  state_ = State::kBody;
  has_head_ = true;
  is_head_ = library.method == HTTP_HEAD;
  request_.method = http_method_str(is_head_ ? HTTP_GET : static_cast<http_method>(library.method));
  OnTarget();
  if (library.http_major != 1) return Refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken here");
  http_1_0_ = library.http_minor == 0;
  if (hosts_ > 1 || (hosts_ == 0 && !http_1_0_)) return Refuse(400, "one Host header is required");
  if (unsized_) return Refuse(400, "a Content-Length without a number");
  if (coded_) return Refuse(501, "the only transfer coding spoken here is chunked");
  chunked_ = (library.flags & F_CHUNKED) != 0;
  const bool sized = (library.flags & F_CONTENTLENGTH) != 0;
  if ((chunked_ && body_max_ == 0) || (sized && library.content_length > body_max_)) {
    return Refuse(413, "the body is too large");
  }
  body_length_ = sized ? static_cast<size_t>(library.content_length) : 0;
  if (chunked_ || body_length_ > 0) state_ = State::kWantsBody;
  if (expect_.empty() || http_1_0_) return;
  if (!EqualsIgnoringCase(expect_, "100-continue")) return Refuse(417, "unknown expectation");
  expects_ = true;
}

bool HttpParser::OnBody(const char* at, size_t count) {
  if (count > body_.size() - body_size_) {
    Refuse(413, "the body is too large");
    return false;
  }
  char* const into = body_.data() + body_size_;
  if (at != into) std::memmove(into, at, count);
  body_size_ += count;
  return true;
}

void HttpParser::Refuse(int status, const char* reason) {
  state_ = State::kRefused;
  refusal_ = status;
  refusal_reason_ = reason;
}

const char* HttpStatusText(int status) {
  switch (status) {
#define LIMPET_STATUS(number, name, text) \
  case number:                            \
    return #text;
    HTTP_STATUS_MAP(LIMPET_STATUS)
#undef LIMPET_STATUS
    default:
      return "Unknown";
  }
}

}  // namespace limpet
