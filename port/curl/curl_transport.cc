#include "port/curl/curl_transport.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <linux/tcp.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace limpet {
namespace {

/// libcurl copies what it is given, so an option fails only for lack of memory or of the feature.
class Setter {
 public:
  explicit Setter(CURL* easy) : easy_(easy) {}

  template <typename Value>
  Setter& operator()(CURLoption option, Value value) {
    if (code_ == CURLE_OK) code_ = curl_easy_setopt(easy_, option, value);
    return *this;
  }

  Status status() const {
    if (code_ == CURLE_OK) return {};
    return {code_ == CURLE_OUT_OF_MEMORY ? Code::kFull : Code::kUnsupported, code_, "curl option"};
  }

 private:
  CURL* easy_;
  CURLcode code_ = CURLE_OK;
};

/// What fits an option of any target's long; 24 days are for ever.
long InMilliseconds(Duration d) {
  return static_cast<long>(std::clamp<int64_t>(d.ns / 1'000'000, 1, INT32_MAX));
}

/// The value when `line` is the header `name`, which ends in a colon; otherwise empty.
std::string_view HeaderValue(std::string_view line, std::string_view name) {
  if (line.size() < name.size() || !EqualsIgnoringCase(line.substr(0, name.size()), name)) return {};
  line.remove_prefix(name.size());
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return Trim(line);
}

/// The code of a status line "HTTP/1.1 200 OK"; 0 for another line.
int StatusOf(std::string_view line) {
  if (!line.starts_with("HTTP/")) return 0;
  const size_t blank = line.find(' ');
  if (blank == std::string_view::npos) return 0;
  return ParseNumber<int>(line.substr(blank + 1, 3)).value_or(0);
}

}  // namespace

struct CurlDestination::Hooks {
  static CurlDestination& Of(void* self) { return *static_cast<CurlDestination*>(self); }

  static size_t OnRead(char* into, size_t size, size_t count, void* self) {
    CurlDestination& d = Of(self);
    const size_t most = std::min(size * count, d.rate_.Allowed(d.client_.clock_.Monotonic()));
    if (most == 0 && d.body_offset_ < d.body_->size()) {
      d.paused_ = true;
      return CURL_READFUNC_PAUSE;
    }
    size_t done = 0;
    while (done < most) {
      const std::span<const uint8_t> piece = d.body_->At(d.body_offset_);
      if (piece.empty()) break;
      const size_t bytes = std::min(piece.size(), most - done);
      std::memcpy(into + done, piece.data(), bytes);
      done += bytes;
      d.body_offset_ += bytes;
    }
    if (done > 0) d.body_left_ = true;
    d.rate_.Spend(done);
    return done;
  }

  /// libcurl goes back to the start, to send all of it again, when a kept-alive connection turns out to be
  /// dead. What it had may have arrived.
  static int OnSeek(void* self, curl_off_t offset, int origin) {
    CurlDestination& d = Of(self);
    if (d.body_left_ && d.config_.guarantee == Guarantee::kAtMostOnce) return CURL_SEEKFUNC_FAIL;
    if (origin != SEEK_SET || offset < 0 || static_cast<uint64_t>(offset) > d.body_->size()) {
      return CURL_SEEKFUNC_FAIL;
    }
    d.body_offset_ = static_cast<size_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static size_t OnHeader(char* line, size_t size, size_t count, void* self) {
    Of(self).TakeHeader({line, size * count});
    return size * count;
  }

  static size_t OnBody(char* bytes, size_t size, size_t count, void* self) {
    const auto* const data = reinterpret_cast<const uint8_t*>(bytes);
    return Of(self).TakeBody({data, size * count}) ? size * count : CURL_WRITEFUNC_ERROR;
  }

  /// The connection may outlive its destination, not the client.
  static int OnClose(void* self, curl_socket_t handle) {
    auto& client = *static_cast<CurlClient*>(self);
    for (CurlDestination* d = client.first_; d != nullptr; d = d->next_) {
      if (d->kept_ == handle) d->kept_ = -1;
      if (d->guarded_ == handle) d->guarded_ = -1;
    }
    return close(handle);
  }

  /// For facts only: the address that is tried last, should none of them do.
  static curl_socket_t OnOpen(void* self, curlsocktype, curl_sockaddr* address) {
    char host[INET6_ADDRSTRLEN] = "";
    uint16_t port = 0;
    if (address->family == AF_INET) {
      const auto& four = *reinterpret_cast<const sockaddr_in*>(&address->addr);
      inet_ntop(AF_INET, &four.sin_addr, host, sizeof host);
      port = ntohs(four.sin_port);
    } else if (address->family == AF_INET6) {
      const auto& six = *reinterpret_cast<const sockaddr_in6*>(&address->addr);
      inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof host);
      port = ntohs(six.sin6_port);
    }
    Of(self).options_.facts->SetAddress(host, port);
    return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
  }

