#include "logs/log_sources.h"

#include <algorithm>
#include <new>

#include "base/hash.h"
#if LIMPET_JOURNALD
#include "logs/journal_source.h"
#endif

namespace limpet {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kBufferMin = 64 * kKiB;
constexpr size_t kDetectedBytes = 2 * kKiB;  // Of the host's attributes that are not configured.
constexpr size_t kFraming = 12;              // Around a key and its value.
constexpr Duration kPace = Milliseconds(20); // What is written is looked at by the handful.

constexpr size_t RoundUp(size_t bytes) { return (bytes + kAlignment - 1) & ~(kAlignment - 1); }

std::span<const LogConfig> Logs(const Config& config) { return std::span(config.logs).first(config.log_count); }

size_t MaxLine(const Config& config) {
  size_t most = 0;
  for (const LogConfig& log : Logs(config)) most = std::max<size_t>(most, log.max_line_bytes);
  return most;
}

size_t FileSources(const Config& config) {
  const auto logs = Logs(config);
  return static_cast<size_t>(
      std::count_if(logs.begin(), logs.end(), [](const LogConfig& log) { return log.type == LogType::kFile; }));
}

/// By the memory there is: 384 of 3 MiB.
size_t TrackCount(const Config& config) {
  return std::clamp<size_t>(static_cast<size_t>(config.agent.memory_bytes / (8 * kKiB)), 64, 4096);
}

/// Files that are open at the same time, of one source.
size_t PlacesOf(const Config& config) {
  return std::max<size_t>(TrackCount(config) / 3 / std::max<size_t>(FileSources(config), 1), 8);
}

size_t PairBytes(std::span<const KeyValue> pairs) {
  size_t bytes = 0;
  for (const KeyValue& pair : pairs) bytes += pair.key.size() + pair.value.size() + kFraming;
  return bytes;
}

size_t ResourceBytes(const Config& config, const LogConfig& log) {
  return kDetectedBytes + PairBytes(std::span(config.resource).first(config.resource_count)) +
         PairBytes(std::span(log.resource).first(log.resource_count));
}

/// What a source has besides: open files, connections, pages of a journal.
size_t OwnBytes(const Config& config, const LogConfig& log) {
  switch (log.type) {
    case LogType::kFile: return PlacesOf(config) * sizeof(FollowedFile);
    case LogType::kSyslog: return SyslogSource::BytesNeeded(log);
    case LogType::kJournald:
#if LIMPET_JOURNALD
      return RoundUp(sizeof(JournalSource)) + JournalSource::BytesNeeded(log);
#endif
    case LogType::kKmsg: break;
  }
  return 0;
}

bool Redacts(const Config& config) {
  const auto logs = Logs(config);
  return std::any_of(logs.begin(), logs.end(), [](const LogConfig& log) { return !log.redact.empty(); });
}

size_t PatternCount(const Config& config) {
  size_t count = 0;
  for (const LogConfig& log : Logs(config)) {
    count += RecordPipeline::PatternCount(log) + (log.multiline_pattern() ? 1 : 0);
  }
  return count;
}

/// A record in the making, whosever it is: taken out of its envelope, parsed, its body and its attributes changed.
struct RecordScratch {
  size_t unwrapped, parsed, body, redacted;
};
RecordScratch ScratchOf(const Config& config) {
  const size_t line = MaxLine(config), buffer = LogSources::BufferBytes(config);
  size_t unwrapped = 0;
  for (const LogConfig& log : Logs(config)) {
    if (log.type == LogType::kFile) unwrapped = std::max(unwrapped, RecordSplitter::ScratchBytes(log, buffer));
  }
  return {.unwrapped = unwrapped, .parsed = 2 * line, .body = line, .redacted = Redacts(config) ? 2 * line : 0};
}
size_t ScratchBytes(const Config& config) {
  const RecordScratch scratch = ScratchOf(config);
  return scratch.unwrapped + scratch.parsed + scratch.body + scratch.redacted;
}

}  // namespace

size_t LogSources::BufferBytes(const Config& config) {
  size_t bytes = config.log_count == 0 ? 0 : std::max(kBufferMin, 2 * MaxLine(config));
  for (const LogConfig& log : Logs(config)) {
    if (log.type == LogType::kSyslog) bytes = std::max(bytes, SyslogSource::ScratchBytes(log));
  }
  return bytes;
}

size_t LogSources::BytesNeeded(const Config& config) {
  if (config.log_count == 0) return 0;
  size_t bytes = RoundUp(sizeof(LogSources)) + RoundUp(TrackTable::BytesNeeded(TrackCount(config), config.queue.batch_items));
  bytes += RoundUp(ScratchBytes(config)) + RoundUp(PatternPool::BytesNeeded(PatternCount(config)));
  for (const LogConfig& log : Logs(config)) {
    bytes += RoundUp(RecordPipeline::AttributeBytes(log)) + RoundUp(ResourceBytes(config, log));
    bytes += RoundUp(sizeof(Follower)) + RoundUp(OwnBytes(config, log));
  }
  return bytes + kAlignment;
}

