// The directory that survives a restart, on a simulated flash.
#pragma once

#include <algorithm>
#include <cerrno>
#include <string>

#include "limpet/storage.h"
#include "sim/flash.h"

namespace limpet::sim {

class SimStorage final : public Storage {
 public:
  explicit SimStorage(SimFlash& flash) : flash_(flash) {}

  Status prepare;                             ///< What Prepare says, if the flash lets it.
  uint64_t inodes = 1000, free_inodes = 900;  ///< Both 0: not counted.
  uint64_t unlimited = 1ull << 30;            ///< Free, while the flash has no capacity.
  size_t prepared = 0;                        ///< Calls of Prepare.

  Status Prepare() override {
    ++prepared;
    LIMPET_TRY(flash_.Check(SimFlash::kOpen));
    if (flash_.read_only && prepare.ok()) return {Code::kDenied, EROFS, "state_dir"};
    return prepare;
  }

  Result<Space> Free() override {
    LIMPET_TRY(flash_.Check(SimFlash::kAccess));
    const uint64_t used = flash_.used_bytes();
    const uint64_t free = flash_.capacity == UINT64_MAX ? unlimited
                          : used < flash_.capacity      ? flash_.capacity - used
                                                        : 0;
    return Space{.free_bytes = free, .inodes = inodes, .free_inodes = free_inodes};
  }

  Result<uint64_t> SizeOf(std::string_view name) override {
    LIMPET_TRY(flash_.Check(SimFlash::kAccess));
    const auto it = flash_.files.find(std::string(name));
    if (it == flash_.files.end()) return {Code::kNotFound, ENOENT, "size"};
    return uint64_t{it->second.size()};
  }

  Status Rename(std::string_view from, std::string_view to) override {
    return flash_.Rename(std::string(from), std::string(to));
  }
  Status Remove(std::string_view name) override { return flash_.Remove(std::string(name)); }

  size_t WritePath(std::string_view name, std::span<char> into) const override {
    if (name.size() >= into.size()) return 0;
    std::copy(name.begin(), name.end(), into.begin());
    into[name.size()] = '\0';
    return name.size();
  }
  const char* vfs() const override { return flash_.vfs(); }

  uint64_t written_bytes() const override { return flash_.counters.written_bytes; }
  uint64_t syncs() const override { return flash_.counters.syncs; }

 private:
  SimFlash& flash_;
};

}  // namespace limpet::sim