  static CURLcode OnTls(CURL* easy, void* config, void* self) {
    CurlDestination& d = Of(self);
    d.tls_begun_ = true;
    // The time for the connection ends here: the handshake goes by progress like all that follows.
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, InMilliseconds(d.options_.limits.total));
    return d.trust_.Apply(config, Context(easy)) ? CURLE_OK : CURLE_ABORTED_BY_CALLBACK;
  }

  /// The only moment between a failed handshake and the end of its context is libcurl's own message.
  static int OnDebug(CURL* easy, curl_infotype type, char*, size_t, void* self) {
    CurlDestination& d = Of(self);
    if (type != CURLINFO_TEXT || !d.tls_begun_ || d.alert_ != 0) return 0;
    if (const void* const context = Context(easy); context != nullptr) d.alert_ = TlsAlert(context);
    return 0;
  }

  /// The mbedtls_ssl_context of the connection in use; nullptr without TLS.
  static void* Context(CURL* easy) {
    curl_tlssessioninfo* info = nullptr;
    curl_easy_getinfo(easy, CURLINFO_TLS_SSL_PTR, &info);
    return info == nullptr ? nullptr : info->internals;
  }
};

CurlDestination::CurlDestination(CurlClient& client, const DestinationConfig& config,
                                 const Options& options)
    : client_(client),
      config_(config),
      options_(options),
      trust_({.ca_index = options.ca_index,
              .insecure = config.tls_insecure,
              .pins = config.tls_pin,
              .server_name = config.tls_server_name,
              .certificate = config.tls_cert,
              .key = config.tls_key,
              .unset_before = options.unset_before,
              .facts = options.facts},
             client.clock_),
      rate_(config.max_bytes_per_second) {
  next_ = client_.first_;
  client_.first_ = this;
}