std::span<std::byte> LogSources::Take(size_t bytes) {
  LIMPET_CHECK(RoundUp(bytes) <= memory_.size());
  const std::span<std::byte> piece = memory_.first(bytes);
  memory_ = memory_.subspan(RoundUp(bytes));
  return piece;
}

LogSources::LogSources(const Config& config, std::span<std::byte> memory, std::span<char> buffer,
                       const LogPorts& ports, const LogIdentity& identity)
    : config_(config), ports_(ports), identity_(identity), buffer_(buffer.first(BufferBytes(config))), memory_(memory) {
  const size_t tracks = TrackCount(config);
  tracks_.emplace(Take(TrackTable::BytesNeeded(tracks, config.queue.batch_items)), tracks, config.queue.batch_items,
                  ports.log);
  scratch_ = Take(ScratchBytes(config));
  const RecordScratch sizes = ScratchOf(config);
  uint8_t* const parsed_at = reinterpret_cast<uint8_t*>(scratch_.data());
  const std::span<uint8_t> parsed{parsed_at, sizes.parsed}, redacted{parsed_at + sizes.parsed, sizes.redacted};
  char* const body_at = reinterpret_cast<char*>(redacted.data() + redacted.size());
  const std::span<char> body{body_at, sizes.body}, unwrapped{body_at + sizes.body, sizes.unwrapped};
  if (const size_t patterns = PatternCount(config); patterns > 0) {
    patterns_.emplace(Take(PatternPool::BytesNeeded(patterns)), &ports.log);
  }
  for (const LogConfig& log : Logs(config)) {
    const size_t n = count_++;
    names_[n] << "log." << log.name;
    const std::span<std::byte> own = Take(RecordPipeline::AttributeBytes(log));
    const std::span<uint8_t> attributes{reinterpret_cast<uint8_t*>(own.data()), own.size()};
    const std::span<std::byte> resource = Take(ResourceBytes(config, log));
    resources_[n] = {reinterpret_cast<uint8_t*>(resource.data()), resource.size()};
    Follower* const place = reinterpret_cast<Follower*>(Take(sizeof(Follower)).data());
    RecordStart* const start = log.multiline_pattern() ? &place->start : nullptr;
    followers_[n] = new (place)
        Follower{.pipeline = RecordPipeline(log, config.agent.record_uid, {attributes, body, redacted}),
                 .start = {},
                 .splitter = RecordSplitter(log, start, buffer_.size(), unwrapped),
                 .parser = LineParser({.format = log.format,
                                       .time_key = log.time_key,
                                       .level_key = log.level_key,
                                       .message_key = log.message_key,
                                       .time_format = log.time_format},
                                      parsed)};
  }
}

Status LogSources::Start(std::span<const ResourceAttribute> host) {
  for (size_t n = 0; n < count_; ++n) {
    const LogConfig& log = config_.logs[n];
    std::array<ResourceAttribute, 80> attributes;
    size_t count = 0;
    const auto pairs = std::span(log.resource).first(log.resource_count);
    for (const ResourceAttribute& attribute : host) {
      const bool replaced = std::any_of(pairs.begin(), pairs.end(),
                                        [&](const KeyValue& pair) { return pair.key == attribute.key; });
      if (!replaced && count < attributes.size()) attributes[count++] = attribute;
    }
    for (const KeyValue& pair : pairs) {
      if (count < attributes.size()) attributes[count++] = {pair.key, pair.value};
    }
    failed_ = log.name;
    const auto encoded = EncodeResource(std::span(attributes).first(count), resources_[n]);
    if (!encoded.ok()) return encoded.status();
    LIMPET_TRY(StartSource(n, encoded.value()));
  }
  failed_ = {};
  if (ports_.watch == nullptr) return {};
  listening_ = true;
  return ports_.poller->Watch(ports_.watch->handle(), kReadable, *this);
}

