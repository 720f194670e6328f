#include "sim/world.h"

#include <algorithm>
#include <set>
#include <cstring>

namespace limpet::sim {

Result<int> SimFiles::Open(std::string_view path) {
  if (!contents.contains(std::string(path))) return {Code::kNotFound, 0, "open"};
  open_[next_] = path;
  return next_++;
}

Result<size_t> SimFiles::ReadAt(int file, uint64_t offset, std::span<char> into) {
  ++reads;
  const std::string& path = open_.at(file);
  if (const auto it = failing.find(path); it != failing.end()) return {it->second, 5, "read"};
  const auto it = contents.find(path);
  if (it == contents.end()) return {Code::kNotFound, 0, "read"};
  const std::string& text = it->second;
  if (offset >= text.size()) return size_t{0};
  const size_t count = std::min(into.size(), text.size() - static_cast<size_t>(offset));
  std::memcpy(into.data(), text.data() + offset, count);
  return count;
}

Status SimFiles::ListNames(std::string_view path, NameSink& sink) {
  std::string prefix(path);
  if (!prefix.ends_with('/')) prefix += '/';
  if (const auto it = failing.find(std::string(path)); it != failing.end()) {
    return {it->second, 5, "open directory"};
  }
  std::set<std::string> names;
  const auto add = [&](const std::string& entry) {
    if (!entry.starts_with(prefix)) return;
    names.insert(entry.substr(prefix.size(), entry.find('/', prefix.size()) - prefix.size()));
  };
  for (const auto& [entry, text] : contents) add(entry);
  for (const auto& [entry, target] : links) add(entry);
  if (names.empty()) return {Code::kNotFound, 2, "open directory"};
  for (const std::string& name : names) sink.OnName(name);
  return {};
}

Result<std::string_view> SimFiles::ReadLink(std::string_view path, std::span<char> into) {
  const auto it = links.find(std::string(path));
  if (it == links.end()) return {Code::kNotFound, 2, "readlink"};
  const size_t count = std::min(into.size(), it->second.size());
  std::memcpy(into.data(), it->second.data(), count);
  return std::string_view(into.data(), count);
}

void SimLog::Write(Level level, const char* message, std::initializer_list<LogField> fields) {
  static constexpr const char* kNames[] = {"error ", "warn ", "info ", "debug "};
  std::string line = kNames[static_cast<size_t>(level)];
  line += message;
  for (const LogField& field : fields) {
    line += " " + std::string(field.key) + "=" +
            (field.is_number ? std::to_string(field.number) : std::string(field.text));
  }
  lines.push_back(std::move(line));
}

size_t SimLog::Count(std::string_view text) const {
  return static_cast<size_t>(std::count_if(lines.begin(), lines.end(), [&](const std::string& l) {
    return l.find(text) != std::string::npos;
  }));
}

Status SimTransport::Send(const Request& request, AnswerHandler& handler) {
  LIMPET_CHECK(!due_ && !knock_due_);
  SimRequest seen{clock_.mono, request.signal, request.encoding,
                  std::string(request.idempotency_key), {}};
  while (seen.body.size() < request.body->size()) {
    const std::span<const uint8_t> piece = request.body->At(seen.body.size());
    LIMPET_CHECK(!piece.empty());
    seen.body.insert(seen.body.end(), piece.begin(), piece.end());
  }
  probe_ = seen.probe();
  pending_ = answer(seen);
  if (pending_.refuse_memory) return {Code::kFull, 0, "out of memory"};
  if (!keep_bodies) seen.body.clear();
  requests.push_back(std::move(seen));
  handler_ = &handler;
  sent_at_ = clock_.mono;
  due_ = clock_.mono + pending_.delay;
  return {};
}

Status SimTransport::Knock(KnockHandler& handler) {
  LIMPET_CHECK(!due_ && !knock_due_);
  ++knocks;
  connected_ = open();
  knock_handler_ = &handler;
  knock_due_ = clock_.mono + knock_delay;
  return {};
}

void SimTransport::OnTime(MonoTime now) {
  if (knock_due_ && *knock_due_ <= now) {
    knock_due_.reset();
    knock_handler_->OnKnock(connected_);
    return;
  }
  if (!due_ || *due_ > now) return;
  due_.reset();
  const SimAnswer given = pending_;
  handler_->OnAnswer(Answer{.sent = given.sent,
                            .status = given.status,
                            .timed_out = false,
                            .retry_after = given.retry_after,
                            .date = given.date,
                            .body = given.body,
                            .body_complete = true,
                            .error = given.error,
                            .round_trip = now - sent_at_});
}

void SimWorker::Begin(Task& task) {
  LIMPET_CHECK(!busy());  // One task at a time.
  ++tasks;
  task_ = &task;
  worked_ = false;
  ends_ = clock_.mono + latency;
  if (!work_at_end) Work();
}

void SimWorker::Work() {
  before();
  task_->Run();
  after();
  worked_ = true;
}

bool SimWorker::TakeDone() {
  if (!busy() || clock_.mono < ends_) return false;
  if (!worked_) Work();
  task_ = nullptr;
  return true;
}

Status SimPoller::Wait(MonoTime until) {
  MonoTime event = worker_ != nullptr ? worker_->next() : kNever;
  for (const SimTransport* transport : transports) event = std::min(event, transport->next());
  const MonoTime next = std::min({until, event, horizon});
  LIMPET_CHECK(next != kNever);  // Nothing would ever happen again.
  if (next > clock_.mono) clock_.mono = next;
  if (next == until && next < event) clock_.mono = clock_.mono + lateness();
  for (SimTransport* transport : transports) transport->OnTime(clock_.mono);
  return {};
}

}  // namespace limpet::sim
