// What `limpet spool` and `limpet dead` show of a batch besides its items.
#pragma once

#include <string_view>

#include "sink/line_out.h"
#include "spool/reader.h"

namespace limpet {

/// The columns' names.
void WriteListHead(Kept kept, LineOut& out);
void WriteListLine(Kept kept, const KeptRecord& record, LineOut& out);

/// A line for each thing that is known of it. instance: of the spool that it lies in.
void WriteDetails(Kept kept, std::string_view instance, const KeptRecord& record, LineOut& out);

/// The same as the members of a JSON object: `"id":7,"signal":"logs",...`.
void WriteJsonDetails(Kept kept, std::string_view instance, const KeptRecord& record, LineOut& out);

}  // namespace limpet
