// OTLP/HTTP from local programs: takes requests apart as little as possible, and puts their bytes into
// the open batches. From then on they are treated as what limpet collects itself.
//
// Invariants:
//  O1  A request is taken whole, or not at all and answered with an error; a single item that no batch
//      can hold is rejected alone, in the answer. What is not taken never enters the ledger.
//  O2  Nothing is dropped to make room for what comes in: a sender that finds none is asked to come
//      again (429), and has it in its own queue until then.
//  O3  200 is said of items that are queued, and where the spool commits first, of committed ones. Where
//      that is not certain in the end it is 503, and the sender may repeat what is held here.
//  O4  While memory is crowded though it can leave, an answer takes up to kCrowdedWait: who waits for it
//      sends no more until then, which spares the flash.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

#include "batch/batcher.h"
#include "batch/gzip.h"
#include "limpet/log.h"
#include "limpet/token_check.h"
#include "otlp/item_summary.h"
#include "otlp/split.h"
#include "receive/resource_merger.h"
#include "serve/http_server.h"
#include "serve/otlp_http.h"
#include "serve/snapshot.h"
#include "spool/spooler.h"

namespace limpet {

struct OtlpReceiverOptions {
  SignalSet signals = kAllSignals;         ///< That some destination takes; 404 for the others.
  size_t max_body = 0;                     ///< Of a request, before and after decompression.
  bool commits_first = false;              ///< durability = always: without a spool nothing is taken.
  std::span<const uint8_t> merged;         ///< Encoded Resource of the host; empty: resource = keep.
};

class OtlpReceiver final : public HttpHandler {
 public:
  static constexpr Duration kCrowdedWait = Seconds(1);

  /// An answer that waits, of a connection.
  struct Wait {
    bool waits = false;
    Signal signal = Signal::kMetrics;
    OtlpForm form = OtlpForm::kProtobuf;
    uint64_t rejected = 0;
    uint64_t sequence = 0;    ///< Of the batch with the last of its items, and what had been dropped of the
    uint64_t dropped = 0;     ///< signal when it came.
    MonoTime until = kNever;  ///< For room in memory; kNever: for a commit.
  };

  static size_t BytesNeeded(size_t connections) {
    return GzipDecompressor::BytesNeeded() + alignof(Wait) + connections * sizeof(Wait);
  }

  /// What it needs while it works on a request: that, inflated or converted; a part of it to merge with.
  static size_t ScratchBytes(size_t max_body, size_t batch_bytes, bool merge) {
    return max_body + (merge ? batch_bytes : 0);
  }

  /// memory: BytesNeeded(connections), for its life. scratch: ScratchBytes, used within a call only.
  /// tokens: nullptr: nobody needs one.
  OtlpReceiver(const OtlpReceiverOptions& options, std::span<std::byte> memory,
               std::span<uint8_t> scratch, TokenCheck* tokens, Batcher& batcher, Spooler& spooler,
               const Ledger& ledger, Clock& clock, const ClockTrust& trust, Log& log);

  /// From now on everybody is sent away.
  void Stop() { stopping_ = true; }

  bool OnHead(const HttpRequest& request, HttpResponse& response) override;
  void OnRequest(const HttpRequest& request, HttpResponse& response) override;
  bool OnDeferred(size_t slot, HttpResponse& response) override;
  void OnRefused(const HttpRequest* request, int status, std::string_view reason,
                 HttpResponse& response) override;
  void OnGone(size_t slot) override { waits_[slot].waits = false; }

  /// When OnDeferred has to be asked again though nothing has happened; kNever: not for that alone.
  MonoTime Due(MonoTime now) const;

  const ReceivedView& use() const { return use_; }

 private:
  struct Taken {
    int status = 200;
    std::string_view why;
    uint64_t items = 0, rejected = 0;
  };

  bool HasRoom(Signal signal, size_t bytes) { return spooler_.HasRoom(signal, batcher_.open_bytes() + bytes); }
  bool MakesRoom(Signal signal);
  void Defer(const HttpRequest& request, Signal signal, OtlpForm form, const Taken& taken, MonoTime until,
            HttpResponse& response);
  bool Admits(const HttpRequest& request, HttpResponse& response);
  Taken Take(Signal signal, OtlpForm form, const HttpRequest& request);
  /// When a request came, and the earliest time of its items.
  struct Arrival {
    Stamp stamp;
    UnixTime first;
  };
  /// packed: the request as it came, where that is gzip and a batch may be; else empty.
  bool CanEverHold(Signal signal, std::span<const uint8_t> request, const ItemSummary& facts);
  Taken Append(Signal signal, std::span<const uint8_t> request, std::span<const uint8_t> packed,
               const ItemSummary& facts);
  bool PassesOn(Signal signal, std::span<const uint8_t> request, std::span<const uint8_t> packed,
                const ItemSummary& facts, MonoTime now) const;
  Taken AppendParts(Signal signal, RequestSplitter& parts, const Arrival& arrival);
  SplitStep AppendPart(Signal signal, RequestSplitter& parts);
  void Refuse(OtlpForm form, const Taken& taken, HttpResponse& response);

  const OtlpReceiverOptions options_;
  GzipDecompressor gzip_;
  std::span<Wait> waits_;
  const std::span<uint8_t> scratch_, part_;
  TokenCheck* const tokens_;
  Batcher& batcher_;
  Spooler& spooler_;
  const Ledger& ledger_;
  Clock& clock_;
  const ClockTrust& trust_;
  Log& log_;
  ResourceMerger merger_;
  ReceivedView use_;
  bool stopping_ = false;
};

}  // namespace limpet
