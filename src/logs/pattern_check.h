// The configuration's patterns, compiled as they will be.
#pragma once

#include "config/value.h"
#include "logs/pattern.h"

namespace limpet {

class CompiledPatterns final : public PatternCheck {
 public:
  /// memory: of a pool for one pattern.
  explicit CompiledPatterns(std::span<std::byte> memory) : pool_(memory) {}

  bool Check(std::string_view text, TextWriter& problem) override {
    Pattern pattern;
    const bool sound = pattern.Compile(text, pool_, problem).ok();
    if (sound) pattern.Free();
    return sound;
  }

 private:
  PatternPool pool_;
};

}  // namespace limpet
