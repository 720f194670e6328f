#include "port/curl/request_texts.h"

#include <curl/curl.h>

#include <array>
#include <cstring>
#include <new>
#include <tuple>

#include "base/text.h"
#include "config/checks.h"
#include "limpet/limits.h"
#include "port/curl/failure_text.h"
#include "port/curl/library_heaps.h"

namespace limpet {
namespace {

/// As the configuration's own check, and a value without control characters.
Status CheckHeader(const KeyValue& header) {
  if (HeaderNameFault(header.key) != nullptr) return {Code::kInvalid, 0, "header name"};
  for (const char c : header.value) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < ' ' && c != '\t') || byte == 0x7f) return {Code::kInvalid, 0, "header value"};
  }
  return {};
}

/// "http://host:port/" of a URL that has no fault: for a connection over which nothing is said.
void WriteKnockUrl(TextWriter& out, std::string_view url) {
  const bool tls = url.size() > 5 && EqualsIgnoringCase(url.substr(0, 6), "https:");
  url.remove_prefix(url.find("://") + 3);
  url = url.substr(0, url.find_first_of("/?#"));
  if (const size_t user = url.rfind('@'); user != std::string_view::npos) url.remove_prefix(user + 1);
  const size_t bracket = url.rfind(']');
  const bool port = url.find(':', bracket == std::string_view::npos ? 0 : bracket) != std::string_view::npos;
  out << "http://" << url << (port ? "/" : tls ? ":443/" : ":80/");
}

/// By libcurl's own parser, so that nothing is left for it to refuse later.
Status CheckUrl(const char* url) {
  CURLU* const parsed = curl_url();
  if (parsed == nullptr) return {Code::kFull, 0, "destination"};
  const CURLUcode code = curl_url_set(parsed, CURLUPART_URL, url, 0);
  curl_url_cleanup(parsed);
  if (code == CURLUE_OUT_OF_MEMORY) return {Code::kFull, 0, "destination"};
  const std::string_view text(url);
  const bool http = EqualsIgnoringCase(text.substr(0, 7), "http://") || EqualsIgnoringCase(text.substr(0, 8), "https://");
  if (code != CURLUE_OK || !http || HostOf(text).empty()) {
    return {Code::kInvalid, code, "destination url"};
  }
  return {};
}

constexpr std::string_view kKeyName = "Idempotency-Key: ";

}  // namespace

struct RequestTexts::Block {
  // Content-Type, User-Agent and Expect beside the configured ones.
  static constexpr size_t kFixed = 3 + std::tuple_size_v<decltype(DestinationConfig::headers)>;

  std::array<char*, kSignalCount> url{};
  char* knock_url = nullptr;
  std::array<curl_slist, kFixed> fixed{};  // Linked in order; the list of each request ends in them.
  curl_slist encoding{};
  curl_slist key{};
  char encoding_text[24] = "Content-Encoding: gzip";
  char key_text[kKeyName.size() + kIdempotencyKeyMax + sizeof "\"\""] = {};
};

RequestTexts::~RequestTexts() {
  if (block_ != nullptr) FreeForLibraries(block_);
}

Status RequestTexts::Make(const DestinationConfig& config, std::string_view user_agent) {
  LIMPET_CHECK(block_ == nullptr);
  const auto headers = std::span(config.headers).first(config.header_count);
  size_t bytes = user_agent.size() + 128;  // 128: our own headers.
  for (const KeyValue& header : headers) {
    LIMPET_TRY(CheckHeader(header));
    bytes += header.key.size() + sizeof ": " + header.value.size();
  }
  std::string_view any_url;
  for (const std::string_view url : config.signal_url) {
    bytes += url.size() + 1;
    if (any_url.empty()) any_url = url;
  }
  bytes += any_url.size() + sizeof "http://:443/";

  void* const memory = AllocateForLibraries(sizeof(Block) + bytes);
  if (memory == nullptr) return {Code::kFull, 0, "destination"};
  block_ = new (memory) Block;
  char* const texts = static_cast<char*>(memory) + sizeof(Block);
  TextWriter out({texts, bytes});

  for (size_t i = 0; i < kSignalCount; ++i) {
    block_->url[i] = texts + out.size();
    out << config.signal_url[i] << '\0';
  }
  size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view after_name) {
    curl_slist& node = block_->fixed[count];
    node.data = texts + out.size();
    out << name << after_name;
    if (count > 0) block_->fixed[count - 1].next = &node;
    ++count;
  };
  // To libcurl "Name:" means that it leaves out a header of its own, "Name;" one without a value.
  add("Content-Type: application/x-protobuf", std::string_view("\0", 1));
  add("Expect:", std::string_view("\0", 1));  // No waiting for a "100 Continue".
  add("User-Agent: ", user_agent);
  out << '\0';
  for (const KeyValue& header : headers) {
    add(header.key, header.value.empty() ? ";" : ": ");
    out << header.value << '\0';
  }
  block_->encoding.data = block_->encoding_text;
  block_->key.data = block_->key_text;

  for (const char* const url : block_->url) {
    if (*url != '\0') LIMPET_TRY(CheckUrl(url));
  }
  block_->knock_url = texts + out.size();
  WriteKnockUrl(out, any_url);
  out << '\0';
  LIMPET_CHECK(!out.overflowed());
  return {};
}

const char* RequestTexts::knock_url() const { return block_->knock_url; }

const char* RequestTexts::url(Signal signal) const { return block_->url[Index(signal)]; }

curl_slist* RequestTexts::Headers(Encoding encoding, std::string_view key) {
  curl_slist* list = block_->fixed.data();
  if (encoding == Encoding::kGzip) {
    block_->encoding.next = list;
    list = &block_->encoding;
  }
  if (!key.empty()) {
    TextWriter text(std::span<char>(block_->key_text));
    text << kKeyName << '"' << key << '"' << '\0';
    LIMPET_CHECK(!text.overflowed());
    block_->key.next = list;
    list = &block_->key;
  }
  return list;
}

}  // namespace limpet
