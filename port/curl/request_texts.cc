#include "port/curl/request_texts.h"

#include <curl/curl.h>

#include <array>
#include <cstring>
#include <new>
#include <tuple>

#include "base/text.h"
#include "config/checks.h"
#include "config/endpoint.h"
#include "limpet/limits.h"
#include "port/curl/failure_text.h"
#include "port/curl/library_heaps.h"
#include "port/linux/secret_file.h"

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
constexpr std::string_view kBearer = "Authorization: Bearer ";
constexpr size_t kHeaderFileBytesMax = 2048, kProxyBytesMax = 512;

/// Why a file's value cannot be used, without quoting it.
const char* FaultOf(const SecretFile& file) {
  const Status& status = file.status();
  const bool content = status.code == Code::kInvalid || status.code == Code::kFull;
  return content ? status.where : CodeName(status.code);
}

}  // namespace

/// A header out of a file, or the proxy.
struct RequestTexts::Secret {
  SecretFile file;
  std::string_view key;   // "bearer_token_file"; for header.NAME_file the NAME.
  bool header = false;
  curl_slist node{};      // Of a header: its data is the whole line, the value a part of it.
  bool failing = false;   // The last look failed, and it was told.
};

struct RequestTexts::Block {
  // Content-Type, User-Agent and Expect beside the configured ones.
  static constexpr size_t kFixed = 3 + std::tuple_size_v<decltype(DestinationConfig::headers)>;

  std::array<char*, kSignalCount> url{};
  char* proxy = nullptr;  // Of the configuration, or where a file's value lies.
  size_t secret_count = 0;
  const Secret* bad = nullptr;  // Whose file has never held what it should.
  std::array<curl_slist, kFixed> fixed{};  // Linked in order; the list of each request ends in them.
  curl_slist encoding{};
  curl_slist key{};
  char encoding_text[24] = "Content-Encoding: gzip";
  char key_text[kKeyName.size() + kIdempotencyKeyMax + sizeof "\"\""] = {};
  char knock_text[320];
};

RequestTexts::~RequestTexts() {
  if (block_ != nullptr) FreeForLibraries(block_);
}

std::span<RequestTexts::Secret> RequestTexts::secrets() const {
  return {reinterpret_cast<Secret*>(block_ + 1), block_->secret_count};
}

