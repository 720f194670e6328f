#include "port/curl/curl_transport.h"

#include <curl/curl.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <new>

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

long InMilliseconds(Duration d) { return static_cast<long>(std::max<int64_t>(d.ns / 1'000'000, 1)); }

bool SameName(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

/// What a configured header may not set: it frames the request, or is ours to say.
constexpr std::string_view kOwnHeaders[] = {
    "Connection",     "Content-Encoding",  "Content-Length",    "Content-Type", "Expect",
    "Idempotency-Key", "TE",               "Transfer-Encoding", "Upgrade",
};

/// A token of RFC 9110, and a value without control characters.
Status CheckHeader(const KeyValue& header) {
  for (const std::string_view own : kOwnHeaders) {
    if (SameName(header.key, own)) return {Code::kInvalid, 0, "header is set by limpet itself"};
  }
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  if (header.key.empty() || header.key.find_first_not_of(kToken) != std::string_view::npos) {
    return {Code::kInvalid, 0, "header name"};
  }
  for (const char c : header.value) {
    if ((c >= 0 && c < ' ' && c != '\t') || c == 0x7f) return {Code::kInvalid, 0, "header value"};
  }
  return {};
}

/// The value when `line` is the header `name`, which ends in a colon; otherwise empty.
std::string_view HeaderValue(std::string_view line, std::string_view name) {
  if (line.size() < name.size() || !SameName(line.substr(0, name.size()), name)) return {};
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

// ---- The client ----------------------------------------------------------------------------------

// None of them ever reports a failure: libcurl would give up the whole multi handle for it.
struct CurlClient::Hooks {
  static int OnSocket(CURL* easy, curl_socket_t handle, int what, void* self, void*) {
    CurlClient& client = *static_cast<CurlClient*>(self);
    if (what == CURL_POLL_REMOVE) {
      client.poller_.Forget(handle);
      for (CurlDestination* d = client.first_; d != nullptr; d = d->next_) d->ForgetSocket(handle);
      return 0;
    }
    char* owner = nullptr;  // None for a connection that only says goodbye.
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    if (owner != nullptr) reinterpret_cast<CurlDestination*>(owner)->NoteSocket(handle);
    uint8_t interest = 0;
    if ((what & CURL_POLL_IN) != 0) interest |= kReadable;
    if ((what & CURL_POLL_OUT) != 0) interest |= kWritable;
    if (!client.poller_.Watch(handle, interest, client).ok()) client.broken_ = true;
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    CurlClient& client = *static_cast<CurlClient*>(self);
    client.timer_ = timeout_ms < 0
                        ? kNever
                        : client.clock_.Monotonic() + Milliseconds(int64_t{timeout_ms});
    return 0;
  }
};

CurlClient::~CurlClient() {
  LIMPET_CHECK(first_ == nullptr);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

Status CurlClient::Start(size_t destinations) {
  LIMPET_CHECK(multi_ == nullptr);
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return {Code::kFull, 0, "curl multi"};
  const long connections = static_cast<long>(destinations);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, Hooks::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, Hooks::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  // A connection that is saying goodbye counts too: it gives way to a new one, and with it its
  // memory.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  return {};
}

void CurlClient::OnReady(int handle, uint8_t ready) {
  int events = 0;
  if ((ready & kReadable) != 0) events |= CURL_CSELECT_IN;
  if ((ready & kWritable) != 0) events |= CURL_CSELECT_OUT;
  if ((ready & kHangup) != 0) events |= CURL_CSELECT_ERR;
  Drive(handle, events);
}

/// Lets libcurl work on a socket or (CURL_SOCKET_TIMEOUT) its timers, and delivers what has ended.
void CurlClient::Drive(int handle, int events) {
  int running = 0;
  if (curl_multi_socket_action(multi_, handle, events, &running) != CURLM_OK) broken_ = true;

  // Each destination ends at most once here, so that a handler which sends anew cannot hold us.
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    int left = 0;
    const CURLMsg* const message = curl_multi_info_read(multi_, &left);
    if (message == nullptr) break;
    if (message->msg != CURLMSG_DONE) continue;
    char* owner = nullptr;
    const CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    reinterpret_cast<CurlDestination*>(owner)->Finish(code);
    if (left == 0) break;
  }
  if (!broken_) return;
  broken_ = false;
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    if (d->handler_ != nullptr) d->Finish(CURLE_OUT_OF_MEMORY);
  }
}

MonoTime CurlClient::OnTime(MonoTime now) {
  if (timer_ <= now || broken_) {
    timer_ = kNever;  // libcurl sets it again when it wants more.
    Drive(CURL_SOCKET_TIMEOUT, 0);
  }
  MonoTime next = timer_;
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    next = std::min(next, d->OnTime(now));
  }
  return std::min(next, timer_);
}

