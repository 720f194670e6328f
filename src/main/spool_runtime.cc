#include "main/spool_runtime.h"

#include <new>

#include "cli/exit_code.h"
#include "config/destination.h"
#include "port/sqlite/spool_vfs.h"
#include "spool/spool_memory.h"

namespace limpet {

SpoolOptions MakeSpoolOptions(const Config& config) {
  const bool metrics = config.host.present || config.self.interval > Duration{};
  const SignalSet received = config.receive.present ? TakenSignals(config) : SignalSet{0};
  return {.max_bytes = config.spool.max_bytes,
          .min_free_bytes = config.spool.min_free_bytes,
          .overflow = config.spool.overflow,
          .share_percent = config.spool.share_percent,
          .signals = static_cast<SignalSet>(received | (metrics ? 1 << Index(Signal::kMetrics) : 0)),
          .max_age = config.queue.max_age,
          .dead_max_bytes = config.spool.dead_max_bytes,
          .sync = config.spool.sync,
          .batch_bytes = config.queue.batch_bytes};
}

int SpoolRuntime::Start(std::span<std::byte> memory, Clock& clock, Poller& poller, Log& log) {
  if (config_.spool.durability == Durability::kMemoryOnly) return kExitOk;
  const size_t batch = config_.queue.batch_bytes;
  const auto take = [&memory](size_t bytes) {
    const std::span<std::byte> taken = memory.first(bytes);
    memory = memory.subspan(bytes);
    return taken;
  };
  const std::span<std::byte> heap = take(SpoolMemory::HeapBytes(batch));
  const std::span<std::byte> stack = take(SpoolMemory::StackBytes());
  const std::span<std::byte> buffer = take(SpoolMemory::BufferBytes(batch));
  const std::span<std::byte> file = take(SpoolMemory::FileBytes());
  file_buffer_ = {reinterpret_cast<uint8_t*>(file.data()), file.size()};
  heap_.Init("sqlite", heap);
  Status started = StartSqlite(heap_);
  if (started.ok()) started = StartSpoolVfs();
  if (started.ok()) started = worker_.Start(stack, poller);
  if (!started.ok()) {
    log.Error("cannot start", {{"what", "the spool"}, {"error", CodeName(started.code)},
                               {"where", started.where}});
    return kExitInternal;
  }
  state_dir_.emplace(config_.agent.state_dir);
  job_ = new (take(SpoolMemory::JobBytes()).data()) SpoolJob();
  store_ = new (take(SpoolMemory::StoreBytes()).data())
      SpoolStore(MakeSpoolOptions(config_), *state_dir_, clock,
                 std::span(reinterpret_cast<uint8_t*>(buffer.data()), buffer.size()));
  store_->Take(*job_);
  status_ = store_->Open(job_->opened);
  if (status_.code == Code::kExists) {
    log.Error("another limpet is running",
              {{"state_dir", config_.agent.state_dir}, {"pid", status_.detail}});
    return kExitTryAgain;
  }
  if (!status_.ok()) {
    log.Warn("state_dir cannot be used now", {{"state_dir", config_.agent.state_dir},
                                              {"where", status_.where},
                                              {"error", CodeName(status_.code)}});
  }
  return kExitOk;
}

void SpoolRuntime::Stop() {
  worker_.Stop();
  if (store_ != nullptr) store_->Close();
}

}  // namespace limpet
