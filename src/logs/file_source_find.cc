// Which files are followed: the part of FileSource that goes through names.
#include <algorithm>
#include <array>

#include "base/hash.h"
#include "logs/file_source.h"

namespace limpet {
namespace {

/// With its slash.
std::string_view DirectoryPart(std::string_view path) { return path.substr(0, path.rfind('/') + 1); }

bool HasPattern(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }

}  // namespace

void FileSource::Discover(const Stamp& now) {
  looked_ = now.mono;
  next_look_ = now.mono + config_.discover;
  look_ = false;
  for (FollowedFile& f : places_) f.seen = false;
  tracks_.ForEach(owner_, [](Track& track) {
    track.named = false;
    if (track.spent == 1) track.spent = 2;
  });
  directory_count_ = 0;
  put_off_ = failed_ = false;
  problem_.Clear();
  Walk(Aim::kFind);
  if (AnyLost()) Walk(Aim::kLost);
  if (put_off_) Walk(Aim::kAdopt);
  if (AnyLost()) Walk(Aim::kRest);
  aim_ = Aim::kFind;
  for (const FollowedFile& f : places_) {
    if (f.file >= 0 && f.size == FollowedFile::kUnread) Report(f.name(), {Code::kIo, 0, "read"});
  }
  if (said_ && !failed_) log_.Info("all files of the source can be read again", {{"source", config_.name}});
  said_ = failed_;
  for (FollowedFile& f : places_) {
    if (f.file < 0) continue;
    if (!f.seen && !f.gone) f.gone = true, f.grown = now.mono;
    if (f.seen) f.gone = false;
  }
  ForgetTracks();
  first_time_ = false;
}

/// Goes down along each pattern, a part of the path at a time.
void FileSource::Walk(Aim aim) {
  aim_ = aim;
  ListIterator patterns(config_.path);
  for (std::string_view pattern; patterns.Next(pattern);) {
    path_.Clear();
    WalkInto(pattern);
  }
  WalkBehindLinks();
}

/// Said once, until nothing fails any more. What is not there, or goes meanwhile, is no failure; nor is what bears
/// another name, but for those that are looked for by their inode.
void FileSource::Report(std::string_view path, const Status& status) {
  if (status.ok() || status.code == Code::kNotFound || (aim_ != Aim::kFind && aim_ != Aim::kLost)) return;
  if (!failed_) problem_ << path << ": " << CodeName(status.code);
  failed_ = true;
  if (said_) return;
  said_ = true;
  failing_since_ = now_.mono;
  log_.Warn("a file or a directory cannot be read",
            {{"source", config_.name}, {"path", path}, {"error", CodeName(status.code)}, {"number", status.detail}});
}

/// path_ is what is certain so far, pattern the rest.
void FileSource::WalkInto(std::string_view pattern) {
  // Parts without a pattern are taken as they are.
  while (!pattern.empty() && HasPattern(pattern)) {
    const size_t slash = pattern.find('/');
    const std::string_view part = pattern.substr(0, slash);
    if (HasPattern(part) || slash == std::string_view::npos) break;
    path_ << part << '/';
    pattern.remove_prefix(slash + 1);
  }
  if (!HasPattern(pattern)) {
    const std::string_view directory = DirectoryPart(pattern);
    if (AnyName()) {
      path_ << directory;
      pattern = "*";
    } else {
      path_ << pattern;
      Consider(path_.text());
      pattern = {};
      WatchFor(DirectoryPart(path_.text()));  // For what takes its place.
      return;
    }
  }
  if (path_.overflowed()) {
    if (!told_path_) log_.Warn("a path is too long to be followed", {{"source", config_.name}});
    told_path_ = true;
    return;
  }
  const std::string_view before = pattern_;
  pattern_ = pattern;
  const std::string_view directory = path_.size() > 1 ? path_.text().substr(0, path_.size() - 1) : "/";
  WatchFor(path_.text());
  Report(directory, files_.ListNames(directory, *this));
  pattern_ = before;
}

/// A directory, with its slash.
void FileSource::WatchFor(std::string_view directory) {
  if (watch_ == nullptr || aim_ != Aim::kFind || directory_count_ == directories_.size()) return;
  if (directory.size() > 1) directory.remove_suffix(1);
  const Result<int> watched = watch_->WatchDirectory(directory);
  if (!watched.ok()) return;
  for (const int known : std::span(directories_).first(directory_count_)) {
    if (known == watched.value()) return;
  }
  directories_[directory_count_++] = watched.value();
}

/// Where the file lies, whatever links lead to it, with its slash.
void FileSource::DirectoryOf(const FollowedFile& f, TextBuffer<512>& directory) {
  std::array<char, 512> room;
  TextBuffer<32> link;
  link << "/proc/self/fd/" << f.file;
  const Result<std::string_view> path = files_.ReadLink(link.text(), room);
  const bool known = path.ok() && path.value().starts_with('/') && path.value().size() < room.size();
  directory << DirectoryPart(known ? path.value() : f.name());
}

/// The directories that only links lead to: there the files that they lead to are rotated.
void FileSource::WalkBehindLinks() {
  if (!AnyName() && (aim_ != Aim::kFind || watch_ == nullptr)) return;
  std::array<uint64_t, kWatchedDirectories> walked;
  size_t count = 0;
  for (const FollowedFile& f : places_) {
    if (f.file < 0 || !f.seen) continue;
    TextBuffer<512> directory;
    DirectoryOf(f, directory);
    const uint64_t hash = Hash64(directory.text());
    const auto known = std::span(walked).first(count);
    if (directory.text() == DirectoryPart(f.name())) continue;
    if (std::find(known.begin(), known.end(), hash) != known.end()) continue;
    if (count < walked.size()) walked[count++] = hash;
    WatchFor(directory.text());
    if (!AnyName()) continue;
    path_.Clear();
    path_ << directory.text();
    WalkInto("*");
  }
}

void FileSource::OnName(std::string_view name) {
  const std::string_view pattern = pattern_;
  const size_t slash = pattern.find('/');
  const std::string_view part = pattern.substr(0, slash);
  const bool last = slash == std::string_view::npos;
  if (name.starts_with('.') && !part.starts_with('.')) return;
  if (!(AnyName() && last) && !GlobMatches(part, name)) return;
  TextBuffer<512> before;
  before << path_.text();
  path_ << name;
  if (!last) {
    path_ << '/';
    WalkInto(pattern.substr(slash + 1));
  } else if (!path_.overflowed()) {
    if (AnyName()) {
      ConsiderLost(path_.text());
    } else {
      Consider(path_.text());
    }
  }
  path_.Clear();
  path_ << before.text();
}

bool FileSource::IsExcluded(std::string_view path) const {
  return AnyGlobMatches(config_.exclude, path) || AnyGlobMatches(config_.exclude, BaseName(path));
}

/// A name that matches.
void FileSource::Consider(std::string_view path) {
  if (IsExcluded(path)) return;
  const Result<FileFacts> facts = files_.FactsOf(path);
  Report(path, facts.status());
  if (!facts.ok() || !facts.value().regular) return;
  if (FollowedFile* const f = FindOpen(facts.value())) {
    f->seen = f->track->named = true;
    if (f->size != facts.value().size) f->due = true;
    return;
  }
  const Result<int> file = files_.Open(path);
  Report(path, file.status());
  if (file.ok() && !Follow(file.value(), path, nullptr, false)) files_.Close(file.value());
}

void FileSource::ConsiderLost(std::string_view path) {
  Result<FileFacts> facts = files_.FactsOf(path);
  if (!facts.ok() || !facts.value().regular || FindOpen(facts.value()) != nullptr) return;
  if (facts.value().size == 0) return;
  if (aim_ == Aim::kLost && !IsClaimed(facts.value())) return;  // Not worth opening.
  const Result<int> file = files_.Open(path);
  if (aim_ == Aim::kLost) Report(path, file.status());
  if (!file.ok()) return;
  facts = files_.Facts(file.value());
  Track* track = nullptr;
  if (facts.ok() && FindOpen(facts.value()) == nullptr) {  // The name may lead elsewhere now.
    track = aim_ == Aim::kLost ? FindLost(file.value(), path, facts.value()) : FindRest(file.value(), facts.value());
  }
  if (track == nullptr || !Follow(file.value(), path, track, true)) files_.Close(file.value());
}

bool FileSource::Follow(int file, std::string_view path, Track* track, bool gone) {
  const Result<FileFacts> facts = files_.Facts(file);
  if (!facts.ok() || !facts.value().regular || path.size() > sizeof FollowedFile::path) return false;
  if (track == nullptr && FindOpen(facts.value()) != nullptr) return false;  // It was renamed meanwhile.
  if (track == nullptr) {
    track = FindTrack(facts.value(), file);
    if (track != nullptr) track->named = true;
  }
  if (track == nullptr) {  // W4
    if (IsCopy(file, path, facts.value())) return false;
    track = FindCopied(file, path, facts.value());
    if (track != nullptr && !Adopt(*track, facts.value())) return false;
  }
  const bool known = track != nullptr;
  if (known && !gone && track->read == facts.value().size && open_ == places_.size()) {
    return false;  // At rest, and there is no place for those.
  }
  FollowedFile* const f = Place();
  if (f == nullptr) {
    if (!told_full_) {
      log_.Warn("more files grow at once than there is room for: some wait",
                {{"source", config_.name}, {"room", places_.size()}});
    }
    told_full_ = true;
    return false;
  }
  if (!known) {
    track = Begin(file, facts.value(), path, StartOf(file, facts.value()), 0);
    if (track == nullptr) return false;
    track->named = true;
  }
  track->spent = 0;
  *f = FollowedFile{};
  f->file = file;
  f->track = track;
  f->identity = IdentityOf(*track);
  f->seen = !gone;
  f->gone = gone;
  f->due = true;
  f->grown = f->ask = now_.mono;
  f->pause = kAskFirst;
  path.copy(f->path.data(), path.size());
  f->path_bytes = static_cast<uint16_t>(path.size());
  if (f->identity.name == 0) NameAgain(*f);
  if (watch_ != nullptr) {
    const Result<int> watched = watch_->WatchFile(file);
    if (watched.ok()) f->watch = watched.value();
  }
  ++open_;
  return true;
}

FollowedFile* FileSource::FindOpen(const FileFacts& facts) {
  for (FollowedFile& f : places_) {
    if (f.file >= 0 && f.identity.device == facts.device && f.identity.inode == facts.inode) {
      return &f;
    }
  }
  return nullptr;
}

/// A free place, or that of the file that has been quiet longest and is read to its end.
FollowedFile* FileSource::Place() {
  for (;;) {
    FollowedFile* oldest = nullptr;
    for (FollowedFile& f : places_) {
      if (f.file < 0) return &f;
      const bool idle = !f.due && !f.unfinished && f.track->read >= f.size;
      if (idle && (oldest == nullptr || f.grown < oldest->grown)) oldest = &f;
    }
    if (oldest == nullptr) return nullptr;
    // It may have grown unheard, and have no name any more.
    const Result<FileFacts> facts = files_.Facts(oldest->file);
    oldest->due = facts.ok() && facts.value().size != oldest->track->read;
    if (!oldest->due) {
      LetGo(*oldest, oldest->gone);
      return oldest;
    }
  }
}

}  // namespace limpet
