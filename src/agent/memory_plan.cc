#include "agent/memory_plan.h"

#include <algorithm>
#include <numeric>

#include "batch/batcher.h"
#include "batch/gzip.h"
#include "config/destination.h"
#include "deliver/delivery.h"
#include "limpet/limits.h"
#include "logs/log_sources.h"
#include "receive/otlp_receiver.h"
#include "serve/http_server.h"
#include "spool/spool_memory.h"

namespace limpet {
namespace {

constexpr size_t kAlignment = 64;
// Batches of full size that the queue holds at least: one in flight, one that waits; and one more for a
// receiver, which takes nothing that would leave no room for the next (Spooler::HasRoom).
size_t QueueBatchesMin(const Config& config) { return config.receive.present ? 3 : 2; }

constexpr size_t RoundUp(size_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

bool AnyGzip(const Config& config) {
  return std::any_of(config.destinations.begin(),
                     config.destinations.begin() +
                         static_cast<std::ptrdiff_t>(config.destination_count),
                     [](const DestinationConfig& d) { return d.gzip; });
}

/// Own metrics need a batch of metrics always, events a small one of logs.
std::array<size_t, kSignalCount> SlabSizes(const Config& config, const ForeignSizes& foreign) {
  const size_t whole = RoundUp(Batcher::SlabBytes(config.queue.batch_bytes));
  std::array<size_t, kSignalCount> sizes = {whole, std::max(kEventSlabBytes, foreign.logs_slab), 0};
  for (const Signal signal : kSignals) {
    const bool received = config.receive.present && (TakenSignals(config) >> Index(signal) & 1) != 0;
    if (received || (signal == Signal::kLogs && config.log_count > 0)) sizes[Index(signal)] = std::max(sizes[Index(signal)], whole);
  }
  return sizes;
}

size_t ReceiverScratch(const Config& config) {
  if (!config.receive.present) return 0;
  return OtlpReceiver::ScratchBytes(config.receive.max_body_bytes, config.queue.batch_bytes, config.receive.merge);
}

/// Its server and itself.
size_t ReceiverBytes(const Config& config) {
  if (!config.receive.present) return 0;
  return RoundUp(HttpServer::BytesNeeded(ReceiverLimits(config))) +
         RoundUp(OtlpReceiver::BytesNeeded(config.receive.max_connections));
}

void WriteKiB(TextWriter& out, size_t bytes) {
  out.Fixed(static_cast<double>(bytes) / 1024, 1) << " KiB";
}

}  // namespace

HttpServerLimits ReceiverLimits(const Config& config) {
  // With TLS no more than have a session: whoever is idle makes room for others.
  const size_t connections = config.receive.max_connections;
  return {.connections = config.receive.tls_cert.empty() ? connections : TlsServerSessions(connections),
          .body_max = config.receive.max_body_bytes,
          .page_bytes = kKiB,
          .idle_timeout = config.receive.idle_timeout};
}

Result<MemoryPlan> MemoryPlan::Make(const Config& config, const ForeignSizes& foreign,
                                    TextWriter& error) {
  MemoryPlan plan;
  const auto memory = static_cast<size_t>(config.agent.memory_bytes);  // At most 1 GiB.
  const size_t batch = config.queue.batch_bytes;
  const auto set = [&plan](Holder holder, std::string_view name, size_t bytes,
                           std::string_view holds, bool in_region = true) {
    plan.shares_[static_cast<size_t>(holder)] = {name, RoundUp(bytes), in_region, holds};
  };
  const bool gzip = AnyGzip(config);
  const bool spool = config.spool.durability != Durability::kMemoryOnly;
  const size_t destinations = std::max<size_t>(config.destination_count, 1);
  set(Holder::kLibc, "libc", foreign.libc, "libc: files, directories, names", false);
  set(Holder::kConfig, "config", foreign.config, "the configuration's text", false);
  set(Holder::kCurl, "curl", foreign.curl * destinations, "libcurl and c-ares");
  set(Holder::kTls, "tls", foreign.tls * destinations + foreign.tls_server, "mbedTLS");
  set(Holder::kSpool, "spool", spool ? SpoolMemory::Bytes(batch) : 0,
      "SQLite, its worker's stack, a record on its way");
  const bool mounts = config.host.present && (config.host.groups & Bit(HostGroup::kFilesystem)) != 0;
  set(Holder::kMounts, "mounts", mounts ? foreign.mounts : 0,
      "stacks of the threads that measure filesystems");
  plan.slabs_ = SlabSizes(config, foreign);
  set(Holder::kSlab, "slab", std::accumulate(plan.slabs_.begin(), plan.slabs_.end(), size_t{0}), "the open batches");
  set(Holder::kGzip, "gzip", gzip ? GzipCompressor::BytesNeeded() + kAlignment + batch : 0,
      "the compressor and its output");
  set(Holder::kDelivery, "delivery", destinations * RoundUp(foreign.transport) + Delivery::BytesNeeded(config),
      "destinations, their answers, a batch without gzip");
  set(Holder::kScratch, "scratch", std::max({kProcFileBytes, batch, ReceiverScratch(config), LogSources::BufferBytes(config)}),
      "a file of /proc, a batch taken apart, a request inflated");
  set(Holder::kListener, "listener",
      RoundUp(HttpServer::BytesNeeded({.page_bytes = PageBytes(destinations, config.log_count)})) + ReceiverBytes(config) + RoundUp(foreign.gate),
      "[health], the control socket, [receive.otlp]");
  set(Holder::kLogs, "logs", LogSources::BytesNeeded(config), "[log.*]: what is known of files, records in the making");
  set(Holder::kBodies, "bodies",
      config.receive.present ? HttpServer::PoolBytes(config.receive.max_body_bytes, 1) : 0,
      "requests to [receive.otlp], until they are whole");
  set(Holder::kProgram, "program", foreign.program, "limpet's own objects, tables and buffers");

  size_t fixed = 0;
  for (const Share& share : plan.shares_) fixed += share.bytes;
  const size_t queue_min = QueueBatchesMin(config) * BatchQueue::BytesFor(batch);
  if (fixed + queue_min > memory) {
    error << "agent.memory: ";
    WriteKiB(error, memory);
    error << " is too little, ";
    WriteKiB(error, fixed + queue_min);
    const size_t spool_bytes = plan.of(Holder::kSpool).bytes;
    const bool without_spool = spool && fixed + queue_min - spool_bytes <= memory;
    error << " are needed: raise it, " << (without_spool ? "" : "or ")
          << "lower queue.batch_bytes (now ";
    WriteKiB(error, batch);
    error << ", taken "
          << 1 + (gzip ? 1 : 0) + (spool ? SpoolMemory::kBatches : 0) + QueueBatchesMin(config)
          << " times over)";
    if (without_spool) {
      error << ", or set spool.durability = never (the spool takes ";
      WriteKiB(error, spool_bytes);
      error << ')';
    }
    if (config.receive.present) {
      error << ", or lower receive.otlp.max_body (now ";
      WriteKiB(error, config.receive.max_body_bytes);
      error << ", taken twice)";
    }
    return {Code::kFull, 0, "memory plan"};
  }
  set(Holder::kQueue, "queue", 0, "closed batches, until they are delivered");
  Share& queue = plan.shares_[static_cast<size_t>(Holder::kQueue)];
  queue.bytes = (memory - fixed) / kBlockBytes * kBlockBytes;
  plan.total_ = fixed + queue.bytes;
  plan.max_body_ = config.receive.present ? config.receive.max_body_bytes : 0;
  return plan;
}

size_t MemoryPlan::region_bytes() const {
  size_t bytes = 0;
  for (const Share& share : shares_) bytes += share.in_region ? share.bytes : 0;
  return bytes + kAlignment;
}

void MemoryPlan::Write(TextWriter& out) const {
  out << "; memory plan: every pool, taken at start\n";
  for (const Share& share : shares_) {
    out << ";   " << share.name;
    for (size_t i = share.name.size(); i < 10; ++i) out << ' ';
    TextBuffer<24> bytes;
    bytes << share.bytes;
    for (size_t i = bytes.size(); i < 10; ++i) out << ' ';
    out << bytes.text() << "  " << share.holds << '\n';
  }
  TextBuffer<24> total;
  total << total_;
  out << ";   total     ";
  for (size_t i = total.size(); i < 10; ++i) out << ' ';
  out << total.text() << "  bytes\n";
  const size_t queue = of(Holder::kQueue).bytes;
  if (max_body_ > queue) {
    out << "; The queue is smaller than receive.otlp.max_body (" << max_body_ << "): a request that it would not hold\n"
        << "; even when empty, compressed as it is in batches, is refused by 413. Raise agent.memory for such.\n";
  }
}

std::span<std::byte> Carver::Take(size_t bytes) {
  const auto address = reinterpret_cast<uintptr_t>(rest_.data());
  const size_t skip = RoundUp(address) - address;
  LIMPET_CHECK(rest_.size() >= skip + bytes);
  const std::span<std::byte> piece = rest_.subspan(skip, bytes);
  rest_ = rest_.subspan(skip + bytes);
  return piece;
}

}  // namespace limpet
