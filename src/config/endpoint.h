// The outer form of URLs and listening addresses; nothing is looked up here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/text.h"

namespace limpet {

/// What is wrong with an http or https URL, for people, without quoting it (it may hold a
/// password). Null when nothing is.
/// whole: it is used as it is, so that a query may follow the path.
const char* UrlFault(std::string_view url, bool whole);

/// The same of a proxy: http, a host and a port, nothing behind them.
const char* ProxyFault(std::string_view url);

/// Of a host name or an address without brackets.
const char* HostFault(std::string_view host);

/// Of "sha256//BASE64", 32 bytes of it, or several with `;` between.
const char* PinsFault(std::string_view pins);

/// "user:password" of a URL that has no fault; empty when there is none.
std::string_view UrlUserInfo(std::string_view url);

/// What keeps a value from those who may read the output.
inline constexpr std::string_view kMask = "***";

/// Writes a URL that has no fault, or none, with `***` for what stands before its @ and behind its ?.
void WriteMaskedUrl(TextWriter& out, std::string_view url);

struct Address {
  std::string_view host;  ///< "127.0.0.1", "::1".
  uint16_t port = 0;
};

/// "127.0.0.1:80" or "[::1]:80". Nothing when malformed.
std::optional<Address> SplitAddress(std::string_view text);

/// The longest path of a Unix socket: sun_path of unix(7) without its NUL.
inline constexpr size_t kUnixPathMax = 107;

/// "unix:/run/limpet/otlp.sock": an absolute path behind the prefix, no longer than that.
inline constexpr std::string_view kUnixPrefix = "unix:";
bool IsUnixListener(std::string_view text);

/// Can only this host reach it?
bool IsLoopback(const Address& address);

}  // namespace limpet
