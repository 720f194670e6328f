#include "logs/journal_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.h"
#include "base/text.h"

namespace limpet {
namespace {

bool IsJournalName(std::string_view name) { return name.ends_with(".journal") || name.ends_with(".journal~"); }

/// journald names a file so when it has written its last entry.
bool IsClosedName(std::string_view path) {
  return path.ends_with('~') || path.substr(path.rfind('/') + 1).find('@') != std::string_view::npos;
}

bool IsMachineId(std::string_view name) {
  return name.size() == 32 && std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
         });
}

}  // namespace

/// The entries of a directory: journals are looked at, machines' folders kept for later.
class JournalReader::Names final : public NameSink {
 public:
  Names(JournalReader& reader, std::string_view folder) : reader_(reader), folder_(folder) {}

  void OnName(std::string_view name) override {
    if (IsMachineId(name) && machine_count_ < kMachinesMax) {
      std::memcpy(machines_[machine_count_++].data(), name.data(), name.size());
    }
    if (!IsJournalName(name)) return;
    TextBuffer<kPathMax> path;
    path << folder_ << '/' << name;
    if (!path.overflowed()) reader_.Consider(path.text());
  }

  size_t machines() const { return machine_count_; }
  std::string_view machine(size_t i) const { return {machines_[i].data(), machines_[i].size()}; }

 private:
  JournalReader& reader_;
  const std::string_view folder_;
  std::array<std::array<char, 32>, kMachinesMax> machines_{};
  size_t machine_count_ = 0;
};

JournalReader::JournalReader(Files& files, Log& log, std::span<char> pages, const Options& options)
    : files_(files), log_(log), options_(options), pages_(files, pages) {}

JournalReader::~JournalReader() {
  for (Slot& slot : slots_) Release(slot);
}

void JournalReader::Resume(const JournalId& seqnum_id, uint64_t seqnum) {
  resumed_ = true;
  if (seqnum_id == JournalId{}) return;  // It has been there, and found nothing.
  if (Track* const track = TrackOf(seqnum_id)) track->position.seqnum = seqnum;
}

JournalReader::Counts JournalReader::counts() const {
  Counts counts = counts_;
  for (const Slot& slot : slots_) counts.damaged += slot.journal.damaged();
  return counts;
}

size_t JournalReader::open_files() const {
  return static_cast<size_t>(std::count_if(slots_.begin(), slots_.end(), [](const Slot& s) { return s.used; }));
}

bool JournalReader::watched() const {
  return options_.watch != nullptr && std::none_of(slots_.begin(), slots_.end(), [](const Slot& s) {
           return s.used && !s.closed && s.watch < 0;
         });
}

bool JournalReader::watches(int watch) const {
  return std::any_of(slots_.begin(), slots_.end(), [=](const Slot& s) { return s.used && s.watch == watch; });
}

// Looking for files.

bool JournalReader::Poll(MonoTime now) {
  scanned_ = false;
  busy_ = false;
  passed_ = 0;
  bool news = std::exchange(late_, false);
  for (;;) {
    if (RefreshAll()) news = true;
    for (size_t i = 0; i < track_count_; ++i) tracks_[i].horizon = 0;
    for (const Slot& slot : slots_) {
      if (!slot.used) continue;
      slot.track->horizon = std::max(slot.track->horizon, slot.journal.header().tail_seqnum);
    }
    // A second look: what has a number up to the horizon was written before it.
    if (news && RefreshAll()) late_ = true;
    if (!scan_now_ && now < next_scan_) return news;
    next_scan_ = now + options_.discover;
    opened_ = false;
    Scan();
    if (!opened_) return news;
    news = true;
  }
}

bool JournalReader::RefreshAll() {
  bool news = false;
  for (Slot& slot : slots_) {
    if (!slot.used || slot.closed) continue;
    const JournalFile::Header before = slot.journal.header();
    if (!slot.journal.Refresh().ok()) {
      slot.closed = true;  // What could be read of it stays readable.
      continue;
    }
    const JournalFile::Header& header = slot.journal.header();
    if (header == before) continue;
    news = true;
    if (header.state == JournalFile::State::kArchived) slot.closed = scan_now_ = true;  // There is a new one.
  }
  return news;
}

