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
#include "logs/file_source.h"
#include "logs/track_table.h"

namespace limpet {

struct LogPorts {
  Files& files;
  FileWatch* watch = nullptr;  ///< nullptr: files are asked.
  Poller* poller = nullptr;    ///< Where there is a watch.
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
             std::string_view instance);
  LogSources(const LogSources&) = delete;
  LogSources& operator=(const LogSources&) = delete;

  /// Before the first turn. host: the attributes of what this host sends.
  /// kFull: with those of a source they are too many; kIo, kFull of the poller.
  Status Start(std::span<const ResourceAttribute> host);

  TrackTable& tracks() { return *tracks_; }
  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

  size_t count() const { return count_; }
  std::string_view name(size_t n) const { return config_.logs[n].name; }

 private:
  struct Follower {
    RecordPipeline pipeline;
    RecordSplitter splitter;
    LineParser parser;
    std::optional<FileSource> source;
  };

  void OnReady(int handle, uint8_t ready) override;
  void HearChanges();

  const Config& config_;
  const LogPorts ports_;
  const std::string_view instance_;
  const std::span<char> buffer_;
  std::optional<TrackTable> tracks_;
  std::span<std::byte> memory_;  // What is left of it.
  std::array<Follower*, kLogSourcesMax> followers_{};
  std::array<Source*, kLogSourcesMax> sources_{};
  std::array<std::span<uint8_t>, kLogSourcesMax> resources_;
  size_t count_ = 0, turn_ = 0;
  bool released_ = false;
  bool listening_ = false;
  MonoTime hear_ = kNever;  // Changes have come, and are looked at then.
};

}  // namespace limpet