CurlDestination::~CurlDestination() {
  Cancel();
  StopKnocking();
  Close();
  CurlDestination** link = &client_.first_;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

Status CurlDestination::Start() {
  LIMPET_CHECK(easy_ == nullptr && client_.multi_ != nullptr);
  LIMPET_CHECK(options_.answer_body.size() == kAnswerBodyMax);
  LIMPET_TRY(texts_.Make(config_, options_.user_agent));
  LIMPET_TRY(trust_.Start());
  return Open();
}

void CurlDestination::WriteProblem(TextWriter& out) const {
  if (!trust_.status().ok()) trust_.WriteProblem(out);
}

Status CurlDestination::Open() {
  easy_ = curl_easy_init();
  if (easy_ == nullptr) return {Code::kFull, 0, "curl easy"};
  const Status status = Configure();
  if (!status.ok()) Close();
  return status;
}

void CurlDestination::Close() {
  if (easy_ != nullptr) curl_easy_cleanup(easy_);
  easy_ = nullptr;
  url_set_ = false;
}

Status CurlDestination::Configure() {
  constexpr long kKeepAliveSeconds = 60, kKeepAliveStepSeconds = 15;
  // Answers are short. Most batches leave in one piece.
  constexpr long kReceiveBytes = 4096, kSendBytes = 24576;
  Setter set(easy_);
  set(CURLOPT_PRIVATE, static_cast<void*>(this))(CURLOPT_ERRORBUFFER, detail_.data());
  set(CURLOPT_NOSIGNAL, 1L)(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_VERBOSE, 1L)(CURLOPT_DEBUGFUNCTION, Hooks::OnDebug)(CURLOPT_DEBUGDATA, static_cast<void*>(this));
  set(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);  // A proxy's 200 is no answer.
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1})(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_BUFFERSIZE, kReceiveBytes)(CURLOPT_UPLOAD_BUFFERSIZE, kSendBytes);
  set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);  // c-ares keeps answers for as long as their TTL says.
  if (options_.name_servers != nullptr) set(CURLOPT_DNS_SERVERS, options_.name_servers);
  set(CURLOPT_TCP_KEEPALIVE, 1L)(CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveStepSeconds);
  if (options_.facts != nullptr) {
    set(CURLOPT_OPENSOCKETFUNCTION, Hooks::OnOpen)(CURLOPT_OPENSOCKETDATA, static_cast<void*>(this));
  }
  set(CURLOPT_CLOSESOCKETFUNCTION, Hooks::OnClose)(CURLOPT_CLOSESOCKETDATA, static_cast<void*>(&client_));

  set(CURLOPT_POST, 1L);
  set(CURLOPT_READFUNCTION, Hooks::OnRead)(CURLOPT_READDATA, static_cast<void*>(this));
  set(CURLOPT_SEEKFUNCTION, Hooks::OnSeek)(CURLOPT_SEEKDATA, static_cast<void*>(this));
  set(CURLOPT_HEADERFUNCTION, Hooks::OnHeader)(CURLOPT_HEADERDATA, static_cast<void*>(this));
  set(CURLOPT_WRITEFUNCTION, Hooks::OnBody)(CURLOPT_WRITEDATA, static_cast<void*>(this));

  // No CA file for libcurl: it would parse all of it for every connection.
  set(CURLOPT_CAINFO, static_cast<char*>(nullptr))(CURLOPT_CAPATH, static_cast<char*>(nullptr));
  set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_2})(CURLOPT_SSL_SESSIONID_CACHE, 0L);
  set(CURLOPT_SSL_VERIFYPEER, config_.tls_insecure ? 0L : 1L);
  set(CURLOPT_SSL_VERIFYHOST, config_.tls_insecure ? 0L : 2L);
  set(CURLOPT_SSL_CTX_FUNCTION, Hooks::OnTls)(CURLOPT_SSL_CTX_DATA, static_cast<void*>(this));
  return set.status();
}

Status CurlDestination::Send(const Request& request, AnswerHandler& handler) {
  LIMPET_CHECK(texts_.made() && !busy() && request.body != nullptr);
  unusable_ = !texts_.Refresh(client_.clock_.Monotonic(), options_.log).ok();
  if (!unusable_) {
    if (easy_ == nullptr) LIMPET_TRY(Open());
    LIMPET_TRY(SetRequest(request));
  }
  body_ = request.body;
  body_offset_ = 0;
  body_left_ = false;
  tls_begun_ = paused_ = false;
  alert_ = 0;
  head_complete_ = false;
  body_bytes_ = 0;
  trust_.Clear();
  answer_ = {};
  retry_after_.Clear(), date_.Clear(), error_.Clear();
  detail_[0] = '\0';
  refusals_ = LibraryRefusals();
  progress_ = {};
  started_ = checked_ = client_.clock_.Monotonic();
  next_check_ = unusable_ ? MonoTime{} : started_ + config_.timeout / 4;
  if (options_.facts != nullptr) options_.facts->Clear();
  Guard(false);
  if (!unusable_) LIMPET_TRY(Add());
  handler_ = &handler;
  return {};
}

Status CurlDestination::Add() {
  if (curl_multi_add_handle(client_.multi_, easy_) == CURLM_OK) return {};
  curl_multi_remove_handle(client_.multi_, easy_);
  Close();
  return {Code::kFull, 0, "curl send"};
}

