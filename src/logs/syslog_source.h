// Syslog over UDP and TCP at one address, or datagrams of a Unix socket such as /dev/log.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "batch/log_encoder.h"
#include "batch/source.h"
#include "config/config.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/poller.h"
#include "limpet/sockets.h"
#include "limpet/status.h"
#include "limpet/time.h"
#include "logs/line_parser.h"
#include "logs/read_record.h"
#include "logs/record_pipeline.h"
#include "logs/syslog_framer.h"
#include "logs/syslog_parser.h"

namespace limpet {

/// Invariants:
///  Y1  A turn takes at most kDatagramsAtOnce datagrams and kBytesAtOnce bytes of them, and makes one read
///      of at most kReadAtOnce for each connection: nobody here holds up the others, nor other sources.
///  Y2  While sources are paused, datagrams are read all the same and dropped, counted (source_full), as
///      are those that the kernel dropped before we read; connections are not read, so that their
///      senders wait.
///  Y3  A connection keeps what is there of an unfinished message in kOwnBytes of its own. One at a time,
///      the holder, may have more, in the one long buffer, until its message is finished. Who needs it
///      meanwhile waits unread, in the order of coming; while one waits, the holder has kHold for its
///      message, then that is cut.
///  Y4  A connection is closed by its peer, or when its framing is broken, or, the longest silent first,
///      when all are taken and another comes. Only one that was silent for kSilentMin and of which nothing
///      is there to read goes for that; while there is none, the other waits in the kernel's queue.
///  Y5  Whatever ends a connection, what is there of an unfinished message becomes a record.
class SyslogSource final : public Source, private PollHandler {
 public:
  static constexpr size_t kConnections = 16;
  static constexpr size_t kHandles = 2 + kConnections;  ///< Of the poller.
  static constexpr size_t kOwnBytes = 1 * kKiB;
  static constexpr size_t kDatagramsAtOnce = 256;
  static constexpr size_t kBytesAtOnce = 64 * kKiB;
  static constexpr size_t kReadAtOnce = 16 * kKiB;
  static constexpr Duration kHold = Seconds(2);
  static constexpr Duration kSilentMin = Seconds(1);
  static constexpr Duration kPause = Seconds(1);  ///< Until what cannot go on is tried again.

  struct Options {
    uint64_t start = 0;                 ///< 64 random bits of this process start, for log.record.uid,
    UnixTime started;                   ///< and when that was.
    std::span<const uint8_t> resource;  ///< Encoded Resource message.
  };

  /// memory: BytesNeeded, its own, aligned as for any object. scratch: ScratchBytes, used within a call.
  static size_t BytesNeeded(const LogConfig& config);
  static size_t ScratchBytes(const LogConfig& config);
  SyslogSource(const LogConfig& config, const Options& options, std::span<std::byte> memory,
               std::span<std::byte> scratch, RecordPipeline& pipeline, Poller& poller, Sockets& sockets,
               Log& log);
  SyslogSource(const SyslogSource&) = delete;
  SyslogSource& operator=(const SyslogSource&) = delete;

  /// Opens the sockets. Errors as Sockets::Listen, BindDatagrams and Poller::Watch: nothing is open then.
  Status Start();

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

  /// Takes what has come so far, up to a bound, and closes everything.
  void Finish(const Stamp& now, LogEncoder& logs);

  struct Use {
    size_t connections = 0, connections_peak = 0;
    uint64_t accepted = 0, displaced = 0;  ///< Displaced: closed for another (Y4).
    uint64_t messages = 0;
    uint64_t lost = 0;                     ///< Datagrams: unread while paused, or dropped by the kernel.
    uint64_t broken = 0;                   ///< Connections closed for their framing.
  };
  const Use& use() const { return use_; }

 private:
  struct Connection {
    int handle = -1;          // -1: free.
    bool ready = false;       // There may be something to read.
    bool waiting = false;     // For the long buffer (Y3), since:
    MonoTime waiting_since;
    MonoTime heard;           // When it was accepted, or the last bytes came.
    PeerAddress peer;
    SyslogFramer framer;
    size_t size = 0;          // Bytes of the unfinished message: in `own`, or in the long buffer.
    std::span<char> own;
  };
  /// Of one turn.
  struct Turn {
    const Stamp& now;
    LogEncoder& logs;
  };

  void OnReady(int handle, uint8_t ready) override;

  bool TakeDatagrams(const Turn& turn);
  bool DiscardDatagrams(const Turn& turn);
  void CountLost(const Turn& turn);
  bool ReadConnections(const Turn& turn);
  void ReadConnection(Connection& connection, const Turn& turn);
  void Keep(Connection& connection, bool in_long, const Turn& turn);
  void Wait(Connection& connection, const Turn& turn);
  MonoTime HurryHolder(const Turn& turn);
  void PassOn(const Turn& turn);
  Connection* LongestWaiting();
  void Accept(const Turn& turn);
  Connection* FreeSlot();
  Connection* Displace(const Turn& turn);
  void ListenAgain();
  void SetPaused(bool paused, const Turn& turn);
  void Watch(Connection& connection, const Turn& turn);
  void Unwatch(Connection& connection);
  void End(Connection& connection, const Turn& turn);
  void Close();
  void Write(std::string_view message, bool truncated, const PeerAddress& peer, const Turn& turn);
  void ParseText(ReadRecord& record, UnixTime now);

  const LogConfig& config_;
  const Options options_;
  const size_t max_line_;
  RecordPipeline& pipeline_;
  Poller& poller_;
  Sockets& sockets_;
  Log& log_;

  std::span<Connection> connections_;
  std::span<char> long_;            // Y3
  Connection* holder_ = nullptr;
  MonoTime held_since_;
  size_t first_ = 0;                // Which is read first in the next turn.

  std::span<char> datagram_;        // Scratch, as is what follows.
  std::span<uint8_t> head_room_;    // Attributes: the peer's and syslog's own.
  LineParser parser_;               // Of the text of a message.
  const bool parses_text_;

  int datagrams_ = -1, listener_ = -1;
  bool datagrams_ready_ = false, listener_ready_ = false;
  bool paused_ = false;
  MonoTime listen_again_ = kNever;  // The listener is not watched until then.
  uint64_t lost_before_ = 0;        // What the kernel had dropped, as counted so far.
  RecordUid uid_;
  Use use_;
};

}  // namespace limpet
