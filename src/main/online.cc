#include "main/online.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>

#include "base/calendar.h"
#include "cli/exit_code.h"
#include "deliver/answer_class.h"
#include "deliver/http_date.h"
#include "limpet/limits.h"
#include "main/configuration.h"
#include "main/console.h"
#include "main/stdout_lines.h"
#include "main/version.h"
#include "otlp/answer_body.h"
#include "port/curl/own_certificate.h"
#include "port/curl/curl_transport.h"
#include "port/linux/clock.h"
#include "port/linux/epoll_poller.h"
#include "port/linux/region.h"
#include "port/linux/secret_file.h"

namespace limpet {
namespace {

constexpr Duration kProbeMax = Seconds(60);  // Of one answer, however it trickles in.

/// The libraries over heaps of the sizes that `run` would give one destination.
class Libraries {
 public:
  ~Libraries() {
    if (entered_) LeaveLibraries();
  }

  bool Enter() {
    const auto region = TakeRegion(kCurlPoolBytes + kTlsPoolBytes);
    if (!region.ok()) return false;
    curl_.Init("curl", region.value().first(kCurlPoolBytes));
    tls_.Init("tls", region.value().subspan(kCurlPoolBytes));
    entered_ = EnterLibraries({.curl = &curl_, .tls = &tls_}).ok();
    return entered_;
  }

 private:
  FixedHeap curl_, tls_;
  bool entered_ = false;
};

int NoMemory() {
  Complain("check: no memory to try the destinations with");
  return kExitTryAgain;
}

/// An empty export.
class NoBody final : public Body {
 public:
  size_t size() const override { return 0; }
  std::span<const uint8_t> At(size_t) const override { return {}; }
};

void WriteMs(TextWriter& out, Duration time) {
  out.Fixed(ToSeconds(time) * 1000, time < Milliseconds(10) ? 1 : 0) << " ms";
}

void WriteSeconds(TextWriter& out, Duration time) { out.Fixed(ToSeconds(time), 1) << " s"; }

/// Prints a destination's block, line by line.
class Block final : private AnswerHandler {
 public:
  Block(const DestinationConfig& config, Clock& clock, CurlClient& client, Poller& poller, LineWriter& lines)
      : config_(config), clock_(clock), client_(client), poller_(poller), lines_(lines) {}

  /// True when every signal was accepted.
  bool Try(const CurlDestination::Options& given);

 private:
  void OnAnswer(const Answer& answer) override;
  TextWriter& Line(std::string_view label);
  void Flush();
  void PrintConnection();
  void PrintCertificate();
  void PrintClock(const Answer& answer, UnixTime came, Duration exchange);

