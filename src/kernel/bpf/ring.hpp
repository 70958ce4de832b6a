// ring: a small buffer into which BPF programs write records. Its descriptor is readable while it holds records. The
// kernel does not wake the reader for a record behind an unread one, so a slow reader is not woken more often. When it
// is full, further records are dropped: one is enough.
#pragma once

#include "base/result.hpp"
#include "base/unique_fd.hpp"

namespace bpf {

class ring {
 public:
  static base::result<ring> create();  // Linux 5.8 and later, with CAP_BPF
  ring(ring&& other) noexcept;
  ring& operator=(ring&&) = delete;
  ~ring();

  [[nodiscard]] int fd() const { return map_.get(); }
  // Removes all records without reading them. True if there were any.
  bool take_all();

 private:
  explicit ring(base::unique_fd map) : map_(std::move(map)) {}

  base::unique_fd map_;
  void* consumer_ = nullptr;  // pages shared with the kernel: the read position …
  void* producer_ = nullptr;  // … and the write position
};

}  // namespace bpf