// ---- A destination: set up -----------------------------------------------------------------------

/// What libcurl needs as C strings and lists, made once.
struct CurlDestination::Prepared {
  static constexpr size_t kFixed = 3 + std::tuple_size_v<decltype(DestinationConfig::headers)>;

  std::array<char*, kSignalCount> url{};
  std::array<curl_slist, kFixed> fixed{};  // Linked in order; the list of a request ends in them.
  curl_slist encoding{};
  curl_slist key{};
  char encoding_text[32] = "Content-Encoding: gzip";
  char key_text[kIdempotencyKeyMax + 24] = {};
};

struct CurlDestination::Hooks {
  static CurlDestination& Of(void* self) { return *static_cast<CurlDestination*>(self); }

  static size_t OnRead(char* into, size_t size, size_t count, void* self) {
    CurlDestination& d = Of(self);
    size_t done = 0;
    while (done < size * count) {
      const std::span<const uint8_t> piece = d.body_->At(d.body_offset_);
      if (piece.empty()) break;
      const size_t bytes = std::min(piece.size(), size * count - done);
      std::memcpy(into + done, piece.data(), bytes);
      done += bytes;
      d.body_offset_ += bytes;
    }
    if (done > 0) d.body_left_ = true;
    return done;
  }

  /// libcurl goes back to the start when a kept-alive connection turns out to be dead.
  static int OnSeek(void* self, curl_off_t offset, int origin) {
    CurlDestination& d = Of(self);
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

  static int OnSocket(void* self, curl_socket_t handle, curlsocktype) {
    // An idle connection whose peer has gone is noticed and closed by the kernel. While a request is
    // in flight our own look at progress comes first.
    const auto timeout_ms = static_cast<unsigned>(InMilliseconds(Of(self).config_.timeout * 2));
    setsockopt(handle, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof timeout_ms);
    return CURL_SOCKOPT_OK;
  }

  static CURLcode OnTls(CURL* easy, void* config, void* self) {
    CurlDestination& d = Of(self);
    auto* const tls = static_cast<mbedtls_ssl_config*>(config);
    d.tls_begun_ = true;
    // The time for the connection ends here: the handshake goes by progress like all that follows.
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, InMilliseconds(d.options_.limits.total));
    // libcurl would allow SHA-1 signatures and RSA keys of 1024 bits.
    mbedtls_ssl_conf_cert_profile(tls, &mbedtls_x509_crt_profile_default);
    mbedtls_ssl_conf_verify(tls, OnVerify, self);
    mbedtls_ssl_conf_tls13_enable_signal_new_session_tickets(
        tls, MBEDTLS_SSL_TLS1_3_SIGNAL_NEW_SESSION_TICKETS_DISABLED);
    if (!d.config_.tls_insecure) mbedtls_ssl_conf_ca_cb(tls, OnIssuerWanted, self);
    return CURLE_OK;
  }

  static int OnVerify(void* self, mbedtls_x509_crt*, int, uint32_t* flags) {
    CurlDestination& d = Of(self);
    if (d.config_.tls_insecure) *flags = 0;
    d.verify_flags_ |= *flags;
    return 0;
  }

