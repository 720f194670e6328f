// inotify.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "limpet/file_watch.h"

namespace limpet {

class Inotify final : public FileWatch {
 public:
  Inotify() = default;
  Inotify(const Inotify&) = delete;
  Inotify& operator=(const Inotify&) = delete;
  ~Inotify();

  Status Open();
  Result<int> WatchFile(int file) override;
  Result<int> WatchDirectory(std::string_view path) override;
  void Forget(int watch) override;
  int Next() override;
  int handle() const override { return handle_; }

 private:
  Result<int> Watch(const char* path, uint32_t events);

  int handle_ = -1;
  alignas(8) std::array<char, 4096> events_;
  size_t at_ = 0, end_ = 0;
};

}  // namespace limpet