  const DestinationConfig& config_;
  Clock& clock_;
  CurlClient& client_;
  Poller& poller_;
  LineWriter& lines_;
  ConnectionFacts facts_;
  TextBuffer<1024> line_;
  Signal signal_ = Signal::kMetrics;
  MonoTime asked_;          // When the request in flight was begun.
  bool answered_ = false;   // The request in flight has ended.
  bool connected_ = false;  // The connection was described.
  bool timed_ = false;      // The clocks were compared.
  bool good_ = true;
};

TextWriter& Block::Line(std::string_view label) {
  constexpr size_t kLabel = 13;
  line_.Clear();
  line_ << ";   " << label;
  for (size_t i = label.size(); i < kLabel; ++i) line_ << ' ';
  return line_;
}

void Block::Flush() {
  line_ << '\n';
  lines_.Write(line_.text());
}

bool Block::Try(const CurlDestination::Options& given) {
  line_.Clear();
  line_ << ";\n; destination " << config_.name;
  Flush();
  Line("url") << config_.shown_url;
  Flush();
  CurlDestination::Options options = given;
  options.facts = &facts_;
  CaIndex& ca_index = *options.ca_index;
  if (!NeedsCertificates(config_)) {
    options.ca_index = nullptr;
  } else if (const Status loaded = ca_index.Load(config_.tls_ca); !loaded.ok()) {
    Line("error") << "tls_ca " << config_.tls_ca << ": "
                  << (loaded.code == Code::kInvalid ? loaded.where : CodeName(loaded.code));
    Flush();
    return false;
  }
  CurlDestination destination(client_, config_, options);
  if (const Status started = destination.Start(); !started.ok()) {
    TextBuffer<kPathMax + 128> problem;
    destination.WriteProblem(problem);
    Line("error") << (problem.size() > 0 ? problem.text() : started.where);
    Flush();
    return false;
  }
  const NoBody nothing;
  for (const Signal signal : kSignals) {
    if ((config_.signals >> Index(signal) & 1) == 0) continue;
    signal_ = signal;
    answered_ = false;
    asked_ = clock_.Monotonic();
    if (const Status sent = destination.Send({.signal = signal, .body = &nothing}, *this); !sent.ok()) {
      Line(SignalName(signal)) << "not tried: out of memory";
      Flush();
      good_ = false;
      continue;
    }
    while (!answered_) {
      const MonoTime next = client_.OnTime(clock_.Monotonic());
      if (!answered_ && !poller_.Wait(next).ok()) return false;
    }
  }
  return good_;
}

void Block::OnAnswer(const Answer& answer) {
  answered_ = true;
  // Before anything is printed, which may take a while.
  const UnixTime came = clock_.Wall();
  const Duration exchange = clock_.Monotonic() - asked_ - std::max(facts_.connected, facts_.secured);
  if (!connected_) PrintConnection();
  if (!timed_) PrintClock(answer, came, exchange);
  const AnswerClass answer_class = Classify(answer);
  const bool accepted = answer_class == AnswerClass::kAccepted;
  TextWriter& out = Line(SignalName(signal_));
  if (answer.sent == Sent::kAnswered && answer.error.empty()) {
    const std::string_view hint = AnswerHint(answer.status);
    out << answer.status << ' ' << AnswerClassName(answer_class) << (hint.empty() ? "" : ": ") << hint;
    const AnswerBody body = ParseAnswerBody(answer.body, signal_, accepted);
    if (!body.message.empty()) out << " (" << body.message << ')';
  } else {
    out << (answer.misconfigured ? "misconfigured: " : "no answer: ") << answer.error;
  }
  out << ", after ";
  WriteMs(out, answer.round_trip);
  Flush();
  good_ &= accepted;
}

void Block::PrintConnection() {
  if (facts_.address.size() == 0 && facts_.subject.size() == 0) return;
  connected_ = true;
  if (facts_.address.size() > 0) {
    Line("address") << facts_.address.text();
    if (facts_.proxied) line_ << " (the proxy)";
    Flush();
  }
  if (facts_.tls_version.size() > 0) {
    Line("tls") << facts_.tls_version.text() << ", " << facts_.cipher.text();
    Flush();
  }
  if (facts_.subject.size() > 0) PrintCertificate();
  if (facts_.connected.ns == 0) return;
  Line("connecting") << "name ";
  WriteMs(line_, facts_.resolved);
  line_ << ", connection ";
  WriteMs(line_, facts_.connected - facts_.resolved);
  if (facts_.secured.ns > 0) {
    line_ << ", TLS ";
    WriteMs(line_, facts_.secured - facts_.connected);
  }
  Flush();
}

void Block::PrintCertificate() {
  const UnixTime now = clock_.Wall();
  const auto date = [this](UnixTime time) { WriteRfc3339(line_, time, 0); };
  constexpr int64_t kDay = Seconds(86400).ns;
  Line("certificate") << facts_.subject.text() << ", ";
  if (now < facts_.not_before) {
    line_ << "valid from ";
    date(facts_.not_before);
  } else if (now > facts_.not_after) {
    line_ << "expired ";
    date(facts_.not_after);
  } else {
    line_ << "valid until ";
    date(facts_.not_after);
    line_ << " (" << (facts_.not_after - now).ns / kDay << " days left)";
  }
  Flush();
}

/// The Date header counts whole seconds, by a clock that may be one tick of 10 ms late, and was written at
/// some moment of the exchange, which ended when the answer came.
void Block::PrintClock(const Answer& answer, UnixTime came, Duration exchange) {
  const std::optional<UnixTime> date = ParseHttpDate(answer.date);
  if (!date) return;
  timed_ = true;
  const Duration half = Milliseconds(500);
  const Duration uncertain = half + Milliseconds(10) + exchange / 2;
  const Duration ahead = (*date + half) - (came - exchange / 2);
  const Duration distance{std::abs(ahead.ns)};
  Line("clock");
  if (distance <= uncertain) {
    line_ << "agrees with this host's";
  } else {
    line_ << "theirs is ";
    WriteSeconds(line_, distance);
    line_ << (ahead.ns > 0 ? " ahead of" : " behind") << " this host's";
  }
  line_ << ", within ";
  WriteSeconds(line_, uncertain);
  if (answer.undated) line_ << "; this host's is not set: a certificate that is not valid yet was taken";
  Flush();
}

/// Says what is wrong with the files that a section names.
class FileCheck {
 public:
  explicit FileCheck(std::string_view section) : section_(section) {}

