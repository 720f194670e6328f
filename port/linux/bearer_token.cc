#include "port/linux/bearer_token.h"

#include "base/text.h"

namespace limpet {
namespace {

/// In a time that does not tell where they differ.
bool Same(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  volatile unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference = difference | static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace

Status BearerToken::Start(std::string_view path) {
  LIMPET_TRY(file_.Init(path, room_));
  Refresh();
  return {};
}

void BearerToken::Refresh() {
  (void)file_.Refresh(clock_.Monotonic());
  const Status& status = file_.status();
  if (status.ok() == good_) return;
  good_ = status.ok();
  if (good_) {
    log_.Info("the token of a listener can be read again", {{"bearer_token_file", file_.path()}});
    return;
  }
  const bool content = status.code == Code::kInvalid || status.code == Code::kFull;
  const LogField file("bearer_token_file", file_.path()), error("error", content ? status.where : CodeName(status.code));
  if (file_.value().empty()) {
    log_.Warn("no token to compare with: every client is refused", {file, error});
  } else {
    log_.Warn("the token of a listener cannot be read: the last one stays in force", {file, error});
  }
}

bool BearerToken::Allows(std::string_view authorization) {
  constexpr std::string_view kScheme = "Bearer ";
  Refresh();
  if (file_.value().empty() || authorization.size() < kScheme.size()) return false;
  if (!EqualsIgnoringCase(authorization.substr(0, kScheme.size()), kScheme)) return false;
  return Same(Trim(authorization.substr(kScheme.size())), Trim(file_.value()));
}

}  // namespace limpet
