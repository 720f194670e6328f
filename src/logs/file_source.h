// Follows files: finds them by globs, reads what is appended, and keeps to a file whatever its name
// becomes. A file is known by device, inode and a hash of its head; what was read of one generation of
// it is a track.
//
// Invariants:
//  W1  A track is moved on only past whole records: what is unfinished stays in the file.
//  W2  A file that was renamed or deleted is read to its end before it is let go.
//  W3  A file that has become shorter, or begins otherwise, is another generation: a track of its own.
//      What the one before still had unread is looked for in a copy beside it.
//  W4  A copy is no other file: it is left out while what it is a copy of is there, and goes on with its
//      track after that.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "batch/source.h"
#include "config/config.h"
#include "config/list.h"
#include "limpet/file_watch.h"
#include "limpet/files.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "logs/line_parser.h"
#include "logs/record_pipeline.h"
#include "logs/record_splitter.h"
#include "logs/track_table.h"

namespace limpet {

/// A track of a file says what it is, behind its owner.
struct FileIdentity {
  uint64_t device = 0, inode = 0;
  uint64_t first_seen_ms = 0;  ///< This generation; 0: no file, but that its source has been there.
  uint64_t head = 0;           ///< Hash of the first head_bytes.
  uint32_t stream = 0;         ///< The part of the uid that is a hash.
  uint32_t generation = 0;
  uint32_t head_bytes = 0;
  uint32_t name = 0;           ///< Hash of the path that it was found under; 0: it has been gone for long.
};

/// A file that is open.
struct FollowedFile {
  int file = -1;  ///< -1: a free place.
  Track* track = nullptr;
  FileIdentity identity;   ///< Of the track.
  int watch = -1;          ///< -1: it has to be asked.
  bool seen = false;       ///< By the last look for files: some name that matches leads to it.
  bool gone = false;       ///< None does: it is read to its end.
  bool due = false;        ///< There may be something to read.
  bool unfinished = false; ///< Its last record was, when it was read last.
  bool flushed = false;    ///< And all that could be was sent of it all the same.
  static constexpr uint64_t kUnread = UINT64_MAX;
  uint64_t size = 0;       ///< As it was then; kUnread: that failed.
  uint64_t scanned = 0;    ///< Of a line longer than the buffer: up to here there is no end of it;
  uint64_t long_end = 0;   ///< and where it ends, once that is found;
  LineEnd line_end = LineEnd::kLineEnd;  ///< by what.
  MonoTime grown;          ///< When it last grew,
  MonoTime ask;            ///< and when it is asked next.
  Duration pause;
  std::array<char, 256> path;
  uint16_t path_bytes = 0;
  std::string_view name() const { return {path.data(), path_bytes}; }
};

struct FileSourceParts {
  Files& files;
  FileWatch* watch = nullptr;  ///< nullptr: files have to be asked.
  TrackTable& tracks;
  RecordPipeline& pipeline;
  RecordSplitter& splitter;
  LineParser& parser;
  Log& log;
  std::span<char> buffer;      ///< What is read at once: twice max_line at least.
  std::span<FollowedFile> places;
  std::span<const uint8_t> resource;  ///< Encoded Resource message.
  std::string_view instance;
};

class FileSource final : public Source, public ChangeHandler, private NameSink {
 public:
  FileSource(const LogConfig& config, const FileSourceParts& parts);

  MonoTime OnTime(const Stamp& now, LogEncoder& logs) override;

  void OnChange(int watch) override;

  /// Files, now.
  size_t open() const { return open_; }
  /// What the last look found that cannot be read: "/var/log/app.log: permission denied"; empty: nothing.
  std::string_view problem() const { return problem_.text(); }

 private:
  static constexpr size_t kWatchedDirectories = 64;
  static constexpr Duration kAskFirst = Milliseconds(250);  // Of what is not watched, while it grows.

  /// What a walk through the names is for, in the order of a look.
  enum class Aim : uint8_t {
    kFind,   ///< Files whose name matches. What may be a copy of what is not open is put off.
    kLost,   ///< Files that no matching name leads to any more, by their inode.
    kAdopt,  ///< As kFind, for what was put off: now it is known whose own file is there.
    kRest,   ///< Copies, under any name, of files that are gone and were not read to their end.
  };