  /// Hands over those trusted certificates that may have signed `child`; mbedTLS frees them.
  static int OnIssuerWanted(void* self, const mbedtls_x509_crt* child, mbedtls_x509_crt** found) {
    class Parser final : public CertificateVisitor {
     public:
      Status OnCertificate(std::span<const uint8_t> der) override {
        if (list == nullptr) {
          list = static_cast<mbedtls_x509_crt*>(mbedtls_calloc(1, sizeof *list));
          if (list == nullptr) return {Code::kFull, 0, "certificate"};
          mbedtls_x509_crt_init(list);
        }
        const int error = mbedtls_x509_crt_parse_der(list, der.data(), der.size());
        // A root of a kind that this build does not know is one that it does not trust.
        if (error == MBEDTLS_ERR_X509_ALLOC_FAILED) return {Code::kFull, 0, "certificate"};
        return {};
      }
      mbedtls_x509_crt* list = nullptr;
    };

    CurlDestination& d = Of(self);
    *found = nullptr;
    CaIndex* const index = d.options_.ca_index;
    if (index == nullptr) return 0;
    Parser parser;
    uint8_t* scratch = nullptr;
    d.ca_status_ = index->Refresh();
    if (d.ca_status_.ok()) {
      scratch = static_cast<uint8_t*>(mbedtls_calloc(1, index->largest_bytes()));
      d.ca_status_ = scratch == nullptr
                         ? Status{Code::kFull, 0, "certificate"}
                         : index->VisitSubject({child->issuer_raw.p, child->issuer_raw.len},
                                               {scratch, index->largest_bytes()}, parser);
    }
    mbedtls_free(scratch);
    if (parser.list != nullptr && (!d.ca_status_.ok() || parser.list->raw.p == nullptr)) {
      mbedtls_x509_crt_free(parser.list);
      mbedtls_free(parser.list);
      parser.list = nullptr;
    }
    *found = parser.list;
    return d.ca_status_.ok() ? 0 : MBEDTLS_ERR_X509_FATAL_ERROR;
  }
};

CurlDestination::CurlDestination(CurlClient& client, const DestinationConfig& config,
                                 const Options& options)
    : client_(client), config_(config), options_(options) {
  next_ = client_.first_;
  client_.first_ = this;
}

CurlDestination::~CurlDestination() {
  Cancel();
  Close();
  if (prepared_ != nullptr) FreeForLibraries(prepared_);
  CurlDestination** link = &client_.first_;
  while (*link != this) link = &(*link)->next_;
  *link = next_;
}

Status CurlDestination::Start() {
  LIMPET_CHECK(easy_ == nullptr && client_.multi_ != nullptr);
  LIMPET_CHECK(options_.answer_body.size() == kAnswerBodyMax);
  LIMPET_TRY(Prepare());
  return Open();
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

Status CurlDestination::Prepare() {
  size_t bytes = options_.user_agent.size() + 128;
  for (size_t i = 0; i < config_.header_count; ++i) {
    LIMPET_TRY(CheckHeader(config_.headers[i]));
    bytes += config_.headers[i].key.size() + config_.headers[i].value.size() + sizeof(": ");
  }
  for (const std::string_view url : config_.signal_url) bytes += url.size() + 1;

  void* const block = AllocateForLibraries(sizeof(Prepared) + bytes);
  if (block == nullptr) return {Code::kFull, 0, "destination"};
  prepared_ = new (block) Prepared;
  Prepared& p = *prepared_;
  TextWriter text({static_cast<char*>(block) + sizeof(Prepared), bytes});
  // Ends the text begun at `start` and returns it.
  const auto end = [&](size_t start) {
    text << '\0';
    return static_cast<char*>(block) + sizeof(Prepared) + start;
  };

  for (size_t i = 0; i < kSignalCount; ++i) {
    const size_t start = text.size();
    text << config_.signal_url[i];
    p.url[i] = end(start);
  }
  size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view value) {
    const size_t start = text.size();
    text << name;
    // In libcurl's lists "Name:" removes a header and "Name;" is one without a value.
    if (value.empty()) {
      text << ';';
    } else {
      text << ": " << value;
    }
    p.fixed[count].data = end(start);
    if (count > 0) p.fixed[count - 1].next = &p.fixed[count];
    ++count;
  };
  add("Content-Type", "application/x-protobuf");
  add("User-Agent", options_.user_agent);
  for (size_t i = 0; i < config_.header_count; ++i) {
    add(config_.headers[i].key, config_.headers[i].value);
  }
  const size_t start = text.size();
  text << "Expect:";  // Not to wait for a "100 Continue".
  p.fixed[count].data = end(start);
  p.fixed[count - 1].next = &p.fixed[count];
  LIMPET_CHECK(!text.overflowed());
  p.encoding.data = p.encoding_text;
  p.key.data = p.key_text;

  for (const Signal signal : kSignals) {
    const char* const url = p.url[Index(signal)];
    if (*url == '\0') continue;
    CURLU* const parsed = curl_url();
    if (parsed == nullptr) return {Code::kFull, 0, "destination"};
    const CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
    curl_url_cleanup(parsed);
    if (code == CURLUE_OUT_OF_MEMORY) return {Code::kFull, 0, "destination"};
    const std::string_view scheme(url, std::min(std::strlen(url), size_t{8}));
    if (code != CURLUE_OK || HostOf(url).empty() ||
        (!SameName(scheme.substr(0, 7), "http://") && !SameName(scheme, "https://"))) {
      return {Code::kInvalid, code, "destination url"};
    }
  }
  return {};
}

