// pipe_pool: empty pipes to splice through. A direction of a connection borrows one only while bytes are in it, so the
// number of pipes follows the backlog and not the number of connections. Owned by one thread; keeps at most `spare`.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "base/unique_fd.hpp"
#include "relay/descriptor_budget.hpp"

namespace relay {

struct pipe_pair {
  base::unique_fd read;
  base::unique_fd write;
  descriptor_lease lease{};
};

class pipe_pool {
 public:
  explicit pipe_pool(descriptor_budget& budget, std::size_t spare = 4) : budget_(budget), spare_(spare) {}

  // Nothing if the process is out of descriptors, pipes have used up their share, or the user has so many that the
  // kernel makes only small ones.
  [[nodiscard]] std::optional<pipe_pair> borrow();
  // The pipe must be empty: bytes in it would reach the next connection.
  void give_back(pipe_pair pipe) {
    if (kept_.size() < spare_) kept_.push_back(std::move(pipe));
  }

 private:
  descriptor_budget& budget_;
  std::size_t spare_;
  std::vector<pipe_pair> kept_;
};

}  // namespace relay