  // Names: file_source_find.cc.
  void Discover(const Stamp& now);
  void Walk(Aim aim);
  bool AnyName() const { return aim_ == Aim::kLost || aim_ == Aim::kRest; }
  void Report(std::string_view path, const Status& status);
  void WalkInto(std::string_view pattern);
  void WalkBehindLinks();
  void WatchFor(std::string_view directory);
  void DirectoryOf(const FollowedFile& f, TextBuffer<512>& directory);
  void OnName(std::string_view name) override;
  bool IsExcluded(std::string_view path) const;
  void Consider(std::string_view path);
  void ConsiderLost(std::string_view path);
  bool Follow(int file, std::string_view path, Track* track, bool gone);
  FollowedFile* FindOpen(const FileFacts& facts);
  FollowedFile* Place();

  // Files and their tracks: file_source_tracks.cc.
  void Start(const Stamp& now);
  FileIdentity IdentityOf(const Track& track) const;
  Result<uint64_t> HashHead(int file, uint64_t bytes);
  bool HasHead(int file, const FileIdentity& identity, bool unreadable);
  bool HasInode(const Track& track, const FileFacts& facts) const;
  void Describe(FollowedFile& f, const FileFacts& facts);
  void NameAgain(FollowedFile& f);
  bool IsOpen(const Track& track) const;
  bool IsGone(const Track& track) const;
  bool AnyLost();
  bool Claims(const Track& track, const FileFacts& facts) const;
  bool IsClaimed(const FileFacts& facts);
  Track* FindTrack(const FileFacts& facts, int file);
  /// Of the file that is looked at, as far as it was hashed last: mostly all tracks ask for the same.
  struct Head {
    uint64_t bytes = 0, hash = 0;
  };
  bool IsCopy(int file, std::string_view path, const FileFacts& facts);
  bool HasSameEnd(int file, uint64_t end, int other);
  bool TurnsOutACopy(const FollowedFile& f, const FileFacts& facts);
  bool Continues(int file, const FileFacts& facts, const Track& track, Head& head);
  Track* FindCopied(int file, std::string_view path, const FileFacts& facts);
  bool Adopt(Track& track, const FileFacts& facts);
  Track* FindRest(int file, const FileFacts& facts);
  void LookForRest(Track& track, const FileIdentity& identity, const FollowedFile& f);
  Track* Begin(int file, const FileFacts& facts, std::string_view path, uint64_t position,
               uint32_t generation);
  uint64_t StartOf(int file, const FileFacts& facts);
  Track* FindLost(int file, std::string_view path, const FileFacts& facts);
  bool IsKnown(int file, const FileFacts& facts);
  bool Renew(FollowedFile& f, const FileFacts& facts);
  void Spend(Track& track);
  void ForgetTracks();

  // What is in them: file_source.cc.
  bool Flushes(const FollowedFile& f, MonoTime now) const;
  bool Read(FollowedFile& f, const Stamp& now, LogEncoder& logs, size_t& share);
  bool LongLine(FollowedFile& f, uint64_t known);
  bool Fail(FollowedFile& f, const Status& status);
  void LetGo(FollowedFile& f, bool finished);

  const LogConfig& config_;
  const TrackOwner owner_;
  Files& files_;
  FileWatch* const watch_;
  TrackTable& tracks_;
  RecordPipeline& pipeline_;
  RecordSplitter& splitter_;
  LineParser& parser_;
  Log& log_;
  const std::span<char> buffer_;
  const std::span<FollowedFile> places_;
  const std::span<const uint8_t> resource_;
  const std::string_view instance_;

  const bool joins_;         // Records may be of several lines, and wait for `flush`.
  bool started_ = false;
  bool first_time_ = false;  // Of this source, ever: where start_at counts.
  bool look_ = false;        // A directory has changed.
  size_t open_ = 0, turn_ = 0;
  Stamp now_;
  MonoTime next_look_, looked_;
  bool told_full_ = false, told_path_ = false;
  TextBuffer<200> problem_;
  bool failed_ = false, said_ = false;  // Something of this look, or of one before it.
  MonoTime failing_since_;

  // Of the walk that runs.
  TextBuffer<512> path_;
  std::string_view pattern_;  // Of the part that names are compared with now, and what follows it.
  Aim aim_ = Aim::kFind;
  bool put_off_ = false;
  size_t wanted_ = 0;         // Tracks for which there was no place, since the last look.
  std::array<int, kWatchedDirectories> directories_;
  size_t directory_count_ = 0;
};

}  // namespace limpet
