// Transport over libcurl: one easy handle and one kept-alive connection for each destination.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "config/config.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/time.h"
#include "limpet/transport.h"
#include "port/curl/ca_index.h"
#include "port/curl/curl_client.h"
#include "port/curl/connection_facts.h"
#include "port/curl/failure_text.h"
#include "port/curl/rate_limit.h"
#include "port/curl/request_texts.h"
#include "port/curl/tcp_progress.h"
#include "port/curl/tls_trust.h"

namespace limpet {

/// Bounds that configuration does not set.
struct CurlLimits {
  Duration total = Seconds(600);          ///< For a request, whatever progress it makes.
  size_t answer_bytes = 4 * kAnswerBodyMax;  ///< Read of an answer's body; then the connection goes.
};

class CurlDestination final : public Transport {
 public:
  struct Options {
    std::string_view user_agent;      ///< "limpet/1.0"
    std::span<uint8_t> answer_body;   ///< kAnswerBodyMax bytes of room.
    CaIndex* ca_index = nullptr;      ///< Of tls_ca; not needed without https or with tls_insecure.
    CurlLimits limits = {};
    UnixTime unset_before = {};       ///< [clock] unset_before: the dates of certificates count from then on.
    Log* log = nullptr;               ///< For what no answer tells.
    ConnectionFacts* facts = nullptr;  ///< Gets what is known of the connection that a request took.
    const char* name_servers = nullptr;  ///< For tests, "127.0.0.1:5353"; else /etc/resolv.conf.
  };

  /// All references and views must outlive the destination, and it must go before the client.
  CurlDestination(CurlClient& client, const DestinationConfig& config, const Options& options);
  ~CurlDestination();
  CurlDestination(const CurlDestination&) = delete;
  CurlDestination& operator=(const CurlDestination&) = delete;

  /// Takes from the heap "curl" what it needs for good: the handle, URLs and headers.
  /// Files with tokens need not be there yet.
  /// kFull: no room. kInvalid: a URL or a header of the configuration cannot be used. Otherwise, told
  /// by WriteProblem: what OwnCertificate::Load says.
  Status Start();
  /// What a failed Start was about, for people.
  void WriteProblem(TextWriter& out) const;

  Status Send(const Request& request, AnswerHandler& handler) override;
  void Cancel() override;
  Status Knock(KnockHandler& handler) override;
  void StopKnocking() override;
  void Renew() override;

 private:
  friend class CurlClient;
  struct Hooks;

  Status Open();
  void Close();
  Status Configure();
  Status SetRequest(const Request& request);
  bool busy() const { return handler_ != nullptr || knocker_ != nullptr; }
  Status Add();
  void DropConnection();
  void Guard(bool idle);
  MonoTime OnTime(MonoTime now);
  Phase PhaseNow() const;
  void Stop();
  void Finish(int curl_code);
  void FinishKnock(int curl_code);
  void Refuse();
  void DescribeFailure(int curl_code);
  void NoteTls();
  void NoteConnection();
  void TakeHeader(std::string_view line);
  bool TakeBody(std::span<const uint8_t> bytes);

  CurlClient& client_;
  const DestinationConfig& config_;
  const Options options_;
  TlsTrust trust_;
  RequestTexts texts_;
  CurlDestination* next_ = nullptr;
  void* easy_ = nullptr;            // CURL; nullptr after a failure, until the next Send.
  Signal url_ = Signal::kMetrics;   // Whose URL the handle has; meaningful once url_set_.
  bool url_set_ = false;
  int kept_ = -1;                   // The socket of the kept-alive connection, -1: none.
  bool renew_ = false;              // That one is to be closed once it is idle.
  int guarded_ = -1;                // Which has TCP_USER_TIMEOUT: that one, while it is idle.
  KnockHandler* knocker_ = nullptr;  // nullptr: no knock.

  RateLimit rate_;

  // The request in flight.
  AnswerHandler* handler_ = nullptr;  // nullptr: idle.
  const Body* body_ = nullptr;
  size_t body_offset_ = 0;
  bool body_left_ = false;          // libcurl has been given bytes of the body, ever.
  bool tls_begun_ = false;
  bool unusable_ = false;           // It was never given to libcurl: a file that it needs is missing.
  bool paused_ = false;             // It waits for rate_.
  int alert_ = 0;                   // Of TLS, by the peer.
  MonoTime started_, checked_, next_check_;
  SocketSet sockets_;
  TcpProgress progress_;
  size_t refusals_ = 0;             // LibraryRefusals when it started.

  // Its answer.
  Answer answer_;
  bool head_complete_ = false;
  bool told_undated_ = false;       // Once is enough.
  size_t body_bytes_ = 0;           // Of the answer, those thrown away included.
  TextBuffer<64> retry_after_, date_;
  TextBuffer<384> error_;           // A path may be in it.
  std::array<char, 256> detail_{};  // CURL_ERROR_SIZE.
};

}  // namespace limpet
