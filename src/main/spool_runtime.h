// The spool as the running program has it: the directory, SQLite's heap, the thread, the store.
#pragma once

#include <optional>
#include <span>

#include "agent/memory_plan.h"
#include "config/config.h"
#include "limpet/log.h"
#include "limpet/pool.h"
#include "limpet/poller.h"
#include "limpet/time.h"
#include "port/linux/state_dir.h"
#include "port/linux/worker_thread.h"
#include "spool/spooler.h"
#include "spool/store.h"

namespace limpet {

SpoolOptions MakeSpoolOptions(const Config& config);

class SpoolRuntime {
 public:
  explicit SpoolRuntime(const Config& config) : config_(config) {}

  /// Takes the directory and its lock, opens the database and starts the worker. Does nothing with
  /// durability = never. An exit code: kExitOk also when the spool cannot be used for now.
  int Start(std::span<std::byte> memory, Clock& clock, Poller& poller, Log& log);
  /// Waits for what is being written, and closes.
  void Stop();

  SpoolParts parts() {
    return store_ != nullptr ? SpoolParts{store_, &worker_, &*state_dir_, job_} : SpoolParts{};
  }
  /// For pieces of the file on their way to a command; empty with durability = never.
  std::span<uint8_t> file_buffer() { return file_buffer_; }
  /// Of the database, as it was found: where there is a store.
  const SpoolOpened& opened() const { return job_->opened; }
  /// What it keeps of its process; empty: nothing.
  std::string_view instance() const { return job_ != nullptr ? job_->opened.instance.text() : std::string_view(); }
  const Status& status() const { return status_; }

 private:
  const Config& config_;
  FixedHeap heap_;
  std::span<uint8_t> file_buffer_;
  std::optional<StateDir> state_dir_;
  SpoolJob* job_ = nullptr;  // These two lie in the spool's memory.
  SpoolStore* store_ = nullptr;
  WorkerThread worker_;
  Status status_;
};

}  // namespace limpet