void JournalReader::Report(const char* what, std::string_view path, std::string_view error) {
  log_.Warn(what, {{"path", path}, {"error", error}});
  if (problem_.text().empty()) problem_ << path << ": " << error;
}

void JournalReader::Scan() {
  scanned_ = true;
  problem_.Clear();
  // A file that has a name of which another is known as well is found at the second look.
  for (int look = 0; look < 2; ++look) {
    scan_now_ = overflow_ = renamed_ = false;
    for (Slot& slot : slots_) slot.seen = false;
    for (size_t i = 0; i < track_count_; ++i) tracks_[i].limit = UINT64_MAX;
    bool all = true;
    std::string_view rest = options_.directories;
    while (!rest.empty()) {
      const std::string_view directory = Trim(TakeUntil(rest, ','));
      if (directory.empty()) continue;
      Names names(*this, directory);
      const Status listed = files_.ListNames(directory, names);
      if (!listed.ok() && listed.code != Code::kNotFound) {
        all = false;
        Report("the journal cannot be read", directory, CodeName(listed.code));
      }
      for (size_t i = 0; i < names.machines(); ++i) {
        TextBuffer<kPathMax> path;
        path << directory << '/' << names.machine(i);
        Names files(*this, path.text());
        const Status inner = files_.ListNames(path.text(), files);
        if (!inner.ok() && inner.code != Code::kNotFound) {
          all = false;
          Report("the journal cannot be read", path.text(), CodeName(inner.code));
        }
      }
    }
    for (Slot& slot : slots_) {
      if (all && slot.used && !slot.seen && !slot.closed) {  // It was removed.
        (void)slot.journal.Refresh();
        slot.closed = true;
      }
    }
    if (!renamed_) break;
  }
  for (size_t i = 0; i < track_count_; ++i) {
    if (!tracks_[i].fresh) continue;
    tracks_[i].fresh = false;
    for (Slot& slot : slots_) {
      if (slot.used && slot.track == &tracks_[i]) slot.journal.SeekAfter(tracks_[i].position.seqnum);
    }
  }
  first_ = false;
  if (overflow_) {
    log_.Warn("the journal has more files to read than can be open: the oldest come first",
              {{"files", kJournalFilesMax}});
  }
}

void JournalReader::Consider(std::string_view path) {
  const bool closed = IsClosedName(path);
  if (closed && IsRead(Hash64(path))) return;
  for (Slot& slot : slots_) {
    if (slot.used && slot.name() == path && closed) {
      slot.seen = true;
      return;
    }
  }
  const Result<int> opened = files_.Open(path);
  if (!opened.ok()) {
    if (opened.status().code != Code::kNotFound) {
      Report("a file of the journal cannot be opened", path, CodeName(opened.status().code));
    }
    return;
  }
  ConsiderOpen(opened.value(), path, closed);
}

void JournalReader::ConsiderOpen(int file, std::string_view path, bool closed) {
  const Result<JournalFile::Header> read = JournalFile::ReadHeader(pages_, file);
  if (!read.ok()) {
    // A new one may not have its header yet.
    if (closed || read.status().code != Code::kInvalid) {
      Report("a file of the journal cannot be read", path, read.status().where);
      MarkRead(path);
    }
    files_.Close(file);
    return;
  }
  const JournalFile::Header& header = read.value();
  for (Slot& slot : slots_) {
    if (!slot.used) continue;
    if (slot.journal.header().file_id == header.file_id) {
      files_.Close(file);
      slot.seen = true;
      if (slot.name() == path) return;
      renamed_ = true;
      SetPath(slot, path);
      if (closed && !slot.closed) {
        (void)slot.journal.Refresh();  // Its last entries.
        slot.closed = true;
      }
      return;
    }
    if (slot.name() == path) slot.path_bytes = 0;
  }
  Track* const track = TrackOf(header.seqnum_id);
  if (track == nullptr) {
    files_.Close(file);
    return;
  }
  if (track->fresh) track->position.seqnum = std::max(track->position.seqnum, header.tail_seqnum);
  closed = closed || header.state == JournalFile::State::kArchived;
  if (closed && header.tail_seqnum <= track->position.seqnum) {
    MarkRead(path);
    files_.Close(file);
    return;
  }
  const bool full = open_files() == kJournalFilesMax;
  if (full && header.tail_seqnum <= track->position.seqnum) {  // Nothing of it is to be read yet.
    overflow_ = true;
    files_.Close(file);
    return;
  }
  Slot* const slot = SlotFor(header, *track);
  JournalFile journal;
  if (slot == nullptr || !journal.Open(pages_, file, closed).ok()) {
    files_.Close(file);
    return;
  }
  opened_ = true;
  *slot = Slot{};
  slot->used = slot->seen = true;
  slot->journal = journal;
  slot->track = track;
  slot->closed = closed;
  if (!closed && options_.watch != nullptr) {
    // journald writes through a mapping, which inotify does not see, and sets the size anew so that it does.
    const Result<int> watched = options_.watch->WatchFile(file);
    if (watched.ok()) slot->watch = watched.value();
  }
  SetPath(*slot, path);
  slot->journal.SeekAfter(track->position.seqnum);
}

