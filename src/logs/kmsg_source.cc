#include "logs/kmsg_source.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/hash.h"
#include "logs/attribute_writer.h"
#include "logs/severity.h"
#include "otlp/wire_writer.h"

namespace limpet {
namespace {

using IdentityBytes = std::array<uint8_t, sizeof(TrackOwner) + sizeof(BootId)>;

IdentityBytes Identity(TrackOwner owner, const BootId& boot) {
  IdentityBytes bytes;
  std::memcpy(bytes.data(), &owner, sizeof owner);
  std::copy(boot.bytes.begin(), boot.bytes.end(), bytes.begin() + sizeof owner);
  return bytes;
}

std::string_view BytesOf(const BootId& boot) {
  return {reinterpret_cast<const char*>(boot.bytes.data()), boot.bytes.size()};
}

// The log clock stands still in suspend, and is not disciplined as boot time is. What has just been logged
// says how far they are apart; beyond this it is no delay of ours.
constexpr Duration kDelayMax = Seconds(2);

}  // namespace

RecordUid KmsgUid(const BootId& boot, uint64_t sequence) {
  RecordUid uid;
  for (size_t i = 0; i < 6; ++i) uid.origin_ms = uid.origin_ms << 8 | boot.bytes[i];
  const uint64_t hash = Hash64(BytesOf(boot), Hash64("kmsg"));
  uid.stream = static_cast<uint32_t>(hash ^ hash >> 32);
  uid.position = sequence;
  return uid;
}

KmsgSource::KmsgSource(const LogConfig& config, const Parts& parts)
    : config_(config),
      parts_(parts),
      owner_(Hash64(config.name)),
      record_(reinterpret_cast<char*>(parts.scratch.data()), kRecordBytes),
      attributes_(reinterpret_cast<uint8_t*>(parts.scratch.data()) + kRecordBytes,
                  kScratchBytes - kRecordBytes) {
  LIMPET_CHECK(parts.scratch.size() >= kScratchBytes);
}

Status KmsgSource::Start() {
  const Result<int> opened = parts_.files.Open(kPath);
  if (!opened.ok()) return opened.status();
  device_ = opened.value();
  return {};
}

void KmsgSource::Close() {
  if (device_ < 0) return;
  parts_.poller.Forget(device_);
  parts_.files.Close(device_);
  device_ = -1;
}

void KmsgSource::OnReady(int handle, uint8_t) {
  parts_.poller.Forget(handle);
  ready_ = true;
}

MonoTime KmsgSource::OnTime(const Stamp& now, LogEncoder& logs) {
  if (device_ < 0 || !parts_.tracks.known()) return kNever;
  if (!adopted_) Adopt();
  const MonoTime next = EndEpisode(now.mono);
  if (!ready_) return next;
  if (now.mono < again_) return std::min(next, again_);
  if (track_ != nullptr && !parts_.tracks.Ready(*track_)) return next;  // There will be news.
  return std::min(next, Read(now, logs));
}

/// What is known of this boot, or that there was another.
void KmsgSource::Adopt() {
  adopted_ = true;
  const IdentityBytes identity = Identity(owner_, parts_.boot);
  bool before = false;
  parts_.tracks.ForEach(owner_, [&](Track& track) {
    track.adopted = true;
    before = true;
    const auto kept = track.identity_view();
    if (parts_.boot != BootId{} && std::equal(kept.begin(), kept.end(), identity.begin(), identity.end())) {
      track_ = &track;
    } else {
      parts_.tracks.Release(track);
    }
  });
  next_known_ = before;  // K1
  if (track_ != nullptr) {
    next_ = track_->read;
  } else if (before || config_.from_beginning) {
    Follow();
  } else {
    skipping_ = true;
  }
}

/// Begins the track of this boot. Without a place in the table the source goes on without one.
void KmsgSource::Follow() {
  track_ = parts_.tracks.Add(owner_, Identity(owner_, parts_.boot), next_);
}

MonoTime KmsgSource::Read(const Stamp& now, LogEncoder& logs) {
  logs.Begin(parts_.resource, now);
  MonoTime next = now.mono;
  for (uint32_t i = 0; i < kRecordsPerTurn; ++i) {
    if (!skipping_ && !logs.room()) {  // K2
      live_ = false;  // What waits meanwhile is not of just now.
      next = kNever;
      break;
    }
    const Result<size_t> got = parts_.files.Read(device_, record_);
    if (got.ok() && got.value() > 0) {
      Take(record_.first(got.value()), now, logs);
      continue;
    }
    // The ring has gone round, or a record is longer than any: the numbers will tell.
    if (got.status().code == Code::kNotFound || got.status().code == Code::kInvalid) continue;
    if (got.status().code == Code::kUnavailable) {
      if (skipping_) Follow();
      skipping_ = false;
      live_ = true;
      ready_ = !parts_.poller.Watch(device_, kReadable, *this).ok();  // K3
      next = ready_ ? again_ = now.mono + kPause : kNever;
      break;
    }
    parts_.log.Error("the kernel's messages cannot be read", {{"source", config_.name},
                                                             {"error", CodeName(got.status().code)},
                                                             {"errno", got.status().detail}});
    next = again_ = now.mono + kPause;
    break;
  }
  if (next == now.mono) live_ = false;  // Likewise what is more than a share.
  logs.Finish();
  return next;
}

void KmsgSource::Take(std::span<char> bytes, const Stamp& now, LogEncoder& logs) {
  const Result<KmsgRecord> parsed = ParseKmsg(bytes);
  if (!parsed.ok()) {
    parts_.log.Warn("a kernel message has an unknown form", {{"source", config_.name}});
    return;
  }
  const KmsgRecord& message = parsed.value();
  if (next_known_ && message.sequence < next_) return;  // It was read before.
  if (next_known_ && !skipping_ && message.sequence > next_) CountLost(message.sequence - next_, now.mono);
  next_ = message.sequence + 1;
  next_known_ = true;
  if (skipping_) return;

  bool written = false;
  if (message.level <= config_.priority) {
    WireWriter writer(attributes_);
    AttributeWriter attributes(writer, /*known_utf8=*/false);
    attributes.Int("syslog.facility", message.facility);
    if (!message.subsystem.empty()) attributes.Text("kmsg.subsystem", message.subsystem);
    if (!message.device.empty()) attributes.Text("kmsg.device", message.device);
    ReadRecord record;
    record.time = TimeOf(message, now);
    record.severity = SeverityOfSyslog(message.level);
    record.severity_text = NameOfSyslog(message.level);
    record.body = message.text.substr(0, config_.max_line_bytes);
    record.truncated = record.body.size() < message.text.size();
    if (attributes.ok()) record.attributes = writer.bytes();
    record.undecoded = !attributes.ok();
    record.invalid_utf8 = attributes.repaired();
    record.uid = KmsgUid(parts_.boot, message.sequence);
    written = parts_.pipeline.Write(record, now, logs) == RecordPipeline::Outcome::kWritten;
  }
  if (track_ == nullptr) return;
  if (written) parts_.tracks.Advance(*track_, next_);
  if (!written) parts_.tracks.Skip(*track_, next_);
}

/// By wall time. Messages from before this process, and of a time before a suspend, may be off by what the
/// clocks are apart.
UnixTime KmsgSource::TimeOf(const KmsgRecord& record, const Stamp& now) {
  const Duration apart = (now.mono - MonoTime{}) - record.since_boot;
  if (live_ && (apart < offset_ || apart > offset_ + kDelayMax)) offset_ = apart;
  const Duration age = apart - offset_;
  return now.wall - std::max(age, Duration{});
}

void KmsgSource::CountLost(uint64_t count, MonoTime now) {
  lost_ += count;
  if (last_loss_ == kNever) {
    parts_.log.Warn("kernel messages were overwritten before they were read",
                    {{"source", config_.name}, {"lost", count}});
  }
  last_loss_ = now;
}

MonoTime KmsgSource::EndEpisode(MonoTime now) {
  if (last_loss_ == kNever) return kNever;
  if (now < last_loss_ + kGap) return last_loss_ + kGap;
  parts_.log.Warn("no more kernel messages are overwritten",
                  {{"source", config_.name}, {"lost", lost_ - lost_told_}});
  lost_told_ = lost_;
  last_loss_ = kNever;
  return kNever;
}

}  // namespace limpet