Status LogSources::StartSource(size_t n, std::span<const uint8_t> resource) {
  const LogConfig& log = config_.logs[n];
  Follower& follower = *followers_[n];
  if (patterns_) {
    TextBuffer<256> problem;
    LIMPET_TRY(follower.pipeline.Compile(log, *patterns_));
    if (log.multiline_pattern()) LIMPET_TRY(follower.start.pattern.Compile(log.multiline, *patterns_, problem));
  }
  const std::span<std::byte> own = Take(OwnBytes(config_, log));
  switch (log.type) {
    case LogType::kFile: {
      FollowedFile* const first = reinterpret_cast<FollowedFile*>(own.data());
      const size_t places = PlacesOf(config_);
      for (size_t i = 0; i < places; ++i) new (first + i) FollowedFile;
      sources_[n] = &follower.files.emplace(log, FileSourceParts{.files = ports_.files,
                                                                 .watch = ports_.watch,
                                                                 .tracks = *tracks_,
                                                                 .pipeline = follower.pipeline,
                                                                 .splitter = follower.splitter,
                                                                 .parser = follower.parser,
                                                                 .log = ports_.log,
                                                                 .buffer = buffer_,
                                                                 .places = {first, places},
                                                                 .resource = resource,
                                                                 .instance = identity_.instance});
      hears_[n] = &*follower.files;
      return {};
    }
    case LogType::kSyslog: {
      if (ports_.sockets == nullptr) return {Code::kUnsupported, 0, "no sockets"};
      SyslogSource& source = follower.syslog.emplace(
          log,
          SyslogSource::Options{.start = identity_.start, .started = identity_.started, .resource = resource}, own,
          std::as_writable_bytes(buffer_), follower.pipeline, *ports_.poller, *ports_.sockets, ports_.log);
      sources_[n] = &source;
      return source.Start();
    }
    case LogType::kJournald:
#if LIMPET_JOURNALD
      // Its table of files is large: it has a place only where it is wanted.
      {
        JournalSource* const source =
            new (own.data()) JournalSource(log, resource, ports_.files, ports_.watch, ports_.log, *tracks_,
                                           follower.pipeline, own.subspan(RoundUp(sizeof(JournalSource))));
        sources_[n] = source;
        hears_[n] = source;
        follower.journal = source;
      }
      return {};
#endif
      break;
    case LogType::kKmsg: {
      if (ports_.poller == nullptr) return {Code::kUnsupported, 0, "no poller"};
      KmsgSource& source = follower.kmsg.emplace(log, KmsgSource::Parts{.files = ports_.files,
                                                                        .poller = *ports_.poller,
                                                                        .tracks = *tracks_,
                                                                        .pipeline = follower.pipeline,
                                                                        .log = ports_.log,
                                                                        .scratch = std::as_writable_bytes(buffer_),
                                                                        .resource = resource,
                                                                        .boot = identity_.boot});
      sources_[n] = &source;
      return source.Start();
    }
  }
  return {Code::kUnsupported, 0, "type is not available in this build"};
}

LoggedView LogSources::View(size_t n) const {
  const Follower& follower = *followers_[n];
  LoggedView view = follower.pipeline.use();
  if (follower.files) view.open = follower.files->open();
  if (follower.syslog) {
    view.open = follower.syslog->use().connections;
    view.lost = follower.syslog->use().lost;
  }
  if (follower.kmsg) {
    view.kernel = true;
    view.lost = follower.kmsg->lost();
  }
#if LIMPET_JOURNALD
  if (follower.journal != nullptr) view.lost = follower.journal->lost();
#endif
  for (const auto count : kKeptOfLogs) view.*count += before_[n].*count;
  return view;
}

std::string_view LogSources::problem(size_t n) const {
  const Follower& follower = *followers_[n];
  if (follower.files) return follower.files->problem();
#if LIMPET_JOURNALD
  if (follower.journal != nullptr) return follower.journal->problem();
#endif
  return {};
}

void LogSources::Finish(const Stamp& now, LogEncoder& logs) {
  for (size_t n = 0; n < count_; ++n) {
    if (followers_[n]->syslog) followers_[n]->syslog->Finish(now, logs);
    if (followers_[n]->kmsg) followers_[n]->kmsg->Close();
  }
}

/// Not at once: who writes line by line would wake us for each.
void LogSources::OnReady(int handle, uint8_t) {
  ports_.poller->Forget(handle);
  listening_ = false;
}

void LogSources::HearChanges() {
  for (int watch; (watch = ports_.watch->Next()) != FileWatch::kNone;) {
    for (ChangeHandler* const handler : std::span(hears_).first(count_)) {
      if (handler != nullptr) handler->OnChange(watch);
    }
  }
  hear_ = kNever;
  listening_ = true;
  (void)ports_.poller->Watch(ports_.watch->handle(), kReadable, *this);
}

MonoTime LogSources::OnTime(const Stamp& now, LogEncoder& logs) {
  tracks_->SetNow(now.mono);
  if (ports_.watch != nullptr && !listening_) {
    if (hear_ == kNever) hear_ = now.mono + kPace;
    if (hear_ <= now.mono) HearChanges();
  }
  MonoTime next = hear_;
  for (size_t i = 0; i < count_; ++i) {
    Source* const source = sources_[(turn_ + i) % count_];
    if (source != nullptr) next = std::min(next, source->OnTime(now, logs));
  }
  if (count_ > 0) turn_ = (turn_ + 1) % count_;
  if (tracks_->known() && !released_) {
    // Of sections that are no longer there.
    released_ = true;
    tracks_->ReleaseUnknown();
  }
  return next;
}

}  // namespace limpet
