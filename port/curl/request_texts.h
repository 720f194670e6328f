// The URLs, headers and proxy of a destination as libcurl wants them: C strings and linked lists, made
// once. What comes out of files (tokens, header.NAME_file, proxy_file) follows them.
#pragma once

#include <span>
#include <string_view>

#include "base/text.h"
#include "config/config.h"
#include "limpet/batch.h"
#include "limpet/log.h"
#include "limpet/status.h"
#include "limpet/time.h"

struct curl_slist;

namespace limpet {

class RequestTexts {
 public:
  RequestTexts() = default;
  ~RequestTexts();
  RequestTexts(const RequestTexts&) = delete;
  RequestTexts& operator=(const RequestTexts&) = delete;

  /// Checks and copies; call it once. user_agent: "limpet/1.0".
  /// kInvalid: a URL or a header of the configuration cannot be used. kFull: no memory.
  Status Make(const DestinationConfig& config, std::string_view user_agent);

  bool made() const { return block_ != nullptr; }

  /// Empty when the destination does not take the signal.
  const char* url(Signal signal) const;

  /// Reads what is in files and has changed. Files that turn bad, or good again, are logged once.
  /// kInvalid: one has never held what it should (WriteProblem says which): no request can be made.
  Status Refresh(MonoTime now, Log* log);
  void WriteProblem(TextWriter& out) const;
  /// What came out of files was refused: it is read again with the next Refresh.
  void Distrust();

  /// http://[user:password@]host:port; empty: none. It may change with a Refresh.
  const char* proxy() const;
  std::string_view proxy_host() const;

  /// For a connection without a request: http, host and port of where requests go, or of the proxy.
  const char* KnockUrl();

  /// The headers of one request, valid until the next call. key: without quotes; empty: none.
  curl_slist* Headers(Encoding encoding, std::string_view key);

 private:
  struct Secret;
  struct Block;
  std::span<Secret> secrets() const;

  std::string_view destination_;  // Its name.
  Block* block_ = nullptr;  // In the heap "curl", the secrets and the texts behind it.
};

}  // namespace limpet
