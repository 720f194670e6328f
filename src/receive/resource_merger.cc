#include "receive/resource_merger.h"

#include <algorithm>
#include <string_view>

#include "otlp/otlp.pb.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

// The three kinds of requests, and of what they consist of, have the same numbers.
constexpr uint32_t kResources = otlp_ExportLogsServiceRequest_resource_logs_tag;
static_assert(kResources == otlp_ExportMetricsServiceRequest_resource_metrics_tag &&
              kResources == otlp_ExportTraceServiceRequest_resource_spans_tag);
constexpr uint32_t kResource = otlp_ResourceLogs_resource_tag;
static_assert(kResource == otlp_ResourceMetrics_resource_tag && kResource == otlp_ResourceSpans_resource_tag);

std::string_view KeyOf(WireReader attribute) {
  std::string_view key;
  while (attribute.Next()) {
    if (attribute.field() == otlp_KeyValue_key_tag) key = attribute.String();
  }
  return key;
}

bool NamesLimpet(std::string_view key) {
  constexpr std::string_view kOwn[] = {"service.name", "service.instance.id", "service.version"};
  return std::find(std::begin(kOwn), std::end(kOwn), key) != std::end(kOwn);
}

/// In any of the message's Resource fields: of several, a parser makes one.
bool HasKey(std::span<const uint8_t> message, std::string_view key) {
  for (WireReader in(message); in.Next();) {
    if (in.field() != kResource) continue;
    for (WireReader resource = in.Message(); resource.Next();) {
      if (resource.field() == otlp_Resource_attributes_tag && KeyOf(resource.Message()) == key) return true;
    }
  }
  return false;
}

}  // namespace

size_t ResourceMerger::Append(std::span<const uint8_t> request, WireWriter& out, size_t room) const {
  const size_t begin = out.size();
  size_t done = 0;
  for (WireReader in(request); in.Next();) {
    const size_t before = out.size();
    if (in.field() == kResources) {
      const size_t mark = out.Open(kResources);
      Merge(in.Bytes(), out);
      out.Close(mark);
    } else {
      out.Raw(in.raw());
    }
    if (!out.ok() || out.size() - begin > room) {
      out.Rewind(before);
      break;
    }
    done += in.raw().size();
  }
  return done;
}

/// One Resource in front, made of all that there are and of what is missing; then everything else.
void ResourceMerger::Merge(std::span<const uint8_t> message, WireWriter& out) const {
  const size_t mark = out.Open(kResource);
  for (WireReader in(message); in.Next();) {
    if (in.field() == kResource) out.Raw(in.Bytes());
  }
  for (WireReader host(host_); host.Next();) {
    if (host.field() != otlp_Resource_attributes_tag) continue;
    const std::string_view key = KeyOf(host.Message());
    if (!NamesLimpet(key) && !HasKey(message, key)) out.Raw(host.raw());
  }
  out.Close(mark);
  for (WireReader in(message); in.Next();) {
    if (in.field() != kResource) out.Raw(in.raw());
  }
}

}  // namespace limpet
