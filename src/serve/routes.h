// Which page is where, on the [health] listener and on the control socket.
#pragma once

#include <string_view>

#include "base/text.h"
#include "limpet/status.h"
#include "serve/http_server.h"
#include "serve/snapshot.h"
#include "serve/spool_routes.h"

namespace limpet {

class Reloader {
 public:
  /// Reads the configuration again and applies what it can. verdict: for people, lines.
  /// kInvalid: the file is wrong, nothing was changed. kUnsupported: this build cannot.
  virtual Status Reload(TextWriter& verdict) = 0;

 protected:
  ~Reloader() = default;
};

/// GET /health and /ready (200 or 503), /metrics, /status (JSON; `?text` for people, `&colour` with
/// ANSI escapes); on the control socket alone POST /reload (200; 422: the file is wrong; 501; 500)
/// and what spool_routes.h lists.
class Routes final : public HttpHandler {
 public:
  static constexpr int kNoControl = -1;

  /// control_listener: index of the control socket by order of HttpServer::Listen.
  Routes(SnapshotSource& source, Reloader& reloader, int control_listener)
      : source_(source), reloader_(reloader), control_listener_(control_listener) {}

  /// With a token, the other listeners answer 401 unless it is given. It must outlive this.
  void RequireToken(std::string_view token) { token_ = token; }

  /// For the commands that ask about the spool. It must outlive this.
  void ServeSpool(SpoolRoutes& spool) { spool_ = &spool; }

  void OnRequest(const HttpRequest& request, HttpResponse& response) override;

 private:
  bool Allowed(const HttpRequest& request) const;

  SnapshotSource& source_;
  Reloader& reloader_;
  const int control_listener_;
  std::string_view token_;
  SpoolRoutes* spool_ = nullptr;
};

}  // namespace limpet
