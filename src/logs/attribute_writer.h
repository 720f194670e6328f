// Writes the attributes of one log record: KeyValues under LogRecord's field. Of a key twice the later
// value stays, as OTLP wants keys to be unique.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "otlp/wire_writer.h"

namespace limpet {

class AttributeWriter {
 public:
  static constexpr size_t kKeyMax = 512;    ///< Bytes of a key.
  static constexpr size_t kCountMax = 512;  ///< Attributes of a record: looking for a key twice stays cheap.

  /// Appends to `out`. known_utf8: all texts that will be given are valid; else each is looked at, and
  /// bytes that are no UTF-8 become U+FFFD.
  AttributeWriter(WireWriter& out, bool known_utf8);

  void Text(std::string_view key, std::string_view text);
  /// The same of a text in which a backslash stands in front of these characters.
  void EscapedText(std::string_view key, std::string_view text, std::string_view escaped);
  void Int(std::string_view key, int64_t value);
  void Double(std::string_view key, double value);
  void Bool(std::string_view key, bool value);

  /// For a value of any size, an AnyValue that the caller writes in between.
  struct Marks {
    size_t pair, value;
  };
  Marks Open(std::string_view key);
  void Close(Marks marks);

  /// A field of that text, repaired.
  void WriteText(uint32_t field, std::string_view text);

  /// All was written: it fitted, and kept within the limits.
  bool ok() const { return out_.ok() && !too_much_; }
  bool repaired() const { return repaired_; }

 private:
  void WriteRepaired(std::string_view text);
  bool IsValid(std::string_view text) const;
  /// Counts it, repairs it, and takes out what has the same key.
  bool Admit(std::string_view& key);
  void Remove(std::string_view key);
  /// Claims room for an attribute whose AnyValue has `size` bytes, and writes what stands before that.
  uint8_t* Begin(std::string_view key, size_t size);

  WireWriter& out_;
  const size_t begin_;
  const bool known_utf8_;
  bool repaired_ = false, too_much_ = false;
  size_t count_ = 0;
  uint64_t seen_ = 0;  // A bit for each key: none is twice while these are clear.
  char key_[kKeyMax];  // The last that was repaired.
};

}  // namespace limpet
