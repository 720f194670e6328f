// Which track belongs to a file: the part of FileSource that knows files by what they are, not by their names.
#include <algorithm>
#include <array>
#include <cstring>

#include "base/hash.h"
#include "logs/file_source.h"

namespace limpet {
namespace {

constexpr size_t kHeadMax = 1024;       // Of the head, that it is known by.
constexpr size_t kCopyHeadMin = 256;    // As much has to be equal for a copy.

constexpr Duration kFailing = Seconds(60);  // What cannot be read for longer is not waited for.

constexpr size_t kIdentityBytes = 56;
using IdentityBytes = std::array<uint8_t, kIdentityBytes>;

IdentityBytes Encode(TrackOwner owner, const FileIdentity& identity) {
  IdentityBytes bytes;
  uint8_t* at = bytes.data();
  const auto put = [&at](const auto& value) {
    std::memcpy(at, &value, sizeof value);
    at += sizeof value;
  };
  put(owner), put(identity.device), put(identity.inode), put(identity.first_seen_ms), put(identity.head);
  put(identity.stream), put(identity.generation), put(identity.head_bytes), put(identity.name);
  return bytes;
}

uint32_t NameHash(std::string_view path) {
  const uint64_t hash = Hash64(path);
  return static_cast<uint32_t>(hash ^ hash >> 32);
}

/// What the path adds to that which has the hash: ".1" in "app.log.1" to "app.log", "-2026" in "app-2026.log". Empty: it
/// is not named after it.
std::string_view AddedTo(uint32_t original, std::string_view path) {
  const size_t name = path.size() - BaseName(path).size(), dot = path.rfind('.');
  for (size_t end = name + 1; end < path.size(); ++end) {
    if (NameHash(path.substr(0, end)) == original) return path.substr(end);
    if (dot == path.npos || end >= dot) continue;
    TextBuffer<sizeof FollowedFile::path> shorter;
    shorter << path.substr(0, end) << path.substr(dot);
    if (NameHash(shorter.text()) == original) return path.substr(end, dot - end);
  }
  return {};
}

/// What merely has the same lines is a file of its own.
bool IsNamedAsCopy(std::string_view path, uint32_t original) { return !AddedTo(original, path).empty(); }

/// As files are rotated: ".1", "-20261127", ".2026-11-27T10". Not so "app.log.1.xz", "app-error.log".
bool IsNamedAsRotated(std::string_view path, uint32_t original) {
  const std::string_view added = AddedTo(original, path);
  return added.size() > 1 && added.find_first_of("._-") == 0 && added.find_first_not_of("0123456789._-T") == added.npos &&
         added.find_first_of("0123456789") != added.npos;
}

}  // namespace

// What earlier processes have read

void FileSource::Start(const Stamp&) {
  started_ = true;
  first_time_ = true;
  tracks_.ForEach(owner_, [this](Track& track) {
    track.adopted = true;
    first_time_ = false;
  });
  if (first_time_) (void)tracks_.Add(owner_, Encode(owner_, {}), 0);  // From now on it has been there.
}

// Identities

FileIdentity FileSource::IdentityOf(const Track& track) const {
  FileIdentity identity;
  if (track.identity_bytes != kIdentityBytes) return identity;
  const uint8_t* at = track.identity.data() + sizeof(TrackOwner);
  const auto get = [&at](auto& value) {
    std::memcpy(&value, at, sizeof value);
    at += sizeof value;
  };
  get(identity.device), get(identity.inode), get(identity.first_seen_ms), get(identity.head);
  get(identity.stream), get(identity.generation), get(identity.head_bytes), get(identity.name);
  return identity;
}

Result<uint64_t> FileSource::HashHead(int file, uint64_t bytes) {
  std::array<char, kHeadMax> head;
  const Result<size_t> got = files_.ReadAt(file, 0, std::span(head).first(static_cast<size_t>(bytes)));
  if (!got.ok()) return got.status();
  return Hash64(std::string_view(head.data(), got.value()));
}

/// unreadable: what is said of what cannot be read just now.
bool FileSource::HasHead(int file, const FileIdentity& identity, bool unreadable) {
  if (identity.head_bytes == 0) return true;
  const Result<uint64_t> head = HashHead(file, identity.head_bytes);
  return head.ok() ? head.value() == identity.head : unreadable;
}

bool FileSource::HasInode(const Track& track, const FileFacts& facts) const {
  const FileIdentity identity = IdentityOf(track);
  return identity.first_seen_ms != 0 && identity.inode == facts.inode && identity.device == facts.device;
}

/// What it is known by grows with the file, as long as that is short.
void FileSource::Describe(FollowedFile& f, const FileFacts& facts) {
  // By what a copy is known it is to be known soon; after that once more.
  const uint64_t enough = f.identity.head_bytes < kCopyHeadMin ? kCopyHeadMin : kHeadMax;
  const bool soon = facts.size >= enough;
  if (f.identity.head_bytes >= kHeadMax || facts.size <= f.identity.head_bytes) return;
  if (f.identity.head_bytes >= kCopyHeadMin && !soon) return;
  FileIdentity identity = f.identity;
  identity.head_bytes = static_cast<uint32_t>(std::min<uint64_t>(facts.size, kHeadMax));
  const Result<uint64_t> head = HashHead(f.file, identity.head_bytes);
  if (!head.ok()) return;
  identity.head = head.value();
  if (tracks_.Describe(*f.track, Encode(owner_, identity), soon)) f.identity = identity;
}

/// It has been gone, and is there again.
void FileSource::NameAgain(FollowedFile& f) {
  f.identity.name = NameHash(f.name());
  (void)tracks_.Describe(*f.track, Encode(owner_, f.identity), false);
}

// Tracks and their files

bool FileSource::IsOpen(const Track& track) const {
  return std::any_of(places_.begin(), places_.end(),
                     [&](const FollowedFile& f) { return f.file >= 0 && f.track == &track; });
}

/// No name has led to its file in this look, so far.
bool FileSource::IsGone(const Track& track) const {
  return !track.named && !IsOpen(track) && IdentityOf(track).first_seen_ms != 0;
}

/// Are there files whose tracks no matching name leads to any more? Renamed or removed while nobody looked.
bool FileSource::AnyLost() {
  bool any = false;
  tracks_.ForEach(owner_, [&](Track& track) {
    any = any || (track.spent == 0 && IsGone(track));
  });
  return any;
}

/// It lacks its file, and that had this inode.
bool FileSource::Claims(const Track& track, const FileFacts& facts) const {
  return HasInode(track, facts) && IsGone(track);
}

bool FileSource::IsClaimed(const FileFacts& facts) {
  bool any = false;
  tracks_.ForEach(owner_, [&](Track& track) { any = any || Claims(track, facts); });
  return any;
}

/// The newest of the tracks that know this file, if it still begins as they say.
Track* FileSource::FindTrack(const FileFacts& facts, int file) {
  Track* best = nullptr;
  tracks_.ForEach(owner_, [&](Track& track) {
    if (!HasInode(track, facts) || IsOpen(track) || !HasHead(file, IdentityOf(track), false)) return;
    if (best == nullptr || track.id > best->id) best = &track;
  });
  return best;
}

// Copies

/// A copy of what is open, as copytruncate makes them: its lines are known.
bool FileSource::IsCopy(int file, std::string_view path, const FileFacts& facts) {
  if (facts.size < kCopyHeadMin) return false;
  for (const FollowedFile& f : places_) {
    if (f.file < 0 || f.file == file || f.identity.head_bytes < kCopyHeadMin) continue;
    if (f.identity.head_bytes > facts.size || !IsNamedAsCopy(path, f.identity.name)) continue;
    if (!HasHead(file, f.identity, true)) continue;
    const Result<FileFacts> other = files_.Facts(f.file);
    // What was truncated meanwhile has its own say soon.
    if (!other.ok() || other.value().size < f.track->read || !HasHead(f.file, f.identity, true)) return true;
    if (facts.size <= other.value().size && HasSameEnd(file, facts.size, f.file)) return true;
  }
  return false;
}

/// Logs may begin alike. A copy is equal at its end, too.
bool FileSource::HasSameEnd(int file, uint64_t end, int other) {
  std::array<char, kCopyHeadMin> one, two;
  const uint64_t begin = end - std::min<uint64_t>(end, one.size());
  const Result<size_t> a = files_.ReadAt(file, begin, std::span(one).first(static_cast<size_t>(end - begin)));
  const Result<size_t> b = files_.ReadAt(other, begin, std::span(two).first(static_cast<size_t>(end - begin)));
  if (!a.ok() || !b.ok() || a.value() != b.value()) return true;
  return std::memcmp(one.data(), two.data(), a.value()) == 0;
}

/// It was found before it had enough to be known by.
bool FileSource::TurnsOutACopy(const FollowedFile& f, const FileFacts& facts) {
  return f.track->read == 0 && f.identity.head_bytes < kCopyHeadMin && facts.size >= kCopyHeadMin &&
         (IsCopy(f.file, f.name(), facts) || FindCopied(f.file, f.name(), facts) != nullptr);
}

/// Does it begin as the file of the track does, and does a line end in it where the track was read to?
bool FileSource::Continues(int file, const FileFacts& facts, const Track& track, Head& head) {
  const FileIdentity identity = IdentityOf(track);
  if (identity.first_seen_ms == 0 || identity.head_bytes < kCopyHeadMin) return false;
  if (identity.head_bytes > facts.size || track.read > facts.size) return false;
  if (head.bytes != identity.head_bytes) {
    const Result<uint64_t> hash = HashHead(file, identity.head_bytes);
    if (!hash.ok()) return false;
    head = {identity.head_bytes, hash.value()};
  }
  if (head.hash != identity.head) return false;
  char last = '\n';
  if (track.read > 0) (void)files_.ReadAt(file, track.read - 1, {&last, 1});
  return last == '\n';
}

/// The track of what it is a copy of, with all that was read: of the file that has begun anew, is gone, or at rest.
Track* FileSource::FindCopied(int file, std::string_view path, const FileFacts& facts) {
  Track* best = nullptr;
  Head head;
  tracks_.ForEach(owner_, [&](Track& track) {
    if (IsOpen(track) || !Continues(file, facts, track, head)) return;
    if (!IsNamedAsCopy(path, IdentityOf(track).name)) return;
    if (best == nullptr || best->named || (!track.named && track.id > best->id)) best = &track;
  });
  return best;
}

/// Whether the file goes on with the track, and is its own from now on. Only once it is certain that no name leads
/// to the one before.
bool FileSource::Adopt(Track& track, const FileFacts& facts) {
  put_off_ = put_off_ || (aim_ == Aim::kFind && !track.named);
  if (aim_ == Aim::kFind || track.named) return false;
  FileIdentity identity = IdentityOf(track);
  identity.device = facts.device;
  identity.inode = facts.inode;
  track.named = true;
  const bool described = tracks_.Describe(track, Encode(owner_, identity), true);
  if (!described) look_ = true, track.spent = 0;  // Then at the next look.
  return described;
}

/// The track that the file, a copy, has unread lines of, whatever its name.
Track* FileSource::FindRest(int file, const FileFacts& facts) {
  Track* track = nullptr;
  Head head;
  tracks_.ForEach(owner_, [&](Track& each) {
    if (each.read < facts.size && IsGone(each) && Continues(file, facts, each, head)) track = &each;
  });
  return track != nullptr && Adopt(*track, facts) ? track : nullptr;
}

/// Into a copy beside it, or nowhere.
void FileSource::LookForRest(Track& track, const FileIdentity& identity, const FollowedFile& f) {
  if (identity.head_bytes >= kCopyHeadMin) {
    aim_ = Aim::kRest;
    path_.Clear();
    DirectoryOf(f, path_);
    WalkInto("*");
    aim_ = Aim::kFind;
  }
  if (IsGone(track)) Spend(track);
}

// Generations, from the first to the last of a file

/// A generation that has not been seen before. Null: there is no track for it yet, or it cannot be read.
Track* FileSource::Begin(int file, const FileFacts& facts, std::string_view path, uint64_t position,
                         uint32_t generation) {
  FileIdentity identity{.device = facts.device,
                        .inode = facts.inode,
                        .first_seen_ms = static_cast<uint64_t>(std::max<int64_t>(now_.wall.ns / 1'000'000, 1)),
                        .generation = generation};
  identity.head_bytes = static_cast<uint32_t>(std::min<uint64_t>(facts.size, kHeadMax));
  const Result<uint64_t> head = HashHead(file, identity.head_bytes);
  Report(path, head.status());
  if (!head.ok()) return nullptr;
  identity.head = head.value();
  identity.name = NameHash(path);
  uint64_t stream = Hash64(instance_);
  for (const uint64_t part : {identity.device, identity.inode, uint64_t{generation}, identity.head}) {
    stream = Hash64(part, stream);
  }
  identity.stream = static_cast<uint32_t>(stream ^ stream >> 32);
  Track* const track = tracks_.Add(owner_, Encode(owner_, identity), position);
  if (track == nullptr) ++wanted_;
  return track;
}

/// Where a new file is read from: with start_at = end, behind the last line that is there at the very
/// first start.
uint64_t FileSource::StartOf(int file, const FileFacts& facts) {
  if (!first_time_ || config_.from_beginning) return 0;
  for (uint64_t end = facts.size; end > 0;) {
    const uint64_t begin = end - std::min<uint64_t>(end, buffer_.size());
    const auto got = files_.ReadAt(file, begin, buffer_.first(static_cast<size_t>(end - begin)));
    if (!got.ok()) return facts.size;
    const size_t line_end = std::string_view(buffer_.data(), got.value()).rfind('\n');
    if (line_end != std::string_view::npos) return begin + line_end + 1;
    end = begin;
  }
  return 0;
}

/// The track of what no matching name leads to any more, by its inode, if it has unread lines. What was empty, or
/// begins otherwise now, has to be named as what was rotated: then it was written anew and renamed while limpet was
/// down, and is the next generation.
Track* FileSource::FindLost(int file, std::string_view path, const FileFacts& facts) {
  const Status readable = HashHead(file, 1).status();
  Report(path, readable);
  if (!readable.ok()) return nullptr;
  Track* track = FindTrack(facts, file);
  if (track == nullptr || IdentityOf(*track).head_bytes == 0) {
    Track* before = nullptr;
    tracks_.ForEach(owner_, [&](Track& each) {
      if (!Claims(each, facts) || !IsNamedAsRotated(path, IdentityOf(each).name)) return;
      if (before == nullptr || each.id > before->id) before = &each;
    });
    if (before == nullptr || IsExcluded(path)) return nullptr;
    if (track == nullptr && IsKnown(file, facts)) return nullptr;
    if (track == nullptr) track = Begin(file, facts, path, 0, IdentityOf(*before).generation + 1);
  }
  const bool unread = track != nullptr && !track->named && track->read < facts.size;
  if (unread) track->named = true;  // Should it have to wait for a place.
  return unread ? track : nullptr;
}

/// It begins as a file of some track does: it may be a copy.
bool FileSource::IsKnown(int file, const FileFacts& facts) {
  bool known = false;
  const uint64_t enough = std::min<uint64_t>(facts.size, kCopyHeadMin);
  tracks_.ForEach(owner_, [&](Track& track) {
    const FileIdentity identity = IdentityOf(track);
    const bool says = identity.head_bytes >= enough && identity.head_bytes <= facts.size;
    known = known || (says && HasHead(file, identity, true));
  });
  return known;
}

/// W3: what was there is gone, what is there begins anew. False: there is no track for it yet.
bool FileSource::Renew(FollowedFile& f, const FileFacts& facts) {
  Track* const before = f.track;
  const FileIdentity identity = f.identity;
  Track* const fresh = Begin(f.file, facts, f.name(), 0, identity.generation + 1);
  if (fresh == nullptr) return false;
  fresh->named = before->named;
  before->named = false;
  f.track = fresh;
  f.identity = IdentityOf(*fresh);
  f.scanned = f.long_end = 0;
  f.unfinished = false;
  f.size = 0;
  f.due = true;
  f.gone = false;
  LookForRest(*before, identity, f);
  return true;
}

/// All of it is read, and its file is gone.
void FileSource::Spend(Track& track) {
  track.spent = 1;
  look_ = true;
}

/// After all names were looked at: what no copy has gone on with; what was empty and is no longer there, whose
/// inode may be given to another file; and for those that need a place the oldest of what is no longer there.
void FileSource::ForgetTracks() {
  if (failed_ && now_.mono - failing_since_ < kFailing) return;  // Not all were.
  // What is open may yet turn out to be a copy.
  const bool unsure = std::any_of(places_.begin(), places_.end(), [this](const FollowedFile& f) {
    if (f.file < 0 || f.identity.head_bytes >= kCopyHeadMin) return false;
    const Result<FileFacts> facts = files_.Facts(f.file);
    return f.due || (facts.ok() && facts.value().size != f.size);
  });
  tracks_.ForEach(owner_, [&](Track& track) {
    if (!IsGone(track)) return;
    FileIdentity identity = IdentityOf(track);
    const bool empty = identity.head_bytes == 0 && track.read == 0;
    if ((track.spent > 1 && !unsure) || empty) return tracks_.Release(track);
    // From now on another file may get its inode: by that alone none is taken for the next of it.
    if (unsure || track.spent > 0 || identity.name == 0) return;
    identity.name = 0;
    (void)tracks_.Describe(track, Encode(owner_, identity), false);
  });
  for (; wanted_ > 0; --wanted_) {
    Track* oldest = nullptr;
    tracks_.ForEach(owner_, [&](Track& track) {
      if (IsGone(track) && (oldest == nullptr || track.id < oldest->id)) oldest = &track;
    });
    if (oldest == nullptr) break;
    tracks_.Release(*oldest, true);
  }
  wanted_ = 0;
}

}  // namespace limpet