/// A free one, or that of a file whose next entry comes later. nullptr: it has to wait.
JournalReader::Slot* JournalReader::SlotFor(const JournalFile::Header& header, Track& track) {
  Slot* latest = nullptr;
  Slot* latest_elsewhere = nullptr;
  const auto next_of = [](const Slot& slot) {
    if (slot.has_head) return slot.head.seqnum;
    const JournalFile::Header& about = slot.journal.header();
    if (about.tail_seqnum <= slot.track->position.seqnum) return UINT64_MAX;  // It is read, for now.
    return std::max(about.head_seqnum, slot.track->position.seqnum + 1);
  };
  const uint64_t next = std::max(header.head_seqnum, track.position.seqnum + 1);
  for (Slot& slot : slots_) {
    if (!slot.used) return &slot;
    if (&slot == given_) continue;
    const JournalFile::Header& other = slot.journal.header();
    if (slot.track == &track) {
      if (next_of(slot) > next && (latest == nullptr || next_of(slot) > next_of(*latest))) latest = &slot;
    } else if (other.head_realtime_us > header.head_realtime_us &&
               (latest_elsewhere == nullptr ||
                other.head_realtime_us > latest_elsewhere->journal.header().head_realtime_us)) {
      latest_elsewhere = &slot;
    }
  }
  overflow_ = true;
  if (latest == nullptr) latest = latest_elsewhere;
  // J1: nothing beyond the one that waits.
  Track& waits = latest != nullptr ? *latest->track : track;
  waits.limit = std::min(waits.limit, latest != nullptr ? next_of(*latest) : next);
  if (latest != nullptr) Release(*latest);
  return latest;
}

JournalReader::Track* JournalReader::TrackOf(const JournalId& seqnum_id) {
  for (size_t i = 0; i < track_count_; ++i) {
    if (tracks_[i].position.seqnum_id == seqnum_id) return &tracks_[i];
  }
  Track* track = track_count_ < kJournalTracksMax ? &tracks_[track_count_] : nullptr;
  if (track != nullptr) {
    ++track_count_;
  } else {
    // One whose files are all gone is not met again.
    for (Track& old : tracks_) {
      const auto has_file = [&](const Slot& slot) { return slot.used && slot.track == &old; };
      if (std::none_of(slots_.begin(), slots_.end(), has_file)) track = &old;
    }
  }
  if (track == nullptr) {
    log_.Warn("the journal was written by more instances of journald than can be followed",
              {{"instances", kJournalTracksMax}});
    return nullptr;
  }
  *track = Track{};
  track->position.seqnum_id = seqnum_id;
  track->fresh = first_ && !resumed_ && !options_.from_beginning;
  return track;
}

void JournalReader::SetPath(Slot& slot, std::string_view path) {
  std::memcpy(slot.path.data(), path.data(), path.size());
  slot.path_bytes = path.size();
  slot.runtime = path.starts_with("/run/");
}

void JournalReader::Release(Slot& slot) {
  if (!slot.used) return;
  if (slot.watch >= 0) options_.watch->Forget(slot.watch);
  pages_.Forget(slot.journal.file());
  files_.Close(slot.journal.file());
  counts_.damaged += slot.journal.damaged();
  slot = Slot{};
}