Status RequestTexts::Make(const DestinationConfig& config, std::string_view user_agent) {
  LIMPET_CHECK(block_ == nullptr);
  destination_ = config.name;
  const auto headers = std::span(config.headers).first(config.header_count);
  const auto files = std::span(config.header_files).first(config.header_file_count);
  size_t bytes = user_agent.size() + 128 + config.proxy.size() + 1;  // 128: our own headers.
  for (const KeyValue& header : headers) {
    LIMPET_TRY(CheckHeader(header));
    bytes += header.key.size() + sizeof ": " + header.value.size();
  }
  for (const std::string_view url : config.signal_url) bytes += url.size() + 1;
  size_t secret_count = 0;
  const auto reserve = [&](size_t size) { ++secret_count, bytes += size; };
  if (!config.bearer_token_file.empty()) reserve(kBearer.size() + SecretFile::kBytesMax + 1);
  if (!config.proxy_file.empty()) reserve(kProxyBytesMax + 1);
  for (const KeyValue& file : files) {
    LIMPET_TRY(CheckHeader({file.key, ""}));
    reserve(file.key.size() + 2 + kHeaderFileBytesMax + 1);
  }

  const size_t front = sizeof(Block) + secret_count * sizeof(Secret);
  void* const memory = AllocateForLibraries(front + bytes);
  if (memory == nullptr) return {Code::kFull, 0, "destination"};
  block_ = new (memory) Block;
  block_->secret_count = secret_count;
  for (Secret& secret : secrets()) new (&secret) Secret;
  char* const texts = static_cast<char*>(memory) + front;
  TextWriter out({texts, bytes});

  for (size_t i = 0; i < kSignalCount; ++i) {
    block_->url[i] = texts + out.size();
    out << config.signal_url[i] << '\0';
  }
  curl_slist* last = nullptr;
  const auto link = [&](curl_slist& node, char* data) {
    node.data = data;
    if (last != nullptr) last->next = &node;
    last = &node;
  };
  size_t count = 0;
  const auto add = [&](std::string_view name, std::string_view after_name) {
    link(block_->fixed[count++], texts + out.size());
    out << name << after_name;
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
  block_->proxy = texts + out.size();
  out << config.proxy << '\0';

  // Room for what comes out of files, each behind its name.
  size_t next_secret = 0;
  const auto watch = [&](std::string_view path, std::string_view key, size_t most) -> Secret& {
    Secret& secret = secrets()[next_secret++];
    secret.key = key;
    const std::span<char> room(texts + out.size(), most + 1);
    LIMPET_CHECK(out.room() >= room.size());
    LIMPET_CHECK(secret.file.Init(path, room).ok());  // kConfigPathMax is below kPathMax.
    out << '\0';
    for (size_t i = 0; i < most; ++i) out << '\0';
    return secret;
  };
  if (!config.proxy_file.empty()) {
    block_->proxy = texts + out.size();
    watch(config.proxy_file, "proxy_file", kProxyBytesMax);
  }
  if (!config.bearer_token_file.empty()) {
    char* const line = texts + out.size();
    out << kBearer;
    Secret& secret = watch(config.bearer_token_file, "bearer_token_file", SecretFile::kBytesMax);
    secret.header = true;
    link(secret.node, line);
  }
  for (const KeyValue& file : files) {
    char* const line = texts + out.size();
    out << file.key << ": ";
    Secret& secret = watch(file.value, file.key, kHeaderFileBytesMax);
    secret.header = true;
    link(secret.node, line);
  }
  LIMPET_CHECK(!out.overflowed());
  block_->encoding.data = block_->encoding_text;
  block_->key.data = block_->key_text;

  for (const char* const url : block_->url) {
    if (*url != '\0') LIMPET_TRY(CheckUrl(url));
  }
  return {};
}

Status RequestTexts::Refresh(MonoTime now, Log* log) {
  block_->bad = nullptr;
  for (Secret& secret : secrets()) {
    secret.file.Refresh(now);
    const bool usable = !secret.file.value().empty() && (secret.header || ProxyFault(secret.file.value()) == nullptr);
    if (!usable && block_->bad == nullptr) block_->bad = &secret;
    const bool failing = !secret.file.status().ok();
    if (failing == secret.failing) continue;
    secret.failing = failing;
    if (log == nullptr || !usable) continue;  // Without a value the request fails, and that is told.
    if (failing) {
      log->Warn("a secret's file has turned bad: what it held before stays in force",
                {{"destination", destination_}, {"path", secret.file.path()}, {"error", FaultOf(secret.file)}});
    } else {
      log->Info("a secret's file is good again", {{"destination", destination_}, {"path", secret.file.path()}});
    }
  }
  return block_->bad == nullptr ? Status{} : Status{Code::kInvalid, 0, "secret"};
}

void RequestTexts::WriteProblem(TextWriter& out) const {
  const Secret& secret = *block_->bad;
  const bool own_header = secret.header && secret.key != std::string_view("bearer_token_file");
  out << (own_header ? "header." : "") << secret.key << (own_header ? "_file" : "") << ' ' << secret.file.path()
      << ": ";
  if (secret.file.value().empty()) {
    out << FaultOf(secret.file);
  } else {
    out << ProxyFault(secret.file.value());
  }
}

void RequestTexts::Distrust() {
  for (Secret& secret : secrets()) secret.file.Distrust();
}

const char* RequestTexts::proxy() const { return block_->proxy; }

std::string_view RequestTexts::proxy_host() const { return HostOf(block_->proxy); }

const char* RequestTexts::KnockUrl() {
  const char* where = block_->proxy;
  for (const char* const url : block_->url) {
    if (*where == '\0') where = url;
  }
  TextWriter out{std::span<char>(block_->knock_text)};
  WriteKnockUrl(out, where);
  out << '\0';
  LIMPET_CHECK(!out.overflowed());  // A host has 253 characters at most.
  return block_->knock_text;
}

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
