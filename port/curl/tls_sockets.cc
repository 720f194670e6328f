#include "port/curl/tls_sockets.h"

#include <mbedtls/net_sockets.h>
#include <mbedtls/platform.h>
#include <mbedtls/ssl.h>
#include <psa/crypto.h>

#include <algorithm>

namespace limpet {
namespace {

int Random(void*, unsigned char* bytes, size_t size) {
  return psa_generate_random(bytes, size) == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_HW_ACCEL_FAILED;
}

/// A handshake's outcome in words, the peer being "it".
const char* FailureText(int error, int alert, uint32_t flags) {
  struct Row {
    int error;
    uint32_t flag;  // One of them was found in the peer's chain; 0: whatever was.
    int alert;      // What the peer said; 0: whatever that was.
    const char* text;
  };
  constexpr uint32_t kUse =
      MBEDTLS_X509_BADCERT_KEY_USAGE | MBEDTLS_X509_BADCERT_EXT_KEY_USAGE | MBEDTLS_X509_BADCERT_NS_CERT_TYPE;
  constexpr int kVerify = MBEDTLS_ERR_X509_CERT_VERIFY_FAILED, kAlert = MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE;
  static constexpr Row kRows[] = {
      {MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE, 0, 0, "it showed no certificate"},
      {kVerify, MBEDTLS_X509_BADCERT_NOT_TRUSTED, 0, "its certificate is of no authority in tls_client_ca"},
      {kVerify, MBEDTLS_X509_BADCERT_EXPIRED, 0, "its certificate has expired"},
      {kVerify, MBEDTLS_X509_BADCERT_FUTURE, 0, "its certificate is not valid yet (or the clock is wrong)"},
      {kVerify, kUse, 0, "its certificate is not meant for a client"},
      {kVerify, 0, 0, "its certificate is too weak"},
      {MBEDTLS_ERR_SSL_BAD_CERTIFICATE, kUse, 0, "its certificate is not meant for a client"},
      {MBEDTLS_ERR_SSL_BAD_CERTIFICATE, 0, 0, "its certificate cannot be read"},
      {MBEDTLS_ERR_X509_FATAL_ERROR, 0, 0, "tls_client_ca cannot be read"},
      {kAlert, 0, MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA, "it does not trust the certificate in tls_cert"},
      {kAlert, 0, MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "it does not accept the certificate in tls_cert"},
      {kAlert, 0, MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "it does not accept the certificate in tls_cert"},
      {kAlert, 0, MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "it says that the certificate in tls_cert has expired"},
      {kAlert, 0, 0, "it refused the handshake"},
      {MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, 0, 0, "no TLS version in common (1.2 or newer is needed)"},
      {MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, 0, 0, "no TLS cipher in common (or tls_cert is not meant for a server)"},
      {MBEDTLS_ERR_SSL_INVALID_RECORD, 0, 0, "it does not speak TLS"},
      {MBEDTLS_ERR_SSL_UNEXPECTED_MESSAGE, 0, 0, "it does not speak TLS"},
  };
  for (const Row& row : kRows) {
    const bool fits = (row.flag == 0 || (flags & row.flag) != 0) && (row.alert == 0 || alert == row.alert);
    if (row.error == error && fits) return row.text;
  }
  return "it broke the protocol";
}

bool HungUp(int error) {
  return error == MBEDTLS_ERR_SSL_CONN_EOF || error == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY ||
         error == MBEDTLS_ERR_NET_RECV_FAILED || error == MBEDTLS_ERR_NET_SEND_FAILED;
}

}  // namespace

struct TlsSockets::Session {
  TlsSockets* owner;
  int handle;
  enum class Phase : uint8_t { kHandshake, kOpen, kDead } phase;
  bool finished;     // We have said that nothing more comes.
  size_t unwritten;  // Of the caller's bytes, encrypted already; their record has not left whole.
  mbedtls_ssl_config config;
  mbedtls_ssl_context tls;

  static int OnSend(void* self, const unsigned char* bytes, size_t size) {
    Session& session = *static_cast<Session*>(self);
    const Result<size_t> put =
        session.owner->below_.Write(session.handle, {reinterpret_cast<const char*>(bytes), size});
    if (put.ok()) return static_cast<int>(put.value());
    return put.status().code == Code::kUnavailable ? MBEDTLS_ERR_SSL_WANT_WRITE : MBEDTLS_ERR_NET_SEND_FAILED;
  }