bool JournalReader::IsRead(uint64_t name) const {
  return std::find(read_names_.begin(), read_names_.end(), name) != read_names_.end();
}

void JournalReader::MarkRead(std::string_view path) {
  if (!IsClosedName(path)) return;  // Another one may have the name some time.
  read_names_[read_name_next_] = Hash64(path);
  read_name_next_ = (read_name_next_ + 1) % kReadNamesMax;
}

// Reading.

/// False: the file has no further entry. It is let go when there will be none.
bool JournalReader::FillHead(Slot& slot) {
  while (!slot.has_head) {
    switch (slot.journal.Peek(slot.head)) {
      case JournalFile::Got::kEntry:
        slot.has_head = true;
        break;
      case JournalFile::Got::kPassed:
        if (++passed_ < kPassedMax) continue;
        busy_ = true;
        return false;
      case JournalFile::Got::kNone:
        if (!slot.closed) return false;
        MarkRead(slot.name());
        if (overflow_) scan_now_ = busy_ = true;
        Release(slot);
        return false;
    }
    if (slot.has_head && slot.head.seqnum <= slot.track->position.seqnum) {  // J2
      slot.journal.Advance(slot.head);
      slot.has_head = false;
      if (++passed_ >= kPassedMax) {
        busy_ = true;
        return false;
      }
    }
  }
  return true;
}

/// The one with the next entry; nullptr when there is none, or it is not to be known yet.
JournalReader::Slot* JournalReader::Choose() {
  std::array<Slot*, kJournalTracksMax> first{};
  bool limited = false;
  for (Slot& slot : slots_) {
    if (!slot.used) continue;
    if (slot.has_head && slot.head.seqnum <= slot.track->position.seqnum) {
      slot.journal.Advance(slot.head);
      slot.has_head = false;
    }
    if (!FillHead(slot)) {
      if (busy_) return nullptr;
      continue;
    }
    const Track& track = *slot.track;
    if (slot.head.seqnum > track.horizon) continue;  // J1
    if (slot.head.seqnum >= track.limit) {
      limited = true;
      continue;
    }
    Slot*& best = first[static_cast<size_t>(&track - tracks_.data())];
    if (best == nullptr || slot.head.seqnum < best->head.seqnum) best = &slot;
  }
  Slot* next = nullptr;
  for (Slot* const slot : first) {
    if (slot == nullptr) continue;
    if (next == nullptr || slot->head.realtime_us < next->head.realtime_us) next = slot;
  }
  if (next == nullptr && limited) scan_now_ = busy_ = true;  // The file that waits has its turn.
  return next;
}

bool JournalReader::Next(JournalFile*& file, JournalEntry& entry) {
  given_ = nullptr;
  for (;;) {
    Slot* slot = Choose();
    if (slot == nullptr) return false;
    Position& position = slot->track->position;
    const uint64_t missing = position.seqnum == 0 ? 0 : slot->head.seqnum - position.seqnum - 1;
    if (missing > 0 && !scanned_) {  // They may be in a file that is not known yet.
      Scan();
      continue;
    }
    if (missing > 0) {
      counts_.missing += missing;
      log_.Warn("entries of the journal are missing: removed before they were read, or damaged",
                {{"entries", missing}, {"before", slot->head.seqnum}});
    }
    entry = slot->head;
    slot->journal.Advance(entry);
    slot->has_head = false;
    position.seqnum = entry.seqnum;
    if (slot->runtime) {
      runtime_boot_ = entry.boot;
      runtime_machine_ = slot->journal.header().machine_id;
      runtime_monotonic_us_ = entry.monotonic_us;
    } else if (entry.monotonic_us <= runtime_monotonic_us_ && entry.boot == runtime_boot_ &&
               slot->journal.header().machine_id == runtime_machine_) {
      // journald has copied it from /run to /var; it was read there.
      if (++passed_ < kPassedMax) continue;
      busy_ = true;
      return false;
    }
    last_ = position;
    given_ = slot;
    file = &slot->journal;
    return true;
  }
}

}  // namespace limpet
