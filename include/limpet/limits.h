// The bounds that are not configuration. Each says who relies on it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace limpet {

inline constexpr size_t kPathMax = 512;              // A path of ours or of the host, with its NUL.
inline constexpr size_t kKiB = 1024;
inline constexpr size_t kMiB = 1024 * kKiB;

// Memory (spec.md section 3, `memory`).
inline constexpr size_t kMemoryMin = 1 * kMiB;
inline constexpr size_t kCurlPoolBytes = 92 * kKiB;  // One destination: libcurl, c-ares; peak 62, with secrets 68.
inline constexpr size_t kTlsPoolBytes = 64 * kKiB;   // Likewise: mbedTLS; peak 38 (RSA-2048), mutual 45.

// The TLS of a listener, out of the same pool as that of destinations.
inline constexpr size_t kTlsServerSessionsMax = 6;
inline constexpr size_t kTlsServerSessionBytes = 33 * kKiB;  // One client: 23 to 27, with a certificate 26 to 32.
inline constexpr size_t kTlsServerOwnBytes = 36 * kKiB;      // Certificate, key, and one step of a handshake: 15.
constexpr size_t TlsServerSessions(size_t connections) {
  return connections < kTlsServerSessionsMax ? connections : kTlsServerSessionsMax;
}
constexpr size_t TlsServerPoolBytes(size_t sessions) {
  return kTlsServerOwnBytes + sessions * kTlsServerSessionBytes;
}

// Configuration.
inline constexpr size_t kResourceBytesMax = 12 * kKiB; // Keys and values of [resource], encoded.

inline constexpr size_t kLogSourcesMax = 16;          // Sections [log.NAME].

// Open batches.
inline constexpr size_t kEventSlabBytes = 4 * kKiB;   // Of limpet's own log records, its events.

// Queue.
inline constexpr size_t kBlockBytes = 512;            // A batch of 30 points is two of them.

// Delivery.
inline constexpr size_t kDestinationsMax = 8;
inline constexpr size_t kAnswerBodyMax = 64 * kKiB;   // spec.md section 5.
inline constexpr size_t kIdempotencyKeyMax = 128;     // instance(36) start(16) signal(7) sequence(20) path(33).

// Listeners.
inline constexpr size_t kConnectionHeadBytes = 4 * kKiB;
inline constexpr size_t kHealthConnections = 8;       // [health] and the control socket together.
/// One answer of /metrics or /status: with every count, the longest names and errors there are.
constexpr size_t PageBytes(size_t destinations, size_t log_sources) {
  return (16 + 8 * destinations) * kKiB + 512 * log_sources;
}

// Host metrics.
inline constexpr size_t kCpusMax = 1024;
inline constexpr size_t kInterfacesMax = 256;
inline constexpr size_t kProcFileBytes = 64 * kKiB;   // /proc/stat of 512 CPUs.

}  // namespace limpet
