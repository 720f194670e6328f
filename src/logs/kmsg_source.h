// A section of type kmsg: the kernel's messages, read from /dev/kmsg. The kernel keeps them in a ring, which is
// the queue of this source as long as it does not go round.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "batch/source.h"
#include "config/config.h"
#include "limpet/batch.h"
#include "limpet/files.h"
#include "limpet/log.h"
#include "limpet/poller.h"
#include "limpet/time.h"
#include "logs/kmsg_record.h"
#include "logs/read_record.h"
#include "logs/record_pipeline.h"
#include "logs/track_table.h"

namespace limpet {

/// Of a message: from the boot and its sequence number.
RecordUid KmsgUid(const BootId& boot, uint64_t sequence);

/// A track is one boot; its position is the sequence number of the next message.
///
/// Invariants:
///  K1  Sequence numbers grow by one. What is missing between two records was overwritten before it was read,
///      and is counted as lost; so is what is missing since the position of an earlier process, and since
///      the boot when an earlier process knew an earlier boot.
///  K2  Nothing is read that cannot be written: what waits, waits in the ring.
///  K3  The device is watched only after it had nothing more to read, and until it is ready.
class KmsgSource final : public Source, private PollHandler {
 public:
  static constexpr const char* kPath = "/dev/kmsg";
  static constexpr uint32_t kRecordsPerTurn = 128;
  static constexpr size_t kRecordBytes = 8 * kKiB;     ///< The longest record (CONSOLE_EXT_LOG_MAX).
  static constexpr size_t kScratchBytes = kRecordBytes + 3 * kKiB;  ///< And its attributes.
  static constexpr Duration kGap = Seconds(10);        ///< Without a loss: the episode is over.
  static constexpr Duration kPause = Seconds(60);      ///< After a read that failed.

  struct Parts {
    Files& files;
    Poller& poller;
    TrackTable& tracks;
    RecordPipeline& pipeline;
    Log& log;
    std::span<std::byte> scratch;       ///< kScratchBytes, used within a call.
    std::span<const uint8_t> resource;  ///< Encoded Resource message.
    BootId boot;                        ///< Not known: all zero; what the ring has is read at each start then.
  };
  KmsgSource(const LogConfig& config, const Parts& parts);
  KmsgSource(const KmsgSource&) = delete;
  KmsgSource& operator=(const KmsgSource&) = delete;

  /// Opens the device. Errors as Files::Open; kDenied: it takes CAP_SYSLOG, or kernel.dmesg_restrict = 0.
  Status Start();

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

  void Close();

  /// Messages that the kernel overwrote before they were read.
  uint64_t lost() const { return lost_; }

 private:
  void OnReady(int handle, uint8_t ready) override;
  void Adopt();
  void Follow();
  MonoTime Read(const Stamp& now, LogEncoder& logs);
  void Take(std::span<char> bytes, const Stamp& now, LogEncoder& logs);
  UnixTime TimeOf(const KmsgRecord& record, const Stamp& now);
  void CountLost(uint64_t count, MonoTime now);
  MonoTime EndEpisode(MonoTime now);

  const LogConfig& config_;
  const Parts parts_;
  const TrackOwner owner_;
  std::span<char> record_;
  std::span<uint8_t> attributes_;

  int device_ = -1;
  bool adopted_ = false;
  bool skipping_ = false;      // To the end of what is there: the very first start.
  Track* track_ = nullptr;
  uint64_t next_ = 0;          // Sequence number of the next message,
  bool next_known_ = false;    // if that can be told.

  bool ready_ = true;          // K3
  MonoTime again_;             // Nothing is tried before.
  bool live_ = false;          // What comes now has just been logged.
  Duration offset_;            // Of boot time to the kernel's log clock.

  uint64_t lost_ = 0, lost_told_ = 0;
  MonoTime last_loss_ = kNever;  // kNever: no episode.
};

}  // namespace limpet
