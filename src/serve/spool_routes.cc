#include "serve/spool_routes.h"

#include <algorithm>
#include <optional>

namespace limpet {
namespace {

/// The value of `name` in "a=1&name=2"; nothing when it is not there.
std::optional<std::string_view> FindValue(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view word = TakeUntil(query, '&');
    if (TakeUntil(word, '=') == name) return word;
  }
  return std::nullopt;
}

void Malformed(const char* what, HttpResponse& response) {
  response.status = 400;
  response.body << "expected " << what << '\n';
}

}  // namespace

std::array<char, SpoolFileHead::kBytes> SpoolFileHead::Write() const {
  std::array<char, kBytes> bytes;
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(generation >> 8 * i);
    bytes[8 + i] = static_cast<char>(size >> 8 * i);
  }
  return bytes;
}

SpoolFileHead SpoolFileHead::Read(std::string_view head) {
  SpoolFileHead read;
  for (size_t i = 0; i < 8; ++i) {
    read.generation |= uint64_t{static_cast<uint8_t>(head[i])} << 8 * i;
    read.size |= uint64_t{static_cast<uint8_t>(head[8 + i])} << 8 * i;
  }
  return read;
}

bool SpoolRoutes::Answer(const HttpRequest& request, HttpResponse& response) {
  struct Route {
    std::string_view method, path;
  };
  constexpr Route kRoutes[] = {{"GET", "/spool/file"},
                               {"POST", "/dead/retry"},
                               {"POST", "/dead/purge"},
                               {"GET", "/dead/answer"}};
  const auto* const route = std::find_if(std::begin(kRoutes), std::end(kRoutes),
                                         [&](const Route& r) { return r.path == request.path; });
  if (route == std::end(kRoutes)) return false;
  if (request.method != route->method) {
    response.status = 405;
    response.allow = route->method;
    response.body << "only " << route->method << " is answered here\n";
    return true;
  }
  if (Refuse(response)) return true;
  switch (route - std::begin(kRoutes)) {
    case 0: File(request, response); break;
    case 1: Dead(DeadAction::kRetry, request, response); break;
    case 2: Dead(DeadAction::kPurge, request, response); break;
    default: DeadAnswer(request, response); break;
  }
  return true;
}

bool SpoolRoutes::Refuse(HttpResponse& response) const {
  const SpoolView view = spooler_.View();
  if (view.phase != SpoolPhase::kOff && view.phase != SpoolPhase::kUnusable) return false;
  response.status = 503;
  response.body << "the spool is " << SpoolPhaseName(view.phase);
  if (!view.problem.empty()) response.body << ": " << view.problem;
  response.body << '\n';
  return true;
}

// The file

void SpoolRoutes::File(const HttpRequest& request, HttpResponse& response) {
  const std::optional<uint64_t> offset =
      ParseNumber<uint64_t>(FindValue(request.query, "offset").value_or(""));
  if (!offset) return Malformed("offset=N", response);
  const MonoTime now = clock_.Monotonic();
  Hold(now);
  if (spooler_.TakeFileAnswer(answer_)) {
    there_ = true;
    there_since_ = now;
    asked_ = false;
  }
  if (there_ && offset_ == *offset) return WriteFile(response);
  response.status = 202;
  if (offset_ == *offset && asked_) {
    awaited_ = true;
    return;
  }
  const bool kept = there_ && awaited_ && now - there_since_ < kPickUp;  // W2.
  const bool others = asked_ && awaited_;
  if (!kept && !others) (void)Ask(*offset, true);  // Or the worker is at it: next time.
}

void SpoolRoutes::Hold(MonoTime now) {
  const bool went_through = answer_.generation != hold_generation_;
  if (went_through || now - hold_began_ >= kHoldMax + kHoldMax) {
    hold_began_ = now;
    hold_generation_ = answer_.generation;
  }
  spooler_.HoldCommits(std::min(now + kHold, hold_began_ + kHoldMax));  // W1.
}

bool SpoolRoutes::Ask(uint64_t offset, bool awaited) {
  if (!spooler_.AskFile(offset, buffer_)) return false;
  offset_ = offset;
  asked_ = true;
  there_ = false;
  awaited_ = awaited;
  return true;
}

void SpoolRoutes::WriteFile(HttpResponse& response) {
  there_ = false;
  if (!answer_.status.ok()) {
    response.status = 503;
    response.body << "the spool cannot be read: " << answer_.status.where << ": "
                  << CodeName(answer_.status.code) << '\n';
    return;
  }
  const auto head = SpoolFileHead{answer_.generation, answer_.size}.Write();
  response.content_type = "application/octet-stream";
  response.body << std::string_view(head.data(), head.size())
                << std::string_view(reinterpret_cast<const char*>(buffer_.data()), answer_.got);
  // Most readers go on from there.
  const uint64_t next = offset_ + answer_.got;
  if (next < answer_.size && answer_.got == buffer_.size()) (void)Ask(next, false);
}

// Dead letters

void SpoolRoutes::Dead(DeadAction action, const HttpRequest& request, HttpResponse& response) {
  std::array<SpoolRow, kSpoolDeadRowsMax> rows{};
  size_t count = 0;
  if (std::optional<std::string_view> ids = FindValue(request.query, "id")) {
    do {
      const std::optional<SpoolRow> row = ParseNumber<SpoolRow>(TakeUntil(*ids, ','));
      if (!row || *row == 0 || count == rows.size()) {
        return Malformed("id=N,N,..., at most 32", response);
      }
      rows[count++] = *row;
    } while (!ids->empty());
  }
  if (dead_asked_) {
    Spooler::DeadAnswer late;  // Whose asked did not come for it.
    dead_asked_ = !spooler_.TakeDeadAnswer(late);
  }
  if (dead_asked_ || !spooler_.AskDead(action, std::span(rows).first(count))) {
    response.status = 503;
    response.body << "another command is at the dead letters\n";
    return;
  }
  dead_asked_ = true;
  response.status = 202;
  response.body << ++ticket_ << '\n';
}

void SpoolRoutes::DeadAnswer(const HttpRequest& request, HttpResponse& response) {
  const std::optional<uint64_t> ticket =
      ParseNumber<uint64_t>(FindValue(request.query, "ticket").value_or(""));
  if (!ticket) return Malformed("ticket=T", response);
  if (*ticket != ticket_ || !dead_asked_) {
    response.status = 404;
    response.body << "not the last ticket\n";
    return;
  }
  Spooler::DeadAnswer answer;
  if (!spooler_.TakeDeadAnswer(answer)) {
    response.status = 202;
    return;
  }
  dead_asked_ = false;
  if (!answer.status.ok()) {
    response.status = 503;
    response.body << "the spool cannot be changed: " << answer.status.where << ": "
                  << CodeName(answer.status.code) << '\n';
    return;
  }
  response.body << answer.changed << '\n';
}

}  // namespace limpet
