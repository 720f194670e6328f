#include "port/curl/failure_text.h"

#include <curl/curl.h>
#include <mbedtls/ssl.h>
#include <mbedtls/x509.h>

#include <algorithm>
#include <cerrno>
#include <optional>

namespace limpet {
namespace {

constexpr int kCertificateRequired = 116;  // RFC 8446; mbedTLS has no name for it.

struct Words {
  int number;
  const char* text;
};

// What mbedTLS' handshake returns, without the sign.
constexpr Words kTlsErrors[] = {
    {-MBEDTLS_ERR_SSL_INVALID_RECORD, "the server does not speak TLS"},
    {-MBEDTLS_ERR_SSL_FATAL_ALERT_MESSAGE, "the server refused the TLS handshake"},
    {-MBEDTLS_ERR_SSL_BAD_PROTOCOL_VERSION, "no TLS version in common (1.2 or newer is needed)"},
    {-MBEDTLS_ERR_SSL_HANDSHAKE_FAILURE, "no TLS cipher in common"},
    {-MBEDTLS_ERR_SSL_CONN_EOF, "connection closed in the TLS handshake"},
    {-MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY, "connection closed in the TLS handshake"},
    {-MBEDTLS_ERR_SSL_ALLOC_FAILED, "out of memory"},
};

// What the peer says of us, RFC 8446 section 6. It wants a client certificate in TLS 1.3 with 116, in
// 1.2 with 40 or 42.
constexpr Words kAlerts[] = {
    {MBEDTLS_SSL_ALERT_MSG_HANDSHAKE_FAILURE,
     "the server refused the TLS handshake: no cipher in common, or it wants a client certificate (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_BAD_CERT, "the server refused the client certificate, or wants one (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_UNSUPPORTED_CERT, "the server does not support the client certificate (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_REVOKED, "the server says that the client certificate was revoked (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_EXPIRED, "the server says that the client certificate has expired (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_CERT_UNKNOWN, "the server refused the client certificate (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_UNKNOWN_CA,
     "the server does not know the authority of the client certificate (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_ACCESS_DENIED, "the server denies access to the client certificate (tls_cert)"},
    {MBEDTLS_SSL_ALERT_MSG_PROTOCOL_VERSION, "no TLS version in common (1.2 or newer is needed)"},
    {MBEDTLS_SSL_ALERT_MSG_UNRECOGNIZED_NAME, "the server does not know the name that it was asked for"},
    {kCertificateRequired, "the server wants a client certificate (tls_cert)"},
};

constexpr Words kConnectErrors[] = {
    {ECONNREFUSED, "connection refused"},
    {ECONNRESET, "connection reset"},
    {ENETUNREACH, "network unreachable"},
    {EHOSTUNREACH, "no route to the host"},
    {ENETDOWN, "network down"},
    {ETIMEDOUT, "timed out connecting"},
    {EACCES, "connecting is not permitted"},
    {EPERM, "connecting is not permitted"},
    {EADDRNOTAVAIL, "no local address or port for the connection"},
    {EMFILE, "out of file handles"},
    {ENFILE, "out of file handles"},
};

// The worst first: a self-signed certificate of another name is above all of unknown origin.
constexpr struct {
  uint32_t flag;
  const char* text;
} kVerifyErrors[] = {
    {MBEDTLS_X509_BADCERT_MISSING, "the server sent no certificate"},
    {MBEDTLS_X509_BADCERT_NOT_TRUSTED, "unknown certificate authority"},
    {kWrongKey, "the server's key is none of tls_pin"},
    {MBEDTLS_X509_BADCERT_REVOKED, "certificate revoked"},
    {MBEDTLS_X509_BADCERT_CN_MISMATCH, "certificate is for another name"},
    {MBEDTLS_X509_BADCERT_EXPIRED, "certificate expired"},
    {MBEDTLS_X509_BADCERT_FUTURE, "certificate is not valid yet (or the clock is wrong)"},
    {MBEDTLS_X509_BADCERT_BAD_MD, "certificate is signed with a weak hash"},
    {MBEDTLS_X509_BADCERT_BAD_KEY, "certificate has a weak key"},
    {MBEDTLS_X509_BADCERT_BAD_PK, "certificate has a key of an unsupported kind"},
    {MBEDTLS_X509_BADCERT_KEY_USAGE, "certificate is not meant for a server"},
    {MBEDTLS_X509_BADCERT_EXT_KEY_USAGE, "certificate is not meant for a server"},
    {MBEDTLS_X509_BADCERT_NS_CERT_TYPE, "certificate is not meant for a server"},
};

template <size_t N>
const char* Find(const Words (&words)[N], int number) {
  for (const Words& w : words) {
    if (w.number == number) return w.text;
  }
  return nullptr;
}

/// The number in libcurl's "ssl_handshake returned: (-0x7780) …".
int TlsErrorIn(std::string_view detail) {
  const size_t at = detail.find("(-0x");
  if (at == std::string_view::npos) return 0;
  detail.remove_prefix(at + 4);
  return ParseNumber<int>(detail.substr(0, detail.find(')')), 16).value_or(0);
}

void WriteLost(TextWriter& out, const Failure& failure) {
  out << (failure.phase == Phase::kTls ? "connection lost in the TLS handshake"
                                       : "connection lost before the answer");
  if (!failure.tls_just_made) return;
  out << (failure.certificate ? " (the server may have refused the client certificate, tls_cert)"
                              : " (the server may want a client certificate, tls_cert)");
}

void WriteTlsFailure(TextWriter& out, const Failure& failure) {
  if (const char* const text = Find(kAlerts, failure.alert); text != nullptr) {
    out << text;
    return;
  }
  const int error = TlsErrorIn(failure.detail);
  if (const char* const text = Find(kTlsErrors, error); text != nullptr) {
    out << text;
    return;
  }
  // A server that refuses us hangs up, and often its alert is lost with that.
  if (error == 0) return WriteLost(out, failure);
  out << "TLS failed";
  if (error != 0) {
    const uint8_t bytes[] = {static_cast<uint8_t>(error >> 8), static_cast<uint8_t>(error)};
    (out << " (mbedTLS -0x").Hex(bytes) << ')';
  }
}

void WriteVerifyFailure(TextWriter& out, uint32_t flags) {
  for (const auto& row : kVerifyErrors) {
    if ((flags & row.flag) != 0) {
      out << row.text;
      return;
    }
  }
  out << "certificate refused";
}

void WriteTimeout(TextWriter& out, const Failure& failure) {
  switch (failure.phase) {
    case Phase::kResolving:
      out << "timed out resolving host " << failure.host;
      return;
    case Phase::kConnecting:
      out << "timed out connecting";
      return;
    case Phase::kTls:
      out << "timed out in the TLS handshake";
      return;
    case Phase::kAnswer:
      out << "timed out waiting for the answer";
      return;
  }
}

}  // namespace

void WriteFailure(TextWriter& out, const Failure& failure) {
  if (!failure.proxy.empty() && failure.phase <= Phase::kConnecting) out << "proxy " << failure.proxy << ": ";
  switch (failure.curl_code) {
    case CURLE_OUT_OF_MEMORY:
      out << "out of memory";
      return;
    case CURLE_OPERATION_TIMEDOUT:
      WriteTimeout(out, failure);
      return;
    case CURLE_COULDNT_RESOLVE_PROXY:
      out << "cannot resolve its name";
      return;
    case CURLE_COULDNT_RESOLVE_HOST:
      out << "cannot resolve host " << failure.host;
      return;
    case CURLE_COULDNT_CONNECT: {
      const char* const text = Find(kConnectErrors, failure.os_error);
      out << (text != nullptr ? text : "cannot connect");
      if (text == nullptr && failure.os_error != 0) out << " (error " << failure.os_error << ')';
      return;
    }
    case CURLE_PEER_FAILED_VERIFICATION:
      WriteVerifyFailure(out, failure.verify_flags);
      return;
    case CURLE_SSL_CONNECT_ERROR:
      WriteTlsFailure(out, failure);
      return;
    case CURLE_SEND_ERROR:
    case CURLE_RECV_ERROR:
      // In TLS 1.3 the server judges our certificate when the handshake is over for us.
      if (Find(kAlerts, failure.alert) != nullptr) return WriteTlsFailure(out, failure);
      WriteLost(out, failure);  // A peer that answers a handshake with a reset, or with what is not TLS.
      return;
    case CURLE_GOT_NOTHING:
      out << "connection closed without an answer";
      return;
    case CURLE_UNSUPPORTED_PROTOCOL:  // HTTP/0.9, as it calls what has no status line.
    case CURLE_WEIRD_SERVER_REPLY:
      out << "the answer is not HTTP";
      return;
    case CURLE_SEND_FAIL_REWIND:
      out << "connection lost before the answer";
      return;
    case CURLE_FAILED_INIT:
      out << "TLS cannot start (the kernel may have no randomness yet)";
      return;
    default:
      out << curl_easy_strerror(static_cast<CURLcode>(failure.curl_code));
  }
}

std::string_view HostOf(std::string_view url) {
  const size_t scheme = url.find("://");
  if (scheme == std::string_view::npos) return {};
  url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t user = url.rfind('@'); user != std::string_view::npos) url.remove_prefix(user + 1);
  if (!url.empty() && url.front() == '[') return url.substr(1, url.find(']') - 1);
  return url.substr(0, url.find(':'));
}

}  // namespace limpet
