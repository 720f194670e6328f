#include "port/curl/curl_client.h"

#include <curl/curl.h>

#include <algorithm>

#include "port/curl/curl_transport.h"

namespace limpet {

// None of them ever reports a failure: libcurl would give up the whole multi handle for it.
struct CurlClient::Hooks {
  static int OnSocket(CURL* easy, curl_socket_t handle, int what, void* self, void*) {
    CurlClient& client = *static_cast<CurlClient*>(self);
    if (what == CURL_POLL_REMOVE) {
      client.poller_.Forget(handle);
      for (CurlDestination* d = client.first_; d != nullptr; d = d->next_) d->sockets_.Remove(handle);
      return 0;
    }
    char* owner = nullptr;  // None for a connection that only says goodbye.
    curl_easy_getinfo(easy, CURLINFO_PRIVATE, &owner);
    if (owner != nullptr) reinterpret_cast<CurlDestination*>(owner)->sockets_.Add(handle);
    uint8_t interest = 0;
    if ((what & CURL_POLL_IN) != 0) interest |= kReadable;
    if ((what & CURL_POLL_OUT) != 0) interest |= kWritable;
    if (!client.poller_.Watch(handle, interest, client).ok()) client.broken_ = true;
    return 0;
  }

  static int OnTimer(CURLM*, long timeout_ms, void* self) {
    CurlClient& client = *static_cast<CurlClient*>(self);
    client.timer_ = kNever;
    if (timeout_ms > 0) client.timer_ = client.clock_.Monotonic() + Milliseconds(int64_t{timeout_ms});
    if (timeout_ms == 0) client.timer_ = {};  // Also for a turn whose time was taken before.
    return 0;
  }
};

CurlClient::~CurlClient() {
  LIMPET_CHECK(first_ == nullptr);
  if (multi_ != nullptr) curl_multi_cleanup(multi_);
}

Status CurlClient::Start(size_t destinations) {
  LIMPET_CHECK(multi_ == nullptr);
  multi_ = curl_multi_init();
  if (multi_ == nullptr) return {Code::kFull, 0, "curl multi"};
  const long connections = static_cast<long>(destinations);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETFUNCTION, Hooks::OnSocket);
  curl_multi_setopt(multi_, CURLMOPT_SOCKETDATA, this);
  curl_multi_setopt(multi_, CURLMOPT_TIMERFUNCTION, Hooks::OnTimer);
  curl_multi_setopt(multi_, CURLMOPT_TIMERDATA, this);
  // A connection that is saying goodbye counts too: it gives way to a new one, and with it its
  // memory.
  curl_multi_setopt(multi_, CURLMOPT_MAXCONNECTS, connections);
  curl_multi_setopt(multi_, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections);
  return {};
}

void CurlClient::OnReady(int handle, uint8_t ready) {
  int events = 0;
  if ((ready & kReadable) != 0) events |= CURL_CSELECT_IN;
  if ((ready & kWritable) != 0) events |= CURL_CSELECT_OUT;
  if ((ready & kHangup) != 0) events |= CURL_CSELECT_ERR;
  Drive(handle, events);
}

/// Lets libcurl work on a socket or (CURL_SOCKET_TIMEOUT) its timers, and delivers what has ended.
void CurlClient::Drive(int handle, int events) {
  int running = 0;
  if (curl_multi_socket_action(multi_, handle, events, &running) != CURLM_OK) broken_ = true;

  // Each destination ends at most once here, so that a handler which sends anew cannot hold us.
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    int left = 0;
    const CURLMsg* const message = curl_multi_info_read(multi_, &left);
    if (message == nullptr) break;
    if (message->msg != CURLMSG_DONE) continue;
    char* owner = nullptr;
    const CURLcode code = message->data.result;
    curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &owner);
    reinterpret_cast<CurlDestination*>(owner)->Finish(code);
    if (left == 0) break;
  }
  if (!broken_) return;
  broken_ = false;
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    if (d->busy()) d->Finish(CURLE_OUT_OF_MEMORY);
  }
}

MonoTime CurlClient::OnTime(MonoTime now) {
  told_ = false;
  if (timer_ <= now || broken_) {
    timer_ = kNever;  // libcurl sets it again when it wants more.
    Drive(CURL_SOCKET_TIMEOUT, 0);
  }
  MonoTime next = timer_;
  for (CurlDestination* d = first_; d != nullptr; d = d->next_) {
    next = std::min(next, d->OnTime(now));
  }
  return told_ ? now : std::min(next, timer_);
}

}  // namespace limpet
