// What people and scripts are shown: a snapshot as JSON and as text for a terminal.
#pragma once

#include "base/text.h"
#include "serve/snapshot.h"

namespace limpet {

/// The document of spec.md section 7, one line. What is not known is null.
void WriteStatusJson(const Snapshot& snapshot, TextWriter& out);

/// {"ok", "delivery", "reasons"}, one line.
void WriteHealthJson(const Snapshot& snapshot, TextWriter& out);

/// {"ready"}, one line.
void WriteReadyJson(const Snapshot& snapshot, TextWriter& out);

/// For `limpet status`: at most 80 columns unless a name or an error needs more.
/// colour: with ANSI escapes, for terminals.
void WriteStatusText(const Snapshot& snapshot, bool colour, TextWriter& out);

/// "512 B", "64.0 KiB", "2.5 MiB": for people.
void WriteBytes(TextWriter& out, uint64_t bytes);

/// "0.25 s", "12 s", "3 min 5 s", "2 h 5 min", "3 d 4 h": for people.
void WriteDuration(TextWriter& out, Duration duration);

}  // namespace limpet