Status CurlDestination::Configure() {
  constexpr long kKeepAliveSeconds = 60, kKeepAliveStepSeconds = 15;
  // Answers are short. To send, 16 KiB is libcurl's least.
  constexpr long kReceiveBytes = 4096, kSendBytes = 16384;
  Setter set(easy_);
  set(CURLOPT_PRIVATE, static_cast<void*>(this))(CURLOPT_ERRORBUFFER, detail_.data());
  set(CURLOPT_NOSIGNAL, 1L)(CURLOPT_PROTOCOLS_STR, "http,https");
  set(CURLOPT_PROXY, "");  // None from the environment either.
  set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1})(CURLOPT_FOLLOWLOCATION, 0L);
  set(CURLOPT_BUFFERSIZE, kReceiveBytes)(CURLOPT_UPLOAD_BUFFERSIZE, kSendBytes);
  set(CURLOPT_TIMEOUT_MS, InMilliseconds(options_.limits.total));
  set(CURLOPT_DNS_CACHE_TIMEOUT, 0L);  // c-ares keeps answers for as long as their TTL says.
  if (options_.name_servers != nullptr) set(CURLOPT_DNS_SERVERS, options_.name_servers);
  set(CURLOPT_TCP_KEEPALIVE, 1L)(CURLOPT_TCP_KEEPIDLE, kKeepAliveSeconds);
  set(CURLOPT_TCP_KEEPINTVL, kKeepAliveStepSeconds);
  set(CURLOPT_SOCKOPTFUNCTION, Hooks::OnSocket)(CURLOPT_SOCKOPTDATA, static_cast<void*>(this));

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

// ---- A destination: a request --------------------------------------------------------------------

Status CurlDestination::Send(const Request& request, AnswerHandler& handler) {
  LIMPET_CHECK(prepared_ != nullptr && handler_ == nullptr && request.body != nullptr);
  if (easy_ == nullptr) LIMPET_TRY(Open());
  LIMPET_TRY(SetRequest(request));
  body_ = request.body;
  body_offset_ = 0;
  body_left_ = false;
  tls_begun_ = false;
  head_complete_ = false;
  body_bytes_ = 0;
  verify_flags_ = 0;
  ca_status_ = {};
  answer_ = {};
  retry_after_.Clear(), date_.Clear(), error_.Clear();
  detail_[0] = '\0';
  refusals_ = LibraryRefusals();
  progress_ = {};
  started_ = checked_ = client_.clock_.Monotonic();
  next_check_ = started_ + config_.timeout / 4;
  if (curl_multi_add_handle(client_.multi_, easy_) != CURLM_OK) {
    curl_multi_remove_handle(client_.multi_, easy_);
    Close();
    return {Code::kFull, 0, "curl send"};
  }
  handler_ = &handler;
  return {};
}

Status CurlDestination::SetRequest(const Request& request) {
  Prepared& p = *prepared_;
  curl_slist* headers = p.fixed.data();
  if (request.encoding == Encoding::kGzip) {
    p.encoding.next = headers;
    headers = &p.encoding;
  }
  if (!request.idempotency_key.empty()) {
    TextWriter text(std::span<char>(p.key_text));
    text << "Idempotency-Key: \"" << request.idempotency_key << '"' << '\0';
    LIMPET_CHECK(!text.overflowed());
    p.key.next = headers;
    headers = &p.key;
  }
  Setter set(easy_);
  if (!url_set_ || url_ != request.signal) {
    url_set_ = false;
    set(CURLOPT_URL, p.url[Index(request.signal)]);
    LIMPET_TRY(set.status());
    url_ = request.signal;
    url_set_ = true;
  }
  set(CURLOPT_HTTPHEADER, headers);
  set(CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body->size()));
  // Name, addresses one after the other, connection; see OnTls for what follows.
  set(CURLOPT_CONNECTTIMEOUT_MS, InMilliseconds(config_.timeout));
  return set.status();
}

void CurlDestination::Cancel() {
  if (handler_ != nullptr) Stop();
}

/// Takes the request off libcurl; a connection that is in the middle of it is closed.
void CurlDestination::Stop() {
  handler_ = nullptr;
  curl_multi_remove_handle(client_.multi_, easy_);
}

