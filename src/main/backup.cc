// limpet backup and limpet restore: the whole state as one file, out of a process that goes on, and
// back into a directory where none runs.
#include "cli/exit_code.h"
#include "main/commands.h"
#include "main/console.h"
#include "main/spool_source.h"
#include "port/linux/host.h"
#include "port/linux/state_dir.h"
#include "port/sqlite/spool_vfs.h"
#include "spool/schema.h"

namespace limpet {
namespace {

constexpr std::string_view kRestored = "spool.db.restore", kBefore = "spool.db.before-restore",
                           kDamaged = "spool.db.damaged-1";

int Failed(std::string_view path, const Status& status) {
  TextBuffer<kPathMax + 128> text;
  text << path << ": " << status.where << ": " << CodeName(status.code);
  Complain(text.text());
  switch (status.code) {
    case Code::kDenied: return kExitPermission;
    case Code::kFull: return kExitCannotCreate;
    default: return kExitIo;
  }
}

/// Copies what is open into a new file, which is on flash when this returns.
Status CopyInto(Database& from, std::string_view path) {
  TextBuffer<kPathMax> name;
  name << path << '\0';
  if (name.overflowed()) return {Code::kInvalid, 0, "path is too long"};
  Database to;
  LIMPET_TRY(to.Open(name.text().data(), kSpoolVfs, Database::Mode::kCreate));
  // Half a copy is never used, so that it needs no journal.
  LIMPET_TRY(to.Execute("PRAGMA locking_mode=EXCLUSIVE;PRAGMA journal_mode=OFF;"
                        "PRAGMA synchronous=FULL;PRAGMA cache_size=-512"));
  LIMPET_TRY(from.Execute("PRAGMA cache_size=-256"));
  return from.CopyTo(to);
}

/// Is every page where it belongs?
Status CheckCopy(std::string_view path) {
  TextBuffer<kPathMax> name;
  name << path << '\0';
  Database copy;
  LIMPET_TRY(copy.Open(name.text().data(), kSpoolVfs, Database::Mode::kCreate));
  LIMPET_TRY(copy.Execute("PRAGMA locking_mode=EXCLUSIVE;PRAGMA cache_size=-256"));
  Statement statement;
  LIMPET_TRY(statement.Prepare(copy, "PRAGMA quick_check(1)"));
  const Result<bool> row = statement.Step();
  if (!row.ok()) return row.status();
  if (row.value() && statement.Text(0) != "ok") return {Code::kInvalid, 0, "damaged"};
  return {};
}

/// "12 batches with 340 items and 1 dead item of instance ..."
void WriteContents(TextWriter& out, const SpoolState& state) {
  uint64_t batches = 0, items = 0, dead = 0;
  for (const Signal signal : kSignals) {
    batches += state.totals[Index(signal)].batches;
    items += state.totals[Index(signal)].items;
    dead += state.account.accounts[Index(signal)].dead;
  }
  out << batches << (batches == 1 ? " batch with " : " batches with ") << items
      << (items == 1 ? " item" : " items") << " and " << dead << " dead"
      << (dead == 1 ? " item" : " items") << " of instance " << state.instance.text();
}

int FailedFile(std::string_view path, const Status& status) {
  TextBuffer<kPathMax + 64> text;
  text << path << ": " << (status.code == Code::kExists ? status.where : CodeName(status.code));
  Complain(text.text());
  return status.code == Code::kDenied ? kExitPermission : kExitCannotCreate;
}

int Backup(SpoolSource& source, std::string_view path) {
  NewFile file;
  if (const Status made = file.Make(path); !made.ok()) return FailedFile(path, made);
  Status status;
  for (;;) {
    status = file.Clear();
    if (status.ok()) status = CopyInto(source.database(), file.part());
    if (status.ok() || !source.Changed()) break;
    if (const int code = source.Reopen(); code != kExitOk) return code;
  }
  const bool of_source = !status.ok() && (source.running() || status.code == Code::kInvalid);
  if (of_source && status.code != Code::kFull) return source.Complaint(status);
  if (!status.ok()) return Failed(path, status);
  TextBuffer<kPathMax + 200> text;
  WriteContents(text, source.reader().state());
  text << " written to " << path << '\n';
  if (const int code = source.Finish(); code != kExitOk) return code;
  const Status finished = file.Finish();
  if (finished.code == Code::kExists) return FailedFile(path, finished);
  if (!finished.ok()) return Failed(path, finished);
  return WriteStdout(text.text()) ? kExitOk : kExitIo;
}

/// Renames a database with all that belongs to it, in place of another.
Status MoveAside(StateDir& directory, std::string_view from, std::string_view to) {
  for (const std::string_view suffix : {"-journal", "-wal", ""}) {
    TextBuffer<64> old_name, new_name;
    old_name << from << suffix;
    new_name << to << suffix;
    if (directory.SizeOf(old_name.text()).status().code == Code::kNotFound) {
      LIMPET_TRY(directory.Remove(new_name.text()));
    } else {
      LIMPET_TRY(directory.Rename(old_name.text(), new_name.text()));
    }
  }
  return {};
}

/// What is there goes aside. A transaction that was cut short is undone first: later its journal would
/// no longer be found.
Status SetAside(StateDir& directory) {
  TextBuffer<kPathMax> path;
  char name[kPathMax];
  if (directory.WritePath(kSpoolFile, name) == 0) return {Code::kInvalid, 0, "path is too long"};
  {
    Database present;
    Status opened = present.Open(name, kSpoolVfs, Database::Mode::kCreate);
    if (opened.ok()) opened = present.Execute("PRAGMA locking_mode=EXCLUSIVE");
    if (opened.ok()) (void)present.Number("SELECT count(*) FROM sqlite_schema");
    // A damaged one is set aside as it is.
  }
  return MoveAside(directory, kSpoolFile, kBefore);
}

int Restore(SpoolSource& source, std::string_view path) {
  if (const Result<uint64_t> size = FileSize(path); !size.ok()) {
    TextBuffer<kPathMax + 64> text;
    text << path << ": " << CodeName(size.status().code);
    Complain(text.text());
    return size.status().code == Code::kDenied ? kExitPermission : kExitNoInput;
  }
  const std::string_view where = source.config().agent.state_dir;
  StateDir directory(where);
  const Status taken = directory.Prepare();
  if (taken.code == Code::kExists) {
    TextBuffer<kPathMax + 96> text;
    text << "limpet runs on " << where << " (process " << taken.detail << "): stop it first";
    Complain(text.text());
    return kExitTryAgain;
  }
  if (!taken.ok()) return Failed(where, taken);
  if (const int code = source.OpenFile(path); code != kExitOk) return code;

  char copy[kPathMax];
  if (directory.WritePath(kRestored, copy) == 0) {
    return Failed(where, {Code::kInvalid, 0, "path is too long"});
  }
  Status status = directory.Remove(kRestored);
  if (status.ok()) status = CopyInto(source.database(), copy);
  if (status.ok()) status = CheckCopy(copy);
  TextBuffer<kPathMax + 512> text;
  WriteContents(text, source.reader().state());
  text << " restored from " << path << '\n';
  source.reader().Close();
  source.database().Close();
  if (!status.ok()) {
    (void)directory.Remove(kRestored);
    return status.code == Code::kInvalid ? source.Complaint(status) : Failed(where, status);
  }
  const auto there = [&directory](std::string_view name) {
    return directory.SizeOf(name).status().code != Code::kNotFound;
  };
  const bool before = there(kSpoolFile), salvage = there(kSpoolSalvage);
  if (before) status = SetAside(directory);
  // The next start would copy what reads of it into what is restored.
  if (status.ok() && salvage) status = MoveAside(directory, kSpoolSalvage, kDamaged);
  if (status.ok()) status = directory.Rename(kRestored, kSpoolFile);
  if (!status.ok()) return Failed(where, status);
  if (before) text << "what was there is " << where << '/' << kBefore << '\n';
  if (salvage) text << "a damaged spool that was there is " << where << '/' << kDamaged << '\n';
  text << "limpet goes on from here as this instance, under the same keys: what the backup holds and the\n"
          "original has sent already is sent again under its old key. Do not run both.\n";
  return WriteStdout(text.text()) ? kExitOk : kExitIo;
}

}  // namespace

int BackupCommand(const Args& args) {
  SpoolSource* const source = SpoolSource::Make();
  if (source == nullptr) return kExitTryAgain;
  if (const int code = source->Open(args); code != kExitOk) return code;
  return Backup(*source, args.operands[0]);
}

int RestoreCommand(const Args& args) {
  SpoolSource* const source = SpoolSource::Make();
  if (source == nullptr) return kExitTryAgain;
  if (const int code = source->Start(args); code != kExitOk) return code;
  return Restore(*source, args.operands[0]);
}

}  // namespace limpet