  static int OnReceive(void* self, unsigned char* bytes, size_t size) {
    Session& session = *static_cast<Session*>(self);
    TlsSockets& owner = *session.owner;
    size = std::min(size, owner.readable_);
    if (size == 0) return MBEDTLS_ERR_SSL_WANT_READ;  // T3. The poller tells of the rest.
    const Result<size_t> got = owner.below_.Read(session.handle, {reinterpret_cast<char*>(bytes), size});
    if (got.ok()) {
      owner.readable_ -= got.value();
      return static_cast<int>(got.value());  // 0 is the end.
    }
    return got.status().code == Code::kUnavailable ? MBEDTLS_ERR_SSL_WANT_READ : MBEDTLS_ERR_NET_RECV_FAILED;
  }
};

TlsSockets::TlsSockets(Sockets& below, const Options& options, Clock& clock, Log& log)
    : below_(below),
      options_(options),
      log_(log),
      trust_({.ca_index = options.client_ca,
              .certificate = options.certificate,
              .key = options.key,
              .unset_before = options.unset_before},
             clock),
      share_(TlsServerPoolBytes(options.sessions)) {
  LIMPET_CHECK(options_.sessions > 0 && options_.sessions <= sessions_.size());
}

TlsSockets::~TlsSockets() { LIMPET_CHECK(use_.sessions == 0); }

Status TlsSockets::Start() {
  const TlsShareScope scope(share_);
  const Status status = trust_.Start();
  chain_ = trust_.chain();
  return status;
}

Result<int> TlsSockets::Connect(std::string_view) { return {Code::kUnsupported, 0, "connect"}; }

TlsSockets::Session* TlsSockets::Find(int connection) {
  const auto at = std::find_if(sessions_.begin(), sessions_.end(),
                               [connection](const Session* s) { return s != nullptr && s->handle == connection; });
  return at == sessions_.end() ? nullptr : *at;
}

Result<TlsSockets::Session*> TlsSockets::Begin(int connection) {
  const auto refuse = [this](const char* what) {
    ++use_.refused;
    log_.Warn("a TLS client was refused", {{"reason", what}, {"sessions", use_.sessions}});
    return Status{Code::kFull, 0, "tls session"};
  };
  constexpr const char* kNoMemory = "no memory left";
  const auto places = std::span(sessions_).first(options_.sessions);
  const auto place = std::find(places.begin(), places.end(), nullptr);
  if (place == places.end()) return refuse("no session left");
  auto* const session = static_cast<Session*>(mbedtls_calloc(1, sizeof(Session)));
  if (session == nullptr) return refuse(kNoMemory);
  session->owner = this;
  session->handle = connection;
  mbedtls_ssl_config_init(&session->config);
  mbedtls_ssl_init(&session->tls);
  use_.sessions_peak = std::max(use_.sessions_peak, ++use_.sessions);

  int error = psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_ALLOC_FAILED;  // For TLS 1.3.
  if (error == 0) {
    error = mbedtls_ssl_config_defaults(&session->config, MBEDTLS_SSL_IS_SERVER, MBEDTLS_SSL_TRANSPORT_STREAM,
                                        MBEDTLS_SSL_PRESET_DEFAULT);
  }
  mbedtls_ssl_conf_rng(&session->config, Random, nullptr);
  mbedtls_ssl_conf_authmode(&session->config, options_.client_ca == nullptr ? MBEDTLS_SSL_VERIFY_NONE
                                                                            : MBEDTLS_SSL_VERIFY_REQUIRED);
  // Sessions are not resumed: senders keep their connections.
  mbedtls_ssl_conf_new_session_tickets(&session->config, 0);
  mbedtls_ssl_conf_tls13_key_exchange_modes(&session->config, MBEDTLS_SSL_TLS1_3_KEY_EXCHANGE_MODE_EPHEMERAL);
  const bool applied = error == 0 && trust_.Apply(&session->config, &session->tls);
  if (chain_ != trust_.chain()) EndHandshakes();
  *place = session;
  if (applied) error = mbedtls_ssl_setup(&session->tls, &session->config);
  if (!applied || error != 0) {
    End(*place);
    return refuse(kNoMemory);
  }
  mbedtls_ssl_set_bio(&session->tls, session, Session::OnSend, Session::OnReceive, nullptr);
  return session;
}

/// T4.
void TlsSockets::EndHandshakes() {
  chain_ = trust_.chain();
  for (Session* const session : sessions_) {
    if (session == nullptr || session->phase != Session::Phase::kHandshake) continue;
    mbedtls_ssl_free(&session->tls);
    session->phase = Session::Phase::kDead;
  }
}

Status TlsSockets::Handshake(Session& session) {
  trust_.Clear();
  const size_t refusals = LibraryRefusals();
  const int error = mbedtls_ssl_handshake(&session.tls);
  // Our part of it is a few KB, which a socket of its own always takes: nothing waits to be written.
  if (error == MBEDTLS_ERR_SSL_WANT_READ || error == MBEDTLS_ERR_SSL_WANT_WRITE) {
    return {Code::kUnavailable, 0, "tls handshake"};
  }
  if (error == 0) {
    session.phase = Session::Phase::kOpen;
    ++use_.handshakes;
    if (trust_.undated() && !told_undated_) {
      told_undated_ = true;
      log_.Warn("the clock is not set: a client's certificate that is not valid yet was taken");
    }
    return {};
  }
  if (LibraryRefusals() != refusals) {
    ++use_.refused;
    log_.Warn("a TLS client was refused", {{"reason", "no memory left"}, {"sessions", use_.sessions}});
  } else {
    ++use_.failed;
    const uint32_t result = mbedtls_ssl_get_verify_result(&session.tls);  // All ones: none.
    const uint32_t flags = trust_.flags() | (result == UINT32_MAX ? 0 : result);
    const char* const reason = FailureText(error, TlsAlert(&session.tls), flags);
    if (!HungUp(error)) log_.Warn("a client's TLS handshake failed", {{"reason", reason}});
    // The one failure of which mbedTLS tells the peer nothing.
    const bool untold = error == MBEDTLS_ERR_SSL_NO_CLIENT_CERTIFICATE &&
                        mbedtls_ssl_get_version_number(&session.tls) == MBEDTLS_SSL_VERSION_TLS1_2;
    if (untold) {
      (void)mbedtls_ssl_send_alert_message(&session.tls, MBEDTLS_SSL_ALERT_LEVEL_FATAL,
                                           MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE);
    }
  }
  Fail(session);
  return {Code::kIo, error, "tls handshake"};
}

/// Gives back what the session holds. What the peer has sent is read, or closing would take back the
/// alert that tells it why.
void TlsSockets::Fail(Session& session) {
  mbedtls_ssl_free(&session.tls);
  session.phase = Session::Phase::kDead;
  below_.FinishWriting(session.handle);
  char unread[512];
  while (readable_ > 0) {
    const Result<size_t> got = below_.Read(session.handle, unread);
    if (!got.ok() || got.value() == 0) return;
    readable_ -= std::min(readable_, got.value());
  }
}

void TlsSockets::End(Session*& session) {
  mbedtls_ssl_free(&session->tls);
  mbedtls_ssl_config_free(&session->config);
  mbedtls_free(session);
  session = nullptr;
  --use_.sessions;
}

Result<size_t> TlsSockets::Read(int connection, std::span<char> into) {
  const TlsShareScope scope(share_);
  readable_ = kReadMax;
  Session* session = Find(connection);
  if (session == nullptr) {
    const Result<Session*> begun = Begin(connection);
    if (!begun.ok()) return begun.status();
    session = begun.value();
  }
  if (session->phase == Session::Phase::kHandshake) LIMPET_TRY(Handshake(*session));
  if (session->phase == Session::Phase::kDead) return {Code::kIo, 0, "tls session"};
  const int got = mbedtls_ssl_read(&session->tls, reinterpret_cast<unsigned char*>(into.data()), into.size());
  if (got >= 0) return static_cast<size_t>(got);
  if (got == MBEDTLS_ERR_SSL_WANT_READ || got == MBEDTLS_ERR_SSL_WANT_WRITE) {
    return {Code::kUnavailable, 0, "tls read"};
  }
  if (got == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY) return size_t{0};
  Fail(*session);
  return {Code::kIo, got, "tls read"};
}

bool TlsSockets::HasMore(int connection) {
  const Session* const session = Find(connection);
  return session != nullptr && session->phase == Session::Phase::kOpen &&
         mbedtls_ssl_get_bytes_avail(&session->tls) > 0;
}

Result<size_t> TlsSockets::Write(int connection, std::span<const char> bytes) {
  const TlsShareScope scope(share_);
  Session* const session = Find(connection);
  if (session == nullptr || session->phase == Session::Phase::kHandshake) {
    return {Code::kUnavailable, 0, "tls write"};
  }
  if (session->phase == Session::Phase::kDead || bytes.size() < session->unwritten) {
    return {Code::kIo, 0, "tls write"};
  }
  // What was encrypted before is only sent on, and counts as taken now.
  const size_t size = session->unwritten != 0 ? session->unwritten
                                              : std::min<size_t>(bytes.size(), MBEDTLS_SSL_OUT_CONTENT_LEN);
  const int put = mbedtls_ssl_write(&session->tls, reinterpret_cast<const unsigned char*>(bytes.data()), size);
  session->unwritten = put == MBEDTLS_ERR_SSL_WANT_WRITE ? size : 0;
  if (put >= 0) return static_cast<size_t>(put);
  if (put == MBEDTLS_ERR_SSL_WANT_WRITE) return {Code::kUnavailable, 0, "tls write"};
  return {Code::kIo, put, "tls write"};
}

void TlsSockets::FinishWriting(int connection) {
  const TlsShareScope scope(share_);
  Session* const session = Find(connection);
  if (session != nullptr) SayGoodbye(*session);
  below_.FinishWriting(connection);
}

/// As far as it can be sent at once.
void TlsSockets::SayGoodbye(Session& session) {
  if (session.phase != Session::Phase::kOpen || session.finished) return;
  session.finished = true;
  (void)mbedtls_ssl_close_notify(&session.tls);
}

void TlsSockets::Close(int handle) {
  const TlsShareScope scope(share_);
  for (Session*& session : sessions_) {
    if (session == nullptr || session->handle != handle) continue;
    SayGoodbye(*session);
    End(session);
  }
  below_.Close(handle);
}

TlsSockets::Use TlsSockets::use() const {
  Use use = use_;
  use.bytes = share_.used();
  use.bytes_peak = share_.peak();
  return use;
}

}  // namespace limpet