void CurlDestination::TakeHeader(std::string_view line) {
  if (const int status = StatusOf(line); status != 0) {
    if (status < 200) return;  // Informational: the answer is still to come.
    answer_.sent = Sent::kAnswered;
    answer_.status = status;
    answer_.round_trip = client_.clock_.Monotonic() - started_;
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

void CurlDestination::NoteSocket(int handle) {
  ForgetSocket(handle);
  for (int& slot : sockets_) {
    if (slot >= 0) continue;
    slot = handle;
    return;
  }
}

void CurlDestination::ForgetSocket(int handle) {
  for (int& slot : sockets_) {
    if (slot == handle) slot = -1;
  }
}

CurlDestination::Progress CurlDestination::MeasureProgress() const {
  Progress sum{body_offset_, body_bytes_};
  for (const int handle : sockets_) {
    if (handle < 0) continue;
    tcp_info info{};
    socklen_t size = sizeof info;
    if (getsockopt(handle, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) continue;  // UDP.
    if (size >= offsetof(tcp_info, tcpi_bytes_received) + sizeof info.tcpi_bytes_received) {
      sum.out += info.tcpi_bytes_acked;
      sum.in += info.tcpi_bytes_received;
      continue;
    }
    // Linux before 4.1 does not count, but tells what is still to be acknowledged.
    int waiting = 0;
    if (ioctl(handle, SIOCOUTQ, &waiting) == 0) sum.out -= static_cast<uint64_t>(waiting);
  }
  return sum;
}

MonoTime CurlDestination::OnTime(MonoTime now) {
  if (handler_ == nullptr) return kNever;
  if (now < next_check_) return next_check_;
  const Progress progress = MeasureProgress();
  if (!(progress == progress_)) {
    progress_ = progress;
    checked_ = now;
  } else if (now - checked_ >= config_.timeout) {
    Finish(CURLE_OPERATION_TIMEDOUT);  // The handler may have sent anew.
    return handler_ == nullptr ? kNever : next_check_;
  }
  next_check_ = now + config_.timeout / 4;
  return next_check_;
}

Phase CurlDestination::PhaseNow() const {
  if (body_left_ || body_->size() == 0) return Phase::kAnswer;
  if (tls_begun_) return Phase::kTls;
  curl_off_t resolved_us = 0;
  curl_easy_getinfo(easy_, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
  return resolved_us == 0 ? Phase::kResolving : Phase::kConnecting;
}

/// Ends the request in flight and tells its handler.
void CurlDestination::Finish(int curl_code) {
  LIMPET_CHECK(handler_ != nullptr);
  AnswerHandler& handler = *handler_;
  const bool starved = LibraryRefusals() != refusals_;
  answer_.timed_out = curl_code == CURLE_OPERATION_TIMEDOUT;
  if (answer_.sent == Sent::kAnswered) {
    answer_.body = options_.answer_body.first(std::min(body_bytes_, kAnswerBodyMax));
    answer_.body_complete = curl_code == CURLE_OK && head_complete_ && body_bytes_ <= kAnswerBodyMax;
    answer_.retry_after = retry_after_.text();
    answer_.date = date_.text();
  } else {
    answer_.sent = body_left_ ? Sent::kUnknown : Sent::kNotSent;
    answer_.round_trip = client_.clock_.Monotonic() - started_;
    if (starved) {
      error_ << "out of memory";
    } else if (!ca_status_.ok()) {
      error_ << "CA file " << options_.ca_index->path() << ": " << CodeName(ca_status_.code);
    } else {
      long os_error = 0;
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error);
      WriteFailure(error_, {.curl_code = curl_code,
                            .os_error = static_cast<int>(os_error),
                            .verify_flags = verify_flags_,
                            .detail = detail_.data(),
                            .host = HostOf(prepared_->url[Index(url_)]),
                            .phase = PhaseNow()});
    }
    answer_.error = error_.text();
  }
  Stop();
  // After a failure begin anew: resolv.conf may have changed meanwhile; libcurl (8.14.1) loses the host's
  // name with each lookup that fails, unless the handle goes; and c-ares has been seen to resolve
  // nothing any more after want of memory.
  if (starved || answer_.sent != Sent::kAnswered) Close();
  const Answer answer = answer_;  // A Send out of the handler begins the next.
  handler.OnAnswer(answer);
}

}  // namespace limpet
