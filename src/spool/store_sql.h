// What the files of the store have in common.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/text.h"
#include "ledger/ledger.h"

namespace limpet {

/// A statement that is put together.
using Sql = TextBuffer<640>;

/// A table's name with its NUL.
struct TableName {
  explicit TableName(std::string_view name) { text << name << '\0'; }
  const char* c_str() const { return text.text().data(); }
  TextBuffer<16> text;
};

inline size_t At(DropReason reason) { return static_cast<size_t>(reason); }

}  // namespace limpet
