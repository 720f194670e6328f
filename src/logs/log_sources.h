// All sources of [log.*] together: their memory, their turn, their tracks.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "batch/otlp_parts.h"
#include "batch/source.h"
#include "config/config.h"
#include "limpet/file_watch.h"
#include "limpet/files.h"
#include "limpet/log.h"
#include "limpet/poller.h"
#include "limpet/sockets.h"
#include "logs/file_source.h"
#include "logs/kmsg_source.h"
#include "logs/pattern.h"
#include "logs/record_pipeline.h"
#include "logs/record_splitter.h"
#include "logs/syslog_source.h"
#include "logs/track_table.h"

namespace limpet {

class JournalSource;

/// What uids are made of.
struct LogIdentity {
  std::string_view instance;
  uint64_t start = 0;  ///< 64 random bits of this process start,
  UnixTime started;    ///< and when that was.
  BootId boot;
};

struct LogPorts {
  Files& files;
  FileWatch* watch = nullptr;  ///< nullptr: files are asked.
  Poller* poller = nullptr;    ///< Where there is a watch, or a source that listens,
  Sockets* sockets = nullptr;  ///< at these.
  Log& log;
};

class LogSources final : public Source, private PollHandler {
 public:
  /// Of the configuration, without the buffer that is shared with others.
  static size_t BytesNeeded(const Config& config);
  /// What is read at once: out of the scratch memory of the program.
  static size_t BufferBytes(const Config& config);

  /// memory: BytesNeeded, aligned to 64. buffer: BufferBytes at least.
  LogSources(const Config& config, std::span<std::byte> memory, std::span<char> buffer, const LogPorts& ports,
             const LogIdentity& identity);
  LogSources(const LogSources&) = delete;
  LogSources& operator=(const LogSources&) = delete;

  /// Before the first turn. host: the attributes of what this host sends.
  /// kFull: with those of a source they are too many; kIo, kFull of the poller.
  Status Start(std::span<const ResourceAttribute> host);
  /// Of a source that could not be started: its name.
  std::string_view failed() const { return failed_; }
  /// At a stop: takes what has come already where it cannot be read again.
  void Finish(const Stamp& now, LogEncoder& logs);

  TrackTable& tracks() { return *tracks_; }
  /// Of the sections, in their order: what stands in [].
  size_t count() const { return count_; }
  std::string_view name(size_t n) const { return names_[n].text(); }
  /// Since the start, and what earlier processes had of what is kept.
  LoggedView View(size_t n) const;
  void Resume(size_t n, const LoggedView& before) { before_[n] = before; }
  /// What it cannot read: "/var/log/app.log: permission denied"; empty: nothing.
  std::string_view problem(size_t n) const;
  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

 private:
  /// multiline = a pattern.
  struct PatternStart final : RecordStart {
    bool Begins(std::string_view line) override { return pattern.Matches(line) == Pattern::Found::kYes; }
    Pattern pattern;
  };
  struct Follower {
    RecordPipeline pipeline;
    PatternStart start;
    RecordSplitter splitter;
    LineParser parser;
    std::optional<FileSource> files;
    std::optional<SyslogSource> syslog;
    std::optional<KmsgSource> kmsg;
    const JournalSource* journal = nullptr;
  };

  void OnReady(int handle, uint8_t ready) override;
  void HearChanges();
  std::span<std::byte> Take(size_t bytes);
  Status StartSource(size_t n, std::span<const uint8_t> resource);

  const Config& config_;
  const LogPorts ports_;
  const LogIdentity identity_;
  const std::span<char> buffer_;
  std::optional<TrackTable> tracks_;
  std::optional<PatternPool> patterns_;
  std::span<std::byte> memory_;  // What is left of it.
  std::array<Follower*, kLogSourcesMax> followers_{};
  std::array<Source*, kLogSourcesMax> sources_{};
  std::array<ChangeHandler*, kLogSourcesMax> hears_{};
  std::array<TextBuffer<40>, kLogSourcesMax> names_;
  std::array<LoggedView, kLogSourcesMax> before_{};
  std::array<std::span<uint8_t>, kLogSourcesMax> resources_;
  std::string_view failed_;
  std::span<std::byte> scratch_;  // Of one record.
  size_t count_ = 0, turn_ = 0;
  bool released_ = false;
  bool listening_ = false;
  MonoTime hear_ = kNever;  // Changes have come, and are looked at then.
};

}  // namespace limpet