Status CurlDestination::SetRequest(const Request& request) {
  Setter set(easy_);
  if (!url_set_ || url_ != request.signal) {
    url_set_ = false;
    set(CURLOPT_URL, texts_.url(request.signal));
    LIMPET_TRY(set.status());
    url_ = request.signal;
    url_set_ = true;
  }
  set(CURLOPT_CONNECT_ONLY, 0L);
  set(CURLOPT_HTTPHEADER, texts_.Headers(request.encoding, request.idempotency_key));
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
  set(CURLOPT_PROXY, texts_.proxy());  // "": none from the environment either.
  Duration total = options_.limits.total;
  if (rate_.limited()) total = total + Seconds(static_cast<int64_t>(request.body->size() / config_.max_bytes_per_second));
  set(CURLOPT_TIMEOUT_MS, InMilliseconds(total));
  // Name, addresses one after the other, connection; see OnTls for what follows.
  set(CURLOPT_CONNECTTIMEOUT_MS, InMilliseconds(config_.timeout));
  return set.status();
}

void CurlDestination::Cancel() {
  if (handler_ != nullptr) Stop();
}

Status CurlDestination::Knock(KnockHandler& handler) {
  LIMPET_CHECK(texts_.made() && !busy());
  unusable_ = !texts_.Refresh(client_.clock_.Monotonic(), options_.log).ok();
  if (unusable_) {  // No request could be made either.
    knocker_ = &handler;
    return {};
  }
  if (easy_ == nullptr) LIMPET_TRY(Open());
  DropConnection();  // It counts against the limit, and whoever knocks does not believe in it.
  url_set_ = false;
  Setter set(easy_);
  set(CURLOPT_URL, texts_.KnockUrl())(CURLOPT_CONNECT_ONLY, 1L)(CURLOPT_PROXY, "");
  set(CURLOPT_CONNECTTIMEOUT_MS, InMilliseconds(config_.timeout));
  LIMPET_TRY(set.status());
  refusals_ = LibraryRefusals();
  LIMPET_TRY(Add());
  knocker_ = &handler;
  return {};
}

void CurlDestination::StopKnocking() {
  if (knocker_ != nullptr) Stop();
}

void CurlDestination::FinishKnock(int curl_code) {
  KnockHandler& handler = *knocker_;
  Stop();  // It closes the connection.
  if (curl_code != CURLE_OK) Close();  // As after a request.
  client_.told_ = true;
  handler.OnKnock(curl_code == CURLE_OK);
}

void CurlDestination::Renew() {
  renew_ = busy();
  if (renew_) return;
  DropConnection();
  Close();  // With it goes c-ares, and the addresses that it keeps.
}

