#include "spool/schema.h"

namespace limpet {
namespace {

#define LIMPET_RECORD                                                                          \
  "start INTEGER NOT NULL,sequence INTEGER NOT NULL,path_bits INTEGER NOT NULL,"               \
  "path_length INTEGER NOT NULL,encoding INTEGER NOT NULL,trust INTEGER NOT NULL,"             \
  "items INTEGER NOT NULL,raw_bytes INTEGER NOT NULL,stored_bytes INTEGER NOT NULL,"           \
  "checkpoint_bytes INTEGER NOT NULL,boot BLOB NOT NULL,first_mono INTEGER NOT NULL,"          \
  "last_mono INTEGER NOT NULL,first_wall INTEGER NOT NULL,last_wall INTEGER NOT NULL,"         \
  "attempts INTEGER NOT NULL,first_attempt INTEGER NOT NULL,may_be_sent INTEGER NOT NULL,"     \
  "checksum INTEGER NOT NULL,"

constexpr const char* kMigrations[] = {
    // 0 -> 1. `bytes` comes last, so that everything else of a row is found on its first page.
    "CREATE TABLE state(name TEXT PRIMARY KEY,value NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE boot(counter INTEGER PRIMARY KEY,id BLOB NOT NULL,first_mono INTEGER NOT NULL,"
    "last_mono INTEGER NOT NULL,first_wall INTEGER NOT NULL,wall_offset INTEGER NOT NULL);"
    "CREATE TABLE checkpoint(source TEXT PRIMARY KEY,value BLOB NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE metrics(row INTEGER PRIMARY KEY," LIMPET_RECORD "bytes BLOB NOT NULL);"
    "CREATE TABLE logs(row INTEGER PRIMARY KEY," LIMPET_RECORD "bytes BLOB NOT NULL);"
    "CREATE TABLE traces(row INTEGER PRIMARY KEY," LIMPET_RECORD "bytes BLOB NOT NULL);"
    "CREATE TABLE dead(row INTEGER PRIMARY KEY," LIMPET_RECORD
    "signal INTEGER NOT NULL,died INTEGER NOT NULL,destination TEXT NOT NULL,"
    "answer TEXT NOT NULL,bytes BLOB NOT NULL);",
    // 1 -> 2. Nothing ever wrote to `checkpoint`.
    "DROP TABLE checkpoint;"
    "CREATE TABLE track(id INTEGER PRIMARY KEY,position INTEGER NOT NULL,identity BLOB NOT NULL);",
};
static_assert(std::size(kMigrations) == kSpoolSchema);

}  // namespace

std::span<const char* const> SpoolMigrations() { return kMigrations; }

}  // namespace limpet
