// Reads one HTTP/1.x request out of bytes as they come, the head into a fixed buffer, the body into
// a block that is asked for when its size is known. The grammar is the http-parser library's, strict;
// the bounds and what a request means are ours.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace limpet {

struct HttpRequest {
  std::string_view method;            ///< "GET", "POST", …; a HEAD comes as GET.
  std::string_view path;              ///< Without the query.
  std::string_view query;             ///< After the '?', or empty.
  std::string_view accept, content_type, content_encoding, authorization;  ///< Empty when absent.
  std::span<const uint8_t> body;
  int listener = 0;                   ///< Index of the listener it came in on, by order of Listen.
  size_t slot = 0;                    ///< Index of the connection: below HttpServerLimits::connections.
};

/// Invariants:
///  R1  The head stays where it was read, in one piece, until Next: the request's views point there.
///  R2  A body of known length is read straight into its block and not a byte further; a chunked one
///      passes through the head's buffer, behind the head.
///  R3  Bytes behind the request stay in the head's buffer, for Next.
///  R4  While a block is wanted nothing is read: what has come behind the head stays where it is.
class HttpParser {
 public:
  enum class State : uint8_t {
    kHead,       ///< The request's line and headers are not complete.
    kWantsBody,  ///< The head is complete and a body follows, or goes on: see body_wanted().
    kBody,       ///< The body has a block and is not complete.
    kComplete,   ///< request() is there.
    kRefused,    ///< The request cannot be taken: see refusal(). Nothing more can be read after it.
  };

  /// head: for the line and headers of one request, the bound of their size; it belongs to the
  /// caller and outlives the parser. body_max: the bound of a body; 0: a request with one is refused.
  HttpParser(std::span<char> head, size_t body_max);
  HttpParser(const HttpParser&) = delete;
  HttpParser& operator=(const HttpParser&) = delete;

  /// Where the next bytes of the peer go; never empty in kHead and kBody.
  std::span<char> Space();
  /// Looks at `count` more bytes, written to the front of Space().
  State Take(size_t count);
  /// Size of the block that is wanted in kWantsBody: the body's length, or, for a chunked one, twice
  /// what it has. Never more than body_max.
  size_t body_wanted() const;
  size_t body_block() const { return body_.size(); }  ///< Bytes of the block that it has.
  size_t body_size() const { return body_size_; }      ///< Those that have come.
  /// The block, which begins with the bytes of the one given before, and stays until the request is
  /// forgotten or its body dropped. Looks at what has come behind the head.
  State GiveBody(std::span<char> block);
  /// The block is needed elsewhere: request().body becomes empty.
  void DropBody() { body_ = {}, request_.body = {}; }
  /// Forgets the complete request and looks at what came behind it.
  State Next();
  /// Forgets everything, for a new connection.
  void Reset();

  State state() const { return state_; }
  /// No byte of a request has come.
  bool idle() const { return state_ == State::kHead && end_ == 0; }
  /// True once, when the client waits for "100 Continue" before it sends its body.
  bool TakeContinue();

  const HttpRequest& request() const { return request_; }
  /// The head of the request is complete, whatever became of it: all of request() but the body is there.
  bool has_head() const { return has_head_; }
  bool is_head() const { return is_head_; }            ///< The answer must not have a body.
  bool keep_alive() const { return keep_alive_; }      ///< The client wants the connection kept.
  bool http_1_0() const { return http_1_0_; }
  int refusal() const { return refusal_; }             ///< An HTTP status.
  const char* refusal_reason() const { return refusal_reason_; }  ///< A literal for people.

 private:
  struct Grammar;  // The library's callbacks.

  void Run();
  size_t Execute(const char* data, size_t count);
  void OnHead();
  void OnHeader();
  void OnTarget();
  bool OnBody(const char* at, size_t count);
  void Refuse(int status, const char* reason);

  std::span<char> head_, body_;
  const size_t body_max_;
  alignas(8) std::byte library_[64];  // The library's parser.
  size_t end_ = 0;          // Bytes in head_.
  size_t parsed_ = 0;       // Those the library has seen.
  size_t head_end_ = 0;     // Where the head ends in head_, once it is complete.
  size_t body_size_ = 0;
  size_t body_length_ = 0;  // As announced; 0 when chunked.
  State state_ = State::kHead;
  bool has_head_ = false;
  bool chunked_ = false;
  bool coded_ = false;      // In another transfer coding than chunked, or chunked twice.
  bool unsized_ = false;    // Its length is announced as nothing.
  bool expects_ = false;    // The client waits for "100 Continue".
  bool in_value_ = false;   // The header at hand has come as far as its value.
  bool is_head_ = false, keep_alive_ = false, http_1_0_ = false;
  int hosts_ = 0;
  int refusal_ = 0;
  const char* refusal_reason_ = "";
  std::string_view target_, field_, value_, expect_;
  HttpRequest request_;
};

/// "OK", "Not Found", …; "Unknown" for a status that has no name.
const char* HttpStatusText(int status);

}  // namespace limpet
