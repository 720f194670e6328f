#include "port/linux/run_dir.h"

#include "port/linux/directory.h"

namespace limpet {

Status RunDir::TakeOne(std::string_view directory, unsigned mode) {
  if (directory.empty()) return {Code::kInvalid, 0, "no directory"};
  LIMPET_TRY(MakeDirectories(directory, mode));
  LIMPET_TRY(lock_.Take(directory, "limpet.lock"));
  path_ << directory;
  return {};
}

Status RunDir::Take(std::string_view first, std::string_view second) {
  const Status status = TakeOne(first, 0755);
  if (status.ok() || status.code == Code::kExists) return status;
  return TakeOne(second, 0700);
}

void WriteControlAddress(std::string_view directory, TextWriter& out) {
  out << "unix:" << directory << "/limpet.sock";
}

}  // namespace limpet
