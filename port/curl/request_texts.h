// The URLs and headers of a destination as libcurl wants them: C strings and linked lists, made once.
#pragma once

#include <string_view>

#include "config/config.h"
#include "limpet/batch.h"
#include "limpet/status.h"

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

  /// For a connection without a request: http, host and port of where they go.
  const char* knock_url() const;

  /// The headers of one request, valid until the next call. key: without quotes; empty: none.
  curl_slist* Headers(Encoding encoding, std::string_view key);

 private:
  struct Block;
  Block* block_ = nullptr;  // In the heap "curl", the texts behind it.
};

}  // namespace limpet
