// SQLite's way to the spool's files: its own VFS for Unix, with an account of what goes to flash,
// and with files that are their owner's alone however the library was built.
#pragma once

#include <cstdint>

#include "limpet/status.h"

namespace limpet {

/// The name to open a database with.
inline constexpr const char* kSpoolVfs = "limpet";

/// Registers the VFS. Call it after StartSqlite, which must be the first that SQLite hears of.
Status StartSpoolVfs();

/// Since the start of the process. What failed is not counted.
struct SpoolWrites {
  uint64_t bytes = 0;
  uint64_t truncations = 0;
  uint64_t syncs = 0;  ///< Of files, and of the directory where a file was deleted for good.
};

/// For the thread that SQLite runs in, as Storage says too. These are plain numbers: not every
/// 32-bit target has atomic ones of 64 bits, and the loop is told at the end of a task, which hands
/// over whatever the task has written.
SpoolWrites CountSpoolWrites();

}  // namespace limpet
