// The store under a steady load, for what its commits cost the flash and the heap.
#pragma once

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "sim/flash.h"
#include "sim/sim_storage.h"
#include "sim/sqlite_heap.h"
#include "sim/world.h"
#include "spool/job.h"
#include "spool/spool_memory.h"
#include "spool/store.h"

namespace limpet::sim {

/// What some commits came to.
struct LoadPhase {
  FlashCounters flash;
  uint64_t payload = 0, commits = 0;
  double per_payload() const {
    return static_cast<double>(flash.written_bytes) / static_cast<double>(payload);
  }
  double per_commit() const {
    return static_cast<double>(flash.written_bytes) / static_cast<double>(commits);
  }
};

class SpoolLoad {
 public:
  /// commit: the sizes of the batches of each transaction; the largest goes to logs.
  SpoolLoad(const std::vector<size_t>& commit, const SpoolOptions& options)
      : commit_(commit), options_(options), buffer_(SpoolMemory::BufferBytes(options.batch_bytes)) {
    payload_.resize(options_.batch_bytes + 4096);
    for (uint8_t& byte : payload_) byte = static_cast<uint8_t>(random_());
    store_ = std::make_unique<SpoolStore>(options_, storage_, clock_, buffer_);
    store_->Take(job_);
    job_.open = true;
  }

  /// Every job must succeed.
  bool ok() const { return ok_; }
  const SpoolJob& job() const { return job_; }
  const SimFlash& flash() const { return flash_; }

  /// Commits; settle: as many of the oldest batches are done with each as are added.
  LoadPhase Run(uint64_t commits, bool settle) {
    LoadPhase phase;
    flash_.counters = {};
    for (; phase.commits < commits && ok_; ++phase.commits) phase.payload += Commit(settle);
    phase.flash = flash_.counters;
    return phase;
  }

  /// Commits until the spool is full and has dropped something.
  void FillUp() {
    while (ok_ && job_.lost[0][0].batches + job_.lost[1][0].batches == 0) (void)Commit(false);
  }

 private:
  class Piece final : public Body {
   public:
    explicit Piece(std::span<const uint8_t> bytes) : bytes_(bytes) {}
    size_t size() const override { return bytes_.size(); }
    std::span<const uint8_t> At(size_t offset) const override {
      constexpr size_t kPiece = 512;  // A block of the queue.
      return bytes_.subspan(offset, std::min(kPiece - offset % kPiece, bytes_.size() - offset));
    }

   private:
    const std::span<const uint8_t> bytes_;
  };

  uint64_t Commit(bool settle) {
    uint64_t bytes = 0;
    std::vector<Piece> records;
    records.reserve(commit_.size());
    job_.write = true;
    job_.add_count = 0;
    job_.added = {};
    job_.lost = {};
    job_.full = false;
    const size_t largest = *std::max_element(commit_.begin(), commit_.end());
    for (const size_t size : commit_) {
      const SpoolRow row = next_row_++;
      records.emplace_back(std::span(payload_).subspan(random_() % 4096, size));
      BatchHeader& header = job_.adds[job_.add_count].header;
      header = {.signal = size == largest ? Signal::kLogs : Signal::kMetrics,
                .start = 0xfedcba9876543210u,
                .sequence = row,
                .encoding = Encoding::kGzip,
                .items = 300,
                .raw_bytes = static_cast<uint32_t>(size * 5),
                .stored_bytes = static_cast<uint32_t>(size),
                .first_mono = clock_.Monotonic(),
                .last_mono = clock_.Monotonic(),
                .first_wall = clock_.Wall(),
                .last_wall = clock_.Wall()};
      job_.adds[job_.add_count++] = {row, header, &records.back()};
      bytes += size;
    }
    if (settle) {
      done_ += commit_.size();
      for (const Signal signal : {Signal::kMetrics, Signal::kLogs}) {
        job_.done_through[Index(signal)] = done_;
        job_.account.accounts[Index(signal)].delivered += 300;
        job_.account.At("destination.primary")->counts[2 * Index(signal)] += 300;
      }
    } else {
      done_ = std::max(done_, next_row_ > kKeep ? next_row_ - kKeep : 0);
    }
    job_.next_row = next_row_;
    job_.instance = "0123456789abcdef0123456789abcdef";
    job_.boot.bytes = {1, 2, 3};
    clock_.mono = clock_.mono + Seconds(5);
    job_.mono = clock_.Monotonic();
    job_.wall = clock_.Wall();
    store_->Run();
    ok_ = ok_ && job_.status.ok();
    return bytes;
  }

  static constexpr SpoolRow kKeep = 40;

  const std::vector<size_t> commit_;
  const SpoolOptions options_;
  SimFlash flash_;
  SimStorage storage_{flash_};
  SimClock clock_;
  std::mt19937_64 random_{1};
  std::vector<uint8_t> payload_, buffer_;
  SpoolJob job_;
  std::unique_ptr<SpoolStore> store_;  // After the flash: closed before it goes.
  SpoolRow next_row_ = 1, done_ = 0;
  bool ok_ = true;
};

}  // namespace limpet::sim
