// The agent's world with a receiver, and clients that hand it requests as the HTTP server does.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "otlp/otlp.pb.h"
#include "otlp/wire_writer.h"
#include "sim/spool_world.h"

namespace limpet::sim {

using Bytes = std::vector<uint8_t>;

/// Log records with the attribute `n`, numbered from `first`, of a client that names itself.
inline Bytes LogsRequest(uint64_t first, uint32_t count, std::string_view client = "app", size_t text_bytes = 40,
                         UnixTime time = {}) {
  Bytes buffer(count * (text_bytes + 128) + 512);
  WireWriter out(buffer);
  const auto text = [&](uint32_t field, std::string_view value) {
    const size_t any = out.Open(field);
    out.String(otlp_AnyValue_string_value_tag, value);
    out.Close(any);
  };
  const size_t logs = out.Open(otlp_ExportLogsServiceRequest_resource_logs_tag);
  const size_t resource = out.Open(otlp_ResourceLogs_resource_tag);
  const size_t name = out.Open(otlp_Resource_attributes_tag);
  out.String(otlp_KeyValue_key_tag, "service.name");
  text(otlp_KeyValue_value_tag, client);
  out.Close(name);
  out.Close(resource);
  const size_t scope = out.Open(otlp_ResourceLogs_scope_logs_tag);
  for (uint64_t n = first; n < first + count; ++n) {
    const size_t record = out.Open(otlp_ScopeLogs_log_records_tag);
    if (time.ns != 0) out.SignedFixed64(otlp_LogRecord_observed_time_unix_nano_tag, time.ns);
    text(otlp_LogRecord_body_tag, std::string(text_bytes, static_cast<char>('a' + n % 26)));
    const size_t attribute = out.Open(otlp_LogRecord_attributes_tag);
    out.String(otlp_KeyValue_key_tag, "n");
    const size_t any = out.Open(otlp_KeyValue_value_tag);
    out.Varint(otlp_AnyValue_int_value_tag, n);
    out.Close(any);
    out.Close(attribute);
    out.Close(record);
  }
  out.Close(scope);
  out.Close(logs);
  LIMPET_CHECK(out.ok());
  buffer.resize(out.size());
  return buffer;
}

inline Bytes Gzip(const Bytes& raw) {
  std::vector<std::byte> memory(GzipCompressor::BytesNeeded());
  GzipCompressor gzip(memory);
  Bytes packed(raw.size() + 128);
  packed.resize(gzip.Compress(raw, packed).value());
  return packed;
}

struct Reply {
  int status = 0;
  std::string content_type, body;
  int retry_after = 0;
};

struct ReceiveWorld : SpoolWorld {
  explicit ReceiveWorld(uint64_t seed = 1) : SpoolWorld(seed, /*lines_per_second=*/0) {
    config.host.present = false;
    config.self.interval = Duration{};
    config.receive.present = true;
    config.receive.max_body_bytes = 128 * 1024;
    config.receive.max_connections = 4;
  }

  /// A request of now.
  Bytes Logs(uint64_t first, uint32_t count, std::string_view client = "app", size_t text_bytes = 40) {
    return LogsRequest(first, count, client, text_bytes, clock.Wall());
  }

  /// Hands over a request on a connection. Nothing: the answer is deferred (Deferred asks for it).
  std::optional<Reply> Post(const HttpRequest& request) {
    HttpResponse response(page);
    HttpHandler& receiver = *agent->receiver();
    if (!receiver.OnHead(request, response)) return Made(response);
    receiver.OnRequest(request, response);
    if (response.deferred) return std::nullopt;
    return Made(response);
  }
  std::optional<Reply> Post(const Bytes& body, std::string_view path = "/v1/logs", size_t slot = 0,
                            std::string_view type = "application/x-protobuf", std::string_view coding = "") {
    HttpRequest request;
    request.method = "POST";
    request.path = path;
    request.content_type = type;
    request.content_encoding = coding;
    request.body = body;
    request.slot = slot;
    return Post(request);
  }
  std::optional<Reply> Deferred(size_t slot = 0) {
    HttpResponse response(page);
    if (!agent->receiver()->OnDeferred(slot, response)) return std::nullopt;
    return Made(response);
  }
  /// The same, and waits for the answer as a client does.
  Reply PostAndWait(const Bytes& body) {
    std::optional<Reply> reply = Post(body);
    for (int wait = 0; !reply && wait < 3000; ++wait) {
      RunFor(Milliseconds(10));
      reply = Deferred();
    }
    EXPECT_TRUE(reply) << "no answer";
    return reply.value_or(Reply{});
  }
  Reply Made(const HttpResponse& response) {
    EXPECT_FALSE(response.body.overflowed());
    EXPECT_TRUE(agent->Balances());
    return {response.status, std::string(response.content_type), std::string(response.body.text()),
            response.retry_after_seconds};
  }

  std::vector<char> page = std::vector<char>(1024);
};

}  // namespace limpet::sim