/// An idle connection whose peer has gone is noticed and closed by the kernel. While a request is in
/// flight our own look at progress does that: the kernel would give up a peer whose window stays small,
/// however much of it it reads, and remembers since when across requests.
void CurlDestination::Guard(bool idle) {
  const int handle = idle ? kept_ : guarded_;
  if (handle < 0 || (idle && handle == guarded_)) return;
  const auto timeout_ms = static_cast<unsigned>(idle ? InMilliseconds(config_.timeout * 2) : 0);
  setsockopt(handle, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
  guarded_ = idle ? handle : -1;
}

/// libcurl closes idle connections of its own accord only; it finds this one dead before the next request.
void CurlDestination::DropConnection() {
  if (kept_ >= 0) shutdown(kept_, SHUT_RDWR);
  kept_ = -1;
}

/// Takes the request or the knock off libcurl; a connection that is in the middle of it is closed.
void CurlDestination::Stop() {
  handler_ = nullptr;
  knocker_ = nullptr;
  unusable_ = false;
  if (easy_ != nullptr) curl_multi_remove_handle(client_.multi_, easy_);
  if (renew_) Renew();
}

void CurlDestination::TakeHeader(std::string_view line) {
  if (const int status = StatusOf(line); status != 0) {
    if (status < 200) return;  // Informational: the answer is still to come.
    answer_.sent = Sent::kAnswered;
    answer_.status = status;
    answer_.round_trip = client_.clock_.Monotonic() - started_;
    if (options_.facts != nullptr) NoteTls();
    return;
  }
  if (answer_.sent != Sent::kAnswered) return;
  if (line == "\r\n" || line == "\n") head_complete_ = true;
  // The first of each counts; one that is longer than any real value is as good as none.
  const auto keep = [](auto& text, std::string_view value) {
    if (text.size() == 0 && value.size() <= text.room()) text << value;
  };
  keep(retry_after_, HeaderValue(line, "Retry-After:"));
  keep(date_, HeaderValue(line, "Date:"));
}

/// False: enough has been read.
bool CurlDestination::TakeBody(std::span<const uint8_t> bytes) {
  const size_t room = kAnswerBodyMax - std::min(body_bytes_, kAnswerBodyMax);
  const size_t kept = std::min(room, bytes.size());
  if (kept > 0) std::memcpy(options_.answer_body.data() + body_bytes_, bytes.data(), kept);
  body_bytes_ += bytes.size();
  return body_bytes_ <= options_.limits.answer_bytes;
}

MonoTime CurlDestination::OnTime(MonoTime now) {
  if (unusable_) Refuse();
  if (handler_ == nullptr) return unusable_ ? now : kNever;
  if (paused_) {
    checked_ = now;  // It is we who make no progress.
    if (now < rate_.next()) return rate_.next();
    paused_ = false;
    curl_easy_pause(easy_, CURLPAUSE_CONT);
    return paused_ ? rate_.next() : next_check_;
  }
  if (now < next_check_) return next_check_;
  const TcpProgress progress = sockets_.Measure(body_offset_, body_bytes_);
  if (!(progress == progress_)) {
    progress_ = progress;
    checked_ = std::max(checked_, now - progress.ago);
  } else if (now - checked_ >= config_.timeout) {
    Finish(CURLE_OPERATION_TIMEDOUT);  // The handler may have sent anew.
    return handler_ == nullptr ? kNever : next_check_;
  }
  next_check_ = now + config_.timeout / 4;
  if (checked_ + config_.timeout > now) next_check_ = std::min(next_check_, checked_ + config_.timeout);
  return next_check_;
}

Phase CurlDestination::PhaseNow() const {
  curl_off_t ready_us = 0, resolved_us = 0;
  curl_easy_getinfo(easy_, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  if (body_left_ || ready_us != 0) return Phase::kAnswer;
  if (tls_begun_) return Phase::kTls;
  curl_easy_getinfo(easy_, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
  return resolved_us == 0 ? Phase::kResolving : Phase::kConnecting;
}

/// Ends a request or a knock that could not be made.
void CurlDestination::Refuse() {
  unusable_ = false;
  if (knocker_ != nullptr) return FinishKnock(CURLE_FAILED_INIT);
  AnswerHandler& handler = *handler_;
  handler_ = nullptr;
  answer_.sent = Sent::kNotSent;
  answer_.misconfigured = true;
  answer_.round_trip = client_.clock_.Monotonic() - started_;
  texts_.WriteProblem(error_);
  answer_.error = error_.text();
  const Answer answer = answer_;
  client_.told_ = true;
  handler.OnAnswer(answer);
}

/// Ends the request in flight and tells its handler.
void CurlDestination::Finish(int curl_code) {
  LIMPET_CHECK(busy());
  if (unusable_) return Refuse();
  if (knocker_ != nullptr) return FinishKnock(curl_code);
  AnswerHandler& handler = *handler_;
  const bool starved = LibraryRefusals() != refusals_;
  long request_bytes = 0;
  curl_easy_getinfo(easy_, CURLINFO_REQUEST_SIZE, &request_bytes);
  rate_.Spend(static_cast<size_t>(request_bytes) - std::min(body_offset_, static_cast<size_t>(request_bytes)));
  answer_.timed_out = curl_code == CURLE_OPERATION_TIMEDOUT;
  if (options_.facts != nullptr) NoteConnection();
  if (answer_.sent == Sent::kAnswered) {
    answer_.body = options_.answer_body.first(std::min(body_bytes_, kAnswerBodyMax));
    answer_.body_complete = curl_code == CURLE_OK && head_complete_ && body_bytes_ <= kAnswerBodyMax;
    answer_.retry_after = retry_after_.text();
    answer_.date = date_.text();
    curl_easy_getinfo(easy_, CURLINFO_ACTIVESOCKET, &kept_);
    Guard(true);
    if (answer_.status == 401 || answer_.status == 407) texts_.Distrust();
  } else {
    answer_.sent = body_left_ ? Sent::kUnknown : Sent::kNotSent;
    answer_.round_trip = client_.clock_.Monotonic() - started_;
    if (starved) {
      error_ << "out of memory";
    } else {
      DescribeFailure(curl_code);
    }
    answer_.error = error_.text();
  }
  answer_.undated = trust_.undated();
  if (answer_.undated && !told_undated_ && options_.log != nullptr) {
    told_undated_ = true;
    options_.log->Warn("the clock is not set: a certificate that is not valid yet was taken",
                       {{"destination", config_.name}});
  }
  Stop();
  // After a failure begin anew: resolv.conf may have changed meanwhile; libcurl (8.14.1) loses the host's
  // name with each lookup that fails, unless the handle goes; and c-ares has been seen to resolve
  // nothing any more after want of memory.
  if (starved || answer_.sent != Sent::kAnswered) Close();
  const Answer answer = answer_;  // A Send out of the handler begins the next.
  client_.told_ = true;
  handler.OnAnswer(answer);
}

void CurlDestination::DescribeFailure(int curl_code) {
  if (!trust_.status().ok()) {
    trust_.WriteProblem(error_);
    answer_.misconfigured = trust_.status().code != Code::kFull;
    return;
  }
  long proxy_status = 0;  // Of its answer to CONNECT.
  curl_easy_getinfo(easy_, CURLINFO_HTTP_CONNECTCODE, &proxy_status);
  if (proxy_status >= 300) {
    error_ << "proxy " << texts_.proxy_host() << ": answered " << proxy_status << " to CONNECT";
    if (proxy_status == 407) {
      error_ << " (it wants other credentials)";
      texts_.Distrust();
    }
    if (proxy_status < 500) {
      answer_.sent = Sent::kAnswered;
      answer_.status = static_cast<int>(proxy_status);
      answer_.misconfigured = true;
    }
    return;
  }
  long os_error = 0;
  curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
  WriteFailure(error_, {.curl_code = curl_code,
                        .os_error = static_cast<int>(os_error),
                        .verify_flags = trust_.flags(),
                        .alert = alert_,
                        .tls_just_made = tls_begun_,
                        .certificate = !config_.tls_cert.empty(),
                        .proxy = texts_.proxy_host(),
                        .detail = detail_.data(),
                        .host = HostOf(texts_.url(url_)),
                        .phase = PhaseNow()});
}

/// While the connection is in use: later its TLS cannot be asked.
void CurlDestination::NoteTls() {
  const auto* const context = static_cast<const mbedtls_ssl_context*>(Hooks::Context(easy_));
  if (context == nullptr) return;
  ConnectionFacts& facts = *options_.facts;
  if (const char* const version = mbedtls_ssl_get_version(context)) facts.tls_version << version;
  if (const char* const cipher = mbedtls_ssl_get_ciphersuite(context)) facts.cipher << cipher;
}

void CurlDestination::NoteConnection() {
  ConnectionFacts& facts = *options_.facts;
  const auto time = [this](CURLINFO what) {
    curl_off_t microseconds = 0;
    curl_easy_getinfo(easy_, what, &microseconds);
    return Nanoseconds(microseconds * 1000);
  };
  facts.resolved = time(CURLINFO_NAMELOOKUP_TIME_T);
  facts.connected = time(CURLINFO_CONNECT_TIME_T);
  facts.secured = time(CURLINFO_APPCONNECT_TIME_T);
  facts.proxied = *texts_.proxy() != '\0';
  char* address = nullptr;
  long port = 0;
  curl_easy_getinfo(easy_, CURLINFO_PRIMARY_IP, &address);
  curl_easy_getinfo(easy_, CURLINFO_PRIMARY_PORT, &port);
  if (address != nullptr && *address != '\0') facts.SetAddress(address, port);
}

}  // namespace limpet