  /// without: what `run` does as long as it is so.
  void Secret(std::string_view key, std::string_view suffix, std::string_view path, const char* without) {
    if (path.empty()) return;
    char room[SecretFile::kBytesMax + 1];
    SecretFile secret;
    if (!secret.Init(path, room).ok()) return;
    secret.Refresh({});
    const Status& status = secret.status();
    if (status.ok()) return;
    Begin() << '.' << key << suffix << ": " << path << ": "
            << (status.code == Code::kInvalid || status.code == Code::kFull ? status.where : CodeName(status.code))
            << " (`run` " << without << ')';
    Complain(text_.text());
  }

  /// False: it cannot be used.
  bool Certificate(std::string_view path, std::string_view key) {
    OwnCertificate certificate;
    if (path.empty() || certificate.Load(path, key).ok()) return true;
    certificate.Describe(Begin() << ": ");
    Complain(text_.text());
    return false;
  }

  /// Likewise.
  bool Authorities(std::string_view key, std::string_view path) {
    static CaIndex index;
    if (path.empty()) return true;
    const Status loaded = index.Load(path);
    if (loaded.ok()) return true;
    Begin() << ": " << key << ' ' << path << ": "
            << (loaded.code == Code::kInvalid ? loaded.where : CodeName(loaded.code));
    Complain(text_.text());
    return false;
  }

 private:
  TextWriter& Begin() {
    text_.Clear();
    return text_ << "check: " << section_;
  }

  std::string_view section_;
  TextBuffer<kPathMax + 256> text_;
};

}  // namespace

int CheckFiles(const Config& config) {
  const auto destinations = std::span(config.destinations).first(config.destination_count);
  const ReceiveConfig& receive = config.receive;
  Libraries libraries;
  const bool any = !receive.tls_cert.empty() || std::any_of(destinations.begin(), destinations.end(),
                                                            [](const auto& d) { return !d.tls_cert.empty(); });
  if (any && !libraries.Enter()) return NoMemory();
  bool good = true;
  if (receive.present) {
    FileCheck check("receive.otlp");
    check.Secret("bearer_token_file", "", receive.bearer_token_file, "refuses every client until it is there");
    good &= check.Certificate(receive.tls_cert, receive.tls_key);
    good &= check.Authorities("tls_client_ca", receive.tls_client_ca);
  }
  for (const DestinationConfig& destination : destinations) {
    TextBuffer<48> section;
    section << "destination." << destination.name;
    FileCheck check(section.text());
    check.Secret("bearer_token_file", "", destination.bearer_token_file, "waits for it");
    check.Secret("proxy_file", "", destination.proxy_file, "waits for it");
    for (const KeyValue& file : std::span(destination.header_files).first(destination.header_file_count)) {
      TextBuffer<80> key;
      key << "header." << file.key;
      check.Secret(key.text(), "_file", file.value, "waits for it");
    }
    good &= check.Certificate(destination.tls_cert, destination.tls_key);
  }
  return good ? kExitOk : kExitConfig;
}

int TryDestinations(const Config& config) {
  Libraries libraries;
  if (!libraries.Enter()) return NoMemory();
  LinuxClock clock;
  EpollPollerBuffer<16> poller;
  if (!poller.Open().ok()) return NoMemory();
  CurlClient client(poller, clock);
  if (!client.Start(1).ok()) return NoMemory();
  static std::array<uint8_t, kAnswerBodyMax> answer_body;
  static CaIndex ca_index;
  const CurlDestination::Options options{.user_agent = kUserAgent,
                                         .answer_body = answer_body,
                                         .ca_index = &ca_index,
                                         .limits = {.total = kProbeMax},
                                         .unset_before = config.clock.unset_before};
  StdoutLines lines;
  bool good = true;
  for (const DestinationConfig& destination : std::span(config.destinations).first(config.destination_count)) {
    good &= Block(destination, clock, client, poller, lines).Try(options);
  }
  if (lines.broken()) return kExitIo;
  return good ? kExitOk : kExitUnavailable;
}

}  // namespace limpet
