// Sockets for a listener with TLS: what they accept speaks it, over the sockets below. It is server side
// mbedTLS; whom it trusts and who it says it is are TlsTrust's, as for the connections to destinations.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/text.h"
#include "limpet/limits.h"
#include "limpet/log.h"
#include "limpet/sockets.h"
#include "limpet/time.h"
#include "port/curl/library_heaps.h"
#include "port/curl/tls_trust.h"

namespace limpet {

/// Invariants:
///  T1  A connection has a session from its first byte until Close. Without one it costs nothing here,
///      and beyond `sessions` of them, or without memory, Read says kFull.
///  T2  All that sessions hold together fits TlsServerPoolBytes(sessions) of the heap "tls", whatever
///      their peers send: the rest is for the connections to destinations.
///  T3  A call reads at most kReadMax bytes from below.
///  T4  A session in its handshake refers to the certificate that is in force: when that is replaced,
///      the handshake ends, and its peer has to come again.
class TlsSockets final : public Sockets {
 public:
  static constexpr size_t kReadMax = 32 * kKiB;

  struct Options {
    std::string_view certificate, key;  ///< Files, PEM; read again when they change.
    CaIndex* client_ca = nullptr;       ///< Clients need a certificate that ends there; nullptr: they need none.
    UnixTime unset_before;              ///< As for TlsTrust.
    size_t sessions = 0;                ///< At the same time: 1 to kTlsServerSessionsMax.
  };

  TlsSockets(Sockets& below, const Options& options, Clock& clock, Log& log);
  /// Every connection is closed by then.
  ~TlsSockets();
  TlsSockets(const TlsSockets&) = delete;
  TlsSockets& operator=(const TlsSockets&) = delete;

  /// Reads certificate and key. The errors of OwnCertificate, told by WriteProblem.
  Status Start();
  void WriteProblem(TextWriter& out) const { trust_.WriteProblem(out); }

  Result<int> Listen(std::string_view address) override { return below_.Listen(address); }
  Result<int> Accept(int listener) override { return below_.Accept(listener); }
  /// kUnsupported: a client has no business here.
  Result<int> Connect(std::string_view address) override;
  /// Does the handshake first; kUnavailable until it is over. kFull: T1. kIo: it failed, which has been
  /// logged and told to the peer: all that can follow is Close.
  Result<size_t> Read(int connection, std::span<char> into) override;
  bool HasMore(int connection) override;
  /// kUnavailable also before the handshake is over. After that the next Write has to begin with the same
  /// bytes: they may be on their way.
  Result<size_t> Write(int connection, std::span<const char> bytes) override;
  void FinishWriting(int connection) override;
  void Close(int handle) override;

  struct Use {
    size_t sessions = 0, sessions_peak = 0;
    size_t bytes = 0, bytes_peak = 0;  ///< Of the heap "tls" (T2), the certificate included.
    uint64_t handshakes = 0;           ///< That succeeded.
    uint64_t failed = 0;               ///< That did not: the peer's fault, or it hung up.
    uint64_t refused = 0;              ///< T1.
  };
  Use use() const;

 private:
  struct Session;

  Session* Find(int connection);
  Result<Session*> Begin(int connection);
  Status Handshake(Session& session);
  void Fail(Session& session);
  void SayGoodbye(Session& session);
  void EndHandshakes();
  void End(Session*& session);

  Sockets& below_;
  const Options options_;
  Log& log_;
  TlsTrust trust_;
  TlsShare share_;
  std::array<Session*, kTlsServerSessionsMax> sessions_{};  // In mbedTLS' heap.
  const void* chain_ = nullptr;  // What trust_ had in force when a session was last begun.
  size_t readable_ = 0;          // What the call under way may still read (T3).
  bool told_undated_ = false;
  Use use_;
};

}  // namespace limpet
