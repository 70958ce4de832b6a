// pipe_pool: empty pipes to splice through. A direction of a connection borrows one only while bytes are in it, so the
// number of pipes follows the backlog and not the number of connections. One thread's; at most `spare` are kept.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"

namespace relay {

struct pipe_pair {
  base::unique_fd read;
  base::unique_fd write;
};

class pipe_pool {
 public:
  explicit pipe_pool(std::size_t spare = 32) : spare_(spare) {}

  // Nothing when the process is out of descriptors: errno says why.
  [[nodiscard]] std::optional<pipe_pair> borrow();
  // Only an empty pipe may come back: what is in one would reach the next connection.
  void give_back(pipe_pair pipe) {
    if (kept_.size() < spare_) kept_.push_back(std::move(pipe));
  }

 private:
  std::size_t spare_;
  std::vector<pipe_pair> kept_;
};

}  // namespace relay
