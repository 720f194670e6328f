// What can fail returns a Status (or a Result with a value); nothing throws.
#pragma once

#include <cstdint>
#include <utility>

namespace limpet {

enum class Code : uint8_t {
  kOk = 0,
  kInvalid,      ///< The input is wrong: a malformed file, number, message.
  kNotFound,     ///< The thing asked for does not exist.
  kFull,         ///< A fixed pool, table or buffer has no room.
  kUnavailable,  ///< A peer or device does not answer; may pass.
  kDenied,       ///< No permission.
  kIo,           ///< The system refused an operation; `detail` is its error number.
  kTimeout,      ///< No progress in time.
  kExists,       ///< Somebody else holds it.
  kUnsupported,  ///< Not available in this build or on this kernel.
};

/// A short English word for the code, for logs.
const char* CodeName(Code code);

/// A code, the number behind it (an errno, a line, 0), and a literal that says where. No heap.
struct [[nodiscard]] Status {
  Code code = Code::kOk;
  int32_t detail = 0;
  const char* where = "";  ///< A string literal.

  bool ok() const { return code == Code::kOk; }
};

/// A Status, and a T that means something only when the status is kOk.
template <typename T>
class [[nodiscard]] Result {
 public:
  Result(T value) : value_(std::move(value)) {}        // NOLINT: `return value;` is the point.
  Result(Status status) : status_(status) {}           // NOLINT: `return {Code::kFull, 0, "…"};`
  Result(Code code, int32_t detail, const char* where) : status_{code, detail, where} {}

  bool ok() const { return status_.ok(); }
  const Status& status() const { return status_; }
  T& value() { return value_; }
  const T& value() const { return value_; }

 private:
  Status status_;
  T value_{};
};

/// Ends the process with one line on stderr: a mistake of ours, never a bad input. Kept in release
/// builds; the supervisor restarts us.
[[noreturn]] void CheckFailed(const char* expression, const char* file, int line);

}  // namespace limpet

#define LIMPET_CHECK(expression) \
  ((expression) ? void(0) : ::limpet::CheckFailed(#expression, __FILE__, __LINE__))

/// Hands a failed Status to the caller.
#define LIMPET_TRY(expression)                                  \
  do {                                                          \
    if (::limpet::Status limpet_try_status = (expression); !limpet_try_status.ok()) { \
      return limpet_try_status;                                 \
    }                                                           \
  } while (false)
