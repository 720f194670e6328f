#include "main/spool_source.h"

#include <algorithm>
#include <new>

#include "batch/gzip.h"
#include "cli/exit_code.h"
#include "main/console.h"
#include "otlp/validate.h"
#include "port/linux/pid_lock.h"
#include "port/linux/region.h"
#include "port/sqlite/spool_vfs.h"
#include "spool/schema.h"

namespace limpet {
namespace {

constexpr int kTries = 50;  // To find one state of a spool that changes all the time.

/// "file:/path?immutable=1", for SQLite.
void WriteUri(TextWriter& out, std::string_view path) {
  constexpr std::string_view kPlain = "/-_.~";
  // An absolute path stands behind an empty host, or its own second slash would begin one.
  out << "file:" << (path.starts_with('/') ? "//" : "");
  for (const char c : path) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       kPlain.find(c) != std::string_view::npos;
    if (plain) {
      out << c;
    } else {
      const auto byte = static_cast<uint8_t>(c);
      out << '%';
      out.Hex(std::span(&byte, 1));
    }
  }
  out << "?immutable=1" << '\0';
}

struct Beside {  // A file beside the database.
  Beside(std::string_view path, std::string_view suffix) { name << path << suffix; }
  std::string_view text() const { return name.text(); }
  TextBuffer<kPathMax + 16> name;
};

/// Was a transaction cut short, or is it not in the database yet?
bool IsHot(std::string_view path) {
  const Result<uint8_t> journal = FirstByte(Beside(path, "-journal").text());
  const Result<uint64_t> wal = FileSize(Beside(path, "-wal").text());
  return !journal.ok() || journal.value() != 0 || (wal.ok() && wal.value() > 0);
}

}  // namespace

SpoolSource* SpoolSource::Make() {
  const size_t bytes = (sizeof(SpoolSource) + 63) / 64 * 64;
  const Result<std::span<std::byte>> region = TakeRegion(bytes + kCommandHeapBytes);
  if (!region.ok()) {
    Complain("no memory");
    return nullptr;
  }
  auto* const made = new (region.value().data()) SpoolSource();
  made->heap_.Init("sqlite", region.value().subspan(bytes));
  return made;
}

int SpoolSource::Start(const Args& args) {
  if (const int code = question_.Open(args); code != kExitOk) return code;
  Status started = StartSqlite(heap_);
  if (started.ok()) started = StartSpoolVfs();
  if (started.ok()) started = StartRemoteVfs(remote_);
  if (!started.ok()) {
    Complain("cannot start SQLite");
    return kExitInternal;
  }
  if (config().spool.durability == Durability::kMemoryOnly) {
    Complain("there is no spool (spool.durability = never)");
    return kExitUnavailable;
  }
  std::string_view directory = config().agent.state_dir;
  while (directory.size() > 1 && directory.back() == '/') directory.remove_suffix(1);
  path_ << directory << '/' << kSpoolFile;
  if (path_.overflowed()) {
    Complain("state_dir is too long");
    return kExitConfig;
  }
  return kExitOk;
}

int SpoolSource::Open(const Args& args) {
  if (const int code = Start(args); code != kExitOk) return code;
  return Reopen();
}

int SpoolSource::Reopen() {
  reader_.Close();
  db_.Close();
  const Result<int> holder = PidLock::Holder(config().agent.state_dir, "spool.lock");
  if (!holder.ok()) return Complaint(holder.status());
  running_ = holder.value() != 0;
  return running_ ? OpenRunning(holder.value()) : OpenAtRest();
}

int SpoolSource::OpenRunning(int holder) {
  Status status;
  while (tries_++ < kTries) {
    remote_.Restart();
    status = db_.Open("spool", kRemoteVfs, Database::Mode::kReadOnly);
    if (status.ok()) status = reader_.Open(db_);
    if (status.ok()) return kExitOk;
    reader_.Close();
    db_.Close();
    if (!Changed()) break;
  }
  if (tries_ > kTries) {
    Complain("the spool changes faster than it can be read: try again");
    return kExitTryAgain;
  }
  if (remote_.failed().code == Code::kNotFound) {
    TextBuffer<kPathMax + 128> text;
    text << "a limpet (process " << holder << ") uses " << path()
         << ", but none answers at agent.run_dir = " << config().agent.run_dir;
    Complain(text.text());
    return kExitUnavailable;
  }
  return Complaint(status);
}

int SpoolSource::OpenAtRest() {
  const Result<uint64_t> size = FileSize(path());
  const bool empty = size.ok() && size.value() == 0;
  if (empty || size.status().code == Code::kNotFound) {
    TextBuffer<kPathMax + 32> text;
    text << "no spool at " << path();
    Complain(text.text());
    return kExitNoInput;
  }
  if (!size.ok()) return Complaint(size.status());
  return OpenFile(path());
}

