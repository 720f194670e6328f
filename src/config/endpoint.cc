#include "config/endpoint.h"

#include "base/text.h"

namespace limpet {
namespace {

/// "0.0.0.0" to "255.255.255.255".
bool IsIpv4(std::string_view text) {
  for (int part = 0; part < 4; ++part) {
    if (part < 3 && text.find('.') == std::string_view::npos) return false;
    const std::string_view digits = part < 3 ? TakeUntil(text, '.') : text;
    if (digits.size() > 3 || !ParseNumber<uint8_t>(digits)) return false;
  }
  return true;
}

/// Only the alphabet: who uses the address parses it in full.
bool LooksLikeIpv6(std::string_view text) {
  return text.find(':') != std::string_view::npos &&
         text.find_first_not_of("0123456789abcdefABCDEF:.") == std::string_view::npos;
}

bool IsHostName(std::string_view text) {
  for (const char c : text) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!letter && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_') return false;
  }
  return !text.empty() && text.size() <= 253;
}

/// Splits what stands before the path: "[user[:password]@]host[:port]".
struct Authority {
  std::string_view user_info, host, port;
  bool has_port = false;
  bool bracketed = false;
};

std::string_view AuthorityText(std::string_view url) {
  const size_t begin = url.find("://") + 3;
  return url.substr(begin, url.find_first_of("/?#", begin) - begin);
}

Authority SplitAuthority(std::string_view text) {
  Authority parts;
  const size_t at = text.rfind('@');
  if (at != std::string_view::npos) {
    parts.user_info = text.substr(0, at);
    text.remove_prefix(at + 1);
  }
  const size_t bracket = text.find(']');
  size_t colon = text.rfind(':');
  if (text.starts_with('[') && bracket != std::string_view::npos) {
    parts.bracketed = true;
    if (colon != std::string_view::npos && colon < bracket) colon = std::string_view::npos;
    parts.host = text.substr(1, bracket - 1);
    const size_t host_end = colon == std::string_view::npos ? text.size() : colon;
    if (host_end != bracket + 1) parts.host = {};  // Something between ] and the port.
  } else {
    parts.host = text.substr(0, colon);
  }
  parts.has_port = colon != std::string_view::npos;
  if (parts.has_port) parts.port = text.substr(colon + 1);
  return parts;
}

}  // namespace

const char* UrlFault(std::string_view url, bool whole) {
  if (!url.starts_with("http://") && !url.starts_with("https://")) {
    return "expected a URL that begins with http:// or https://";
  }
  for (const char c : url) {
    if (c <= ' ' || static_cast<unsigned char>(c) >= 0x7f || c == '"' || c == '<' || c == '>' ||
        c == '\\') {
      return "a URL holds no blanks, quotes or letters beyond ASCII: write them as %XX";
    }
  }
  const Authority authority = SplitAuthority(AuthorityText(url));
  const bool host_ok =
      authority.bracketed ? LooksLikeIpv6(authority.host) : IsHostName(authority.host);
  if (!host_ok) return "expected a host name or address behind ://";
  if (authority.has_port && ParseNumber<uint16_t>(authority.port).value_or(0) == 0) {
    return "expected a port from 1 to 65535 behind the host";
  }
  if (url.find('#') != std::string_view::npos) return "a URL to send to has no # part";
  if (!whole && url.find('?') != std::string_view::npos) {
    return "expected no ? part: /v1/metrics and the like are appended";
  }
  return nullptr;
}

const char* ProxyFault(std::string_view url) {
  constexpr const char* kExpected = "expected http://[user:password@]host:port";
  if (!url.starts_with("http://")) return kExpected;
  if (const char* const fault = UrlFault(url, false)) return fault;
  const std::string_view authority = AuthorityText(url);
  if (!SplitAuthority(authority).has_port) return "expected a port behind the proxy's host";
  const bool bare = url.size() == std::string_view("http://").size() + authority.size();
  return bare || (url.ends_with('/') && url.find('/', 7) == url.size() - 1) ? nullptr : kExpected;
}

const char* HostFault(std::string_view host) {
  const bool ipv6 = LooksLikeIpv6(host) && host.find(':') != host.rfind(':');  // "a:80" is none.
  return IsHostName(host) || ipv6 ? nullptr : "expected a host name or an address";
}

const char* PinsFault(std::string_view pins) {
  constexpr std::string_view kKind = "sha256//";
  constexpr size_t kDigits = 43;  // Of 32 bytes; then a '='.
  constexpr const char* kExpected = "expected sha256// and the 44 characters of a SHA-256 in base64, "
                                    "for each key";
  do {
    std::string_view pin = Trim(TakeUntil(pins, ';'));
    if (!pin.starts_with(kKind)) return kExpected;
    pin.remove_prefix(kKind.size());
    if (pin.size() != kDigits + 1 || pin[kDigits] != '=') return kExpected;
    for (const char c : pin.substr(0, kDigits)) {
      const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
      if (!letter && (c < '0' || c > '9') && c != '+' && c != '/') return kExpected;
    }
  } while (!pins.empty());
  return nullptr;
}

std::string_view UrlUserInfo(std::string_view url) {
  return SplitAuthority(AuthorityText(url)).user_info;
}

void WriteMaskedUrl(TextWriter& out, std::string_view url) {
  if (url.empty()) return;
  const size_t query = url.find('?');
  std::string_view rest = url.substr(0, query);
  if (const std::string_view secret = UrlUserInfo(url); !secret.empty()) {
    const auto at = static_cast<size_t>(secret.data() - url.data());
    out << rest.substr(0, at) << kMask;
    rest.remove_prefix(at + secret.size());
  }
  out << rest;
  if (query != std::string_view::npos) out << '?' << kMask;
}

std::optional<Address> SplitAddress(std::string_view text) {
  const Authority parts = SplitAuthority(text);
  if (!parts.user_info.empty() || text.find('@') != std::string_view::npos) return std::nullopt;
  const std::optional<uint16_t> port = ParseNumber<uint16_t>(parts.port);
  const bool host_ok = parts.bracketed ? LooksLikeIpv6(parts.host) : IsIpv4(parts.host);
  if (!host_ok || !port) return std::nullopt;
  return Address{parts.host, *port};
}

bool IsUnixListener(std::string_view text) {
  return text.starts_with(kUnixPrefix) && text.substr(kUnixPrefix.size()).starts_with('/') &&
         text.size() <= kUnixPrefix.size() + kUnixPathMax;
}

bool IsLoopback(const Address& address) {
  return address.host == "::1" || (IsIpv4(address.host) && address.host.starts_with("127."));
}

}  // namespace limpet
