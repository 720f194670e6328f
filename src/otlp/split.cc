#include "otlp/split.h"

#include "limpet/status.h"
#include "otlp/wire_reader.h"

namespace limpet {
namespace {

/// The bytes of a field that is a message of so many. The numbers of fields with items are below 16.
size_t Nested(size_t bytes) { return 1 + VarintSize(bytes) + bytes; }

/// Calls itself for what is nested, as deep as the items lie.
uint32_t CountItems(const MessageSchema& message, WireReader in) {
  if (message.role == ItemRole::kItem) return 1;
  uint32_t items = 0;
  while (in.Next()) {
    if (const MessageSchema* const inner = message.Inner(in.field()); inner != nullptr) {
      items += CountItems(*inner, in.Message());
    }
  }
  return items;
}

}  // namespace

/// What a step appends. A message is opened when there is an item for it.
class RequestSplitter::Part {
 public:
  Part(const RequestSplitter& splitter, WireWriter* out) : splitter_(splitter), out_(out) {}

  /// With so many bytes more in the message that is being taken apart.
  size_t SizeWith(size_t bytes) const {
    for (size_t depth = splitter_.depth_; depth > 0; --depth) {
      bytes = Nested(bytes + (depth <= open_ ? bytes_[depth] : splitter_.levels_[depth].beside));
    }
    return bytes_[0] + bytes;
  }

  void Add(std::span<const uint8_t> fields) {
    while (open_ < splitter_.depth_) Open(splitter_.levels_[open_ + 1]);
    bytes_[open_] += fields.size();
    if (out_ != nullptr) out_->Raw(fields);
  }

  /// Closes what is open deeper than this.
  void LeaveFor(size_t depth) {
    for (; open_ > depth; --open_) {
      bytes_[open_ - 1] += Nested(bytes_[open_]);
      if (out_ != nullptr) out_->Close(marks_[open_]);
    }
  }

  size_t bytes() const { return bytes_[0]; }

 private:
  void Open(const Level& level) {
    bytes_[++open_] = level.beside;
    if (out_ == nullptr) return;
    marks_[open_] = out_->Open(level.field);
    out_->Raw(splitter_.Slice(level.begin, level.front));
    const uint32_t between = level.beside - (level.front - level.begin) - (level.end - level.back);
    if (between != 0) {
      for (WireReader in(splitter_.Slice(level.front, level.back)); in.Next();) {
        if (level.message->Inner(in.field()) == nullptr) out_->Raw(in.raw());
      }
    }
    out_->Raw(splitter_.Slice(level.back, level.end));
  }

  const RequestSplitter& splitter_;
  WireWriter* const out_;
  size_t open_ = 0;                           // Levels 1 to this one are open.
  std::array<size_t, kLevelsMax> bytes_{};    // Contents of those, and of the part.
  std::array<size_t, kLevelsMax> marks_{};
};

RequestSplitter::RequestSplitter(Signal signal, std::span<const uint8_t> request, uint32_t items,
                                 size_t batch_bytes)
    : request_(request), items_(items), batch_bytes_(batch_bytes) {
  LIMPET_CHECK(request.size() <= UINT32_MAX);
  Enter(levels_[0], RequestSchema(signal), 0, request);
}

std::span<const uint8_t> RequestSplitter::Slice(uint32_t begin, uint32_t end) const {
  return request_.subspan(begin, end - begin);
}

void RequestSplitter::Enter(Level& level, const MessageSchema& message, uint32_t field,
                            std::span<const uint8_t> contents) {
  level = Level{.message = &message, .field = field};
  level.begin = static_cast<uint32_t>(contents.data() - request_.data());
  level.end = level.begin + static_cast<uint32_t>(contents.size());
  level.front = level.back = level.child_end = level.begin;
  ToNextChild(level);
  level.front = level.child;
  level.back = level.end;
  uint32_t children = 0;
  for (WireReader in(Slice(level.child, level.end)); in.Next();) {
    if (message.Inner(in.field()) == nullptr) continue;
    children += static_cast<uint32_t>(in.raw().size());
    level.back = static_cast<uint32_t>(in.raw().data() - request_.data() + in.raw().size());
  }
  level.beside = level.end - level.begin - children;
}

void RequestSplitter::ToNextChild(Level& level) const {
  for (WireReader in(Slice(level.child_end, level.end)); in.Next();) {
    if (level.message->Inner(in.field()) == nullptr) continue;
    level.child = static_cast<uint32_t>(in.raw().data() - request_.data());
    level.child_end = level.child + static_cast<uint32_t>(in.raw().size());
    return;
  }
  level.child = level.end;
}

bool RequestSplitter::FitsABatch(size_t bytes) const {
  for (size_t depth = depth_; depth > 0; --depth) bytes = Nested(bytes + levels_[depth].beside);
  return bytes <= batch_bytes_;
}

SplitStep RequestSplitter::Next(WireWriter* out, size_t bytes_room, uint32_t items_room) {
  SplitStep step;
  Part part(*this, out);
  if (depth_ == 0 && !levels_[0].begun && request_.size() <= bytes_room && items_ <= items_room) {
    part.Add(request_);
    step.items = items_;
    levels_[0].child = levels_[0].end;
  }
  for (;;) {
    Level& level = levels_[depth_];
    if (level.child == level.end) {
      step.done = depth_ == 0;
      if (step.done) break;
      part.LeaveFor(--depth_);
    } else {
      const std::span<const uint8_t> raw = Slice(level.child, level.child_end);
      WireReader child(raw);
      LIMPET_CHECK(child.Next());
      const MessageSchema& inner = *level.message->Inner(child.field());
      const bool is_item = inner.role == ItemRole::kItem;
      const bool has_room = part.SizeWith(raw.size()) <= bytes_room;  // R3
      const uint32_t items = is_item ? 1 : has_room ? CountItems(inner, child.Message()) : 0;
      if (has_room && items <= items_room - step.items) {
        if (items > 0) part.Add(raw);
        step.items += items;
      } else if (!is_item) {
        ++depth_;
        Enter(levels_[depth_], inner, child.field(), child.Bytes());
        continue;
      } else if (FitsABatch(raw.size())) {
        break;
      } else {
        ++step.rejected;
      }
    }
    levels_[depth_].begun = true;
    ToNextChild(levels_[depth_]);
  }
  // What nothing was taken from may fit the next batch as it is.
  while (depth_ > 0 && !levels_[depth_].begun) --depth_;
  part.LeaveFor(0);
  step.bytes = part.bytes();
  return step;
}

}  // namespace limpet
