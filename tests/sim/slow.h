// How much a test may try.
#pragma once

namespace limpet::sim {

/// Sanitizers and processors that are emulated take ten times as long: tests try less there.
#if defined(__SANITIZE_ADDRESS__) || !defined(__x86_64__)
inline constexpr bool kSlow = true;
#else
inline constexpr bool kSlow = false;
#endif

}  // namespace limpet::sim
