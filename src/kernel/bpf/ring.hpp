// ring: a small buffer into which programs in the kernel write records. Its descriptor is readable while there are
// records that were not taken. The kernel wakes nobody for a record behind one that was not taken yet, so who is slow
// to look is not woken the more often. When it is full further records are dropped: one is enough to know.
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
  // Takes all records that are there, unread. True if there were any.
  bool take_all();

 private:
  explicit ring(base::unique_fd map) : map_(std::move(map)) {}

  base::unique_fd map_;
  void* consumer_ = nullptr;  // pages shared with the kernel: how far was read …
  void* producer_ = nullptr;  // … and how far was written
};

}  // namespace bpf
