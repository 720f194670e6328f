#include "serve/routes.h"

#include "serve/pages.h"
#include "serve/prometheus.h"
#include "serve/self_metrics.h"

namespace limpet {
namespace {

constexpr std::string_view kJson = "application/json";

/// Is `name` one of the words of "a&b=1&c"?
bool HasFlag(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view word = TakeUntil(query, '&');
    if (TakeUntil(word, '=') == name) return true;
  }
  return false;
}

/// Takes as long for a wrong text of the same length as for the right one.
bool SameSecret(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

void Health(const HttpRequest&, const Snapshot& snapshot, HttpResponse& response) {
  response.status = snapshot.health.ok ? 200 : 503;
  response.content_type = kJson;
  WriteHealthJson(snapshot, response.body);
}

void Ready(const HttpRequest&, const Snapshot& snapshot, HttpResponse& response) {
  response.status = snapshot.health.ready ? 200 : 503;
  response.content_type = kJson;
  WriteReadyJson(snapshot, response.body);
}

void Metrics(const HttpRequest& request, const Snapshot& snapshot, HttpResponse& response) {
  const PrometheusFormat format = ChoosePrometheusFormat(request.accept);
  response.content_type = PrometheusContentType(format);
  PrometheusSink sink(response.body, format);
  EmitSelfMetrics(snapshot, sink);
  sink.Finish();
}

void StatusPage(const HttpRequest& request, const Snapshot& snapshot, HttpResponse& response) {
  if (HasFlag(request.query, "text")) {
    WriteStatusText(snapshot, HasFlag(request.query, "colour"), response.body);
    return;
  }
  response.content_type = kJson;
  WriteStatusJson(snapshot, response.body);
}

struct Page {
  std::string_view path;
  void (*write)(const HttpRequest&, const Snapshot&, HttpResponse&);
};
constexpr Page kPages[] = {
    {"/health", Health},
    {"/ready", Ready},
    {"/metrics", Metrics},
    {"/status", StatusPage},
};

void NotAllowed(std::string_view method, HttpResponse& response) {
  response.status = 405;
  response.allow = method;
  response.body << "only " << method << " is answered here\n";
}

int ReloadStatus(Code code) {
  if (code == Code::kOk) return 200;
  if (code == Code::kInvalid) return 422;
  return code == Code::kUnsupported ? 501 : 500;
}

}  // namespace

bool Routes::Allowed(const HttpRequest& request) const {
  // The control socket is guarded by its file's mode.
  if (token_.empty() || request.listener == control_listener_) return true;
  std::string_view given = request.authorization;
  return EqualsIgnoringCase(TakeWord(given), "bearer") && SameSecret(Trim(given), token_);
}

void Routes::OnRequest(const HttpRequest& request, HttpResponse& response) {
  const bool control = request.listener == control_listener_;
  if (!Allowed(request)) {
    response.status = 401;
    response.body << "a bearer token is required\n";
    return;
  }
  if (control && request.path == "/reload") {
    if (request.method != "POST") return NotAllowed("POST", response);
    response.status = ReloadStatus(reloader_.Reload(response.body).code);
    return;
  }
  if (control && spool_ != nullptr && spool_->Answer(request, response)) return;
  for (const Page& page : kPages) {
    if (request.path != page.path) continue;
    if (request.method != "GET") return NotAllowed("GET, HEAD", response);
    Snapshot snapshot;
    source_.Fill(snapshot);
    return page.write(request, snapshot, response);
  }
  response.status = 404;
  response.body << "nothing here; there are";
  for (const Page& page : kPages) response.body << ' ' << page.path;
  response.body << '\n';
}

}  // namespace limpet
