// steady_traffic: connections that carry bytes both ways at a moderate rate until they end or are ended, on a thread of
// its own. What arrives is compared with what was sent. A test looks at it while programs die and return.
#pragma once

#include <atomic>
#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "tests/integration/tcp_traffic.hpp"

namespace integration {

class steady_traffic {
 public:
  explicit steady_traffic(std::vector<tcp_pair> pairs);
  ~steady_traffic();
  steady_traffic(const steady_traffic&) = delete;
  steady_traffic& operator=(const steady_traffic&) = delete;

  // What each end has received so far: first all clients, then all servers.
  [[nodiscard]] std::vector<std::size_t> received() const;
  // Each end has received more than `before` says, or has ended.
  [[nodiscard]] bool goes_on_or_has_ended(const std::vector<std::size_t>& before) const;
  [[nodiscard]] bool goes_on(const std::vector<std::size_t>& before) const;
  [[nodiscard]] bool is_right() const { return wrong_ == 0; }  // no wrong byte so far
  // These ends are gone without a word, as those of a machine that lost its power.
  void abandon(const std::vector<std::size_t>& ends);
  // Ends both directions of each connection in order: true if all that was sent arrives by then.
  [[nodiscard]] bool finish(std::chrono::milliseconds limit);

 private:
  struct side {
    base::unique_fd fd;
    std::atomic<std::size_t> sent = 0, received = 0;
    std::atomic<bool> ended = false;  // the other end's FIN, or an error
    bool shut = false;
  };
  void run();
  void turn(side& one);
  void send(side& one);
  void receive(side& one);

  std::deque<side> sides_;  // clients, then servers in the same order
  std::atomic<bool> stopping_ = false, finishing_ = false;
  std::atomic<int> wrong_ = 0;
  std::thread thread_;
};

}  // namespace integration
