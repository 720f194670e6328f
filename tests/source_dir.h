// Where the checkout lies.
#pragma once

namespace limpet {

/// The checkout's folder. One object alone has it: all others are the same wherever the checkout lies, and
/// come out of the compiler's cache.
extern const char kSourceDir[];

}  // namespace limpet
