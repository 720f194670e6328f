#include <curl/curl.h>
#include <gtest/gtest.h>
#include <mbedtls/x509.h>

#include <cerrno>

#include "port/curl/failure_text.h"

namespace limpet {
namespace {

TEST(WriteFailure, Cases) {
  struct Case {
    Failure failure;
    const char* text;
  };
  const Case cases[] = {
      {{.curl_code = CURLE_COULDNT_RESOLVE_HOST, .host = "gateway.example"},
       "cannot resolve host gateway.example"},
      {{.curl_code = CURLE_COULDNT_CONNECT, .os_error = ECONNREFUSED}, "connection refused"},
      {{.curl_code = CURLE_COULDNT_CONNECT, .os_error = EHOSTUNREACH}, "no route to the host"},
      {{.curl_code = CURLE_COULDNT_CONNECT, .os_error = 9999}, "cannot connect (error 9999)"},
      {{.curl_code = CURLE_COULDNT_CONNECT}, "cannot connect"},
      {{.curl_code = CURLE_OPERATION_TIMEDOUT, .host = "g.example", .phase = Phase::kResolving},
       "timed out resolving host g.example"},
      {{.curl_code = CURLE_OPERATION_TIMEDOUT, .phase = Phase::kConnecting},
       "timed out connecting"},
      {{.curl_code = CURLE_OPERATION_TIMEDOUT, .phase = Phase::kTls},
       "timed out in the TLS handshake"},
      {{.curl_code = CURLE_OPERATION_TIMEDOUT, .phase = Phase::kAnswer},
       "timed out waiting for the answer"},
      {{.curl_code = CURLE_PEER_FAILED_VERIFICATION,
        .verify_flags = MBEDTLS_X509_BADCERT_NOT_TRUSTED | MBEDTLS_X509_BADCERT_CN_MISMATCH},
       "unknown certificate authority"},
      {{.curl_code = CURLE_PEER_FAILED_VERIFICATION,
        .verify_flags = MBEDTLS_X509_BADCERT_CN_MISMATCH | MBEDTLS_X509_BADCERT_EXPIRED},
       "certificate is for another name"},
      {{.curl_code = CURLE_PEER_FAILED_VERIFICATION, .verify_flags = MBEDTLS_X509_BADCERT_EXPIRED},
       "certificate expired"},
      {{.curl_code = CURLE_PEER_FAILED_VERIFICATION}, "certificate refused"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .detail = "ssl_handshake returned: (-0x7200) "},
       "the server does not speak TLS"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .detail = "ssl_handshake returned: (-0x0012) "},
       "TLS failed (mbedTLS -0x0012)"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .detail = "(-0xzz", .phase = Phase::kTls},
       "connection lost in the TLS handshake"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .tls_just_made = true, .phase = Phase::kTls},
       "connection lost in the TLS handshake (the server may want a client certificate, tls_cert)"},
      {{.curl_code = CURLE_SEND_ERROR, .tls_just_made = true, .certificate = true, .phase = Phase::kAnswer},
       "connection lost before the answer (the server may have refused the client certificate, tls_cert)"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .alert = 48, .detail = "(-0x7780)"},
       "the server does not know the authority of the client certificate (tls_cert)"},
      {{.curl_code = CURLE_RECV_ERROR, .alert = 116, .detail = "(-0x7780)", .phase = Phase::kAnswer},
       "the server wants a client certificate (tls_cert)"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .alert = 70, .detail = "(-0x7780)"},
       "no TLS version in common (1.2 or newer is needed)"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .alert = 80, .detail = "(-0x7780)"},
       "the server refused the TLS handshake"},
      {{.curl_code = CURLE_PEER_FAILED_VERIFICATION, .verify_flags = kWrongKey},
       "the server's key is none of tls_pin"},
      {{.curl_code = CURLE_COULDNT_RESOLVE_PROXY, .proxy = "p.example", .host = "g.example"},
       "proxy p.example: cannot resolve its name"},
      {{.curl_code = CURLE_COULDNT_CONNECT, .os_error = ECONNREFUSED, .proxy = "p", .phase = Phase::kConnecting},
       "proxy p: connection refused"},
      {{.curl_code = CURLE_OPERATION_TIMEDOUT, .proxy = "p", .phase = Phase::kAnswer},
       "timed out waiting for the answer"},
      {{.curl_code = CURLE_SSL_CONNECT_ERROR, .detail = "(-0x7fffffff)"},
       "TLS failed (mbedTLS -0xffff)"},
      {{.curl_code = CURLE_GOT_NOTHING}, "connection closed without an answer"},
      {{.curl_code = CURLE_RECV_ERROR, .phase = Phase::kAnswer},
       "connection lost before the answer"},
      {{.curl_code = CURLE_WEIRD_SERVER_REPLY}, "the answer is not HTTP"},
      {{.curl_code = CURLE_OUT_OF_MEMORY}, "out of memory"},
  };
  for (const Case& c : cases) {
    TextBuffer<128> text;
    WriteFailure(text, c.failure);
    EXPECT_EQ(text.text(), c.text);
  }
}

TEST(HostOf, Cases) {
  struct Case {
    const char* url;
    const char* host;
  };
  constexpr Case cases[] = {
      {"https://gateway.example:4318/v1/metrics", "gateway.example"},
      {"http://10.0.0.1", "10.0.0.1"},
      {"http://user:p@ss/word@h", "ss"},  // "/" ends the authority, whatever was meant.
      {"http://user:secret@h.example?q=a@b", "h.example"},
      {"https://[2001:db8::1]:443/x", "2001:db8::1"},
      {"https://[2001:db8::1", "2001:db8::1"},
      {"https://", ""},
      {"gateway.example", ""},
      {"", ""},
  };
  for (const Case& c : cases) EXPECT_EQ(HostOf(c.url), c.host) << c.url;
}

}  // namespace
}  // namespace limpet
