#include "logs/file_source.h"

#include <algorithm>
#include <array>

#include "base/hash.h"
#include "batch/otlp_parts.h"
#include "otlp/otlp.pb.h"

namespace limpet {
namespace {

constexpr Duration kAskMost = Seconds(2);
constexpr Duration kLinger = Seconds(30);       // Without growth, at its end: a file that is gone is let go.
constexpr Duration kLookAgain = Milliseconds(20);   // While names come and go.
constexpr Duration kNoRoom = Milliseconds(100);
// What is read in a turn: about a batch, which is made while the one before it is on its way. A file without
// much in it counts for so many bytes.
constexpr size_t kShare = 32 * kKiB, kFileCost = 2 * kKiB;

}  // namespace

FileSource::FileSource(const LogConfig& config, const FileSourceParts& parts)
    : config_(config),
      owner_(Hash64(config.name)),
      files_(parts.files),
      watch_(parts.watch),
      tracks_(parts.tracks),
      pipeline_(parts.pipeline),
      splitter_(parts.splitter),
      parser_(parts.parser),
      log_(parts.log),
      buffer_(parts.buffer),
      places_(parts.places),
      resource_(parts.resource),
      instance_(parts.instance),
      joins_(config.multiline != "none" || config.format == LineFormat::kCri || config.format == LineFormat::kDocker) {
  directories_.fill(-1);
}

/// finished: nothing more is to be read of it, ever.
void FileSource::LetGo(FollowedFile& f, bool finished) {
  if (finished) Spend(*f.track);
  if (f.watch >= 0) watch_->Forget(f.watch);
  files_.Close(f.file);
  f.file = -1;
  f.track = nullptr;
  --open_;
  told_full_ = false;
}

// Reading

void FileSource::OnChange(int watch) {
  for (const int directory : std::span(directories_).first(directory_count_)) look_ = look_ || directory == watch;
  if (watch == FileWatch::kLost) look_ = true;
  for (FollowedFile& f : places_) {
    if (f.file >= 0 && (f.watch == watch || watch == FileWatch::kLost)) f.due = true;
  }
}

/// What is unfinished is taken as it is, since nothing has come for so long. Once: what stays then is a line
/// without its end.
bool FileSource::Flushes(const FollowedFile& f, MonoTime now) const {
  return joins_ && f.unfinished && !f.flushed && now - f.grown >= config_.flush;
}

/// It is asked again at the next look, or when it is gone and has lingered. Returns false.
bool FileSource::Fail(FollowedFile& f, const Status& status) {
  f.size = FollowedFile::kUnread;
  Report(f.name(), status);
  return false;
}

/// Reads a share of it, and takes it off `share`. Returns whether there may be more.
bool FileSource::Read(FollowedFile& f, const Stamp& now, LogEncoder& logs, size_t& share) {
  share -= std::min(share, kFileCost);
  f.due = false;
  if (!tracks_.Ready(*f.track)) return false;  // T3; OnTime asks again.
  const Result<FileFacts> facts = files_.Facts(f.file);
  if (!facts.ok()) return false;
  const bool again = f.size == FollowedFile::kUnread;
  const bool grown = !again && facts.value().size != f.size;
  // A watch has something, and yet it ends where it was read to: it may have been written anew as long as before.
  const bool odd = f.watch >= 0 && facts.value().size == f.track->read;
  if (facts.value().size < f.track->read || ((grown || again || odd) && !HasHead(f.file, f.identity, true))) {
    return Renew(f, facts.value());
  }
  if (grown && TurnsOutACopy(f, facts.value())) {
    tracks_.Release(*f.track);  // Its name leads to another.
    LetGo(f, false);
    look_ = true;
    return false;
  }
  if (grown) {
    f.grown = now.mono;
    f.pause = kAskFirst;
    f.flushed = false;
    Describe(f, facts.value());
  }
  f.size = facts.value().size;
  const bool flush = Flushes(f, now.mono);
  const bool end = f.gone && now.mono - f.grown >= kLinger;

  // A name is bytes, of which each may become three.
  std::array<char, 3 * sizeof FollowedFile::path> path;
  size_t used = 0;
  const std::string_view name(path.data(), RepairUtf8(f.name(), path, used));
  const bool repaired = name != f.name();
  std::array<uint8_t, 2 * sizeof path + 128> encoded;
  WireWriter origin(encoded);
  const Attribute names[] = {{"log.file.name", BaseName(name)}, {"log.file.path", name}};
  WriteAttributes(origin, otlp_LogRecord_attributes_tag, names);
  const size_t names_bytes = origin.size();
  std::string_view stream;

  const uint64_t begin = f.track->read;
  std::string_view text;
  // What ends without a line end is seen as a whole.
  size_t most = flush || end || f.long_end > begin ? buffer_.size() : std::min(kShare, buffer_.size());
  const auto read = [&] {
    const Result<size_t> got = files_.ReadAt(f.file, begin, buffer_.first(most));
    if (!got.ok()) return Fail(f, got.status());
    text = {buffer_.data(), got.value()};
    return true;
  };
  if (!read()) return false;
  f.flushed = f.flushed || flush;
  size_t at = 0, belongs = 0;
  RecordSplitter::Found found = RecordSplitter::Found::kNeedMore;
  bool failed = false;
  logs.Begin(resource_, now);
  while (at < text.size() && at < kShare) {
    SplitRecord split;
    if (at == 0 && f.long_end > begin) {
      splitter_.Cut(text, static_cast<size_t>(f.long_end - begin), f.line_end, split);
      f.long_end = 0;
      found = RecordSplitter::Found::kRecord;
    } else {
      const bool last = end && begin + text.size() >= f.size;  // Nothing of it is cut off by the buffer.
      found = splitter_.Next(text.substr(at), flush, last, split, f.line_end);
      const bool is_cut = text.size() == most && most < buffer_.size();
      if (found == RecordSplitter::Found::kNeedMore && at == 0 && is_cut) {
        most = std::min(2 * most, buffer_.size());
        failed = !read();
        if (failed) break;
        continue;
      }
      if (found == RecordSplitter::Found::kLongLine) belongs = split.consumed;
    }
    if (found != RecordSplitter::Found::kRecord) break;
    ReadRecord record;
    (void)parser_.Parse(split.text, now.wall, record);  // A line of another format is sent as it is.
    if (record.time == UnixTime{}) record.time = split.time;
    record.truncated = split.truncated;
    record.invalid_utf8 = record.invalid_utf8 || repaired || split.repaired;
    record.uid = {.origin_ms = f.identity.first_seen_ms, .stream = f.identity.stream, .position = begin + at};
    if (split.stream != stream) {
      origin.Rewind(names_bytes);
      stream = split.stream.empty() ? "" : split.stream == "stdout" ? "stdout" : "stderr";
      const Attribute of_stream{"log.iostream", stream};
      if (!stream.empty()) WriteAttributes(origin, otlp_LogRecord_attributes_tag, {&of_stream, 1});
    }
    record.origin_attributes = origin.bytes();
    at += split.consumed;
    if (pipeline_.Write(record, now, logs) == RecordPipeline::Outcome::kWritten) {
      tracks_.Advance(*f.track, begin + at);
    } else {
      tracks_.Skip(*f.track, begin + at);
    }
  }
  logs.Finish();
  if (failed) return false;
  share -= std::min(share, at);
  if (at > 0) f.scanned = 0;
  // What the buffer has cut off is no end: there is more to read.
  f.unfinished = at < text.size() && begin + text.size() >= f.size &&
                 (found == RecordSplitter::Found::kNeedMore || f.line_end != LineEnd::kLineEnd);
  if (found == RecordSplitter::Found::kLongLine) return LongLine(f, begin + at + belongs);
  if (end && at == text.size() && begin + at >= f.size) {
    LetGo(f, true);
    return false;
  }
  return begin + at < f.size && !f.unfinished;
}

/// Looks for the end of a line that is longer than what is read at once. Its head is a record once that
/// is found, so that a crash makes no record out of the rest.
bool FileSource::LongLine(FollowedFile& f, uint64_t known) {
  const bool flush = joins_ && now_.mono - f.grown >= config_.flush;
  const bool end = f.gone && now_.mono - f.grown >= kLinger;
  f.scanned = std::max(f.scanned, known);
  const Result<size_t> got = files_.ReadAt(f.file, f.scanned, buffer_);
  if (!got.ok()) return Fail(f, got.status());
  size_t consumed = 0;
  const bool all = f.scanned + got.value() >= f.size;  // No more is known to follow.
  const bool found = splitter_.Skip({buffer_.data(), got.value()}, flush && all, end && all, f.line_end, consumed);
  f.scanned += consumed;
  if (found) f.long_end = f.scanned;
  return found || consumed > 0;
}

MonoTime FileSource::OnTime(const Stamp& now, LogEncoder& logs) {
  now_ = now;
  if (!tracks_.known()) return kNever;
  if (!started_) {
    Start(now);
    next_look_ = now.mono;
  }
  if (look_ && now.mono - looked_ >= kLookAgain) next_look_ = now.mono;
  if (next_look_ <= now.mono) Discover(now);

  MonoTime next = look_ ? looked_ + kLookAgain : next_look_;
  size_t share = kShare;
  bool more = false;
  const size_t first = turn_;
  for (size_t i = 0; i < places_.size(); ++i) {
    const size_t place = (first + i) % places_.size();
    FollowedFile& f = places_[place];
    if (f.file < 0) continue;
    const bool flush = Flushes(f, now.mono);
    const bool linger = f.gone && now.mono - f.grown >= kLinger;
    if (f.watch < 0 && f.ask <= now.mono) {
      f.due = true;
      f.pause = std::min(f.pause * 2, kAskMost);
      f.ask = now.mono + f.pause;
    }
    const bool waits = !tracks_.Ready(*f.track);
    if (waits) f.due = true;
    if (!waits && (f.due || flush || linger)) {
      if (!logs.room()) {
        f.due = true;
        next = std::min(next, now.mono + kNoRoom);
        continue;
      }
      if (share == 0) {
        f.due = more = true;
        continue;
      }
      if (Read(f, now, logs, share)) f.due = more = true;
      turn_ = place + 1;  // The next turn begins behind it.
    }
    if (f.file < 0) continue;
    if (f.watch < 0) next = std::min(next, f.ask);
    if (f.unfinished && joins_ && !f.flushed) next = std::min(next, f.grown + config_.flush);
    if (f.gone && !linger) next = std::min(next, f.grown + kLinger);
    if (f.gone && linger && f.file >= 0) next = std::min(next, now.mono + kLinger);
  }
  return more ? now.mono : next;
}

}  // namespace limpet
