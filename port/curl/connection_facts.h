// What is known of a connection, for people: `limpet check --online`.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/text.h"
#include "limpet/time.h"

namespace limpet {

struct ConnectionFacts {
  TextBuffer<64> address;        ///< "192.0.2.1:4318", "[2001:db8::1]:443"; of the proxy, where there is
                                 ///< one; the last that was tried when none answered.
  bool proxied = false;
  Duration resolved, connected, secured;  ///< Since the start of the request; 0: it did not come to that.
  TextBuffer<16> tls_version;    ///< "TLSv1.3"; empty without TLS.
  TextBuffer<64> cipher;
  TextBuffer<256> subject;       ///< Of the server's certificate, also of one that was refused.
  UnixTime not_before, not_after;

  void SetAddress(std::string_view host, int64_t port) {
    const bool six = host.find(':') != std::string_view::npos;
    address.Clear();
    address << (six ? "[" : "") << host << (six ? "]:" : ":") << port;
  }

  void Clear() {
    address.Clear(), tls_version.Clear(), cipher.Clear(), subject.Clear();
    proxied = false;
    resolved = connected = secured = {};
    not_before = not_after = {};
  }
};

}  // namespace limpet