int SpoolSource::OpenFile(std::string_view path) {
  if (path.data() != path_.text().data()) {
    path_.Clear();
    path_ << path;
  }
  Status status;
  if (IsHot(path_.text())) {
    status = OpenCopy();
    if (!status.ok() && status.code != Code::kInvalid && folder_.path().empty()) {
      Complain("no temporary directory to undo an unfinished transaction in (TMPDIR names one)");
      return kExitCannotCreate;
    }
  } else {
    TextBuffer<3 * kPathMax> uri;
    WriteUri(uri, path_.text());
    status = db_.Open(uri.text().data(), kSpoolVfs, Database::Mode::kImmutable);
  }
  if (status.ok()) status = reader_.Open(db_);
  folder_.Remove();  // What is open stays readable, and nothing is left behind however this ends.
  return status.ok() ? kExitOk : Complaint(status);
}

/// On a copy with all that belongs to it, the transaction is undone by whoever reads it first.
Status SpoolSource::OpenCopy() {
  LIMPET_TRY(folder_.Make());
  TextBuffer<kPathMax> copy;
  copy << folder_.path() << '/' << kSpoolFile << '\0';
  const std::string_view to = copy.text().substr(0, copy.size() - 1);
  LIMPET_TRY(CopyFile(path(), to));
  for (const std::string_view suffix : {"-journal", "-wal"}) {
    const Status copied = CopyFile(Beside(path(), suffix).text(), Beside(to, suffix).text());
    if (!copied.ok() && copied.code != Code::kNotFound) return copied;
  }
  LIMPET_TRY(db_.Open(copy.text().data(), kSpoolVfs, Database::Mode::kCreate));
  // Nobody else has it: a WAL needs no shared memory then.
  LIMPET_TRY(db_.Execute("PRAGMA locking_mode=EXCLUSIVE"));
  return db_.Number("SELECT count(*) FROM sqlite_schema").status();
}

int SpoolSource::Complaint(const Status& status) const {
  const Status& failed = remote_.failed();
  TextBuffer<kPathMax + 400> text;
  if (running_ && failed.code == Code::kUnavailable) {
    text << "the running limpet says: " << remote_.refusal();
    Complain(text.text());
    return kExitUnavailable;
  }
  if (running_ && !failed.ok()) return question_.Complaint(failed);
  text << path() << ": ";
  if (IsOutOfMemory(status)) {
    text << "not enough memory to read it";
  } else {
    switch (status.code) {
      case Code::kDenied: text << "no permission"; break;
      case Code::kInvalid: text << "damaged, or no spool: " << status.where; break;
      case Code::kUnsupported: text << status.where; break;
      default: text << status.where << ": " << CodeName(status.code); break;
    }
  }
  Complain(text.text());
  switch (status.code) {
    case Code::kDenied: return kExitPermission;
    case Code::kInvalid:
    case Code::kUnsupported: return kExitData;
    case Code::kNotFound: return kExitNoInput;
    default: return kExitIo;
  }
}

int SpoolSource::Finish() {
  reader_.Close();
  db_.Close();
  if (running_) return kExitOk;
  const Result<int> holder = PidLock::Holder(config().agent.state_dir, "spool.lock");
  if (!holder.ok() || holder.value() == 0) return kExitOk;
  Complain("limpet has been started meanwhile, so that this may be wrong: try again");
  return kExitTryAgain;
}

Result<std::span<const uint8_t>> SpoolSource::ReadRequest(Kept kept, const Record& record) {
  const std::span<uint8_t> into = Grow(stored_, record.blob_bytes());
  if (into.size() < record.blob_bytes()) return {Code::kFull, 0, "no memory for a batch"};
  const Result<std::span<const uint8_t>> stored =
      reader_.ReadBytes(kept, record, into.first(record.blob_bytes()));
  if (!stored.ok()) return stored;
  std::span<const uint8_t> request = stored.value();
  if (record.header.encoding == Encoding::kGzip) {
    const std::span<uint8_t> raw = Grow(raw_, record.header.raw_bytes);
    const std::span<uint8_t> state = Grow(gzip_, GzipDecompressor::BytesNeeded());
    if (raw.size() < record.header.raw_bytes || state.empty()) {
      return {Code::kFull, 0, "no memory for a batch"};
    }
    GzipDecompressor gzip(std::as_writable_bytes(state));
    const Result<size_t> size = gzip.Decompress(request, raw);
    if (!size.ok()) return {Code::kInvalid, 0, "does not inflate"};
    request = raw.first(size.value());
  }
  if (!ValidateExportRequest(record.header.signal, request).ok()) {
    return {Code::kInvalid, 0, "not an export request"};
  }
  return request;
}

std::span<uint8_t> SpoolSource::Grow(std::span<std::byte>& region, size_t bytes) {
  if (region.size() < std::max<size_t>(bytes, 1)) {
    if (!region.empty()) GiveBackRegion(region);
    const Result<std::span<std::byte>> taken = TakeRegion(std::max<size_t>(bytes, 64 * kKiB));
    region = taken.ok() ? taken.value() : std::span<std::byte>();
  }
  return {reinterpret_cast<uint8_t*>(region.data()), region.size()};
}

}  // namespace limpet
